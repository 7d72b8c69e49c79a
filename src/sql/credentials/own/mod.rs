//! The table of keyward's own in which a service of any kind keeps its credentials.

mod statements;
mod table;

use crate::credential::{CredentialHead, CredentialRecord};
use crate::key::OwnerId;
use crate::seal::Sealed;
use crate::sql::credentials::arguments::{self, owner};
use crate::sql::credentials::layout::{Asked, CredentialTables, MADE};
use crate::sql::credentials::row;
use crate::sql::engine::check::Table;
use crate::sql::engine::migrate::Migration;
use crate::sql::engine::{Script, Sql, Statement, Step, Value};
use crate::sql::keys::RowReader;
use crate::store::StoreError;
use crate::store::credentials::{
    ClaimRequest, CredentialListRequest, MarkRequest, NonceRequest, PutRequest, ReleaseRequest, ResealRequest,
    SaveRequest, Sealing,
};

/// The layout for services without tables of credentials: `keyward.credentials` on PostgreSQL, `keyward_credentials` on
/// SQLite. Every secret in it is an envelope.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct OwnCredentials;

impl OwnCredentials {
    /// The layout.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

static TABLES: [&Table; 1] = [&table::CREDENTIALS];

impl CredentialTables for OwnCredentials {
    const NAME: &'static str = "credentials";
    const TABLE: &'static str = "credentials";

    fn tables(&self) -> &'static [&'static Table] {
        &TABLES
    }

    fn migrations(&self) -> &'static [Migration] {
        table::MIGRATIONS
    }

    fn statements(&self) -> Vec<(&'static str, Sql)> {
        vec![
            ("get", statements::GET.sql()),
            ("list", statements::LIST.sql()),
            ("put", statements::PUT),
            ("claim", statements::CLAIM),
            ("mark", statements::MARK),
            ("save", statements::SAVE),
            ("release", statements::RELEASE),
            ("note_nonces", statements::NOTE_NONCES),
            ("reseal", statements::RESEAL),
            ("wipe", statements::WIPE),
        ]
    }

    fn sealing(&self) -> Sealing {
        Sealing::Service
    }

    fn get(&self, of: &OwnerId) -> Asked {
        (&statements::GET, vec![owner(of)])
    }

    fn decode(&self, row: RowReader<'_>) -> CredentialRecord {
        row::credential(row, false)
    }

    fn list(&self, request: &CredentialListRequest) -> Asked {
        let after = request.after.as_ref().map(|owner| owner.as_str().to_owned());
        let start = request.filter.not_sealed_with.as_ref().map(Sealed::start);
        let limit = i64::from(request.limit);
        (&statements::LIST, vec![after.into(), request.filter.due_by.into(), start.into(), limit.into()])
    }

    fn decode_head(&self, mut row: RowReader<'_>) -> CredentialHead {
        row::head(&mut row)
    }

    fn put(&self, request: &PutRequest) -> Result<Script<StoreError>, StoreError> {
        let PutRequest { record: CredentialRecord { head, secrets }, over, at } = request;
        let [authorization_server, resource_server] = arguments::nonces(&head.nonces);
        let [mode, generation] = arguments::over(*over);
        let arguments = vec![
            owner(&head.owner),
            arguments::access_token(secrets, Sealing::Service)?,
            arguments::secret(secrets.refresh_token.as_ref(), Sealing::Service)?,
            arguments::secret(secrets.dpop_key.as_ref(), Sealing::Service)?,
            head.expires_at.into(),
            head.subject.clone().into(),
            head.client_id.clone().into(),
            head.client_key_id.clone().into(),
            head.issuer.clone().into(),
            head.token_endpoint.clone().into(),
            head.revocation_endpoint.clone().into(),
            head.resource_server.clone().into(),
            head.scopes.joined().into(),
            head.session_id.clone().into(),
            head.session_started_at.into(),
            head.session_ends_at.into(),
            (*at).into(),
            authorization_server,
            resource_server,
            mode,
            generation,
            arguments::count(request.first_version()).into(),
        ];
        Ok(Script::new([Step::require(Statement::new(statements::PUT, arguments), StoreError::Conflict)]))
    }

    fn claim(&self, request: &ClaimRequest) -> Script<StoreError> {
        let ClaimRequest { owner: of, at, until, decided } = request;
        let arguments = [
            owner(of),
            (*at).into(),
            (*until).into(),
            arguments::longest_lease(*at),
            decided.map(arguments::count).into(),
        ];
        one(statements::CLAIM, arguments)
    }

    fn mark(&self, request: &MarkRequest) -> Script<StoreError> {
        let MarkRequest { owner: of, version, at, until } = request;
        let (version, until) = (arguments::count(*version).into(), (*until).into());
        one(statements::MARK, [owner(of), version, (*at).into(), arguments::longest_lease(*at), until])
    }

    fn save(&self, request: &SaveRequest) -> Result<Script<StoreError>, StoreError> {
        let SaveRequest { owner: of, generation, secrets, expires_at, scopes, nonces, at } = request;
        let [authorization_server, resource_server] = arguments::nonces(nonces);
        let arguments = [
            owner(of),
            arguments::count(*generation).into(),
            arguments::access_token(secrets, Sealing::Service)?,
            arguments::secret(secrets.refresh_token.as_ref(), Sealing::Service)?,
            (*expires_at).into(),
            scopes.as_ref().map(crate::key::Scopes::joined).into(),
            authorization_server,
            resource_server,
            (*at).into(),
        ];
        Ok(one(statements::SAVE, arguments))
    }

    fn release(&self, request: &ReleaseRequest) -> Script<StoreError> {
        let ReleaseRequest { owner: of, version, state, nonces } = request;
        let [authorization_server, resource_server] = arguments::nonces(nonces);
        let [state, since, reason] = arguments::state(*state);
        let version = arguments::count(*version).into();
        one(statements::RELEASE, [owner(of), version, state, since, reason, authorization_server, resource_server])
    }

    fn note_nonces(&self, request: &NonceRequest) -> Script<StoreError> {
        let NonceRequest { owner: of, generation, nonces } = request;
        let [authorization_server, resource_server] = arguments::nonces(nonces);
        let generation = arguments::count(*generation).into();
        one(statements::NOTE_NONCES, [owner(of), generation, authorization_server, resource_server])
    }

    fn reseal(&self, request: &ResealRequest) -> Result<Script<StoreError>, StoreError> {
        let ResealRequest { owner: of, version, generation, secrets, at } = request;
        let arguments = [
            owner(of),
            arguments::count(*version).into(),
            arguments::count(*generation).into(),
            arguments::access_token(secrets, Sealing::Service)?,
            arguments::secret(secrets.refresh_token.as_ref(), Sealing::Service)?,
            arguments::secret(secrets.dpop_key.as_ref(), Sealing::Service)?,
            (*at).into(),
            arguments::longest_lease(*at),
        ];
        Ok(one(statements::RESEAL, arguments))
    }

    fn wipe(&self, of: &OwnerId) -> Script<StoreError> {
        one(statements::WIPE, [owner(of)])
    }
}

fn one(sql: Sql, arguments: impl Into<Vec<Value<'static>>>) -> Script<StoreError> {
    Script::new([Step::count(MADE, Statement::new(sql, arguments))])
}
