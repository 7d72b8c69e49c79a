//! Of several callers who race for one step, exactly one learns that it made it, and nothing outlives a revocation.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::broker::{Grant, GrantRevocationReason};
use crate::store::grants::conformance::Subject;
use crate::store::grants::conformance::codes::nothing_of;
use crate::store::grants::conformance::maker::{ACCESS_LIFE, Held, Maker, REFRESH_LIFE};
use crate::store::grants::{
    ExchangeRequest, NewTokens, RevokeGrantRequest, RevokeTokenRequest, SweepRequest, TokenKind, UpstreamRequest,
};
use crate::store::{StoreError, race};

/// A call that races with calls of other kinds.
type Racer<'r> = Pin<Box<dyn Future<Output = Result<bool, StoreError>> + Send + 'r>>;

const RACERS: usize = 64;
/// How often two who race for different things are sent off.
const ROUNDS: usize = 8;

/// Of many registrations of one identifier, one succeeds.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_registrations_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_registrations_wins");
    let id = make.client_id();
    let named =
        |number: usize| crate::broker::ClientRecord { id: id.clone(), name: Some(number.to_string()), ..make.client() };
    let clients: Vec<_> = (0..RACERS).map(named).collect();
    let answers = run(&make, clients.iter().map(|client| added(make.store().register(client)))).await;
    let winner = one_of(&make, answers, "exactly one is registered");
    make.same(&make.client_record(&id).await, &clients[winner], "it is the one that was reported as registered");
}

/// Of many codes with one digest, or for one grant, one is added, and the others leave nothing.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_codes_is_added<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_codes_is_added");
    let client = make.registered().await;
    for is_same_digest in [true, false] {
        let (digest, grant) = (make.digest(), make.grant_id());
        let code = |_| {
            let mut new = make.code(make.grant(&client));
            if is_same_digest {
                new.code.digest = digest;
            } else {
                new.code.grant.id = grant.clone();
            }
            new
        };
        let codes: Vec<_> = (0..RACERS).map(code).collect();
        let answers = run(&make, codes.iter().map(|code| added(make.store().add_code(code)))).await;
        let winner = one_of(&make, answers, "exactly one is added");
        for (number, new) in codes.iter().enumerate() {
            if number == winner {
                let found = make.code_record(&new.code.digest).await;
                make.same_code(&found, &new.code, "it is the one that was reported as added");
            } else if is_same_digest {
                make.check(!make.has_grant(&new.code.grant).await, "a loser's grant is not there");
            } else {
                make.check(!make.has_code(&new.code.digest).await, "a loser's code is not there");
            }
        }
    }
}

/// Of many redemptions of one code, one has tokens; those of the others do not exist.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_redemptions_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_redemptions_wins");
    let code = make.coded().await;
    let requests: Vec<_> = (0..RACERS).map(|_| make.redemption(&code)).collect();
    let answers = run(&make, requests.iter().map(|request| make.store().redeem(request))).await;
    let winner = one_of(&make, answers, "exactly one redeems the code");
    only(&make, requests.iter().map(|request| &request.tokens), winner, &code.grant).await;
    let spent_at = make.code_record(&code.digest).await.spent_at;
    make.same(&spent_at, &Some(requests[winner].tokens.at), "the code was redeemed by the winner");
}

/// Of many exchanges of one refresh token, one has tokens; those of the others do not exist.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_exchanges_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_exchanges_wins");
    let held = make.redeemed().await;
    let requests: Vec<_> = (0..RACERS).map(|_| make.exchange(&held)).collect();
    let answers = run(&make, requests.iter().map(|request| make.store().exchange(request))).await;
    let winner = one_of(&make, answers, "exactly one exchanges the refresh token");
    only(&make, requests.iter().map(|request| &request.tokens), winner, &held.grant).await;
    let spent_at = make.refresh_record(&held.refresh).await.spent_at;
    make.same(&spent_at, &Some(requests[winner].tokens.at), "the refresh token was spent by the winner");
}

