//! Keys that are issued, replaced and revoked inside the host's own transaction live and die with it.

#![cfg_attr(
    feature = "sqlite",
    expect(clippy::future_not_send, reason = "a transaction of rusqlite stays on its thread")
)]

use std::time::Duration;

use keyward::key::{KeyDigest, RefusalReason, Revocation, Status};
use keyward::schemas::aggregator::Aggregator;
use keyward::store::{Reference, RevokeRequest, StoreError};

use self::transaction::Connection;
use super::host::{DID, Host, OTHER_DID, draft, owner, refusal_of, revoked_at};
use crate::support::{Fixture, START, over};

over![every_database of Aggregator:
    a_first_key_is_issued_when_the_host_commits,
    a_replacement_happens_when_the_host_commits,
    a_revocation_hits_the_key_that_was_seen_when_the_host_commits,
    a_new_aggregator_and_its_key_are_one_commit,
    after_a_conflict_or_an_unknown_did_the_host_goes_on,
];

/// The host's side: a connection of its own, whose transactions the store joins.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "only PostgreSQL is waited for"))]
mod transaction {
    use keyward::SqlKeyStore;
    use keyward::key::{Issued, Prepared, PreparedRotation, Receipt, Revoked, Rotated};
    use keyward::schemas::aggregator::Aggregator;
    use keyward::store::{RevokeRequest, StoreError};
    #[cfg(feature = "postgres")]
    use sqlx::Connection as _;

    use crate::support::Database;

    pub(super) enum Connection {
        #[cfg(feature = "sqlite")]
        Sqlite(Box<rusqlite::Connection>),
        #[cfg(feature = "postgres")]
        Postgres(Box<sqlx::PgConnection>),
    }

    pub(super) enum Transaction<'c> {
        #[cfg(feature = "sqlite")]
        Sqlite(rusqlite::Transaction<'c>),
        #[cfg(feature = "postgres")]
        Postgres(sqlx::Transaction<'c, sqlx::Postgres>),
    }

    impl Connection {
        pub(super) async fn to(database: &Database) -> Self {
            match database {
                #[cfg(feature = "sqlite")]
                Database::Sqlite(database) => Self::Sqlite(Box::new(database.connection())),
                #[cfg(feature = "postgres")]
                Database::Postgres(database) => {
                    Self::Postgres(Box::new(sqlx::PgConnection::connect(&database.url()).await.unwrap()))
                }
            }
        }

        pub(super) async fn begin(&mut self) -> Transaction<'_> {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(connection) => Transaction::Sqlite(connection.transaction().unwrap()),
                #[cfg(feature = "postgres")]
                Self::Postgres(connection) => Transaction::Postgres(connection.begin().await.unwrap()),
            }
        }
    }

    /// Calls a method of the store within the host's transaction, whichever engine it is of.
    macro_rules! within {
        ($self:ident, $store:ident.$method:ident($argument:expr)) => {
            match $self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction) => $store.within(&*transaction).$method($argument),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction) => $store.within(transaction).$method($argument).await,
            }
        };
    }

    type Store = SqlKeyStore<Aggregator>;

    impl Transaction<'_> {
        pub(super) async fn issue(
            &mut self,
            store: &Store,
            prepared: Prepared<Aggregator>,
        ) -> Result<Receipt<Issued<Aggregator>>, StoreError> {
            within!(self, store.issue(prepared))
        }

        pub(super) async fn replace(
            &mut self,
            store: &Store,
            prepared: PreparedRotation<Aggregator>,
        ) -> Result<Receipt<Rotated<Aggregator>>, StoreError> {
            within!(self, store.rotate(prepared))
        }

        pub(super) async fn revoke(
            &mut self,
            store: &Store,
            request: &RevokeRequest,
        ) -> Result<Option<Receipt<Revoked>>, StoreError> {
            within!(self, store.revoke(request))
        }

        /// The host's own business.
        pub(super) async fn run(&mut self, sql: String) {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction) => transaction.execute_batch(&sql).unwrap(),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction) => {
                    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut **transaction).await.unwrap();
                }
            }
        }

        /// Commits, or else rolls back.
        pub(super) async fn end(self, commit: bool) {
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction) if commit => transaction.commit().unwrap(),
                #[cfg(feature = "sqlite")]
                Self::Sqlite(transaction) => transaction.rollback().unwrap(),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction) if commit => transaction.commit().await.unwrap(),
                #[cfg(feature = "postgres")]
                Self::Postgres(transaction) => transaction.rollback().await.unwrap(),
            }
        }
    }
}

async fn a_first_key_is_issued_when_the_host_commits(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let mut connection = Connection::to(host.database()).await;
    let before = host.row().await;
    for commit in [false, true] {
        let prepared = host.keys.prepare(draft(DID)).unwrap();
        let record = prepared.record().clone();
        let digest = record.head.digest.unwrap();
        let mut transaction = connection.begin().await;
        let receipt = transaction.issue(host.sql(), prepared).await.unwrap();
        assert_eq!(host.refusal_of(&digest).await, Some(RefusalReason::Unknown), "before the end");
        transaction.end(commit).await;
        assert_eq!(host.refusal_of(&digest).await, (!commit).then_some(RefusalReason::Unknown));
        assert_eq!(host.only_key().await, commit.then(|| record.clone()));
        assert_eq!(host.row().await == before, !commit);
        if commit {
            let issued = host.keys.committed(receipt);
            assert_eq!((issued.record, KeyDigest::of(issued.secret.expose_secret())), (record, digest));
            assert_eq!(host.refusal(&issued.secret).await, None);
        }
    }
}

