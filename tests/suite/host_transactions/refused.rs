//! Transactions that a store cannot take part in are refused, and nothing happens in them.

use crate::support::Fixture;
use keyward::schemas::standard::Standard;

/// What every refused call leaves: the one key that was there, still good.
async fn assert_untouched(fixture: &Fixture<Standard>, issued: &keyward::key::Issued<Standard>) {
    assert_eq!(super::refusal(&fixture.keys, &issued.secret).await, None);
    assert_eq!(super::count_keys(&fixture.keys, super::OWNER).await, 1);
    assert_eq!(fixture.keys.history(&issued.record.head.id).await.unwrap().len(), 1);
}

#[cfg(feature = "postgres")]
mod postgres {
    use keyward::SqlKeyStore;
    use keyward::key::{Issued, KeyChange};
    use keyward::schemas::standard::Standard;
    use keyward::store::{RevokeAllRequest, RevokeRequest, StoreError};
    use sqlx::{Executor as _, PgConnection};

    use super::super::{HOUR, OWNER, owner};
    use super::assert_untouched;
    use crate::support::{Fixture, TestSchema};

    async fn pool(fixture: &Fixture<Standard>) -> sqlx::PgPool {
        fixture.database().as_postgres().pool().await
    }

    /// What each of the calls says.
    async fn call_all(
        store: &SqlKeyStore<Standard>,
        connection: &mut PgConnection,
        fixture: &Fixture<Standard>,
        issued: &Issued<Standard>,
    ) -> [Option<StoreError>; 5] {
        let (keys, now, record) = (&fixture.keys, fixture.keys.now(), &issued.record);
        let mut within = store.within(connection);
        let rotation = keys.prepare_rotation(record.clone(), HOUR, None).unwrap();
        [
            within.issue(keys.prepare(Standard::draft(OWNER)).unwrap()).await.err(),
            within.rotate(rotation).await.err(),
            within.change(KeyChange::disable(record, None, None, now).unwrap().unwrap()).await.err(),
            within.revoke(&RevokeRequest::new(record.head.id.clone(), now)).await.err(),
            within.revoke_all(&RevokeAllRequest::new(owner(), now)).await.err(),
        ]
    }

