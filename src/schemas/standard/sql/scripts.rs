//! The changes of keys as scripts: each change and its entry in the history happen together or not at all.

use crate::key::{
    Action, Actor, Description, HistoryEntry, KeyChange, KeyDigest, KeyHead, KeyId, KeyRecord, Metadata, OwnerId,
    Reason, Rotation, Schema, Status,
};
use crate::schemas::standard::sql::history::stored_changes;
use crate::schemas::standard::sql::{changes, revocations, text};
use crate::schemas::standard::{FormatName, Standard, StandardDetails};
use crate::sql::engine::{Script, Statement, Step, Value};
use crate::sql::keys::host::owner_lock;
use crate::sql::keys::schema::{Asked, FIRST, PURGED, Part, REVOKED};
use crate::store::{PurgeRequest, RevokeAllRequest, RevokeRequest, StoreError};
use crate::time::Timestamp;

pub(super) fn insert(key: &KeyRecord<Standard>) -> Result<Script<StoreError>, StoreError> {
    accept(&key.details)?;
    if key.head.digest.is_none() || key.head.created_at.is_none() {
        return Err(StoreError::Unsupported("a key of this schema has a digest and the time of its issue"));
    }
    Ok(Script::locked(owner_lock::<Standard>(&key.head.owner), add(key)))
}

/// The details of the successor are copied from the predecessor's row.
pub(super) fn rotate(rotation: &Rotation<Standard>) -> Script<StoreError> {
    let Rotation { predecessor, retire_at, successor: KeyRecord { head, details }, at, by, .. } = rotation;
    let predecessor_id = text(Some(predecessor.id.as_str()));
    let retire = [
        predecessor_id.clone(),
        version(predecessor.version),
        (*retire_at).into(),
        text(Some(head.id.as_str())),
        (*at).into(),
        rotation.is_immediate().then_some(*at).into(),
    ];
    let succeed = [
        predecessor_id,
        text(Some(head.id.as_str())),
        text(Some(head.prefix.as_str())),
        bytes(head.digest.as_ref()),
        (*at).into(),
        text(head.created_by.as_ref().map(Actor::as_str)),
        head.expires_at.into(),
    ];
    let rotated = HistoryEntry::new(Action::Rotated, predecessor.version.saturating_add(1), *at).with(by.clone(), None);
    let added = HistoryEntry::new(Standard::origin(details), 1, *at).with(head.created_by.clone(), None);
    let steps = [
        Step::require(Statement::new(changes::RETIRE, retire), StoreError::Conflict),
        append(&predecessor.id, &rotated),
        Step::require(Statement::new(changes::SUCCEED, succeed), StoreError::Conflict),
        append(&head.id, &added),
    ];
    Script::locked(owner_lock::<Standard>(&predecessor.owner), steps)
}

pub(super) fn change(change: &KeyChange<Standard>) -> Result<Script<StoreError>, StoreError> {
    let KeyChange { seen_version, key: KeyRecord { head, details }, entry, .. } = change;
    accept(details)?;
    let [_, _, is_disabled, disabled_at, disabling_reason] = status(head);
    let arguments = [
        text(Some(head.id.as_str())),
        version(*seen_version),
        text(Some(details.name.as_str())),
        text(details.description.as_ref().map(Description::as_str)),
        details.scopes.joined().into(),
        text(details.metadata.as_ref().map(Metadata::as_str)),
        details.rate_limit.to_stored().into(),
        head.expires_at.into(),
        is_disabled,
        disabled_at,
        disabling_reason,
    ];
    let change = Step::require(Statement::new(changes::CHANGE, arguments), StoreError::Conflict);
    Ok(Script::new([change, append(&head.id, entry)]))
}

pub(super) fn revoke(request: &RevokeRequest) -> Script<StoreError> {
    let RevokeRequest { at, reason, by, .. } = request;
    let reason = text(reason.as_ref().map(Reason::as_str));
    let [id, digest, owner] = named(request);
    let revoke = [id.clone(), digest, owner, (*at).into(), reason.clone()];
    let history = [id, (*at).into(), text(by.as_ref().map(Actor::as_str)), reason];
    Script::new([
        Step::count(REVOKED, Statement::new(revocations::REVOKE, revoke)),
        Step::run(Statement::new(revocations::APPEND_REVOCATION, history)),
    ])
}

/// Which key is meant: its identity, its digest and its owner.
pub(super) fn named(request: &RevokeRequest) -> [Value<'static>; 3] {
    let RevokeRequest { id, digest, owner, .. } = request;
    [text(Some(id.as_str())), bytes(digest.as_ref()), text(owner.as_ref().map(OwnerId::as_str))]
}

pub(super) fn revoke_all(request: &RevokeAllRequest) -> Script<StoreError> {
    let RevokeAllRequest { owner, at, reason, by } = request;
    let lock = owner_lock::<Standard>(owner);
    let (owner, reason) = (text(Some(owner.as_str())), text(reason.as_ref().map(Reason::as_str)));
    let revoke = [owner.clone(), (*at).into(), reason.clone()];
    let history = [owner, (*at).into(), text(by.as_ref().map(Actor::as_str)), reason];
    let steps = [
        Step::count(FIRST, Statement::new(revocations::REVOKE_ALL, revoke)),
        Step::run(Statement::new(revocations::APPEND_REVOCATIONS, history)),
    ];
    Script::locked(lock, steps)
}

