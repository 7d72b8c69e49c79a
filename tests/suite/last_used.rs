//! Last use: noted at every verification, written once an interval, never lost, never backwards, never in the way.

#[cfg(feature = "postgres")]
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keyward::key::{Issued, KeyId, KeyRecord, OwnerId, RevocationReason, Rotation};
use keyward::scraper::{Scraper, ScraperDetails};
use keyward::service::{DEFAULT_INTERVAL, LastUsedMetrics};
use keyward::store::{Abilities, KeyLookup, KeyStore, KeyUse, PageRequest, RevokeOutcome, RevokeRequest, StoreError};
use keyward::{Clock, Keys, KeysBuilder, Timestamp};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::support::concurrency::{Abandon, abandon, race};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::support::over_every_database;
use crate::support::{Fixture, Store, draft, over_every_store};

over_every_store![
    a_thousand_verifications_of_ten_keys_are_one_statement_and_ten_rows,
    an_older_flush_never_moves_last_use_back,
    a_full_map_drops_further_keys_and_counts_them,
    a_failed_flush_is_counted_and_its_keys_are_written_later,
    what_comes_back_from_a_failed_flush_stays_within_bounds,
    a_hanging_flush_delays_no_verification,
    a_flush_that_is_given_up_loses_nothing,
    a_flush_that_is_given_up_anywhere_is_written_by_the_next,
];

#[cfg(any(feature = "sqlite", feature = "postgres"))]
over_every_database![
    the_database_itself_sees_one_statement_and_ten_rows,
    a_database_that_cannot_be_written_delays_and_fails_no_verification,
];

/// A store that counts, fails and blocks the writes of last use on demand.
#[derive(Debug)]
struct Counting {
    store: Store,
    statements: AtomicU64,
    rows: AtomicU64,
    fails: AtomicBool,
    /// A write begins when it gets a permit. There are plenty unless a test takes them away.
    permits: Semaphore,
}

