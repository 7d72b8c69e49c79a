//! Tables of a host, as they are: what they cannot hold, revocations and rotations, stands in side tables of our own.

use std::time::Duration;

use crate::key::{
    HexDigest, HistoryEntry, KeyChange, KeyDigest, KeyId, KeyRecord, OwnerId, Reason, Revocation, Rotation, Schema,
    Status,
};
use crate::sql::engine::check::{Column as TableColumn, Table, TableName};
use crate::sql::engine::migrate::{Change, Migration};
use crate::sql::engine::timestamp::stored_timestamp;
use crate::sql::engine::{Query, Script, Sql, Statement, Step, Value, Violation, ViolationKind};
use crate::sql::keys::schema::Asked;
use crate::sql::keys::{KeyTables, RowReader};
use crate::store::{
    Abilities, KeyLookup, KeyUse, ListRequest, PurgeRequest, Reference, RevokeAllRequest, RevokeRequest, StoreError,
};
use crate::time::Timestamp;

/// A read in two forms: joined with the side tables, and on the host's table alone.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) with_side_tables: &'static Query,
    pub(crate) bare: &'static Query,
}

impl Read {
    const fn form(&self, side_tables: bool) -> &'static Query {
        if side_tables { self.with_side_tables } else { self.bare }
    }
}

/// The reads of a host's table.
#[derive(Debug)]
pub(crate) struct Reads {
    /// The first so many of what [`HostTable::lookup`] gives.
    pub(crate) find: Read,
    /// `$1` identity.
    pub(crate) get: Read,
    /// `$1` owner, `$2` the last key of the page before or NULL, `$3` how many, `$4` how the key's identity or display
    /// prefix starts or NULL.
    pub(crate) list: Read,
}

/// The changes of a host's table.
#[derive(Debug)]
pub(crate) struct Changes {
    /// The arguments of [`HostTable::columns`]; returns a row if the key was added.
    pub(crate) insert: Sql,
    /// `$1` the uses, see [`key_uses`].
    pub(crate) touch: Sql,
    /// `$1` identity, `$2` the digest that the caller saw or NULL, `$3` the owner or NULL, and `$4` when if the table
    /// keeps the time; returns a row if this call revoked the key.
    pub(crate) revoke: Sql,
    /// `$1` owner, and `$2` when if the table keeps the time; returns a row for every key that it revoked.
    pub(crate) revoke_all: Sql,
    /// Into the side table; returns a row if this is the first revocation: `$1` identity, `$2` the digest that the
    /// caller saw or NULL, `$3` the owner or NULL, `$4` when, `$5` why.
    pub(crate) record: Sql,
    /// Into the side table, one after the other, for all keys of an owner: `$1` owner, `$2` when, `$3` why. The first
    /// returns a row for every key that is revoked for the first time.
    pub(crate) record_all: &'static [Sql],
    /// Whether the host's own table keeps the time of a revocation.
    pub(crate) keeps_time: bool,
}

