//! One test's own database, of either engine.

use keyward::Engine;

#[cfg(feature = "postgres")]
use super::postgres;
#[cfg(feature = "sqlite")]
use super::sqlite;

/// A database that only one test knows.
#[derive(Debug)]
pub(crate) enum Database {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Database),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Database),
}

impl Database {
    #[cfg(feature = "sqlite")]
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(sqlite::Database::new())
    }

    #[cfg(feature = "postgres")]
    pub(crate) async fn postgres() -> Self {
        Self::Postgres(postgres::Database::new().await)
    }

    pub(crate) fn is_postgres(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
        }
    }

    /// The PostgreSQL database, where the test runs over no other engine.
    #[cfg(feature = "postgres")]
    pub(crate) fn as_postgres(&self) -> &postgres::Database {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => panic!("not PostgreSQL"),
            Self::Postgres(database) => database,
        }
    }

    /// The SQLite file, where the test runs over no other engine.
    #[cfg(feature = "sqlite")]
    pub(crate) fn as_sqlite(&self) -> &sqlite::Database {
        match self {
            Self::Sqlite(database) => database,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => panic!("not SQLite"),
        }
    }

    /// An engine with connections of its own, as another process has one.
    pub(crate) async fn engine(&self) -> Engine {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(database) => keyward::Sqlite::open(database.path()).unwrap().into(),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => patient(keyward::Postgres::new(database.pool().await)).into(),
        }
    }

    /// Runs plain SQL, several statements too, as another program would.
    pub(crate) async fn run(&self, sql: &str) {
        self.try_run(sql).await.unwrap();
    }

    /// As [`run`](Self::run), for what the database may refuse.
    pub(crate) async fn try_run(&self, sql: &str) -> Result<(), String> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(database) => database.connection().execute_batch(sql).map_err(|error| error.to_string()),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => {
                let pool = database.pool().await;
                let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await;
                pool.close().await;
                done.map(|_| ()).map_err(|error| error.to_string())
            }
        }
    }

    /// The only value of a query of one text column; `None` for NULL.
    pub(crate) async fn text(&self, sql: &str) -> Option<String> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(database) => database.connection().query_one(sql, [], |row| row.get(0)).unwrap(),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => {
                let pool = database.pool().await;
                let text = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&pool).await;
                pool.close().await;
                text.unwrap()
            }
        }
    }

    /// The form of a statement that this engine understands.
    pub(crate) fn dialect<'s>(&self, postgres: &'s str, sqlite: &'s str) -> &'s str {
        if self.is_postgres() { postgres } else { sqlite }
    }

    /// A table of keyward's own by its bare name.
    pub(crate) fn own_table(&self, name: &str) -> String {
        if self.is_postgres() { format!("keyward.{name}") } else { format!("keyward_{name}") }
    }

    /// Leaves the host's table alone, where there are side tables, as if keyward had never made any.
    pub(crate) async fn drop_side_tables(&self) {
        for table in ["revocations", "rotations", "migrations"] {
            self.run(&format!("DROP TABLE IF EXISTS {}", self.own_table(table))).await;
        }
    }
}

/// With time-outs that a machine which runs many tests at once does not meet.
#[cfg(feature = "postgres")]
fn patient(postgres: keyward::Postgres) -> keyward::Postgres {
    const LONG: std::time::Duration = std::time::Duration::from_secs(30);

    postgres.read_timeout(LONG).lock_timeout(LONG)
}