impl Counting {
    fn over(store: &Store) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            statements: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            permits: Semaphore::new(1_000),
        })
    }

    /// How many statements there were, and how many rows they wrote.
    fn written(&self) -> (u64, u64) {
        (self.statements.load(Ordering::SeqCst), self.rows.load(Ordering::SeqCst))
    }

    fn block(&self) {
        self.permits.forget_permits(1_000);
    }

    fn unblock(&self) {
        self.permits.add_permits(1_000);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl KeyStore for Counting {
    type Details = ScraperDetails;

    fn abilities(&self) -> Abilities {
        self.store.abilities()
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<KeyRecord<ScraperDetails>>, StoreError> {
        self.store.find(lookup).await
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<ScraperDetails>>, StoreError> {
        self.store.get(id).await
    }

    async fn list(&self, page: &PageRequest) -> Result<Vec<KeyRecord<ScraperDetails>>, StoreError> {
        self.store.list(page).await
    }

    async fn starting_with(
        &self,
        owner: &OwnerId,
        start: &str,
        limit: u32,
    ) -> Result<Vec<KeyRecord<ScraperDetails>>, StoreError> {
        self.store.starting_with(owner, start, limit).await
    }

    async fn owner_exists(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        self.store.owner_exists(owner).await
    }

    async fn insert(&self, key: &KeyRecord<ScraperDetails>) -> Result<(), StoreError> {
        self.store.insert(key).await
    }

    async fn rotate(&self, rotation: &Rotation<ScraperDetails>) -> Result<(), StoreError> {
        self.store.rotate(rotation).await
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<RevokeOutcome, StoreError> {
        self.store.revoke(request).await
    }

    async fn revoke_all(
        &self,
        owner: &OwnerId,
        at: Timestamp,
        reason: Option<&RevocationReason>,
    ) -> Result<u64, StoreError> {
        self.store.revoke_all(owner, at, reason).await
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<u64, StoreError> {
        self.statements.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.unwrap().forget();
        self.permits.add_permits(1);
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { backend: "a test", source: "it is told to fail".into() });
        }
        let rows = self.store.touch(uses).await?;
        self.rows.fetch_add(rows, Ordering::SeqCst);
        Ok(rows)
    }
}

fn builder<S: KeyStore<Details = ScraperDetails>>(fixture: &Fixture, store: S) -> KeysBuilder<S> {
    Keys::builder(Scraper, store).shared_clock(Arc::<keyward::ManualClock>::clone(&fixture.clock))
}

async fn issue(fixture: &Fixture, count: usize) -> Vec<Issued<ScraperDetails>> {
    let mut issued = Vec::with_capacity(count);
    for _ in 0..count {
        issued.push(fixture.keys.issue(draft().into()).await.unwrap());
    }
    issued
}

async fn use_once<S: KeyStore>(keys: &Keys<S>, key: &Issued<ScraperDetails>) {
    keys.verify(key.secret.expose_secret()).await.unwrap();
}

/// When the database says that the key was last used.
async fn last_used(fixture: &Fixture, key: &Issued<ScraperDetails>) -> Option<Timestamp> {
    fixture.keys.show(&key.record.head.id).await.unwrap().unwrap().head.last_used_at
}

/// Verifies each key a hundred times, all at once.
async fn use_a_hundred_times<S: KeyStore + 'static>(keys: &Keys<S>, issued: &[Issued<ScraperDetails>]) {
    let presented: Vec<_> = issued.iter().map(|key| key.secret.expose_secret().to_owned()).collect();
    let verifiers = (0..10).map(|_| {
        let (keys, presented) = (keys.clone(), presented.clone());
        move || async move {
            let mut running = JoinSet::new();
            let tasks = tokio::task::LocalSet::new();
            for key in presented.iter().cycle().take(presented.len() * 10) {
                let (keys, key) = (keys.clone(), key.clone());
                running.spawn_local_on(async move { keys.verify(&key).await.map(|_| ()) }, &tasks);
            }
            tasks.run_until(async { running.join_all().await }).await
        }
    });
    for outcome in race(verifiers).await.into_iter().flatten() {
        outcome.unwrap();
    }
}

fn metrics<S: KeyStore>(keys: &Keys<S>) -> (usize, u64, u64) {
    let LastUsedMetrics { pending, dropped, failed_flushes, .. } = keys.last_used_metrics();
    (pending, dropped, failed_flushes)
}

async fn a_thousand_verifications_of_ten_keys_are_one_statement_and_ten_rows(fixture: Fixture) {
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, Arc::clone(&store)).build();
    let issued = issue(&fixture, 10).await;

    for interval in 1..=3 {
        use_a_hundred_times(&keys, &issued).await;
        assert_eq!(metrics(&keys), (10, 0, 0));
        // Several flushes at once are one all the same, and one more finds nothing to do.
        let flushes = (0..4).map(|_| {
            let keys = keys.clone();
            move || async move { keys.flush_last_used().await.unwrap() }
        });
        assert_eq!(race(flushes).await.into_iter().sum::<u64>(), 10);
        assert_eq!(keys.flush_last_used().await.unwrap(), 0);
        assert_eq!(store.written(), (interval, interval * 10));
        assert_eq!(metrics(&keys), (0, 0, 0));
        for key in &issued {
            assert_eq!(last_used(&fixture, key).await, Some(fixture.clock.now()));
        }
        fixture.clock.advance(DEFAULT_INTERVAL);
    }
}

/// Counts what arrives where nobody can pretend: in triggers of the database.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn the_database_itself_sees_one_statement_and_ten_rows(fixture: Fixture) {
    const POSTGRES: &str = "
        CREATE TABLE writes (what text NOT NULL);
        CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO writes VALUES (TG_ARGV[0]); RETURN NULL; END $$;
        CREATE TRIGGER count_rows AFTER UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION count_write('row');
        CREATE TRIGGER count_statements AFTER UPDATE ON api_keys
            FOR EACH STATEMENT EXECUTE FUNCTION count_write('statement');";
    // SQLite has no triggers for statements.
    const SQLITE: &str = "
        CREATE TABLE writes (what TEXT NOT NULL);
        CREATE TRIGGER count_rows AFTER UPDATE ON api_keys BEGIN INSERT INTO writes VALUES ('row'); END;";
    let issued = issue(&fixture, 10).await;
    fixture.database.run(fixture.database.dialect(POSTGRES, SQLITE)).await;
    let count = async |what| {
        let sql = format!("SELECT CAST(count(*) AS varchar(9)) FROM writes WHERE what = '{what}'");
        fixture.database.text(&sql).await.unwrap()
    };
    let keys = builder(&fixture, Arc::clone(fixture.store())).build();
    for interval in 1..=3 {
        use_a_hundred_times(&keys, &issued).await;
        assert_eq!(count("row").await, ((interval - 1) * 10).to_string(), "a verification writes nothing");
        assert_eq!(keys.flush_last_used().await.unwrap(), 10);
        assert_eq!(keys.flush_last_used().await.unwrap(), 0);
        assert_eq!(count("row").await, (interval * 10).to_string());
        let statements = interval.to_string();
        assert_eq!(count("statement").await, fixture.database.dialect(&statements, "0"));
        fixture.clock.advance(DEFAULT_INTERVAL);
    }
}

