//! What PostgreSQL notes of changes that nobody makes through keyward, and that nothing is missed of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use keyward::Keys;
use keyward::key::{Issued, KeyId};
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::service::CachePolicy;
use keyward::store::{ChangeFeed, Changes, StoreError};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::time::{sleep, timeout};

use super::OWNER;
use super::watched::{Watching, until_cached};
use crate::support::log::Log;
use crate::support::{Fixture, TestSchema, over};

over![on_postgres of Scraper:
    what_plain_sql_changes_is_told,
    last_use_and_new_keys_are_not_told,
    a_transaction_is_told_when_it_commits_however_late,
    without_the_triggers_nothing_is_watched,
    a_host_changes_keys_though_the_notes_are_gone,
    whoever_may_not_read_the_notes_can_still_change_keys,
    killing_the_listener_changes_nothing_but_speed,
    a_watch_that_is_lost_is_said_once_and_found_again,
    notes_of_somebody_else_are_not_relied_on,
];
over![on_postgres of Mesh: what_shuts_keys_down_is_told];
over![on_postgres of Standard: notes_stand_in_the_schema_of_our_own_tables];

const LONG: Duration = Duration::from_secs(20);

async fn feed<S: TestSchema>(fixture: &Fixture<S>) -> Box<dyn ChangeFeed> {
    fixture.watch_for_changes().await;
    fixture.store().watch().await.unwrap()
}

async fn connection<S: TestSchema>(fixture: &Fixture<S>) -> PgConnection {
    PgConnection::connect(&fixture.database().as_postgres().url()).await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: impl Into<String>) {
    connection.execute(AssertSqlSafe(sql.into())).await.unwrap();
}

fn only(issued: &Issued<impl TestSchema>) -> Changes {
    Changes::Keys(vec![issued.record.head.id.clone()])
}

async fn what_plain_sql_changes_is_told(fixture: Fixture<Scraper>) {
    let mut feed = feed(&fixture).await;
    let [one, other] = [fixture.issue(OWNER).await, fixture.issue(OWNER).await];
    let mut sql = connection(&fixture).await;
    assert_eq!(feed.changes().await.unwrap(), Changes::none());
    for change in ["is_active = false", "expires_at = now()", "scopes = '{a}'", "rate_limit_rpm = 0", "client_id = 'x'"]
    {
        run(&mut sql, format!("UPDATE api_keys SET {change} WHERE id = '{}'", one.record.head.id)).await;
        assert_eq!(feed.changes().await.unwrap(), only(&one), "{change}");
        assert_eq!(feed.changes().await.unwrap(), Changes::none(), "{change} is told once");
    }
    run(&mut sql, format!("DELETE FROM api_keys WHERE id = '{}'", other.record.head.id)).await;
    assert_eq!(feed.changes().await.unwrap(), only(&other));
    run(&mut sql, "UPDATE api_keys SET is_active = NULL").await;
    assert_eq!(feed.changes().await.unwrap(), only(&one));
    run(&mut sql, "TRUNCATE api_keys").await;
    assert_eq!(feed.changes().await.unwrap(), Changes::Everything);
}

async fn last_use_and_new_keys_are_not_told(fixture: Fixture<Scraper>) {
    let mut feed = feed(&fixture).await;
    let issued = fixture.issue(OWNER).await;
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(fixture.keys.flush_last_used().await.unwrap(), 1);
    let mut sql = connection(&fixture).await;
    run(&mut sql, "UPDATE api_keys SET is_active = true").await;
    run(&mut sql, "BEGIN; UPDATE api_keys SET is_active = false; ROLLBACK").await;
    assert_eq!(feed.changes().await.unwrap(), Changes::none());
}

