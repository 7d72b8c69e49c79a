//! Keys that are issued, rotated and revoked inside the host's own transaction live and die with it.

#![cfg_attr(
    feature = "sqlite",
    expect(clippy::future_not_send, reason = "a transaction of rusqlite stays on its thread")
)]

use std::sync::Arc;
use std::time::Duration;

use keyward::key::{OwnerId, RefusalReason, RevocationReason};
use keyward::store::{KeyStore, RevokeOutcome, RevokeRequest, StoreError};
use keyward::{Keys, Secret};

use crate::support::{Database, Fixture, Store, draft, keys, over_every_database};
use host::Host;

const HOUR: Duration = Duration::from_hours(1);

over_every_database![
    a_key_is_issued_when_the_host_commits,
    a_rotation_happens_when_the_host_commits,
    a_revocation_happens_when_the_host_commits,
    all_keys_are_revoked_when_the_host_commits,
    deleting_a_customer_and_killing_its_keys_is_one_commit,
    after_a_conflicting_key_the_host_goes_on,
    after_a_conflicting_rotation_the_host_goes_on,
    after_a_rotation_whose_successor_is_taken_nothing_of_it_is_left,
    after_a_refused_reason_the_host_goes_on,
];

/// The host's side: a connection of its own, and a store whose methods join its transactions.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "only PostgreSQL has to be waited for"))]
mod host {
    use keyward::key::{Issued, OwnerId, Prepared, PreparedRotation, Rotated};
    use keyward::scraper::{Scraper, ScraperDetails};
    use keyward::store::{RevokeOutcome, RevokeRequest, StoreError};
    #[cfg(feature = "postgres")]
    use sqlx::Connection;

    use crate::support::{Database, START};

    pub(super) enum Host {
        #[cfg(feature = "sqlite")]
        Sqlite { connection: Box<rusqlite::Connection>, store: keyward::SqliteKeyStore<Scraper> },
        #[cfg(feature = "postgres")]
        Postgres { connection: Box<sqlx::PgConnection>, store: keyward::PostgresKeyStore<Scraper> },
    }

    pub(super) enum Transaction<'h> {
        #[cfg(feature = "sqlite")]
        Sqlite(rusqlite::Transaction<'h>, &'h keyward::SqliteKeyStore<Scraper>),
        #[cfg(feature = "postgres")]
        Postgres(sqlx::Transaction<'h, sqlx::Postgres>, &'h keyward::PostgresKeyStore<Scraper>),
    }

    /// Calls the store's method of the same name in the host's transaction, whichever engine it is of.
    macro_rules! join {
        ($self:ident, $method:ident($($argument:expr),*)) => {
            match $self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction, store) => store.$method(transaction, $($argument),*),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction, store) => store.$method(transaction, $($argument),*).await,
            }
        };
    }

    impl Host {
        pub(super) async fn new(database: &Database) -> Self {
            match database {
                Database::Memory(_) => panic!("there are no transactions in memory"),
                #[cfg(feature = "sqlite")]
                Database::Sqlite(database) => Self::Sqlite {
                    connection: Box::new(database.connection()),
                    store: keyward::SqliteKeyStore::open(database.path()).await.unwrap(),
                },
                #[cfg(feature = "postgres")]
                Database::Postgres(database) => Self::Postgres {
                    connection: Box::new(sqlx::PgConnection::connect(&database.url()).await.unwrap()),
                    store: keyward::PostgresKeyStore::open(database.pool().await).await.unwrap(),
                },
            }
        }

        pub(super) async fn begin(&mut self) -> Transaction<'_> {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite { connection, store } => Transaction::Sqlite(connection.transaction().unwrap(), store),
                #[cfg(feature = "postgres")]
                Self::Postgres { connection, store } => Transaction::Postgres(connection.begin().await.unwrap(), store),
            }
        }
    }

    impl Transaction<'_> {
        pub(super) async fn issue(
            &mut self,
            prepared: Prepared<ScraperDetails>,
        ) -> Result<Issued<ScraperDetails>, StoreError> {
            join!(self, issue_in(prepared))
        }

        pub(super) async fn rotate(
            &mut self,
            prepared: PreparedRotation<ScraperDetails>,
        ) -> Result<Rotated<ScraperDetails>, StoreError> {
            join!(self, rotate_in(prepared))
        }

        pub(super) async fn revoke(&mut self, request: &RevokeRequest) -> Result<RevokeOutcome, StoreError> {
            join!(self, revoke_in(request))
        }

        pub(super) async fn revoke_all(&mut self, owner: &OwnerId) -> Result<u64, StoreError> {
            join!(self, revoke_all_in(owner, START, None))
        }

        /// The host's own business.
        pub(super) async fn run(&mut self, sql: &'static str) {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction, _) => transaction.execute_batch(sql).unwrap(),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction, _) => {
                    sqlx::raw_sql(sql).execute(&mut **transaction).await.unwrap();
                }
            }
        }

        pub(super) async fn commit(self) {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction, _) => transaction.commit().unwrap(),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction, _) => transaction.commit().await.unwrap(),
            }
        }

        pub(super) async fn roll_back(self) {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction, _) => transaction.rollback().unwrap(),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction, _) => transaction.rollback().await.unwrap(),
            }
        }
    }
}

