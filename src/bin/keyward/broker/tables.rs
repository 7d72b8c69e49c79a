//! `migrate` and `check`.

use keyward::Timestamp;
use serde_json::json;

use super::store;
use crate::arguments::DatabaseArguments;
use crate::commands::report;
use crate::failure::Failure;
use crate::output::Document;

pub(super) async fn migrate(database: &DatabaseArguments, now: Timestamp) -> Result<Document, Failure> {
    let store = store(database, true).await?;
    let applied = store.migrate(now).await?;
    let lines = applied.iter().map(|migration| format!("applied {migration}")).collect();
    let mut document = report(&store.check().await?, lines);
    document.json["applied"] = json!(applied.iter().map(ToString::to_string).collect::<Vec<_>>());
    Ok(document)
}

pub(super) async fn check(database: &DatabaseArguments) -> Result<Document, Failure> {
    Ok(report(&store(database, false).await?.check().await?, Vec::new()))
}

/// The statements that give a database role its rights to the tables of an authorization server.
#[cfg(feature = "postgres")]
pub(crate) fn rights(role: keyward::sql::DatabaseRole, to: &str, own_schema: &str) -> Result<String, Failure> {
    let script = keyward::sql::BrokerTables::new().grants(role, to, own_schema);
    script.map_err(|error| Failure::usage(format!("--postgres-schema: {error}")))
}
