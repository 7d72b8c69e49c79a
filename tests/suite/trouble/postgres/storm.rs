//! All trouble at once: rows are locked, server processes killed, columns altered, calls dropped and the pooler restarted
//! while keys are verified and changed through pools of two connections.
//!
//! `KEYWARD_TROUBLE=full cargo test --all-features --test suite trouble::postgres -- --nocapture` makes 20,000 calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use keyward::key::Issued;
use keyward::store::StoreError;
use keyward::{Keys, KeysError, Postgres};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{LONG, UNAVAILABLE, all_connections, over, quiet, refusal, session, small_pool, table};
use crate::support::concurrency::{Abandon, abandon};
use crate::support::postgres::Pooler;
use crate::support::{Fixture, TestSchema, over_schemas};

over_schemas![
    on_postgres of [standard::Standard, scraper::Scraper, mesh::Mesh]: no_verdict_is_wrong_and_no_connection_lost,
];

/// Whether tests make as many calls as are promised, and not as few as an ordinary run can wait for.
pub(super) fn is_full() -> bool {
    std::env::var("KEYWARD_TROUBLE").is_ok_and(|value| value == "full")
}

const TASKS: u32 = 6;

const LIMIT: Duration = Duration::from_secs(1);

/// What was acknowledged of a key.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Live,
    /// A revocation was given up, or its outcome never arrived.
    Unsure,
    Revoked,
}

/// The keys of one owner, which only one task changes, so that it knows what each has to be.
struct Owner<S: TestSchema> {
    name: String,
    keys: Keys<S>,
    issued: Vec<(Issued<S>, Known)>,
    random: u64,
    unanswered: u32,
}

impl<S: TestSchema> Owner<S> {
    /// A generator of Lehmer's: repeatable, and random enough.
    fn below(&mut self, end: usize) -> usize {
        self.random = self.random * 48_271 % 0x7fff_ffff;
        usize::try_from(self.random).unwrap() % end
    }

    async fn call(&mut self) {
        let one = self.below(self.issued.len());
        match self.below(20) {
            0 | 1 => self.issue().await,
            2 | 3 => self.revoke(one, Abandon::After(10_000)).await,
            4 => {
                let when = Abandon::After(self.below(12) + 1);
                self.revoke(one, when).await;
            }
            5 => {
                let when = Abandon::BeforeNextThan(self.below(12) + 1);
                let verdict = abandon(refusal(&self.keys, &self.issued[one].0), when).await;
                if let Some(verdict) = verdict {
                    self.judge(one, verdict);
                }
            }
            6 => self.unanswered += u32::from(self.keys.flush_last_used().await.is_err()),
            _ => {
                let verdict = refusal(&self.keys, &self.issued[one].0).await;
                self.judge(one, verdict);
            }
        }
    }

