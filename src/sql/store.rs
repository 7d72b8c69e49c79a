//! One key store for every system and every engine.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::key::{KeyId, KeyRecord, OwnerId, Profile, Revocation, RevocationReason, Rotation, Status};
use crate::sql::check::{Difference, Table};
use crate::sql::lifecycle::{self, Revocations};
use crate::sql::migrate::{self, MigrateError, Migration};
use crate::sql::{Cell, Driver, Read, Row, Rows, Script, Sql, Statement, Step, Value};
use crate::store::{Abilities, KeyLookup, KeyStore, KeyUse, PageRequest, RevokeOutcome, RevokeRequest, StoreError};
use crate::time::Timestamp;

/// A system whose keys can be kept in SQL tables. It is sealed: the statements behind it are no public interface.
#[expect(private_bounds, reason = "this is what seals the trait")]
pub trait SqlProfile: Profile + Schema {
    /// What [`SqlKeyStore::migrate`] runs, for hosts that run it with a tool of their own.
    #[must_use]
    fn migrations() -> &'static [Migration] {
        Self::MIGRATIONS
    }
}

impl<P: Profile + Schema> SqlProfile for P {}

/// A system as data: its statements in both dialects, and the one function that reads its rows.
///
/// `side_tables` tells whether `keyward_revocations` and `keyward_rotations` are there; a system works without them.
pub(crate) trait Schema: Profile {
    /// The table, for messages.
    const TABLE: &'static str;
    /// Everything that has to be there, as our migrations make it.
    const TABLES: &'static [Table];
    /// What makes it.
    const MIGRATIONS: &'static [Migration];

    /// `$1` what [`lookup`](Self::lookup) takes of a presented key.
    const FIND: Read;
    /// `$1` identity.
    const GET: Read;
    /// `$1` owner, `$2` the last key of the page before or NULL, `$3` how many.
    const LIST: Read;
    /// `$1` owner, `$2` the start, `$3` how many.
    const STARTING_WITH: Read;
    /// `$1` owner; brings a row when it exists. `None` where owners are plain names.
    const OWNER: Option<Sql>;
    /// `$1` the uses, see [`key_uses`].
    const TOUCH: Sql;

    /// [`columns`](Self::columns); brings a row if the key was added.
    const INSERT: Sql;
    const REVOCATIONS: Revocations;

    fn abilities(side_tables: bool) -> Abilities;
    /// What a presented key is looked up by.
    fn lookup(lookup: KeyLookup<'_>) -> Value;
    /// The arguments of [`INSERT`](Self::INSERT).
    fn columns(key: &KeyRecord<Self::Details>) -> Vec<Value>;
    /// What has to exist before the key can: a step that brings a row for each.
    fn references(key: &KeyRecord<Self::Details>) -> Vec<Step>;
    fn rotate(rotation: &Rotation<Self::Details>, side_tables: bool) -> Script;
    fn decode(row: Row) -> KeyRecord<Self::Details>;
}

/// The keys of one system in one engine. Name it by [`PostgresKeyStore`](crate::PostgresKeyStore) or
/// [`SqliteKeyStore`](crate::SqliteKeyStore).
pub struct SqlKeyStore<D, P> {
    pub(crate) driver: D,
    side_tables: AtomicBool,
    profile: PhantomData<fn() -> P>,
}

impl<D: fmt::Debug, P: Profile> fmt::Debug for SqlKeyStore<D, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlKeyStore")
            .field("system", &P::NAME)
            .field("driver", &self.driver)
            .field("side_tables", &self.side_tables)
            .finish()
    }
}

const HAS_SIDE_TABLES: Sql = Sql {
    postgres: "SELECT to_regclass('keyward_revocations') IS NOT NULL AND to_regclass('keyward_rotations') IS NOT NULL",
    sqlite: "SELECT count(*) = 2 FROM sqlite_schema \
             WHERE type = 'table' AND name IN ('keyward_revocations', 'keyward_rotations')",
};

#[expect(private_bounds, reason = "the drivers are ours")]
impl<D: Driver, P: SqlProfile> SqlKeyStore<D, P> {
    pub(crate) async fn with_driver(driver: D) -> Result<Self, StoreError> {
        let store = Self { driver, side_tables: AtomicBool::new(false), profile: PhantomData };
        store.look_for_side_tables().await?;
        Ok(store)
    }

