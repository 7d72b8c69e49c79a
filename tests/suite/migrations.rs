//! Making the tables, once in all processes together, adding what a host's own tables lack, and naming in what they
//! differ.

mod adoption;
mod bare;
mod check;
#[cfg(feature = "postgres")]
mod check_postgres;
mod once;
#[cfg(feature = "postgres")]
mod own_schema;
mod recorded;
#[cfg(feature = "postgres")]
mod rights;
mod together;

use std::time::Duration;

use keyward::SqlKeyStore;
use keyward::key::{KeyChange, RefusalReason};
use keyward::sql::{MigrateError, SqlSchema};

use crate::support::{Database, START, TestSchema, keys};
use std::sync::Arc;

/// The names of all migrations of a schema.
fn all<S: SqlSchema>() -> Vec<&'static str> {
    S::migrations().iter().map(keyward::sql::Migration::name).collect()
}

/// Migrates, and names what was applied.
async fn migrate<S: SqlSchema>(store: &SqlKeyStore<S>) -> Result<Vec<&'static str>, MigrateError> {
    Ok(store.migrate(START).await?.into_iter().map(|applied| applied.name).collect())
}

/// Every difference in one line each.
async fn differences<S: SqlSchema>(store: &SqlKeyStore<S>) -> Vec<String> {
    store.check().await.unwrap().iter().map(ToString::to_string).collect()
}

/// The columns of a table, in their order.
async fn columns(database: &Database, table: &str) -> String {
    let columns = database.dialect(
        "SELECT string_agg(column_name, ' ' ORDER BY ordinal_position) FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name = ",
        "SELECT group_concat(name, ' ') FROM pragma_table_info WHERE arg = ",
    );
    database.text(&format!("{columns}'{table}'")).await.unwrap_or_default()
}

/// The whole life of a key: every statement of the schema runs.
pub(crate) async fn assert_a_key_lives<S: TestSchema>(store: &SqlKeyStore<S>, owner: &str) {
    const DAY: Duration = Duration::from_hours(24);

    let clock = Arc::new(keyward::ManualClock::new(START));
    let keys = keys(Arc::new(store.clone()), &clock, 7);
    let abilities = keys.store().abilities();
    let issued = keys.issue(S::draft(owner)).await.unwrap();
    let (id, owner) = (&issued.record.head.id, &issued.record.head.owner);
    keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(keys.flush_last_used().await.unwrap(), 1);
    assert_eq!(keys.get(id).await.unwrap().unwrap().head.last_used_at, Some(START));
    assert_eq!(keys.of(owner).list(10, None).await.unwrap().keys.len(), 1);
    assert_eq!(keys.resolve(owner, &issued.secret.expose_secret()[..8]).await.unwrap().head.id, *id);
    if abilities.changes {
        let disabled = keys.disable(id, None).await.unwrap();
        assert_eq!(disabled.key.head.version, 2);
        let enable = KeyChange::enable(&disabled.key, None, None, START).unwrap().unwrap();
        keys.store().change(&enable).await.unwrap();
        assert_eq!(keys.history(id).await.unwrap().len(), 3);
        assert_eq!(keys.of(owner).count(keyward::store::KeyFilter::new()).await.unwrap(), 1);
        assert_eq!(keys.count(keyward::store::KeyFilter::new()).await.unwrap(), 1);
        assert_eq!(keys.list(keyward::store::KeyFilter::new(), 5, None).await.unwrap().keys.len(), 1);
    }
    let rotated = keys.rotate(id, Duration::ZERO, None).await.unwrap();
    keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    let successor = rotated.successor;
    assert!(!keys.revoke(&successor.record.head.id, None).await.unwrap().already);
    let refusal = keys.verify(successor.secret.expose_secret()).await.unwrap_err();
    // A flag alone does not tell one from the other.
    let reason = if abilities.revocation_time { RefusalReason::Revoked } else { RefusalReason::Disabled };
    assert_eq!(refusal.reason(), reason);
    assert_eq!(keys.revoke_all(owner, None).await.unwrap().owner, *owner);
    if abilities.purge {
        clock.advance(DAY);
        assert_eq!(keys.purge(Duration::from_hours(1), 10).await.unwrap(), 2);
    }
}
