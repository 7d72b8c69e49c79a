//! A secret as a store holds it.

use std::fmt;
use std::sync::Arc;

use crate::seal::Sealed;
use crate::secret::Secret;

/// A secret on its way to a store or from it.
///
/// Nothing in keyward turns a `Sealed` into a `Plain` on its own: whoever wants the plaintext needs the
/// [keys](crate::seal::SealKeys), and whoever has a plaintext and no keys has nothing that a column of envelopes takes.
#[derive(Clone)]
#[non_exhaustive]
pub enum StoredSecret {
    /// An envelope, which the store keeps as it is.
    Sealed(Sealed),
    /// A plaintext, for a store that encrypts by itself (`pgcrypto`) and says so. Any other store refuses it.
    Plain(Arc<Secret>),
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed(sealed) => sealed.fmt(f),
            Self::Plain(_) => f.write_str("Plain(…)"),
        }
    }
}

impl From<Sealed> for StoredSecret {
    fn from(sealed: Sealed) -> Self {
        Self::Sealed(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_form() {
        let plain = StoredSecret::Plain(Secret::new("hunter2".to_owned()).into());
        assert_eq!(format!("{plain:?} {plain:#?}"), "Plain(…) Plain(…)");
        let sealed = Sealed::new("k".parse().unwrap(), &[7; 40]);
        assert_eq!(format!("{:?}", StoredSecret::from(sealed)), "Sealed(k, 66 bytes)");
    }
}
