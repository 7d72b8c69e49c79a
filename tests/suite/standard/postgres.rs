//! Keys of the schema `standard` in PostgreSQL sessions of another time zone.

use std::sync::Arc;

use keyward::key::{Disabling, Revocation, Status};
use keyward::schemas::standard::Standard;
use keyward::store::KeyFilter;
use keyward::{Keys, Postgres, SqlKeyStore, Timestamp};

use super::{Fixture, HOUR, get, named, reason, verdict};
use crate::support::{START, keys};

async fn keys_in_zone(fixture: &Fixture, zone: &str) -> Keys<Standard> {
    let pool = fixture.database().as_postgres().pool_in_zone(zone).await;
    let set: String = sqlx::query_scalar("SHOW TimeZone").fetch_one(&pool).await.unwrap();
    assert_eq!(set, zone);
    let store = SqlKeyStore::open(Postgres::new(pool), Standard::new("acme").unwrap()).await.unwrap();
    keys(Arc::new(store), &fixture.clock, 4711)
}

#[tokio::test(flavor = "multi_thread")]
async fn instants_are_stored_and_read_in_utc_whatever_the_sessions_zone() {
    let fixture = Fixture::postgres().await;
    let new_york = keys_in_zone(&fixture, "America/New_York").await;
    let issued = new_york.issue(named("import").expires_at(START.saturating_add(9 * HOUR))).await.unwrap();
    let id = &issued.record.head.id;
    let read = async |column: &str, table: &str| {
        let query = format!("SELECT {column}::text FROM keyward.{table} ORDER BY 1 DESC LIMIT 1");
        fixture.database().text(&query).await.unwrap()
    };
    assert_eq!(read("created_at", "keys").await, "2030-01-01 00:00:00.123456");
    assert_eq!(read("expires_at", "keys").await, "2030-01-01 09:00:00.123456");
    assert_eq!(read("at", "key_history").await, "2030-01-01 00:00:00.123456");
    assert_eq!(read("applied_at", "migrations").await, "2030-01-01 00:00:00.123456");
    for keys in [&new_york, &fixture.keys] {
        assert_eq!(verdict(keys, &issued).await, "accepted");
        assert_eq!(get(keys, id).await, issued.record);
    }
    assert_eq!(new_york.flush_last_used().await.unwrap(), 1);
    assert_eq!(read("used_at", "key_uses").await, "2030-01-01 00:00:00.123456");

    fixture.clock.advance(HOUR);
    let at: Option<Timestamp> = Some(START.saturating_add(HOUR));
    new_york.disable(id, Some(reason("unpaid"))).await.unwrap();
    assert_eq!(read("disabled_at", "keys").await, "2030-01-01 01:00:00.123456");
    assert_eq!(read("at", "key_history").await, "2030-01-01 01:00:00.123456");
    let disabled = Status::Disabled(Disabling::new(at, Some(reason("unpaid"))));
    assert_eq!(get(&fixture.keys, id).await.head.status, disabled);
    new_york.enable(id, None).await.unwrap();

    let rotated = new_york.rotate(id, HOUR, None).await.unwrap();
    let expiries = "SELECT string_agg(expires_at::text, ' ' ORDER BY expires_at) FROM keyward.keys";
    assert_eq!(
        fixture.database().text(expiries).await.as_deref(),
        Some("2030-01-01 02:00:00.123456 2030-01-01 09:00:00.123456")
    );
    let soon = KeyFilter::new().expiring_before(START.saturating_add(3 * HOUR));
    assert_eq!(new_york.count(soon).await.unwrap(), 1);
    let unused = KeyFilter::new().unused_since(START.saturating_add(HOUR));
    assert_eq!(new_york.count(unused).await.unwrap(), 2);
    fixture.clock.advance(HOUR);
    for keys in [&new_york, &fixture.keys] {
        assert_eq!(verdict(keys, &issued).await, "expired");
        assert_eq!(verdict(keys, &rotated.successor).await, "accepted");
    }

    let successor = &rotated.successor.record.head.id;
    new_york.revoke(successor, Some(reason("leaked"))).await.unwrap();
    assert_eq!(read("coalesce(revoked_at, '-infinity')", "keys").await, "2030-01-01 02:00:00.123456");
    let at = Some(START.saturating_add(2 * HOUR));
    let revoked = Status::Revoked(Revocation::new(at, Some(reason("leaked"))));
    assert_eq!(get(&fixture.keys, successor).await.head.status, revoked);
    // The one died at two hours past the start, and so did the other.
    fixture.clock.set(START.saturating_add(3 * HOUR));
    assert_eq!(new_york.purge(HOUR, 10).await.unwrap(), 0);
    fixture.clock.advance(HOUR);
    assert_eq!(new_york.purge(HOUR, 10).await.unwrap(), 2);
}