    async fn look_for_side_tables(&self) -> Result<(), StoreError> {
        let found = self.driver.rows(Statement::new(HAS_SIDE_TABLES, [])).await?;
        self.side_tables.store(found == [[Cell::Integer(1)]], Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn has_side_tables(&self) -> bool {
        self.side_tables.load(Ordering::Relaxed)
    }

    /// Makes the tables that are missing and leaves those that are there as they are. Running it again, or in several
    /// processes at once, does nothing more. What it did stands in the table `keyward_migrations`.
    ///
    /// `at` is the time that is recorded.
    ///
    /// # Errors
    /// [`MigrateError::Changed`] when a migration was applied in another form before; [`MigrateError::Store`].
    pub async fn migrate(&self, at: Timestamp) -> Result<Vec<&'static str>, MigrateError> {
        let applied = migrate::apply(&self.driver, P::MIGRATIONS, at).await?;
        self.look_for_side_tables().await?;
        Ok(applied)
    }

    /// Compares the tables that are there with those that keyward expects, and names every difference. It only reads.
    ///
    /// # Errors
    /// [`StoreError`] when the database could not answer.
    pub async fn check(&self) -> Result<Vec<Difference>, StoreError> {
        crate::sql::check::compare(&self.driver, P::TABLES).await
    }

    async fn read<const N: usize>(
        &self,
        read: Read,
        arguments: [Value; N],
    ) -> Result<Vec<KeyRecord<P::Details>>, StoreError> {
        let rows = self.driver.rows(Statement::new(read.form(self.has_side_tables()), arguments)).await?;
        Ok(Self::decode(rows))
    }

    fn decode(rows: Vec<Vec<Cell>>) -> Vec<KeyRecord<P::Details>> {
        rows.into_iter().map(|cells| P::decode(Row::new(P::TABLE, cells))).collect()
    }

    /// A store that cannot keep a reason refuses one before anything happens.
    pub(crate) fn accept_reason(&self, reason: Option<&RevocationReason>) -> Result<(), StoreError> {
        if reason.is_none() || self.abilities().revocation_reason {
            return Ok(());
        }
        Err(StoreError::Unsupported("this store has no place for a reason: migrate it to add the side tables"))
    }

    pub(crate) fn read_revoke(request: &RevokeRequest, mut rows: Rows) -> RevokeOutcome {
        let revoked = rows.first().is_some_and(|rows| !rows.is_empty());
        let found = rows.pop().map(Self::decode).and_then(|mut found| found.pop());
        match found {
            Some(_) if revoked => RevokeOutcome::Revoked,
            Some(key) if request.digest.is_none() || key.head.digest == request.digest => match key.head.status {
                Status::Revoked(revocation) => RevokeOutcome::AlreadyRevoked(revocation),
                Status::Active | Status::Inactive | Status::TenantDisabled => {
                    RevokeOutcome::AlreadyRevoked(Revocation { at: None, reason: None })
                }
            },
            _ => RevokeOutcome::NotFound,
        }
    }

    pub(crate) fn read_revoke_all(rows: &Rows) -> u64 {
        rows.first().map_or(0, |rows| rows.len() as u64)
    }
}

#[async_trait]
impl<D: Driver, P: SqlProfile> KeyStore for SqlKeyStore<D, P> {
    type Details = P::Details;

    fn abilities(&self) -> Abilities {
        P::abilities(self.has_side_tables())
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<KeyRecord<P::Details>>, StoreError> {
        self.read(P::FIND, [P::lookup(lookup)]).await
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<P::Details>>, StoreError> {
        Ok(self.read(P::GET, [id.as_str().into()]).await?.pop())
    }

    async fn list(&self, page: &PageRequest) -> Result<Vec<KeyRecord<P::Details>>, StoreError> {
        if let Some(after) = &page.after {
            let last = self.get(after).await?;
            if last.is_none_or(|last| last.head.owner != page.owner) {
                return Err(StoreError::UnknownCursor);
            }
        }
        let after = Value::Text(page.after.as_ref().map(|after| after.as_str().to_owned()));
        self.read(P::LIST, [page.owner.as_str().into(), after, i64::from(page.limit).into()]).await
    }

    async fn starting_with(
        &self,
        owner: &OwnerId,
        start: &str,
        limit: u32,
    ) -> Result<Vec<KeyRecord<P::Details>>, StoreError> {
        self.read(P::STARTING_WITH, [owner.as_str().into(), start.into(), i64::from(limit).into()]).await
    }

    async fn owner_exists(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        let Some(sql) = P::OWNER else { return Ok(true) };
        let found = self.driver.rows(Statement::new(sql, [owner.as_str().into()])).await?;
        Ok(!found.is_empty())
    }

    async fn insert(&self, key: &KeyRecord<P::Details>) -> Result<(), StoreError> {
        self.driver.script(lifecycle::insert::<P>(key)).await.map(|_| ())
    }

    async fn rotate(&self, rotation: &Rotation<P::Details>) -> Result<(), StoreError> {
        self.driver.script(P::rotate(rotation, self.has_side_tables())).await.map(|_| ())
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<RevokeOutcome, StoreError> {
        self.accept_reason(request.reason.as_ref())?;
        let rows = self.driver.script(lifecycle::revoke::<P>(request, self.has_side_tables())).await?;
        Ok(Self::read_revoke(request, rows))
    }

    async fn revoke_all(
        &self,
        owner: &OwnerId,
        at: Timestamp,
        reason: Option<&RevocationReason>,
    ) -> Result<u64, StoreError> {
        self.accept_reason(reason)?;
        let rows = self.driver.script(lifecycle::revoke_all::<P>(owner, at, reason, self.has_side_tables())).await?;
        Ok(Self::read_revoke_all(&rows))
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<u64, StoreError> {
        self.driver.execute(Statement::new(P::TOUCH, [key_uses(uses).into()])).await
    }
}

/// Uses of keys as one argument: a JSON array of `[id, digest, instant]`.
fn key_uses(uses: &[KeyUse]) -> String {
    let rows = uses.iter().map(|KeyUse { id, digest, at }| {
        serde_json::json!([id.as_str(), digest.to_hex().as_str(), stored_timestamp(*at)])
    });
    serde_json::Value::Array(rows.collect()).to_string()
}

/// An instant in the form that both engines read and sort as text: `YYYY-MM-DD HH:MM:SS[.ffffff]`, in UTC.
pub(crate) fn stored_timestamp(at: Timestamp) -> String {
    let utc = chrono::DateTime::from_timestamp_micros(at.as_micros()).unwrap_or_default().naive_utc();
    let fraction = if at.as_micros() % 1_000_000 == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    utc.format(fraction).to_string()
}

/// The status of a key that has a revocation in the side table, or else a flag.
pub(crate) fn revocation_status(at: Option<Timestamp>, reason: Option<String>, active: bool) -> Status {
    match (at, active) {
        (Some(_), _) => Status::Revoked(Revocation { at, reason: reason.map(RevocationReason::from_stored) }),
        (None, true) => Status::Active,
        (None, false) => Status::Inactive,
    }
}
