//! [`SqlGrantStore`]: the store of grants, over any engine.

use async_trait::async_trait;

use crate::broker::{
    AccessTokenRecord, ClientId, ClientRecord, CodeRecord, Grant, GrantId, GrantRevocationReason, RefreshTokenRecord,
    SubjectId, TokenDigest,
};
use crate::sql::engine::{
    Engine, EngineError, Query, Reading, Row, Script, ScriptError, Statement, Step, Value, ViolationKind,
};
use crate::sql::grants::arguments::{count, digest, limit, text, time, upstream};
use crate::sql::grants::scripts::{self, Refusal};
use crate::sql::grants::statements::{answers, clients, codes, exchanges, foreign, reads};
use crate::sql::grants::{BrokerTables, client, row};
use crate::sql::keys::interpret_with;
use crate::store::grants::{
    ClientListRequest, ExchangeRequest, GrantFilter, GrantListRequest, GrantStore, NewCode, RedeemRequest,
    RevokeGrantRequest, RevokeGrantsRequest, RevokeTokenRequest, Sealing, SweepRequest, Swept, TokenKind,
    UpstreamRequest,
};
use crate::store::{Reference, StoreError};
use crate::time::Timestamp;

/// The clients, grants, codes and tokens of an authorization server in a database. Clones share it.
#[derive(Clone, Debug)]
pub struct SqlGrantStore {
    pub(super) engine: Engine,
    pub(super) tables: BrokerTables,
}

impl SqlGrantStore {
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: impl FnMut(&Row<'_>) -> T + Send + 'static,
    ) -> Result<Vec<T>, StoreError> {
        self.engine.read(query, arguments, decode).await.map_err(interpret)
    }

    async fn look_up<T: Send + 'static>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: impl FnMut(&Row<'_>) -> T + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.engine.look_up(query, arguments, decode).await.map_err(interpret)?.pop())
    }

    async fn is_found(&self, query: &'static Query, arguments: &[Value<'_>]) -> Result<bool, StoreError> {
        Ok(!self.read(query, arguments, |_| ()).await?.is_empty())
    }

    /// Whether the change was made.
    async fn change(&self, script: Script<Refusal>) -> Result<bool, StoreError> {
        match self.engine.run(script).await {
            Ok(_) => Ok(true),
            Err(ScriptError::Refused(Refusal::Lost)) => Ok(false),
            Err(ScriptError::Refused(Refusal::Failed(error))) => Err(error),
            Err(ScriptError::Engine(error)) => Err(interpret(error)),
        }
    }

    /// Why a change was not made that can be made once: somebody was first, or the client is gone, and otherwise the database
    /// kept a row as it was. What is spent or revoked stays so, so that what is neither by now was neither then.
    async fn lost(&self, client: &ClientId, is_due: bool, table: &'static str) -> Result<bool, StoreError> {
        if !is_due {
            return Ok(false);
        }
        if !self.is_found(&clients::CLIENT_IS_THERE, &[client.as_str().into()]).await? {
            return Err(StoreError::Missing(Reference::Client));
        }
        Err(StoreError::Suppressed { table })
    }
}

/// What the store reports of an error of the engine.
pub(super) fn interpret(error: EngineError) -> StoreError {
    interpret_with(error, |violation| match violation.kind {
        ViolationKind::ForeignKey => StoreError::Missing(Reference::Client),
        ViolationKind::Unique => StoreError::Conflict,
        ViolationKind::NotNull | ViolationKind::Check => {
            StoreError::Unsupported("the tables have no place for a value of the grant")
        }
    })
}

#[async_trait]
impl GrantStore for SqlGrantStore {
    fn sealing(&self) -> Sealing {
        self.tables.sealing()
    }

