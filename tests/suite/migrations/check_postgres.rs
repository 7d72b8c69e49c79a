//! Differences that only PostgreSQL's tables can have.

use keyward::key::Draft;
use keyward::schemas::scraper::Scraper;

use super::check::assert_differences;
use crate::support::{START, TestSchema as _};

type Fixture = crate::support::Fixture<Scraper>;

fn draft() -> Draft<Scraper> {
    Scraper::draft("acme")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_that_the_service_itself_made_does_not_differ() {
    let fixture = Fixture::bare_postgres().await;
    let missing = |table| (table, "a table", "none", false);
    assert_differences(&fixture, &[missing("keyward.revocations"), missing("keyward.rotations")]).await;
    fixture.sql().migrate(START).await.unwrap();
    assert_differences(&fixture, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_another_length_is_not_breaking() {
    let fixture = Fixture::postgres().await;
    fixture.database().run("ALTER TABLE api_keys ALTER COLUMN name TYPE text").await;
    let (expected, found) = ("character varying(255)", "text");
    assert_differences(&fixture, &[("api_keys.name", expected, found, false)]).await;
    fixture.keys.issue(draft()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_too_short_for_its_values_is_named() {
    let fixture = Fixture::postgres().await;
    fixture.database().run("ALTER TABLE api_keys ALTER COLUMN key_hash TYPE varchar(32)").await;
    let (expected, found) = ("character varying(64)", "character varying(32)");
    fixture.keys.issue(draft()).await.unwrap_err();
    assert_differences(&fixture, &[("api_keys.key_hash", expected, found, true)]).await;
}

/// The server pads what is shorter; what was written is read all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_fixed_length_is_read_without_its_padding() {
    let fixture = Fixture::postgres().await;
    fixture.database().run("ALTER TABLE api_keys ALTER COLUMN client_id TYPE char(255)").await;
    let (expected, found) = ("character varying(255)", "character(255)");
    let issued = fixture.keys.issue(draft()).await.unwrap();
    let accepted = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(accepted.owner().as_str(), "acme");
    assert_eq!(fixture.keys.of(accepted.owner()).list(5, None).await.unwrap().keys.len(), 1);
    assert_differences(&fixture, &[("api_keys.client_id", expected, found, false)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extra_column_that_numbers_itself_is_not_breaking() {
    let fixture = Fixture::postgres().await;
    fixture.database().run("ALTER TABLE api_keys ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY").await;
    fixture.keys.issue(draft()).await.unwrap();
    assert_differences(&fixture, &[("api_keys.number", "no column", "a column", false)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_that_carries_another_column_along_is_the_same_unique() {
    let fixture = Fixture::postgres().await;
    let covering = "ALTER TABLE api_keys DROP CONSTRAINT api_keys_key_hash_key, \
                    ADD UNIQUE (key_hash) INCLUDE (client_id)";
    fixture.database().run(covering).await;
    assert_differences(&fixture, &[]).await;
}
