//! The one decision about a presented key, for every system and every store.

use std::error::Error;
use std::fmt;

use crate::key::{Defect, DisplayPrefix, KeyDigest, KeyHead, KeyId, KeyRecord, MalformedKey, Status};
use crate::time::Timestamp;

/// Proof that a presented key matched a live record. Only [`decide`] makes one.
///
/// ```compile_fail
/// # fn forge<D>(record: keyward::key::KeyRecord<D>) -> keyward::key::Authenticated<D> {
/// keyward::key::Authenticated(record) // the constructor is private
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Authenticated<D>(KeyRecord<D>);

impl<D> Authenticated<D> {
    /// What every system records about the key.
    #[must_use]
    pub const fn head(&self) -> &KeyHead {
        &self.0.head
    }

    /// What only this system records about it: its permissions and limits.
    #[must_use]
    pub const fn details(&self) -> &D {
        &self.0.details
    }

    /// The whole record.
    #[must_use]
    pub fn into_record(self) -> KeyRecord<D> {
        self.0
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
            (Status::Inactive, None) => Err(RefusalReason::Inactive),
            (Status::Active, None) if self.expires_at.is_some_and(|at| at <= now) => Err(RefusalReason::Expired),
            (Status::Active, None) => Ok(()),
        }
    }
}

/// Decides about a presented key; does no I/O.
///
/// `candidates` is every row that a store found for it, dead ones and strangers with the same display prefix
/// included. Rows are told apart by the whole digest, in constant time. Should several rows hold the same digest, as
/// system B's table allows, a live one is enough.
///
/// # Errors
/// [`Refusal`] with the reason, and with the key that it speaks of where one matched.
pub fn decide<D>(
    candidates: Vec<KeyRecord<D>>,
    digest: &KeyDigest,
    now: Timestamp,
) -> Result<Authenticated<D>, Refusal> {
    let mut refusal = Refusal::new(RefusalReason::Unknown);
    for record in candidates {
        if record.head.digest.as_ref() != Some(digest) {
            continue;
        }
        match record.head.standing(now) {
            Ok(()) => return Ok(Authenticated(record)),
            Err(reason) => {
                refusal = Refusal { reason, key: Some((record.head.id, record.head.prefix)), outage: None };
            }
        }
    }
    Err(refusal)
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
/// let malformed = KeyFormat::SCRAPER.parse("hunter2").unwrap_err();
/// let refusal = Refusal::from(malformed);
/// assert_eq!(refusal.to_string(), "the API key is not valid");
/// assert_eq!(refusal.reason().code(), "malformed");
/// assert_eq!(Refusal::new(RefusalReason::Revoked).to_string(), refusal.to_string());
/// ```
#[derive(Debug)]
pub struct Refusal {
    reason: RefusalReason,
    key: Option<(KeyId, DisplayPrefix)>,
    outage: Option<Box<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// A refusal that speaks of no particular key.
    #[must_use]
    pub const fn new(reason: RefusalReason) -> Self {
        Self { reason, key: None, outage: None }
    }

    /// A store could not answer, and `outage` says why. That is no verdict on the key.
    #[must_use]
    pub fn unavailable(outage: impl Error + Send + Sync + 'static) -> Self {
        Self { reason: RefusalReason::StoreUnavailable, key: None, outage: Some(Box::new(outage)) }
    }

    /// Why, for the log.
    #[must_use]
    pub const fn reason(&self) -> RefusalReason {
        self.reason
    }

    /// The key that matched, for the log.
    #[must_use]
    pub fn key_id(&self) -> Option<&KeyId> {
        self.key.as_ref().map(|(id, _)| id)
    }

    /// The display prefix of the key that matched, for the log.
    #[must_use]
    pub fn display_prefix(&self) -> Option<&DisplayPrefix> {
        self.key.as_ref().map(|(_, prefix)| prefix)
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
    fn from(malformed: MalformedKey) -> Self {
        Self::new(RefusalReason::Malformed(malformed))
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
    /// Somebody revoked it.
    Revoked,
    /// Its flag is not set.
    Inactive,
    /// Its mesh is archived, or the member who issued it is revoked.
    TenantDisabled,
    /// Its time has come.
    Expired,
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
            Self::Inactive => "inactive",
            Self::TenantDisabled => "tenant_disabled",
            Self::Expired => "expired",
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
            Self::Inactive => f.write_str("the key is inactive"),
            Self::TenantDisabled => f.write_str("the key's mesh is archived or its issuer is revoked"),
            Self::Expired => f.write_str("the key has expired"),
            Self::Unusable(defect) => write!(f, "the key's row grants nothing because of {defect}"),
            Self::StoreUnavailable => f.write_str("the store could not answer"),
        }
    }
}
