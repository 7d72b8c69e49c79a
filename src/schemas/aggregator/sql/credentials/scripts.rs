//! The steps of every change of a credential in the host's table.

use std::time::Duration;

use crate::credential::{CredentialRecord, Nonces};
use crate::key::{OwnerId, Scopes};
use crate::schemas::aggregator::sql::credentials::{AggregatorCredentials, Form, statements, upstream};
use crate::sql::credentials::CredentialTables as _;
use crate::sql::credentials::arguments::{self, owner};
use crate::sql::engine::{Script, Statement, Step, Value};
use crate::store::credentials::{
    ClaimRequest, MarkRequest, NonceRequest, PutRequest, ReleaseRequest, ResealRequest, SaveRequest,
};
use crate::store::{Reference, StoreError};

/// For how long the upstream service keeps a session, unless somebody says otherwise: it deletes those that have expired, and
/// with the session every key that depends on it. A session that is known to end earlier is kept until then.
const KEPT: Duration = Duration::from_hours(17_520);

/// For how long a session is kept at least when its tokens were refreshed.
const KEPT_AFTER_REFRESH: Duration = Duration::from_hours(168);

impl AggregatorCredentials {
    pub(super) fn put_script(&self, request: &PutRequest) -> Result<Script<StoreError>, StoreError> {
        let PutRequest { record: CredentialRecord { head, secrets }, over, at } = request;
        let [authorization_server, resource_server] = arguments::nonces(&head.nonces);
        let [mode, generation] = arguments::over(*over);
        let of = owner(&head.owner);
        let access_token = arguments::access_token(secrets, self.sealing())?;
        let refresh_token = arguments::secret(secrets.refresh_token.as_ref(), self.sealing())?;
        let dpop_key = arguments::secret(secrets.dpop_key.as_ref(), self.sealing())?;
        let state = [
            of.clone(),
            mode,
            generation,
            head.subject.clone().into(),
            text(&head.client_id),
            head.client_key_id.clone().into(),
            head.revocation_endpoint.clone().into(),
            head.scopes.joined().into(),
            head.session_id.clone().into(),
            head.session_started_at.into(),
            head.session_ends_at.into(),
            (*at).into(),
            arguments::count(request.first_version()).into(),
        ];
        let written = [
            of.clone(),
            access_token.clone(),
            refresh_token.clone(),
            dpop_key.clone(),
            head.expires_at.into(),
            head.resource_server.clone().into(),
            text(&head.issuer),
            text(&head.token_endpoint),
            authorization_server.clone(),
            resource_server.clone(),
        ];
        let sql = self.sql();
        let mut steps = vec![
            Step::require(Statement::new(statements::LOCK_OWNER, [of.clone()]), StoreError::Missing(Reference::Owner)),
            Step::run(self.adopt(&head.owner)),
            Step::require(Statement::new(sql.put_state, state), StoreError::Conflict),
        ];
        steps.extend(self.require_key());
        steps.push(require_written(Statement::new(sql.put_secrets, written)));
        steps.push(self.settle(&head.owner, [access_token.clone(), refresh_token.clone(), dpop_key.clone()], true));
        if self.keeps_copy() && secrets.refresh_token.is_some() {
            let kept_until = head.session_ends_at.unwrap_or_else(|| at.saturating_add(KEPT));
            let session = [
                of,
                access_token,
                refresh_token,
                dpop_key,
                head.resource_server.clone().unwrap_or_else(|| head.issuer.clone()).into(),
                text(&head.issuer),
                text(&head.token_endpoint),
                head.revocation_endpoint.clone().into(),
                head.scopes.joined().into(),
                authorization_server,
                resource_server,
                kept_until.into(),
            ];
            let suppressed = StoreError::Suppressed { table: "oauth_sessions" };
            steps.push(Step::require(Statement::new(upstream::PUT_SESSION, session), suppressed));
        }
        if self.has_sessions() && (!self.keeps_copy() || secrets.refresh_token.is_none()) {
            steps.push(drop_copy(&head.owner));
        }
        Ok(Script::new(steps))
    }

    pub(super) fn claim_script(&self, request: &ClaimRequest) -> Script<StoreError> {
        let ClaimRequest { owner: of, at, until, decided } = request;
        let claim = [
            owner(of),
            (*at).into(),
            (*until).into(),
            arguments::longest_lease(*at),
            decided.map(arguments::count).into(),
        ];
        Script::new([Step::run(self.adopt(of)), Step::only_if(Statement::new(self.sql().claim, claim))])
    }

    pub(super) fn mark_script(&self, request: &MarkRequest) -> Script<StoreError> {
        let MarkRequest { owner: of, version, at, until } = request;
        let mark = [
            owner(of),
            arguments::count(*version).into(),
            (*at).into(),
            arguments::longest_lease(*at),
            (*until).into(),
        ];
        Script::new([Step::only_if(Statement::new(self.sql().mark, mark))])
    }