    /// Outside of a transaction each call would commit by itself, and a rollback of the host's would not undo it. One
    /// that was begun behind sqlx's back counts as none, for sqlx would then begin and commit one of its own.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_that_is_in_no_transaction_is_refused() {
        let fixture = Fixture::<Standard>::postgres().await;
        let issued = fixture.issue(OWNER).await;
        let pool = pool(&fixture).await;
        for begin in ["SELECT 1", "BEGIN"] {
            let mut connection = pool.acquire().await.unwrap();
            connection.execute(begin).await.unwrap();
            for refused in call_all(fixture.sql(), &mut connection, &fixture, &issued).await {
                assert!(matches!(refused, Some(StoreError::Unsupported(_))), "after {begin}: {refused:?}");
            }
            connection.execute("ROLLBACK").await.unwrap();
        }
        assert_untouched(&fixture, &issued).await;
    }

    /// In one snapshot, a key that was committed since it began would be missed.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_with_one_snapshot_is_refused_for_revocations() {
        let fixture = Fixture::<Standard>::postgres().await;
        let issued = fixture.issue(OWNER).await;
        let pool = pool(&fixture).await;
        for level in ["REPEATABLE READ", "SERIALIZABLE"] {
            let mut transaction = pool.begin().await.unwrap();
            let set = format!("SET TRANSACTION ISOLATION LEVEL {level}");
            transaction.execute(sqlx::AssertSqlSafe(set)).await.unwrap();
            let mut within = fixture.sql().within(&mut transaction);
            let now = fixture.keys.now();
            let one = within.revoke(&RevokeRequest::new(issued.record.head.id.clone(), now)).await;
            assert!(matches!(one, Err(StoreError::Unsupported(_))), "{level}: {one:?}");
            let all = within.revoke_all(&RevokeAllRequest::new(owner(), now)).await;
            assert!(matches!(all, Err(StoreError::Unsupported(_))), "{level}: {all:?}");
            transaction.commit().await.unwrap();
        }
        assert_untouched(&fixture, &issued).await;
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_of_postgresql_is_refused_by_a_store_in_sqlite() {
        let fixture = Fixture::<Standard>::postgres().await;
        let issued = fixture.issue(OWNER).await;
        let elsewhere = Fixture::<Standard>::sqlite().await;
        let mut transaction = pool(&fixture).await.begin().await.unwrap();
        for refused in call_all(elsewhere.sql(), &mut transaction, &fixture, &issued).await {
            assert!(matches!(refused, Some(StoreError::Unsupported(_))), "{refused:?}");
        }
        transaction.commit().await.unwrap();
        assert_untouched(&fixture, &issued).await;
        assert_eq!(super::super::count_keys(&elsewhere.keys, OWNER).await, 0);
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use keyward::SqlKeyStore;
    use keyward::key::{Issued, KeyChange};
    use keyward::schemas::standard::Standard;
    use keyward::store::{RevokeAllRequest, RevokeRequest, StoreError};

    use super::super::{HOUR, OWNER, count_keys, owner};
    use super::assert_untouched;
    use crate::support::{Fixture, TestSchema};

    fn connection(fixture: &Fixture<Standard>) -> rusqlite::Connection {
        fixture.database().as_sqlite().connection()
    }

    /// What each of the calls says.
    fn call_all(
        store: &SqlKeyStore<Standard>,
        transaction: &rusqlite::Transaction<'_>,
        fixture: &Fixture<Standard>,
        issued: &Issued<Standard>,
    ) -> [Option<StoreError>; 5] {
        let (keys, now, record) = (&fixture.keys, fixture.keys.now(), &issued.record);
        let within = store.within(transaction);
        let rotation = keys.prepare_rotation(record.clone(), HOUR, None).unwrap();
        [
            within.issue(keys.prepare(Standard::draft(OWNER)).unwrap()).err(),
            within.rotate(rotation).err(),
            within.change(KeyChange::disable(record, None, None, now).unwrap().unwrap()).err(),
            within.revoke(&RevokeRequest::new(record.head.id.clone(), now)).err(),
            within.revoke_all(&RevokeAllRequest::new(owner(), now)).err(),
        ]
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_on_another_file_is_refused() {
        let fixture = Fixture::<Standard>::sqlite().await;
        let issued = fixture.issue(OWNER).await;
        let elsewhere = Fixture::<Standard>::sqlite().await;
        let mut connection = connection(&fixture);
        let transaction = connection.transaction().unwrap();
        for refused in call_all(elsewhere.sql(), &transaction, &fixture, &issued) {
            assert!(matches!(refused, Some(StoreError::Unsupported(_))), "{refused:?}");
        }
        transaction.commit().unwrap();
        assert_untouched(&fixture, &issued).await;
        assert_eq!(count_keys(&elsewhere.keys, OWNER).await, 0);
    }

    /// SQLite names a file as it was opened.
    #[cfg(unix)]
    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_on_the_same_file_by_another_name_is_taken() {
        let fixture = Fixture::<Standard>::sqlite().await;
        let database = fixture.database().as_sqlite();
        let links = tempfile::tempdir().unwrap();
        let directory = links.path().join("link");
        std::os::unix::fs::symlink(database.path().parent().unwrap(), &directory).unwrap();
        let mut connection = rusqlite::Connection::open(directory.join("keys.db")).unwrap();
        let transaction = connection.transaction().unwrap();
        let prepared = fixture.keys.prepare(Standard::draft(OWNER)).unwrap();
        let receipt = fixture.sql().within(&transaction).issue(prepared).unwrap();
        transaction.commit().unwrap();
        let issued = fixture.keys.committed(receipt);
        fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
    }

    #[cfg(feature = "postgres")]
    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_of_sqlite_is_refused_by_a_store_in_postgresql() {
        let fixture = Fixture::<Standard>::sqlite().await;
        let issued = fixture.issue(OWNER).await;
        let elsewhere = Fixture::<Standard>::postgres().await;
        let mut connection = connection(&fixture);
        let transaction = connection.transaction().unwrap();
        for refused in call_all(elsewhere.sql(), &transaction, &fixture, &issued) {
            assert!(matches!(refused, Some(StoreError::Unsupported(_))), "{refused:?}");
        }
        transaction.commit().unwrap();
        assert_untouched(&fixture, &issued).await;
        assert_eq!(count_keys(&elsewhere.keys, OWNER).await, 0);
    }
}
