//! Reading the rows of grants, codes and tokens: every cell becomes a value or the record's defect, never an error.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::broker::{
    AccessTokenRecord, ClientId, CodeChallenge, CodeRecord, Grant, GrantId, GrantRevocationReason, RefreshTokenRecord,
    SealedResponse, StoredUpstreamTokens, Subject, SubjectId, TokenDigest,
};
use crate::key::Scopes;
use crate::seal::{InvalidSealed, Sealed, StoredSecret};
use crate::secret::Secret;
use crate::sql::engine::Row;
use crate::sql::grants::columns::{AccessColumn, CodeColumn, GrantColumn, HostColumn, RefreshColumn};
use crate::sql::keys::{Column, RowReader};
use crate::store::grants::Sealing;
use crate::time::Timestamp;

fn scopes(row: &mut RowReader<'_>, column: impl Column) -> Scopes {
    let scopes = row.optional_with(column, |scopes| Scopes::from_stored(scopes.split(' ')));
    scopes.or_else(|| row.mark_defect(column)).unwrap_or_default()
}

/// A time that must be there. What is none has passed.
fn time(row: &mut RowReader<'_>, column: impl Column) -> Timestamp {
    row.integer(column).map_or(Timestamp::MIN, Timestamp::from_seconds)
}

fn optional_time(row: &mut RowReader<'_>, column: impl Column) -> Option<Timestamp> {
    if row.is_null(column) { None } else { Some(time(row, column)) }
}

/// An upstream token; NULL and the empty text are none. One in the other form is from before the host began to share its
/// tables in clear, or from before it ceased to.
fn upstream_token(row: &mut RowReader<'_>, column: impl Column) -> Option<StoredSecret> {
    let text = row.optional_text(column).filter(|text| !text.is_empty())?;
    match Sealed::parse(&text) {
        Ok(sealed) => Some(StoredSecret::Sealed(sealed)),
        Err(InvalidSealed::NotSealed) => Some(StoredSecret::Plain(Secret::new(text).into())),
        Err(_) => row.mark_defect(column),
    }
}

pub(super) fn grant(row: &Row<'_>) -> Grant {
    let row = &mut RowReader::new("grants", row);
    let id = GrantId::from_stored(row.text(GrantColumn::Id));
    let client = ClientId::from_stored(row.text(GrantColumn::ClientId));
    let mut subject = Subject::new(SubjectId::from_stored(row.text(GrantColumn::Subject)));
    subject.name = row.optional_text(GrantColumn::SubjectName);
    let scopes = scopes(row, GrantColumn::Scopes);
    let mut grant = Grant::new(id, client, subject, scopes, time(row, GrantColumn::CreatedAt));
    grant.resource = row.optional_text(GrantColumn::Resource);
    grant.expires_at = optional_time(row, GrantColumn::EndsAt);
    grant.revoked = optional_time(row, GrantColumn::RevokedAt).map(|at| {
        let reason = row.optional_text(GrantColumn::RevokedReason);
        let reason = reason.and_then(|reason| GrantRevocationReason::from_code(&reason));
        // Why is for people; that it is revoked is not in doubt.
        (at, reason.unwrap_or(GrantRevocationReason::Revoked))
    });
    let access_token = upstream_token(row, GrantColumn::UpstreamAccessToken);
    let refresh_token = upstream_token(row, GrantColumn::UpstreamRefreshToken);
    grant.upstream = access_token.map(|access_token| {
        let expires_at = time(row, GrantColumn::UpstreamExpiresAt);
        let mut tokens = StoredUpstreamTokens::new(access_token, expires_at);
        tokens.refresh_token = refresh_token;
        tokens
    });
    grant.upstream_version = row.unsigned(GrantColumn::UpstreamVersion);
    grant.defect = row.defect();
    grant
}

/// What the host's row of an access token says by itself.
struct HostRow {
    scopes: Scopes,
    subject: Subject,
    upstream: Option<StoredUpstreamTokens>,
}

fn host_row(row: &mut RowReader<'_>, columns: [HostColumn; 6], sealing: Sealing) -> HostRow {
    let [scope, user_id, username, access_token, ..] = columns;
    let number = row.integer(user_id).unwrap_or_default();
    // Only we write these: it is a token of ours whose own row was lost, and what stood there made it weaker.
    if number <= 0 {
        row.mark_defect::<()>(user_id);
    }
    if sealing == Sealing::Service && row.cell(access_token).as_text() == Some("") {
        row.mark_defect::<()>(access_token);
    }
    let mut subject = Subject::new(SubjectId::from_stored(number.to_string()));
    subject.name = Some(row.text(username)).filter(|name| !name.is_empty());
    HostRow { scopes: scopes(row, scope), subject, upstream: host_upstream(row, columns) }
}

/// The upstream tokens in the host's row, which another program has written there in clear.
fn host_upstream(row: &mut RowReader<'_>, columns: [HostColumn; 6]) -> Option<StoredUpstreamTokens> {
    let [.., access_token, refresh_token, expires_at] = columns;
    let mut tokens = StoredUpstreamTokens::new(upstream_token(row, access_token)?, time(row, expires_at));
    tokens.refresh_token = upstream_token(row, refresh_token);
    Some(tokens)
}

/// When a token was revoked by itself: its row is also marked with its grant.
fn revoked_by_itself(revoked_at: Option<Timestamp>, grant: &Grant) -> Option<Timestamp> {
    revoked_at.filter(|at| grant.revoked.is_none_or(|(with_grant, _)| with_grant != *at))
}

