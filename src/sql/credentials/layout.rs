//! What a layout has to say to keep credentials in SQL.

use std::fmt::Debug;

use crate::credential::{CredentialHead, CredentialRecord, OAuthSession, SessionError};
use crate::key::OwnerId;
#[cfg(feature = "postgres")]
use crate::sql::engine::InvalidSchemaName;
use crate::sql::engine::check::Table;
use crate::sql::engine::migrate::Migration;
use crate::sql::engine::{Engine, Query, Script, Sql, Statement, Value};
#[cfg(feature = "postgres")]
use crate::sql::keys::{DatabaseRole, Granted};
use crate::sql::keys::{RowReader, SqlSchema, StatementText};
use crate::store::credentials::{
    ClaimRequest, CredentialListRequest, MarkRequest, NonceRequest, PutRequest, ReleaseRequest, ResealRequest,
    SaveRequest, Sealing,
};
use crate::store::{RevokeRequest, StoreError};

/// Tables in which credentials can be kept. It is sealed: the statements behind it are no public interface.
#[expect(private_bounds, reason = "this is what seals the trait")]
pub trait CredentialLayout: CredentialTables {
    /// What [`SqlCredentialStore::migrate`](crate::sql::SqlCredentialStore::migrate) runs, for hosts that run it with a tool of
    /// their own.
    #[must_use]
    fn migrations(&self) -> &'static [Migration] {
        CredentialTables::migrations(self)
    }

    /// Every statement that keyward runs on these tables, for review. Where PostgreSQL's schema of keyward's own tables
    /// is not `keyward`, its name stands in its place.
    #[must_use]
    fn statements(&self) -> Vec<StatementText> {
        let text =
            |(name, Sql { postgres, sqlite }): (&str, Sql)| StatementText { name: name.to_owned(), postgres, sqlite };
        CredentialTables::statements(self).into_iter().map(text).collect()
    }

    /// The statements that give the PostgreSQL role that is called `grantee` the rights of `role` to these credentials, as
    /// [`SqlSchema::grants`] does for keys. A [`Verifier`](DatabaseRole::Verifier) reads them, an
    /// [`Issuer`](DatabaseRole::Issuer) stores, refreshes and reseals them too, and an
    /// [`Operator`](DatabaseRole::Operator) wipes them too.
    ///
    /// # Errors
    /// [`InvalidSchemaName`](crate::sql::InvalidSchemaName) when `own_schema` is none.
    #[cfg(feature = "postgres")]
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
    fn grants(&self, role: DatabaseRole, grantee: &str, own_schema: &str) -> Result<String, InvalidSchemaName> {
        let what = format!("credentials of the layout {}", Self::NAME);
        Granted { what, tables: self.tables(), beside: self.beside() }.statements(role, grantee, own_schema)
    }
}

impl<L: CredentialTables> CredentialLayout for L {}

/// A layout on the table of one schema's keys, so that a key and the credential that it stands on are stored, and removed,
/// in one transaction. It is sealed.
#[expect(private_bounds, reason = "this is what seals the trait")]
pub trait KeyedLayout: CredentialLayout + KeyedTables {
    /// The schema of the keys.
    type Schema: SqlSchema;
}

/// A query and its arguments.
pub(crate) type Asked = (&'static Query, Vec<Value<'static>>);

/// What a script counts the credential under that it has changed.
pub(crate) const MADE: &str = "made";

/// A layout as data: its tables, its statements, and the functions that read its rows.
///
/// The scripts count under [`MADE`] the one change that they are for, if it is made. Of several steps, one that ends its script
/// ([`only_if`](crate::sql::engine::Step::only_if)) has made no change either.
pub(crate) trait CredentialTables: Debug + Send + Sync + 'static {
    /// What the migrations are recorded under, and what the places of sealed values are called.
    const NAME: &'static str;
    /// The table, for messages.
    const TABLE: &'static str;

    /// Everything that has to be there.
    fn tables(&self) -> &'static [&'static Table];
    /// Tables of the host's that are written where they are there, and are nothing that has to be.
    #[cfg(feature = "postgres")]
    fn beside(&self) -> &'static [&'static Table] {
        &[]
    }
    fn migrations(&self) -> &'static [Migration];
    /// Every statement by a name of its own.
    fn statements(&self) -> Vec<(&'static str, Sql)>;
    fn sealing(&self) -> Sealing;

    /// Looks at what the layout depends on beside its tables, before a store is opened on it.
    fn examine(&self, _engine: &Engine) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { Ok(()) }
    }
    /// See [`CredentialStore::accept`](crate::store::credentials::CredentialStore::accept).
    fn accept(&self, _owner: &OwnerId, _session: &OAuthSession) -> Result<(), SessionError> {
        Ok(())
    }
    /// Where the database decrypts what [`get`](Self::get) returns.
    fn encryption(&self) -> Option<&'static Encryption> {
        None
    }

    fn get(&self, owner: &OwnerId) -> Asked;
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
}

/// What a database needs to decrypt. A row that does not decrypt raises an error there.
#[derive(Debug)]
pub(crate) struct Encryption {
    /// As [`CredentialTables::get`], with the same arguments, and NULL in the place of each secret.
    pub(crate) undecrypted: &'static Query,
    /// Returns a row if there is a key: without one, everything decrypts to NULL.
    pub(crate) key: &'static Query,
    /// What is reported without one.
    pub(crate) lacking: fn() -> StoreError,
}

/// A layout on the table of one schema's keys.
pub(crate) trait KeyedTables: CredentialTables {
    /// Returns a row if a key can stand on the owner's credential: there is one, and it has not ended.
    fn is_usable(&self, owner: &OwnerId) -> Statement;
    /// Wipes the credential of the key that the request names, if that stands there and is revoked by now. It is made up of
    /// as many steps as [`CredentialTables::wipe`], and has made its change by the same rule.
    fn wipe_after_revocation(&self, request: &RevokeRequest) -> Script<StoreError>;
}
