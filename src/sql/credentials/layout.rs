//! What a layout has to say to keep credentials in SQL.

use std::fmt::Debug;

use crate::credential::{CredentialHead, CredentialRecord};
use crate::key::OwnerId;
use crate::sql::engine::check::Table;
use crate::sql::engine::migrate::Migration;
use crate::sql::engine::{Query, Script, Sql, Value, Violation, ViolationKind};
use crate::sql::keys::RowReader;
use crate::sql::keys::StatementText;
use crate::store::credentials::{
    ClaimRequest, CredentialListRequest, MarkRequest, NonceRequest, PutRequest, ReleaseRequest, ResealRequest,
    SaveRequest, Sealing,
};
use crate::store::{Reference, StoreError};

/// Tables in which credentials can be kept. It is sealed: the statements behind it are no public interface.
#[expect(private_bounds, reason = "this is what seals the trait")]
pub trait CredentialLayout: CredentialTables {
    /// What [`SqlCredentialStore::migrate`](crate::sql::SqlCredentialStore::migrate) runs, for hosts that run it with a tool of
    /// their own.
    #[must_use]
    fn migrations() -> &'static [Migration] {
        <Self as CredentialTables>::MIGRATIONS
    }

    /// Every statement that keyward runs on these tables, for review. Where PostgreSQL's schema of keyward's own tables
    /// is not `keyward`, its name stands in its place.
    #[must_use]
    fn statements(&self) -> Vec<StatementText> {
        let text =
            |(name, Sql { postgres, sqlite }): (&str, Sql)| StatementText { name: name.to_owned(), postgres, sqlite };
        CredentialTables::statements(self).into_iter().map(text).collect()
    }
}

impl<L: CredentialTables> CredentialLayout for L {}

/// A query and its arguments.
pub(crate) type Asked = (&'static Query, Vec<Value<'static>>);

/// What a script counts the credential under that it has changed.
pub(crate) const MADE: &str = "made";

/// A layout as data: its tables, its statements, and the functions that read its rows.
///
/// The scripts count under [`MADE`] the one change that they are for, if it is made.
pub(crate) trait CredentialTables: Debug + Send + Sync + 'static {
    /// What the migrations are recorded under, and what the places of sealed values are called.
    const NAME: &'static str;
    /// The table, for messages.
    const TABLE: &'static str;
    /// Everything that has to be there.
    const TABLES: &'static [&'static Table];
    const MIGRATIONS: &'static [Migration];

    /// Every statement by a name of its own.
    fn statements(&self) -> Vec<(&'static str, Sql)>;
    fn sealing(&self) -> Sealing;

    /// `$1` owner.
    fn get(&self) -> &'static Query;
    fn decode(&self, row: RowReader<'_>) -> CredentialRecord;
    fn list(&self, request: &CredentialListRequest) -> Asked;
    fn decode_head(&self, row: RowReader<'_>) -> CredentialHead;

    fn put(&self, request: &PutRequest) -> Result<Script<StoreError>, StoreError>;
    fn claim(&self, request: &ClaimRequest) -> Script<StoreError>;
    fn mark(&self, request: &MarkRequest) -> Script<StoreError>;
    fn save(&self, request: &SaveRequest) -> Result<Script<StoreError>, StoreError>;
    fn release(&self, request: &ReleaseRequest) -> Script<StoreError>;
    fn note_nonces(&self, request: &NonceRequest) -> Script<StoreError>;
    fn reseal(&self, request: &ResealRequest) -> Result<Script<StoreError>, StoreError>;
    fn wipe(&self, owner: &OwnerId) -> Script<StoreError>;

    /// What a constraint of these tables says.
    fn interpret(violation: &Violation) -> StoreError {
        match violation.kind {
            ViolationKind::ForeignKey => StoreError::Missing(Reference::Owner),
            ViolationKind::Unique => StoreError::Conflict,
            ViolationKind::NotNull | ViolationKind::Check => {
                StoreError::Unsupported("the tables have no place for a value of the credential")
            }
        }
    }
}
