//! The tables that are looked into: keyward's own and a host's, with the one statement that a verification cannot do
//! without, and one that fills the table with keys of nobody.

use std::error::Error;

use keyward::key::{Draft, KeyDigest};
#[cfg(feature = "sqlite")]
use keyward::rusqlite::{
    self, ToSql,
    types::{ToSqlOutput, ValueRef},
};
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::sql::SqlSchema;

use crate::keys::{scraper_key, standard_key};

/// A schema with what a host that needed nothing but the lookup would write itself.
pub trait Benched: SqlSchema {
    /// On PostgreSQL.
    #[cfg(feature = "postgres")]
    const POSTGRES: Texts;
    /// On SQLite.
    #[cfg(feature = "sqlite")]
    const SQLITE: Texts;

    /// The schema.
    ///
    /// # Errors
    /// None, as long as keyward takes its prefix.
    fn value() -> Result<Self, Box<dyn Error>>;
    /// A key as a customer has it.
    ///
    /// # Errors
    /// None, as long as keyward takes its values.
    fn typical_key(number: u32) -> Result<Draft<Self>, Box<dyn Error>>;
    /// The digest as the table holds it.
    fn argument(digest: &KeyDigest) -> Argument;
}

/// Statements that keyward does not run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Texts {
    /// `$1` the digest.
    pub select: &'static str,
    /// `$1` how many rows there are, `$2` how many there are to be: more.
    pub fill: &'static str,
}

/// A digest as an argument of a statement.
#[derive(Debug)]
#[non_exhaustive]
pub enum Argument {
    /// 32 bytes.
    Bytes([u8; 32]),
    /// 64 characters.
    Hex(String),
}

#[cfg(feature = "sqlite")]
impl ToSql for Argument {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Hex(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl Benched for Standard {
    #[cfg(feature = "postgres")]
    const POSTGRES: Texts = Texts {
        select: "SELECT * FROM keyward.keys WHERE digest = $1",
        fill: "
            INSERT INTO keyward.keys
                (id, owner, environment, name, prefix, digest, scopes, created_at, expires_at, lineage)
            SELECT 'nobody-' || number, 'customer-' || number % 1000, 'live', 'nightly import', 'acme_live_abcd',
                   sha256(number::text::bytea), 'jobs:read jobs:write', '2026-01-01 00:00:00', '2099-12-31 23:59:59',
                   'nobody-' || number
            FROM generate_series($1 + 1, $2) AS number",
    };
    #[cfg(feature = "sqlite")]
    const SQLITE: Texts = Texts {
        select: "SELECT * FROM keyward_keys WHERE digest = ?1",
        fill: "
            INSERT INTO keyward_keys
                (id, owner, environment, name, prefix, digest, scopes, created_at, expires_at, lineage)
            WITH RECURSIVE counted (number) AS (SELECT ?1 + 1 UNION ALL SELECT number + 1 FROM counted WHERE number < ?2)
            SELECT 'nobody-' || number, 'customer-' || number % 1000, 'live', 'nightly import', 'acme_live_abcd',
                   randomblob(32), 'jobs:read jobs:write', '2026-01-01 00:00:00', '2099-12-31 23:59:59',
                   'nobody-' || number
            FROM counted",
    };

    fn value() -> Result<Self, Box<dyn Error>> {
        Ok(Self::new("acme")?)
    }

    fn typical_key(number: u32) -> Result<Draft<Self>, Box<dyn Error>> {
        Ok(standard_key(number)?.into())
    }

    fn argument(digest: &KeyDigest) -> Argument {
        Argument::Bytes(*digest.as_bytes())
    }
}

impl Benched for Scraper {
    #[cfg(feature = "postgres")]
    const POSTGRES: Texts = Texts {
        select: "SELECT * FROM api_keys WHERE key_hash = $1",
        fill: "
            INSERT INTO api_keys (key_hash, key_prefix, name, client_id, scopes, expires_at)
            SELECT encode(sha256(number::text::bytea), 'hex'), 'riq_abcd', 'nightly import',
                   'client-' || number % 1000, '{jobs:read,jobs:write}', '2099-12-31 23:59:59'
            FROM generate_series($1 + 1, $2) AS number",
    };
    #[cfg(feature = "sqlite")]
    const SQLITE: Texts = Texts {
        select: "SELECT * FROM api_keys WHERE key_hash = ?1",
        fill: "
            INSERT INTO api_keys (key_hash, key_prefix, name, client_id, scopes, expires_at)
            WITH RECURSIVE counted (number) AS (SELECT ?1 + 1 UNION ALL SELECT number + 1 FROM counted WHERE number < ?2)
            SELECT lower(hex(randomblob(32))), 'riq_abcd', 'nightly import', 'client-' || number % 1000,
                   '[\"jobs:read\",\"jobs:write\"]', '2099-12-31 23:59:59'
            FROM counted",
    };

    fn value() -> Result<Self, Box<dyn Error>> {
        Ok(Self::new())
    }

    fn typical_key(number: u32) -> Result<Draft<Self>, Box<dyn Error>> {
        Ok(scraper_key(number)?.into())
    }

    fn argument(digest: &KeyDigest) -> Argument {
        Argument::Hex(digest.to_hex().as_str().to_owned())
    }
}
