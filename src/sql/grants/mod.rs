//! Clients, grants, codes and tokens of an authorization server in SQL: [`SqlGrantStore`].

mod arguments;
mod client;
mod columns;
mod layout;
mod opening;
mod revocation;
mod row;
mod scripts;
mod statements;
mod store;
mod sweep;
mod tables;

pub use layout::BrokerTables;
pub use store::SqlGrantStore;
