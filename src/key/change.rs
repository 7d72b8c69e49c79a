//! Changing a key after it was issued, and the history that such changes leave.

use std::fmt;

use crate::key::{Actor, Defect, Disabling, KeyId, KeyRecord, Reason, Receipt, Schema, Status};
use crate::time::Timestamp;
use crate::visible::Visible;

/// New values for some fields of a key of the schema `S`.
pub trait Update<S: Schema> {
    /// Changes `key` and names every field that is now another.
    ///
    /// # Errors
    /// [`ChangeError`] when the change would not be sound.
    fn apply(self, key: &mut KeyRecord<S>, at: Timestamp) -> Result<Vec<FieldChange>, ChangeError>;
}

/// One change of one key, worked out and ready to be stored: all of it or nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeyChange<S: Schema> {
    /// The version that the caller saw. The change is made only if the key still has it.
    pub seen_version: u64,
    /// The key as it will be, its version counted up.
    pub key: KeyRecord<S>,
    /// What goes into the key's history.
    pub entry: HistoryEntry,
}

impl<S: Schema> KeyChange<S> {
    /// Works out what `update` does to `seen`; `None` when it changes nothing.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn update(
        seen: &KeyRecord<S>,
        update: impl Update<S>,
        by: Option<Actor>,
        at: Timestamp,
    ) -> Result<Option<Self>, ChangeError> {
        if seen.head.is_revoked() {
            return Err(ChangeError::Revoked);
        }
        refuse_defect(seen)?;
        let mut key = seen.clone();
        let changes = update.apply(&mut key, at)?;
        if changes.is_empty() {
            return Ok(None);
        }
        // A rotated key lives to the end of its grace period; a later expiry would bring it back.
        if key.head.expires_at != seen.head.expires_at {
            if let Some(successor) = &seen.head.successor {
                return Err(ChangeError::Rotated { successor: successor.clone() });
            }
            if key.head.expires_at.is_some_and(|expires_at| expires_at <= at) {
                return Err(ChangeError::ExpiryPassed);
            }
        }
        Ok(Some(Self::new(seen.head.version, key, Action::Updated, None, changes, by, at)))
    }

    /// Switches `seen` off; `None` when it is off already.
    ///
    /// # Errors
    /// [`ChangeError::Revoked`]; [`ChangeError::Unusable`].
    pub fn disable(
        seen: &KeyRecord<S>,
        reason: Option<Reason>,
        by: Option<Actor>,
        at: Timestamp,
    ) -> Result<Option<Self>, ChangeError> {
        match seen.head.status {
            Status::Revoked(_) => Err(ChangeError::Revoked),
            Status::Disabled(_) => Ok(None),
            Status::Active | Status::TenantDisabled => {
                refuse_defect(seen)?;
                let mut key = seen.clone();
                key.head.status = Status::Disabled(Disabling::new(Some(at), reason.clone()));
                Ok(Some(Self::new(seen.head.version, key, Action::Disabled, reason, Vec::new(), by, at)))
            }
        }
    }

    /// Switches `seen` on again; `None` when it is on.
    ///
    /// # Errors
    /// [`ChangeError::Revoked`]; [`ChangeError::Unusable`].
    pub fn enable(
        seen: &KeyRecord<S>,
        reason: Option<Reason>,
        by: Option<Actor>,
        at: Timestamp,
    ) -> Result<Option<Self>, ChangeError> {
        match seen.head.status {
            Status::Revoked(_) => Err(ChangeError::Revoked),
            Status::Active | Status::TenantDisabled => Ok(None),
            Status::Disabled(_) => {
                refuse_defect(seen)?;
                let mut key = seen.clone();
                key.head.status = Status::Active;
                Ok(Some(Self::new(seen.head.version, key, Action::Enabled, reason, Vec::new(), by, at)))
            }
        }
    }

    fn new(
        seen_version: u64,
        mut key: KeyRecord<S>,
        action: Action,
        reason: Option<Reason>,
        changes: Vec<FieldChange>,
        by: Option<Actor>,
        at: Timestamp,
    ) -> Self {
        let version = seen_version.saturating_add(1);
        key.head.version = version;
        let entry = HistoryEntry { at, action, by, reason, from_version: seen_version, to_version: version, changes };
        Self { seen_version, key, entry }
    }

    /// As something that happened in a transaction of the host. For authors of stores.
    pub fn stored(self) -> Receipt<Changed<S>> {
        Receipt::new(Changed { action: Some(self.entry.action), changes: self.entry.changes, key: self.key })
    }
}

