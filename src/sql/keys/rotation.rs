//! The rotation of keys in a host's table that has a row for each of them: the database itself copies the row.

use std::time::Duration;

use crate::key::Rotation;
use crate::sql::engine::{Script, Sql, Statement, Step, Value};
use crate::sql::keys::host::{HostTable, digest, owner_lock, text};
use crate::store::StoreError;

/// How a table lets one key take over from another.
#[derive(Debug)]
pub(crate) struct Succession {
    /// `$1` identity, `$2` digest, `$3` owner, `$4` the expiry that the caller saw, `$5` the new expiry, `$6` when the key
    /// is revoked, or NULL when it lives on until that; returns a row if the key was still as the caller saw it.
    pub(crate) retire: Sql,
    /// Adds a key that has everything of the retired one but these: `$1` the retired key's identity, `$2` identity, `$3`
    /// digest, `$4` display prefix, `$5` created, `$6` expiry; returns a row if the key was added.
    pub(crate) succeed: Sql,
}

/// `$1` schema, `$2` identity, `$3` digest, `$4` the successor, `$5` when, `$6` until when the retired key is accepted.
const RECORD_ROTATION: Sql = Sql {
    postgres: "
        INSERT INTO keyward.rotations (schema, key_id, key_hash, successor_id, rotated_at, accepted_until)
        VALUES ($1, $2, $3, $4, $5::timestamp, $6::timestamp)
        ON CONFLICT DO NOTHING RETURNING 1",
    sqlite: "
        INSERT INTO keyward_rotations (schema, key_id, key_hash, successor_id, rotated_at, accepted_until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT DO NOTHING RETURNING 1",
};

/// `$1` schema, `$2` identity, `$3` digest, `$4` when. The first revocation stays.
const RECORD_RETIREMENT: Sql = Sql {
    postgres: "
        INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at)
        VALUES ($1, $2, $3, $4::timestamp)
        ON CONFLICT DO NOTHING RETURNING 1",
    sqlite: "
        INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at)
        VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO NOTHING RETURNING 1",
};

/// `$1` schema, `$2` identity, `$3` digest; returns a row if the key was revoked, whatever the host's table says.
const REVOKED: Sql = Sql {
    postgres: "
        SELECT 1 FROM keyward.revocations WHERE schema = $1::text AND key_id = $2::text AND key_hash = $3::text",
    sqlite: "SELECT 1 FROM keyward_revocations WHERE schema = ?1 AND key_id = ?2 AND key_hash = ?3",
};

/// Those that are the same for every schema.
pub(super) const STATEMENTS: [(&str, Sql); 3] =
    [("record_rotation", RECORD_ROTATION), ("record_retirement", RECORD_RETIREMENT), ("revoked", REVOKED)];

/// By how much a predecessor's own expiry is lowered where no side table remembers its rotation: enough for a second
/// rotation to see, also on SQLite, that the expiry has changed.
const MARK: Duration = Duration::from_millis(1);

/// Retires the predecessor, looks for what `references` demands of its row, and copies that row.
pub(crate) fn rotate<S: HostTable>(
    succession: &Succession,
    rotation: &Rotation<S>,
    references: Vec<Step<StoreError>>,
    side_tables: bool,
) -> Script<StoreError> {
    let Rotation { predecessor, retire_at, successor, at, .. } = rotation;
    let id = text(&predecessor.id);
    let hash = digest(predecessor.digest.as_ref());
    let schema = || Value::from(S::NAME.to_owned());
    let revoked_at = rotation.is_immediate().then_some(*at);
    let retire_at = match predecessor.expires_at {
        Some(own) if !side_tables => own.saturating_sub(MARK).min(*retire_at),
        _ => *retire_at,
    };
    let owner = predecessor.owner.as_str().to_owned().into();
    let retire = [id.clone(), hash.clone(), owner, predecessor.expires_at.into(), retire_at.into(), revoked_at.into()];
    let mut steps = vec![Step::require(Statement::new(succession.retire, retire), StoreError::Conflict)];
    if side_tables {
        let revoked = Statement::new(REVOKED, [schema(), id.clone(), hash.clone()]);
        steps.push(Step::refuse(revoked, StoreError::Conflict));
    }
    steps.extend(references);
    let head = &successor.head;
    let succeed = [
        id.clone(),
        text(&head.id),
        digest(head.digest.as_ref()),
        head.prefix.as_str().to_owned().into(),
        head.created_at.into(),
        head.expires_at.into(),
    ];
    steps.push(Step::require(Statement::new(succession.succeed, succeed), StoreError::Conflict));
    if side_tables {
        if let Some(at) = revoked_at {
            let record = [schema(), id.clone(), hash.clone(), at.into()];
            steps.push(Step::run(Statement::new(RECORD_RETIREMENT, record)));
        }
        let record = [schema(), id, hash, text(&head.id), (*at).into(), retire_at.into()];
        steps.push(Step::require(Statement::new(RECORD_ROTATION, record), StoreError::Conflict));
    }
    Script::locked(owner_lock::<S>(&predecessor.owner), steps)
}
