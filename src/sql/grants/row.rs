//! Reading the rows of grants, codes and tokens: every cell becomes a value or the record's defect, never an error.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::broker::{
    AccessTokenRecord, ClientId, CodeChallenge, CodeRecord, Grant, GrantId, GrantRevocationReason, RefreshTokenRecord,
    SealedResponse, StoredUpstreamTokens, Subject, SubjectId, TokenDigest,
};
use crate::key::{Defect, Scopes};
use crate::seal::{InvalidSealed, Sealed, StoredSecret};
use crate::secret::Secret;
use crate::sql::engine::{Cell, Row};
use crate::sql::grants::arguments::instant;
use crate::sql::grants::columns::{AccessColumn, CodeColumn, GrantColumn, HostColumn, Place, RefreshColumn};
use crate::store::grants::Sealing;
use crate::time::Timestamp;

/// The cells of a row. What cannot be understood is remembered as a defect of the table that it stands in.
struct Reader<'r> {
    row: &'r Row<'r>,
    /// The host's table.
    host: &'static str,
    /// Our own table beside it.
    side: &'static str,
    defect: Option<Defect>,
}

impl<'r> Reader<'r> {
    const fn new(row: &'r Row<'r>, host: &'static str, side: &'static str) -> Self {
        Self { row, host, side, defect: None }
    }

    fn cell(&self, column: impl Place) -> Cell<'r> {
        self.row.cell(column.place())
    }

    fn is_null(&self, column: impl Place) -> bool {
        self.cell(column) == Cell::Null
    }

    fn is_true(&self, column: impl Place) -> bool {
        self.cell(column) == Cell::Integer(1)
    }

    fn optional_text(&mut self, column: impl Place) -> Option<String> {
        match self.cell(column) {
            Cell::Null => None,
            cell => match cell.as_text() {
                Some(text) => Some(text.to_owned()),
                None => self.mark(column),
            },
        }
    }

    /// A text that must be there; empty where it is not.
    fn text(&mut self, column: impl Place) -> String {
        match self.cell(column).as_text() {
            Some(text) => text.to_owned(),
            None => self.mark(column).unwrap_or_default(),
        }
    }

    fn scopes(&mut self, column: impl Place) -> Scopes {
        match self.cell(column).as_text() {
            Some(text) => Scopes::from_stored(text.split(' ')),
            None => self.mark(column).unwrap_or_default(),
        }
    }

    fn integer(&mut self, column: impl Place) -> i64 {
        match self.cell(column) {
            Cell::Integer(number) => number,
            _ => self.mark(column).unwrap_or_default(),
        }
    }

    /// A time that must be there. What is none has passed.
    fn time(&mut self, column: impl Place) -> Timestamp {
        match self.cell(column) {
            Cell::Integer(seconds) => instant(seconds),
            _ => self.mark(column).unwrap_or(Timestamp::MIN),
        }
    }

    fn optional_time(&mut self, column: impl Place) -> Option<Timestamp> {
        if self.is_null(column) { None } else { Some(self.time(column)) }
    }

    /// An upstream token; NULL and the empty text are none. One in the other form is from before the host began to share its
    /// tables in clear, or from before it ceased to.
    fn upstream_token(&mut self, column: impl Place) -> Option<StoredSecret> {
        let text = self.optional_text(column).filter(|text| !text.is_empty())?;
        match Sealed::parse(&text) {
            Ok(sealed) => Some(StoredSecret::Sealed(sealed)),
            Err(InvalidSealed::NotSealed) => Some(StoredSecret::Plain(Secret::new(text).into())),
            Err(_) => self.mark(column),
        }
    }

    /// Remembers the first column that holds something which cannot be understood.
    fn mark<T>(&mut self, column: impl Place) -> Option<T> {
        let name = column.name();
        let (host, side) = (self.host, self.side);
        self.defect.get_or_insert_with(|| match (name.strip_prefix("grant_"), name.strip_prefix("side_")) {
            (Some(own), _) => Defect::new("grants", own),
            (_, Some(own)) => Defect::new(side, own),
            _ => Defect::new(host, name),
        });
        None
    }
}

