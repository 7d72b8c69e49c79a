//! Words for what went wrong, and what of two records has to be the same.

use std::fmt::{Debug, Display};

use crate::broker::{
    AccessTokenRecord, ClientRecord, CodeRecord, Grant, Redemption, Refresh, RefreshTokenRecord, RefreshVerdict,
    StoredUpstreamTokens, TokenDigest, decide_access, decide_redemption, decide_refresh,
};
use crate::seal::StoredSecret;
use crate::store::StoreError;
use crate::store::grants::conformance::Subject;
use crate::store::grants::conformance::maker::{Held, Maker, REDIRECT_URI, VERIFIER};
use crate::time::Timestamp;

/// Saying what went wrong.
impl<S: Subject> Maker<'_, S> {
    /// # Panics
    /// With the promise, when it is not kept.
    #[track_caller]
    pub(super) fn check(&self, is_kept: bool, what: impl Display) {
        assert!(is_kept, "the promise `{}` is broken: {what}", self.promise);
    }

    #[track_caller]
    pub(super) fn same<T: PartialEq + Debug>(&self, found: &T, promised: &T, what: impl Display) {
        let promise = self.promise;
        assert!(
            found == promised,
            "the promise `{promise}` is broken: {what}\npromised: {promised:?}\n   found: {found:?}"
        );
    }

    #[track_caller]
    pub(super) fn answer<T>(&self, answer: Result<T, StoreError>, what: impl Display) -> T {
        let promise = self.promise;
        answer.unwrap_or_else(|error| panic!("the promise `{promise}` is broken: {what}; it says {error:?}"))
    }

    #[track_caller]
    pub(super) fn there<T>(&self, found: Result<Option<T>, StoreError>, what: impl Display) -> T {
        let promise = self.promise;
        self.answer(found, &what).unwrap_or_else(|| panic!("the promise `{promise}` is broken: {what}"))
    }

    #[track_caller]
    pub(super) fn conflict<T: Debug>(&self, answer: &Result<T, StoreError>, what: impl Display) {
        self.check(matches!(answer, Err(StoreError::Conflict)), format_args!("{what}; it says {answer:?}"));
    }
}

/// Reading what is there.
impl<S: Subject> Maker<'_, S> {
    pub(super) async fn client_record(&self, id: &crate::broker::ClientId) -> ClientRecord {
        self.there(self.store().client(id).await, "the client is there")
    }

    pub(super) async fn code_record(&self, digest: &TokenDigest) -> CodeRecord {
        self.there(self.store().code(digest).await, "the code is there")
    }

    pub(super) async fn access_record(&self, digest: &TokenDigest) -> AccessTokenRecord {
        self.there(self.store().access_token(digest).await, "the access token is there")
    }

    pub(super) async fn refresh_record(&self, digest: &TokenDigest) -> RefreshTokenRecord {
        self.there(self.store().refresh_token(digest).await, "the refresh token is there")
    }

    pub(super) async fn grant_record(&self, grant: &Grant) -> Grant {
        self.there(self.store().grant(&grant.id).await, "the grant is there")
    }

    pub(super) async fn has_access(&self, digest: &TokenDigest) -> bool {
        self.answer(self.store().access_token(digest).await, "an access token is looked up").is_some()
    }

    pub(super) async fn has_refresh(&self, digest: &TokenDigest) -> bool {
        self.answer(self.store().refresh_token(digest).await, "a refresh token is looked up").is_some()
    }

    pub(super) async fn has_code(&self, digest: &TokenDigest) -> bool {
        self.answer(self.store().code(digest).await, "a code is looked up").is_some()
    }

    pub(super) async fn has_grant(&self, grant: &Grant) -> bool {
        self.answer(self.store().grant(&grant.id).await, "a grant is looked up").is_some()
    }
}

/// What the decisions make of what is there: whether a token is removed or marked is the store's own affair.
impl<S: Subject> Maker<'_, S> {
    pub(super) async fn is_redeemable(&self, code: &CodeRecord, at: Timestamp) -> bool {
        let found = self.answer(self.store().code(&code.digest).await, "a code is looked up");
        let client = &code.grant.client;
        let presented =
            Redemption { client, redirect_uri: Some(REDIRECT_URI), verifier: Some(VERIFIER), resource: None };
        decide_redemption(found.as_ref(), presented, at).is_ok()
    }

    pub(super) async fn accepts(&self, held: &Held, at: Timestamp) -> bool {
        let found = self.answer(self.store().access_token(&held.access).await, "an access token is looked up");
        decide_access(found, None, at).is_ok()
    }

    pub(super) async fn exchanges(&self, held: &Held, at: Timestamp) -> bool {
        let found = self.answer(self.store().refresh_token(&held.refresh).await, "a refresh token is looked up");
        let presented = Refresh { client: &held.grant.client, scopes: None, resource: None };
        matches!(decide_refresh(found.as_ref(), presented, at), Ok(RefreshVerdict::Exchange(_)))
    }

    /// Both tokens are good, or neither is.
    pub(super) async fn are_good(&self, held: &Held, promised: bool, what: impl Display) {
        let at = self.now();
        self.same(&self.accepts(held, at).await, &promised, format_args!("the access token: {what}"));
        self.same(&self.exchanges(held, at).await, &promised, format_args!("the refresh token: {what}"));
    }
}

/// Comparing records that have no equality of their own, because they hold secrets.
impl<S: Subject> Maker<'_, S> {
    #[track_caller]
    pub(super) fn same_grant(&self, found: &Grant, promised: &Grant, what: impl Display) {
        self.same(&facts(found), &facts(promised), &what);
        self.same(&found.subject, &promised.subject, &what);
        self.same_upstream(found.upstream.as_ref(), promised.upstream.as_ref(), what);
    }

    #[track_caller]
    pub(super) fn same_upstream(
        &self,
        found: Option<&StoredUpstreamTokens>,
        promised: Option<&StoredUpstreamTokens>,
        what: impl Display,
    ) {
        self.same(&found.map(upstream_facts), &promised.map(upstream_facts), what);
    }

    #[track_caller]
    pub(super) fn same_code(&self, found: &CodeRecord, promised: &CodeRecord, what: impl Display) {
        let facts = |code: &CodeRecord| {
            let CodeRecord { digest, redirect_uri, challenge, expires_at, spent_at, defect, .. } = code.clone();
            let challenge = challenge.map(|challenge| challenge.as_str().to_owned());
            (digest, redirect_uri, challenge, expires_at, spent_at, defect)
        };
        self.same(&facts(found), &facts(promised), &what);
        self.same_grant(&found.grant, &promised.grant, what);
    }
}

fn facts(grant: &Grant) -> impl PartialEq + Debug + use<> {
    let Grant { id, client, scopes, resource, created_at, expires_at, revoked, upstream_version, defect, .. } =
        grant.clone();
    (id, client, scopes, resource, created_at, expires_at, revoked, upstream_version, defect)
}

fn upstream_facts(tokens: &StoredUpstreamTokens) -> impl PartialEq + Debug + use<> {
    let text = |secret: &StoredSecret| match secret {
        StoredSecret::Sealed(sealed) => sealed.as_str().to_owned(),
        StoredSecret::Plain(secret) => secret.expose_secret().to_owned(),
    };
    (text(&tokens.access_token), tokens.refresh_token.as_ref().map(text), tokens.expires_at)
}
