//! What a store of grants is asked to do.

use crate::broker::{
    ClientId, CodeRecord, Grant, GrantId, GrantRevocationReason, SealedResponse, StoredUpstreamTokens, Subject,
    SubjectId, TokenDigest,
};
use crate::key::Scopes;
use crate::time::Timestamp;

/// A page of clients, in the order of their identifiers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientListRequest {
    /// The page starts behind this one.
    pub after: Option<ClientId>,
    /// At most so many.
    pub limit: u32,
}

impl ClientListRequest {
    /// The first so many.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// A code that is about to be sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewCode {
    /// The code, with its grant.
    pub code: CodeRecord,
    /// Until when the grant is remembered if the code is never redeemed.
    pub remembered_until: Timestamp,
}

impl NewCode {
    /// A code whose grant is remembered for as long as the code can be redeemed.
    #[must_use]
    pub const fn new(code: CodeRecord) -> Self {
        let remembered_until = code.expires_at;
        Self { code, remembered_until }
    }
}

/// An access token, and a refresh token where the client has one, that are about to be handed out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewTokens {
    /// The grant that they come of.
    pub grant: GrantId,
    /// Whose they are.
    pub client: ClientId,
    /// On whose behalf.
    pub subject: Subject,
    /// What the access token permits.
    pub scopes: Scopes,
    /// The host's own tokens, for tables in which the rows of access tokens hold them.
    pub upstream: Option<StoredUpstreamTokens>,
    /// The access token.
    pub access: TokenDigest,
    /// When it ends.
    pub access_expires_at: Timestamp,
    /// The refresh token, and when it ends.
    pub refresh: Option<(TokenDigest, Timestamp)>,
    /// When they are issued.
    pub at: Timestamp,
}

impl NewTokens {
    /// An access token of a grant, with all its scopes and without a refresh token.
    #[must_use]
    pub fn new(grant: &Grant, access: TokenDigest, access_expires_at: Timestamp, at: Timestamp) -> Self {
        Self {
            grant: grant.id.clone(),
            client: grant.client.clone(),
            subject: grant.subject.clone(),
            scopes: grant.scopes.clone(),
            upstream: grant.upstream.clone(),
            access,
            access_expires_at,
            refresh: None,
            at,
        }
    }

    /// Until when the grant has to be remembered for their sake.
    #[must_use]
    pub fn remembered_until(&self) -> Timestamp {
        let refresh_ends = self.refresh.map_or(self.access_expires_at, |(_, end)| end);
        self.access_expires_at.max(refresh_ends)
    }
}

/// A code that is redeemed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedeemRequest {
    /// The code.
    pub code: TokenDigest,
    /// What it is exchanged for.
    pub tokens: NewTokens,
}

impl RedeemRequest {
    /// The exchange of a code for tokens.
    #[must_use]
    pub const fn new(code: TokenDigest, tokens: NewTokens) -> Self {
        Self { code, tokens }
    }
}

/// A refresh token that is exchanged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExchangeRequest {
    /// The refresh token that is spent.
    pub refresh: TokenDigest,
    /// The grant to be stored first, where the refresh token was made by another program and has none yet.
    pub adopt: Option<Grant>,
    /// What it is exchanged for.
    pub tokens: NewTokens,
    /// The answer, if it may be given again.
    pub response: Option<SealedResponse>,
    /// Whether the access tokens that the grant had end with it.
    pub revokes_access: bool,
}

impl ExchangeRequest {
    /// The exchange of a refresh token, which ends the access tokens before it and cannot be repeated.
    #[must_use]
    pub const fn new(refresh: TokenDigest, tokens: NewTokens) -> Self {
        Self { refresh, adopt: None, tokens, response: None, revokes_access: true }
    }
}

/// Which kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

/// One token to be revoked by itself.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RevokeTokenRequest {
    /// Which kind it is.
    pub kind: TokenKind,
    /// The token.
    pub digest: TokenDigest,
    /// When.
    pub at: Timestamp,
}

impl RevokeTokenRequest {
    /// The revocation of one token.
    #[must_use]
    pub const fn new(kind: TokenKind, digest: TokenDigest, at: Timestamp) -> Self {
        Self { kind, digest, at }
    }
}

