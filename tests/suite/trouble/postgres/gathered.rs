//! Verifications that are looked up together: each has its own answer, and none waits for another that was given up.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use keyward::key::Issued;
use keyward::schemas::scraper::Scraper;
use keyward::{Keys, Postgres, SqlKeyStore};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{LONG, UNAVAILABLE, all_connections, count, over, quiet, refusal, run, session, small_pool, table};
use crate::support::concurrency::{Abandon, abandon};
use crate::support::postgres::Pooler;
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![
    on_postgres:
    each_of_many_has_the_answer_for_its_own_key,
    who_gives_up_keeps_no_other_from_its_answer,
    a_locked_or_changed_table_and_a_killed_session_change_no_verdict,
    who_is_given_the_turn_and_does_not_take_it_holds_nobody_up,
    behind_a_pooler_each_is_looked_up_by_itself,
];

/// A limit that a test waits for, and sixteen reads on a busy machine keep.
const LIMIT: Duration = Duration::from_secs(3);

/// All sessions but the one that asks.
const SESSIONS: &str = "
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";

async fn gathering<S: TestSchema>(fixture: &Fixture<S>, pool: &PgPool, readers: u8, limit: Duration) -> Keys<S> {
    let engine = Postgres::new(pool.clone()).lock_timeout(limit).read_timeout(limit).gathered_readers(readers);
    over(fixture, engine).await
}

async fn issued<S: TestSchema>(fixture: &Fixture<S>, many: usize) -> Arc<Vec<Issued<S>>> {
    let mut issued = Vec::new();
    for number in 0..many {
        let owner = format!("did:example:owner-{number}");
        fixture.add_owner(&owner).await;
        issued.push(fixture.issue(&owner).await);
    }
    Arc::new(issued)
}

/// What is refused of 64 keys that are presented at once, of which half are live, a quarter revoked, and a quarter unknown.
async fn each_of_many_has_the_answer_for_its_own_key<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issued(&fixture, 24).await;
    let pool = small_pool(&fixture, 3).await;
    let mut shell = session(&fixture).await;
    let others = count(&mut shell, SESSIONS).await - i64::from(pool.size());
    let keys = gathering(&fixture, &pool, 2, LONG).await;
    for one in &issued[..8] {
        keys.revoke(&one.record.head.id, None).await.unwrap();
    }
    for _ in 0..5 {
        let mut callers = JoinSet::new();
        for caller in 0..128_usize {
            let (keys, issued) = (keys.clone(), Arc::clone(&issued));
            callers.spawn(async move {
                let Some(one) = issued.get(caller % 32) else {
                    // One that nobody has issued, in the same form.
                    let unknown = keys.format().generate(&mut rand::rngs::SysRng).unwrap();
                    let refusal = keys.verify(unknown.expose_secret()).await.unwrap_err();
                    assert_eq!(refusal.reason().code(), "unknown");
                    return;
                };
                let verdict = keys.verify(one.secret.expose_secret()).await;
                match verdict {
                    Ok(accepted) => {
                        assert!(caller % 32 >= 8, "a revoked key is accepted");
                        assert_eq!(accepted.head().id, one.record.head.id);
                    }
                    Err(refusal) => {
                        assert!(caller % 32 < 8, "{refusal:?}");
                        assert_eq!(refusal.reason().code(), "revoked");
                        assert_eq!(refusal.key_id(), Some(&one.record.head.id));
                    }
                }
            });
        }
        callers.join_all().await;
    }
    // A revocation takes effect on the next call, whoever makes it.
    for one in &issued[8..] {
        keys.revoke(&one.record.head.id, None).await.unwrap();
        assert_eq!(refusal(&keys, one).await, Some("revoked"));
    }
    let mut kept = 0;
    for _ in 0..100 {
        kept = count(&mut shell, SESSIONS).await - others - i64::from(pool.size());
        if (1..=2).contains(&kept) {
            break;
        }
        // The one that found out whose sessions these are may still be on its way out.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((1..=2).contains(&kept), "{kept} sessions");
    // They are beside the pool, which has all of its own to give, and can be closed while they are there.
    all_connections(&pool, 3).await;
    tokio::time::timeout(LONG, pool.close()).await.expect("the pool waits for a connection that is not its own");
    assert_eq!(refusal(&keys, &issued[0]).await, UNAVAILABLE);
}

/// Whoever looks up for the others may be given up at each point where it waits, and so may whoever waits.
async fn who_gives_up_keeps_no_other_from_its_answer<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issued(&fixture, 8).await;
    let pool = small_pool(&fixture, 2).await;
    let keys = gathering(&fixture, &pool, 1, LONG).await;
    for polls in 1..10 {
        for when in Abandon::at(polls) {
            let mut callers = JoinSet::new();
            for caller in 0..24_usize {
                let (keys, issued) = (keys.clone(), Arc::clone(&issued));
                callers.spawn(async move {
                    let verify = refusal(&keys, &issued[caller % 8]);
                    if caller % 3 == 0 { abandon(verify, when).await } else { Some(verify.await) }
                });
            }
            let verdicts = callers.join_all().await;
            assert!(verdicts.iter().flatten().all(Option::is_none), "{when:?}: {verdicts:?}");
        }
    }
    // Until nothing is made with caution any more.
    for _ in 0..100 {
        assert_eq!(refusal(&keys, &issued[0]).await, None);
    }
    all_connections(&pool, 2).await;
    quiet(&mut session(&fixture).await).await;
    // The reader was lost with none of them: it needs no connection of the pool.
    let _all = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    assert_eq!(refusal(&keys, &issued[0]).await, None);
}

