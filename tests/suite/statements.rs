//! Every statement of every schema: listed for review in `tests/snapshots/statements.sql`, and known to its engine. Those on
//! credentials stand in `tests/snapshots/credential_statements.sql`.
//!
//! `KEYWARD_UPDATE_SNAPSHOTS=1 cargo test --all-features` writes the list anew after a statement was changed on purpose.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use keyward::schemas::aggregator::Aggregator;
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::sql::{SqlSchema, StatementText};

use crate::support::{Database, Fixture, TestSchema, over_every_schema};

over_every_schema![every_engine: every_statement_is_understood_by_its_engine];

/// When it is set, the list is written instead of compared.
const UPDATE: &str = "KEYWARD_UPDATE_SNAPSHOTS";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn snapshot(name: &str) -> PathBuf {
    root().join("tests/snapshots").join(name)
}

fn every_statement() -> [(&'static str, Vec<StatementText>); 4] {
    fn of<S: SqlSchema>() -> (&'static str, Vec<StatementText>) {
        (S::NAME, S::statements())
    }
    [of::<Standard>(), of::<Scraper>(), of::<Mesh>(), of::<Aggregator>()]
}

/// The statements one after the other, without the indentation that they have in the source.
fn listed<'s>(of: &str, all: impl IntoIterator<Item = (&'s str, Vec<StatementText>)>) -> String {
    let mut list = format!(
        "-- Every statement that keyward runs on tables of {of}, by schema, name and engine.\n\
         -- KEYWARD_UPDATE_SNAPSHOTS=1 cargo test --all-features writes this file anew.\n",
    );
    for (schema, statements) in all {
        for StatementText { name, postgres, sqlite, .. } in statements {
            for (engine, text) in [("PostgreSQL", postgres), ("SQLite", sqlite)] {
                write!(list, "\n-- {schema}: {name} ({engine})\n{};\n", outdented(text)).unwrap();
            }
        }
    }
    list
}

