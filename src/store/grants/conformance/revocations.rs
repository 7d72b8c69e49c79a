//! What ends by itself, with its grant, and by the dozen.

use crate::broker::{Grant, GrantRevocationReason};
use crate::store::grants::conformance::Subject;
use crate::store::grants::conformance::maker::{Held, Maker};
use crate::store::grants::{GrantFilter, RevokeGrantRequest, RevokeGrantsRequest, RevokeTokenRequest, TokenKind};

/// One token is revoked, once, and the rest of its grant stays.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_token_is_revoked_by_itself<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_token_is_revoked_by_itself");
    let revoke = async |kind, digest, at| {
        let request = RevokeTokenRequest::new(kind, digest, at);
        make.answer(make.store().revoke_token(&request).await, "a token is revoked")
    };
    for (kind, held) in [(TokenKind::Access, make.redeemed().await), (TokenKind::Refresh, make.redeemed().await)] {
        let is_access = kind == TokenKind::Access;
        let digest = if is_access { held.access } else { held.refresh };
        let first = make.now();
        make.same(&revoke(kind, digest, first).await, &true, "it is revoked");
        make.same(&revoke(kind, digest, make.now()).await, &false, "it is revoked once");
        let access = make.access_record(&held.access).await.revoked_at;
        let refresh = make.refresh_record(&held.refresh).await.revoked_at;
        let promised = if is_access { (Some(first), None) } else { (None, Some(first)) };
        make.same(&(access, refresh), &promised, "it keeps the first time, and the other one stays");
        let at = make.now();
        make.same(&make.accepts(&held, at).await, &!is_access, "whether the access token is good");
        make.same(&make.exchanges(&held, at).await, &is_access, "whether the refresh token is good");
        make.same_grant(&make.grant_record(&held.grant).await, &held.grant, "the grant stays as it was");
    }

    let first = make.redeemed().await;
    let second = make.exchanged(&first).await;
    make.same(&revoke(TokenKind::Refresh, first.refresh, make.now()).await, &false, "a spent one is not revoked");
    make.same(&make.refresh_record(&first.refresh).await.revoked_at, &None, "a spent one is spent and no more");
    make.are_good(&second, true, "its successors stay").await;
    make.revoked(&second.grant).await;
    for (kind, digest) in [(TokenKind::Access, second.access), (TokenKind::Refresh, second.refresh)] {
        make.same(
            &revoke(kind, digest, make.now()).await,
            &false,
            "what has ended with its grant is not revoked again",
        );
    }
}

/// With a grant end its code and every token that came of it, whatever has become of them; other grants stay.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_grant_is_revoked_with_all_of_it<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_grant_is_revoked_with_all_of_it");
    let client = make.registered().await;
    let mut same_person = make.grant(&client);
    let code = make.coded_for(&client).await;
    same_person.subject = code.grant.subject.clone();
    let other = make.redeemed_of(&make.added(make.code(same_person)).await).await;
    make.check(make.is_redeemable(&code, code.grant.created_at).await, "the code can be redeemed");
    make.revoked(&code.grant).await;
    make.check(!make.is_redeemable(&code, code.grant.created_at).await, "the code has ended");

    let first = make.redeemed_for(&client).await;
    let unrevoked = crate::store::grants::ExchangeRequest { revokes_access: false, ..make.exchange(&first) };
    let second = make.exchanged_by(&first, unrevoked).await;
    let revocation = make.revocation(&first.grant);
    let answer = make.answer(make.store().revoke_grant(&revocation).await, "a grant is revoked");
    make.same(&answer, &true, "a grant is revoked");
    for held in [&first, &second] {
        make.are_good(held, false, "it has ended with its grant").await;
    }
    let promised = Some((revocation.at, revocation.reason));
    make.same(&make.grant_record(&first.grant).await.revoked, &promised, "it says when and why");
    let code = make.code_record(&first.code).await;
    make.same(&code.grant.revoked, &promised, "its code says so, too");
    make.same(&make.refresh_record(&first.refresh).await.grant.revoked, &promised, "so does a spent refresh token");
    make.are_good(&other, true, "another grant of the same person and client stays").await;
}

