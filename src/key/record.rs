//! A stored key: what every system records about one, and what only its own system knows.

use std::fmt;

use crate::key::KeyDigest;
use crate::time::Timestamp;

/// Declares a text newtype that is checked on the way in and printed as it is.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, at most $limit:literal) => {
        $(#[$doc])*
        ///
        #[doc = concat!("1 to ", $limit, " characters, none of them a control character.")]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// [`InvalidText`] when it is empty, too long, or has a control character.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidText> {
                let text = text.into();
                check_text(&text, $limit)?;
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes what a store holds, odd as it may be: it is shown, never trusted. For authors of stores.
            #[must_use]
            pub fn from_stored(text: impl Into<String>) -> Self {
                Self(text.into())
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }
    };
}
pub(crate) use text;

/// Refuses what one engine or another could not store, so that both refuse the same.
pub(crate) fn check_text(text: &str, limit: usize) -> Result<(), InvalidText> {
    if text.trim().is_empty() {
        Err(InvalidText::Empty)
    } else if text.chars().count() > limit {
        Err(InvalidText::TooLong { limit })
    } else if text.chars().any(char::is_control) {
        Err(InvalidText::ControlCharacter)
    } else {
        Ok(())
    }
}

/// Why a text was not taken. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidText {
    /// There is no text, or nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// The text is too long.
    #[error("must not be longer than {limit} characters")]
    TooLong {
        /// The most characters that are taken.
        limit: usize,
    },
    /// The text has a control character, NUL and line breaks included.
    #[error("must not contain control characters")]
    ControlCharacter,
}

text! {
    /// The identity of one key within its store: a UUID for system C, 32 alphanumerics for B, the owner's DID for A.
    KeyId, at most 255
}

text! {
    /// Whom a key belongs to: a client, a mesh, an aggregator's DID.
    OwnerId, at most 255
}

text! {
    /// The first characters of a key, stored in clear to tell keys apart. Not secret and not unique.
    DisplayPrefix, at most 64
}

text! {
    /// Why a key was revoked, in the operator's words.
    RevocationReason, at most 500
}

/// What every system records about a key, whatever it calls the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "authors of stores build and take apart heads")]
pub struct KeyHead {
    /// Which key.
    pub id: KeyId,
    /// Whose key.
    pub owner: OwnerId,
    /// The characters that may be shown.
    pub prefix: DisplayPrefix,
    /// SHA-256 of the whole key; `None` when the store holds something else, which no key matches.
    pub digest: Option<KeyDigest>,
    /// When it was issued, where the store knows.
    pub created_at: Option<Timestamp>,
    /// When it was last accepted, within the interval at which last use is written.
    pub last_used_at: Option<Timestamp>,
    /// The instant at which it dies; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// Whether somebody stopped it.
    pub status: Status,
    /// A stored value that cannot be understood. A key with one is refused.
    pub defect: Option<Defect>,
}

/// Whether somebody stopped a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Nobody did.
    Active,
    /// Its flag is not set, and nothing says since when or why.
    Inactive,
    /// What it belongs to was shut down: its mesh is archived, or the member who issued it is revoked.
    TenantDisabled,
    /// It was revoked, for good.
    Revoked(Revocation),
}

/// When and why a key was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "authors of stores build and take apart revocations")]
pub struct Revocation {
    /// The first time that it was revoked, where the store knows.
    pub at: Option<Timestamp>,
    /// The operator's words, where there are any.
    pub reason: Option<RevocationReason>,
}

/// Where a stored value stands that cannot be understood, or that grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "authors of stores build defects")]
pub struct Defect {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

/// A stored key: the shared head, and the details that only its system knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "authors of stores build and take apart records")]
pub struct KeyRecord<D> {
    /// What every system records.
    pub head: KeyHead,
    /// What only this system records.
    pub details: D,
}
