//! Tables, rights and versions change under the service.

use keyward::service::CredentialsError;
use keyward::sql::{OwnCredentials, SqlCredentialStore};
use keyward::store::StoreError;

use super::{another, expired, is_live, on_both_engines, open, spent};
use crate::support::{Database, START};

on_both_engines![
    a_changed_table_fails_no_call,
    a_dropped_table_is_said_and_a_token_in_hand_is_still_good,
    tables_of_another_version_are_not_opened,
];

async fn a_changed_table_fails_no_call(database: Database) {
    let (world, owners) = expired(&database).await;
    let table = database.own_table("credentials");
    let changes = if database.is_postgres() {
        [
            format!("ALTER TABLE {table} ALTER COLUMN subject TYPE varchar(500)"),
            format!("ALTER TABLE {table} ADD COLUMN note text"),
            "REINDEX TABLE keyward.credentials".to_owned(),
            format!("ALTER TABLE {table} ALTER COLUMN expires_at TYPE timestamp(6)"),
        ]
    } else {
        [
            format!("ALTER TABLE {table} ADD COLUMN note TEXT"),
            "REINDEX".to_owned(),
            format!("CREATE INDEX another ON {table} (subject)"),
            "VACUUM".to_owned(),
        ]
    };
    for (round, change) in changes.iter().enumerate() {
        // Every connection of the pool has its statements prepared.
        for owner in &owners {
            assert!(is_live(&world, &world.credentials, owner).await, "before {change}");
        }
        database.run(change).await;
        world.clock.pass(3_600);
        for owner in &owners {
            assert!(another(&world).get(owner).await.unwrap().is_some(), "{change}");
            assert!(is_live(&world, &world.credentials, owner).await, "{change}");
        }
        assert_eq!(spent(&world), (2 * (round as u64 + 2), 0), "{change}");
    }
}

async fn a_dropped_table_is_said_and_a_token_in_hand_is_still_good(database: Database) {
    let (world, [owner, other]) = expired(&database).await;
    assert!(is_live(&world, &world.credentials, &owner).await);
    let table = database.own_table("credentials");
    database.run(&format!("DROP TABLE {table}")).await;
    assert!(is_live(&world, &world.credentials, &owner).await, "a token that is known to be good needs no table");
    let error = world.credentials.access_token(&other).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Store(_)), "{error:?}");
    assert_eq!(spent(&world), (1, 0), "nothing is sent that could not be written down");
    let store = SqlCredentialStore::open(database.engine().await, OwnCredentials::new()).await.unwrap();
    let differences = store.check().await.unwrap();
    assert!(differences.iter().any(|difference| difference.breaking), "{differences:?}");
    store.migrate(START).await.unwrap();
    assert_eq!(store.check().await.unwrap(), []);
    let error = world.credentials.access_token(&other).await.unwrap_err();
    assert!(matches!(error, CredentialsError::NotFound), "{error:?}");
}

async fn tables_of_another_version_are_not_opened(database: Database) {
    let (world, [owner, _]) = expired(&database).await;
    let later = format!(
        "INSERT INTO {0} SELECT schema, version + 1, 'later', checksum, applied_at FROM {0} WHERE schema = 'credentials'",
        database.own_table("migrations")
    );
    database.run(&later).await;
    let opened = open(database.engine().await).await.map(|_| ());
    assert!(matches!(opened, Err(StoreError::Unfit(_))), "{opened:?}");
    assert!(is_live(&world, &world.credentials, &owner).await, "a service that runs goes on");
}

#[cfg(feature = "postgres")]
mod rights {
    use std::sync::Arc;

    use super::super::{LONG, Meanwhile, service};
    use super::*;
    use crate::support::roles::Role;

    async fn role(database: &Database) -> (Role<'_>, Arc<dyn keyward::store::credentials::CredentialStore>) {
        let role = Role::new(database, "reader").await;
        role.may_use("keyward").await;
        let store = SqlCredentialStore::open(role.postgres().await, OwnCredentials::new()).await.unwrap();
        (role, Arc::new(store))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_role_that_only_reads_hands_out_what_is_good_and_sends_nothing() {
        let database = Database::postgres().await;
        let (world, [owner, other]) = expired(&database).await;
        assert!(is_live(&world, &world.credentials, &other).await);
        let (role, store) = role(&database).await;
        database.run(&format!("REVOKE INSERT, UPDATE, DELETE ON keyward.credentials FROM {}", role.name)).await;
        let credentials = world.another_process(&store, 8);
        assert!(is_live(&world, &credentials, &other).await);
        let error = credentials.access_token(&owner).await.unwrap_err();
        assert!(matches!(error, CredentialsError::Store(StoreError::Denied { .. })), "{error:?}");
        assert_eq!(spent(&world), (1, 0));
        drop((credentials, store));
        role.drop().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pair_that_may_not_be_stored_any_more_is_kept_until_it_may() {
        let database = Database::postgres().await;
        let (world, [owner, _]) = expired(&database).await;
        let (role, store) = role(&database).await;
        let (url, revoke) =
            (database.as_postgres().url(), format!("REVOKE UPDATE ON keyward.credentials FROM {}", role.name));
        let revokes = Meanwhile::new(move || {
            let (url, revoke) = (url.clone(), revoke.clone());
            async move {
                use sqlx::Connection as _;

                let mut owner = sqlx::PgConnection::connect(&url).await.unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(revoke)).execute(&mut owner).await.unwrap();
            }
        });
        let credentials = service(&store, &world.clock, revokes);
        let error = credentials.access_token(&owner).await.unwrap_err();
        assert!(matches!(error, CredentialsError::Unsaved), "{error:?}");
        database.run(&format!("GRANT UPDATE ON keyward.credentials TO {}", role.name)).await;
        assert_eq!(credentials.settle(LONG).await, 0);
        assert!(is_live(&world, &another(&world), &owner).await, "it is in the store");
        assert_eq!(spent(&world), (1, 0));
        drop((credentials, store));
        role.drop().await;
    }
}
