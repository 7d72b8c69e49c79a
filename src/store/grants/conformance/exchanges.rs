//! Refresh tokens: exchanged once, with the answer that may be given again.

use std::time::Duration;

use crate::broker::SealedResponse;
use crate::store::grants::conformance::Subject;
use crate::store::grants::conformance::codes::{access_is_as_issued, nothing_of, refresh_is_as_issued};
use crate::store::grants::conformance::maker::{Held, Maker, scopes};
use crate::store::grants::conformance::sweeps::sweep;
use crate::store::grants::{ExchangeRequest, NewTokens, RevokeTokenRequest, TokenKind};

/// A refresh token is exchanged once; whoever is second gets nothing.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_refresh_token_is_exchanged_once<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_refresh_token_is_exchanged_once");
    let (first, other) = (make.redeemed().await, make.redeemed().await);
    let second = make.exchanged(&first).await;
    make.same(
        &make.refresh_record(&first.refresh).await.spent_at,
        &Some(second.tokens.at),
        "it says when it was spent",
    );
    for _ in 0..2 {
        let late = make.exchange(&first);
        let answer = make.answer(make.store().exchange(&late).await, "being late is no error");
        make.same(&answer, &false, "it is exchanged once");
        nothing_of(&make, &late.tokens).await;
    }
    make.same(&make.refresh_record(&first.refresh).await.spent_at, &Some(second.tokens.at), "it keeps the first time");
    make.are_good(&second, true, "the store does not decide what a replay ends").await;
    make.are_good(&other, true, "another grant's stay").await;
    let third = make.exchanged(&second).await;
    let gone = make.refresh_record(&first.refresh).await;
    make.same(&gone.spent_at, &Some(second.tokens.at), "it is remembered when its successor is spent, too");
    make.are_good(&third, true, "each successor is exchanged in its turn").await;
}

/// What a refresh token is exchanged for is read as it was issued; fewer scopes are fewer for the access token alone.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_a_refresh_token_is_exchanged_for_is_there<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_a_refresh_token_is_exchanged_for_is_there");
    let held = make.redeemed().await;
    let mut request = make.exchange(&held);
    request.tokens.scopes = scopes(&["write"]);
    let second = make.exchanged_by(&held, request).await;
    access_is_as_issued(&make, &second.tokens, &held.grant).await;
    refresh_is_as_issued(&make, &second.tokens, &held.grant).await;
    let found = make.refresh_record(&held.refresh).await;
    make.check(found.response.is_none(), "an answer that may not be given again is not kept");
    make.same_grant(&found.grant, &held.grant, "the spent one knows its grant");
    make.same_grant(&make.grant_record(&held.grant).await, &held.grant, "the grant stays as it was");
}

/// An exchange ends every access token of the grant but the new one, unless it is told not to.
///
/// # Panics
/// When the store breaks this promise.
pub async fn an_exchange_ends_the_access_tokens_before_it<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "an_exchange_ends_the_access_tokens_before_it");
    let first = make.redeemed().await;
    let other = make.redeemed_for(&first.grant.client).await;
    let request = ExchangeRequest { revokes_access: false, ..make.exchange(&first) };
    let second = make.exchanged_by(&first, request).await;
    make.check(make.accepts(&first, make.now()).await, "the one before stays if the request says so");
    make.same(&make.access_record(&first.access).await.revoked_at, &None, "it says that it stays");

    let third = make.exchanged(&second).await;
    for (held, which) in [(&first, "the first"), (&second, "the second")] {
        make.check(!make.accepts(held, make.now()).await, format_args!("{which} access token has ended"));
        let revoked_at = make.access_record(&held.access).await.revoked_at;
        make.same(&revoked_at, &Some(third.tokens.at), format_args!("{which} access token says when it ended"));
    }
    let fourth = make.exchanged(&third).await;
    make.same(&make.access_record(&first.access).await.revoked_at, &Some(third.tokens.at), "it keeps the first time");
    make.are_good(&fourth, true, "the new ones are good").await;
    make.are_good(&other, true, "those of another grant of the same client stay").await;
}

/// A refresh token that was revoked, by itself or with its grant, is not exchanged.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_refresh_token_that_was_revoked_is_not_exchanged<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_refresh_token_that_was_revoked_is_not_exchanged");
    let (by_itself, with_grant) = (make.redeemed().await, make.redeemed().await);
    let request = RevokeTokenRequest::new(TokenKind::Refresh, by_itself.refresh, make.now());
    make.answer(make.store().revoke_token(&request).await, "a refresh token is revoked");
    make.revoked(&with_grant.grant).await;
    for held in [&by_itself, &with_grant] {
        let request = make.exchange(held);
        let answer = make.answer(make.store().exchange(&request).await, "being late is no error");
        make.same(&answer, &false, "it was revoked");
        nothing_of(&make, &request.tokens).await;
        make.same(&make.refresh_record(&held.refresh).await.spent_at, &None, "nobody has spent it");
    }
    make.check(make.accepts(&by_itself, make.now()).await, "an exchange that is refused ends no access token");
}

/// A token never takes the place of another, and the refresh token is not spent on it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn exchanging_overwrites_no_token<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "exchanging_overwrites_no_token");
    let (held, other) = (make.redeemed().await, make.redeemed().await);
    let fresh = make.tokens(&held.grant);
    for taken in [&held, &other] {
        let same_access = NewTokens { access: taken.access, ..fresh.clone() };
        let same_refresh = NewTokens { refresh: taken.tokens.refresh, ..fresh.clone() };
        for tokens in [same_access, same_refresh] {
            let refused = make.store().exchange(&ExchangeRequest::new(held.refresh, tokens)).await;
            make.conflict(&refused, "the digest is taken");
        }
    }
    nothing_of(&make, &fresh).await;
    for held in [&held, &other] {
        access_is_as_issued(&make, &held.tokens, &held.grant).await;
        refresh_is_as_issued(&make, &held.tokens, &held.grant).await;
    }
}