/// The older transaction commits after the younger one, and after others were told: transactions are told by what was
/// under way, and not in the order of their numbers.
async fn a_transaction_is_told_when_it_commits_however_late(fixture: Fixture<Scraper>) {
    let mut feed = feed(&fixture).await;
    let keys = [fixture.issue(OWNER).await, fixture.issue(OWNER).await, fixture.issue(OWNER).await];
    let ids = keys.each_ref().map(|issued| issued.record.head.id.clone());
    let update = |id: &KeyId| format!("UPDATE api_keys SET is_active = false WHERE id = '{id}'");
    let (mut old, mut young) = (connection(&fixture).await, connection(&fixture).await);
    run(&mut old, "BEGIN").await;
    run(&mut old, update(&ids[0])).await;
    for id in &ids[1..] {
        run(&mut young, update(id)).await;
        assert_eq!(feed.changes().await.unwrap(), Changes::Keys(vec![id.clone()]));
        assert_eq!(feed.changes().await.unwrap(), Changes::none(), "nothing is told again and again meanwhile");
    }
    run(&mut old, "COMMIT").await;
    assert_eq!(feed.changes().await.unwrap(), Changes::Keys(vec![ids[0].clone()]));
    // The same key again, by a transaction of its own.
    run(&mut young, format!("UPDATE api_keys SET is_active = true WHERE id = '{}'", ids[0])).await;
    assert_eq!(feed.changes().await.unwrap(), Changes::Keys(vec![ids[0].clone()]));
}

async fn without_the_triggers_nothing_is_watched(fixture: Fixture<Scraper>) {
    let keys = Keys::builder_over(Arc::clone(fixture.store())).cache(CachePolicy::new()).build();
    let refused = timeout(LONG, keys.watch(std::future::pending())).await.expect("it says so at once");
    assert!(matches!(refused, Err(StoreError::Unsupported(reason)) if reason.contains("note_changes")), "{refused:?}");

    let mut feed = feed(&fixture).await;
    let mut sql = connection(&fixture).await;
    let alterations = [
        ("ALTER TABLE api_keys DISABLE TRIGGER keyward_updated", "ALTER TABLE api_keys ENABLE TRIGGER keyward_updated"),
        ("DROP TRIGGER keyward_deleted ON api_keys", ""),
        ("DROP TABLE keyward.changes", ""),
    ];
    for (gone, back) in alterations {
        assert_eq!(feed.changes().await.unwrap(), Changes::none());
        run(&mut sql, gone).await;
        assert!(matches!(feed.changes().await, Err(StoreError::Backend { .. })), "{gone}");
        if back.is_empty() {
            fixture.sql().note_changes().await.unwrap();
        } else {
            run(&mut sql, back).await;
        }
        assert_eq!(feed.changes().await.unwrap(), Changes::Everything, "what was changed meanwhile, nobody knows");
    }
}

async fn a_host_changes_keys_though_the_notes_are_gone(fixture: Fixture<Scraper>) {
    fixture.watch_for_changes().await;
    let issued = fixture.issue(OWNER).await;
    let mut sql = connection(&fixture).await;
    run(&mut sql, "DROP TABLE keyward.changes").await;
    run(&mut sql, "UPDATE api_keys SET is_active = false").await;
    fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
    assert!(fixture.keys.verify(issued.secret.expose_secret()).await.is_err());
}

