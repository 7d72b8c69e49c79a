//! `grants`: the rights of database roles, as statements for PostgreSQL.

use keyward::sql::DatabaseRole;
use serde_json::json;

use crate::arguments::GrantsArguments;
use crate::failure::Failure;
use crate::output::{Document, Text};
use crate::schema::CommandSchema;

pub(super) fn grants<S: CommandSchema>(arguments: &GrantsArguments, own: Option<&str>) -> Result<Document, Failure> {
    let role = DatabaseRole::from(arguments.role);
    let to = arguments.to.clone().unwrap_or_else(|| format!("keyward_{role}"));
    let script = S::grants(role, &to, own.unwrap_or("keyward"));
    let script = script.map_err(|error| Failure::usage(format!("--postgres-schema: {error}")))?;
    Ok(Document::new(json!({ "role": to, "statements": script }), Text::File(script)))
}
