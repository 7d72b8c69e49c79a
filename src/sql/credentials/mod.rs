//! One store of upstream OAuth credentials for every layout and every engine: [`SqlCredentialStore`].

pub(crate) mod arguments;
mod keyed;
mod layout;
mod own;
mod read_back;
pub(crate) mod row;
mod store;
mod within;

pub use keyed::SqlKeyedStore;
pub(crate) use layout::{Asked, CredentialTables, Encryption, KeyedTables};
pub use layout::{CredentialLayout, KeyedLayout};
pub use own::OwnCredentials;
pub use store::SqlCredentialStore;
pub(crate) use store::interpret;
