//! The name of the PostgreSQL schema in which keyward's own tables live.

use std::fmt;

use crate::sql::engine::ledger::CREATE_SCHEMA;

/// The name under which the statements in the source know the schema.
pub(crate) const DEFAULT: &str = "keyward";

/// The longest name that PostgreSQL keeps whole.
const MOST_BYTES: usize = 63;

/// A name that needs no escaping.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SchemaName(String);

impl SchemaName {
    pub(crate) fn parse(name: &str) -> Result<Self, InvalidSchemaName> {
        let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        // PostgreSQL keeps names that start with `pg_` for itself.
        let is_valid = starts_well && name.len() <= MOST_BYTES && name.bytes().all(known) && !name.starts_with("pg_");
        if is_valid { Ok(Self(name.to_owned())) } else { Err(InvalidSchemaName) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A statement from the source with this name in place of the default one. It is quoted, since it may be a keyword.
    pub(super) fn renamed(&self, text: &str) -> String {
        let quoted = format!("\"{}\"", self.0);
        if text == CREATE_SCHEMA.postgres {
            // The one statement in which no table's name follows the schema's.
            return text.replace(DEFAULT, &quoted);
        }
        text.replace("keyward.", &format!("{quoted}."))
    }
}

impl fmt::Debug for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no name for the schema: 1 to 63 of `a-z`, `0-9` and `_`, of which the first is no digit, and the first
/// three are not `pg_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a schema has 1 to 63 of a-z, 0-9 and _, starts with no digit, and not with pg_")]
#[non_exhaustive]
pub struct InvalidSchemaName;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_that_need_no_escaping_and_nothing_else() {
        for name in ["keyward", "_", "api_keys2", "user", &"k".repeat(63)] {
            assert!(SchemaName::parse(name).is_ok(), "{name}");
        }
        for name in
            ["", "Keyward", "2keys", "pg_keys", "pg_", "a-b", "a.b", "a\"b", "schlüssel", "a b", &"k".repeat(64)]
        {
            assert_eq!(SchemaName::parse(name), Err(InvalidSchemaName), "{name}");
        }
    }

    #[test]
    fn renames_the_tables_and_the_schema_itself() {
        let name = SchemaName::parse("user").unwrap();
        assert_eq!(name.renamed("SELECT a FROM keyward.keys k"), "SELECT a FROM \"user\".keys k");
        assert_eq!(name.renamed(CREATE_SCHEMA.postgres), "CREATE SCHEMA IF NOT EXISTS \"user\"");
    }
}