    pub(super) fn save_script(&self, request: &SaveRequest) -> Result<Script<StoreError>, StoreError> {
        let SaveRequest { owner: of, generation, secrets, expires_at, scopes, nonces, at } = request;
        let [authorization_server, resource_server] = arguments::nonces(nonces);
        let access_token = arguments::access_token(secrets, self.sealing())?;
        let refresh_token = arguments::secret(secrets.refresh_token.as_ref(), self.sealing())?;
        let sql = self.sql();
        let scopes = scopes.as_ref().map(Scopes::joined);
        let state = [owner(of), arguments::count(*generation).into(), scopes.into(), (*at).into()];
        let pair = [
            owner(of),
            access_token.clone(),
            refresh_token.clone(),
            (*expires_at).into(),
            authorization_server.clone(),
            resource_server.clone(),
            (*at).into(),
        ];
        let mut steps = vec![
            Step::only_if(Statement::new(sql.lock, [owner(of)])),
            Step::only_if(Statement::new(sql.save_state, state)),
        ];
        steps.extend(self.require_key());
        steps.push(require_written(Statement::new(sql.save_pair, pair)));
        steps.push(self.settle(of, [access_token.clone(), refresh_token.clone(), Value::Text(None)], false));
        if self.keeps_copy() && secrets.refresh_token.is_some() {
            let kept_until = at.saturating_add(KEPT_AFTER_REFRESH).into();
            let session = [owner(of), access_token, refresh_token, authorization_server, resource_server, kept_until];
            // One that is not there was ended by that service, which makes it anew with the next key.
            steps.push(Step::run(Statement::new(upstream::SAVE_SESSION, session)));
        }
        if self.has_sessions() && !self.keeps_copy() {
            steps.push(drop_copy(of));
        }
        Ok(Script::new(steps))
    }

    pub(super) fn nonces_script(&self, request: &NonceRequest) -> Script<StoreError> {
        let NonceRequest { owner: of, generation, nonces } = request;
        let known = Statement::new(self.sql().has_generation, [owner(of), arguments::count(*generation).into()]);
        let mut steps = vec![Step::only_if(known)];
        steps.extend(note(of, nonces));
        Script::new(steps)
    }

    pub(super) fn reseal_script(&self, request: &ResealRequest) -> Result<Script<StoreError>, StoreError> {
        let ResealRequest { owner: of, version, generation, secrets, at } = request;
        let access_token = arguments::access_token(secrets, self.sealing())?;
        let refresh_token = arguments::secret(secrets.refresh_token.as_ref(), self.sealing())?;
        let dpop_key = arguments::secret(secrets.dpop_key.as_ref(), self.sealing())?;
        let sql = self.sql();
        let (version, generation) = (arguments::count(*version).into(), arguments::count(*generation).into());
        let state = [owner(of), version, generation, (*at).into(), arguments::longest_lease(*at)];
        let written = [owner(of), access_token.clone(), refresh_token.clone(), dpop_key.clone()];
        let mut steps = vec![
            Step::only_if(Statement::new(sql.lock, [owner(of)])),
            Step::run(self.adopt(of)),
            Step::only_if(Statement::new(sql.reseal_state, state)),
        ];
        steps.extend(self.require_key());
        steps.push(require_written(Statement::new(sql.reseal_secrets, written)));
        steps.push(self.settle(of, [access_token, refresh_token, dpop_key], true));
        if self.has_sessions() && !self.keeps_copy() {
            steps.push(drop_copy(of));
        }
        Ok(Script::new(steps))
    }

    /// Takes away what there is of a credential, if `lock` finds it.
    pub(super) fn wipe_script(&self, of: &OwnerId, lock: Statement) -> Script<StoreError> {
        let mut steps = vec![
            Step::only_if(lock),
            Step::run(Statement::new(statements::FORGET_STATE, [owner(of)])),
            require_written(Statement::new(self.sql().clear, [owner(of)])),
        ];
        if self.has_sessions() {
            steps.push(drop_copy(of));
        }
        Script::new(steps)
    }

    fn adopt(&self, of: &OwnerId) -> Statement {
        Statement::new(self.sql().adopt, [owner(of), text(self.client_id.as_str())])
    }

    /// Without its key, the database would encrypt everything to NULL.
    fn require_key(&self) -> Option<Step<StoreError>> {
        let key = || Step::require(Statement::new(upstream::KEY.sql(), []), upstream::no_key());
        (self.form == Form::Database).then(key)
    }

    /// What stands in the host's row has to be what was written, and the side table's row is about it from now on.
    fn settle(&self, of: &OwnerId, secrets: [Value<'static>; 3], with_key: bool) -> Step<StoreError> {
        let [access_token, refresh_token, dpop_key] = secrets;
        let arguments = [owner(of), access_token, refresh_token, dpop_key, i64::from(with_key).into()];
        Step::require(Statement::new(self.sql().settle, arguments), SUPPRESSED)
    }

    /// Whether the copy in clear is written that a service on the same table demands.
    fn keeps_copy(&self) -> bool {
        self.form == Form::Database && self.has_sessions()
    }
}

pub(super) fn release(request: &ReleaseRequest) -> Script<StoreError> {
    let ReleaseRequest { owner: of, version, state, nonces } = request;
    let [state, since, reason] = arguments::state(*state);
    let release = [owner(of), arguments::count(*version).into(), state, since, reason];
    let mut steps = vec![Step::only_if(Statement::new(statements::RELEASE, release))];
    steps.extend(note(of, nonces));
    Script::new(steps)
}

const SUPPRESSED: StoreError = StoreError::Suppressed { table: "aggregators" };

fn require_written(statement: Statement) -> Step<StoreError> {
    Step::require(statement, SUPPRESSED)
}

/// The copy in clear goes.
fn drop_copy(of: &OwnerId) -> Step<StoreError> {
    Step::run(Statement::new(upstream::DELETE_SESSION, [owner(of)]))
}

/// Nothing, where no server gave one.
fn note(of: &OwnerId, nonces: &Nonces) -> Option<Step<StoreError>> {
    let [authorization_server, resource_server] = arguments::nonces(nonces);
    let noted = Statement::new(statements::NOTE_NONCES, [owner(of), authorization_server, resource_server]);
    (*nonces != Nonces::default()).then(|| Step::run(noted))
}

pub(super) fn text(text: &str) -> Value<'static> {
    text.to_owned().into()
}
