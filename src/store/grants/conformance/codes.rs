//! Codes: added with their grants, and redeemed once.

use crate::broker::{CodeRecord, Grant};
use crate::store::grants::conformance::Subject;
use crate::store::grants::conformance::maker::{Maker, scopes};
use crate::store::grants::{NewTokens, RedeemRequest};
use crate::store::{Reference, StoreError};

/// A code and its grant are read as they were added, every field of them.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_was_added_is_there<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_was_added_is_there");
    let client = make.registered().await;
    let full = make.grant(&client);
    let nameless = crate::broker::Subject::new(make.person().id);
    let bare = Grant::new(make.grant_id(), client, nameless, scopes(&[]), make.now());
    for grant in [full, bare] {
        let code = make.added(make.code(grant)).await;
        make.same_code(&make.code_record(&code.digest).await, &code, "a code is read as it was added");
        make.same_grant(&make.grant_record(&code.grant).await, &code.grant, "a grant is read as it was added");
    }
}

/// A code and its grant are added together or not at all, and take nobody's place.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_code_and_its_grant_are_added_both_or_neither<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_code_and_its_grant_are_added_both_or_neither");
    let first = make.coded().await;
    let client = first.grant.client.clone();

    let mut same_digest = make.code(make.grant(&client));
    same_digest.code.digest = first.digest;
    make.conflict(&make.store().add_code(&same_digest).await, "the digest is taken");
    make.check(!make.has_grant(&same_digest.code.grant).await, "the grant is not added without its code");

    let mut other = make.grant(&client);
    other.id = first.grant.id.clone();
    let same_grant = make.code(other);
    make.conflict(&make.store().add_code(&same_grant).await, "the grant is taken");
    make.check(!make.has_code(&same_grant.code.digest).await, "the code is not added without its grant");

    make.same_code(&make.code_record(&first.digest).await, &first, "the first ones stay as they were");
    make.same_grant(&make.grant_record(&first.grant).await, &first.grant, "the first ones stay as they were");
}

/// There is no code for a client that is gone, nor a grant.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_code_needs_its_client<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_code_needs_its_client");
    let gone = make.registered().await;
    make.answer(make.store().remove_client(&gone, make.now()).await, "a client is removed");
    for client in [gone, make.client_id()] {
        let new = make.code(make.grant(&client));
        let refused = make.store().add_code(&new).await;
        let is_missing = matches!(refused, Err(StoreError::Missing(Reference::Client)));
        make.check(is_missing, format_args!("it says that the client is missing; it says {refused:?}"));
        make.check(!make.has_code(&new.code.digest).await, "the code is not added");
        make.check(!make.has_grant(&new.code.grant).await, "the grant is not added");
    }
}

/// A code is redeemed once; whoever is second gets nothing.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_code_is_redeemed_once<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_code_is_redeemed_once");
    let (code, other) = (make.coded().await, make.coded().await);
    let held = make.redeemed_of(&code).await;
    let spent = CodeRecord { spent_at: Some(held.tokens.at), ..code.clone() };
    make.same_code(&make.code_record(&code.digest).await, &spent, "it says when it was redeemed");

    let late = make.redemption(&code);
    make.same(&make.answer(make.store().redeem(&late).await, "being late is no error"), &false, "it is redeemed once");
    nothing_of(&make, &late.tokens).await;
    make.same_code(&make.code_record(&code.digest).await, &spent, "it keeps the first time");
    make.are_good(&held, true, "the store does not decide what a replay ends").await;
    make.same_code(&make.code_record(&other.digest).await, &other, "another code stays as it was");
}

/// What a code is redeemed for is read as it was issued, every field of it, and is not used yet.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_a_code_is_redeemed_for_is_there<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_a_code_is_redeemed_for_is_there");
    let held = make.redeemed().await;
    access_is_as_issued(&make, &held.tokens, &held.grant).await;
    refresh_is_as_issued(&make, &held.tokens, &held.grant).await;

    let code = make.coded().await;
    let mut request = make.redemption(&code);
    request.tokens.refresh = None;
    request.tokens.scopes = scopes(&["read"]);
    make.answer(make.store().redeem(&request).await, "a code is redeemed without a refresh token");
    access_is_as_issued(&make, &request.tokens, &code.grant).await;
}

