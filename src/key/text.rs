//! Texts that name things: identities, owners, names and reasons, each a type of its own.

/// Declares a text newtype that is checked on the way in, kept as it is, and printed with every character visible.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, at most $limit:literal) => {
        $(#[$doc])*
        ///
        #[doc = concat!("1 to ", $limit, " characters, none of them a control character. What is printed is")]
        /// [`Visible`]($crate::Visible); compare and store [`as_str`](Self::as_str).
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// [`InvalidText`]($crate::key::InvalidText) when it is empty, too long, or has a control character.
            pub fn new(text: impl Into<String>) -> Result<Self, $crate::key::InvalidText> {
                let text = text.into();
                $crate::key::check_text(&text, $limit)?;
                Ok(Self(text))
            }

            /// The text, letter for letter.
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
            type Err = $crate::key::InvalidText;

            fn from_str(text: &str) -> Result<Self, $crate::key::InvalidText> {
                Self::new(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&$crate::visible::Visible(&self.0), f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), $crate::visible::Visible(&self.0))
            }
        }
    };
}

text! {
    /// The identity of one key within its store, such as a UUID. Compared letter for letter.
    KeyId, at most 255
}

text! {
    /// Whom a key belongs to: a customer, a client, a workspace, a DID. Compared letter for letter.
    OwnerId, at most 255
}

text! {
    /// The first characters of a key, stored in clear to tell keys apart. Not secret and not unique.
    DisplayPrefix, at most 64
}

text! {
    /// What people call a key.
    KeyName, at most 255
}

text! {
    /// What a key is for, in a few sentences.
    Description, at most 1000
}

text! {
    /// Why a key was revoked or disabled, in the operator's words.
    Reason, at most 500
}

text! {
    /// Who made a change, as the host names its users and services.
    Actor, at most 255
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_have_as_many_characters_as_its_limit_and_no_more() {
        let reason = |characters: usize| Reason::new("é".repeat(characters)).map(|_| ());
        assert_eq!(reason(500), Ok(()));
        assert_eq!(reason(501), Err(InvalidText::TooLong { limit: 500 }));
    }
}