/// The answer to an exchange is kept with the refresh token that was spent on it, and a late one does not replace it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn an_answer_is_kept<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "an_answer_is_kept");
    let held = make.redeemed().await;
    let mut request = make.exchange(&held);
    request.tokens.scopes = scopes(&["read", "repo:admin"]);
    let response = make.response(&request.tokens);
    request.response = Some(response.clone());
    make.exchanged_by(&held, request).await;
    kept(&make, &held, &response).await;

    let mut late = make.exchange(&held);
    late.response = Some(make.response(&late.tokens));
    make.same(
        &make.answer(make.store().exchange(&late).await, "being late is no error"),
        &false,
        "it is exchanged once",
    );
    kept(&make, &held, &response).await;
}

/// An answer is gone once somebody has used a token in it or its grant was revoked, and with a sweep after its time.
///
/// # Panics
/// When the store breaks this promise.
pub async fn an_answer_is_gone_after_its_use_and_its_time<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "an_answer_is_gone_after_its_use_and_its_time");
    for how in ["its access token is used", "its refresh token is spent", "its grant is revoked", "its time is over"] {
        let (first, other) = (make.redeemed().await, make.redeemed().await);
        let (mut responses, mut seconds) = (Vec::new(), Vec::new());
        for held in [&first, &other] {
            let mut request = make.exchange(held);
            let response = make.response(&request.tokens);
            request.response = Some(response.clone());
            responses.push(response);
            seconds.push(make.exchanged_by(held, request).await);
        }
        sweep(&make, responses[0].until.saturating_sub(Duration::from_secs(1))).await;
        kept(&make, &first, &responses[0]).await;
        match how {
            "its access token is used" => {
                make.answer(make.store().note_first_use(&seconds[0].access, make.now()).await, "a use is noted");
            }
            "its refresh token is spent" => drop(make.exchanged(&seconds[0]).await),
            "its grant is revoked" => make.revoked(&first.grant).await,
            _ => {
                sweep(&make, responses[0].until).await;
            }
        }
        let found = make.refresh_record(&first.refresh).await;
        make.check(found.response.is_none(), format_args!("the answer is gone when {how}"));
        make.check(found.spent_at.is_some(), "a replay is recognised nevertheless");
        kept(&make, &other, &responses[1]).await;
    }
}

async fn kept<S: Subject>(make: &Maker<'_, S>, held: &Held, response: &SealedResponse) {
    let found = make.refresh_record(&held.refresh).await.response;
    let facts = |response: SealedResponse| {
        let SealedResponse { sealed, until, access_expires_at, scopes } = response;
        (sealed.as_str().to_owned(), until, access_expires_at, scopes)
    };
    make.same(&found.map(facts), &Some(facts(response.clone())), "the answer is read as it was given");
}

/// A spent refresh token says whether somebody has used a token that it was exchanged for, whichever of the two and in
/// whichever way, for then its answer is not given again.
///
/// # Panics
/// When the store breaks this promise.
pub async fn the_use_of_a_successor_is_seen<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "the_use_of_a_successor_is_seen");
    let revoke = async |kind, digest| {
        let request = RevokeTokenRequest::new(kind, digest, make.now());
        make.same(&make.answer(make.store().revoke_token(&request).await, "it answers"), &true, "a token is revoked");
    };
    let uses = ["none", "access used", "access revoked", "refresh spent", "refresh revoked", "of another grant"];
    for (number, how) in uses.into_iter().enumerate() {
        let (first, other) = (make.redeemed().await, make.redeemed().await);
        let mut request = make.exchange(&first);
        request.response = Some(make.response(&request.tokens));
        let second = make.exchanged_by(&first, request).await;
        make.check(!make.refresh_record(&first.refresh).await.successor_is_used, "nobody has used it yet");
        match number {
            1 => make.answer(make.store().note_first_use(&second.access, make.now()).await, "a use is noted"),
            2 => revoke(TokenKind::Access, second.access).await,
            3 => {
                let request = ExchangeRequest { revokes_access: false, ..make.exchange(&second) };
                make.exchanged_by(&second, request).await;
            }
            4 => revoke(TokenKind::Refresh, second.refresh).await,
            5 => {
                // The use of what it was exchanged from, and of somebody else's, says nothing.
                make.answer(make.store().note_first_use(&first.access, make.now()).await, "a use is noted");
                make.answer(make.store().note_first_use(&other.access, make.now()).await, "a use is noted");
                make.exchanged(&other).await;
            }
            _ => {}
        }
        let found = make.refresh_record(&first.refresh).await;
        make.same(&found.successor_is_used, &(1..=4).contains(&number), format_args!("whether it was used: {how}"));
        let second = make.refresh_record(&second.refresh).await;
        make.check(!second.successor_is_used, "what was just issued has no successor that was used");
    }

    let first = make.redeemed().await;
    let mut request = make.exchange(&first);
    request.tokens.refresh = None;
    make.answer(make.store().exchange(&request).await, "a refresh token is exchanged for an access token alone");
    make.check(!make.refresh_record(&first.refresh).await.successor_is_used, "nobody has used it yet");
    let at = request.tokens.at.saturating_add(Duration::from_secs(1));
    make.answer(make.store().note_first_use(&request.tokens.access, at).await, "a use is noted");
    make.check(make.refresh_record(&first.refresh).await.successor_is_used, "the access token alone was used");
}
