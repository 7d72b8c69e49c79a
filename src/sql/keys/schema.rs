//! What a schema has to say to be kept in SQL.

use std::fmt;

use crate::key::{HexDigest, HistoryEntry, KeyChange, KeyId, KeyRecord, Rotation, Schema};
#[cfg(feature = "postgres")]
use crate::sql::engine::InvalidSchemaName;
use crate::sql::engine::check::Table;
use crate::sql::engine::migrate::Migration;
use crate::sql::engine::{Query, Script, Sql, Value, Violation, ViolationKind};
use crate::sql::keys::RowReader;
#[cfg(feature = "postgres")]
use crate::sql::keys::changes::CHANGES;
#[cfg(feature = "postgres")]
use crate::sql::keys::grants::{DatabaseRole, Granted};
use crate::store::{
    Abilities, KeyLookup, ListRequest, PurgeRequest, Reference, RevokeAllRequest, RevokeRequest, StoreError,
};

/// A schema whose keys can be kept in SQL tables. It is sealed: the statements behind it are no public interface.
#[expect(private_bounds, reason = "this is what seals the trait")]
pub trait SqlSchema: KeyTables {
    /// What [`SqlKeyStore::migrate`](crate::SqlKeyStore::migrate) runs, for hosts that run it with a tool of their own.
    #[must_use]
    fn migrations() -> &'static [Migration] {
        <Self as KeyTables>::migrations()
    }

    /// Every statement that keyward runs on this schema's tables, for review. Where PostgreSQL's schema of keyward's
    /// own tables is not `keyward`, its name stands in its place.
    #[must_use]
    fn statements() -> Vec<StatementText> {
        let text = |(name, Sql { postgres, sqlite })| StatementText { name, postgres, sqlite };
        <Self as KeyTables>::statements().into_iter().map(text).collect()
    }

    /// The statements that give the PostgreSQL role that is called `grantee` the rights of `role`, and nothing more: of
    /// tables that hold other things beside keys, single columns. `own_schema` is the schema of keyward's own tables, `keyward` unless
    /// [`Postgres::own_tables_in`](crate::Postgres::own_tables_in) names another.
    ///
    /// They are run once, by the owner of the tables, after the migrations; the host's tables are found by the
    /// `search_path` of whoever runs them.
    ///
    /// # Errors
    /// [`InvalidSchemaName`](crate::sql::InvalidSchemaName) when `own_schema` is none.
    #[cfg(feature = "postgres")]
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
    fn grants(role: DatabaseRole, grantee: &str, own_schema: &str) -> Result<String, InvalidSchemaName> {
        let what = format!("keys of the schema {}", Self::NAME);
        Granted { what, tables: Self::tables(), beside: &[&CHANGES] }.statements(role, grantee, own_schema)
    }
}

impl<S: KeyTables> SqlSchema for S {}

/// A statement in both dialects.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatementText {
    /// What it is for.
    pub name: String,
    /// Its text for PostgreSQL, with `$1` for the first argument.
    pub postgres: &'static str,
    /// Its text for SQLite, with `?1` for the first argument. Empty where there is nothing like it to do.
    pub sqlite: &'static str,
}

impl fmt::Display for StatementText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A query and its arguments.
pub(crate) type Asked = (&'static Query, Vec<Value<'static>>);

/// A script, and the query that ends it.
pub(crate) type PartOfAll = (Script<StoreError>, Asked);

/// What the rows of a step are: keys that nobody has revoked before.
pub(crate) const FIRST: &str = "revoked for the first time";
/// What the rows of a step are: keys whose own row is revoked by it.
pub(crate) const REVOKED: &str = "revoked";
/// What the rows of a step are: keys that were removed.
pub(crate) const PURGED: &str = "purged";

/// Some of the live keys of an owner, in the order of their identities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) limit: u64,
    /// How many keys to leave out before them, which could not be revoked.
    pub(crate) left: u64,
    /// Whether no other part of the same owner's keys came before.
    pub(crate) is_first: bool,
}

