//! Meshes, members and users: what has to be there before a key can, and what becomes of keys when it changes or goes.

use std::time::Duration;

use keyward::KeysError;
use keyward::key::{RefusalReason, Revoked, Status};
use keyward::schemas::mesh::{Capability, Mesh, MeshKey};
use keyward::store::{Reference, StoreError};

use super::{HOUR, Meshes, ROW, Row, SECRET, accepted, draft, list, mesh, refused, revocation_at, revoked_at};
use crate::support::{Database, Fixture, START, over};

over![every_database of Mesh:
    a_key_of_a_mesh_that_does_not_exist_is_not_issued,
    a_key_is_issued_by_a_member_of_its_own_mesh_or_not_at_all,
    a_deleted_mesh_takes_its_keys_along,
    a_deleted_owner_takes_the_keys_of_the_mesh_along,
    a_deleted_member_leaves_the_keys_alive_without_an_issuer,
    a_renamed_mesh_and_a_renamed_member_keep_their_keys,
    an_archived_mesh_stops_its_keys_only_where_that_is_asked_for,
    a_revoked_member_stops_its_keys_only_where_that_is_asked_for,
    a_key_is_accepted_again_once_its_issuer_and_its_mesh_are_restored,
    a_strict_verdict_does_not_hide_what_else_is_wrong_with_a_key,
    keys_of_an_archived_mesh_are_listed_and_revoked_as_ever,
    a_key_of_a_mesh_that_is_being_deleted_is_not_issued,
    a_key_of_a_member_who_is_being_deleted_is_not_issued,
    a_deletion_that_is_taken_back_keeps_nobody_from_issuing,
];

#[track_caller]
fn is_missing(error: &KeysError, reference: Reference) {
    assert!(matches!(error, KeysError::Store(StoreError::Missing(missing)) if *missing == reference), "{error:?}");
}

async fn a_key_of_a_mesh_that_does_not_exist_is_not_issued(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    for nowhere in ["nowhere", "Home", "home ", "%"] {
        let key = MeshKey::new(nowhere, "deploy bot", [Capability::Send]).unwrap();
        is_missing(&meshes.keys.issue(key).await.unwrap_err(), Reference::Owner);
    }
    // The mesh comes first: what does not exist has no members either.
    let key = MeshKey::new("nowhere", "deploy bot", [Capability::Send]).unwrap().issued_by("nobody").unwrap();
    is_missing(&meshes.keys.issue(key).await.unwrap_err(), Reference::Owner);
    assert_eq!(meshes.text("SELECT CAST(count(*) AS text) FROM mesh.api_key").await.as_deref(), Some("0"));
}

async fn a_key_is_issued_by_a_member_of_its_own_mesh_or_not_at_all(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    for stranger in ["nobody", "eve", "Ada"] {
        let refused = meshes.keys.issue(draft().issued_by(stranger).unwrap()).await.unwrap_err();
        is_missing(&refused, Reference::Issuer);
    }
    assert_eq!(list(&meshes.keys, "home").await, []);
    let issued = meshes.issue(draft().issued_by("ada").unwrap()).await;
    assert_eq!(list(&meshes.keys, "home").await, [issued.record]);
}

async fn a_deleted_mesh_takes_its_keys_along(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let [home, work] = ["home", "work"].map(|name| MeshKey::new(name, "bot", [Capability::Send]).unwrap());
    let (home, work) = (meshes.issue(home).await, meshes.issue(work).await);
    let secret = home.secret.expose_secret();
    accepted(&meshes.keys, secret).await;
    meshes.run("DELETE FROM mesh.mesh WHERE id = 'home'").await;
    assert_eq!(refused(&meshes.keys, secret).await, RefusalReason::Unknown);
    assert_eq!(meshes.keys.get(&home.record.head.id).await.unwrap(), None);
    assert_eq!(list(&meshes.keys, "home").await, []);
    assert_eq!(meshes.keys.flush_last_used().await.unwrap(), 0, "a use of a key that is gone is no failure");
    assert!(matches!(meshes.keys.revoke(&home.record.head.id, None).await, Err(KeysError::NotFound)));
    accepted(&meshes.keys, work.secret.expose_secret()).await;
}

async fn a_deleted_owner_takes_the_keys_of_the_mesh_along(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let issued = meshes.issue(draft()).await;
    meshes.run("DELETE FROM public.\"user\" WHERE id = 'owner of home'").await;
    assert_eq!(refused(&meshes.keys, issued.secret.expose_secret()).await, RefusalReason::Unknown);
}

