//! The engines from outside: the same tests on each, and what is particular to one.

mod adoption;
mod migrations;
#[cfg(feature = "postgres")]
mod postgres;
mod scripts;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod sqlite_waiting;
mod values;

use crate::sql::engine::{Engine, Query, Script, Sql, Statement, Step};

/// What a migration applies that finds nothing to do.
const NOTHING: [u32; 0] = [];

/// Runs `test` on a SQLite file, on a SQLite database in memory, and on a PostgreSQL database of its own if
/// `KEYWARD_TEST_POSTGRES_URL` names a server.
async fn on_each<F: Future<Output = ()> + Send>(test: impl Fn(Engine) -> F + Send + Sync) {
    #[cfg(feature = "sqlite")]
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.db");
        test(Engine::connect(&format!("sqlite:{}?mode=rwc", path.display())).await.unwrap()).await;
        test(Engine::connect("sqlite::memory:").await.unwrap()).await;
    }
    #[cfg(feature = "postgres")]
    {
        let test = &test;
        let run = async move |url: String| {
            let postgres = super::Postgres::connect(&url).await.unwrap();
            test(postgres.clone().into()).await;
            postgres.pool().close().await;
        };
        postgres::on_own_database(run).await;
    }
}

/// Runs statements without arguments.
async fn batch(engine: &Engine, postgres: &'static str, sqlite: &'static str) {
    engine.run(Script::<()>::new([Step::batch(Sql { postgres, sqlite })])).await.unwrap();
}

/// How many rows a query finds.
async fn count(engine: &Engine, query: &'static Query) -> usize {
    engine.read(query, &[], |_| ()).await.unwrap().len()
}

/// The same text on both engines, without arguments.
const fn both(sql: &'static str) -> Sql {
    Sql { postgres: sql, sqlite: sql }
}

fn statement(sql: &'static str) -> Statement {
    Statement::new(both(sql), [])
}
