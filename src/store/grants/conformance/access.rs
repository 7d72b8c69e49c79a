//! Access tokens, the host's own tokens, and what is not there.

use crate::broker::{Grant, GrantRevocationReason};
use crate::store::grants::conformance::Subject;
use crate::store::grants::conformance::maker::{Held, Maker};
use crate::store::grants::{
    GrantFilter, GrantListRequest, RevokeGrantRequest, RevokeGrantsRequest, RevokeTokenRequest, TokenKind,
    UpstreamRequest,
};

/// The first use of an access token is kept; one that is gone is skipped.
///
/// # Panics
/// When the store breaks this promise.
pub async fn the_first_use_is_kept<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "the_first_use_is_kept");
    let (held, other) = (make.redeemed().await, make.redeemed().await);
    let (early, first, later) = (make.now(), make.now(), make.now());
    for at in [first, later, early] {
        make.answer(make.store().note_first_use(&held.access, at).await, "a use is noted");
        make.same(&make.access_record(&held.access).await.used_at, &Some(first), "what was noted first is kept");
    }
    make.same(&make.access_record(&other.access).await.used_at, &None, "another was not used");
    make.answer(make.store().note_first_use(&make.digest(), later).await, "one that is gone is skipped");
    make.are_good(&held, true, "a use ends nothing").await;
}

/// The host's own tokens are replaced if nobody was first; every token of the grant has the new ones, and no other.
///
/// # Panics
/// When the store breaks this promise.
pub async fn upstream_tokens_are_replaced_by_version<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "upstream_tokens_are_replaced_by_version");
    let (first, other) = (make.redeemed().await, make.redeemed().await);
    let second = make.exchanged(&first).await;
    let (new, late) = (make.upstream(), make.upstream());
    let replace = async |grant: &Grant, version, tokens| {
        let request = UpstreamRequest::new(grant.id.clone(), version, tokens);
        make.answer(make.store().replace_upstream(&request).await, "being late is no error")
    };
    make.same(&replace(&first.grant, 1, late.clone()).await, &false, "one of another version is not replaced");
    make.same_grant(&make.grant_record(&first.grant).await, &first.grant, "it stays as it was");
    make.same(&replace(&first.grant, 0, new.clone()).await, &true, "one that is as it was read is replaced");
    make.same(&replace(&first.grant, 0, late).await, &false, "whoever is second learns it");
    let promised = Grant { upstream: Some(new.clone()), upstream_version: 1, ..first.grant.clone() };
    make.same_grant(&make.grant_record(&first.grant).await, &promised, "the new ones are there, counted once");
    for access in [first.access, second.access] {
        let found = make.access_record(&access).await.upstream;
        make.same_upstream(found.as_ref(), Some(&new), "every access token has the new ones");
    }
    let third = make.exchanged(&second).await;
    let found = make.access_record(&third.access).await.upstream;
    make.same_upstream(found.as_ref(), Some(&new), "a successor has them, although its request was made before");
    make.same_grant(&make.grant_record(&other.grant).await, &other.grant, "another grant's stay");
    let newest = make.upstream();
    make.same(&replace(&first.grant, 1, newest).await, &true, "they are replaced again by the next version");
    let unknown = make.grant(&first.grant.client);
    make.same(&replace(&unknown, 0, make.upstream()).await, &false, "a grant that is gone has none");
}

/// What is not there is no error, and a digest of one kind finds nothing of another.
///
/// # Panics
/// When the store breaks this promise.
pub async fn absence_is_an_answer<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "absence_is_an_answer");
    let (store, at) = (make.store(), make.now());
    let held = make.redeemed().await;
    let nobody = Held { grant: make.grant(&make.client_id()), ..held.clone() };
    make.check(make.answer(store.client(&nobody.grant.client).await, "it answers").is_none(), "there is no client");
    make.check(!make.has_grant(&nobody.grant).await, "there is no grant");
    let unknown = make.digest();
    for (digest, is) in [(unknown, 0), (held.code, 1), (held.access, 2), (held.refresh, 3)] {
        make.same(&make.has_code(&digest).await, &(is == 1), "only a code is a code");
        make.same(&make.has_access(&digest).await, &(is == 2), "only an access token is an access token");
        make.same(&make.has_refresh(&digest).await, &(is == 3), "only a refresh token is a refresh token");
    }
    let mut redemption = make.redemption(&make.coded().await);
    redemption.code = held.access;
    let exchanged = Held { refresh: held.code, ..held.clone() };
    let answers = [
        store.redeem(&redemption).await,
        store.exchange(&make.exchange(&exchanged)).await,
        store.revoke_token(&RevokeTokenRequest::new(TokenKind::Access, held.refresh, at)).await,
        store.revoke_token(&RevokeTokenRequest::new(TokenKind::Refresh, held.access, at)).await,
        store.revoke_grant(&RevokeGrantRequest::new(nobody.grant.id.clone(), GrantRevocationReason::Revoked, at)).await,
        store.remove_client(&nobody.grant.client, at).await,
    ];
    for answer in answers {
        make.same(&make.answer(answer, "nothing happens to nothing"), &false, "nothing was changed");
    }
    let filter = GrantFilter::of_client(nobody.grant.client);
    let page = make.answer(store.grants(&GrantListRequest::new(filter.clone(), 9)).await, "an empty list is an answer");
    make.check(page.is_empty(), "nobody has no grants");
    let request = RevokeGrantsRequest::new(filter, GrantRevocationReason::Revoked, at, 9);
    make.same(&make.answer(store.revoke_grants(&request).await, "it answers"), &0, "and none that are revoked");
    make.are_good(&held, true, "nothing was changed").await;
}

/// What was reported as stored is there when the store is opened again.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_was_written_is_there_after_reopening<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_was_written_is_there_after_reopening");
    let code = make.coded().await;
    let first = make.redeemed().await;
    let second = make.exchanged(&first).await;
    let revoked = make.redeemed().await;
    make.revoked(&revoked.grant).await;
    let Some(reopened) = subject.reopen().await else { return };
    let client = make.answer(reopened.client(&code.grant.client).await, "a client is read");
    make.check(client.is_some(), "the client is there");
    let found = make.there(reopened.code(&code.digest).await, "the code is there");
    make.same_code(&found, &code, "the code is as it was");
    let found = make.there(reopened.access_token(&second.access).await, "the access token is there");
    make.same(&found.expires_at, &second.tokens.access_expires_at, "it is as it was");
    let found = make.there(reopened.refresh_token(&first.refresh).await, "the spent refresh token is there");
    make.same(&found.spent_at, &Some(second.tokens.at), "it is spent still");
    let found = make.there(reopened.refresh_token(&second.refresh).await, "the refresh token is there");
    make.same(&found.spent_at, &None, "it is not spent");
    let found = make.there(reopened.grant(&revoked.grant.id).await, "the grant is there");
    make.check(found.revoked.is_some(), "it is revoked still");
}
