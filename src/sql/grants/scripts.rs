//! What a change is made of: steps that happen together or not at all.

use crate::broker::{ClientRecord, CodeChallenge, CodeRecord, Grant, TokenDigest};
use crate::seal::StoredSecret;
use crate::sql::engine::{Script, Sql, Statement, Step, Value};
use crate::sql::grants::arguments::{
    count, digest, host_subject, host_upstream, optional_time, scopes, text, time, upstream,
};
use crate::sql::grants::client;
use crate::sql::grants::statements::{answers, clients, codes, exchanges};
use crate::store::grants::{ExchangeRequest, NewCode, NewTokens, RedeemRequest, Sealing};
use crate::store::{Reference, StoreError};
use crate::time::Timestamp;

/// Why nothing of a script stays.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A row is not, or is no longer, such that the change can be made.
    Lost,
    /// The change cannot be made, whoever tries.
    Failed(StoreError),
}

/// What a row that the database did not take is reported as.
fn suppressed(table: &'static str) -> Refusal {
    Refusal::Failed(StoreError::Suppressed { table })
}

fn step(sql: Sql, arguments: impl Into<Vec<Value<'static>>>) -> Step<Refusal> {
    Step::run(Statement::new(sql, arguments))
}

fn only_if(sql: Sql, arguments: impl Into<Vec<Value<'static>>>) -> Step<Refusal> {
    Step::require(Statement::new(sql, arguments), Refusal::Lost)
}

fn write(table: &'static str, sql: Sql, arguments: impl Into<Vec<Value<'static>>>) -> Step<Refusal> {
    Step::require(Statement::new(sql, arguments), suppressed(table))
}

/// The columns of a grant.
fn grant(grant: &Grant, remembered_until: Timestamp, sealing: Sealing) -> Result<Vec<Value<'static>>, StoreError> {
    let [access_token, refresh_token, expires_at] = upstream(grant.upstream.as_ref(), sealing)?;
    Ok(vec![
        text(grant.id.as_str()),
        text(grant.client.as_str()),
        text(grant.subject.id.as_str()),
        grant.subject.name.clone().into(),
        scopes(&grant.scopes),
        grant.resource.clone().into(),
        time(grant.created_at),
        optional_time(grant.expires_at),
        optional_time(grant.revoked.map(|(at, _)| at)),
        grant.revoked.map(|(_, reason)| reason.code()).into(),
        time(remembered_until),
        access_token,
        refresh_token,
        expires_at,
        count(grant.upstream_version),
    ])
}

pub(super) fn add_code(new: &NewCode, sealing: Sealing) -> Result<Script<Refusal>, StoreError> {
    let NewCode { code, remembered_until } = new;
    let CodeRecord { grant: of, redirect_uri, challenge, expires_at, spent_at, .. } = code;
    let (hash, client) = (digest(&code.digest), text(of.client.as_str()));
    let challenge = challenge.as_ref().map(CodeChallenge::as_str);
    let host_challenge = text(challenge.unwrap_or_default());
    let [access_token, refresh_token, token_expires_at] = host_upstream(of.upstream.as_ref(), sealing)?;
    let [user_id, username] = host_subject(&of.subject);
    let own = [
        hash.clone(),
        text(of.id.as_str()),
        text(redirect_uri),
        challenge.map(str::to_owned).into(),
        time(*expires_at),
        optional_time(*spent_at),
    ];
    let host = [
        hash.clone(),
        client.clone(),
        text(redirect_uri),
        host_challenge.clone(),
        CodeChallenge::METHOD.into(),
        scopes(&of.scopes),
        access_token,
        refresh_token,
        token_expires_at,
        user_id,
        username,
        time(*expires_at),
        optional_time(*spent_at),
    ];
    let missing = Refusal::Failed(StoreError::Missing(Reference::Client));
    let steps = [
        Step::require(Statement::new(clients::HOLD_CLIENT, [client]), missing),
        write("grants", codes::ADD_GRANT, grant(of, *remembered_until, sealing)?),
        write("grant_codes", codes::ADD_GRANT_CODE, own),
        write("auth_codes", codes::ADD_CODE, host),
        write("auth_codes", codes::IS_ADDED, [hash, text(of.id.as_str()), host_challenge]),
    ];
    Ok(Script::new(steps).only_while_awaited())
}

pub(super) fn redeem(request: &RedeemRequest, sealing: Sealing) -> Result<Script<Refusal>, StoreError> {
    let RedeemRequest { code, tokens } = request;
    let (hash, of, at) = (digest(code), text(tokens.grant.as_str()), time(tokens.at));
    let mut steps = vec![
        step(clients::HOLD_CLIENT, [text(tokens.client.as_str())]),
        only_if(codes::RAISE_GRANT, [of.clone(), time(tokens.remembered_until())]),
        only_if(codes::SPEND_CODE, [hash.clone(), of.clone(), at.clone()]),
        only_if(codes::USE_CODE, [hash.clone(), at.clone()]),
    ];
    steps.extend(add_tokens(tokens, sealing)?);
    let [access, refresh] = digests(tokens);
    if sealing == Sealing::Store {
        steps.push(step(exchanges::COPY_UPSTREAM_OF_GRANT, [access.clone(), of.clone()]));
    }
    steps.push(write("auth_codes", codes::IS_REDEEMED, [hash, at, of, access, refresh]));
    Ok(Script::new(steps).only_while_awaited())
}