async fn an_older_flush_never_moves_last_use_back(fixture: Fixture) {
    let [slow, fast] = [(); 2].map(|()| fixture.another_process());
    let (slow, fast) = (slow.await, fast.await);
    let issued = issue(&fixture, 3).await;
    let begin = fixture.clock.now();

    use_once(&slow, &issued[0]).await;
    use_once(&slow, &issued[1]).await;
    // Less than a millisecond later, which an engine might round away.
    fixture.clock.advance(Duration::from_micros(1));
    let later = fixture.clock.now();
    use_once(&fast, &issued[0]).await;
    assert_eq!(fast.flush_last_used().await.unwrap(), 1);
    assert_eq!(slow.flush_last_used().await.unwrap(), 1, "only the key that nobody used later is written");
    assert_eq!(last_used(&fixture, &issued[0]).await, Some(later));
    assert_eq!(last_used(&fixture, &issued[1]).await, Some(begin));
    assert_eq!(last_used(&fixture, &issued[2]).await, None);

    // The clock itself may go back between two uses, too.
    fixture.clock.set(later);
    use_once(&slow, &issued[2]).await;
    fixture.clock.set(begin);
    use_once(&slow, &issued[2]).await;
    slow.flush_last_used().await.unwrap();
    assert_eq!(last_used(&fixture, &issued[2]).await, Some(later));
}

async fn a_full_map_drops_further_keys_and_counts_them(fixture: Fixture) {
    let keys = builder(&fixture, Arc::clone(fixture.store())).last_used_capacity(3).build();
    let issued = issue(&fixture, 5).await;
    for key in issued.iter().chain(&issued) {
        use_once(&keys, key).await;
    }
    assert_eq!(metrics(&keys), (3, 4, 0), "two keys had no place, and each was used twice");
    assert_eq!(keys.flush_last_used().await.unwrap(), 3);
    for (place, key) in issued.iter().enumerate() {
        assert_eq!(last_used(&fixture, key).await.is_some(), place < 3);
    }
    use_once(&keys, &issued[4]).await;
    assert_eq!(metrics(&keys), (1, 4, 0), "there is place again");
}

async fn a_failed_flush_is_counted_and_its_keys_are_written_later(fixture: Fixture) {
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, Arc::clone(&store)).build();
    let issued = issue(&fixture, 3).await;
    let begin = fixture.clock.now();
    store.fails.store(true, Ordering::SeqCst);

    for key in &issued {
        use_once(&keys, key).await;
    }
    for failures in 1..=3 {
        assert!(matches!(keys.flush_last_used().await, Err(StoreError::Unavailable { .. })));
        assert_eq!(metrics(&keys), (3, 0, failures));
    }
    fixture.clock.advance(Duration::from_secs(1));
    use_once(&keys, &issued[0]).await;

    store.fails.store(false, Ordering::SeqCst);
    assert_eq!(keys.flush_last_used().await.unwrap(), 3);
    assert_eq!(metrics(&keys), (0, 0, 3));
    assert_eq!(last_used(&fixture, &issued[0]).await, Some(fixture.clock.now()));
    for key in &issued[1..] {
        assert_eq!(last_used(&fixture, key).await, Some(begin), "the time of the use, not of the flush");
    }
}

