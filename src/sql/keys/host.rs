//! Tables of a host, as they are: what they cannot hold, revocations and rotations, stands in side tables of our own.

use crate::key::{
    HexDigest, HistoryEntry, KeyChange, KeyDigest, KeyId, KeyRecord, OwnerId, Reason, Revocation, Rotation, Schema,
    Status,
};
use crate::sql::engine::check::{Column as TableColumn, Duty, Table, TableName, Write};
use crate::sql::engine::migrate::{Change, Migration};
use crate::sql::engine::{Query, Script, Sql, Statement, Step, Value, Violation, ViolationKind};
use crate::sql::keys::revocation::Revocations;
use crate::sql::keys::schema::{Asked, Part, PartOfAll};
use crate::sql::keys::{KeyTables, RowReader, rotation};
use crate::store::{
    Abilities, KeyLookup, ListRequest, PurgeRequest, Reference, RevokeAllRequest, RevokeRequest, StoreError,
};
use crate::time::Timestamp;

/// A read in two forms: joined with the side tables, and on the host's table alone.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) with_side_tables: &'static Query,
    pub(crate) bare: &'static Query,
}

impl Read {
    pub(super) const fn form(&self, side_tables: bool) -> &'static Query {
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
    /// See [`KeyTables::touch`].
    pub(crate) touch: &'static Query,
    pub(crate) revocations: Revocations,
}

/// A schema on a host's table.
pub(crate) trait HostTable: Schema {
    const TABLE: &'static str;
    const TABLES: &'static [&'static Table];
    const MIGRATIONS: &'static [Migration];
    const CHANGES: &'static Changes;
    #[cfg(feature = "postgres")]
    const CHANGE_TRIGGERS: Sql;
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
    fn references(&self, key: &KeyRecord<Self>) -> Vec<Step<StoreError>>;
    /// What the foreign key of this name refers to. PostgreSQL names one by its column.
    fn reference(_foreign_key: &str) -> Reference {
        Reference::Owner
    }
    fn rotate(&self, rotation: &Rotation<Self>, side_tables: bool) -> Script<StoreError>;
    fn decode(&self, row: RowReader<'_>) -> KeyRecord<Self>;
    /// The statements that are this schema's alone.
    fn further_statements() -> Vec<(&'static str, Sql)>;
    /// Every set of reads, for the list of statements.
    fn all_reads() -> Vec<(&'static str, &'static Reads)>;
}

impl<S: HostTable> KeyTables for S {
    const TABLE: &'static str = <S as HostTable>::TABLE;

    #[cfg(feature = "postgres")]
    fn change_triggers() -> Sql {
        S::CHANGE_TRIGGERS
    }

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
        let Changes { insert, touch, revocations } = S::CHANGES;
        let mut named = vec![("insert", *insert), ("touch", touch.sql())];
        named.extend(S::OWNER.map(|query| ("owner", query.sql())));
        named.extend(rotation::STATEMENTS);
        named.extend(S::further_statements());
        all.extend(named.into_iter().map(|(name, sql)| (name.to_owned(), sql)));
        all.extend(revocations.statements());
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
        let mut steps = self.references(key);
        steps.push(Step::require(Statement::new(S::CHANGES.insert, S::columns(key)), StoreError::Conflict));
        Ok(Script::locked(owner_lock::<S>(&key.head.owner), steps))
    }

    fn rotate(&self, rotation: &Rotation<Self>, side_tables: bool) -> Script<StoreError> {
        <S as HostTable>::rotate(self, rotation, side_tables)
    }

    fn change(&self, _change: &KeyChange<Self>) -> Result<Script<StoreError>, StoreError> {
        Err(StoreError::Unsupported("keys of this schema cannot be changed after their issue"))
    }

    fn revoke(&self, request: &RevokeRequest, side_tables: bool) -> Script<StoreError> {
        S::CHANGES.revocations.revoke(request, side_tables)
    }

    fn revoked(request: &RevokeRequest, side_tables: bool) -> Asked {
        S::CHANGES.revocations.revoked(request, side_tables)
    }

    fn revoke_all(&self, request: &RevokeAllRequest, side_tables: bool) -> Script<StoreError> {
        S::CHANGES.revocations.revoke_all::<S>(request, side_tables)
    }

    fn revoke_part(&self, request: &RevokeAllRequest, part: Part, side_tables: bool) -> Option<PartOfAll> {
        S::CHANGES.revocations.revoke_part::<S>(request, part, side_tables)
    }

    fn remaining() -> &'static Query {
        S::CHANGES.revocations.remaining
    }

    fn touch() -> &'static Query {
        S::CHANGES.touch
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

/// Issuing, rotating and revoking all keys of one owner happen one after the other, so that no key slips through.
pub(crate) fn owner_lock<S: Schema>(owner: &OwnerId) -> String {
    format!("{}:{}", S::NAME, owner.as_str())
}

pub(crate) fn text(id: &KeyId) -> Value<'static> {
    id.as_str().to_owned().into()
}

/// A digest as a column of text holds it.
pub(crate) fn digest(digest: Option<&KeyDigest>) -> Value<'static> {
    digest.map(|digest| digest.to_hex().as_str().to_owned()).into()
}

pub(crate) fn reason(reason: Option<&Reason>) -> Value<'static> {
    reason.map(|reason| reason.as_str().to_owned()).into()
}

/// The status of a key that has a revocation in the side table, or else a flag.
pub(crate) fn revocation_status(at: Option<Timestamp>, reason: Option<String>, active: bool) -> Status {
    match (at, active) {
        (Some(_), _) => Status::Revoked(Revocation::new(at, reason.map(Reason::from_stored))),
        (None, true) => Status::Active,
        (None, false) => Status::Disabled(crate::key::Disabling::default()),
    }
}

const REVOCATIONS_NAME: &str = "revocations";
const ROTATIONS_NAME: &str = "rotations";

/// When and why a key was revoked, see `side_tables.*.sql`.
pub(crate) static REVOCATIONS: Table = Table {
    name: TableName::Own(REVOCATIONS_NAME),
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
    // The first revocation stays, or the last one of several where the host took one back.
    writes: &[Write::insert(Duty::Operate), Write::update(Duty::Operate, &["revoked_at", "reason"])],
};

/// See [`REVOCATIONS`].
pub(crate) static ROTATIONS: Table = Table {
    name: TableName::Own(ROTATIONS_NAME),
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
    writes: &[Write::insert(Duty::Issue)],
};

/// Makes both side tables, as the second migration of every schema on a host's table.
pub(crate) const SIDE_TABLES: Migration = Migration::new(
    2,
    "side_tables",
    Change::Run {
        sql: Sql { postgres: include_str!("side_tables.postgres.sql"), sqlite: include_str!("side_tables.sqlite.sql") },
        makes: &[REVOCATIONS_NAME, ROTATIONS_NAME],
    },
);
