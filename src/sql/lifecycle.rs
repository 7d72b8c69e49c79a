//! The scripts that change keys, put together from the statements of a system.

use std::time::Duration;

use crate::key::{KeyDigest, KeyRecord, OwnerId, RevocationReason, Rotation};
use crate::sql::{Otherwise, Schema, Script, Sql, Statement, Step, Value};
use crate::store::RevokeRequest;
use crate::time::Timestamp;

/// The statements that revoke keys. Each brings a row for every key that it changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Revocations {
    /// `$1` identity, `$2` the digest that the caller saw or NULL, and `$3` when if the table keeps the time.
    pub(crate) revoke: Sql,
    /// `$1` owner, and `$2` when if the table keeps the time.
    pub(crate) revoke_all: Sql,
    /// Into the side table; brings a row if this is the first revocation: `$1` identity, `$2` the digest that the caller saw or
    /// NULL, `$3` when, `$4` why.
    pub(crate) record: Sql,
    /// Into the side table, one after the other, for all keys of an owner: `$1` owner, `$2` when, `$3` why. The first
    /// brings a row for every key that is revoked for the first time.
    pub(crate) record_all: &'static [Sql],
    /// Whether the system's own table keeps the time.
    pub(crate) keeps_time: bool,
}

/// `$1` system, `$2` identity, `$3` digest, `$4` the successor, `$5` when, `$6` until when the retired key is accepted.
const RECORD_ROTATION: Sql = Sql {
    postgres: "
        INSERT INTO keyward_rotations (system, key_id, key_hash, successor_id, rotated_at, accepted_until)
        VALUES ($1, $2, $3, $4, $5::timestamp, $6::timestamp)
        ON CONFLICT DO NOTHING RETURNING 1",
    sqlite: "
        INSERT INTO keyward_rotations (system, key_id, key_hash, successor_id, rotated_at, accepted_until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT DO NOTHING RETURNING 1",
};

/// By how much a predecessor's own expiry is lowered where no side table remembers its rotation: enough for SQLite to
/// tell that somebody has been here.
const MARK: Duration = Duration::from_millis(1);

pub(crate) fn insert<S: Schema>(key: &KeyRecord<S::Details>) -> Script {
    let mut steps = S::references(key);
    steps.push(add::<S>(key));
    Script::locked(owner_lock::<S>(&key.head.owner), steps)
}

/// The rotation of systems that keep a row for each key. `retire` has the arguments `$1` identity, `$2` digest, `$3` the
/// new expiry, `$4` the expiry that the caller saw, and brings a row if the key was still as the caller saw it.
pub(crate) fn rotate<S: Schema>(retire: Sql, rotation: &Rotation<S::Details>, side_tables: bool) -> Script {
    let Rotation { predecessor, retire_at, successor, at, .. } = rotation;
    let id = Value::from(predecessor.id.as_str());
    let digest = digest(predecessor.digest.as_ref());
    let retire_at = match predecessor.expires_at {
        Some(own) if !side_tables => own.saturating_sub(MARK).min(*retire_at),
        _ => *retire_at,
    };
    let arguments = [id.clone(), digest.clone(), retire_at.into(), predecessor.expires_at.into()];
    let mut steps = S::references(successor);
    steps.push(Step::some(Statement::new(retire, arguments), Otherwise::Conflict));
    steps.push(add::<S>(successor));
    if side_tables {
        let successor_id = successor.head.id.as_str().into();
        let record = [S::NAME.into(), id, digest, successor_id, (*at).into(), retire_at.into()];
        steps.push(Step::some(Statement::new(RECORD_ROTATION, record), Otherwise::Conflict));
    }
    Script::locked(owner_lock::<S>(&predecessor.owner), steps)
}

/// The first step brings a row if this call revokes the key; the last one brings the key.
pub(crate) fn revoke<S: Schema>(request: &RevokeRequest, side_tables: bool) -> Script {
    let id = Value::from(request.id.as_str());
    let mut revoke = vec![id.clone(), digest(request.digest.as_ref())];
    let mut record = revoke.clone();
    record.extend([request.at.into(), text(request.reason.as_ref())]);
    if S::REVOCATIONS.keeps_time {
        revoke.push(request.at.into());
    }
    let mut steps = Vec::with_capacity(3);
    if side_tables {
        steps.push(Step::any(Statement { sql: S::REVOCATIONS.record, arguments: record }));
    }
    steps.push(Step::any(Statement { sql: S::REVOCATIONS.revoke, arguments: revoke }));
    steps.push(Step::any(Statement::new(S::GET.form(side_tables), [id])));
    Script::new(steps)
}

/// The first step brings a row for every key that this call revokes.
pub(crate) fn revoke_all<S: Schema>(
    owner: &OwnerId,
    at: Timestamp,
    reason: Option<&RevocationReason>,
    side_tables: bool,
) -> Script {
    let mut revoke = vec![owner.as_str().into()];
    if S::REVOCATIONS.keeps_time {
        revoke.push(at.into());
    }
    let mut steps = Vec::with_capacity(3);
    if side_tables {
        for record in S::REVOCATIONS.record_all {
            let arguments = [owner.as_str().into(), at.into(), text(reason)];
            steps.push(Step::any(Statement::new(*record, arguments)));
        }
    }
    steps.push(Step::any(Statement { sql: S::REVOCATIONS.revoke_all, arguments: revoke }));
    Script::locked(owner_lock::<S>(owner), steps)
}

fn add<S: Schema>(key: &KeyRecord<S::Details>) -> Step {
    Step::some(Statement { sql: S::INSERT, arguments: S::columns(key) }, Otherwise::Conflict)
}

/// Issuing, rotating and revoking all keys of one owner happen one after the other, so that no key slips through.
pub(crate) fn owner_lock<S: Schema>(owner: &OwnerId) -> String {
    format!("{}:{owner}", S::NAME)
}

/// A digest as a column holds it.
pub(crate) fn digest(digest: Option<&KeyDigest>) -> Value {
    Value::Text(digest.map(|digest| digest.to_hex().as_str().to_owned()))
}

fn text(reason: Option<&RevocationReason>) -> Value {
    Value::Text(reason.map(|reason| reason.as_str().to_owned()))
}