fn outdented(text: &str) -> String {
    let lines = || text.trim_matches('\n').trim_end().lines();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let least = lines().filter(|line| !line.trim().is_empty()).map(depth).min().unwrap_or(0);
    lines().map(|line| line.get(least..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_list_of_statements_is_as_it_was_reviewed() {
    compare("statements.sql", &listed("keys", every_statement()));
    #[cfg(feature = "credentials")]
    compare("credential_statements.sql", &listed("credentials", credentials::every_statement()));
    #[cfg(feature = "broker")]
    compare("grant_statements.sql", &listed("an authorization server", grants::every_statement()));
}

fn compare(file: &str, listed: &str) {
    let snapshot = snapshot(file);
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        fs::create_dir_all(snapshot.parent().unwrap()).unwrap();
        fs::write(&snapshot, listed).unwrap();
    }
    let reviewed = fs::read_to_string(&snapshot).unwrap_or_default();
    let first_difference = listed.lines().zip(reviewed.lines()).position(|(now, then)| now != then);
    assert!(
        listed == reviewed,
        "the statements differ from {}, first in line {}: review them and set {UPDATE}=1",
        snapshot.display(),
        first_difference.unwrap_or_else(|| listed.lines().count().min(reviewed.lines().count())) + 1,
    );
}

#[test]
fn no_two_statements_of_a_schema_share_a_name() {
    for (schema, statements) in every_statement() {
        assert!(statements.len() > 10, "{schema} has {} statements", statements.len());
        let mut names = HashSet::new();
        for StatementText { name, .. } in &statements {
            assert!(names.insert(name), "{schema} has two statements called {name}");
        }
    }
}

/// A statement that stands in the source and not in the list would be reviewed by nobody.
#[test]
fn every_statement_in_the_source_is_listed() {
    let listed: HashSet<&str> = every_statement()
        .iter()
        .flat_map(|(_, statements)| statements.iter().flat_map(|statement| [statement.postgres, statement.sqlite]))
        .collect();
    #[cfg(feature = "credentials")]
    let credentials = credentials::every_statement();
    #[cfg(feature = "credentials")]
    let listed: HashSet<&str> = listed
        .into_iter()
        .chain(credentials.iter().flat_map(|(_, all)| all.iter().flat_map(|one| [one.postgres, one.sqlite])))
        .collect();
    let mut found = 0;
    // The one in `store.rs` asks for tables, and not for keys.
    let shared = ["src/sql/keys/host.rs", "src/sql/keys/rotation.rs"].map(|file| root().join(file));
    for file in sources(&root().join("src/schemas")).into_iter().chain(shared) {
        if cfg!(not(feature = "credentials")) && file.components().any(|part| part.as_os_str() == "credentials") {
            continue;
        }
        let source = fs::read_to_string(&file).unwrap();
        for text in ["postgres: \"", "sqlite: \""].into_iter().flat_map(|field| source.split(field).skip(1)) {
            let literal = literal(text);
            // Those of the tables make what migrations make, which other tests compare.
            let is_read_or_change = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"]
                .iter()
                .any(|verb| literal.trim_start().starts_with(verb));
            if is_read_or_change {
                assert!(
                    listed.contains(literal.as_str()),
                    "{} has a statement that is not listed:{literal}",
                    file.display()
                );
                found += 1;
            }
        }
    }
    assert!(found > 100, "only {found} statements were found in the source");
}

/// A string literal from behind its first quote.
fn literal(text: &str) -> String {
    let mut literal = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => literal.extend(characters.next()),
            _ => literal.push(character),
        }
    }
    literal
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

async fn every_statement_is_understood_by_its_engine<S: TestSchema>(fixture: Fixture<S>) {
    match fixture.database() {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(database) => {
            let connection = database.connection();
            assert!(connection.prepare("SELECT no_such_column FROM sqlite_schema").is_err(), "a typo is found");
            for statement in S::statements() {
                let prepared = connection.prepare(statement.sqlite);
                assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
            }
        }
        #[cfg(feature = "postgres")]
        Database::Postgres(database) => {
            use sqlx::{Executor as _, SqlSafeStr as _};

            let pool = database.pool().await;
            let typo = pool.prepare("SELECT no_such_column FROM pg_catalog.pg_class".into_sql_str()).await;
            assert!(typo.is_err(), "a typo is found");
            for statement in S::statements() {
                let prepared = pool.prepare(statement.postgres.into_sql_str()).await;
                assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
            }
        }
    }
}

/// Those of every layout of credentials.
#[cfg(feature = "credentials")]
mod credentials {
    use keyward::credential::ClientId;
    use keyward::schemas::aggregator::AggregatorCredentials;
    use keyward::sql::{CredentialLayout, OwnCredentials, StatementText};

    use crate::support::Database;
    use crate::support::schemas::aggregator::{BESIDE_THE_TABLE, WITH_ENCRYPTED_TOKENS, WITH_PLAINTEXT_TOKENS};

    fn layouts() -> Vec<(&'static str, AggregatorCredentials, String, String)> {
        let client = || ClientId::new("https://app.example/client.json").unwrap();
        let (text, bytes) = (WITH_PLAINTEXT_TOKENS, WITH_ENCRYPTED_TOKENS);
        let on = |table: crate::support::schemas::aggregator::Table| {
            // The source knows the schema of the extension by its own name.
            let beside = BESIDE_THE_TABLE.replace(
                "CREATE EXTENSION IF NOT EXISTS pgcrypto",
                "CREATE SCHEMA pgcrypto; CREATE EXTENSION pgcrypto SCHEMA pgcrypto",
            );
            let keys = "CREATE TABLE encryption_keys (id INTEGER PRIMARY KEY, key_data BLOB NOT NULL);
                        CREATE TABLE oauth_sessions (did TEXT, session_id TEXT);";
            (format!("{} {beside}", table.postgres), format!("{} {keys}", table.sqlite))
        };
        let all = [
            ("aggregator_credentials, in text", AggregatorCredentials::in_text(client()), text),
            ("aggregator_credentials, in bytes", AggregatorCredentials::in_bytes(client()), bytes),
            (
                "aggregator_credentials, in bytes being taken over",
                AggregatorCredentials::in_bytes(client()).taking_over(),
                bytes,
            ),
            ("aggregator_credentials, beside upstream", AggregatorCredentials::beside_upstream(client()), bytes),
        ];
        all.map(|(name, layout, table)| {
            let (postgres, sqlite) = on(table);
            (name, layout, postgres, sqlite)
        })
        .into()
    }

    pub(super) fn every_statement() -> Vec<(&'static str, Vec<StatementText>)> {
        let own = ("credentials", OwnCredentials::new().statements());
        std::iter::once(own)
            .chain(layouts().into_iter().map(|(name, layout, ..)| (name, layout.statements())))
            .collect()
    }

    fn tables_of_ours(layout: &impl CredentialLayout, postgres: bool) -> String {
        let made = layout.migrations().iter().map(|one| if postgres { one.postgres() } else { one.sqlite() });
        let schema = if postgres { "CREATE SCHEMA IF NOT EXISTS keyward;" } else { "" };
        format!("{schema} {}", made.collect::<Vec<_>>().join(";"))
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn every_statement_is_understood_by_sqlite() {
        let prepare = |layout: &dyn Fn(&rusqlite::Connection), statements: Vec<StatementText>| {
            let database = Database::sqlite();
            let connection = database.as_sqlite().connection();
            layout(&connection);
            for statement in statements {
                let prepared = connection.prepare(statement.sqlite);
                assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
            }
        };
        let own = OwnCredentials::new();
        prepare(&|connection| connection.execute_batch(&tables_of_ours(&own, false)).unwrap(), own.statements());
        for (_, layout, _, tables) in layouts() {
            let all = format!("{tables} {}", tables_of_ours(&layout, false));
            prepare(&|connection| connection.execute_batch(&all).unwrap(), layout.statements());
        }
    }

    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn every_statement_is_understood_by_postgres() {
        use sqlx::{Executor as _, SqlSafeStr as _};

        let own = OwnCredentials::new();
        let mut all = vec![(tables_of_ours(&own, true), own.statements())];
        for (_, layout, tables, _) in layouts() {
            all.push((format!("{tables} {}", tables_of_ours(&layout, true)), layout.statements()));
        }
        for (tables, statements) in all {
            let database = Database::postgres().await;
            database.run(&tables).await;
            let pool = database.as_postgres().pool().await;
            for statement in statements {
                let prepared = pool.prepare(statement.postgres.into_sql_str()).await;
                assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
            }
        }
    }
}

/// Those of grants.
#[cfg(feature = "broker")]
mod grants {
    use std::collections::HashSet;
    use std::fs;

    use keyward::sql::{BrokerTables, SqlGrantStore, StatementText};

    use crate::support::{Database, START};

    pub(super) fn every_statement() -> [(&'static str, Vec<StatementText>); 1] {
        [("broker", BrokerTables::new().statements())]
    }

    #[test]
    fn every_statement_in_the_source_is_listed_once() {
        let statements = BrokerTables::new().statements();
        let names: HashSet<_> = statements.iter().map(|statement| statement.name.as_str()).collect();
        assert_eq!(names.len(), statements.len());
        let listed: HashSet<_> = statements.iter().flat_map(|one| [one.postgres, one.sqlite]).collect();
        let mut found = 0;
        for file in super::sources(&super::root().join("src/sql/grants/statements")) {
            let source = fs::read_to_string(&file).unwrap();
            for text in ["postgres: \"", "sqlite: \""].into_iter().flat_map(|field| source.split(field).skip(1)) {
                let literal = super::literal(text);
                assert!(listed.contains(literal.as_str()), "{} has one that is not listed:{literal}", file.display());
                found += 1;
            }
        }
        assert_eq!(found, statements.len() * 2);
    }

    async fn made(database: &Database) {
        let store = SqlGrantStore::open(database.engine().await, BrokerTables::new()).await.unwrap();
        store.migrate(START).await.unwrap();
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn every_statement_is_understood_by_sqlite() {
        let database = Database::sqlite();
        made(&database).await;
        let connection = database.as_sqlite().connection();
        for statement in BrokerTables::new().statements() {
            let prepared = connection.prepare(statement.sqlite);
            assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
        }
    }

    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn every_statement_is_understood_by_postgres() {
        use sqlx::{Executor as _, SqlSafeStr as _};

        let database = Database::postgres().await;
        made(&database).await;
        let pool = database.as_postgres().pool().await;
        for statement in BrokerTables::new().statements() {
            let prepared = pool.prepare(statement.postgres.into_sql_str()).await;
            assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
        }
    }
}
