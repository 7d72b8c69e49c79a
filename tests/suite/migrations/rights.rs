//! A role that may not create anything: it passes where nothing is to be made, and learns what it lacks otherwise.

use std::error::Error as _;

use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::sql::MigrateError;
use keyward::{Postgres, SqlKeyStore};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{assert_a_key_lives, migrate};
use crate::support::{Database, Fixture, TestSchema};

const NOTHING: [&str; 0] = [];

/// A role of this test's own, gone when `test` has ended well. It has what a service needs, and no right to create.
struct Role<'d> {
    database: &'d Database,
    name: String,
}

impl<'d> Role<'d> {
    async fn new(database: &'d Database) -> Self {
        let name = database.text("SELECT 'role_' || current_database()").await.unwrap();
        // From PostgreSQL 15 on nobody may create in `public` anyway.
        database.run(&format!("CREATE ROLE {name}; REVOKE CREATE ON SCHEMA public FROM PUBLIC")).await;
        Self { database, name }
    }

    async fn may_use(&self, schema: &str) {
        let name = &self.name;
        let grant = format!(
            "GRANT USAGE ON SCHEMA {schema} TO {name};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {name}"
        );
        self.database.run(&grant).await;
    }

    async fn store<S: TestSchema>(&self) -> SqlKeyStore<S> {
        let options: PgConnectOptions = self.database.as_postgres().url().parse().unwrap();
        let options = options.options([("role", &self.name)]);
        let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
        let role: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(&pool).await.unwrap();
        assert_eq!(role, self.name);
        SqlKeyStore::open(Postgres::new(pool), S::schema()).await.unwrap()
    }

    async fn drop(self) {
        self.database.run(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_create_passes_where_everything_is_there() {
    let fixture = Fixture::<Standard>::postgres().await;
    let role = Role::new(fixture.database()).await;
    role.may_use("keyward").await;
    let store = role.store::<Standard>().await;
    assert_eq!(migrate(&store).await.unwrap(), NOTHING);
    assert_a_key_lives(&store, "acme").await;
    role.drop().await;
}

/// The host has made the tables with a tool of its own, from the texts of the migrations.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_create_passes_where_nothing_was_recorded() {
    let fixture = Fixture::<Scraper>::postgres().await;
    let role = Role::new(fixture.database()).await;
    fixture.database().run("DROP TABLE keyward.migrations").await;
    role.may_use("keyward").await;
    role.may_use("public").await;
    let store = role.store::<Scraper>().await;
    assert_eq!(migrate(&store).await.unwrap(), NOTHING);
    assert_a_key_lives(&store, "acme").await;
    role.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_create_learns_it_where_something_is_missing() {
    let fixture = Fixture::<Scraper>::postgres().await;
    let role = Role::new(fixture.database()).await;
    fixture.database().run("DROP TABLE keyward.rotations").await;
    role.may_use("keyward").await;
    role.may_use("public").await;
    let refused = migrate(&role.store::<Scraper>().await).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Failed { .. }), "{refused:?}");
    let cause = refused.source().unwrap().to_string();
    assert!(cause.contains("42501"), "{cause}");
    let found = fixture.database().text("SELECT to_regclass('keyward.rotations')::text").await;
    assert_eq!(found, None);
    role.drop().await;
}
