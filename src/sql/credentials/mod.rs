//! One store of upstream OAuth credentials for every layout and every engine: [`SqlCredentialStore`].

mod layout;
mod own;
mod row;
mod store;

pub use layout::CredentialLayout;
pub use own::OwnCredentials;
pub use store::SqlCredentialStore;