async fn a_locked_or_changed_table_and_a_killed_session_change_no_verdict<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issued(&fixture, 8).await;
    let pool = small_pool(&fixture, 3).await;
    let keys = gathering(&fixture, &pool, 2, LIMIT).await;
    let mut shell = session(&fixture).await;
    let (table, column) = table::<S>();
    let all = async || {
        let mut callers = JoinSet::new();
        for caller in 0..16_usize {
            let (keys, issued) = (keys.clone(), Arc::clone(&issued));
            callers.spawn(async move { refusal(&keys, &issued[caller % 8]).await });
        }
        let verdicts = callers.join_all().await;
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
        verdicts[0]
    };
    assert_eq!(all().await, None);

    run(&mut shell, format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).await;
    let began = Instant::now();
    assert_eq!(all().await, UNAVAILABLE);
    assert!(began.elapsed() < LIMIT * 3, "each waits once, and not for each of the others: {:?}", began.elapsed());
    run(&mut shell, "ROLLBACK").await;
    // Until the reads go well again, they are made with caution and each by itself.
    for _ in 0..8 {
        assert_eq!(all().await, None);
    }
    for kind in ["varchar(300)", "text"] {
        run(&mut shell, format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}")).await;
        assert_eq!(all().await, None);
    }
    for _ in 0..3 {
        run(
            &mut shell,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
        assert_eq!(all().await, None);
    }
    quiet(&mut shell).await;
}

/// Lookups of two keys, of which the first has the reader and the second waits for it.
async fn two_begun<'k, S: TestSchema>(keys: &'k Keys<S>, issued: &'k [Issued<S>]) -> [Verdict<'k>; 2] {
    loop {
        let mut both = [0, 1].map(|one: usize| -> Verdict<'k> { Box::pin(refusal(keys, &issued[one])) });
        let mut is_begun = true;
        for verify in &mut both {
            is_begun &= abandon(verify.as_mut(), Abandon::After(1)).await.is_none();
        }
        // A server that is fast enough answers before anybody looks.
        if is_begun {
            return both;
        }
    }
}

type Verdict<'k> = Pin<Box<dyn Future<Output = Option<&'static str>> + Send + 'k>>;

/// Such as an arm of a `select!` that is not polled any more.
async fn who_is_given_the_turn_and_does_not_take_it_holds_nobody_up<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issued(&fixture, 3).await;
    let keys = gathering(&fixture, &small_pool(&fixture, 2).await, 1, LIMIT).await;
    assert_eq!(refusal(&keys, &issued[0]).await, None);
    let [first, second] = two_begun(&keys, &issued).await;
    assert_eq!(first.await, None);
    // The second one has its answer, or the turn, and does not come for it.
    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!(refusal(&keys, &issued[2]).await, None);
    }
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    assert_eq!(second.await, None);
}

/// How many connections the pooler's clients have made.
fn connections_made(log: &str) -> usize {
    log.matches("login attempt").count()
}

/// Also where side tables were made while it waited, and the table alone says that a revoked key is good.
#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_is_made_by_what_is_known_when_its_turn_has_come() {
    let fixture = Fixture::<Scraper>::bare_postgres().await;
    let issued = issued(&fixture, 2).await;
    let engine = Postgres::new(small_pool(&fixture, 3).await).gathered_readers(1);
    let store = SqlKeyStore::open(engine, Scraper::schema()).await.unwrap();
    let keys = crate::support::keys(Arc::new(store.clone()), &fixture.clock, 1 << 40);
    assert_eq!(refusal(&keys, &issued[0]).await, None);
    let [first, second] = two_begun(&keys, &issued).await;
    store.migrate(keys.now()).await.unwrap();
    keys.revoke(&issued[1].record.head.id, None).await.unwrap();
    run(&mut session(&fixture).await, "UPDATE api_keys SET is_active = true").await;
    assert_eq!(first.await, None);
    assert_eq!(second.await, Some("revoked"));
}

async fn behind_a_pooler_each_is_looked_up_by_itself<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issued(&fixture, 4).await;
    let pooler = Pooler::start(fixture.database().as_postgres(), 3);
    let keys = gathering(&fixture, &pooler.pool(3).await, 2, LONG).await;
    let mut callers = JoinSet::new();
    for caller in 0..32_usize {
        let (keys, issued) = (keys.clone(), Arc::clone(&issued));
        callers.spawn(async move { refusal(&keys, &issued[caller % 4]).await });
    }
    assert!(callers.join_all().await.iter().all(Option::is_none));
    let before = connections_made(&pooler.log());
    for one in issued.iter().cycle().take(40) {
        assert_eq!(refusal(&keys, one).await, None);
    }
    assert_eq!(connections_made(&pooler.log()), before, "no connection is made to find out once more");
    let named = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%LATERAL%'";
    let mut through = pooler.pool(1).await.acquire().await.unwrap().detach();
    let found = sqlx::raw_sql(AssertSqlSafe(named)).fetch_one(&mut through).await.unwrap();
    assert_eq!(super::pooler::row_count(&found), 0);
}