pub(super) fn grant(row: &Row<'_>) -> Grant {
    let row = &mut Reader::new(row, "grants", "grants");
    let id = GrantId::from_stored(row.text(GrantColumn::Id));
    let client = ClientId::from_stored(row.text(GrantColumn::ClientId));
    let mut subject = Subject::new(SubjectId::from_stored(row.text(GrantColumn::Subject)));
    subject.name = row.optional_text(GrantColumn::SubjectName);
    let scopes = row.scopes(GrantColumn::Scopes);
    let mut grant = Grant::new(id, client, subject, scopes, row.time(GrantColumn::CreatedAt));
    grant.resource = row.optional_text(GrantColumn::Resource);
    grant.expires_at = row.optional_time(GrantColumn::EndsAt);
    grant.revoked = row.optional_time(GrantColumn::RevokedAt).map(|at| {
        let reason = row.optional_text(GrantColumn::RevokedReason);
        let reason = reason.and_then(|reason| GrantRevocationReason::from_code(&reason));
        // Why is for people; that it is revoked is not in doubt.
        (at, reason.unwrap_or(GrantRevocationReason::Revoked))
    });
    let access_token = row.upstream_token(GrantColumn::UpstreamAccessToken);
    let refresh_token = row.upstream_token(GrantColumn::UpstreamRefreshToken);
    grant.upstream = access_token.map(|access_token| {
        let expires_at = row.time(GrantColumn::UpstreamExpiresAt);
        let mut tokens = StoredUpstreamTokens::new(access_token, expires_at);
        tokens.refresh_token = refresh_token;
        tokens
    });
    grant.upstream_version = u64::try_from(row.integer(GrantColumn::UpstreamVersion)).unwrap_or_default();
    grant.defect = row.defect;
    grant
}

/// What the host's row of an access token says by itself.
struct HostRow {
    scopes: Scopes,
    subject: Subject,
    upstream: Option<StoredUpstreamTokens>,
}

fn host_row(row: &mut Reader<'_>, columns: [HostColumn; 6], sealing: Sealing) -> HostRow {
    let [scopes, user_id, username, access_token, ..] = columns;
    let number = row.integer(user_id);
    // Only we write these: it is a token of ours whose own row was lost, and what stood there made it weaker.
    if number <= 0 {
        row.mark::<()>(user_id);
    }
    if sealing == Sealing::Service && row.cell(access_token).as_text() == Some("") {
        row.mark::<()>(access_token);
    }
    let mut subject = Subject::new(SubjectId::from_stored(number.to_string()));
    subject.name = Some(row.text(username)).filter(|name| !name.is_empty());
    HostRow { scopes: row.scopes(scopes), subject, upstream: host_upstream(row, columns) }
}

/// The upstream tokens in the host's row, which another program has written there in clear.
fn host_upstream(row: &mut Reader<'_>, columns: [HostColumn; 6]) -> Option<StoredUpstreamTokens> {
    let [.., access_token, refresh_token, expires_at] = columns;
    let mut tokens = StoredUpstreamTokens::new(row.upstream_token(access_token)?, row.time(expires_at));
    tokens.refresh_token = row.upstream_token(refresh_token);
    Some(tokens)
}

/// When a token was revoked by itself: its row is also marked with its grant.
fn revoked_by_itself(revoked_at: Option<Timestamp>, grant: &Grant) -> Option<Timestamp> {
    revoked_at.filter(|at| grant.revoked.is_none_or(|(with_grant, _)| with_grant != *at))
}

