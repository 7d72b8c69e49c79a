//! Keys that are issued, replaced and revoked inside the host's own transaction live and die with it.

#![cfg_attr(
    feature = "sqlite",
    expect(clippy::future_not_send, reason = "a transaction of rusqlite stays on its thread")
)]

use std::time::Duration;

use keyward::aggregator::Aggregator;
use keyward::key::RefusalReason;
use keyward::store::{Reference, RevokeOutcome, RevokeRequest, StoreError};

use self::transaction::Connection;
use super::host::{DID, Host, OTHER_DID, draft, owner, refusal};
use crate::support::START;
use crate::support::systems::{Setting, over_every_database_of};

over_every_database_of![Aggregator:
    a_first_key_is_issued_when_the_host_commits,
    a_replacement_happens_when_the_host_commits,
    a_revocation_hits_the_key_that_was_seen_when_the_host_commits,
    a_new_aggregator_and_its_key_are_one_commit,
    after_a_conflict_or_an_unknown_did_the_host_goes_on,
];

/// The host's side: a connection of its own, and a store whose methods join its transactions.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "only PostgreSQL is waited for"))]
mod transaction {
    use keyward::aggregator::{Aggregator, AggregatorDetails};
    use keyward::key::{Issued, Prepared, PreparedRotation, Rotated};
    use keyward::store::{RevokeOutcome, RevokeRequest, StoreError};
    #[cfg(feature = "postgres")]
    use sqlx::Connection as _;

    use crate::support::Database;

    pub(super) enum Connection {
        #[cfg(feature = "sqlite")]
        Sqlite(Box<rusqlite::Connection>, keyward::SqliteKeyStore<Aggregator>),
        #[cfg(feature = "postgres")]
        Postgres(Box<sqlx::PgConnection>, keyward::PostgresKeyStore<Aggregator>),
    }

    pub(super) enum Transaction<'c> {
        #[cfg(feature = "sqlite")]
        Sqlite(rusqlite::Transaction<'c>, &'c keyward::SqliteKeyStore<Aggregator>),
        #[cfg(feature = "postgres")]
        Postgres(sqlx::Transaction<'c, sqlx::Postgres>, &'c keyward::PostgresKeyStore<Aggregator>),
    }

    impl Connection {
        pub(super) async fn to(database: &Database) -> Self {
            match database {
                Database::Memory(_) => panic!("there are no transactions in memory"),
                #[cfg(feature = "sqlite")]
                Database::Sqlite(database) => Self::Sqlite(
                    Box::new(database.connection()),
                    keyward::SqliteKeyStore::open(database.path()).await.unwrap(),
                ),
                #[cfg(feature = "postgres")]
                Database::Postgres(database) => Self::Postgres(
                    Box::new(sqlx::PgConnection::connect(&database.url()).await.unwrap()),
                    keyward::PostgresKeyStore::open(database.pool().await).await.unwrap(),
                ),
            }
        }

        pub(super) async fn begin(&mut self) -> Transaction<'_> {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(connection, store) => Transaction::Sqlite(connection.transaction().unwrap(), store),
                #[cfg(feature = "postgres")]
                Self::Postgres(connection, store) => Transaction::Postgres(connection.begin().await.unwrap(), store),
            }
        }
    }

    /// Calls the store's method of the same name in the host's transaction, whichever engine it is of.
    macro_rules! join {
        ($self:ident, $method:ident($argument:expr)) => {
            match $self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction, store) => store.$method(transaction, $argument),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction, store) => store.$method(transaction, $argument).await,
            }
        };
    }

    impl Transaction<'_> {
        pub(super) async fn issue(
            &mut self,
            prepared: Prepared<AggregatorDetails>,
        ) -> Result<Issued<AggregatorDetails>, StoreError> {
            join!(self, issue_in(prepared))
        }

        pub(super) async fn replace(
            &mut self,
            prepared: PreparedRotation<AggregatorDetails>,
        ) -> Result<Rotated<AggregatorDetails>, StoreError> {
            join!(self, rotate_in(prepared))
        }

        pub(super) async fn revoke(&mut self, request: &RevokeRequest) -> Result<RevokeOutcome, StoreError> {
            join!(self, revoke_in(request))
        }

        /// The host's own business.
        pub(super) async fn run(&mut self, sql: String) {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction, _) => transaction.execute_batch(&sql).unwrap(),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction, _) => {
                    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut **transaction).await.unwrap();
                }
            }
        }

        /// Commits, or else rolls back.
        pub(super) async fn end(self, commit: bool) {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction, _) if commit => transaction.commit().unwrap(),
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction, _) => transaction.rollback().unwrap(),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction, _) if commit => transaction.commit().await.unwrap(),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction, _) => transaction.rollback().await.unwrap(),
            }
        }
    }
}

