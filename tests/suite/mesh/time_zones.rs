//! Columns without a zone hold UTC, whatever zone the host's sessions are in.

#![cfg(feature = "postgres")]

use std::sync::Arc;

use keyward::key::{Reason, RefusalReason, Revocation, Status};
use keyward::schemas::mesh::Mesh;
use keyward::{Keys, Postgres, SqlKeyStore};

use super::{HOUR, Meshes, ROW, Row, SECRET, accepted, draft, list, refused};
use crate::support::{Fixture, START, keys};

/// Keys as a host has them whose sessions are in `zone`.
async fn keys_in_zone(meshes: &Meshes, zone: &str, seed: u64) -> Keys<Mesh> {
    let pool = meshes.database().as_postgres().pool_in_zone(zone).await;
    let set: String = sqlx::query_scalar("SHOW TimeZone").fetch_one(&pool).await.unwrap();
    assert_eq!(set, zone);
    let store = SqlKeyStore::open(Postgres::new(pool), Mesh::new()).await.unwrap();
    keys(Arc::new(store), &meshes.clock, seed)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instant_is_stored_and_read_in_utc() {
    let meshes = Meshes::over(Fixture::postgres().await).await;
    let tokyo = keys_in_zone(&meshes, "Asia/Tokyo", 1).await;
    let issued = tokyo.issue(draft().expires_at(START.saturating_add(4 * HOUR))).await.unwrap();
    let secret = issued.secret.expose_secret();
    let id = &issued.record.head.id;
    let read = async |column: &str, table: &str, id: &str| {
        let id_column = if table == "mesh.api_key" { "id" } else { "key_id" };
        meshes.text(&format!("SELECT {column}::text FROM {table} WHERE {id_column} = '{id}'")).await.unwrap()
    };
    assert_eq!(read("created_at", "mesh.api_key", id.as_str()).await, "2030-01-01 00:00:00.123456");
    assert_eq!(read("expires_at", "mesh.api_key", id.as_str()).await, "2030-01-01 04:00:00.123456");
    for keys in [&tokyo, &keys_in_zone(&meshes, "America/St_Johns", 2).await, &meshes.strict().await] {
        assert_eq!(accepted(keys, secret).await, issued.record);
        assert_eq!(list(keys, "home").await, std::slice::from_ref(&issued.record));
    }
    assert_eq!(tokyo.flush_last_used().await.unwrap(), 1);
    assert_eq!(read("last_used_at", "mesh.api_key", id.as_str()).await, "2030-01-01 00:00:00.123456");

    let rotated = tokyo.rotate(id, HOUR, None).await.unwrap();
    assert_eq!(read("expires_at", "mesh.api_key", id.as_str()).await, "2030-01-01 01:00:00.123456");
    assert_eq!(read("rotated_at", "keyward.rotations", id.as_str()).await, "2030-01-01 00:00:00.123456");
    meshes.clock.advance(HOUR);
    for keys in [&tokyo, &meshes.keys] {
        assert_eq!(refused(keys, secret).await, RefusalReason::Expired);
    }

    let successor = &rotated.successor.record.head.id;
    let reason = Reason::new("leaked").unwrap();
    tokyo.revoke(successor, Some(reason.clone())).await.unwrap();
    assert_eq!(read("revoked_at", "mesh.api_key", successor.as_str()).await, "2030-01-01 01:00:00.123456");
    assert_eq!(read("revoked_at", "keyward.revocations", successor.as_str()).await, "2030-01-01 01:00:00.123456");
    let shown = meshes.keys.get(successor).await.unwrap().unwrap();
    let at = Some(START.saturating_add(HOUR));
    assert_eq!(shown.head.status, Status::Revoked(Revocation::new(at, Some(reason))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_wrote_means_utc_in_every_session() {
    let meshes = Meshes::over(Fixture::postgres().await).await;
    Row { created_at: "'2029-12-31 23:00:00'", expires_at: "'2030-01-01 00:30:00'", ..ROW }.write(&meshes).await;
    let tokyo = keys_in_zone(&meshes, "Asia/Tokyo", 1).await;
    let head = accepted(&tokyo, SECRET).await.head;
    assert_eq!(head.created_at, "2029-12-31T23:00:00Z".parse().ok());
    meshes.clock.set("2030-01-01T00:29:59.999999Z".parse().unwrap());
    accepted(&tokyo, SECRET).await;
    meshes.clock.set("2030-01-01T00:30:00Z".parse().unwrap());
    assert_eq!(refused(&tokyo, SECRET).await, RefusalReason::Expired);
}