    async fn client(&self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError> {
        self.look_up(&clients::CLIENT, &[id.as_str().into()], client::client).await
    }

    async fn clients(&self, request: &ClientListRequest) -> Result<Vec<ClientRecord>, StoreError> {
        let after = request.after.as_ref().map(ClientId::as_str);
        self.read(&clients::CLIENTS, &[after.into(), limit(request.limit)], client::client).await
    }

    async fn register(&self, client: &ClientRecord) -> Result<(), StoreError> {
        let suppressed = Refusal::Failed(StoreError::Suppressed { table: "clients" });
        let statement = Statement::new(clients::REGISTER, client::values(client));
        self.change(Script::new([Step::require(statement, suppressed)]).only_while_awaited()).await.map(|_| ())
    }

    async fn update_client(&self, client: &ClientRecord) -> Result<bool, StoreError> {
        self.change(scripts::update_client(client)).await
    }

    async fn note_client_use(&self, id: &ClientId, at: Timestamp) -> Result<(), StoreError> {
        let statement = Statement::new(clients::NOTE_CLIENT_USE, [text(id.as_str()), time(at)]);
        self.change(Script::new([Step::run(statement)])).await.map(|_| ())
    }

    async fn remove_client(&self, id: &ClientId, at: Timestamp) -> Result<bool, StoreError> {
        let script = scripts::remove_client(text(id.as_str()), time(at), GrantRevocationReason::ClientRemoved.code());
        let is_removed = self.change(script).await?;
        if is_removed && self.is_found(&clients::CLIENT_IS_THERE, &[id.as_str().into()]).await? {
            return Err(StoreError::Suppressed { table: "clients" });
        }
        Ok(is_removed)
    }

    async fn add_code(&self, code: &NewCode) -> Result<(), StoreError> {
        self.change(scripts::add_code(code, self.sealing())?).await.map(|_| ())
    }

    async fn code(&self, of: &TokenDigest) -> Result<Option<CodeRecord>, StoreError> {
        let of = *of;
        self.look_up(&reads::FIND_CODE, &[digest(&of)], move |found| row::code(found, of)).await
    }

    async fn redeem(&self, request: &RedeemRequest) -> Result<bool, StoreError> {
        if self.change(scripts::redeem(request, self.sealing())?).await? {
            return Ok(true);
        }
        let found = self.code(&request.code).await?;
        let is_due = found.is_some_and(|code| {
            let is_of_grant = code.grant.id == request.tokens.grant;
            let is_good = code.spent_at.is_none() && request.tokens.at < code.expires_at;
            is_of_grant && is_good && code.grant.revoked.is_none() && code.defect.is_none()
        });
        match self.lost(&request.tokens.client, is_due, "auth_codes").await {
            // The host's row may be gone, swept by a clock that is ahead; then it cannot be redeemed by anybody.
            Err(StoreError::Suppressed { .. })
                if !self.is_found(&codes::CODE_IS_THERE, &[digest(&request.code)]).await? =>
            {
                Ok(false)
            }
            lost => lost,
        }
    }

    async fn refresh_token(&self, of: &TokenDigest) -> Result<Option<RefreshTokenRecord>, StoreError> {
        let (of, sealing) = (*of, self.sealing());
        let decode = move |found: &Row<'_>| row::refresh_token(found, of, sealing);
        self.look_up(&reads::FIND_REFRESH, &[digest(&of)], decode).await
    }

    async fn exchange(&self, request: &ExchangeRequest) -> Result<bool, StoreError> {
        if self.change(scripts::exchange(request, self.sealing())?).await? {
            return Ok(true);
        }
        let found = self.refresh_token(&request.refresh).await?;
        let is_due = found.is_some_and(|token| {
            let is_of_grant = token.grant.id == request.tokens.grant;
            // The host's row may be gone; then it cannot be exchanged by anybody.
            let is_good = token.spent_at.is_none() && token.revoked_at.is_none() && token.expires_at > Timestamp::MIN;
            let is_live = token.grant.revoked.is_none() && token.defect.is_none();
            is_of_grant && is_good && is_live && token.grant_is_stored == request.adopt.is_none()
        });
        self.lost(&request.tokens.client, is_due, "refresh_tokens").await
    }

    async fn access_token(&self, of: &TokenDigest) -> Result<Option<AccessTokenRecord>, StoreError> {
        let (hex, of, sealing) = (of.to_hex(), *of, self.sealing());
        let decode = move |found: &Row<'_>| row::access_token(found, of, sealing);
        self.look_up(&reads::FIND_ACCESS, &[hex.as_str().into()], decode).await
    }

    async fn note_first_use(&self, of: &TokenDigest, at: Timestamp) -> Result<(), StoreError> {
        let steps = [
            Step::run(Statement::new(answers::BLANK_USED, [digest(of)])),
            Step::run(Statement::new(exchanges::NOTE_FIRST_USE, [digest(of), time(at)])),
        ];
        self.change(Script::new(steps)).await.map(|_| ())
    }

    async fn revoke_token(&self, request: &RevokeTokenRequest) -> Result<bool, StoreError> {
        let RevokeTokenRequest { kind, digest: of, at } = request;
        let (change, live, table) = match kind {
            TokenKind::Access => (foreign::REVOKE_ONE_ACCESS, &foreign::ACCESS_NOT_REVOKED, "access_tokens"),
            TokenKind::Refresh => (foreign::REVOKE_ONE_REFRESH, &foreign::REFRESH_NOT_REVOKED, "refresh_tokens"),
        };
        let mut steps = vec![Step::count("revoked", Statement::new(change, [digest(of), time(*at)]))];
        if *kind == TokenKind::Refresh {
            steps.push(Step::run(Statement::new(foreign::REVOKE_ACCESS_OF_FOREIGN, [digest(of), time(*at)])));
        }
        let script = Script::<Refusal>::new(steps);
        let done = self.engine.run_and_read(script, Reading::new(live, [digest(of)], |_| ())).await;
        match done {
            Ok((_, live)) if !live.is_empty() => Err(StoreError::Suppressed { table }),
            Ok((counts, _)) => Ok(counts.of("revoked") > 0),
            Err(ScriptError::Engine(error)) => Err(interpret(error)),
            // No step of it has an error of its own.
            Err(ScriptError::Refused(_)) => Ok(false),
        }
    }

    async fn revoke_grant(&self, request: &RevokeGrantRequest) -> Result<bool, StoreError> {
        self.revoke_one(request).await
    }

    async fn revoke_grants(&self, request: &RevokeGrantsRequest) -> Result<u64, StoreError> {
        self.revoke_many(request).await
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        self.look_up(&reads::FIND_GRANT, &[id.as_str().into()], row::grant).await
    }

    async fn grants(&self, request: &GrantListRequest) -> Result<Vec<Grant>, StoreError> {
        let after: Value<'_> = request.after.as_ref().map(GrantId::as_str).into();
        let most = limit(request.limit);
        match &request.filter {
            GrantFilter { client: Some(client), subject } => {
                let subject = subject.as_ref().map(SubjectId::as_str);
                let arguments = [client.as_str().into(), subject.into(), after, most];
                self.read(&reads::GRANTS_OF_CLIENT, &arguments, row::grant).await
            }
            GrantFilter { client: None, subject: Some(subject) } => {
                self.read(&reads::GRANTS_OF_SUBJECT, &[subject.as_str().into(), after, most], row::grant).await
            }
            GrantFilter { client: None, subject: None } => self.read(&reads::GRANTS, &[after, most], row::grant).await,
        }
    }

    async fn replace_upstream(&self, request: &UpstreamRequest) -> Result<bool, StoreError> {
        let UpstreamRequest { grant: of, version, tokens } = request;
        let sealing = self.sealing();
        let [access_token, refresh_token, expires_at] = upstream(Some(tokens), sealing)?;
        let of = text(of.as_str());
        let arguments = [of.clone(), count(*version), access_token.clone(), refresh_token.clone(), expires_at.clone()];
        let mut steps = vec![Step::require(Statement::new(exchanges::REPLACE_UPSTREAM, arguments), Refusal::Lost)];
        if sealing == Sealing::Store {
            let arguments = [of.clone(), access_token, refresh_token, expires_at];
            steps.push(Step::run(Statement::new(exchanges::REPLACE_UPSTREAM_OF_ACCESS, arguments)));
        }
        let replaced = Statement::new(exchanges::UPSTREAM_IS_REPLACED, [of, count(*version)]);
        steps.push(Step::require(replaced, Refusal::Failed(StoreError::Suppressed { table: "grants" })));
        if self.change(Script::new(steps)).await? {
            return Ok(true);
        }
        // Versions never come back.
        let is_due = self.grant(&request.grant).await?.is_some_and(|grant| grant.upstream_version == *version);
        if is_due { Err(StoreError::Suppressed { table: "grants" }) } else { Ok(false) }
    }

    async fn sweep(&self, request: &SweepRequest) -> Result<Swept, StoreError> {
        self.sweep_once(request).await
    }
}
