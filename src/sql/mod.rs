//! The only SQL and the only drivers, in two rooms: the engines, which know no table of keys, and the stores upon them.
//!
//! A schema's SQL is data: whole statements in both dialects, the list of columns, and one function that reads a row.
//! An engine runs statements and scripts, migrates and checks. [`SqlKeyStore`] joins any schema to any engine.

#[cfg(feature = "credentials")]
pub(crate) mod credentials;
pub(crate) mod engine;
#[cfg(feature = "broker")]
pub(crate) mod grants;
pub(crate) mod keys;

#[cfg(feature = "credentials")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "credentials")))]
pub use credentials::{CredentialLayout, KeyedLayout, OwnCredentials, SqlCredentialStore, SqlKeyedStore};
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "sqlite")))]
pub use engine::Sqlite;
pub use engine::check::Difference;
pub use engine::migrate::{AppliedMigration, MigrateError, Migration};
pub use engine::{ConnectError, Engine};
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
pub use engine::{InvalidSchemaName, Postgres, ReplicaPolicy};
#[cfg(feature = "broker")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "broker")))]
pub use grants::{BrokerTables, SqlGrantStore};
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "sqlite")))]
pub use keys::SqliteWithin;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
pub use keys::{DatabaseRole, PostgresWithin};
pub use keys::{HostTransaction, SqlKeyStore, SqlSchema, StatementText};