pub(super) fn access_token(row: &Row<'_>, digest: TokenDigest, sealing: Sealing) -> AccessTokenRecord {
    let reader = &mut Reader::new(row, "access_tokens", "grant_access_tokens");
    let client = ClientId::from_stored(reader.text(AccessColumn::ClientId));
    let created_at = reader.time(AccessColumn::CreatedAt);
    let expires_at = reader.time(AccessColumn::ExpiresAt);
    let revoked_at = reader.optional_time(AccessColumn::RevokedAt);
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
        used_at: reader.optional_time(AccessColumn::UsedAt),
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
            reader.mark::<()>(AccessColumn::ClientId);
        }
        record.scopes = reader.scopes(columns[0]);
        record.subject = grant.subject.clone();
        record.revoked_at = revoked_by_itself(revoked_at, &grant);
        // The program that reads them in clear writes new ones here.
        let own = if sealing == Sealing::Store { host_upstream(reader, columns) } else { None };
        record.upstream = own.or_else(|| grant.upstream.clone());
        record.grant = Some(grant);
    }
    record.defect = reader.defect;
    record
}

pub(super) fn refresh_token(row: &Row<'_>, digest: TokenDigest, sealing: Sealing) -> RefreshTokenRecord {
    let reader = &mut Reader::new(row, "refresh_tokens", "grant_refresh_tokens");
    let is_there = reader.is_true(RefreshColumn::IsThere);
    let spent_at = reader.optional_time(RefreshColumn::SpentAt);
    let grant_is_stored = !reader.is_null(RefreshColumn::GrantId);
    let columns = HostColumn::of_refresh();
    let client = is_there.then(|| ClientId::from_stored(reader.text(RefreshColumn::ClientId)));
    let revoked_at = reader.optional_time(RefreshColumn::RevokedAt);
    // The host's row may be gone before the grant is. What was not spent by then cannot be.
    let expires_at = if is_there { reader.time(RefreshColumn::ExpiresAt) } else { Timestamp::MIN };
    let grant = if grant_is_stored {
        let mut grant = grant(row);
        if sealing == Sealing::Store
            && let Some(tokens) = host_upstream(reader, columns)
        {
            grant.upstream = Some(tokens);
        }
        if client.as_ref().is_some_and(|client| *client != grant.client) {
            reader.mark::<()>(RefreshColumn::ClientId);
        }
        grant
    } else {
        let client = client.clone().unwrap_or_else(|| ClientId::from_stored(""));
        let HostRow { scopes, subject, upstream } = host_row(reader, columns, sealing);
        let created_at = reader.time(RefreshColumn::CreatedAt);
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
        defect: reader.defect,
        grant,
    }
}

/// The answer that was given. One that cannot be understood is not given again.
fn response(row: &mut Reader<'_>) -> Option<SealedResponse> {
    let sealed = row.optional_text(RefreshColumn::SealedResponse)?;
    let Ok(sealed) = Sealed::parse(&sealed) else { return row.mark(RefreshColumn::SealedResponse) };
    let until = row.time(RefreshColumn::ResponseUntil);
    let access_expires_at = row.time(RefreshColumn::ResponseAccessExpiresAt);
    Some(SealedResponse::new(sealed, until, access_expires_at, row.scopes(RefreshColumn::ResponseScopes)))
}

pub(super) fn code(row: &Row<'_>, digest: TokenDigest) -> CodeRecord {
    let reader = &mut Reader::new(row, "auth_codes", "grant_codes");
    let challenge = reader.optional_text(CodeColumn::Challenge);
    let spent_at = reader.optional_time(CodeColumn::SpentAt);
    CodeRecord {
        digest,
        grant: grant(row),
        redirect_uri: reader.text(CodeColumn::RedirectUri),
        challenge: challenge.and_then(CodeChallenge::new),
        expires_at: reader.time(CodeColumn::ExpiresAt),
        spent_at: spent_at.or_else(|| reader.optional_time(CodeColumn::UsedAt)),
        defect: reader.defect,
    }
}

/// The identity of the grant of a refresh token that another program has made: always the same for the same token, and
/// such as no token or digest can be had from.
fn adopted_id(digest: &TokenDigest) -> GrantId {
    let derived = TokenDigest::of(&format!("keyward: the grant of refresh token {}", digest.to_hex().as_str()));
    let bytes = hex::decode(derived.to_hex().as_str()).unwrap_or_default();
    GrantId::from_stored(URL_SAFE_NO_PAD.encode(bytes.get(..16).unwrap_or_default()))
}