async fn a_replacement_happens_when_the_host_commits(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let mut connection = Connection::to(host.database()).await;
    let old = host.issue().await;
    host.keys.verify(old.secret.expose_secret()).await.unwrap();
    host.keys.flush_last_used().await.unwrap();
    let seen = host.only_key().await.unwrap();
    let row = host.row().await;
    for commit in [false, true] {
        let prepared = host.keys.prepare_replacement(seen.head.clone(), draft(DID)).unwrap();
        let record = prepared.rotation().successor.clone();
        let digest = record.head.digest.unwrap();
        let mut transaction = connection.begin().await;
        let receipt = transaction.replace(host.sql(), prepared).await.unwrap();
        assert_eq!(host.refusal(&old.secret).await, None, "before the end");
        assert_eq!(host.refusal_of(&digest).await, Some(RefusalReason::Unknown), "before the end");
        transaction.end(commit).await;
        let (refused_old, refused_new) =
            if commit { (Some(RefusalReason::Unknown), None) } else { (None, Some(RefusalReason::Unknown)) };
        assert_eq!(host.refusal(&old.secret).await, refused_old);
        assert_eq!(host.refusal_of(&digest).await, refused_new);
        assert_eq!(host.only_key().await.unwrap(), if commit { record.clone() } else { seen.clone() });
        assert_eq!(host.row().await == row, !commit);
        if commit {
            let new = host.keys.committed(receipt).successor;
            assert_eq!((new.record, host.keys.verify(new.secret.expose_secret()).await.is_ok()), (record, true));
        }
    }
}

async fn a_revocation_hits_the_key_that_was_seen_when_the_host_commits(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let mut connection = Connection::to(host.database()).await;
    let replaced = host.issue_and_look().await;
    let issued = host.issue().await;
    let head = &issued.record.head;
    let request = |digest| RevokeRequest::new(head.id.clone(), START).seen(digest);
    for commit in [false, true] {
        let mut transaction = connection.begin().await;
        let other = transaction.revoke(host.sql(), &request(replaced.digest)).await.unwrap();
        assert!(other.is_none(), "a key that was replaced");
        let receipt = transaction.revoke(host.sql(), &request(head.digest)).await.unwrap().unwrap();
        assert_eq!(host.refusal(&issued.secret).await, None, "before the end");
        transaction.end(commit).await;
        assert_eq!(host.refusal(&issued.secret).await, commit.then_some(RefusalReason::Revoked));
        if commit {
            assert_eq!(host.keys.committed(receipt), revoked_at(START));
            let stands = Status::Revoked(Revocation::new(Some(START), None));
            assert_eq!(host.only_key().await.unwrap().head.status, stands);
        }
    }
}

async fn a_new_aggregator_and_its_key_are_one_commit(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let mut connection = Connection::to(host.database()).await;
    let row = format!(
        "INSERT INTO aggregators (did, display_name, record_uri, record_cid)
         VALUES ('{OTHER_DID}', 'Other', 'at://other', 'bafy')"
    );
    for commit in [false, true] {
        let prepared = host.keys.prepare(draft(OTHER_DID)).unwrap();
        let digest = prepared.record().head.digest.unwrap();
        let mut transaction = connection.begin().await;
        transaction.run(row.clone()).await;
        let receipt = transaction.issue(host.sql(), prepared).await.unwrap();
        transaction.end(commit).await;
        let process = host.another_process().await;
        assert_eq!(refusal_of(&process, &digest).await, (!commit).then_some(RefusalReason::Unknown));
        assert_eq!(host.count_aggregators().await, 1 + usize::from(commit));
        if commit {
            let issued = host.keys.committed(receipt);
            assert_eq!(process.verify(issued.secret.expose_secret()).await.unwrap().owner(), &owner(OTHER_DID));
        }
    }
}

async fn after_a_conflict_or_an_unknown_did_the_host_goes_on(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let mut connection = Connection::to(host.database()).await;
    let seen = host.issue_and_look().await;
    host.clock.advance(Duration::from_secs(1));
    let issued = host.issue().await;

    let mut transaction = connection.begin().await;
    let unknown = transaction.issue(host.sql(), host.keys.prepare(draft(OTHER_DID)).unwrap()).await;
    assert!(matches!(unknown, Err(StoreError::Missing(Reference::Owner))), "{unknown:?}");
    let taken = transaction.issue(host.sql(), host.keys.prepare(draft(DID)).unwrap()).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    let late = host.keys.prepare_replacement(seen, draft(DID)).unwrap();
    let late = transaction.replace(host.sql(), late).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    transaction.run(format!("UPDATE aggregators SET display_name = 'Renamed' WHERE did = '{DID}'")).await;
    transaction.end(true).await;

    assert_eq!(host.value("display_name").await.as_deref(), Some("Renamed"));
    assert_eq!(host.keys.only_key(&owner(DID)).await.unwrap().unwrap(), issued.record);
    assert_eq!(host.refusal(&issued.secret).await, None);
}
