//! From a URL to an engine that is chosen at run time, and what is said about URLs that lead to none.

use std::error::Error;
use std::fmt::Write as _;

use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::sql::ConnectError;
use keyward::{Engine, Keys, SqlKeyStore};

use crate::support::{START, TestSchema};

/// All that an error says, to whoever prints it in whatever way.
fn everything_said(error: &impl Error) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(said, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    said
}

/// What was lost while a store was boxed: the engine is a value, and each store on it migrates and checks.
async fn assert_serves<S: TestSchema>(engine: &Engine) {
    let store = SqlKeyStore::open(engine, S::schema()).await.unwrap();
    assert!(!store.check().await.unwrap().is_empty());
    assert_eq!(store.migrate(START).await.unwrap().len(), S::migrations().len());
    assert_eq!(store.check().await.unwrap(), []);
    assert_eq!(store.migrate(START).await.unwrap(), []);
    let keys = Keys::builder(store).build();
    let issued = keys.issue(S::draft("acme")).await.unwrap();
    let again = SqlKeyStore::open(engine.clone(), S::schema()).await.unwrap();
    Keys::builder(again).build().verify(issued.secret.expose_secret()).await.unwrap();
}

async fn refused(url: &str) -> ConnectError {
    match Engine::connect(url).await {
        Ok(engine) => panic!("{url} led to {engine:?}"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_of_no_engine_is_refused_with_those_that_there_are() {
    for url in ["", "keys.db", "mysql://host/db", "SQLITE:keys.db"] {
        let error = refused(url).await;
        assert!(matches!(error, ConnectError::UnknownScheme), "{url}: {error:?}");
        assert!(error.to_string().contains("postgres://") && error.to_string().contains("sqlite:"), "{error}");
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::path::Path;

    use super::{ConnectError, Engine, Scraper, Standard, assert_serves, everything_said, refused};

    fn journal_mode(path: &Path) -> String {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_engine_that_a_url_names_serves_every_schema() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("keys.db");
        for url in [format!("sqlite:{}?mode=rwc", file.display()), "sqlite::memory:".to_owned()] {
            let engine = Engine::connect(&url).await.unwrap();
            assert_serves::<Standard>(&engine).await;
            assert_serves::<Scraper>(&engine).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_missing_file_is_named_and_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("keys.db");
        for url in [
            format!("sqlite:{}", file.display()),
            format!("sqlite://{}", file.display()),
            format!("sqlite:{}?mode=rw", file.display()),
        ] {
            let error = refused(&url).await;
            assert!(matches!(&error, ConnectError::MissingFile { path } if *path == file), "{url}: {error:?}");
            assert!(error.to_string().contains("?mode=rwc"), "{error}");
            assert!(!file.exists());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_that_was_asked_for_is_made_with_a_write_ahead_log() {
        let directory = tempfile::tempdir().unwrap();
        for (number, start) in ["sqlite:", "sqlite://"].into_iter().enumerate() {
            let file = directory.path().join(format!("{number}.db"));
            let engine = Engine::connect(&format!("{start}{}?mode=rwc", file.display())).await.unwrap();
            assert!(matches!(engine, Engine::Sqlite(_)));
            assert_eq!(journal_mode(&file), "wal");
            drop(engine);
            // By now it is there.
            assert_serves::<Standard>(&Engine::connect(&format!("{start}{}", file.display())).await.unwrap()).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_of_the_hosts_keeps_its_journal_mode() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("app.db");
        rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE of_the_host (id)").unwrap();
        assert_eq!(journal_mode(&file), "delete");
        let engine = Engine::connect(&format!("sqlite:{}", file.display())).await.unwrap();
        assert_serves::<Standard>(&engine).await;
        assert_eq!(journal_mode(&file), "delete");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_path_is_percent_decoded() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("my keys #1?&%ü.db");
        let encoded = format!("{}/my%20keys%20%231%3F%26%25%C3%BC.db", directory.path().display());
        let engine = Engine::connect(&format!("sqlite:{encoded}?mode=rwc")).await.unwrap();
        assert_serves::<Standard>(&engine).await;
        let made: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(made.contains(&file), "{made:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_database_in_memory_is_its_engines_own() {
        let engine = Engine::connect("sqlite::memory:").await.unwrap();
        assert_serves::<Standard>(&engine).await;
        // A second one finds nothing of the first.
        assert_serves::<Standard>(&Engine::connect("sqlite::memory:").await.unwrap()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_parameter_that_is_not_kept_is_refused_with_the_right_form() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("keys.db");
        for (parameters, name, right) in [
            ("cache=shared", "cache", "?mode=rwc"),
            ("immutable=1", "immutable", "?mode=rwc"),
            ("mode=rwc&vfs=unix", "vfs", "?mode=rwc"),
            ("mode=ro", "mode", "mode=rw"),
            ("mode=create", "mode", "rwc"),
            ("key=s3cr3t", "key", "?mode=rwc"),
        ] {
            let error = refused(&format!("sqlite:{}?{parameters}", file.display())).await;
            assert!(
                matches!(&error, ConnectError::UnsupportedParameter { parameter, .. } if parameter == name),
                "{parameters}: {error:?}"
            );
            let message = error.to_string();
            assert!(message.contains(name) && message.contains(right), "{parameters}: {message}");
            assert!(!everything_said(&error).contains("s3cr3t"));
            assert!(!file.exists());
        }
        for url in ["sqlite:", "sqlite://", "sqlite:?mode=rwc"] {
            let error = refused(url).await;
            assert!(matches!(error, ConnectError::InvalidUrl { .. }), "{url}: {error:?}");
            assert!(error.to_string().contains("sqlite:PATH"), "{error}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_no_database_is_unavailable() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("letter.txt");
        std::fs::write(&file, "Dear reader, this is no database at all, but it is long enough to look at. ".repeat(99))
            .unwrap();
        for path in [directory.path(), &file] {
            let error = refused(&format!("sqlite:{}", path.display())).await;
            assert!(matches!(error, ConnectError::Unavailable { backend: "SQLite", .. }), "{error:?}");
            assert!(error.source().is_some(), "the cause is named");
        }
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("Dear reader"));
    }

    use std::error::Error as _;
}

#[cfg(feature = "postgres")]
mod postgres {
    use keyward::SqlKeyStore;

    use super::{ConnectError, Engine, Scraper, Standard, assert_serves, everything_said, refused};
    use crate::support::Database;

    async fn url() -> (Database, String) {
        let database = Database::postgres().await;
        let url = database.as_postgres().url();
        (database, url)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_engine_that_a_url_names_serves_every_schema() {
        let (_database, url) = url().await;
        let engine = Engine::connect(&url).await.unwrap();
        assert!(matches!(engine, Engine::Postgres(_)));
        assert_serves::<Standard>(&engine).await;
        assert_serves::<Scraper>(&engine).await;
        let (_start, rest) = url.split_once("://").unwrap();
        let engine = Engine::connect(&format!("postgresql://{rest}")).await.unwrap();
        SqlKeyStore::open(engine, Standard::new("acme").unwrap()).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_password_is_ever_in_an_error() {
        let (_database, url) = url().await;
        let (_, rest) = url.split_once('@').unwrap();
        let (host, _) = rest.split_once('/').unwrap();
        let unavailable = [
            "postgres://ada:s3cr3t@127.0.0.1:1/keys".to_owned(),
            "postgres://ada:s3cr3t@no-such-host.invalid/keys".to_owned(),
            format!("postgres://postgres:s3cr3t@{host}/no_such_database"),
            format!("postgres://no_such_role:s3cr3t@{host}/postgres"),
        ];
        for url in unavailable {
            let error = refused(&url).await;
            assert!(matches!(error, ConnectError::Unavailable { backend: "PostgreSQL", .. }), "{url}: {error:?}");
            assert!(!everything_said(&error).contains("s3cr3t"), "{}", everything_said(&error));
        }
        for url in [
            "postgres://ada:s3cr3t@host:port/keys",
            "postgres://ada:s3cr3t@[/keys",
            "postgres://ada:s3cr3t@host/k?sslmode=s3cr3t",
        ] {
            let error = refused(url).await;
            assert!(matches!(error, ConnectError::InvalidUrl { .. }), "{url}: {error:?}");
            assert!(!everything_said(&error).contains("s3cr3t"), "{}", everything_said(&error));
            assert!(error.to_string().contains("postgres://"), "the right form is shown: {error}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_an_engine_and_its_store_print_shows_no_password() {
        let (database, url) = url().await;
        let (_, rest) = url.split_once('@').unwrap();
        let role = format!("ada_{:016x}", std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ()));
        database.run(&format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 's3cr3t'")).await;
        let engine = Engine::connect(&format!("postgres://{role}:s3cr3t@{rest}")).await.unwrap();
        let store = SqlKeyStore::open(&engine, Standard::new("acme").unwrap()).await.unwrap();
        for shown in [format!("{engine:?}"), format!("{store:?}"), format!("{store:#?}")] {
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
        database.run(&format!("DROP ROLE {role}")).await;
    }
}