fn acme() -> OwnerId {
    OwnerId::new("acme").unwrap()
}

/// Why the key is refused, by keys of another process; `None` when it is accepted.
async fn refusal(keys: &Keys<Store>, secret: &Secret) -> Option<RefusalReason> {
    keys.verify(secret.expose_secret()).await.err().map(|refusal| refusal.reason())
}

async fn count_keys(keys: &Keys<Store>) -> usize {
    keys.list(&acme(), 1_000, None).await.unwrap().keys.len()
}

async fn with_customers(database: &Database) {
    database.run("CREATE TABLE customers (name varchar(255) PRIMARY KEY); INSERT INTO customers VALUES ('acme')").await;
}

async fn customers(database: &Database) -> String {
    let names = database.dialect("string_agg(name, ' ' ORDER BY name)", "group_concat(name, ' ' ORDER BY name)");
    database.text(&format!("SELECT {names} FROM customers")).await.unwrap_or_default()
}

async fn a_key_is_issued_when_the_host_commits(fixture: Fixture) {
    let mut host = Host::new(&fixture.database).await;

    let mut transaction = host.begin().await;
    let lost = transaction.issue(fixture.keys.prepare(draft().into()).unwrap()).await.unwrap();
    assert_eq!(refusal(&fixture.keys, &lost.secret).await, Some(RefusalReason::Unknown), "before the commit");
    transaction.roll_back().await;
    assert_eq!(refusal(&fixture.keys, &lost.secret).await, Some(RefusalReason::Unknown), "after the rollback");
    assert_eq!(count_keys(&fixture.keys).await, 0);

    let mut transaction = host.begin().await;
    let issued = transaction.issue(fixture.keys.prepare(draft().into()).unwrap()).await.unwrap();
    transaction.commit().await;
    let accepted = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(accepted.into_record(), issued.record);
    assert_eq!(count_keys(&fixture.keys).await, 1);
}

async fn a_rotation_happens_when_the_host_commits(fixture: Fixture) {
    let mut host = Host::new(&fixture.database).await;
    let old = fixture.keys.issue(draft().into()).await.unwrap();
    let prepare = || fixture.keys.prepare_rotation(old.record.clone(), Duration::ZERO, None).unwrap();

    let mut transaction = host.begin().await;
    let lost = transaction.rotate(prepare()).await.unwrap();
    assert_eq!(refusal(&fixture.keys, &old.secret).await, None, "before the commit");
    transaction.roll_back().await;
    assert_eq!(refusal(&fixture.keys, &old.secret).await, None, "after the rollback");
    assert_eq!(refusal(&fixture.keys, &lost.successor.secret).await, Some(RefusalReason::Unknown));
    assert_eq!(fixture.keys.show(&old.record.head.id).await.unwrap(), Some(old.record.clone()));

    // That the first rotation never was shows in that the key can still be rotated.
    let mut transaction = host.begin().await;
    let rotated = transaction.rotate(prepare()).await.unwrap();
    transaction.commit().await;
    assert_eq!(refusal(&fixture.keys, &old.secret).await, Some(RefusalReason::Expired));
    assert_eq!(refusal(&fixture.keys, &rotated.successor.secret).await, None);
    assert_eq!(count_keys(&fixture.keys).await, 2);
}