/// A schema on a host's table.
pub(crate) trait HostTable: Schema {
    const TABLE: &'static str;
    const TABLES: &'static [&'static Table];
    const MIGRATIONS: &'static [Migration];
    const CHANGES: Changes;
    /// `$1` owner; returns a row when it exists. `None` where owners are plain names.
    const OWNER: Option<&'static Query>;

    fn reads(&self) -> &'static Reads;
    fn abilities(side_tables: bool) -> Abilities;
    fn lookup<'v>(lookup: &KeyLookup<'v>, hex: &'v HexDigest) -> ([Value<'v>; 2], usize);
    /// The arguments of [`Changes::insert`].
    fn columns(key: &KeyRecord<Self>) -> Vec<Value<'static>>;
    /// What the table cannot hold is refused before anything is written.
    fn accept(key: &KeyRecord<Self>) -> Result<(), StoreError>;
    /// What has to exist before the key can.
    fn references(key: &KeyRecord<Self>) -> Vec<Step<StoreError>>;
    /// What the foreign key of this name refers to. PostgreSQL names one by its column.
    fn reference(_foreign_key: &str) -> Reference {
        Reference::Owner
    }
    fn rotate(rotation: &Rotation<Self>, side_tables: bool) -> Script<StoreError>;
    fn decode(&self, row: RowReader<'_>) -> KeyRecord<Self>;
    /// The statements that are this schema's alone.
    fn further_statements() -> Vec<(&'static str, Sql)>;
    /// Every set of reads, for the list of statements.
    fn all_reads() -> Vec<(&'static str, &'static Reads)>;
}

impl<S: HostTable> KeyTables for S {
    const TABLE: &'static str = <S as HostTable>::TABLE;

    fn tables() -> &'static [&'static Table] {
        S::TABLES
    }

    fn migrations() -> &'static [Migration] {
        S::MIGRATIONS
    }

    fn statements() -> Vec<(String, Sql)> {
        let mut all = Vec::new();
        for (set, reads) in S::all_reads() {
            let Reads { find, get, list } = reads;
            for (name, read) in [("find", find), ("get", get), ("list", list)] {
                all.push((format!("{set}{name}"), read.with_side_tables.sql()));
                if !std::ptr::eq(read.with_side_tables, read.bare) {
                    all.push((format!("{set}{name}, without side tables"), read.bare.sql()));
                }
            }
        }
        let Changes { insert, touch, revoke, revoke_all, record, record_all, .. } = &S::CHANGES;
        let mut named = vec![
            ("insert", *insert),
            ("touch", *touch),
            ("revoke", *revoke),
            ("revoke_all", *revoke_all),
            ("record_revocation", *record),
            ("record_rotation", RECORD_ROTATION),
        ];
        named.extend(S::OWNER.map(|query| ("owner", query.sql())));
        named.extend(S::further_statements());
        all.extend(named.into_iter().map(|(name, sql)| (name.to_owned(), sql)));
        let step = |(position, sql): (usize, &Sql)| (format!("record_all_revocations, step {}", position + 1), *sql);
        all.extend(record_all.iter().enumerate().map(step));
        all
    }

    fn abilities(side_tables: bool) -> Abilities {
        <S as HostTable>::abilities(side_tables)
    }

    fn find(&self, side_tables: bool) -> &'static Query {
        self.reads().find.form(side_tables)
    }

    fn lookup<'v>(lookup: &KeyLookup<'v>, hex: &'v HexDigest) -> ([Value<'v>; 2], usize) {
        <S as HostTable>::lookup(lookup, hex)
    }

    fn get(&self, side_tables: bool) -> &'static Query {
        self.reads().get.form(side_tables)
    }

    fn list(&self, request: &ListRequest, side_tables: bool) -> Result<Asked, StoreError> {
        let (Some(owner), false) = (&request.filter.owner, request.filter.is_more_than_owner()) else {
            return Err(StoreError::Unsupported("keys of this schema are listed by their owner alone"));
        };
        let owner = owner.as_str().to_owned().into();
        let after = Value::from(request.after.as_ref().map(|after| after.as_str().to_owned()));
        let start = Value::from(request.filter.starting_with.clone());
        let arguments = vec![owner, after, i64::from(request.limit).into(), start];
        Ok((self.reads().list.form(side_tables), arguments))
    }

    fn count(&self, _request: &ListRequest) -> Result<Asked, StoreError> {
        Err(StoreError::Unsupported("keys of this schema are not counted"))
    }

    fn owner() -> Option<&'static Query> {
        S::OWNER
    }

    fn decode(&self, row: RowReader<'_>) -> KeyRecord<Self> {
        <S as HostTable>::decode(self, row)
    }

    fn insert(&self, key: &KeyRecord<Self>) -> Result<Script<StoreError>, StoreError> {
        S::accept(key)?;
        let mut steps = S::references(key);
        steps.push(add::<S>(key));
        Ok(Script::locked(owner_lock::<S>(&key.head.owner), steps))
    }

    fn rotate(&self, rotation: &Rotation<Self>, side_tables: bool) -> Script<StoreError> {
        <S as HostTable>::rotate(rotation, side_tables)
    }

    fn change(&self, _change: &KeyChange<Self>) -> Result<Script<StoreError>, StoreError> {
        Err(StoreError::Unsupported("keys of this schema cannot be changed after their issue"))
    }

    fn revoke(&self, request: &RevokeRequest, side_tables: bool) -> Script<StoreError> {
        let owner = Value::from(request.owner.as_ref().map(|owner| owner.as_str().to_owned()));
        let mut revoke = vec![text(&request.id), digest(request.digest.as_ref()), owner];
        let mut record = revoke.clone();
        record.extend([request.at.into(), reason(request.reason.as_ref())]);
        if S::CHANGES.keeps_time {
            revoke.push(request.at.into());
        }
        let mut steps = Vec::with_capacity(2);
        if side_tables {
            steps.push(Step::run(Statement::new(S::CHANGES.record, record)));
        }
        steps.push(Step::run(Statement::new(S::CHANGES.revoke, revoke)));
        Script::new(steps)
    }

    fn revoke_all(&self, request: &RevokeAllRequest, side_tables: bool) -> Script<StoreError> {
        let owner = Value::from(request.owner.as_str().to_owned());
        let mut revoke = vec![owner.clone()];
        if S::CHANGES.keeps_time {
            revoke.push(request.at.into());
        }
        let mut steps = Vec::with_capacity(3);
        if side_tables {
            for record in S::CHANGES.record_all {
                let arguments = [owner.clone(), request.at.into(), reason(request.reason.as_ref())];
                steps.push(Step::run(Statement::new(*record, arguments)));
            }
        }
        steps.push(Step::run(Statement::new(S::CHANGES.revoke_all, revoke)));
        Script::locked(owner_lock::<S>(&request.owner), steps)
    }

    fn touch(uses: &[KeyUse]) -> Statement {
        Statement::new(S::CHANGES.touch, [key_uses(uses).into()])
    }

    fn history(_id: &KeyId) -> Result<Asked, StoreError> {
        Err(StoreError::Unsupported("keys of this schema have no history"))
    }

    fn decode_history(_row: RowReader<'_>) -> Option<HistoryEntry> {
        None
    }

    fn purge(_request: &PurgeRequest) -> Result<Script<StoreError>, StoreError> {
        Err(StoreError::Unsupported("the rows of this schema are the host's to delete"))
    }

    /// What a key refers to was deleted since it was looked for. A condition of the host's own meets the same key again.
    fn interpret(violation: &Violation) -> StoreError {
        match (violation.kind, violation.constraint.as_deref()) {
            (ViolationKind::ForeignKey, Some(name)) => StoreError::Missing(S::reference(name)),
            (ViolationKind::ForeignKey, None) | (ViolationKind::Unique, _) => StoreError::Conflict,
            (ViolationKind::NotNull | ViolationKind::Check, _) => {
                StoreError::Backend { backend: violation.backend, source: violation.clone().into() }
            }
        }
    }
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