async fn a_deleted_member_leaves_the_keys_alive_without_an_issuer(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let issued = meshes.issue(draft().issued_by("ada").unwrap()).await;
    let secret = issued.secret.expose_secret();
    meshes.run("DELETE FROM mesh.member WHERE id = 'ada'").await;
    for keys in [&meshes.keys, &meshes.strict().await] {
        let record = accepted(keys, secret).await;
        assert_eq!((record.head, record.details.issuer), (issued.record.head.clone(), None));
    }
    let rotated = meshes.keys.rotate(&issued.record.head.id, HOUR, None).await.unwrap();
    accepted(&meshes.keys, rotated.successor.secret.expose_secret()).await;
}

async fn a_renamed_mesh_and_a_renamed_member_keep_their_keys(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let issued = meshes.issue(draft().issued_by("ada").unwrap()).await;
    meshes.run("UPDATE mesh.mesh SET id = 'house' WHERE id = 'home'").await;
    meshes.run("UPDATE mesh.member SET id = 'lovelace' WHERE id = 'ada'").await;
    let record = accepted(&meshes.keys, issued.secret.expose_secret()).await;
    assert_eq!(record.head.owner.as_str(), "house");
    assert_eq!(record.details.issuer.unwrap().as_str(), "lovelace");
}

async fn an_archived_mesh_stops_its_keys_only_where_that_is_asked_for(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let strict = meshes.strict().await;
    let work = MeshKey::new("work", "bot", [Capability::Send]).unwrap();
    let (home, work) = (meshes.issue(draft()).await, meshes.issue(work).await);
    let (home, work) = (home.secret.expose_secret(), work.secret.expose_secret());
    accepted(&strict, home).await;
    meshes.run("UPDATE mesh.mesh SET archived_at = '2029-12-31 12:00:00' WHERE id = 'home'").await;
    accepted(&meshes.keys, home).await;
    assert_eq!(refused(&strict, home).await, RefusalReason::TenantDisabled);
    accepted(&strict, work).await;
    meshes.run("UPDATE mesh.mesh SET archived_at = NULL").await;
    accepted(&strict, home).await;
}

async fn a_revoked_member_stops_its_keys_only_where_that_is_asked_for(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let strict = meshes.strict().await;
    let by = async |member: Option<&str>| {
        let key = member.map_or_else(draft, |member| draft().issued_by(member).unwrap());
        meshes.issue(key).await.secret.expose_secret().to_owned()
    };
    let (ada, bob, nobody) = (by(Some("ada")).await, by(Some("bob")).await, by(None).await);
    meshes.run("UPDATE mesh.member SET revoked_at = '2029-12-31 12:00:00' WHERE id = 'ada'").await;
    for secret in [&ada, &bob, &nobody] {
        accepted(&meshes.keys, secret).await;
    }
    assert_eq!(refused(&strict, &ada).await, RefusalReason::TenantDisabled);
    accepted(&strict, &bob).await;
    accepted(&strict, &nobody).await;
}

async fn a_key_is_accepted_again_once_its_issuer_and_its_mesh_are_restored(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let strict = meshes.strict().await;
    let issued = meshes.issue(draft().issued_by("ada").unwrap()).await;
    let secret = issued.secret.expose_secret();
    for (table, column, id) in [("member", "revoked_at", "ada"), ("mesh", "archived_at", "home")] {
        accepted(&strict, secret).await;
        meshes.run(&format!("UPDATE mesh.{table} SET {column} = '2030-01-01 00:00:00' WHERE id = '{id}'")).await;
        assert_eq!(refused(&strict, secret).await, RefusalReason::TenantDisabled);
        meshes.run(&format!("UPDATE mesh.{table} SET {column} = NULL")).await;
    }
    accepted(&strict, secret).await;
}

async fn a_strict_verdict_does_not_hide_what_else_is_wrong_with_a_key(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let strict = meshes.strict().await;
    meshes.run("UPDATE mesh.mesh SET archived_at = '2029-12-31 12:00:00'").await;
    let past = "'2029-12-31 00:00:00'";
    for (row, code) in [
        (Row { revoked_at: past, ..ROW }, "revoked"),
        (Row { capabilities: "'\"admin\"'", ..ROW }, "unusable"),
        (Row { expires_at: past, ..ROW }, "tenant_disabled"),
    ] {
        row.write(&meshes).await;
        assert_eq!(refused(&strict, SECRET).await.code(), code);
        meshes.run("DELETE FROM mesh.api_key").await;
    }
}