async fn a_revocation_happens_when_the_host_commits(fixture: Fixture) {
    let mut host = Host::new(&fixture.database).await;
    let issued = fixture.keys.issue(draft().into()).await.unwrap();
    let id = issued.record.head.id.clone();
    let request = RevokeRequest { id, digest: None, at: fixture.keys.now(), reason: None };

    let mut transaction = host.begin().await;
    assert_eq!(transaction.revoke(&request).await.unwrap(), RevokeOutcome::Revoked);
    assert_eq!(refusal(&fixture.keys, &issued.secret).await, None, "before the commit");
    transaction.roll_back().await;
    assert_eq!(refusal(&fixture.keys, &issued.secret).await, None, "after the rollback");

    let mut transaction = host.begin().await;
    assert_eq!(transaction.revoke(&request).await.unwrap(), RevokeOutcome::Revoked);
    assert!(matches!(transaction.revoke(&request).await.unwrap(), RevokeOutcome::AlreadyRevoked(_)));
    transaction.commit().await;
    assert!(refusal(&fixture.keys, &issued.secret).await.is_some());
}

async fn all_keys_are_revoked_when_the_host_commits(fixture: Fixture) {
    let mut host = Host::new(&fixture.database).await;
    let [one, other] = [(); 2].map(|()| fixture.keys.issue(draft().into()));
    let issued = [one.await.unwrap(), other.await.unwrap()];

    let mut transaction = host.begin().await;
    // A key of the transaction's own is among them, for the transaction sees it.
    let own = transaction.issue(fixture.keys.prepare(draft().into()).unwrap()).await.unwrap();
    assert_eq!(transaction.revoke_all(&acme()).await.unwrap(), 3);
    transaction.roll_back().await;
    for key in &issued {
        assert_eq!(refusal(&fixture.keys, &key.secret).await, None, "after the rollback");
    }
    assert_eq!(refusal(&fixture.keys, &own.secret).await, Some(RefusalReason::Unknown));

    let mut transaction = host.begin().await;
    assert_eq!(transaction.revoke_all(&acme()).await.unwrap(), 2);
    assert_eq!(transaction.revoke_all(&acme()).await.unwrap(), 0);
    transaction.commit().await;
    for key in &issued {
        assert!(refusal(&fixture.keys, &key.secret).await.is_some());
    }
}

async fn deleting_a_customer_and_killing_its_keys_is_one_commit(fixture: Fixture) {
    with_customers(&fixture.database).await;
    let mut host = Host::new(&fixture.database).await;
    let issued = fixture.keys.issue(draft().into()).await.unwrap();

    for commits in [false, true] {
        let mut transaction = host.begin().await;
        transaction.run("DELETE FROM customers WHERE name = 'acme'").await;
        assert_eq!(transaction.revoke_all(&acme()).await.unwrap(), 1);
        assert_eq!(customers(&fixture.database).await, "acme");
        assert_eq!(refusal(&fixture.keys, &issued.secret).await, None);
        if commits {
            transaction.commit().await;
        } else {
            transaction.roll_back().await;
        }
        assert_eq!(customers(&fixture.database).await.is_empty(), commits);
        assert_eq!(refusal(&fixture.keys, &issued.secret).await.is_some(), commits);
    }
}

/// Keys that draw the same random numbers as those of any other call, and so make the same keys.
fn twin(fixture: &Fixture) -> Keys<Store> {
    keys(Arc::clone(fixture.store()), &fixture.clock, 4711)
}

async fn after_a_conflicting_key_the_host_goes_on(fixture: Fixture) {
    with_customers(&fixture.database).await;
    let mut host = Host::new(&fixture.database).await;
    let first = twin(&fixture).issue(draft().into()).await.unwrap();

    let mut transaction = host.begin().await;
    transaction.run("INSERT INTO customers VALUES ('before')").await;
    let conflict = transaction.issue(twin(&fixture).prepare(draft().into()).unwrap()).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)), "{conflict:?}");
    transaction.run("INSERT INTO customers VALUES ('since')").await;
    let second = transaction.issue(fixture.keys.prepare(draft().into()).unwrap()).await.unwrap();
    transaction.commit().await;

    assert_eq!(customers(&fixture.database).await, "acme before since");
    assert_eq!(count_keys(&fixture.keys).await, 2);
    for secret in [&first.secret, &second.secret] {
        assert_eq!(refusal(&fixture.keys, secret).await, None);
    }
}