async fn what_comes_back_from_a_failed_flush_stays_within_bounds(fixture: Fixture) {
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, Arc::clone(&store)).last_used_capacity(3).build();
    let issued = issue(&fixture, 5).await;
    for key in &issued[..3] {
        use_once(&keys, key).await;
    }
    store.fails.store(true, Ordering::SeqCst);
    store.block();
    let flush = keys.flush_last_used();
    let meanwhile = async {
        // While three keys are on their way, one of them is used again, and so are two others.
        for key in &issued[2..] {
            use_once(&keys, key).await;
        }
        store.unblock();
    };
    let (flushed, ()) = tokio::join!(flush, meanwhile);
    assert!(flushed.is_err());
    assert_eq!(metrics(&keys), (3, 2, 1), "the two that find their places taken are dropped and counted");

    store.fails.store(false, Ordering::SeqCst);
    assert_eq!(keys.flush_last_used().await.unwrap(), 3);
    for (place, key) in issued.iter().enumerate() {
        assert_eq!(last_used(&fixture, key).await.is_some(), place >= 2);
    }
}

async fn a_hanging_flush_delays_no_verification(fixture: Fixture) {
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, Arc::clone(&store)).build();
    let issued = issue(&fixture, 2).await;
    use_once(&keys, &issued[0]).await;
    store.block();
    let verified_meanwhile = async {
        for key in &issued {
            use_once(&keys, key).await;
        }
        assert!(abandon(keys.flush_last_used(), Abandon::After(1)).await.is_none());
        assert_eq!(store.written(), (1, 0), "the flush hangs in its one statement, and another one waits for it");
        store.unblock();
    };
    let (flushed, ()) = tokio::join!(keys.flush_last_used(), verified_meanwhile);
    assert_eq!(flushed.unwrap(), 1);
    assert_eq!(keys.flush_last_used().await.unwrap(), 1, "the use during the flush waited for the next one");
}

async fn a_flush_that_is_given_up_loses_nothing(fixture: Fixture) {
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, Arc::clone(&store)).build();
    let issued = issue(&fixture, 2).await;
    for key in &issued {
        use_once(&keys, key).await;
    }
    store.block();
    assert!(abandon(keys.flush_last_used(), Abandon::After(1)).await.is_none());
    assert_eq!(store.written(), (1, 0), "it was given up on its way to the store");
    assert_eq!(metrics(&keys), (2, 0, 1), "to the operator it is a write that failed");

    store.unblock();
    assert_eq!(keys.flush_last_used().await.unwrap(), 2);
    for key in &issued {
        assert!(last_used(&fixture, key).await.is_some());
    }
}