/// By how much a predecessor's own expiry is lowered where no side table remembers its rotation: enough for a second
/// rotation to see, also on SQLite, that the expiry has changed.
const MARK: Duration = Duration::from_millis(1);

/// The rotation of schemas that keep a row for each key. `retire` has the arguments `$1` identity, `$2` digest, `$3` the
/// new expiry, `$4` the expiry that the caller saw, and returns a row if the key was still as the caller saw it.
pub(crate) fn rotate<S: HostTable>(retire: Sql, rotation: &Rotation<S>, side_tables: bool) -> Script<StoreError> {
    let Rotation { predecessor, retire_at, successor, at, .. } = rotation;
    let id = text(&predecessor.id);
    let digest = digest(predecessor.digest.as_ref());
    let retire_at = match predecessor.expires_at {
        Some(own) if !side_tables => own.saturating_sub(MARK).min(*retire_at),
        _ => *retire_at,
    };
    let arguments = [id.clone(), digest.clone(), retire_at.into(), predecessor.expires_at.into()];
    let mut steps = S::references(successor);
    steps.push(Step::require(Statement::new(retire, arguments), StoreError::Conflict));
    steps.push(add::<S>(successor));
    if side_tables {
        let successor_id = text(&successor.head.id);
        let record = [S::NAME.to_owned().into(), id, digest, successor_id, (*at).into(), retire_at.into()];
        steps.push(Step::require(Statement::new(RECORD_ROTATION, record), StoreError::Conflict));
    }
    Script::locked(owner_lock::<S>(&predecessor.owner), steps)
}

