//! The schema `mesh`: the rows that the service itself writes and reads, the tables that its keys stand beside, and
//! what is promised beyond what the service itself does.

// Always so; clippy then lets what only helps tests panic as they do.
#![cfg(test)]

mod last_use;
mod odd_rows;
mod parents;
mod permissions;
mod revoking;
mod rows;
mod time_zones;
mod verdicts;

use std::sync::Arc;
use std::time::Duration;

use keyward::key::{Issued, KeyId, KeyRecord, OwnerId, RefusalReason, Revocation, Revoked};
use keyward::schemas::mesh::{Capability, Mesh, MeshKey};
use keyward::{Keys, ManualClock, Timestamp};

use crate::support::{Database, Fixture};

const HOUR: Duration = Duration::from_hours(1);

/// After which a test that waits for something has failed, on however slow a machine.
const PATIENCE: Duration = Duration::from_mins(1);

type Record = KeyRecord<Mesh>;

/// The mesh `home` with the members `ada` and `bob`, the mesh `work` with the member `eve`, and keys over them.
struct Meshes {
    keys: Keys<Mesh>,
    clock: Arc<ManualClock>,
    fixture: Fixture<Mesh>,
}

impl Meshes {
    async fn over(fixture: Fixture<Mesh>) -> Self {
        fixture.add_owner("home").await;
        fixture.add_owner("work").await;
        let meshes = Self { keys: fixture.keys.clone(), clock: Arc::clone(&fixture.clock), fixture };
        if meshes.fixture.has_database() {
            meshes
                .run(
                    "INSERT INTO mesh.member (id, mesh_id, peer_pubkey, display_name) VALUES
                         ('ada', 'home', 'pub', 'Ada'), ('bob', 'home', 'pub', 'Bob'), ('eve', 'work', 'pub', 'Eve')",
                )
                .await;
        }
        meshes
    }

    /// Keys over the same tables whose verdict also depends on the mesh and on the issuer.
    async fn strict(&self) -> Keys<Mesh> {
        self.fixture.another_process_with(Mesh::new().strict()).await
    }

    /// Keys as another process has them.
    async fn another_process(&self) -> Keys<Mesh> {
        self.fixture.another_process().await
    }

    fn database(&self) -> &Database {
        self.fixture.database()
    }

    /// Runs SQL as the host does, in PostgreSQL's words.
    async fn run(&self, sql: &str) {
        self.database().run(&self.localised(sql)).await;
    }

    /// The only text that a query returns.
    async fn text(&self, sql: &str) -> Option<String> {
        self.database().text(&self.localised(sql)).await
    }

    /// On SQLite a name with a schema is a plain one.
    fn localised(&self, sql: &str) -> String {
        if self.database().is_postgres() { sql.to_owned() } else { sql.replace("mesh.", "").replace("public.", "") }
    }

    async fn issue(&self, key: MeshKey) -> Issued<Mesh> {
        self.keys.issue(key).await.unwrap()
    }
}

/// A key of the mesh `home` that may send, everywhere.
fn draft() -> MeshKey {
    MeshKey::new("home", "deploy bot", [Capability::Send]).unwrap()
}

fn mesh(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

/// All keys of a mesh, newest first.
async fn list(keys: &Keys<Mesh>, name: &str) -> Vec<Record> {
    keys.of(&mesh(name)).list(1000, None).await.unwrap().keys
}

async fn accepted(keys: &Keys<Mesh>, secret: &str) -> Record {
    keys.verify(secret).await.unwrap().record().as_ref().clone()
}

async fn refused(keys: &Keys<Mesh>, secret: &str) -> RefusalReason {
    keys.verify(secret).await.unwrap_err().reason()
}

/// A revocation at `at`, without a reason.
fn revocation_at(at: Timestamp) -> Revocation {
    Revocation::new(Some(at), None)
}

/// What is reported of a key that was revoked just now, without a reason.
fn revoked_at(id: &KeyId, at: Timestamp) -> Revoked {
    Revoked::now(id.clone(), revocation_at(at))
}

/// What another program computes of a key.
fn sha256(secret: &str) -> String {
    use sha2::{Digest as _, Sha256};

    hex::encode(Sha256::digest(secret))
}

/// A row as the service itself writes it. What can be NULL or JSON is written as in SQL.
#[derive(Clone, Copy)]
struct Row<'r> {
    id: &'r str,
    mesh: &'r str,
    secret: &'r str,
    capabilities: &'r str,
    topics: &'r str,
    issuer: &'r str,
    created_at: &'r str,
    revoked_at: &'r str,
    expires_at: &'r str,
}

/// `cm_` and the bytes 0 to 31 in base64url.
const SECRET: &str = "cm_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

const ROW: Row<'static> = Row {
    id: "abcdefghijklmnopqrstuvwxyz012345",
    mesh: "home",
    secret: SECRET,
    capabilities: "'[\"send\", \"read\"]'",
    topics: "NULL",
    issuer: "NULL",
    created_at: "'2029-12-01 08:00:00.25'",
    revoked_at: "NULL",
    expires_at: "NULL",
};

impl Row<'_> {
    async fn write(&self, meshes: &Meshes) {
        let Self { id, mesh, secret, capabilities, topics, issuer, created_at, revoked_at, expires_at } = self;
        let (hash, prefix) = (sha256(secret), &secret[..11]);
        meshes
            .run(&format!(
                "INSERT INTO mesh.api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                                           issued_by_member_id, created_at, revoked_at, expires_at)
                 VALUES ('{id}', '{mesh}', 'by hand', '{hash}', '{prefix}', {capabilities}, {topics},
                         {issuer}, {created_at}, {revoked_at}, {expires_at})"
            ))
            .await;
    }
}