/// A flush is given up at every point where it waits for the real store, until it is no longer given up at all.
async fn a_flush_that_is_given_up_anywhere_is_written_by_the_next(fixture: Fixture) {
    let keys = builder(&fixture, Arc::clone(fixture.store())).build();
    let issued = issue(&fixture, 3).await;
    let (mut never_abandoned, mut polls) = (false, 0);
    while !never_abandoned {
        polls += 1;
        assert!(polls < 1_000, "the flush never ends");
        for when in Abandon::at(polls) {
            fixture.clock.advance(DEFAULT_INTERVAL);
            for key in &issued {
                use_once(&keys, key).await;
            }
            never_abandoned = abandon(keys.flush_last_used(), when).await.is_some();
            let (pending, dropped, _) = metrics(&keys);
            assert_eq!((pending, dropped), (if never_abandoned { 0 } else { 3 }, 0), "given up {when:?}");
            keys.flush_last_used().await.unwrap();
            let (pending, dropped, _) = metrics(&keys);
            assert_eq!((pending, dropped), (0, 0));
            for key in &issued {
                assert_eq!(last_used(&fixture, key).await, Some(fixture.clock.now()), "given up {when:?}");
            }
        }
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn a_database_that_cannot_be_written_delays_and_fails_no_verification(fixture: Fixture) {
    const POSTGRES: &str = "
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no last use today'; END $$;
        CREATE TRIGGER refuse_last_use BEFORE UPDATE OF last_used_at ON api_keys
            FOR EACH STATEMENT EXECUTE FUNCTION refuse();";
    const SQLITE: &str = "
        CREATE TRIGGER refuse_last_use BEFORE UPDATE OF last_used_at ON api_keys
            BEGIN SELECT RAISE(ABORT, 'no last use today'); END;";
    let keys = builder(&fixture, Arc::clone(fixture.store())).build();
    let issued = issue(&fixture, 3).await;
    fixture.database.run(fixture.database.dialect(POSTGRES, SQLITE)).await;
    for failures in 1..=2 {
        for key in &issued {
            use_once(&keys, key).await;
        }
        keys.flush_last_used().await.unwrap_err();
        assert_eq!(metrics(&keys), (3, 0, failures));
    }
    let mend = fixture.database.dialect("DROP TRIGGER refuse_last_use ON api_keys", "DROP TRIGGER refuse_last_use");
    fixture.database.run(mend).await;
    assert_eq!(keys.flush_last_used().await.unwrap(), 3);
    assert_eq!(metrics(&keys), (0, 0, 2));
    for key in &issued {
        assert_eq!(last_used(&fixture, key).await, Some(fixture.clock.now()));
    }
}

#[test]
fn last_use_is_at_most_a_minute_old_by_default() {
    assert!(DEFAULT_INTERVAL <= Duration::from_mins(1));
}

/// Runs `host` beside the recording task, which is shut down when `host` has ended.
async fn beside_the_recorder<S: KeyStore>(keys: &Keys<S>, host: impl AsyncFnOnce()) -> Result<(), StoreError> {
    let (running, shutdown) = oneshot::channel::<()>();
    let recorder = keys.record_last_used(async {
        let _ = shutdown.await;
    });
    let host = async {
        host().await;
        drop(running);
    };
    tokio::join!(recorder, host).0
}

/// The time of these tests is tokio's own, which stands still but for whoever waits for it.
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

const INTERVAL: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(1);
/// An interval but for a moment.
const ALMOST: Duration = Duration::from_millis(19_999);

#[tokio::test(start_paused = true)]
async fn the_recorder_writes_once_an_interval_and_once_more_at_shutdown() {
    let fixture = Fixture::memory().await;
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, Arc::clone(&store)).last_used_interval(INTERVAL).build();
    let issued = issue(&fixture, 2).await;

    let ended = beside_the_recorder(&keys, async || {
        for interval in 1..=3 {
            use_once(&keys, &issued[0]).await;
            wait(ALMOST).await;
            assert_eq!(store.written(), (interval - 1, interval - 1), "not before the interval is over");
            fixture.clock.advance(INTERVAL);
            use_once(&keys, &issued[0]).await;
            wait(MOMENT * 2).await;
            assert_eq!(store.written(), (interval, interval), "both uses are one write");
            wait(ALMOST).await;
            assert_eq!(store.written(), (interval, interval), "nothing to write is no statement");
            fixture.clock.advance(INTERVAL);
        }
        use_once(&keys, &issued[1]).await;
        assert_eq!(metrics(&keys).0, 1);
    })
    .await;
    ended.unwrap();
    assert_eq!(store.written(), (4, 4), "what was pending is written at shutdown");
    assert_eq!(metrics(&keys), (0, 0, 0));
    assert_eq!(last_used(&fixture, &issued[1]).await, Some(fixture.clock.now()));
}

#[tokio::test(start_paused = true)]
async fn the_recorder_survives_failures_and_reports_the_one_at_shutdown() {
    let fixture = Fixture::memory().await;
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, Arc::clone(&store)).last_used_interval(INTERVAL).build();
    let issued = issue(&fixture, 1).await;

    let ended = beside_the_recorder(&keys, async || {
        use_once(&keys, &issued[0]).await;
        store.fails.store(true, Ordering::SeqCst);
        wait(INTERVAL * 2 + MOMENT).await;
        assert_eq!(metrics(&keys), (1, 0, 2));
        store.fails.store(false, Ordering::SeqCst);
        wait(INTERVAL).await;
        assert_eq!(metrics(&keys), (0, 0, 2));
        fixture.clock.advance(INTERVAL);
        use_once(&keys, &issued[0]).await;
        store.fails.store(true, Ordering::SeqCst);
    })
    .await;
    assert!(matches!(ended, Err(StoreError::Unavailable { .. })), "{ended:?}");
    assert_eq!(metrics(&keys), (1, 0, 3), "the use is kept, should somebody flush once more");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stands_still_does_not_keep_the_host_from_shutting_down() {
    let fixture = Fixture::memory().await;
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, Arc::clone(&store)).last_used_interval(INTERVAL).build();
    let issued = issue(&fixture, 1).await;
    use_once(&keys, &issued[0]).await;
    store.block();

    let ended = tokio::time::timeout(Duration::from_mins(1), beside_the_recorder(&keys, async || {})).await;
    let ended = ended.expect("the recorder gives up");
    assert!(matches!(ended, Err(StoreError::Unavailable { .. })), "{ended:?}");
    assert_eq!(metrics(&keys), (1, 0, 1), "the use is kept, should somebody flush once more");
}