fn add<S: HostTable>(key: &KeyRecord<S>) -> Step<StoreError> {
    Step::require(Statement::new(S::CHANGES.insert, S::columns(key)), StoreError::Conflict)
}

/// Issuing, rotating and revoking all keys of one owner happen one after the other, so that no key slips through.
pub(crate) fn owner_lock<S: Schema>(owner: &OwnerId) -> String {
    format!("{}:{}", S::NAME, owner.as_str())
}

fn text(id: &KeyId) -> Value<'static> {
    id.as_str().to_owned().into()
}

/// A digest as a column of text holds it.
pub(crate) fn digest(digest: Option<&KeyDigest>) -> Value<'static> {
    digest.map(|digest| digest.to_hex().as_str().to_owned()).into()
}

pub(crate) fn reason(reason: Option<&Reason>) -> Value<'static> {
    reason.map(|reason| reason.as_str().to_owned()).into()
}

/// Uses of keys as one argument: a JSON array of `[id, digest, instant]`.
fn key_uses(uses: &[KeyUse]) -> String {
    let rows = uses.iter().map(|KeyUse { id, digest, at }| {
        serde_json::json!([id.as_str(), digest.to_hex().as_str(), &*stored_timestamp(*at)])
    });
    serde_json::Value::Array(rows.collect()).to_string()
}

/// The status of a key that has a revocation in the side table, or else a flag.
pub(crate) fn revocation_status(at: Option<Timestamp>, reason: Option<String>, active: bool) -> Status {
    match (at, active) {
        (Some(_), _) => Status::Revoked(Revocation::new(at, reason.map(Reason::from_stored))),
        (None, true) => Status::Active,
        (None, false) => Status::Disabled(crate::key::Disabling::default()),
    }
}

/// When and why a key was revoked, see `side_tables.*.sql`.
pub(crate) static REVOCATIONS: Table = Table {
    name: TableName::Own("revocations"),
    create: None,
    optional: true,
    shared: false,
    columns: &[
        TableColumn::required("schema", "text", "TEXT"),
        TableColumn::required("key_id", "text", "TEXT"),
        TableColumn::required("key_hash", "text", "TEXT"),
        TableColumn::required("revoked_at", "timestamp without time zone", "TIMESTAMP"),
        TableColumn::optional("reason", "text", "TEXT"),
    ],
    primary_key: "schema,key_id,key_hash",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
};

/// See [`REVOCATIONS`].
pub(crate) static ROTATIONS: Table = Table {
    name: TableName::Own("rotations"),
    create: None,
    optional: true,
    shared: false,
    columns: &[
        TableColumn::required("schema", "text", "TEXT"),
        TableColumn::required("key_id", "text", "TEXT"),
        TableColumn::required("key_hash", "text", "TEXT"),
        TableColumn::required("successor_id", "text", "TEXT"),
        TableColumn::required("rotated_at", "timestamp without time zone", "TIMESTAMP"),
        TableColumn::required("accepted_until", "timestamp without time zone", "TIMESTAMP"),
    ],
    primary_key: "schema,key_id,key_hash",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
};

/// Makes both side tables, as the second migration of every schema on a host's table.
pub(crate) const SIDE_TABLES: Migration = Migration::new(
    2,
    "side_tables",
    Change::Run {
        sql: Sql { postgres: include_str!("side_tables.postgres.sql"), sqlite: include_str!("side_tables.sqlite.sql") },
        makes: &["revocations", "rotations"],
    },
);