async fn keys_of_an_archived_mesh_are_listed_and_revoked_as_ever(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let strict = meshes.strict().await;
    let issued = meshes.issue(draft().issued_by("ada").unwrap()).await;
    let id = &issued.record.head.id;
    meshes.run("UPDATE mesh.mesh SET archived_at = '2029-12-31 12:00:00'").await;
    assert_eq!(list(&meshes.keys, "home").await, std::slice::from_ref(&issued.record));
    let listed = list(&strict, "home").await.remove(0);
    assert_eq!((listed.head.status, listed.details), (Status::TenantDisabled, issued.record.details.clone()));
    let refused = strict.rotate(id, HOUR, None).await.unwrap_err();
    assert!(refused.to_string().contains("what the key belongs to is shut down"), "{refused}");

    let found = strict.resolve(&mesh("home"), &id.as_str()[..8]).await.unwrap();
    assert_eq!(strict.revoke(&found.head.id, None).await.unwrap(), revoked_at(id, START));
    meshes.clock.advance(HOUR);
    assert_eq!(strict.revoke(id, None).await.unwrap(), Revoked::before(id.clone(), revocation_at(START)));
    assert!(matches!(list(&strict, "home").await[0].head.status, Status::Revoked(_)));
    let issued = meshes.issue(draft()).await;
    assert_eq!(strict.revoke_all(&mesh("home"), None).await.unwrap().count, 1);
    meshes.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
}

/// Deletes a row in a transaction of the host, begins to issue `key` while that is open, and ends it.
async fn issue_while(meshes: &Meshes, deletion: &str, end: &'static str, key: MeshKey) -> Result<(), KeysError> {
    let mut host = Host::begin(meshes, deletion).await;
    let keys = meshes.another_process().await;
    let issuing = async { keys.issue(key).await.map(drop) };
    let ending = async {
        host.wait_for_somebody_behind_it().await;
        host.end(end).await;
    };
    tokio::join!(issuing, ending).0
}

async fn a_key_of_a_mesh_that_is_being_deleted_is_not_issued(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let refused = issue_while(&meshes, "DELETE FROM mesh.mesh WHERE id = 'home'", "COMMIT", draft()).await;
    is_missing(&refused.unwrap_err(), Reference::Owner);
}

async fn a_key_of_a_member_who_is_being_deleted_is_not_issued(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let key = draft().issued_by("ada").unwrap();
    let refused = issue_while(&meshes, "DELETE FROM mesh.member WHERE id = 'ada'", "COMMIT", key).await;
    is_missing(&refused.unwrap_err(), Reference::Issuer);
    assert_eq!(list(&meshes.keys, "home").await, []);
}

async fn a_deletion_that_is_taken_back_keeps_nobody_from_issuing(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let key = draft().issued_by("ada").unwrap();
    issue_while(&meshes, "DELETE FROM mesh.mesh WHERE id = 'home'", "ROLLBACK", key).await.unwrap();
    assert_eq!(list(&meshes.keys, "home").await.len(), 1);
}

/// An open transaction of the host.
enum Host {
    #[cfg(feature = "sqlite")]
    Sqlite(rusqlite::Connection),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool, sqlx::pool::PoolConnection<sqlx::Postgres>),
}

#[allow(clippy::unused_async, clippy::allow_attributes, reason = "SQLite has nothing to wait for")]
impl Host {
    async fn begin(meshes: &Meshes, deletion: &str) -> Self {
        let begin = format!("BEGIN; {}", meshes.localised(deletion));
        match meshes.database() {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(database) => {
                let connection = database.connection();
                connection.execute_batch(&begin).unwrap();
                Self::Sqlite(connection)
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(database) => {
                let pool = database.pool().await;
                let mut connection = pool.acquire().await.unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut *connection).await.unwrap();
                Self::Postgres(pool, connection)
            }
        }
    }

    /// PostgreSQL says who waits for a lock. SQLite does not, but then it has one writer only, who sees what was
    /// committed before.
    async fn wait_for_somebody_behind_it(&mut self) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(pool, _) => {
                let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity
                               WHERE datname = current_database() AND wait_event_type = 'Lock')";
                let somebody_waits = async {
                    while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&*pool).await.unwrap() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                };
                tokio::time::timeout(super::PATIENCE, somebody_waits).await.expect("nobody waits for the host");
            }
        }
    }

    async fn end(self, end: &'static str) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => connection.execute_batch(end).unwrap(),
            #[cfg(feature = "postgres")]
            Self::Postgres(_, mut connection) => {
                sqlx::raw_sql(end).execute(&mut *connection).await.unwrap();
            }
        }
    }
}
