//! Rows that change while they are read, and rows that hold what keyward does not understand.

mod copies;
mod ends_of_time;
mod immediate;
mod letters;
#[cfg(feature = "postgres")]
mod neighbours;
mod odd_values;
mod parents;
#[cfg(all(feature = "sqlite", feature = "postgres"))]
mod plans;

use std::time::Duration;

use keyward::key::{KeyId, KeyRecord};
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;

use crate::support::{Database, Fixture, TestSchema};

const HOUR: Duration = Duration::from_hours(1);

/// Whose keys they are, as far as owners are plain names.
const OWNER: &str = "did:plc:acme";

/// A schema that has a row for each key.
trait Rows: TestSchema {
    /// The table of keys.
    fn table(database: &Database) -> String;

    /// What a rotation copies, as one text.
    fn copied(database: &Database) -> &'static str;
}

impl Rows for Scraper {
    fn table(_database: &Database) -> String {
        "api_keys".to_owned()
    }

    fn copied(_database: &Database) -> &'static str {
        "name || '|' || client_id || '|' || CAST(scopes AS text) || '|' || CAST(rate_limit_rpm AS text) || '|' || CAST(metadata AS text)"
    }
}

impl Rows for Mesh {
    fn table(database: &Database) -> String {
        database.dialect("mesh.api_key", "api_key").to_owned()
    }

    fn copied(_database: &Database) -> &'static str {
        "mesh_id || '|' || label || '|' || CAST(capabilities AS text) || '|' || CAST(topic_scopes AS text)"
    }
}

impl Rows for Standard {
    fn table(database: &Database) -> String {
        database.own_table("keys")
    }

    fn copied(_database: &Database) -> &'static str {
        "owner || '|' || name || '|' || description || '|' || scopes || '|' || metadata || '|' || environment || '|' || lineage"
    }
}

/// Writes columns of one key's row as the host does.
async fn set<S: Rows>(fixture: &Fixture<S>, id: &KeyId, columns: &str) {
    let table = S::table(fixture.database());
    fixture.database().run(&format!("UPDATE {table} SET {columns} WHERE CAST(id AS text) = '{id}'")).await;
}

/// What a text expression says of one key's row.
async fn read<S: Rows>(fixture: &Fixture<S>, id: &KeyId, expression: &str) -> Option<String> {
    let table = S::table(fixture.database());
    let query = format!("SELECT CAST({expression} AS text) FROM {table} WHERE CAST(id AS text) = '{id}'");
    fixture.database().text(&query).await
}

async fn get<S: TestSchema>(fixture: &Fixture<S>, id: &KeyId) -> KeyRecord<S> {
    fixture.keys.get(id).await.unwrap().unwrap()
}