/// Of many revocations of one grant, or of one token, one revokes, and its time and reason are kept.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_revocations_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_revocations_wins");
    let held = make.redeemed().await;
    let reasons = GrantRevocationReason::ALL.into_iter().cycle().take(RACERS);
    let requests: Vec<_> =
        reasons.map(|reason| RevokeGrantRequest { reason, ..make.revocation(&held.grant) }).collect();
    let answers = run(&make, requests.iter().map(|request| make.store().revoke_grant(request))).await;
    let winner = &requests[one_of(&make, answers, "exactly one revokes the grant")];
    let revoked = make.grant_record(&held.grant).await.revoked;
    make.same(&revoked, &Some((winner.at, winner.reason)), "the winner's time and reason are kept");

    let held = make.redeemed().await;
    let requests: Vec<_> =
        (0..RACERS).map(|_| RevokeTokenRequest::new(TokenKind::Access, held.access, make.now())).collect();
    let answers = run(&make, requests.iter().map(|request| make.store().revoke_token(request))).await;
    let winner = &requests[one_of(&make, answers, "exactly one revokes the token")];
    make.same(&make.access_record(&held.access).await.revoked_at, &Some(winner.at), "the winner's time is kept");
}

/// Of many who put new tokens of the host in the place of the same ones, one does.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_replacements_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_replacements_wins");
    let grant = make.coded().await.grant;
    let requests: Vec<_> = (0..RACERS).map(|_| UpstreamRequest::new(grant.id.clone(), 0, make.upstream())).collect();
    let answers = run(&make, requests.iter().map(|request| make.store().replace_upstream(request))).await;
    let winner = one_of(&make, answers, "exactly one replaces them");
    let promised = Grant { upstream: Some(requests[winner].tokens.clone()), upstream_version: 1, ..grant.clone() };
    make.same_grant(&make.grant_record(&grant).await, &promised, "they are those that were reported as stored");
}

/// A refresh token is exchanged or revoked by itself, and not both.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_an_exchange_and_a_revocation_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_an_exchange_and_a_revocation_wins");
    for _ in 0..ROUNDS {
        let held = make.redeemed().await;
        let exchange = make.exchange(&held);
        let revocation = RevokeTokenRequest::new(TokenKind::Refresh, held.refresh, make.now());
        let store = make.store();
        let answers = run(&make, [store.exchange(&exchange), store.revoke_token(&revocation)].into_iter()).await;
        let winner = one_of(&make, answers, "exactly one of them does it");
        let found = make.refresh_record(&held.refresh).await;
        let marks = (found.spent_at.is_some(), found.revoked_at.is_some());
        make.same(&marks, &(winner == 0, winner == 1), "it is spent or it is revoked");
    }
}

/// When a grant has been revoked, nothing of it is good: not what was issued before, nor what was being issued.
///
/// # Panics
/// When the store breaks this promise.
pub async fn nothing_outlives_a_revocation<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "nothing_outlives_a_revocation");
    for _ in 0..ROUNDS {
        let held = make.redeemed().await;
        let exchange = ExchangeRequest { revokes_access: false, ..make.exchange(&held) };
        let code = make.coded().await;
        let redemption = make.redemption(&code);
        let revocations = [make.revocation(&held.grant), make.revocation(&code.grant)];
        let store = make.store();
        let racers = [
            store.exchange(&exchange),
            store.redeem(&redemption),
            store.revoke_grant(&revocations[0]),
            store.revoke_grant(&revocations[1]),
        ];
        let answers = answers(&make, run(&make, racers.into_iter()).await);
        make.same(&(answers[2], answers[3]), &(true, true), "a revocation is made whatever it races with");
        make.are_good(&held, false, "it was issued before").await;
        ended(&make, &held.grant, &exchange.tokens, answers[0]).await;
        ended(&make, &code.grant, &redemption.tokens, answers[1]).await;
    }
}

/// When a client has been removed, nothing of it is good, even if another is registered under its identifier.
///
/// # Panics
/// When the store breaks this promise.
pub async fn nothing_outlives_a_removal_of_its_client<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "nothing_outlives_a_removal_of_its_client");
    for _ in 0..ROUNDS {
        let client = make.client();
        make.answer(make.store().register(&client).await, "a client is registered");
        let held = make.redeemed_for(&client.id).await;
        let exchange = make.exchange(&held);
        let code = make.coded_for(&client.id).await;
        let redemption = make.redemption(&code);
        let new = make.code(make.grant(&client.id));
        let at = make.now();
        let store = make.store();
        let late = |answer: Result<bool, StoreError>| match answer {
            Err(StoreError::Missing(_)) => Ok(false),
            other => other,
        };
        let racers: [Racer<'_>; 4] = [
            Box::pin(async { late(store.exchange(&exchange).await) }),
            Box::pin(async { late(store.redeem(&redemption).await) }),
            Box::pin(async { late(store.add_code(&new).await.map(|()| true)) }),
            store.remove_client(&client.id, at),
        ];
        let answers = answers(&make, run(&make, racers.into_iter()).await);
        make.same(&answers[3], &true, "a removal is made whatever it races with");
        make.answer(make.store().register(&client).await, "the identifier is free");
        make.are_good(&held, false, "it was issued before").await;
        ended(&make, &held.grant, &exchange.tokens, answers[0]).await;
        ended(&make, &code.grant, &redemption.tokens, answers[1]).await;
        make.check(!make.is_redeemable(&new.code, make.now()).await, "its code has ended");
    }
}

