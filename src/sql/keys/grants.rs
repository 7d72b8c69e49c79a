//! The rights of database roles that verify, issue or operate, as statements for PostgreSQL.

use std::fmt;

use crate::sql::engine::InvalidSchemaName;
use crate::sql::engine::check::{Duty, Right, Table, TableName, Write};
use crate::sql::engine::ledger;
use crate::sql::engine::schema_name::SchemaName;

/// What a database role is to do with keys, with credentials, or with the clients and grants of an authorization server. Each
/// may what the one before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DatabaseRole {
    /// Verifies, shows and lists keys. It writes nothing, not even the last use. Reads credentials, and refreshes none.
    Verifier,
    /// Issues and rotates keys too, and writes their last use. Stores and refreshes credentials.
    Issuer,
    /// Revokes, changes and removes keys too. Wipes credentials.
    Operator,
}

impl fmt::Display for DatabaseRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verifier => "verifier",
            Self::Issuer => "issuer",
            Self::Operator => "operator",
        })
    }
}

impl DatabaseRole {
    const fn includes(self, duty: Duty) -> bool {
        match self {
            Self::Verifier => false,
            Self::Issuer => matches!(duty, Duty::LastUse | Duty::Issue),
            Self::Operator => true,
        }
    }
}

/// What a role is given rights to.
pub(crate) struct Granted<'t> {
    /// What the tables hold, for people.
    pub(crate) what: String,
    pub(crate) tables: &'t [&'t Table],
    /// Tables beside these, which need not be there.
    pub(crate) beside: &'t [&'t Table],
}

impl Granted<'_> {
    /// The statements that give `role` to `grantee`.
    pub(crate) fn statements(
        &self,
        role: DatabaseRole,
        grantee: &str,
        own_schema: &str,
    ) -> Result<String, InvalidSchemaName> {
        let own_schema = SchemaName::parse(own_schema)?;
        let grantee = quoted(grantee);
        let mut script = vec![format!(
            "-- The rights of the {role} of {}. Run by the owner of the tables, after the migrations.\n\
             -- The role has to be there, and must have no other rights to these tables than keyward prints.",
            self.what
        )];
        let mut grant = |right: &str, object: &str| {
            script.push(format!("GRANT {right} ON {object} TO {grantee};"));
        };
        let mut schemas = Vec::new();
        for table in self.tables.iter().copied().chain([&ledger::SHAPE]) {
            let (schema, name) = match table.name {
                TableName::Own(name) => (Some(own_schema.as_str()), name),
                TableName::Host(name) => match name.postgres.split_once('.') {
                    Some((schema, name)) => (Some(schema), name),
                    None => (None, name.postgres),
                },
            };
            if let Some(schema) = schema.filter(|schema| !schemas.contains(schema)) {
                grant("USAGE", &format!("SCHEMA {}", quoted(schema)));
                schemas.push(schema);
            }
            let schema = schema.map(|schema| format!("{}.", quoted(schema))).unwrap_or_default();
            grant(&rights(table, role), &format!("TABLE {schema}{}", quoted(name)));
        }
        script.extend(self.beside.iter().filter_map(|table| grant_if_there(table, role, &grantee, &own_schema)));
        Ok(script.join("\n") + "\n")
    }
}

/// The rights to a table that need not be there, and to the sequence that numbers its rows; `None` for one of the host's to
/// which the role writes nothing, which is all that it is for.
fn grant_if_there(table: &Table, role: DatabaseRole, grantee: &str, own_schema: &SchemaName) -> Option<String> {
    let is_written = table.writes.iter().any(|write| role.includes(write.duty));
    let name = match table.name {
        TableName::Own(name) => format!("{}.{}", quoted(own_schema.as_str()), quoted(name)),
        TableName::Host(name) if is_written => quoted(name.postgres),
        TableName::Host(_) => return None,
    };
    let rights = rights(table, role);
    let inserts = table.writes.iter().any(|write| write.right == Right::Insert && role.includes(write.duty));
    let numbered = if inserts {
        let sequence = format!("pg_catalog.pg_get_serial_sequence({}, {})", literal(&name), literal(table.primary_key));
        let grant =
            format!("EXECUTE 'GRANT USAGE ON SEQUENCE ' || {sequence} || {};", literal(&format!(" TO {grantee}")));
        format!(" IF {sequence} IS NOT NULL THEN {grant} END IF;")
    } else {
        String::new()
    };
    let body = format!(
        "BEGIN IF pg_catalog.to_regclass({}) IS NOT NULL THEN GRANT {rights} ON TABLE {name} TO {grantee};{numbered} \
         END IF; END",
        literal(&name)
    );
    Some(format!("DO {};", literal(&body)))
}

/// The rights to one table, separated by commas. What else is in a table that is the host's affair is not read.
fn rights(table: &Table, role: DatabaseRole) -> String {
    let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    let mut rights = vec![if table.shared { right_to("SELECT", &columns) } else { "SELECT".to_owned() }];
    let mut updated = Vec::new();
    for Write { right, .. } in table.writes.iter().filter(|write| role.includes(write.duty)) {
        match right {
            Right::Insert => rights.push("INSERT".to_owned()),
            Right::Delete => rights.push("DELETE".to_owned()),
            Right::Update(columns) => updated.extend(columns.iter().copied()),
        }
    }
    if !updated.is_empty() {
        updated.sort_unstable();
        updated.dedup();
        rights.push(right_to("UPDATE", &updated));
    }
    rights.dedup();
    rights.join(", ")
}

fn right_to(right: &str, columns: &[&str]) -> String {
    let columns: Vec<_> = columns.iter().copied().map(quoted).collect();
    format!("{right} ({})", columns.join(", "))
}

/// A text that PostgreSQL takes as it is.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name that PostgreSQL takes as it is.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