/// A change writes the key as it was read, and what could not be read would be lost.
fn refuse_defect<S: Schema>(seen: &KeyRecord<S>) -> Result<(), ChangeError> {
    seen.head.defect.map_or(Ok(()), |defect| Err(ChangeError::Unusable(defect)))
}

/// A key that is now as the caller wants it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Changed<S: Schema> {
    /// What was done; `None` when the key was so already.
    pub action: Option<Action>,
    /// The fields that are now others.
    pub changes: Vec<FieldChange>,
    /// The key as it is now.
    pub key: KeyRecord<S>,
}

impl<S: Schema> Changed<S> {
    pub(crate) const fn nothing(key: KeyRecord<S>) -> Self {
        Self { action: None, changes: Vec::new(), key }
    }
}

/// Why a change would not be sound. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// A revoked key stays as it is.
    #[error("a revoked key cannot be changed")]
    Revoked,
    /// The key's row holds a value that cannot be understood. No verifier accepts it; it can be revoked.
    #[error("the key's row grants nothing because of {0}: revoke it, or correct the row")]
    Unusable(Defect),
    /// The expiry of a rotated key is the end of its grace period.
    #[error("the key was rotated, so that its expiry is fixed: its successor is {successor}")]
    Rotated {
        /// The key that replaced it.
        successor: KeyId,
    },
    /// The expiry is not in the future.
    #[error("the expiry must be in the future: revoke the key to end it now")]
    ExpiryPassed,
}

/// A field that a change gave another value.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FieldChange {
    /// The field's name.
    pub field: String,
    /// What it was; `None` when it was not set.
    pub before: Option<String>,
    /// What it is; `None` when it is no longer set.
    pub after: Option<String>,
}

impl FieldChange {
    /// `field` was `before` and is `after`.
    #[must_use]
    pub fn new(field: impl Into<String>, before: Option<String>, after: Option<String>) -> Self {
        Self { field: field.into(), before, after }
    }
}

impl fmt::Debug for FieldChange {
    /// Without the values, which may be metadata of the host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldChange({})", Visible(&self.field))
    }
}

/// What was done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Action {
    /// It was issued.
    Issued,
    /// Its digest was taken over from another service.
    Imported,
    /// Some of its fields were changed.
    Updated,
    /// It was switched off.
    Disabled,
    /// It was switched on again.
    Enabled,
    /// It was replaced by a successor.
    Rotated,
    /// It was revoked.
    Revoked,
    /// Something that this version of keyward has no word for.
    Unknown,
}

impl Action {
    const KNOWN: [Self; 7] =
        [Self::Issued, Self::Imported, Self::Updated, Self::Disabled, Self::Enabled, Self::Rotated, Self::Revoked];

    /// The action in one lowercase word, as tables, logs and JSON hold it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Imported => "imported",
            Self::Updated => "updated",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Rotated => "rotated",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
        }
    }

    /// The action with this name, [`Action::Unknown`] for any other. For authors of stores.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::KNOWN.into_iter().find(|action| action.as_str() == name).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One entry of a key's history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// By whom, as the host says.
    pub by: Option<Actor>,
    /// Why, where a reason was given.
    pub reason: Option<Reason>,
    /// The version before; 0 before the issue.
    pub from_version: u64,
    /// The version after.
    pub to_version: u64,
    /// The fields that were changed.
    pub changes: Vec<FieldChange>,
}

impl HistoryEntry {
    /// An entry without an actor, a reason or changed fields, for the step from `to_version - 1` to `to_version`.
    #[must_use]
    pub const fn new(action: Action, to_version: u64, at: Timestamp) -> Self {
        let from_version = to_version.saturating_sub(1);
        Self { at, action, by: None, reason: None, from_version, to_version, changes: Vec::new() }
    }

    /// The same entry with who did it and why.
    #[must_use]
    pub fn with(self, by: Option<Actor>, reason: Option<Reason>) -> Self {
        Self { by, reason, ..self }
    }
}