/// A grant keeps the time and the reason of its first revocation; only who was first is told so.
///
/// # Panics
/// When the store breaks this promise.
pub async fn the_first_revocation_is_kept<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "the_first_revocation_is_kept");
    for reason in GrantRevocationReason::ALL {
        let held = make.redeemed().await;
        let first = RevokeGrantRequest { reason, ..make.revocation(&held.grant) };
        make.same(&make.answer(make.store().revoke_grant(&first).await, "it answers"), &true, "it is revoked");
        for again in GrantRevocationReason::ALL {
            let request = RevokeGrantRequest { reason: again, ..make.revocation(&held.grant) };
            let answer = make.answer(make.store().revoke_grant(&request).await, "being late is no error");
            make.same(&answer, &false, "it was revoked before");
        }
        let filter = GrantFilter::of_subject(held.grant.subject.id.clone());
        let request = RevokeGrantsRequest::new(filter, GrantRevocationReason::Revoked, make.now(), 9);
        make.same(
            &make.answer(make.store().revoke_grants(&request).await, "it answers"),
            &0,
            "it does not count again",
        );
        let promised = Grant { revoked: Some((first.at, reason)), ..held.grant.clone() };
        make.same_grant(&make.grant_record(&held.grant).await, &promised, "it keeps the first time and reason");
    }
}

/// Of the grants that meet a filter, at most so many are revoked at once, until fewer say that none is left; the others
/// stay.
///
/// # Panics
/// When the store breaks this promise.
pub async fn grants_are_revoked_by_filter_so_many_at_once<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "grants_are_revoked_by_filter_so_many_at_once");
    let (one, two) = (make.registered().await, make.registered().await);
    let (ada, bob) = (make.person(), make.person());
    let grants = async || -> Vec<Held> {
        let mut all = Vec::new();
        for (client, person) in [(&one, &ada), (&one, &ada), (&one, &ada), (&one, &bob), (&two, &ada)] {
            let mut grant = make.grant(client);
            grant.subject = person.clone();
            all.push(make.redeemed_of(&make.added(make.code(grant)).await).await);
        }
        all
    };
    let of_one = GrantFilter::of_client(one.clone());
    let of_ada = GrantFilter::of_subject(ada.id.clone());
    let of_both = GrantFilter { client: Some(one.clone()), subject: Some(ada.id.clone()) };
    for (filter, counts) in [(of_both, &[2, 1, 0]), (of_one, &[2, 2, 0]), (of_ada, &[2, 2, 0])] {
        let all = grants().await;
        for promised in counts {
            let request = RevokeGrantsRequest::new(filter.clone(), GrantRevocationReason::Revoked, make.now(), 2);
            let answer = make.answer(make.store().revoke_grants(&request).await, "grants are revoked");
            make.same(&answer, promised, "it says how many it has revoked");
        }
        for held in &all {
            let meets = filter.meets(&held.grant.client, &held.grant.subject.id);
            make.are_good(held, !meets, "only what meets the filter is revoked").await;
            let reason = make.grant_record(&held.grant).await.revoked.map(|(_, reason)| reason);
            make.same(&reason, &meets.then_some(GrantRevocationReason::Revoked), "it says why it has ended");
        }
        let rest = RevokeGrantsRequest::new(
            GrantFilter::of_client(one.clone()),
            GrantRevocationReason::Revoked,
            make.now(),
            9,
        );
        make.answer(make.store().revoke_grants(&rest).await, "what is left is revoked");
        let rest = RevokeGrantsRequest { filter: GrantFilter::of_client(two.clone()), ..rest };
        make.answer(make.store().revoke_grants(&rest).await, "what is left is revoked");
    }

    let all = grants().await;
    let request = RevokeGrantsRequest::new(GrantFilter::default(), GrantRevocationReason::Revoked, make.now(), 1_000);
    make.answer(make.store().revoke_grants(&request).await, "all grants are revoked");
    for held in &all {
        make.are_good(held, false, "an empty filter is all of them").await;
    }
}
