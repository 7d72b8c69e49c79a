//! A role that may not create anything: it passes where nothing is to be made, and learns what it lacks otherwise.

use std::error::Error as _;

use keyward::SqlKeyStore;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::sql::MigrateError;

use super::{assert_a_key_lives, migrate};
use crate::support::roles::Role;
use crate::support::{Fixture, TestSchema};

const NOTHING: [&str; 0] = [];

async fn store_of<S: TestSchema>(role: &Role<'_>) -> SqlKeyStore<S> {
    SqlKeyStore::open(role.postgres().await, S::schema()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_create_passes_where_everything_is_there() {
    let fixture = Fixture::<Standard>::postgres().await;
    let role = Role::new(fixture.database(), "role").await;
    role.may_use("keyward").await;
    let store = store_of::<Standard>(&role).await;
    assert_eq!(migrate(&store).await.unwrap(), NOTHING);
    assert_a_key_lives(&store, "acme").await;
    role.drop().await;
}

/// The host has made the tables with a tool of its own, from the texts of the migrations.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_create_passes_where_nothing_was_recorded() {
    let fixture = Fixture::<Scraper>::postgres().await;
    let role = Role::new(fixture.database(), "role").await;
    fixture.database().run("DROP TABLE keyward.migrations").await;
    role.may_use("keyward").await;
    role.may_use("public").await;
    let store = store_of::<Scraper>(&role).await;
    assert_eq!(migrate(&store).await.unwrap(), NOTHING);
    assert_a_key_lives(&store, "acme").await;
    role.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_create_learns_it_where_something_is_missing() {
    let fixture = Fixture::<Scraper>::postgres().await;
    let role = Role::new(fixture.database(), "role").await;
    fixture.database().run("DROP TABLE keyward.rotations").await;
    role.may_use("keyward").await;
    role.may_use("public").await;
    let refused = migrate(&store_of::<Scraper>(&role).await).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Failed { .. }), "{refused:?}");
    let cause = refused.source().unwrap().to_string();
    assert!(cause.contains("42501"), "{cause}");
    let found = fixture.database().text("SELECT to_regclass('keyward.rotations')::text").await;
    assert_eq!(found, None);
    role.drop().await;
}
