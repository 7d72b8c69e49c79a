//! System B: the rows that the system itself writes and reads, the tables that its keys stand beside, and the faults of
//! the system that keyward mends.

// Always so; it tells clippy that what only helps tests may panic as they do.
#![cfg(test)]

mod faults;
mod odd_rows;
mod parents;
mod revoking;
mod rows;
mod time_zones;

use std::sync::Arc;
use std::time::Duration;

use keyward::key::{Issued, KeyRecord, OwnerId, Profile, RefusalReason};
use keyward::mesh::{Capability, Mesh, MeshDetails, MeshKey, StrictMesh};
use keyward::store::DynKeyStore;
use keyward::{Keys, ManualClock, SeededRandom};

use crate::support::systems::{Setting, is_postgres};
use crate::support::{Database, START};

const HOUR: Duration = Duration::from_hours(1);

/// After which a test that waits for something has failed, on however slow a machine.
const PATIENCE: Duration = Duration::from_mins(1);

type Store = Arc<DynKeyStore<MeshDetails>>;
type Record = KeyRecord<MeshDetails>;

/// The mesh `home` with the members `ada` and `bob`, the mesh `work` with the member `eve`, and keys over them.
struct Meshes {
    keys: Keys<Store>,
    clock: Arc<ManualClock>,
    setting: Setting<Mesh>,
}

impl Meshes {
    async fn over(setting: Setting<Mesh>) -> Self {
        setting.add_owner("home").await;
        setting.add_owner("work").await;
        let clock = Arc::new(ManualClock::new(START));
        let keys = keys(Mesh, Arc::clone(&setting.store), &clock, 0);
        let meshes = Self { keys, clock, setting };
        if meshes.setting.database.is_some() {
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
    async fn strict(&self) -> Keys<Store> {
        keys(StrictMesh, self.setting.another_process::<StrictMesh>().await, &self.clock, 1)
    }

    /// Keys as another process has them.
    async fn another_process(&self) -> Keys<Store> {
        keys(Mesh, self.setting.another_process::<Mesh>().await, &self.clock, 2)
    }

    fn database(&self) -> &Database {
        self.setting.database()
    }

    /// Runs SQL as the host does, in PostgreSQL's words.
    async fn run(&self, sql: &str) {
        self.database().run(&self.localised(sql)).await;
    }

    /// The one text that a query brings.
    async fn text(&self, sql: &str) -> Option<String> {
        self.database().text(&self.localised(sql)).await
    }

    /// On SQLite a name with a schema is a plain one.
    fn localised(&self, sql: &str) -> String {
        if is_postgres(self.database()) { sql.to_owned() } else { sql.replace("mesh.", "").replace("public.", "") }
    }

    async fn issue(&self, key: MeshKey) -> Issued<MeshDetails> {
        self.keys.issue(key.into()).await.unwrap()
    }
}

fn keys<P: Profile<Details = MeshDetails>>(
    profile: P,
    store: Store,
    clock: &Arc<ManualClock>,
    seed: u64,
) -> Keys<Store> {
    let clock = Arc::<ManualClock>::clone(clock);
    Keys::builder(profile, store).shared_clock(clock).random(SeededRandom::new(seed)).build()
}

/// A key of the mesh `home` that may send, everywhere.
fn draft() -> MeshKey {
    MeshKey::new("home", "deploy bot", [Capability::Send]).unwrap()
}

fn mesh(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

/// All keys of a mesh, newest first.
async fn list(keys: &Keys<Store>, name: &str) -> Vec<Record> {
    keys.list(&mesh(name), 1000, None).await.unwrap().keys
}

async fn accepted(keys: &Keys<Store>, secret: &str) -> Record {
    keys.verify(secret).await.unwrap().into_record()
}

async fn refused(keys: &Keys<Store>, secret: &str) -> RefusalReason {
    keys.verify(secret).await.unwrap_err().reason()
}

/// What another program computes of a key.
fn sha256(secret: &str) -> String {
    use sha2::{Digest as _, Sha256};

    hex::encode(Sha256::digest(secret))
}

/// A row as the system itself writes it. What can be NULL or JSON is written as in SQL.
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