pub(super) fn access_token(row: &Row<'_>, digest: TokenDigest, sealing: Sealing) -> AccessTokenRecord {
    let reader = &mut RowReader::new("access_tokens", row);
    let client = ClientId::from_stored(reader.text(AccessColumn::ClientId));
    let created_at = time(reader, AccessColumn::CreatedAt);
    let expires_at = time(reader, AccessColumn::ExpiresAt);
    let revoked_at = optional_time(reader, AccessColumn::RevokedAt);
    let columns = HostColumn::of_access();
    let mut record = AccessTokenRecord {
        digest,
        client,
        client_exists: reader.is_true(AccessColumn::ClientExists),
        subject: Subject::new(SubjectId::from_stored("")),
        scopes: Scopes::default(),
        grant: None,
        created_at,
        expires_at,
        revoked_at,
        used_at: optional_time(reader, AccessColumn::UsedAt),
        upstream: None,
        defect: None,
    };
    if reader.is_null(AccessColumn::GrantId) {
        let HostRow { scopes, subject, upstream } = host_row(reader, columns, sealing);
        (record.scopes, record.subject, record.upstream) = (scopes, subject, upstream);
    } else {
        // A grant that is gone leaves columns behind that cannot be understood.
        let grant = grant(row);
        if grant.client != record.client {
            reader.mark_defect::<()>(AccessColumn::ClientId);
        }
        record.scopes = scopes(reader, columns[0]);
        record.subject = grant.subject.clone();
        record.revoked_at = revoked_by_itself(revoked_at, &grant);
        // The program that reads them in clear writes new ones here.
        let own = if sealing == Sealing::Store { host_upstream(reader, columns) } else { None };
        record.upstream = own.or_else(|| grant.upstream.clone());
        record.grant = Some(grant);
    }
    record.defect = reader.defect();
    record
}

pub(super) fn refresh_token(row: &Row<'_>, digest: TokenDigest, sealing: Sealing) -> RefreshTokenRecord {
    let reader = &mut RowReader::new("refresh_tokens", row);
    let is_there = reader.is_true(RefreshColumn::IsThere);
    let spent_at = optional_time(reader, RefreshColumn::SpentAt);
    let grant_is_stored = !reader.is_null(RefreshColumn::GrantId);
    let columns = HostColumn::of_refresh();
    let client = is_there.then(|| ClientId::from_stored(reader.text(RefreshColumn::ClientId)));
    let revoked_at = optional_time(reader, RefreshColumn::RevokedAt);
    // The host's row may be gone before the grant is. What was not spent by then cannot be.
    let expires_at = if is_there { time(reader, RefreshColumn::ExpiresAt) } else { Timestamp::MIN };
    let grant = if grant_is_stored {
        let mut grant = grant(row);
        if sealing == Sealing::Store
            && let Some(tokens) = host_upstream(reader, columns)
        {
            grant.upstream = Some(tokens);
        }
        if client.as_ref().is_some_and(|client| *client != grant.client) {
            reader.mark_defect::<()>(RefreshColumn::ClientId);
        }
        grant
    } else {
        let client = client.clone().unwrap_or_else(|| ClientId::from_stored(""));
        let HostRow { scopes, subject, upstream } = host_row(reader, columns, sealing);
        let created_at = time(reader, RefreshColumn::CreatedAt);
        Grant { upstream, ..Grant::new(adopted_id(&digest), client, subject, scopes, created_at) }
    };
    let revoked_at = revoked_at.filter(|_| spent_at.is_none());
    RefreshTokenRecord {
        digest,
        client: client.unwrap_or_else(|| grant.client.clone()),
        client_exists: reader.is_true(RefreshColumn::ClientExists),
        grant_is_stored,
        expires_at,
        revoked_at: revoked_by_itself(revoked_at, &grant),
        spent_at,
        response: response(reader),
        successor_is_used: spent_at.is_some() && reader.is_true(RefreshColumn::SuccessorIsUsed),
        defect: reader.defect(),
        grant,
    }
}

/// The answer that was given. One that cannot be understood is not given again.
fn response(row: &mut RowReader<'_>) -> Option<SealedResponse> {
    let sealed = row.optional_text(RefreshColumn::SealedResponse)?;
    let Ok(sealed) = Sealed::parse(&sealed) else { return row.mark_defect(RefreshColumn::SealedResponse) };
    let until = time(row, RefreshColumn::ResponseUntil);
    let access_expires_at = time(row, RefreshColumn::ResponseAccessExpiresAt);
    Some(SealedResponse::new(sealed, until, access_expires_at, scopes(row, RefreshColumn::ResponseScopes)))
}

pub(super) fn code(row: &Row<'_>, digest: TokenDigest) -> CodeRecord {
    let reader = &mut RowReader::new("auth_codes", row);
    let challenge = reader.optional_text(CodeColumn::Challenge);
    let spent_at = optional_time(reader, CodeColumn::SpentAt);
    CodeRecord {
        digest,
        grant: grant(row),
        redirect_uri: reader.text(CodeColumn::RedirectUri),
        challenge: challenge.and_then(CodeChallenge::new),
        expires_at: time(reader, CodeColumn::ExpiresAt),
        spent_at: spent_at.or_else(|| optional_time(reader, CodeColumn::UsedAt)),
        defect: reader.defect(),
    }
}

/// The identity of the grant of a refresh token that another program has made: always the same for the same token, and
/// such as no token or digest can be had from.
fn adopted_id(digest: &TokenDigest) -> GrantId {
    let derived = TokenDigest::of(&format!("keyward: the grant of refresh token {}", digest.to_hex().as_str()));
    let bytes = hex::decode(derived.to_hex().as_str()).unwrap_or_default();
    GrantId::from_stored(URL_SAFE_NO_PAD.encode(bytes.get(..16).unwrap_or_default()))
}
