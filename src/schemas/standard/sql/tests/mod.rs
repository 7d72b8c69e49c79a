//! The schema on each engine, beside the reference in memory: what they do must be the same.
//!
//! PostgreSQL takes part where `KEYWARD_TEST_POSTGRES_URL` names a server.

mod changes;
mod rows;
mod search;

use std::sync::Arc;

use crate::key::{Environment, Issued, KeyId, KeyRecord, OwnerId, Reason};
use crate::schemas::standard::{Standard, StandardKey};
use crate::sql::{Engine, SqlKeyStore};
use crate::store::{KeyStore, MemoryKeyStore};
use crate::{Keys, ManualClock, Timestamp};

type Store = Arc<dyn KeyStore<Schema = Standard>>;

/// Keys over one store, and the clock that they take the time from.
struct Subject {
    keys: Keys<Standard>,
    clock: Arc<ManualClock>,
}

impl Subject {
    fn new(store: Store) -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        let keys = Keys::builder_over(store).shared_clock(clock.clone()).build();
        Self { keys, clock }
    }

    /// Issues a key and moves the clock on by a second.
    async fn issue(&self, key: StandardKey) -> Issued<Standard> {
        let issued = self.keys.issue(key).await.unwrap();
        self.tick();
        issued
    }

    fn tick(&self) {
        self.clock.advance(std::time::Duration::from_secs(1));
    }

    async fn get(&self, id: &KeyId) -> KeyRecord<Standard> {
        self.keys.get(id).await.unwrap().unwrap()
    }

    /// Whether the key is accepted, or the code of the reason why not.
    async fn verdict(&self, issued: &Issued<Standard>) -> &'static str {
        match self.keys.verify(issued.secret.expose_secret()).await {
            Ok(_) => "accepted",
            Err(refusal) => refusal.reason().code(),
        }
    }
}

fn start() -> Timestamp {
    "2030-01-02T03:04:05.000006Z".parse().unwrap()
}

fn named(name: &str) -> StandardKey {
    StandardKey::new("customer", name).unwrap()
}

fn owner(owner: &str) -> OwnerId {
    OwnerId::new(owner).unwrap()
}

fn reason(reason: &str) -> Reason {
    Reason::new(reason).unwrap()
}

/// Runs `test` in memory, on a SQLite file, and on a PostgreSQL database of its own.
async fn on_each<F: Future<Output = ()> + Send>(test: impl Fn(Subject) -> F + Send + Sync) {
    let schema = Standard::new("acme").unwrap();
    test(Subject::new(Arc::new(MemoryKeyStore::new(schema)))).await;
    on_engines(|store| test(Subject::new(Arc::new(store)))).await;
}

/// As [`on_each`], without the memory.
async fn on_engines<F: Future<Output = ()> + Send>(test: impl Fn(SqlKeyStore<Standard>) -> F + Send + Sync) {
    #[cfg(feature = "sqlite")]
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.db");
        test(migrated(&format!("sqlite:{}?mode=rwc", path.display())).await).await;
    }
    #[cfg(feature = "postgres")]
    on_postgres(&test).await;
}

async fn migrated(url: &str) -> SqlKeyStore<Standard> {
    let engine = Engine::connect(url).await.unwrap();
    let store = SqlKeyStore::open(engine, Standard::new("acme").unwrap()).await.unwrap();
    for applied in [1, 0] {
        assert_eq!(store.migrate(start()).await.unwrap().len(), applied);
        assert_eq!(store.check().await.unwrap(), []);
    }
    store
}

#[cfg(feature = "postgres")]
async fn on_postgres<F: Future<Output = ()> + Send>(test: &(impl Fn(SqlKeyStore<Standard>) -> F + Send + Sync)) {
    use std::sync::atomic::{AtomicU32, Ordering};

    use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

    static NEXT: AtomicU32 = AtomicU32::new(0);

    let Ok(server) = std::env::var("KEYWARD_TEST_POSTGRES_URL") else { return };
    let name = format!("keyward_standard_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::connect(&server).await.unwrap();
    let run = |sql: String| sqlx::raw_sql(AssertSqlSafe(sql));
    run(format!("CREATE DATABASE {name}")).execute(&mut admin).await.unwrap();
    let (server, _) = server.rsplit_once('/').unwrap();
    test(migrated(&format!("{server}/{name}")).await).await;
    run(format!("DROP DATABASE {name} WITH (FORCE)")).execute(&mut admin).await.unwrap();
}

#[tokio::test]
async fn a_key_comes_back_as_it_was_issued() {
    on_each(|subject| async move {
        let key = named("import").scope("jobs:read").unwrap().scope("jobs:write").unwrap();
        let key =
            key.description("Copies the day's jobs.").unwrap().metadata("{\"a\": 1.50, \"\u{e9}\":\t[]}").unwrap();
        let key = key.requests_per_minute(2_147_483_647).unwrap().created_by("admin".parse().unwrap());
        let issued = subject.issue(key.expires_at(Timestamp::MAX)).await;
        let KeyRecord { head, details, .. } = &issued.record;
        assert_eq!((head.version, details.environment), (1, Environment::LIVE));
        assert_eq!((&details.lineage, &details.predecessor), (&head.id, &None));
        assert_eq!(subject.get(&head.id).await, issued.record);

        let accepted = subject.keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert_eq!(**accepted.record(), issued.record);
        assert!(accepted.permits("jobs:write").is_ok() && accepted.permits("jobs").is_err());
        let plain = subject.issue(named("plain")).await;
        assert_eq!(subject.get(&plain.record.head.id).await, plain.record);
        assert_eq!(subject.keys.get(&KeyId::new(head.id.as_str().to_uppercase()).unwrap()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_imported_key_says_where_it_comes_from() {
    let foreign = crate::key::ForeignFormat::new("sk_", 20..=40).unwrap();
    let schema = Standard::new("acme").unwrap().accepting_foreign(foreign);
    let text = "sk_4eC39HqLyjWDarjtT1zdp7dc";
    on_engines(|store| {
        let schema = schema.clone();
        async move {
            let store = SqlKeyStore::open(store.engine(), schema).await.unwrap();
            let subject = Subject::new(Arc::new(store));
            let digest = crate::key::KeyDigest::of(text);
            let draft = || named("old").imported_from("acme v1").unwrap();
            let prefix = || crate::key::DisplayPrefix::new("sk_4eC3").unwrap();
            let imported = subject.keys.import(draft(), digest, prefix()).await.unwrap();
            let id = &imported.record.head.id;
            assert_eq!(subject.get(id).await, imported.record);
            assert!(subject.keys.verify(text).await.is_ok());
            assert_eq!(subject.keys.history(id).await.unwrap()[0].action, crate::key::Action::Imported);
            subject.keys.import(draft(), digest, prefix()).await.unwrap_err();
        }
    })
    .await;
}