pub(super) fn revoke_part(request: &RevokeAllRequest, part: Part) -> (Script<StoreError>, Asked) {
    let RevokeAllRequest { owner, at, reason, by } = request;
    let [limit, left] = part.arguments();
    let [reason, by] = [reason.as_ref().map(Reason::as_str), by.as_ref().map(Actor::as_str)].map(text);
    let arguments = vec![text(Some(owner.as_str())), limit, left, (*at).into(), reason, by];
    (Script::locked(owner_lock::<Standard>(owner), []), (&revocations::REVOKE_PART, arguments))
}

pub(super) fn purge(request: &PurgeRequest) -> Script<StoreError> {
    let arguments = [request.dead_before.into(), i64::from(request.limit).into()];
    Script::new([Step::count(PURGED, Statement::new(changes::PURGE, arguments))])
}

/// What could not be read back as it was is refused before anything is written.
fn accept(details: &StandardDetails) -> Result<(), StoreError> {
    if details.scopes.iter().any(|scope| scope.contains(' ')) {
        return Err(StoreError::Unsupported("a scope of this schema has no spaces"));
    }
    if details.rate_limit.to_stored().is_some_and(|limit| limit < 1 || i32::try_from(limit).is_err()) {
        return Err(StoreError::Unsupported("the rate limit of this schema is 1 to 2147483647 requests a minute"));
    }
    Ok(())
}

/// A new key and the first entry of its history.
fn add(key: &KeyRecord<Standard>) -> [Step<StoreError>; 2] {
    let KeyRecord { head, details } = key;
    let at = head.created_at.unwrap_or(Timestamp::MIN);
    let entry = HistoryEntry::new(Standard::origin(details), 1, at).with(head.created_by.clone(), None);
    let insert = Statement::new(changes::INSERT, columns(key));
    [Step::require(insert, StoreError::Conflict), append(&head.id, &entry)]
}

/// The arguments of [`INSERT`](changes::INSERT).
pub(super) fn columns(key: &KeyRecord<Standard>) -> Vec<Value<'static>> {
    let KeyRecord { head, details } = key;
    let [revoked_at, revocation_reason, is_disabled, disabled_at, disabling_reason] = status(head);
    vec![
        text(Some(head.id.as_str())),
        text(Some(head.owner.as_str())),
        text(Some(details.environment.as_str())),
        text(Some(details.name.as_str())),
        text(details.description.as_ref().map(Description::as_str)),
        text(Some(head.prefix.as_str())),
        bytes(head.digest.as_ref()),
        details.scopes.joined().into(),
        text(details.metadata.as_ref().map(Metadata::as_str)),
        details.rate_limit.to_stored().into(),
        head.created_at.into(),
        text(head.created_by.as_ref().map(Actor::as_str)),
        head.expires_at.into(),
        revoked_at,
        revocation_reason,
        is_disabled,
        disabled_at,
        disabling_reason,
        text(Some(details.lineage.as_str())),
        text(details.predecessor.as_ref().map(KeyId::as_str)),
        text(head.successor.as_ref().map(KeyId::as_str)),
        text(details.imported_from.as_ref().map(FormatName::as_str)),
    ]
}

/// `revoked_at`, `revocation_reason`, `is_disabled`, `disabled_at`, `disabling_reason`.
fn status(head: &KeyHead) -> [Value<'static>; 5] {
    let none = Value::Timestamp(None);
    match &head.status {
        Status::Active => [none.clone(), text(None), 0.into(), none, text(None)],
        Status::Disabled(disabling) => {
            let reason = text(disabling.reason.as_ref().map(Reason::as_str));
            [none, text(None), 1.into(), disabling.at.into(), reason]
        }
        // No key of this schema has it; a record that is copied from elsewhere must not become good by that.
        Status::TenantDisabled => [none.clone(), text(None), 1.into(), none, text(None)],
        Status::Revoked(revocation) => {
            let reason = text(revocation.reason.as_ref().map(Reason::as_str));
            [revocation.at.or(head.created_at).into(), reason, 0.into(), none, text(None)]
        }
    }
}

fn append(id: &KeyId, entry: &HistoryEntry) -> Step<StoreError> {
    let HistoryEntry { at, action, by, reason, from_version, to_version, changes: fields } = entry;
    let arguments = [
        text(Some(id.as_str())),
        version(*from_version),
        version(*to_version),
        (*at).into(),
        text(Some(action.as_str())),
        text(by.as_ref().map(Actor::as_str)),
        text(reason.as_ref().map(Reason::as_str)),
        stored_changes(fields).into(),
    ];
    Step::require(Statement::new(changes::APPEND_HISTORY, arguments), StoreError::Conflict)
}

fn version(version: u64) -> Value<'static> {
    i64::try_from(version).unwrap_or(i64::MAX).into()
}

fn bytes(digest: Option<&KeyDigest>) -> Value<'static> {
    Value::Bytes(digest.map(|digest| digest.as_bytes().to_vec().into()))
}
