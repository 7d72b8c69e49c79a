//! One key store for every schema and every engine: [`SqlKeyStore`].

mod changes;
#[cfg(feature = "postgres")]
mod gather;
#[cfg(feature = "postgres")]
mod grants;
pub(crate) mod host;
pub(crate) mod json;
mod last_use;
mod operation;
mod reader;
#[cfg(feature = "postgres")]
mod replicas;
pub(crate) mod revocation;
mod revoke_all;
pub(crate) mod rotation;
pub(crate) mod schema;
mod store;
mod tables;
mod within;

#[cfg(feature = "postgres")]
pub use grants::DatabaseRole;
#[cfg(all(feature = "postgres", any(feature = "broker", feature = "credentials")))]
pub(crate) use grants::Granted;
pub(crate) use reader::{Column, RowReader, columns};
pub(crate) use schema::{Asked, KeyTables};
pub use schema::{SqlSchema, StatementText};
pub use store::SqlKeyStore;
#[cfg(feature = "credentials")]
pub(crate) use store::interpret_script;
#[cfg(any(feature = "broker", feature = "credentials"))]
pub(crate) use store::interpret_with;
pub use within::HostTransaction;
#[cfg(feature = "postgres")]
pub use within::PostgresWithin;
#[cfg(feature = "sqlite")]
pub use within::SqliteWithin;