async fn a_first_key_is_issued_when_the_host_commits(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let mut connection = Connection::to(host.database()).await;
    let before = host.row().await;
    for commit in [false, true] {
        let mut transaction = connection.begin().await;
        let issued = transaction.issue(host.keys.prepare(draft(DID)).unwrap()).await.unwrap();
        assert_eq!(host.refusal(&issued.secret).await, Some(RefusalReason::Unknown), "before the end");
        transaction.end(commit).await;
        let refused = (!commit).then_some(RefusalReason::Unknown);
        assert_eq!(host.refusal(&issued.secret).await, refused);
        assert_eq!(host.only_key().await, commit.then_some(issued.record));
        assert_eq!(host.row().await == before, !commit);
    }
}

async fn a_replacement_happens_when_the_host_commits(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let mut connection = Connection::to(host.database()).await;
    let old = host.issue().await;
    host.keys.verify(old.secret.expose_secret()).await.unwrap();
    host.keys.flush_last_used().await.unwrap();
    let seen = host.only_key().await.unwrap();
    let row = host.row().await;
    for commit in [false, true] {
        let mut transaction = connection.begin().await;
        let prepared = host.keys.prepare_replacement(seen.head.clone(), draft(DID)).unwrap();
        let new = transaction.replace(prepared).await.unwrap().successor;
        assert_eq!(host.refusal(&old.secret).await, None, "before the end");
        transaction.end(commit).await;
        let (refused_old, refused_new) =
            if commit { (Some(RefusalReason::Unknown), None) } else { (None, Some(RefusalReason::Unknown)) };
        assert_eq!(host.refusal(&old.secret).await, refused_old);
        assert_eq!(host.refusal(&new.secret).await, refused_new);
        assert_eq!(host.only_key().await.unwrap(), if commit { new.record } else { seen.clone() });
        assert_eq!(host.row().await == row, !commit);
    }
}

async fn a_revocation_hits_the_key_that_was_seen_when_the_host_commits(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let mut connection = Connection::to(host.database()).await;
    let replaced = host.issue_and_look().await;
    let issued = host.issue().await;
    let head = &issued.record.head;
    let request = |digest| RevokeRequest { id: head.id.clone(), digest, at: START, reason: None };
    for commit in [false, true] {
        let mut transaction = connection.begin().await;
        let other = transaction.revoke(&request(replaced.digest)).await.unwrap();
        assert_eq!(other, RevokeOutcome::NotFound, "a key that was replaced");
        assert_eq!(transaction.revoke(&request(head.digest)).await.unwrap(), RevokeOutcome::Revoked);
        transaction.end(commit).await;
        assert_eq!(host.refusal(&issued.secret).await, commit.then_some(RefusalReason::Revoked));
    }
}

async fn a_new_aggregator_and_its_key_are_one_commit(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let mut connection = Connection::to(host.database()).await;
    let row = format!(
        "INSERT INTO aggregators (did, display_name, record_uri, record_cid)
         VALUES ('{OTHER_DID}', 'Other', 'at://other', 'bafy')"
    );
    for commit in [false, true] {
        let mut transaction = connection.begin().await;
        transaction.run(row.clone()).await;
        let issued = transaction.issue(host.keys.prepare(draft(OTHER_DID)).unwrap()).await.unwrap();
        transaction.end(commit).await;
        let process = host.another_process().await;
        assert_eq!(refusal(&process, &issued.secret).await, (!commit).then_some(RefusalReason::Unknown));
        assert_eq!(host.count_aggregators().await, 1 + usize::from(commit));
    }
}

async fn after_a_conflict_or_an_unknown_did_the_host_goes_on(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let mut connection = Connection::to(host.database()).await;
    let seen = host.issue_and_look().await;
    host.clock.advance(Duration::from_secs(1));
    let issued = host.issue().await;

    let mut transaction = connection.begin().await;
    let unknown = transaction.issue(host.keys.prepare(draft(OTHER_DID)).unwrap()).await;
    assert!(matches!(unknown, Err(StoreError::Missing(Reference::Owner))), "{unknown:?}");
    let taken = transaction.issue(host.keys.prepare(draft(DID)).unwrap()).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    let late = host.keys.prepare_replacement(seen, draft(DID)).unwrap();
    let late = transaction.replace(late).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    transaction.run(format!("UPDATE aggregators SET display_name = 'Renamed' WHERE did = '{DID}'")).await;
    transaction.end(true).await;

    assert_eq!(host.value("display_name").await.as_deref(), Some("Renamed"));
    assert_eq!(host.keys.only_key(&owner(DID)).await.unwrap().unwrap(), issued.record);
    assert_eq!(host.refusal(&issued.secret).await, None);
}