async fn after_a_conflicting_rotation_the_host_goes_on(fixture: Fixture) {
    with_customers(&fixture.database).await;
    let mut host = Host::new(&fixture.database).await;
    let old = fixture.keys.issue(draft().into()).await.unwrap();
    let stale = fixture.keys.prepare_rotation(old.record.clone(), HOUR, None).unwrap();
    let rotated = fixture.keys.rotate(&old.record.head.id, HOUR, None).await.unwrap();

    let mut transaction = host.begin().await;
    transaction.run("INSERT INTO customers VALUES ('before')").await;
    let conflict = transaction.rotate(stale).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)), "{conflict:?}");
    let successor = rotated.successor.record.clone();
    let next = transaction.rotate(fixture.keys.prepare_rotation(successor, HOUR, None).unwrap()).await.unwrap();
    transaction.commit().await;

    assert_eq!(customers(&fixture.database).await, "acme before");
    assert_eq!(count_keys(&fixture.keys).await, 3);
    assert_eq!(refusal(&fixture.keys, &next.successor.secret).await, None);
}

/// The old key is retired first and the new one added then; when that fails, the old one must not stay retired.
async fn after_a_rotation_whose_successor_is_taken_nothing_of_it_is_left(fixture: Fixture) {
    let mut host = Host::new(&fixture.database).await;
    let old = fixture.keys.issue(draft().into()).await.unwrap();
    twin(&fixture).issue(draft().into()).await.unwrap();
    let taken = twin(&fixture).prepare_rotation(old.record.clone(), Duration::ZERO, None).unwrap();

    let mut transaction = host.begin().await;
    let conflict = transaction.rotate(taken).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)), "{conflict:?}");
    transaction.commit().await;

    assert_eq!(fixture.keys.show(&old.record.head.id).await.unwrap(), Some(old.record.clone()));
    assert_eq!(refusal(&fixture.keys, &old.secret).await, None);
    fixture.keys.rotate(&old.record.head.id, HOUR, None).await.expect("it has not been rotated yet");
}

async fn after_a_refused_reason_the_host_goes_on(fixture: Fixture) {
    let mut host = Host::new(&fixture.database).await;
    let issued = fixture.keys.issue(draft().into()).await.unwrap();
    let reason = Some(RevocationReason::new("leaked").unwrap());
    let request = RevokeRequest { id: issued.record.head.id.clone(), digest: None, at: fixture.keys.now(), reason };

    let mut transaction = host.begin().await;
    let outcome = transaction.revoke(&request).await;
    if fixture.store().abilities().revocation_reason {
        assert_eq!(outcome.unwrap(), RevokeOutcome::Revoked);
    } else {
        assert!(matches!(outcome, Err(StoreError::Unsupported(_))), "{outcome:?}");
    }
    let other = transaction.issue(fixture.keys.prepare(draft().into()).unwrap()).await.unwrap();
    transaction.commit().await;

    let is_revoked = refusal(&fixture.keys, &issued.secret).await.is_some();
    assert_eq!(is_revoked, fixture.store().abilities().revocation_reason);
    assert_eq!(refusal(&fixture.keys, &other.secret).await, None);
}

/// Outside of a transaction each call would commit by itself, and a rollback of the host's would not undo it. One that
/// was begun behind sqlx's back counts as none, for sqlx would then begin and commit one of its own.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_refuses_a_connection_that_is_in_no_transaction() {
    use sqlx::Executor;

    let fixture = Fixture::postgres().await;
    let Database::Postgres(database) = &fixture.database else { unreachable!("it is a PostgreSQL database") };
    let pool = database.pool().await;
    let store = keyward::PostgresKeyStore::<keyward::scraper::Scraper>::open(pool.clone()).await.unwrap();
    let issued = fixture.keys.issue(draft().into()).await.unwrap();
    let id = issued.record.head.id.clone();
    let request = RevokeRequest { id, digest: None, at: fixture.keys.now(), reason: None };

    for begin in ["SELECT 1", "BEGIN"] {
        let mut connection = pool.acquire().await.unwrap();
        connection.execute(begin).await.unwrap();
        let prepared = fixture.keys.prepare(draft().into()).unwrap();
        let rotation = fixture.keys.prepare_rotation(issued.record.clone(), HOUR, None).unwrap();
        let refusals = [
            store.issue_in(&mut connection, prepared).await.err(),
            store.rotate_in(&mut connection, rotation).await.err(),
            store.revoke_in(&mut connection, &request).await.err(),
            store.revoke_all_in(&mut connection, &acme(), fixture.keys.now(), None).await.err(),
        ];
        for refused in refusals {
            assert!(matches!(refused, Some(StoreError::Unsupported(_))), "after {begin}: {refused:?}");
        }
        connection.execute("ROLLBACK").await.unwrap();
    }
    assert_eq!(refusal(&fixture.keys, &issued.secret).await, None);
    assert_eq!(count_keys(&fixture.keys).await, 1);
}
