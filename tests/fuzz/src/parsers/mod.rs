//! What reads a text: keys, names, scopes, instants, lists, URLs, arguments, sealed secrets and their keys, and what
//! servers of others answer.
//!
//! Readers that keyward does not export are compiled here once more, from the same files.

pub(crate) mod arguments;
pub(crate) mod credentials;
pub(crate) mod instants;
pub(crate) mod keys;
pub(crate) mod lists;
pub(crate) mod sealed;
pub(crate) mod texts;
pub(crate) mod urls;
