//! Revocations: what is reported is what the rows say afterwards, inside the same transaction.

use std::collections::HashSet;

use crate::key::{KeyId, OwnerId, Reason, Revocation, Revoked, RevokedAll};
use crate::sql::engine::{EngineError, Query, Reading, Row, Script, ScriptError, Sql, Statement, Step, Value};
use crate::sql::keys::host::{Read, digest, owner_lock, reason, text};
use crate::sql::keys::schema::Asked;
use crate::sql::keys::store::{interpret, interpret_script};
use crate::sql::keys::{KeyTables, RowReader, SqlKeyStore, SqlSchema, columns};
use crate::store::{KeyStore, RevokeAllRequest, RevokeRequest, StoreError};

columns! {
    /// What [`KeyTables::revoked`] returns.
    pub(crate) enum FoundColumn {
        Id = "id",
        IsMeant = "is_meant",
        IsLive = "is_live",
        IsRecorded = "is_recorded",
        RevokedAt = "revoked_at",
        Reason = "reason",
    }
}

/// The statements with which keys in a host's table are revoked.
///
/// A row that the side table cannot take is left out there and revoked in the host's table all the same: an identity or
/// a digest that is NULL, or on PostgreSQL longer than 1,024 bytes, as the index of the side table holds no more. No such
/// key can be presented.
#[derive(Debug)]
pub(crate) struct Revocations {
    /// `$1` identity, `$2` the digest that the caller saw or NULL, `$3` the owner or NULL, and `$4` when if the table
    /// keeps the time; returns a row if this call revoked the key.
    pub(crate) revoke: Sql,
    /// Into the side table; returns a row if this is the first revocation, whose time and reason stay: `$1` identity,
    /// `$2` the digest that the caller saw or NULL, `$3` the owner or NULL, `$4` when, `$5` why. Locks the key's row
    /// first, in the order in which everything else does.
    pub(crate) record: Sql,
    /// See [`KeyTables::revoked`].
    pub(crate) revoked: Read,
    /// `$1` owner: locks its rows, in the order of their identities, and returns a row for every live key that the side
    /// table cannot take.
    pub(crate) lock: Sql,
    /// Into the side table, one after the other, for all keys of an owner: `$1` owner, `$2` when, `$3` why. The first
    /// returns a row for every live key that is revoked for the first time.
    pub(crate) record_all: &'static [Sql],
    /// `$1` owner, and `$2` when if the table keeps the time; returns a row for every key that it revoked.
    pub(crate) revoke_all: Sql,
    /// See [`KeyTables::remaining`].
    pub(crate) remaining: &'static Query,
    /// Whether the host's own table keeps the time of a revocation.
    pub(crate) keeps_time: bool,
}

impl Revocations {
    pub(super) fn statements(&self) -> Vec<(String, Sql)> {
        let Self { revoke, record, revoked, lock, record_all, revoke_all, remaining, keeps_time: _ } = self;
        let named = [
            ("revoke", *revoke),
            ("record_revocation", *record),
            ("outcome_of_revocation", revoked.with_side_tables.sql()),
            ("outcome_of_revocation, without side tables", revoked.bare.sql()),
            ("lock_keys", *lock),
            ("revoke_all", *revoke_all),
            ("remaining_keys", remaining.sql()),
        ];
        let step = |(position, sql): (usize, &Sql)| (format!("record_all_revocations, step {}", position + 1), *sql);
        let recorded = record_all.iter().enumerate().map(step);
        named.map(|(name, sql)| (name.to_owned(), sql)).into_iter().chain(recorded).collect()
    }

    pub(super) fn revoke(&self, request: &RevokeRequest, side_tables: bool) -> Script<StoreError> {
        let named = named(request);
        let mut steps = Vec::with_capacity(2);
        if side_tables {
            let [id, digest, owner] = named.clone();
            let record = [id, digest, owner, request.at.into(), reason(request.reason.as_ref())];
            steps.push(Step::run(Statement::new(self.record, record)));
        }
        let mut revoke = Vec::from(named);
        revoke.extend(self.keeps_time.then(|| request.at.into()));
        steps.push(Step::run(Statement::new(self.revoke, revoke)));
        Script::new(steps)
    }