/// A grant to be revoked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RevokeGrantRequest {
    /// The grant.
    pub grant: GrantId,
    /// Why.
    pub reason: GrantRevocationReason,
    /// When.
    pub at: Timestamp,
}

impl RevokeGrantRequest {
    /// The revocation of one grant.
    #[must_use]
    pub const fn new(grant: GrantId, reason: GrantRevocationReason, at: Timestamp) -> Self {
        Self { grant, reason, at }
    }
}

/// Which grants. An empty filter is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantFilter {
    /// Those of this client.
    pub client: Option<ClientId>,
    /// Those of this person.
    pub subject: Option<SubjectId>,
}

impl GrantFilter {
    /// The grants of a client.
    #[must_use]
    pub const fn of_client(client: ClientId) -> Self {
        Self { client: Some(client), subject: None }
    }

    /// The grants of a person.
    #[must_use]
    pub const fn of_subject(subject: SubjectId) -> Self {
        Self { client: None, subject: Some(subject) }
    }

    /// Whether a grant of this client and person is one of them.
    #[must_use]
    pub fn meets(&self, client: &ClientId, subject: &SubjectId) -> bool {
        self.client.as_ref().is_none_or(|own| own == client) && self.subject.as_ref().is_none_or(|own| own == subject)
    }
}

/// Grants to be revoked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RevokeGrantsRequest {
    /// Which.
    pub filter: GrantFilter,
    /// Why.
    pub reason: GrantRevocationReason,
    /// When.
    pub at: Timestamp,
    /// At most so many at once.
    pub limit: u32,
}

impl RevokeGrantsRequest {
    /// The revocation of at most `limit` of the grants that meet `filter`.
    #[must_use]
    pub const fn new(filter: GrantFilter, reason: GrantRevocationReason, at: Timestamp, limit: u32) -> Self {
        Self { filter, reason, at, limit }
    }
}

/// A page of grants, in the order of their identities.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GrantListRequest {
    /// Which.
    pub filter: GrantFilter,
    /// The page starts behind this one.
    pub after: Option<GrantId>,
    /// At most so many.
    pub limit: u32,
}

impl GrantListRequest {
    /// The first so many of the grants that meet `filter`.
    #[must_use]
    pub const fn new(filter: GrantFilter, limit: u32) -> Self {
        Self { filter, after: None, limit }
    }
}

/// The host's own tokens, to be put in the place of others.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamRequest {
    /// Of which grant.
    pub grant: GrantId,
    /// The [version](Grant::upstream_version) that was read.
    pub version: u64,
    /// The new ones.
    pub tokens: StoredUpstreamTokens,
}

impl UpstreamRequest {
    /// New tokens in the place of those of `version`.
    #[must_use]
    pub const fn new(grant: GrantId, version: u64, tokens: StoredUpstreamTokens) -> Self {
        Self { grant, version, tokens }
    }
}

/// What may be removed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SweepRequest {
    /// The present time.
    pub at: Timestamp,
    /// At most so many rows of each kind.
    pub limit: u32,
    /// Clients that were last used, or registered and never used, before this time, and have no grant, go too.
    pub clients_unused_since: Option<Timestamp>,
}

impl SweepRequest {
    /// A sweep of what has expired, which leaves every client.
    #[must_use]
    pub const fn new(at: Timestamp, limit: u32) -> Self {
        Self { at, limit, clients_unused_since: None }
    }
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Swept {
    /// Codes.
    pub codes: u64,
    /// Access tokens.
    pub access_tokens: u64,
    /// Refresh tokens.
    pub refresh_tokens: u64,
    /// Grants, with all that was remembered of their spent codes and tokens.
    pub grants: u64,
    /// Clients.
    pub clients: u64,
}

impl Swept {
    /// The most that was removed of one kind: as many as the limit where there may be more.
    #[must_use]
    pub fn most(&self) -> u64 {
        [self.codes, self.access_tokens, self.refresh_tokens, self.grants, self.clients].into_iter().max().unwrap_or(0)
    }
}

impl std::ops::AddAssign for Swept {
    fn add_assign(&mut self, more: Self) {
        self.codes += more.codes;
        self.access_tokens += more.access_tokens;
        self.refresh_tokens += more.refresh_tokens;
        self.grants += more.grants;
        self.clients += more.clients;
    }
}
