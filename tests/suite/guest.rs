//! A good guest: what the host has chosen (schemas, roles, isolation levels, journal modes, identities) stays as it is,
//! and is worked with.

#[cfg(feature = "postgres")]
mod postgres {
    use keyward::key::OwnerId;
    use keyward::schemas::scraper::Scraper;
    use keyward::sql::AppliedMigration;
    use keyward::store::{KeyStore as _, RevokeAllRequest, StoreError};
    use keyward::{Keys, Postgres, SqlKeyStore};
    use sqlx::postgres::{PgPool, PgPoolOptions};
    use sqlx::{Connection as _, Executor as _};

    use crate::support::postgres::Database;
    use crate::support::schemas::scraper::UPSTREAM_API_KEYS;
    use crate::support::{START, TestSchema as _};

    async fn open(pool: &PgPool) -> (SqlKeyStore<Scraper>, Keys<Scraper>) {
        let store = SqlKeyStore::open(Postgres::new(pool.clone()), Scraper::new()).await.unwrap();
        (store.clone(), Keys::builder(store).build())
    }

    fn names(applied: &[AppliedMigration]) -> Vec<&'static str> {
        applied.iter().map(|migration| migration.name).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_anywhere_in_the_search_path_is_found_and_not_hidden_by_a_new_one() {
        let database = Database::new().await;
        let pool = database.pool().await;
        pool.execute("CREATE SCHEMA app").await.unwrap();
        pool.execute(UPSTREAM_API_KEYS).await.unwrap();
        let (_, keys) = open(&pool).await;
        let issued = keys.issue(Scraper::draft("acme")).await.unwrap();

        let options = (*pool.connect_options()).clone().options([("search_path", "app,public")]);
        let pool = PgPoolOptions::new().connect_with(options).await.unwrap();
        let (store, keys) = open(&pool).await;
        assert_eq!(names(&store.migrate(START).await.unwrap()), ["side_tables"], "only what is missing is made");
        let tables =
            "SELECT string_agg(table_schema, ' ') FROM information_schema.tables WHERE table_name = 'api_keys'";
        let found: String = sqlx::query_scalar(tables).fetch_one(&pool).await.unwrap();
        assert_eq!(found, "public", "the host's table was taken as it is, and none was made beside it");
        keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert_eq!(store.check().await.unwrap(), []);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_role_that_may_not_make_tables_passes_where_there_is_nothing_to_make() {
        let database = Database::new().await;
        let pool = database.pool().await;
        let (store, _) = open(&pool).await;
        store.migrate(START).await.unwrap();
        let role = "REVOKE CREATE ON SCHEMA public FROM PUBLIC; SET ROLE pg_read_all_data";
        let options = PgPoolOptions::new()
            .max_connections(1)
            .after_connect(move |connection, _| Box::pin(async move { connection.execute(role).await.map(|_| ()) }));
        let pool = options.connect_with((*pool.connect_options()).clone()).await.unwrap();
        let (weak, _) = open(&pool).await;
        assert!(pool.execute("CREATE TABLE forbidden (id int)").await.is_err(), "the role is weak");
        assert_eq!(weak.migrate(START).await.unwrap(), []);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_keys_are_revoked_whatever_the_databases_default_isolation() {
        let database = Database::new().await;
        let pool = database.pool().await;
        let (store, keys) = open(&pool).await;
        store.migrate(START).await.unwrap();
        let strict = {
            let options = (*pool.connect_options()).clone();
            let options = options.options([("default_transaction_isolation", "repeatable read")]);
            PgPoolOptions::new().connect_with(options).await.unwrap()
        };
        let (_, revoking) = open(&strict).await;
        let acme = OwnerId::new("acme").unwrap();

        // The host holds the owner's lock with a key that is not committed yet, while all keys are being revoked.
        let mut host = pool.begin().await.unwrap();
        let prepared = keys.prepare(Scraper::draft("acme")).unwrap();
        let receipt = store.within(&mut host).issue(prepared).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { revoking.revoke_all(&acme, None).await });
        let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&pool).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        host.commit().await.unwrap();
        let issued = keys.committed(receipt);
        let revoked = tasks.join_next().await.unwrap().unwrap();
        assert_eq!(revoked.unwrap().count, 1, "the key that was waited for is revoked too");
        assert!(keys.verify(issued.secret.expose_secret()).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn keys_are_not_revoked_in_a_transaction_that_may_not_see_them_all() {
        let database = Database::new().await;
        let pool = database.pool().await;
        let (store, keys) = open(&pool).await;
        store.migrate(START).await.unwrap();
        let issued = keys.issue(Scraper::draft("acme")).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        let mut host = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
        let request = RevokeAllRequest::new(issued.record.head.owner.clone(), START);
        let refused = store.within(&mut host).revoke_all(&request).await;
        assert!(matches!(refused, Err(StoreError::Unsupported(_))), "{refused:?}");
        host.commit().await.unwrap();
        keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert!(store.abilities().revocation_time);
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::time::Duration;

    use keyward::key::{KeyId, OwnerId};
    use keyward::schemas::scraper::Scraper;
    use keyward::{Keys, SqlKeyStore, Sqlite};

    use crate::support::sqlite::Database;
    use crate::support::{Fixture, START, TestSchema as _};

    #[tokio::test]
    async fn an_existing_file_keeps_its_journal_mode() {
        let database = Database::new();
        database.connection().execute_batch("CREATE TABLE host (id INTEGER)").unwrap();
        let engine = Sqlite::open_existing(database.path()).unwrap();
        let store = SqlKeyStore::open(engine, Scraper::new()).await.unwrap();
        store.migrate(START).await.unwrap();
        assert_eq!(store.check().await.unwrap(), []);
        let keys = Keys::builder(store).build();
        let issued = keys.issue(Scraper::draft("acme")).await.unwrap();
        keys.verify(issued.secret.expose_secret()).await.unwrap();
        let mode: String = database.connection().query_one("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "delete");
    }

    /// Whatever is accepted can be shown, listed page by page, rotated and revoked.
    #[tokio::test]
    async fn keys_with_identities_of_the_hosts_own_making_can_be_managed() {
        for id in ["7F3A1C90AABBCCDDEEFF001122334455", "6B3C0B1E-8C1A-4D55-9A57-0123456789AB", "key 1"] {
            let fixture = Fixture::<Scraper>::sqlite().await;
            let issued = fixture.issue("acme").await;
            fixture.database().run(&format!("UPDATE api_keys SET id = '{id}'")).await;
            let accepted = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
            let head = accepted.head();
            assert_eq!(head.id, KeyId::new(id).unwrap());
            let acme = fixture.keys.of(&OwnerId::new("acme").unwrap());
            assert!(acme.list(1, Some(&head.id)).await.unwrap().keys.is_empty());
            assert_eq!(fixture.keys.flush_last_used().await.unwrap(), 1);
            let rotated = acme.rotate(&head.id, Duration::from_mins(1), None).await.unwrap();
            assert!(fixture.keys.verify(rotated.successor.secret.expose_secret()).await.is_ok());
            assert!(!acme.revoke(&head.id, None).await.unwrap().already);
            assert!(fixture.keys.verify(issued.secret.expose_secret()).await.is_err());
        }
    }

    #[tokio::test]
    async fn last_use_moves_forward_from_every_form_in_which_an_instant_is_written() {
        for (written, moves) in [
            ("2029-12-31T23:59:59Z", true),
            ("2029-12-31 23:00:00-00:30", true),
            ("no instant at all", true),
            ("2030-01-01T00:00:01Z", false),
            ("2029-12-31 23:30:00-05:00", false),
        ] {
            let fixture = Fixture::<Scraper>::sqlite().await;
            let issued = fixture.issue("acme").await;
            fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
            fixture.database().run(&format!("UPDATE api_keys SET last_used_at = '{written}'")).await;
            let moved = fixture.keys.flush_last_used().await.unwrap() == 1;
            assert_eq!(moved, moves, "{written}");
        }
    }
}