    pub(super) fn revoked(&'static self, request: &RevokeRequest, side_tables: bool) -> Asked {
        (self.revoked.form(side_tables), named(request).into())
    }

    pub(super) fn revoke_all<S: KeyTables>(&self, request: &RevokeAllRequest, side_tables: bool) -> Script<StoreError> {
        let RevokeAllRequest { owner, at, reason: why, .. } = request;
        let named = Value::from(owner.as_str().to_owned());
        let mut steps = vec![Step::run(Statement::new(self.lock, [named.clone()]))];
        if side_tables {
            for record in self.record_all {
                let arguments = [named.clone(), (*at).into(), reason(why.as_ref())];
                steps.push(Step::run(Statement::new(*record, arguments)));
            }
        }
        let mut revoke = vec![named];
        revoke.extend(self.keeps_time.then(|| (*at).into()));
        steps.push(Step::run(Statement::new(self.revoke_all, revoke)));
        Script::locked(owner_lock::<S>(owner), steps)
    }

    /// With the side tables, a key counts that is recorded for the first time, or that cannot be recorded.
    pub(super) fn count(counts: &[u64], side_tables: bool) -> u64 {
        match counts {
            [unrecordable, recorded, ..] if side_tables => unrecordable + recorded,
            _ => counts.last().copied().unwrap_or_default(),
        }
    }
}

/// Which key is meant: its identity, its digest and its owner.
fn named(request: &RevokeRequest) -> [Value<'static>; 3] {
    let owner = request.owner.as_ref().map(|owner| owner.as_str().to_owned());
    [text(&request.id), digest(request.digest.as_ref()), owner.into()]
}

/// A key that a revocation left behind: the one that was meant, or another that is live and has the same digest.
#[derive(Debug)]
pub(crate) struct Found {
    id: KeyId,
    is_meant: bool,
    /// Whether the table itself says that it is not revoked, whatever the side table says.
    is_live: bool,
    /// Whether the side table knows of its revocation.
    is_recorded: bool,
    revocation: Revocation,
}

pub(crate) fn found<S: KeyTables>(row: &Row<'_>) -> Found {
    let mut row = RowReader::new(S::TABLE, row);
    let reason = row.optional_text(FoundColumn::Reason).map(Reason::from_stored);
    Found {
        id: KeyId::from_stored(row.text(FoundColumn::Id)),
        is_meant: row.is_true(FoundColumn::IsMeant),
        is_live: row.is_true(FoundColumn::IsLive),
        is_recorded: row.is_true(FoundColumn::IsRecorded),
        revocation: Revocation::new(row.timestamp(FoundColumn::RevokedAt), reason),
    }
}

/// A name for each key that remains. What is no text is written as SQL writes it, such as `NULL`.
pub(super) fn remaining_id(row: &Row<'_>) -> KeyId {
    KeyId::from_stored(row.cell(0).as_text().unwrap_or("unreadable"))
}

/// What a revocation has come to. `counts` are the rows that its steps returned.
pub(crate) fn outcome<S: KeyTables>(
    request: &RevokeRequest,
    counts: &[u64],
    found: Vec<Found>,
) -> Result<Option<Revoked>, StoreError> {
    let (meant, twins): (Vec<_>, Vec<_>) = found.into_iter().partition(|key| key.is_meant);
    if meant.iter().any(|key| key.is_live) {
        return Err(StoreError::Suppressed { table: S::TABLE });
    }
    let [first, last] = [counts.first(), counts.last()].map(|rows| rows.is_some_and(|rows| *rows > 0));
    let own = || Revocation::new(Some(request.at), request.reason.clone());
    let Some(key) = meant.into_iter().next() else {
        // It has gone with its revocation, as a trigger can have it.
        return Ok((first || last).then(|| Revoked::now(request.id.clone(), own())));
    };
    // A host that revived a key after its first revocation has not undone that.
    let is_first = first || last && !key.is_recorded;
    let revoked = if is_first {
        // Where the schema has a flag alone, the row says nothing more.
        let revocation = if key.revocation.at.is_none() { own() } else { key.revocation };
        Revoked::now(key.id, revocation)
    } else {
        Revoked::before(key.id, key.revocation)
    };
    Ok(Some(revoked.with_twins(twins.into_iter().map(|twin| twin.id).collect())))
}