/// A sweep removes neither a refresh token that is being exchanged, nor what comes of it, nor the memory of it, even if its
/// clock is ahead by so much that it would have removed it a moment before.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_sweep_takes_nothing_from_an_exchange_under_way<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_sweep_takes_nothing_from_an_exchange_under_way");
    let second = Duration::from_secs(1);
    for round in 0..ROUNDS {
        let held = make.redeemed().await;
        // The last second of the refresh token, long after its access token has expired.
        let at = held.tokens.at.saturating_add(REFRESH_LIFE).saturating_sub(second);
        let mut exchange = make.exchange(&held);
        exchange.tokens.at = at;
        exchange.tokens.access_expires_at = at.saturating_add(ACCESS_LIFE);
        exchange.tokens.refresh = exchange.tokens.refresh.map(|(digest, _)| (digest, at.saturating_add(REFRESH_LIFE)));
        let is_ahead = round % 2 == 1;
        let sweep = SweepRequest::new(if is_ahead { at.saturating_add(second) } else { at }, 1_000);
        let store = make.store();
        let racers: [Racer<'_>; 2] =
            [store.exchange(&exchange), Box::pin(async { store.sweep(&sweep).await.map(|_| true) })];
        let answers = answers(&make, run(&make, racers.into_iter()).await);
        make.check(answers[0] || is_ahead, "a good refresh token is exchanged");
        if !answers[0] {
            nothing_of(&make, &exchange.tokens).await;
            continue;
        }
        make.answer(make.store().sweep(&sweep).await, "it is swept once more");
        let found = make.refresh_record(&held.refresh).await;
        make.same(&found.spent_at, &Some(at), "it is remembered that it is spent");
        make.check(make.has_access(&exchange.tokens.access).await, "its new access token is there");
        let (refresh, _) = exchange.tokens.refresh.expect("the suite asks for a refresh token");
        let next = Held { refresh, tokens: exchange.tokens, ..held };
        make.check(make.exchanges(&next, at).await, "its successor is good");
    }
}

/// What was being issued when its grant ended does not exist, or has ended with it.
async fn ended<S: Subject>(make: &Maker<'_, S>, grant: &Grant, tokens: &NewTokens, was_issued: bool) {
    if !was_issued {
        return nothing_of(make, tokens).await;
    }
    let (refresh, _) = tokens.refresh.expect("the suite asks for a refresh token");
    let held =
        Held { grant: grant.clone(), code: make.digest(), access: tokens.access, refresh, tokens: tokens.clone() };
    make.are_good(&held, false, "it was being issued").await;
}

/// The winner's tokens are good, and no others are there.
async fn only<'t, S: Subject>(
    make: &Maker<'_, S>,
    all: impl Iterator<Item = &'t NewTokens>,
    winner: usize,
    grant: &Grant,
) {
    for (number, tokens) in all.enumerate() {
        if number == winner {
            super::codes::access_is_as_issued(make, tokens, grant).await;
            super::codes::refresh_is_as_issued(make, tokens, grant).await;
        } else {
            nothing_of(make, tokens).await;
        }
    }
}

/// What is refused because the place is taken was not the first.
async fn added(answer: impl Future<Output = Result<(), StoreError>>) -> Result<bool, StoreError> {
    match answer.await {
        Err(StoreError::Conflict) => Ok(false),
        other => other.map(|()| true),
    }
}

fn answers<S: Subject>(make: &Maker<'_, S>, answers: Vec<Result<bool, StoreError>>) -> Vec<bool> {
    answers.into_iter().map(|answer| make.answer(answer, "being late is no error")).collect()
}

/// The position of the one that says yes.
fn one_of<S: Subject>(make: &Maker<'_, S>, found: Vec<Result<bool, StoreError>>, what: &str) -> usize {
    let winners: Vec<_> =
        answers(make, found).into_iter().enumerate().filter_map(|(number, won)| won.then_some(number)).collect();
    make.same(&winners.len(), &1, what);
    winners[0]
}

async fn run<'f, S: Subject, T: Send + 'f>(
    make: &Maker<'_, S>,
    racers: impl Iterator<Item = impl Future<Output = T> + Send + 'f>,
) -> Vec<T> {
    let subject = make.subject();
    race::race(|work| subject.enter(work), racers).await
}
