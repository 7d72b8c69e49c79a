//! Rows of the schema `scraper` that only PostgreSQL can hold, and sessions in other time zones.

use std::sync::Arc;

use keyward::key::{Reason, RefusalReason, Revocation, Scopes, Status};
use keyward::schemas::scraper::Scraper;
use keyward::{Keys, Postgres, SqlKeyStore, Timestamp};

use super::{Fixture, HOUR, KEY, accepted, draft, get, only_key, refused, write_row};
use crate::support::{START, keys};

async fn keys_in_zone(fixture: &Fixture, zone: &str, seed: u64) -> Keys<Scraper> {
    let pool = fixture.database().as_postgres().pool_in_zone(zone).await;
    let set: String = sqlx::query_scalar("SHOW TimeZone").fetch_one(&pool).await.unwrap();
    assert_eq!(set, zone);
    let store = SqlKeyStore::open(Postgres::new(pool), Scraper::new()).await.unwrap();
    keys(Arc::new(store), &fixture.clock, seed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_at_infinity_never_does() {
    for fixture in [Fixture::postgres().await, Fixture::bare_postgres().await] {
        write_row(&fixture, ", expires_at", ", 'infinity'").await;
        assert_eq!(accepted(&fixture.keys).await.head.expires_at, Some(Timestamp::MAX));
        let id = only_key(&fixture.keys).await.head.id;
        let rotated = fixture.keys.rotate(&id, HOUR, None).await.unwrap();
        let successor =
            format!("SELECT CAST(expires_at AS text) FROM api_keys WHERE id = '{}'", rotated.successor.record.head.id);
        assert_eq!(fixture.database().text(&successor).await.as_deref(), Some("9999-12-31 23:59:59.999999"));
        fixture.clock.advance(HOUR);
        assert_eq!(refused(&fixture.keys).await, RefusalReason::Expired);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_after_the_last_timestamp_is_accepted_and_rotated() {
    for fixture in [Fixture::postgres().await, Fixture::bare_postgres().await] {
        write_row(&fixture, ", expires_at", ", '20000-01-01'").await;
        let id = accepted(&fixture.keys).await.head.id;
        fixture.keys.rotate(&id, HOUR, None).await.unwrap();
        fixture.clock.advance(HOUR);
        assert_eq!(refused(&fixture.keys).await, RefusalReason::Expired);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expired_before_all_time_is_expired() {
    let fixture = Fixture::postgres().await;
    for before in ["-infinity", "4000-01-01 BC"] {
        fixture.database().run("DELETE FROM api_keys").await;
        write_row(&fixture, ", created_at, expires_at", &format!(", '{before}', '{before}'")).await;
        assert_eq!(refused(&fixture.keys).await, RefusalReason::Expired);
        assert_eq!(only_key(&fixture.keys).await.head.created_at, Some(Timestamp::MIN));
    }
}

/// Scopes are an array of any shape to PostgreSQL; those of several dimensions mean nothing here.
#[tokio::test(flavor = "multi_thread")]
async fn scopes_of_two_dimensions_are_refused() {
    let fixture = Fixture::postgres().await;
    write_row(&fixture, ", scopes", ", ARRAY[['jobs:read'], ['admin']]").await;
    assert_eq!(refused(&fixture.keys).await, super::unusable("scopes"));
    assert_eq!(only_key(&fixture.keys).await.details.scopes, Scopes::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn instants_are_stored_and_read_in_utc_whatever_the_sessions_zone() {
    let fixture = Fixture::postgres().await;
    let tokyo = keys_in_zone(&fixture, "Asia/Tokyo", 1).await;
    let issued = tokyo.issue(draft().expires_at(START.saturating_add(4 * HOUR))).await.unwrap();
    let key = issued.secret.expose_secret();
    let id = &issued.record.head.id;
    let read = async |column: &str, table: &str| {
        fixture.database().text(&format!("SELECT {column}::text FROM {table} LIMIT 1")).await.unwrap()
    };
    assert_eq!(read("created_at", "api_keys").await, "2030-01-01 00:00:00.123456");
    assert_eq!(read("expires_at", "api_keys").await, "2030-01-01 04:00:00.123456");

    for keys in [&tokyo, &keys_in_zone(&fixture, "America/St_Johns", 2).await] {
        assert_eq!(**keys.verify(key).await.unwrap().record(), issued.record);
        assert_eq!(get(keys, id).await, issued.record);
        assert_eq!(only_key(keys).await, issued.record);
    }
    assert_eq!(tokyo.flush_last_used().await.unwrap(), 1);
    assert_eq!(read("last_used_at", "api_keys").await, "2030-01-01 00:00:00.123456");

    let rotated = tokyo.rotate(id, HOUR, None).await.unwrap();
    assert_eq!(read("rotated_at", "keyward.rotations").await, "2030-01-01 00:00:00.123456");
    assert_eq!(read("accepted_until", "keyward.rotations").await, "2030-01-01 01:00:00.123456");
    fixture.clock.set(START.saturating_add(HOUR).saturating_sub(std::time::Duration::from_micros(1)));
    fixture.keys.verify(key).await.unwrap();
    fixture.clock.set(START.saturating_add(HOUR));
    assert_eq!(tokyo.verify(key).await.unwrap_err().reason(), RefusalReason::Expired);
    assert_eq!(fixture.keys.verify(key).await.unwrap_err().reason(), RefusalReason::Expired);

    let successor = &rotated.successor.record.head.id;
    let reason = Reason::new("leaked").unwrap();
    tokyo.revoke(successor, Some(reason.clone())).await.unwrap();
    assert_eq!(read("revoked_at", "keyward.revocations").await, "2030-01-01 01:00:00.123456");
    let shown = get(&fixture.keys, successor).await;
    let at = Some(START.saturating_add(HOUR));
    assert_eq!(shown.head.status, Status::Revoked(Revocation::new(at, Some(reason))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expiry_that_the_service_wrote_means_utc_in_every_session() {
    let fixture = Fixture::postgres().await;
    write_row(&fixture, ", expires_at", ", '2030-01-01 00:30:00'").await;
    let tokyo = keys_in_zone(&fixture, "Asia/Tokyo", 1).await;
    accepted(&tokyo).await;
    fixture.clock.set("2030-01-01T00:30:00Z".parse().unwrap());
    assert_eq!(tokyo.verify(KEY).await.unwrap_err().reason(), RefusalReason::Expired);
}
