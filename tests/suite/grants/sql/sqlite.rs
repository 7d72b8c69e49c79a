//! SQLite in trouble: another process writes for a long time.

use std::time::Duration;

use keyward::Sqlite;
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::store::StoreError;
use keyward::store::grants::GrantStore as _;

use super::{CLIENT, digest, grant, issued, migrated, new_code};
use crate::support::Database;

#[tokio::test(flavor = "multi_thread")]
async fn t6_while_another_process_writes_lookups_go_on_and_changes_end_in_time() {
    let database = Database::sqlite();
    let patient = migrated(&database).await;
    issued(&patient, "g", "42").await;
    drop(patient);
    let engine = Sqlite::open(database.as_sqlite().path()).unwrap().lock_timeout(Duration::from_millis(300));
    let store = SqlGrantStore::open(engine, BrokerTables::new()).await.unwrap();
    let other = database.as_sqlite().connection();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE clients SET last_used = 1").unwrap();
    assert!(store.access_token(&digest("access-g")).await.unwrap().is_some());
    let refused = store.add_code(&new_code(grant("h", CLIENT, "42"))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    other.execute_batch("ROLLBACK").unwrap();
    store.add_code(&new_code(grant("h", CLIENT, "42"))).await.unwrap();
}