pub(super) fn exchange(request: &ExchangeRequest, sealing: Sealing) -> Result<Script<Refusal>, StoreError> {
    let ExchangeRequest { refresh, adopt, tokens, response, revokes_access } = request;
    let (hash, of, at) = (digest(refresh), text(tokens.grant.as_str()), time(tokens.at));
    let [access, successor] = digests(tokens);
    let spent = [
        hash.clone(),
        of.clone(),
        at.clone(),
        successor.clone(),
        access.clone(),
        response.as_ref().map(|response| response.sealed.as_str().to_owned()).into(),
        optional_time(response.as_ref().map(|response| response.until)),
        optional_time(response.as_ref().map(|response| response.access_expires_at)),
        response.as_ref().map(|response| response.scopes.joined()).into(),
    ];
    let mut steps = vec![step(clients::HOLD_CLIENT, [text(tokens.client.as_str())])];
    match adopt {
        None => steps.extend([
            only_if(codes::RAISE_GRANT, [of.clone(), time(tokens.remembered_until())]),
            only_if(exchanges::SPEND_REFRESH, spent),
            // Whoever spends it has the answer that it came in.
            step(answers::BLANK_SPENT, [hash.clone(), of.clone()]),
        ]),
        Some(adopted) => steps.extend([
            only_if(codes::ADOPT_GRANT, grant(adopted, tokens.remembered_until(), sealing)?),
            only_if(exchanges::ADOPT_REFRESH, spent),
        ]),
    }
    steps.push(only_if(exchanges::RETIRE_REFRESH, [hash.clone(), at.clone()]));
    if adopt.is_some() {
        steps.push(step(exchanges::ADOPT_ACCESS, [hash.clone(), of.clone()]));
    }
    if *revokes_access {
        steps.push(step(exchanges::RETIRE_ACCESS, [of.clone(), at.clone()]));
    }
    steps.extend(add_tokens(tokens, sealing)?);
    if sealing == Sealing::Store {
        // What was read before may have been replaced since. The row of the access token before it may be gone.
        steps.push(step(exchanges::COPY_UPSTREAM_OF_GRANT, [access.clone(), of.clone()]));
        steps.push(step(exchanges::COPY_UPSTREAM_OF_ACCESS, [access.clone(), hash.clone()]));
    }
    let revokes = i64::from(*revokes_access).into();
    steps.push(write("refresh_tokens", exchanges::IS_EXCHANGED, [hash, at, of, access, successor, revokes]));
    Ok(Script::new(steps).only_while_awaited())
}

/// The digests of the access token and of the refresh token, if there is one.
fn digests(tokens: &NewTokens) -> [Value<'static>; 2] {
    [digest(&tokens.access), optional_digest(tokens.refresh.as_ref().map(|(digest, _)| digest))]
}

fn optional_digest(optional: Option<&TokenDigest>) -> Value<'static> {
    optional.map_or(Value::Text(None), digest)
}

/// The rows of new tokens: the host's, and our own beside them.
fn add_tokens(tokens: &NewTokens, sealing: Sealing) -> Result<Vec<Step<Refusal>>, StoreError> {
    let (access, client, of) = (digest(&tokens.access), text(tokens.client.as_str()), text(tokens.grant.as_str()));
    let [user_id, username] = host_subject(&tokens.subject);
    // An envelope from before the tables were shared in clear stays where it is.
    let shared = tokens.upstream.as_ref().filter(|upstream| {
        let tokens = [Some(&upstream.access_token), upstream.refresh_token.as_ref()];
        tokens.into_iter().flatten().all(|token| matches!(token, StoredSecret::Plain(_)))
    });
    let [access_token, refresh_token, token_expires_at] = host_upstream(shared, sealing)?;
    let host = [
        access.clone(),
        client.clone(),
        user_id,
        username,
        scopes(&tokens.scopes),
        access_token,
        refresh_token,
        token_expires_at,
        time(tokens.access_expires_at),
        time(tokens.at),
    ];
    let mut steps = Vec::new();
    // Our own rows first, as everywhere.
    steps.push(write("grant_access_tokens", exchanges::ADD_GRANT_ACCESS, [access.clone(), of.clone()]));
    if let Some((refresh, _)) = &tokens.refresh {
        steps.push(write("grant_refresh_tokens", exchanges::ADD_GRANT_REFRESH, [digest(refresh), of]));
    }
    steps.push(write("access_tokens", exchanges::ADD_ACCESS, host));
    if let Some((refresh, expires_at)) = &tokens.refresh {
        let host = [digest(refresh), access, client, time(*expires_at), time(tokens.at)];
        steps.push(write("refresh_tokens", exchanges::ADD_REFRESH, host));
    }
    Ok(steps)
}

/// Puts what a client says now, its redirect URIs and metadata, in the place of what it said before.
pub(super) fn update_client(client: &ClientRecord) -> Script<Refusal> {
    Script::new([
        only_if(clients::HOLD_CLIENT_TO_UPDATE, client::registration_values(client)),
        write("clients", clients::UPDATE_CLIENT, client::updated_values(client)),
        write("clients", clients::CLIENT_SAYS, client::updated_values(client)),
    ])
}

/// Removes a client, after all its grants have been revoked.
pub(super) fn remove_client(id: Value<'static>, at: Value<'static>, reason: &'static str) -> Script<Refusal> {
    Script::new([
        only_if(clients::HOLD_CLIENT_TO_REMOVE, [id.clone()]),
        step(clients::REVOKE_OF_CLIENT, [id.clone(), at, reason.into()]),
        step(answers::BLANK_OF_CLIENT, [id.clone()]),
        write("clients", clients::REMOVE_CLIENT, [id]),
    ])
}
