//! The one decision about a presented key, for every schema and every store.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::key::{
    Defect, DisplayPrefix, Evidence, KeyDigest, KeyHead, KeyId, KeyRecord, MalformedKey, OwnerId, Schema, Status,
};
use crate::time::Timestamp;

/// Proof that a presented key matched a live record. Only [`decide`] makes one.
///
/// Clones share the record: one costs a reference count.
///
/// ```compile_fail
/// # use std::sync::Arc;
/// # use keyward::key::{Authenticated, Evidence, KeyRecord, Schema};
/// # fn forge<S: Schema>(record: Arc<KeyRecord<S>>) -> Authenticated<S> {
/// Authenticated { record, evidence: Evidence::Fresh } // the fields are private
/// # }
/// ```
pub struct Authenticated<S: Schema> {
    record: Arc<KeyRecord<S>>,
    evidence: Evidence,
}

impl<S: Schema> Authenticated<S> {
    /// What every schema records about the key.
    #[must_use]
    pub fn head(&self) -> &KeyHead {
        &self.record.head
    }

    /// What only this schema records about it: its permissions and limits.
    #[must_use]
    pub fn details(&self) -> &S::Details {
        &self.record.details
    }

    /// Whose key it is.
    #[must_use]
    pub fn owner(&self) -> &OwnerId {
        &self.record.head.owner
    }

    /// The whole record.
    #[must_use]
    pub const fn record(&self) -> &Arc<KeyRecord<S>> {
        &self.record
    }

    /// How old the record was when the key was accepted on it.
    #[must_use]
    pub const fn evidence(&self) -> Evidence {
        self.evidence
    }

    /// The same, on a record that was read before.
    pub(crate) fn on(self, evidence: Evidence) -> Self {
        Self { evidence, ..self }
    }
}

impl<S: Schema> Clone for Authenticated<S> {
    fn clone(&self) -> Self {
        Self { record: Arc::clone(&self.record), evidence: self.evidence }
    }
}

impl<S: Schema> fmt::Debug for Authenticated<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated").field("record", &self.record).field("evidence", &self.evidence).finish()
    }
}

/// The record alone.
#[cfg(feature = "serde")]
impl<S: Schema<Details: serde::Serialize>> serde::Serialize for Authenticated<S> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.record.serialize(serializer)
    }
}

impl KeyHead {
    /// Whether this key would be accepted at `now` if somebody presented it.
    ///
    /// A key dies **at** `expires_at`, not after it.
    ///
    /// # Errors
    /// The reason why it would be refused.
    pub fn standing(&self, now: Timestamp) -> Result<(), RefusalReason> {
        match (&self.status, self.defect) {
            (Status::Revoked(_), _) => Err(RefusalReason::Revoked),
            (_, Some(defect)) => Err(RefusalReason::Unusable(defect)),
            (Status::TenantDisabled, None) => Err(RefusalReason::TenantDisabled),
            (Status::Disabled(_), None) => Err(RefusalReason::Disabled),
            (Status::Active, None) if self.expires_at.is_some_and(|at| at <= now) => Err(RefusalReason::Expired),
            (Status::Active, None) => Ok(()),
        }
    }
}

/// Decides about a presented key; does no I/O.
///
/// `candidates` is every row that a store found for it, dead ones and strangers with the same display prefix
/// included. Rows are distinguished by the whole digest, in constant time. Should several rows hold the same digest, as
/// the table of the mesh schema allows, a live one is enough.
///
/// # Errors
/// [`Refusal`] with the reason, and with the key that it speaks of where one matched.
pub fn decide<S: Schema>(
    schema: &S,
    candidates: impl IntoIterator<Item = Arc<KeyRecord<S>>>,
    digest: &KeyDigest,
    now: Timestamp,
) -> Result<Authenticated<S>, Refusal> {
    let mut refusal = None;
    for record in candidates {
        if record.head.digest.as_ref() != Some(digest) {
            continue;
        }
        match record.head.standing(now).and_then(|()| schema.admits(&record)) {
            Ok(()) => return Ok(Authenticated { record, evidence: Evidence::Fresh }),
            Err(reason) => refusal = Some(Refusal::of(&record.head, reason)),
        }
    }
    Err(refusal.unwrap_or_else(|| Refusal::new(RefusalReason::Unknown)))
}

