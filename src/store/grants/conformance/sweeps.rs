//! What a sweep removes, and what it has to leave.

use std::time::Duration;

use crate::broker::{ClientRecord, GrantId, Refresh, RefreshRefusal, TokenDigest, decide_refresh};
use crate::store::grants::conformance::Subject;
use crate::store::grants::conformance::maker::{ACCESS_LIFE, Held, Maker, REFRESH_LIFE};
use crate::store::grants::{SweepRequest, Swept};
use crate::time::Timestamp;

const SECOND: Duration = Duration::from_secs(1);

/// A refresh token that is good stays, and so does the access token that it refers to, however long that has been dead.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_sweep_leaves_a_good_refresh_token<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_sweep_leaves_a_good_refresh_token");
    let held = make.redeemed().await;
    let later = make.exchanged(&make.redeemed().await).await;
    let expires_at = held.tokens.at.saturating_add(REFRESH_LIFE);
    let last = expires_at.saturating_sub(SECOND);
    for at in [held.tokens.access_expires_at, later.tokens.access_expires_at.saturating_add(SECOND), last] {
        sweep(&make, at).await;
        for held in [&held, &later] {
            make.check(make.exchanges(held, at).await, "a good refresh token is good after a sweep");
            make.check(make.has_access(&held.access).await, "the access token that it refers to is there");
        }
    }
    let mut request = make.exchange(&held);
    request.tokens.at = last;
    request.tokens.access_expires_at = last.saturating_add(ACCESS_LIFE);
    request.tokens.refresh = Some((make.digest(), last.saturating_add(REFRESH_LIFE)));
    let next = make.exchanged_by(&held, request).await;
    sweep(&make, expires_at.saturating_add(SECOND)).await;
    make.check(make.exchanges(&next, expires_at.saturating_add(SECOND)).await, "its successor outlives it");
    make.same_grant(&make.grant_record(&held.grant).await, &held.grant, "the grant is remembered with it");
}

/// A spent code and a spent refresh token are remembered for as long as a token of their grant is good, expired as they
/// may be.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_sweep_leaves_what_recognises_a_replay<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_sweep_leaves_what_recognises_a_replay");
    let first = make.redeemed().await;
    let second = make.exchanged(&first).await;
    let third = make.exchanged(&second).await;
    let last = third.tokens.at.saturating_add(REFRESH_LIFE).saturating_sub(SECOND);
    sweep(&make, last).await;
    for spent in [&first, &second] {
        let found = make.refresh_record(&spent.refresh).await;
        let presented = Refresh { client: &spent.grant.client, scopes: None, resource: None };
        let verdict = decide_refresh(Some(&found), presented, last).err();
        let replayed = RefreshRefusal::Replayed(spent.grant.id.clone());
        make.same(&verdict, &Some(replayed), "a spent refresh token is known to be spent");
    }
    is_spent(&make, &first.code, &first.grant.id).await;

    // An access token is a token of the grant, too: of a client that has no refresh token, or that outlives it.
    let code = make.coded().await;
    let mut request = make.redemption(&code);
    request.tokens.refresh = None;
    make.answer(make.store().redeem(&request).await, "a code is redeemed without a refresh token");
    sweep(&make, request.tokens.access_expires_at.saturating_sub(SECOND)).await;
    make.check(make.has_access(&request.tokens.access).await, "the access token is good");
    is_spent(&make, &code.digest, &code.grant.id).await;

    let code = make.coded().await;
    let mut request = make.redemption(&code);
    request.tokens.refresh = Some((make.digest(), request.tokens.at.saturating_add(ACCESS_LIFE)));
    request.tokens.access_expires_at = request.tokens.at.saturating_add(REFRESH_LIFE);
    make.answer(make.store().redeem(&request).await, "a code is redeemed");
    sweep(&make, request.tokens.access_expires_at.saturating_sub(SECOND)).await;
    make.check(make.has_access(&request.tokens.access).await, "the access token is good");
    is_spent(&make, &code.digest, &code.grant.id).await;
}

async fn is_spent<S: Subject>(make: &Maker<'_, S>, code: &TokenDigest, grant: &GrantId) {
    let found = make.code_record(code).await;
    make.check(found.spent_at.is_some(), "a redeemed code is known to be redeemed");
    make.same(&found.grant.id, grant, "it says which grant its replay ends");
}

/// A code that can be redeemed stays with its grant; one that is remembered for longer stays for longer.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_sweep_leaves_a_code_that_can_be_redeemed<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_sweep_leaves_a_code_that_can_be_redeemed");
    let client = make.registered().await;
    let code = make.coded_for(&client).await;
    let mut longer = make.code(make.grant(&client));
    longer.remembered_until = longer.code.expires_at.saturating_add(ACCESS_LIFE);
    let remembered_until = longer.remembered_until;
    let longer = make.added(longer).await;
    let last = code.expires_at.saturating_sub(SECOND);
    sweep(&make, last).await;
    make.check(make.is_redeemable(&code, last).await, "it can be redeemed in its last second");
    make.same_grant(&make.grant_record(&code.grant).await, &code.grant, "its grant is there");
    sweep(&make, remembered_until.saturating_sub(SECOND)).await;
    make.same_code(&make.code_record(&longer.digest).await, &longer, "it is remembered for as long as it was to be");
}