/// The read that ends a revocation of all keys of `owner`, see [`KeyTables::remaining`].
pub(super) fn remaining<S: KeyTables>(owner: &OwnerId) -> Reading<KeyId> {
    Reading::new(S::remaining(), remaining_of(owner, None), remaining_id)
}

fn remaining_of(owner: &OwnerId, after: Option<&KeyId>) -> Vec<Value<'static>> {
    vec![owner.as_str().to_owned().into(), Value::from(after.map(|after| after.as_str().to_owned()))]
}

impl<S: SqlSchema> SqlKeyStore<S> {
    pub(super) async fn revoke_every_key(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError> {
        let side_tables = self.has_side_tables();
        let script = self.shared.schema.revoke_all(request, side_tables);
        let arguments = remaining_of(&request.owner, None);
        let done = self.shared.engine.run_and_read(script, S::remaining(), arguments, remaining_id).await;
        match done {
            Ok((counts, remaining)) => {
                let count = S::count_revoked(&counts, side_tables);
                Ok(RevokedAll::new(request.owner.clone(), count).with_remaining(remaining))
            }
            // One row's trigger or policy can also say that a right is missing.
            Err(ScriptError::Engine(
                error @ (EngineError::Failed { .. } | EngineError::Denied { .. } | EngineError::Violation(_)),
            )) => self.revoke_one_by_one(request, interpret::<S>(error)).await,
            Err(error) => Err(interpret_script::<S>(error)),
        }
    }

    /// Revokes one key after the other, where the database refuses to revoke them together for the sake of one of them:
    /// it must not keep the others alive. Keys that are added meanwhile are met by another round.
    async fn revoke_one_by_one(
        &self,
        request: &RevokeAllRequest,
        refused: StoreError,
    ) -> Result<RevokedAll, StoreError> {
        const MOST_ROUNDS: usize = 8;
        /// After so many keys of which none could be revoked, the fault is hardly one of their rows.
        const MOST_IN_VAIN: usize = 200;

        let RevokeAllRequest { owner, at, reason, by } = request;
        let mut tried = HashSet::new();
        let mut count = 0;
        for _ in 0..MOST_ROUNDS {
            let (mut after, counted) = (None, count);
            loop {
                let page = self.read_remaining(owner, after.as_ref()).await?;
                let next = page.last().cloned();
                for id in page {
                    if !tried.insert(id.clone()) {
                        continue;
                    }
                    if count == 0 && tried.len() > MOST_IN_VAIN {
                        return Err(refused);
                    }
                    let key = RevokeRequest::new(id, *at).of(owner.clone()).because(reason.clone()).by(by.clone());
                    match KeyStore::revoke(self, &key).await {
                        Ok(Some(revoked)) => count += u64::from(!revoked.already),
                        Err(error @ StoreError::Unavailable { .. }) => return Err(error),
                        Ok(None) | Err(_) => {}
                    }
                }
                if next.is_none() || next == after {
                    break;
                }
                after = next;
            }
            if count == counted {
                break;
            }
        }
        // Nothing could be done, so that the fault is not a single row's.
        if count == 0 {
            return Err(refused);
        }
        let remaining = self.read_remaining(owner, None).await?;
        Ok(RevokedAll::new(owner.clone(), count).with_remaining(remaining))
    }

    async fn read_remaining(&self, owner: &OwnerId, after: Option<&KeyId>) -> Result<Vec<KeyId>, StoreError> {
        let found = self.shared.engine.read(S::remaining(), &remaining_of(owner, after), remaining_id).await;
        found.map_err(interpret::<S>)
    }
}
