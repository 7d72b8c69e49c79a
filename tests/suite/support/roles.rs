//! Database roles for tests: each of a test's own, and with no right but what everybody has.

use keyward::Postgres;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::support::Database;

/// A role, gone when the test has ended well.
#[derive(Debug)]
pub(crate) struct Role<'d> {
    database: &'d Database,
    pub(crate) name: String,
}

impl<'d> Role<'d> {
    /// `kind` tells the roles of one test from each other.
    pub(crate) async fn new(database: &'d Database, kind: &str) -> Self {
        let name = database.text(&format!("SELECT '{kind}_' || current_database()")).await.unwrap();
        // From PostgreSQL 15 on nobody may create in `public` anyway.
        database.run(&format!("CREATE ROLE {name}; REVOKE CREATE ON SCHEMA public FROM PUBLIC")).await;
        Self { database, name }
    }

    pub(crate) async fn may_use(&self, schema: &str) {
        let name = &self.name;
        let grant = format!(
            "GRANT USAGE ON SCHEMA {schema} TO {name};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {name}"
        );
        self.database.run(&grant).await;
    }

    /// Runs plain SQL as this role.
    pub(crate) async fn run(&self, sql: &str) {
        self.try_run(sql).await.unwrap();
    }

    /// As [`run`](Self::run), for what the database may refuse.
    pub(crate) async fn try_run(&self, sql: &str) -> Result<(), String> {
        self.database.try_run(&format!("SET ROLE {}; {sql}", self.name)).await
    }

    /// The engine of a service that connects as this role.
    pub(crate) async fn postgres(&self) -> Postgres {
        let options: PgConnectOptions = self.database.as_postgres().url().parse().unwrap();
        let options = options.options([("role", &self.name)]);
        let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
        let role: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(&pool).await.unwrap();
        assert_eq!(role, self.name);
        Postgres::new(pool)
    }

    pub(crate) async fn drop(self) {
        self.database.run(&format!("DROP OWNED BY {0} CASCADE; DROP ROLE {0}", self.name)).await;
    }
}
