//! Revocations: what is reported is what the rows say afterwards, inside the same transaction.

use crate::key::{KeyId, OwnerId, Reason, Revocation, Revoked};
use crate::sql::engine::{Counts, Query, Reading, Row, Script, Sql, Statement, Step, Value};
use crate::sql::keys::host::{Read, digest, owner_lock, reason, text};
use crate::sql::keys::schema::{Asked, FIRST, Part, PartOfAll, REVOKED};
use crate::sql::keys::{KeyTables, RowReader, columns};
use crate::store::{RevokeAllRequest, RevokeRequest, StoreError};

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

columns! {
    /// How many keys a part of all of an owner's were, how many of them are revoked now, and how many for the first time.
    pub(crate) enum PartColumn {
        Due = "due",
        Revoked = "revoked",
        First = "first",
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
    /// Into the side table, for all live keys of an owner: `$1` owner, `$2` when, `$3` why. Returns a row for every key
    /// that is revoked for the first time.
    pub(crate) record_all: Sql,
    /// As [`record_all`](Self::record_all) for those that are not live: setting a flag again must not bring back what was
    /// revoked.
    pub(crate) record_inactive: Option<Sql>,
    /// `$1` owner, and `$2` when if the table keeps the time; returns a row for every key that it revoked.
    pub(crate) revoke_all: Sql,
    /// See [`KeyTables::revoke_part`]: `$1` owner, `$2` how many at most, `$3` how many to leave, `$4` when if the table
    /// keeps the time or there are side tables, `$5` why if there are. A row is found again by its place (`ctid`), as its
    /// identity may be NULL or another row's too. SQLite has one writer, so that nobody else holds a single row.
    pub(crate) revoke_part: Option<Read>,
    /// See [`KeyTables::remaining`].
    pub(crate) remaining: &'static Query,
    /// Whether the host's own table keeps the time of a revocation.
    pub(crate) keeps_time: bool,
}

impl Revocations {
    pub(super) fn statements(&self) -> Vec<(String, Sql)> {
        let Self { revoke, record, revoked, lock, record_all, record_inactive, revoke_all, .. } = self;
        let mut named = vec![
            ("revoke", *revoke),
            ("record_revocation", *record),
            ("outcome_of_revocation", revoked.with_side_tables.sql()),
            ("outcome_of_revocation, without side tables", revoked.bare.sql()),
            ("lock_keys", *lock),
            ("revoke_all", *revoke_all),
            ("remaining_keys", self.remaining.sql()),
            ("record_all_revocations", *record_all),
        ];
        named.extend(record_inactive.map(|sql| ("record_inactive_keys", sql)));
        if let Some(part) = &self.revoke_part {
            named.push(("revoke_part", part.with_side_tables.sql()));
            named.push(("revoke_part, without side tables", part.bare.sql()));
        }
        named.into_iter().map(|(name, sql)| (name.to_owned(), sql)).collect()
    }

    pub(super) fn revoke(&self, request: &RevokeRequest, side_tables: bool) -> Script<StoreError> {
        let named = named(request);
        let mut steps = Vec::with_capacity(2);
        if side_tables {
            let [id, digest, owner] = named.clone();
            let record = [id, digest, owner, request.at.into(), reason(request.reason.as_ref())];
            steps.push(Step::count(FIRST, Statement::new(self.record, record)));
        }
        let mut revoke = Vec::from(named);
        revoke.extend(self.keeps_time.then(|| request.at.into()));
        steps.push(Step::count(REVOKED, Statement::new(self.revoke, revoke)));
        Script::new(steps)
    }

    pub(super) fn revoked(&'static self, request: &RevokeRequest, side_tables: bool) -> Asked {
        (self.revoked.form(side_tables), named(request).into())
    }

    /// With the side tables, a key counts that is recorded for the first time, or that cannot be recorded.
    pub(super) fn revoke_all<S: KeyTables>(&self, request: &RevokeAllRequest, side_tables: bool) -> Script<StoreError> {
        let RevokeAllRequest { owner, at, reason: why, .. } = request;
        let named = Value::from(owner.as_str().to_owned());
        let record = |sql| Statement::new(sql, [named.clone(), (*at).into(), reason(why.as_ref())]);
        let lock = Statement::new(self.lock, [named.clone()]);
        let mut revoke = vec![named.clone()];
        revoke.extend(self.keeps_time.then(|| (*at).into()));
        let revoke = Statement::new(self.revoke_all, revoke);
        let mut steps = Vec::with_capacity(4);
        if side_tables {
            steps.push(Step::count(FIRST, lock));
            steps.push(Step::count(FIRST, record(self.record_all)));
            steps.push(Step::run(revoke));
            steps.extend(self.record_inactive.map(|sql| Step::run(record(sql))));
        } else {
            steps.push(Step::run(lock));
            steps.push(Step::count(FIRST, revoke));
        }
        Script::locked(owner_lock::<S>(owner), steps)
    }

    pub(super) fn revoke_part<S: KeyTables>(
        &'static self,
        request: &RevokeAllRequest,
        part: Part,
        side_tables: bool,
    ) -> Option<PartOfAll> {
        let query = self.revoke_part.as_ref()?.form(side_tables);
        let RevokeAllRequest { owner, at, reason: why, .. } = request;
        let named = Value::from(owner.as_str().to_owned());
        let [limit, left] = part.arguments();
        let mut arguments = vec![named.clone(), limit, left];
        arguments.extend((side_tables || self.keeps_time).then(|| (*at).into()));
        arguments.extend(side_tables.then(|| reason(why.as_ref())));
        let inactive = self.record_inactive.filter(|_| side_tables && part.is_first);
        let record = |sql| Step::run(Statement::new(sql, [named, (*at).into(), reason(why.as_ref())]));
        let steps: Vec<_> = inactive.map(record).into_iter().collect();
        Some((Script::locked(owner_lock::<S>(owner), steps), (query, arguments)))
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

/// What a revocation has come to.
pub(super) fn outcome<S: KeyTables>(
    request: &RevokeRequest,
    counts: &Counts,
    found: Vec<Found>,
) -> Result<Option<Revoked>, StoreError> {
    let (meant, twins): (Vec<_>, Vec<_>) = found.into_iter().partition(|key| key.is_meant);
    if meant.iter().any(|key| key.is_live) {
        return Err(StoreError::Suppressed { table: S::TABLE });
    }
    let [is_recorded, is_revoked] = [FIRST, REVOKED].map(|name| counts.of(name) > 0);
    let own = || Revocation::new(Some(request.at), request.reason.clone());
    let Some(key) = meant.into_iter().next() else {
        // It has gone with its revocation, as a trigger can have it.
        return Ok((is_recorded || is_revoked).then(|| Revoked::now(request.id.clone(), own())));
    };
    // A host that revived a key after its first revocation has not undone that.
    let is_first = is_recorded || is_revoked && !key.is_recorded;
    let revoked = if is_first {
        // Where the schema has a flag alone, the row says nothing more.
        let revocation = if key.revocation.at.is_none() { own() } else { key.revocation };
        Revoked::now(key.id, revocation)
    } else {
        Revoked::before(key.id, key.revocation)
    };
    Ok(Some(revoked.with_twins(twins.into_iter().map(|twin| twin.id).collect())))
}

/// What is left of the keys of `owner`, but for the first `left` of them, see [`KeyTables::remaining`].
pub(super) fn remaining<S: KeyTables>(owner: &OwnerId, left: u64) -> Reading<KeyId> {
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    Reading::new(S::remaining(), [owner.as_str().to_owned().into(), left.into()], remaining_id)
}

/// A name for each key that remains. What is no text is written as SQL writes it, such as `NULL`.
fn remaining_id(row: &Row<'_>) -> KeyId {
    KeyId::from_stored(row.cell(0).as_text().unwrap_or("unreadable"))
}
