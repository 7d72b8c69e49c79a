//! What the schema `aggregator` records about a key, and how a new one is described.

use crate::key::{
    Action, Draft, Encoding, IdScheme, KeyFormat, KeyFormats, KeyRecord, Labels, OwnerId, RefusalReason, Schema, sound,
};

impl KeyFormat {
    /// `ckapi_` and 64 hexadecimal characters, 70 bytes; the first 12 are shown. The schema `aggregator` has frozen it.
    pub const AGGREGATOR: Self = sound(Self::new("ckapi_", 32, Encoding::Hex, 12));
}

/// The schema `aggregator`. An owner has at most one key, which never expires; issuing another replaces it at once.
///
/// ```
/// use keyward::schemas::aggregator::{Aggregator, AggregatorKey};
/// use keyward::{Keys, store::MemoryKeyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let keys = Keys::builder(MemoryKeyStore::new(Aggregator::new())).build();
/// let first = keys.issue_only(AggregatorKey::of("did:plc:abc")?).await?;
/// let second = keys.issue_only(AggregatorKey::of("did:plc:abc")?).await?;
///
/// assert!(keys.verify(first.secret.expose_secret()).await.is_err());
/// assert!(keys.verify(second.secret.expose_secret()).await.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Aggregator {
    formats: KeyFormats,
}

impl Aggregator {
    /// The schema as the service has it.
    #[must_use]
    pub const fn new() -> Self {
        Self { formats: KeyFormats::new(KeyFormat::AGGREGATOR) }
    }
}

impl Default for Aggregator {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema for Aggregator {
    type Details = AggregatorDetails;

    const NAME: &'static str = "aggregator";
    const ID_SCHEME: IdScheme = IdScheme::Owner;
    const VERSIONED: bool = false;

    fn formats(&self) -> &KeyFormats {
        &self.formats
    }

    fn admits(&self, _key: &KeyRecord<Self>) -> Result<(), RefusalReason> {
        Ok(())
    }

    fn labels(_details: &AggregatorDetails) -> Labels<'_> {
        Labels::default()
    }

    fn origin(_details: &AggregatorDetails) -> Action {
        Action::Issued
    }

    fn begin(&self, _key: &mut KeyRecord<Self>) {}

    fn succeed(&self, _predecessor: &KeyRecord<Self>, _successor: &mut KeyRecord<Self>) {}
}

/// The schema records nothing about a key but what every schema does: what an aggregator may do is decided elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AggregatorDetails {}

/// Describes a new key of the schema `aggregator`.
///
/// The service itself also demands an OAuth session in the aggregator's row before it accepts a key: one that keyward
/// made for a DID that never had one works with keyward alone. Where there is a session, a new key after a revocation
/// makes the service use that session again, so end it first if that is not meant. With the feature `credentials`,
/// `SessionKeys` issues a key with its session, and revokes both.
#[derive(Clone, Debug)]
#[must_use = "a description alone issues no key"]
pub struct AggregatorKey {
    draft: Draft<Aggregator>,
}

impl AggregatorKey {
    /// The key of the aggregator with this DID.
    ///
    /// # Errors
    /// [`InvalidDid`] when it does not have the form of a DID.
    pub fn of(did: impl Into<String>) -> Result<Self, InvalidDid> {
        let owner = OwnerId::new(did).map_err(|_| InvalidDid)?;
        if !has_form_of_did(owner.as_str()) {
            return Err(InvalidDid);
        }
        Ok(Self { draft: Draft::new(owner, AggregatorDetails {}) })
    }
}

impl From<AggregatorKey> for Draft<Aggregator> {
    fn from(key: AggregatorKey) -> Self {
        key.draft
    }
}

/// `did:METHOD:ID` (W3C DID Core, section 3.1), without looking into the identity.
fn has_form_of_did(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let (scheme, method, id) = (parts.next(), parts.next(), parts.next());
    let is_method = |method: &str| {
        !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
    scheme == Some("did") && method.is_some_and(is_method) && id.is_some_and(is_id)
}

/// The text is not a DID, such as `did:plc:ewvi7nxzyoun6zhxrhs64oiz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a DID, such as did:plc:ewvi7nxzyoun6zhxrhs64oiz")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidDid;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dids_own_keys() {
        for did in ["did:plc:ewvi7nxzyoun6zhxrhs64oiz", "did:web:example.com", "did:web:example.com:8080"] {
            assert!(AggregatorKey::of(did).is_ok(), "{did}");
        }
        for other in ["", "did", "did:", "did:plc", "did:plc:", "did::abc", "DID:plc:abc", "did:PLC:abc", "did:plc:a b"]
        {
            assert_eq!(AggregatorKey::of(other).err(), Some(InvalidDid), "{other}");
        }
    }
}