/// The uses of all keys at `at`, in the order of their identities or against it.
#[cfg(feature = "postgres")]
fn uses(issued: &[Issued<ScraperDetails>], at: Timestamp, backwards: bool) -> Vec<KeyUse> {
    let mut uses: Vec<_> = issued
        .iter()
        .map(|Issued { record: KeyRecord { head, .. }, .. }| KeyUse {
            id: head.id.clone(),
            digest: head.digest.unwrap(),
            at,
        })
        .collect();
    uses.sort_by(|one, other| one.id.cmp(&other.id));
    if backwards {
        uses.reverse();
    }
    uses
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_write_the_same_keys_in_opposite_order_do_not_deadlock_in_postgres() {
    let fixture = Fixture::postgres().await;
    let issued = issue(&fixture, 200).await;
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(fixture.database.open().await);
    }
    for _ in 0..40 {
        let racers = stores.iter().enumerate().map(|(process, store)| {
            fixture.clock.advance(Duration::from_micros(1));
            let (store, uses) = (Arc::clone(store), uses(&issued, fixture.clock.now(), process % 2 == 1));
            move || async move { store.touch(&uses).await }
        });
        for written in race(racers).await {
            written.expect("no deadlock");
        }
        for key in issued.iter().step_by(50) {
            assert_eq!(last_used(&fixture, key).await, Some(fixture.clock.now()), "the latest use stands");
        }
    }
}

#[cfg(feature = "postgres")]
mod writing_last_use_while_all_keys_are_revoked_does_not_deadlock {
    use super::Fixture;

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        super::write_while_all_are_revoked(Fixture::postgres().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn bare_postgres() {
        super::write_while_all_are_revoked(Fixture::bare_postgres().await).await;
    }
}

#[cfg(feature = "postgres")]
async fn write_while_all_are_revoked(fixture: Fixture) {
    type Call = Pin<Box<dyn Future<Output = Result<u64, StoreError>>>>;

    let [writer, revoker] = [fixture.another_process().await, fixture.another_process().await];
    let owner = OwnerId::new("acme").unwrap();
    for _ in 0..10 {
        let issued = issue(&fixture, 200).await;
        let racers = [false, true].map(|revokes| {
            let (writer, revoker, owner) = (writer.clone(), revoker.clone(), owner.clone());
            let uses = uses(&issued, fixture.clock.now(), false);
            move || -> Call {
                if revokes {
                    Box::pin(async move { revoker.revoke_all(&owner, None).await })
                } else {
                    Box::pin(async move { writer.store().touch(&uses).await })
                }
            }
        });
        for outcome in race(racers).await {
            assert_eq!(outcome.expect("no deadlock"), 200);
        }
    }
}