async fn whoever_may_not_read_the_notes_can_still_change_keys(fixture: Fixture<Scraper>) {
    let mut feed = feed(&fixture).await;
    let issued = fixture.issue(OWNER).await;
    let mut sql = connection(&fixture).await;
    // Roles are the whole server's.
    let role: String = issued.record.head.id.as_str().replace('-', "_");
    let role = format!("upstream_{role}");
    run(&mut sql, format!("CREATE ROLE {role}; GRANT SELECT, UPDATE ON api_keys TO {role}; SET ROLE {role}")).await;
    assert!(sql.execute("SELECT FROM keyward.changes").await.is_err());
    run(&mut sql, "UPDATE api_keys SET is_active = false").await;
    assert_eq!(feed.changes().await.unwrap(), only(&issued));
    run(&mut sql, format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

async fn what_shuts_keys_down_is_told(fixture: Fixture<Mesh>) {
    fixture.add_owner(OWNER).await;
    let mut feed = feed(&fixture).await;
    let mut sql = connection(&fixture).await;
    run(&mut sql, "UPDATE mesh.mesh SET archived_at = now()").await;
    assert_eq!(feed.changes().await.unwrap(), Changes::Everything);
    run(&mut sql, "UPDATE mesh.mesh SET archived_at = archived_at").await;
    assert_eq!(feed.changes().await.unwrap(), Changes::none());
}

async fn notes_stand_in_the_schema_of_our_own_tables(fixture: Fixture<Standard>) {
    let mut feed = feed(&fixture).await;
    assert_eq!(fixture.sql().check().await.unwrap(), [], "triggers of ours are none of somebody else's");
    let [one, other] = [fixture.issue(OWNER).await, fixture.issue(OWNER).await];
    fixture.keys.rotate(&one.record.head.id, Duration::ZERO, None).await.unwrap();
    fixture.keys.disable(&other.record.head.id, None).await.unwrap();
    let Changes::Keys(told) = feed.changes().await.unwrap() else { panic!("they are known by their identities") };
    let told: HashSet<_> = told.into_iter().collect();
    assert_eq!(told, HashSet::from([one.record.head.id, other.record.head.id]));
}

/// Its connection is ended again and again, while keys are revoked elsewhere.
async fn killing_the_listener_changes_nothing_but_speed(fixture: Fixture<Scraper>) {
    const BOUND: Duration = Duration::from_millis(800);

    let (log, _listening) = Log::listen();
    fixture.watch_for_changes().await;
    let other = Arc::clone(fixture.another_process().await.store());
    let keys = Keys::builder_over(other).cache(CachePolicy::new().bound(BOUND)).build();
    let watching = Watching::begin(&keys);
    let mut sql = connection(&fixture).await;
    for round in 0..6 {
        let issued = fixture.issue(OWNER).await;
        until_cached(&keys, &issued).await;
        if round % 2 == 0 {
            // Once it listens.
            let ended = async {
                while sql
                    .fetch_all(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()",
                    )
                    .await
                    .unwrap()
                    .is_empty()
                {
                    sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(LONG, ended).await.expect("nobody listens");
        }
        run(&mut sql, format!("UPDATE api_keys SET is_active = false WHERE id = '{}'", issued.record.head.id)).await;
        sleep(BOUND).await;
        assert!(keys.verify(issued.secret.expose_secret()).await.is_err(), "beyond the bound, in round {round}");
    }
    assert!(!log.events().contains(&"cache.out_of_step".to_owned()));
    watching.stop().await;
}

/// On the thread of the test, whose events are read.
async fn a_watch_that_is_lost_is_said_once_and_found_again(fixture: Fixture<Scraper>) {
    const BOUND: Duration = Duration::from_millis(300);

    let (log, _listening) = Log::listen();
    fixture.watch_for_changes().await;
    let keys = Keys::builder_over(Arc::clone(fixture.store())).cache(CachePolicy::new().bound(BOUND)).build();
    let issued = fixture.issue(OWNER).await;
    let mut sql = connection(&fixture).await;
    let lost_and_found = async {
        until_cached(&keys, &issued).await;
        assert!(!log.text().contains("cache."));
        run(&mut sql, "DROP TABLE keyward.changes").await;
        sleep(BOUND * 3).await;
        assert!(keys.verify(issued.secret.expose_secret()).await.unwrap().evidence().is_fresh(), "nobody watches");
        assert_eq!(log.events(), ["cache.out_of_step"]);
        fixture.sql().note_changes().await.unwrap();
        until_cached(&keys, &issued).await;
        assert_eq!(log.events(), ["cache.in_step"]);
    };
    tokio::select! {
        ended = keys.watch(std::future::pending()) => panic!("the watch has ended: {ended:?}"),
        () = async { timeout(LONG, lost_and_found).await.expect("it is never found again") } => {}
    }
}

async fn notes_of_somebody_else_are_not_relied_on(fixture: Fixture<Scraper>) {
    fixture.watch_for_changes().await;
    let mut sql = connection(&fixture).await;
    let role: String = fixture.issue(OWNER).await.record.head.id.as_str().replace('-', "_");
    let role = format!("neighbour_{role}");
    run(&mut sql, format!("CREATE ROLE {role}; ALTER TABLE keyward.changes OWNER TO {role}")).await;
    let refused = fixture.store().watch().await;
    assert!(matches!(refused, Err(StoreError::Unfit(_))), "{refused:?}");
    run(&mut sql, format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