/// What nobody can use any more is gone after a sweep; clients stay.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_sweep_removes_what_nobody_can_use<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_sweep_removes_what_nobody_can_use");
    let (code, first, revoked) = (make.coded().await, make.redeemed().await, make.redeemed().await);
    make.revoked(&revoked.grant).await;
    let second = make.exchanged(&first).await;

    let at = second.tokens.access_expires_at.saturating_add(SECOND);
    let swept = sweep(&make, at).await;
    make.check(!make.has_code(&code.digest).await, "a code that nobody has redeemed is gone");
    make.check(!make.has_grant(&code.grant).await, "so is its grant");
    make.check(!make.has_access(&first.access).await, "an access token that no good refresh token refers to is gone");
    make.check(swept.grants >= 1 && swept.access_tokens >= 1, format_args!("it says what it has removed: {swept:?}"));

    let end = second.tokens.at.saturating_add(REFRESH_LIFE).saturating_add(SECOND);
    let swept = sweep(&make, end).await;
    for held in [&first, &second, &revoked] {
        is_forgotten(&make, held).await;
    }
    make.check(swept.grants >= 2, format_args!("it says what it has removed: {swept:?}"));
    make.client_record(&first.grant.client).await;
    make.same(&sweep(&make, end).await, &Swept::default(), "nothing is left for another sweep");
}

/// A sweep removes at most so many of each kind at once, and fewer than that only if it has removed everything.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_sweep_is_bounded<S: Subject>(subject: &S) {
    const LIMIT: u32 = 2;
    let make = Maker::new(subject, "a_sweep_is_bounded");
    let client = make.registered().await;
    let mut all = Vec::new();
    for _ in 0..5 {
        let first = make.redeemed_for(&client).await;
        let second = make.exchanged(&first).await;
        let third = make.exchanged(&second).await;
        all.extend([first, second, third]);
    }
    let end = make.now().saturating_add(2 * REFRESH_LIFE);
    let count = async || {
        let mut left = 0_u64;
        for held in all.iter().step_by(3) {
            left += u64::from(make.has_grant(&held.grant).await);
        }
        left
    };
    for _ in 0..10_000 {
        let before = count().await;
        let request = SweepRequest::new(end, LIMIT);
        let swept = make.answer(make.store().sweep(&request).await, "a store is swept");
        make.check(swept.most() <= u64::from(LIMIT), format_args!("no more of a kind than the limit: {swept:?}"));
        make.check(before - count().await <= u64::from(LIMIT), "no more grants are gone than the limit");
        if swept.most() < u64::from(LIMIT) {
            break;
        }
    }
    for held in &all {
        is_forgotten(&make, held).await;
    }
}

/// Clients that nobody has used for so long, and that have no grant, go where the request says so, and no others.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_sweep_removes_clients_that_nobody_uses<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_sweep_removes_clients_that_nobody_uses");
    let (early, since, late) = (make.now(), make.now(), make.now());
    let client = async |created_at, last_used_at| {
        let client = ClientRecord { created_at, last_used_at, ..make.client() };
        make.answer(make.store().register(&client).await, "a client is registered");
        client.id
    };
    let mut unused = Vec::new();
    for last_used_at in [None, Some(early), None] {
        unused.push(client(early, last_used_at).await);
    }
    let mut used = vec![client(since, None).await, client(early, Some(since)).await, client(early, Some(late)).await];
    let with_code = client(early, None).await;
    let code = make.coded_for(&with_code).await;
    let with_token = client(early, None).await;
    let held = make.redeemed_for(&with_token).await;
    used.extend([with_code.clone(), with_token.clone()]);

    let at = code.expires_at.saturating_sub(SECOND);
    sweep(&make, at).await;
    for id in unused.iter().chain(&used) {
        make.client_record(id).await;
    }
    let request = SweepRequest { clients_unused_since: Some(since), ..SweepRequest::new(at, 2) };
    let mut removed = 0;
    for _ in 0..10_000 {
        let swept = make.answer(make.store().sweep(&request).await, "a store is swept");
        make.check(swept.clients <= 2, "no more clients than the limit");
        removed += swept.clients;
        if swept.clients < 2 {
            break;
        }
    }
    make.check(removed >= unused.len() as u64, "it says how many clients it has removed");
    for id in &unused {
        let found = make.answer(make.store().client(id).await, "a client is looked up");
        make.check(found.is_none(), "a client that nobody uses is gone");
    }
    for id in &used {
        make.client_record(id).await;
    }
    make.check(make.is_redeemable(&code, at).await, "a client with a code stays, and so does the code");
    make.are_good(&held, true, "a client with tokens stays, and so do they").await;
}

async fn is_forgotten<S: Subject>(make: &Maker<'_, S>, held: &Held) {
    make.check(!make.has_code(&held.code).await, "the code is gone");
    make.check(!make.has_access(&held.access).await, "the access token is gone");
    make.check(!make.has_refresh(&held.refresh).await, "the refresh token is gone");
    make.check(!make.has_grant(&held.grant).await, "the grant is gone");
}

/// Sweeps until nothing is left to be removed, and says what was.
pub(super) async fn sweep<S: Subject>(make: &Maker<'_, S>, at: Timestamp) -> Swept {
    let request = SweepRequest::new(at, 100);
    let mut all = Swept::default();
    for _ in 0..10_000 {
        let swept = make.answer(make.store().sweep(&request).await, "a store is swept");
        all += swept;
        if swept.most() < 100 {
            return all;
        }
    }
    make.check(false, "a sweep comes to an end");
    all
}
