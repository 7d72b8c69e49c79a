//! Where credentials are: `migrate`, `check`, and the one place that chooses the tables.

use std::sync::Arc;

use keyward::Timestamp;
use keyward::sql::{OwnCredentials, SqlCredentialStore};
use keyward::store::credentials::CredentialStore;
use serde_json::json;

use crate::arguments::DatabaseArguments;
use crate::commands::report;
use crate::database::{connect, within};
use crate::failure::Failure;
use crate::output::Document;

/// The store over the tables that are meant. A layout beside keyward's own would be chosen here and in
/// [`migrate`] and [`check`], by an option of [`Means`](super::arguments::Means).
pub(super) async fn open(database: &DatabaseArguments) -> Result<Arc<dyn CredentialStore>, Failure> {
    Ok(Arc::new(own(database, false).await?))
}

async fn own(database: &DatabaseArguments, create: bool) -> Result<SqlCredentialStore<OwnCredentials>, Failure> {
    let engine = connect(database, create).await?;
    within(database.timeout, SqlCredentialStore::open(engine, OwnCredentials::new())).await
}

pub(super) async fn migrate(database: &DatabaseArguments, now: Timestamp) -> Result<Document, Failure> {
    let store = own(database, true).await?;
    let applied = store.migrate(now).await?;
    let lines = applied.iter().map(|migration| format!("applied {migration}")).collect();
    let mut document = report(&store.check().await?, lines);
    document.json["applied"] = json!(applied.iter().map(ToString::to_string).collect::<Vec<_>>());
    Ok(document)
}

pub(super) async fn check(database: &DatabaseArguments) -> Result<Document, Failure> {
    Ok(report(&own(database, false).await?.check().await?, Vec::new()))
}