impl Part {
    /// `limit` and `left`.
    pub(crate) fn arguments(self) -> [Value<'static>; 2] {
        [self.limit, self.left].map(|number| i64::try_from(number).unwrap_or(i64::MAX).into())
    }
}

/// A schema as data: its tables, its statements, and the one function that reads its rows.
///
/// `side_tables` says whether the optional tables of our own are there.
pub(crate) trait KeyTables: Schema {
    /// The table, for messages.
    const TABLE: &'static str;

    /// The triggers that have PostgreSQL note changes, on the first of [`tables`](Self::tables) and on those that can
    /// shut a key down.
    #[cfg(feature = "postgres")]
    fn change_triggers() -> Sql;

    /// Everything that has to be there.
    fn tables() -> &'static [&'static Table];
    fn migrations() -> &'static [Migration];
    /// Every statement by a name of its own.
    fn statements() -> Vec<(String, Sql)>;
    fn abilities(side_tables: bool) -> Abilities;

    /// The lookup of a presented key, with the arguments that [`lookup`](Self::lookup) gives.
    fn find(&self, side_tables: bool) -> &'static Query;
    /// What a presented key is looked up by: the first so many of these.
    fn lookup<'v>(lookup: &KeyLookup<'v>, hex: &'v HexDigest) -> ([Value<'v>; 2], usize);
    /// `$1` identity.
    fn get(&self, side_tables: bool) -> &'static Query;
    fn list(&self, request: &ListRequest, side_tables: bool) -> Result<Asked, StoreError>;
    /// Returns one row of one integer.
    fn count(&self, request: &ListRequest) -> Result<Asked, StoreError>;
    /// `$1` owner; returns a row when it exists. `None` where owners are plain names.
    fn owner() -> Option<&'static Query>;
    fn decode(&self, row: RowReader<'_>) -> KeyRecord<Self>;

    fn insert(&self, key: &KeyRecord<Self>) -> Result<Script<StoreError>, StoreError>;
    fn rotate(&self, rotation: &Rotation<Self>, side_tables: bool) -> Script<StoreError>;
    fn change(&self, change: &KeyChange<Self>) -> Result<Script<StoreError>, StoreError>;
    /// Counts a row under [`FIRST`] if the key's first revocation was recorded, and under [`REVOKED`] if its row was
    /// changed.
    fn revoke(&self, request: &RevokeRequest, side_tables: bool) -> Script<StoreError>;
    /// What a revocation left behind: the key that was meant, and other keys with its digest that are live.
    fn revoked(request: &RevokeRequest, side_tables: bool) -> Asked;
    /// Counts under [`FIRST`] every key that it revokes for the first time.
    fn revoke_all(&self, request: &RevokeAllRequest, side_tables: bool) -> Script<StoreError>;
    /// A part of [`revoke_all`](Self::revoke_all), on PostgreSQL, that passes over rows which somebody else holds: the
    /// script, and the query that ends it with the columns of `PartColumn`. `None` where an owner has one key.
    fn revoke_part(&self, request: &RevokeAllRequest, part: Part, side_tables: bool) -> Option<PartOfAll>;
    /// 100 keys of an owner that are live by the table itself, in the order of their identities, NULL last: `$1` the
    /// owner, `$2` how many to leave out before them. Returns a name for each.
    fn remaining() -> &'static Query;
    /// `$1` the uses, a JSON array of `[identity, digest, instant]`. Returns a NULL for each row that was written, and
    /// for each use whose row somebody else holds its place among the uses, from 1.
    fn touch() -> &'static Query;
    fn history(id: &KeyId) -> Result<Asked, StoreError>;
    fn decode_history(row: RowReader<'_>) -> Option<HistoryEntry>;
    /// Counts under [`PURGED`] every key that it removes.
    fn purge(request: &PurgeRequest) -> Result<Script<StoreError>, StoreError>;

    /// What a constraint of this schema's tables says.
    fn interpret(violation: &Violation) -> StoreError {
        match violation.kind {
            ViolationKind::ForeignKey => StoreError::Missing(Reference::Owner),
            _ => StoreError::Conflict,
        }
    }
}