/// A key was not accepted.
///
/// It has two faces. What it prints is meant for the caller and is one and the same for every key that is not
/// accepted, so that nobody can probe for keys; only an outage prints differently. The reason is for the operator's
/// log and has to be asked for.
///
/// ```
/// use keyward::key::{KeyFormat, Refusal, RefusalReason};
///
/// let malformed = KeyFormat::MESH.parse("hunter2").unwrap_err();
/// let refusal = Refusal::from(malformed);
/// assert_eq!(refusal.to_string(), "the API key is not valid");
/// assert_eq!(refusal.reason().code(), "malformed");
/// assert_eq!(Refusal::new(RefusalReason::Revoked).to_string(), refusal.to_string());
/// ```
#[derive(Debug)]
pub struct Refusal {
    reason: RefusalReason,
    /// Apart, so that a verdict that accepts carries no room for it around.
    key: Option<Box<(KeyId, DisplayPrefix)>>,
    outage: Option<Arc<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// A refusal that speaks of no particular key.
    #[must_use]
    pub const fn new(reason: RefusalReason) -> Self {
        Self { reason, key: None, outage: None }
    }

    #[cold]
    fn of(KeyHead { id, prefix, .. }: &KeyHead, reason: RefusalReason) -> Self {
        Self { reason, key: Some(Box::new((id.clone(), prefix.clone()))), outage: None }
    }

    /// A store could not answer, and `outage` says why. That is no verdict on the key.
    #[must_use]
    pub fn unavailable(outage: impl Error + Send + Sync + 'static) -> Self {
        Self::unavailable_for_all(Arc::new(outage))
    }

    /// As [`unavailable`](Self::unavailable), for one of several who waited for the same answer.
    pub(crate) fn unavailable_for_all(outage: Arc<dyn Error + Send + Sync>) -> Self {
        Self { reason: RefusalReason::StoreUnavailable, key: None, outage: Some(outage) }
    }

    /// Why, for the log.
    #[must_use]
    pub const fn reason(&self) -> RefusalReason {
        self.reason
    }

    /// The key that matched, for the log.
    #[must_use]
    pub fn key_id(&self) -> Option<&KeyId> {
        self.key.as_deref().map(|(id, _)| id)
    }

    /// The display prefix of the key that matched, for the log.
    #[must_use]
    pub fn display_prefix(&self) -> Option<&DisplayPrefix> {
        self.key.as_deref().map(|(_, prefix)| prefix)
    }

    /// What the store reported when it could not answer, for the log.
    #[must_use]
    pub fn outage(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.outage.as_deref()
    }

    /// Whether the store could not answer: the caller should try again rather than discard its key (503, not 401).
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self.reason, RefusalReason::StoreUnavailable)
    }
}

impl From<MalformedKey> for Refusal {
    /// A key that shows another environment is refused like one whose record says so.
    fn from(malformed: MalformedKey) -> Self {
        Self::new(match malformed {
            MalformedKey::OtherEnvironment => RefusalReason::OtherEnvironment,
            malformed => RefusalReason::Malformed(malformed),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_outage() {
            "API keys cannot be checked at the moment"
        } else {
            "the API key is not valid"
        })
    }
}

/// Serialised for logs and audit, not for callers: the reason is in it.
#[cfg(feature = "serde")]
impl serde::Serialize for Refusal {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        use serde::ser::SerializeStruct as _;

        let mut refusal = serializer.serialize_struct("Refusal", 3)?;
        refusal.serialize_field("reason", self.reason.code())?;
        refusal.serialize_field("key_id", &self.key_id())?;
        refusal.serialize_field("prefix", &self.display_prefix())?;
        refusal.end()
    }
}

/// The source is withheld on purpose: whoever prints a chain of errors to a caller must not print the reason.
impl Error for Refusal {}

/// Why a key was refused. For operators: a caller learns only that the key is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The text does not have the form of a key.
    Malformed(MalformedKey),
    /// No record has this digest.
    Unknown,
    /// It is revoked.
    Revoked,
    /// It is switched off.
    Disabled,
    /// What it belongs to is shut down, such as an archived mesh.
    TenantDisabled,
    /// Its expiry has passed.
    Expired,
    /// It belongs to another environment of the service.
    OtherEnvironment,
    /// Its row holds a value that grants nothing.
    Unusable(Defect),
    /// The store could not answer; nothing is known about the key.
    StoreUnavailable,
}

impl RefusalReason {
    /// The reason in one `snake_case` word, for logs, metrics and JSON.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
            Self::TenantDisabled => "tenant_disabled",
            Self::Expired => "expired",
            Self::OtherEnvironment => "other_environment",
            Self::Unusable(_) => "unusable",
            Self::StoreUnavailable => "store_unavailable",
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => fmt::Display::fmt(malformed, f),
            Self::Unknown => f.write_str("no such key"),
            Self::Revoked => f.write_str("the key is revoked"),
            Self::Disabled => f.write_str("the key is disabled"),
            Self::TenantDisabled => f.write_str("what the key belongs to is shut down"),
            Self::Expired => f.write_str("the key has expired"),
            Self::OtherEnvironment => f.write_str("the key belongs to another environment"),
            Self::Unusable(defect) => write!(f, "the key's row grants nothing because of {defect}"),
            Self::StoreUnavailable => f.write_str("the store could not answer"),
        }
    }
}
