//! A stored key: what every schema records about one, and what only its own schema knows.

use std::fmt;

use crate::key::{Actor, DisplayPrefix, KeyDigest, KeyId, OwnerId, Reason, Schema};
use crate::time::Timestamp;

/// What every schema records about a key, whatever it calls the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
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
    /// Who issued it, where the schema records that.
    pub created_by: Option<Actor>,
    /// When it was last accepted, within the interval at which last use is written.
    pub last_used_at: Option<Timestamp>,
    /// The instant at which it dies; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// Whether somebody stopped it.
    pub status: Status,
    /// The key that replaced it, where the store remembers rotations.
    pub successor: Option<KeyId>,
    /// How many changes it has had, the issue included; 0 where the schema does not count them.
    pub version: u64,
    /// A stored value that cannot be understood. A key with one is refused.
    pub defect: Option<Defect>,
}

impl KeyHead {
    /// The head of an active key that never expires and was never used. Set the fields that say otherwise.
    #[must_use]
    pub const fn new(id: KeyId, owner: OwnerId, prefix: DisplayPrefix, digest: Option<KeyDigest>) -> Self {
        Self {
            id,
            owner,
            prefix,
            digest,
            created_at: None,
            created_by: None,
            last_used_at: None,
            expires_at: None,
            status: Status::Active,
            successor: None,
            version: 0,
            defect: None,
        }
    }

    /// Whether somebody revoked it.
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        matches!(self.status, Status::Revoked(_))
    }
}

/// Whether somebody stopped a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Status {
    /// It was not stopped.
    Active,
    /// It was switched off, and may be switched on again.
    Disabled(Disabling),
    /// What it belongs to is shut down, such as an archived mesh.
    TenantDisabled,
    /// It was revoked, for good.
    Revoked(Revocation),
}

/// When and why a key was disabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Disabling {
    /// When, where the store knows.
    pub at: Option<Timestamp>,
    /// The operator's words, where there are any.
    pub reason: Option<Reason>,
}

impl Disabling {
    /// A disabling at this time and for this reason, as far as they are known.
    #[must_use]
    pub const fn new(at: Option<Timestamp>, reason: Option<Reason>) -> Self {
        Self { at, reason }
    }
}

/// When and why a key was revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Revocation {
    /// The first time that it was revoked, where the store knows.
    pub at: Option<Timestamp>,
    /// The operator's words, where there are any.
    pub reason: Option<Reason>,
}

impl Revocation {
    /// A revocation at this time and for this reason, as far as they are known.
    #[must_use]
    pub const fn new(at: Option<Timestamp>, reason: Option<Reason>) -> Self {
        Self { at, reason }
    }
}

/// Where a stored value stands that cannot be understood, or that grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Defect {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
}

impl Defect {
    /// A defect in this column of this table.
    #[must_use]
    pub const fn new(table: &'static str, column: &'static str) -> Self {
        Self { table, column }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

/// A stored key: the shared head, and the details that only its schema knows.
#[non_exhaustive]
pub struct KeyRecord<S: Schema> {
    /// What every schema records.
    pub head: KeyHead,
    /// What only this schema records.
    pub details: S::Details,
}

impl<S: Schema> KeyRecord<S> {
    /// A record of these two parts.
    #[must_use]
    pub const fn new(head: KeyHead, details: S::Details) -> Self {
        Self { head, details }
    }
}

// Derived forms would ask the schema itself for what only its details need.
impl<S: Schema> Clone for KeyRecord<S> {
    fn clone(&self) -> Self {
        Self { head: self.head.clone(), details: self.details.clone() }
    }
}

impl<S: Schema> fmt::Debug for KeyRecord<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord").field("head", &self.head).field("details", &self.details).finish()
    }
}

impl<S: Schema> PartialEq for KeyRecord<S> {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head && self.details == other.details
    }
}

#[cfg(feature = "serde")]
impl<S: Schema<Details: serde::Serialize>> serde::Serialize for KeyRecord<S> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        use serde::ser::SerializeStruct as _;

        let mut record = serializer.serialize_struct("KeyRecord", 2)?;
        record.serialize_field("head", &self.head)?;
        record.serialize_field("details", &self.details)?;
        record.end()
    }
}