/// A code whose grant was revoked is not redeemed, and keeps saying that nobody has.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_code_of_a_revoked_grant_is_not_redeemed<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_code_of_a_revoked_grant_is_not_redeemed");
    let code = make.coded().await;
    make.revoked(&code.grant).await;
    let request = make.redemption(&code);
    let answer = make.answer(make.store().redeem(&request).await, "being late is no error");
    make.same(&answer, &false, "its grant was revoked");
    nothing_of(&make, &request.tokens).await;
    make.same(&make.code_record(&code.digest).await.spent_at, &None, "nobody has redeemed it");
}

/// A token never takes the place of another, and the code is not spent on it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn redeeming_overwrites_no_token<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "redeeming_overwrites_no_token");
    let held = make.redeemed().await;
    let code = make.coded().await;
    let fresh = make.tokens(&code.grant);
    let same_access = NewTokens { access: held.access, ..fresh.clone() };
    let same_refresh = NewTokens { refresh: held.tokens.refresh, ..fresh.clone() };
    for tokens in [same_access, same_refresh] {
        let refused = make.store().redeem(&RedeemRequest::new(code.digest, tokens)).await;
        make.conflict(&refused, "the digest is taken");
    }
    make.same_code(&make.code_record(&code.digest).await, &code, "the code is not spent");
    nothing_of(&make, &fresh).await;
    access_is_as_issued(&make, &held.tokens, &held.grant).await;
    refresh_is_as_issued(&make, &held.tokens, &held.grant).await;
}

/// Tokens that were not handed out do not exist.
pub(super) async fn nothing_of<S: Subject>(make: &Maker<'_, S>, tokens: &NewTokens) {
    make.check(!make.has_access(&tokens.access).await, "no access token is stored for a loser");
    if let Some((refresh, _)) = &tokens.refresh {
        make.check(!make.has_refresh(refresh).await, "no refresh token is stored for a loser");
    }
}

pub(super) async fn access_is_as_issued<S: Subject>(make: &Maker<'_, S>, tokens: &NewTokens, grant: &Grant) {
    let found = make.access_record(&tokens.access).await;
    make.same(&found.digest, &tokens.access, "it is the access token that was looked up");
    make.same(&(&found.client, found.client_exists), &(&tokens.client, true), "it is its client's");
    make.same(&found.subject, &tokens.subject, "it is on behalf of who has consented");
    make.same(&found.scopes, &tokens.scopes, "it permits what was issued");
    let times = (found.created_at, found.expires_at, found.revoked_at, found.used_at);
    make.same(&times, &(tokens.at, tokens.access_expires_at, None, None), "it is good from then until then");
    make.same_upstream(found.upstream.as_ref(), grant.upstream.as_ref(), "it has the host's own tokens");
    make.same(&found.defect, &None, "it can be understood");
    make.check(found.grant.is_some(), "it has a grant");
    let Some(found) = found.grant else { return };
    make.same_grant(&found, grant, "it is of its grant");
}

pub(super) async fn refresh_is_as_issued<S: Subject>(make: &Maker<'_, S>, tokens: &NewTokens, grant: &Grant) {
    let Some((digest, expires_at)) = tokens.refresh else { return };
    let found = make.refresh_record(&digest).await;
    make.same(&found.digest, &digest, "it is the refresh token that was looked up");
    make.same(&(&found.client, found.client_exists), &(&tokens.client, true), "it is its client's");
    let times = (found.expires_at, found.revoked_at, found.spent_at);
    make.same(&times, &(expires_at, None, None), "it is good until then");
    make.check(found.response.is_none() && !found.successor_is_used, "nothing has come of it");
    make.same(&(found.grant_is_stored, found.defect), &(true, None), "it can be understood");
    make.same_grant(&found.grant, grant, "it keeps the scopes of its grant");
}
