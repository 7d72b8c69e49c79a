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
    let own = own.unwrap_or("keyward");
    #[cfg(feature = "broker")]
    if arguments.broker {
        return Ok(document(&to, crate::broker::rights(role, &to, own)?));
    }
    let script = S::grants(role, &to, own);
    let script = script.map_err(|error| Failure::usage(format!("--postgres-schema: {error}")))?;
    #[cfg(feature = "reqwest")]
    let script = match (arguments.credentials, arguments.layout.is_given()) {
        (true, _) => script + &crate::credential::grants(arguments.layout, role, &to, own)?,
        (false, true) => return Err(Failure::usage("--layout and --taking-over need --credentials")),
        (false, false) => script,
    };
    Ok(document(&to, script))
}

fn document(to: &str, script: String) -> Document {
    Document::new(json!({ "role": to, "statements": script }), Text::File(script))
}