    async fn issue(&mut self) {
        match self.keys.issue(S::draft(&self.name)).await {
            Ok(issued) => self.issued.push((issued, Known::Live)),
            Err(KeysError::Store(StoreError::Unavailable { .. })) => self.unanswered += 1,
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn revoke(&mut self, one: usize, when: Abandon) {
        let (issued, known) = &mut self.issued[one];
        match abandon(self.keys.revoke(&issued.record.head.id, None), when).await {
            Some(Ok(_)) => *known = Known::Revoked,
            None | Some(Err(KeysError::Store(StoreError::Unavailable { .. }))) => {
                self.unanswered += 1;
                if *known == Known::Live {
                    *known = Known::Unsure;
                }
            }
            Some(Err(error)) => panic!("{error:?}"),
        }
    }

    /// The verdict has to be what was acknowledged, or none.
    fn judge(&mut self, one: usize, verdict: Option<&'static str>) {
        let known = &mut self.issued[one].1;
        match (verdict, *known) {
            (None, Known::Live | Known::Unsure) | (Some("revoked"), Known::Revoked) => {}
            (Some("revoked"), Known::Unsure) => *known = Known::Revoked,
            (verdict, _) if verdict == UNAVAILABLE => self.unanswered += 1,
            (verdict, known) => panic!("the verdict on a key that is {known:?} was {verdict:?}"),
        }
    }
}

/// What makes trouble until it is told to end, and how often it did.
#[derive(Clone, Default)]
struct Trouble {
    is_over: Arc<AtomicBool>,
    locked: Arc<AtomicU32>,
    killed: Arc<AtomicU32>,
    altered: Arc<AtomicU32>,
    restarted: Arc<AtomicU32>,
}

impl Trouble {
    fn counts(&self) -> [u32; 4] {
        [&self.locked, &self.killed, &self.altered, &self.restarted].map(|count| count.load(Ordering::Relaxed))
    }

    /// Runs statements of a session that no trouble is made for, again and again.
    async fn make<S: TestSchema>(
        &self,
        fixture: &Fixture<S>,
        made: &Arc<AtomicU32>,
        pause: Duration,
        sql: Vec<String>,
    ) -> impl Future<Output = ()> + Send + 'static {
        // From its first moment under this name, by which those that are killed are told apart.
        let options: PgConnectOptions = fixture.database().as_postgres().url().parse().unwrap();
        let options = options.application_name("trouble").options([("lock_timeout", "300ms")]);
        let (is_over, made) = (Arc::clone(&self.is_over), Arc::clone(made));
        let mut session = PgConnection::connect_with(&options).await.unwrap();
        async move {
            while !is_over.load(Ordering::Relaxed) {
                for sql in &sql {
                    let done = session.execute(sqlx::raw_sql(AssertSqlSafe(sql.clone()))).await;
                    made.fetch_add(u32::from(done.is_ok()), Ordering::Relaxed);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// Ends the trouble with the test, also when that fails.
struct Ending(Arc<AtomicBool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn no_verdict_is_wrong_and_no_connection_lost<S: TestSchema>(fixture: Fixture<S>) {
    let calls = if is_full() { 20_000 } else { 900 };
    let mut pooler = Pooler::start(fixture.database().as_postgres(), 4);
    let pools = [small_pool(&fixture, 2).await, pooler.pool(2).await];
    let mut owners = JoinSet::new();
    let trouble = Trouble::default();
    let ending = Ending(Arc::clone(&trouble.is_over));
    let made = Arc::new(AtomicU32::new(0));
    for task in 0..TASKS {
        let engine = Postgres::new(pools[task as usize % 2].clone()).lock_timeout(LIMIT).read_timeout(LIMIT);
        let name = format!("did:example:owner-{task}");
        fixture.add_owner(&name).await;
        let keys = over(&fixture, engine).await;
        let issued = keys.issue(S::draft(&name)).await.unwrap();
        let mut owner =
            Owner { name, keys, issued: vec![(issued, Known::Live)], random: u64::from(task) + 7, unanswered: 0 };
        let (made, trouble) = (Arc::clone(&made), trouble.clone());
        owners.spawn(async move {
            // On a fast machine the calls would be over before the first trouble.
            while made.fetch_add(1, Ordering::Relaxed) < calls || trouble.counts().contains(&0) {
                owner.call().await;
            }
            owner
        });
    }

    let (table, column) = table::<S>();
    let lock = format!("BEGIN; SELECT FROM {table} ORDER BY random() LIMIT 3 FOR UPDATE");
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name <> 'trouble' ORDER BY random() LIMIT 1";
    let alter = |kind: &str| format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}");
    let pause = Duration::from_millis;
    let mut makers = JoinSet::new();
    makers.spawn(trouble.make(&fixture, &trouble.locked, pause(300), vec![lock, "ROLLBACK".to_owned()]).await);
    makers.spawn(trouble.make(&fixture, &trouble.killed, pause(200), vec![kill.to_owned()]).await);
    makers
        .spawn(trouble.make(&fixture, &trouble.altered, pause(250), vec![alter("varchar(300)"), alter("text")]).await);
    let (is_over, restarted) = (Arc::clone(&trouble.is_over), Arc::clone(&trouble.restarted));
    let restarts = tokio::task::spawn_blocking(move || {
        while !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(900));
            pooler.restart();
            restarted.fetch_add(1, Ordering::Relaxed);
        }
        pooler
    });
    let began = Instant::now();
    let mut owners = owners.join_all().await;
    drop(ending);
    makers.join_all().await;
    let _pooler = restarts.await.unwrap();
    report(&trouble, &owners, began);

    tokio::time::sleep(Duration::from_secs(1)).await;
    calm_again(&pools, &mut owners).await;
    quiet(&mut session(&fixture).await).await;
}

fn report<S: TestSchema>(trouble: &Trouble, owners: &[Owner<S>], began: Instant) {
    let counts = trouble.counts();
    let unanswered: u32 = owners.iter().map(|owner| owner.unanswered).sum();
    println!("{}: {counts:?} troubles, {unanswered} calls without an answer, {:?}", S::NAME, began.elapsed());
}

/// Every verdict is there, at once, and what was acknowledged has happened.
async fn calm_again<S: TestSchema>(pools: &[PgPool], owners: &mut [Owner<S>]) {
    for pool in pools {
        all_connections(pool, 2).await;
    }
    let began = Instant::now();
    for owner in owners {
        owner.unanswered = 0;
        for one in 0..owner.issued.len() {
            let verdict = refusal(&owner.keys, &owner.issued[one].0).await;
            owner.judge(one, verdict);
        }
        assert_eq!(owner.unanswered, 0, "a verdict is missing after the trouble");
    }
    assert!(began.elapsed() < LONG);
}
