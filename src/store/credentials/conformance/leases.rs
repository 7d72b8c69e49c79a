//! The steps of a refresh, one caller at a time.

use std::time::Duration;

use crate::credential::{CredentialHead, CredentialState, EndReason, LONGEST_LEASE, StoredSecrets};
use crate::key::{Scope, Scopes};
use crate::store::credentials::conformance::Subject;
use crate::store::credentials::conformance::maker::{LEASE, Maker, nonces, release};
use crate::store::credentials::{ClaimRequest, MarkRequest, NonceRequest, PutRequest};

/// A lease keeps everybody else away until it is over. Each has a version of its own.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_lease_at_a_time<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_lease_at_a_time");
    let record = make.stored().await;
    let owner = &record.head.owner;
    let at = make.now();
    let until = at.saturating_add(LEASE);
    let first = make.claimed(&ClaimRequest::new(owner.clone(), at, until)).await;
    make.check(first.head.version > record.head.version, "a lease counts the version up");
    make.same(&first.head.lease_until, &Some(until), "a lease says until when it goes");
    make.same_secrets(&first.secrets, &record.secrets, "its holder has the secrets as they are now");
    let just_before = until.saturating_sub(Duration::from_micros(1));
    for decided in [None, Some(first.head.version)] {
        let request = ClaimRequest {
            decided,
            ..ClaimRequest::new(owner.clone(), just_before, just_before.saturating_add(LEASE))
        };
        let lost = make.lost(&request, "nobody else can have it").await;
        make.same(&lost.head, &first.head, "a loser sees how it is");
    }
    let second = make.claimed(&ClaimRequest::new(owner.clone(), until, until.saturating_add(LEASE))).await;
    make.check(second.head.version > first.head.version, "the next lease has another version");
}

/// A lease that goes on for longer than any does comes from a clock that was wrong, and keeps nobody away.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_lease_from_a_wrong_clock_keeps_nobody_away<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_lease_from_a_wrong_clock_keeps_nobody_away");
    let owner = make.stored().await.head.owner;
    let at = make.now();
    let longest = at.saturating_add(LONGEST_LEASE);
    make.claimed(&ClaimRequest::new(owner.clone(), at, longest)).await;
    make.lost(&ClaimRequest::new(owner.clone(), at, longest), "the longest lease counts").await;
    let earlier = at.saturating_sub(Duration::from_micros(1));
    make.claimed(&ClaimRequest::new(owner, earlier, earlier.saturating_add(LEASE))).await;
}

/// Only the holder of a lease may send, while it lasts, and once.
///
/// # Panics
/// When the store breaks this promise.
pub async fn only_the_holder_of_a_lease_may_send<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "only_the_holder_of_a_lease_may_send");
    let store = make.store();
    let none = make.stored().await;
    let refused = store.mark(&make.mark(&none.head)).await;
    make.same(&make.answer(refused, "it answers"), &false, "nobody may send without a lease");

    let leased = make.leased().await;
    let late = MarkRequest { at: leased.head.lease_until.unwrap_or_else(|| make.now()), ..make.mark(&leased.head) };
    make.same(&make.answer(store.mark(&late).await, "it answers"), &false, "nobody may send after the lease");
    let other = MarkRequest { version: leased.head.version + 1, ..make.mark(&leased.head) };
    make.same(&make.answer(store.mark(&other).await, "it answers"), &false, "nor with another's");
    make.unchanged(&leased, "it stays as it was").await;

    let mark = make.mark(&leased.head);
    make.same(&make.answer(store.mark(&mark).await, "it answers"), &true, "its holder may");
    let state = CredentialState::Sent { at: mark.at };
    let sent = CredentialHead { state, lease_until: Some(mark.until), ..leased.head.clone() };
    make.same(&make.stands(&sent.owner).await.head, &sent, "that is written down, and the lease is longer");
    make.same(&make.answer(store.mark(&mark).await, "it answers"), &false, "once");
}

/// A refresh token that was sent is not sent again when the lease is over, unless somebody has decided so.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_was_sent_is_claimed_by_decision_only<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_was_sent_is_claimed_by_decision_only");
    for uncertain in [false, true] {
        let sent = make.sent().await.head;
        let over = sent.lease_until.unwrap_or_else(|| make.now());
        if uncertain {
            let state = CredentialState::Uncertain { since: make.now() };
            let released = make.store().release(&release(&sent, state)).await;
            make.same(&make.answer(released, "it answers"), &true, "a lease is released");
        }
        let claim = ClaimRequest::new(sent.owner.clone(), over, over.saturating_add(LEASE));
        let lost = make.lost(&claim, "it is not claimed by itself").await;
        make.check(lost.head.state != CredentialState::Active, "its state says why");
        let claimed = {
            let another = claim.clone().decided(lost.head.version + 1);
            make.lost(&another, "a decision on another version is not one on this").await;
            make.claimed(&claim.decided(lost.head.version)).await
        };
        let is_uncertain = matches!(claimed.head.state, CredentialState::Uncertain { .. });
        make.check(is_uncertain, "a decision does not say what became of it");
        let mark = MarkRequest::new(sent.owner.clone(), claimed.head.version, over, over.saturating_add(LEASE));
        make.same(&make.answer(make.store().mark(&mark).await, "it answers"), &true, "who decided may send");
    }
}

/// One that has ended is claimed by nobody, nor is one without a refresh token.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_cannot_be_refreshed_is_not_claimed<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_cannot_be_refreshed_is_not_claimed");
    let leased = make.leased().await.head;
    let ended = CredentialState::Ended { reason: EndReason::UnacceptableAnswer, at: make.now() };
    make.answer(make.store().release(&release(&leased, ended)).await, "a lease is released");
    let found = make.stands(&leased.owner).await.head;
    make.same(&found.state, &ended, "it says why, and when");
    make.lost(&make.claim(&leased.owner).decided(found.version), "it has ended").await;

    let mut fixed = make.credential(&make.owner().await);
    fixed.secrets.refresh_token = None;
    fixed.head.is_refreshable = false;
    make.put(&PutRequest::new(fixed.clone(), make.now())).await;
    make.lost(&make.claim(&fixed.head.owner), "there is no refresh token").await;
}

/// A new pair takes the place of the one that it was bought with, all of it at once, and ends the lease.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_new_pair_takes_the_place_of_the_one_it_was_bought_with<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_new_pair_takes_the_place_of_the_one_it_was_bought_with");
    let sent = make.sent().await;
    let mut save = make.save(&sent.head);
    save.nonces = nonces(Some("nonce-2"), None);
    make.same(&make.answer(make.store().save(&save).await, "it answers"), &true, "a pair is stored");
    let found = make.stands(&sent.head.owner).await;
    let promised = CredentialHead {
        expires_at: save.expires_at,
        refreshed_at: Some(save.at),
        nonces: nonces(Some("nonce-2"), Some("nonce-r")),
        state: CredentialState::Active,
        lease_until: None,
        version: found.head.version,
        generation: found.head.generation,
        ..sent.head.clone()
    };
    make.same(&found.head, &promised, "everything that came with it is stored, and nothing else changes");
    make.check(found.head.generation > sent.head.generation, "it has a higher generation");
    make.check(found.head.version > sent.head.version, "the lease is over");
    let secrets = StoredSecrets { dpop_key: sent.secrets.dpop_key.clone(), ..save.secrets.clone() };
    make.same_secrets(&found.secrets, &secrets, "the pair is stored, and the key stays");
    make.same(&make.answer(make.store().save(&save).await, "it answers"), &false, "it is stored once");
    make.unchanged(&found, "it stays as it was").await;

    let leased = make.claimed(&make.claim(&sent.head.owner)).await;
    let mut save = make.save(&leased.head);
    let scopes: Scopes = [Scope::new("atproto").expect("a scope")].into_iter().collect();
    (save.scopes, save.expires_at) = (Some(scopes.clone()), None);
    make.same(&make.answer(make.store().save(&save).await, "it answers"), &true, "a pair is stored");
    let found = make.stands(&sent.head.owner).await.head;
    make.same(&(found.scopes, found.expires_at), &(scopes, None), "scopes and expiry are those that came with it");
}

/// What is on its way for a credential that was wiped does not touch the one that was stored after it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_was_under_way_ends_with_a_credential_that_is_wiped<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_was_under_way_ends_with_a_credential_that_is_wiped");
    let (leased, sent) = (make.leased().await.head, make.sent().await.head);
    for before in [&leased, &sent] {
        make.same(&make.answer(make.store().wipe(&before.owner).await, "it answers"), &true, "it is wiped");
        let at = make.now().saturating_add(Duration::from_micros(1));
        make.put(&PutRequest::new(make.credential(&before.owner), at)).await;
        // The next one is leased as well, as the one before was.
        let next = make.claimed(&make.claim(&before.owner)).await;
        let pair = make.answer(make.store().save(&make.save(before)).await, "it answers");
        make.same(&pair, &false, "a pair of the session that was wiped is not stored");
        let mark = make.answer(make.store().mark(&make.mark(before)).await, "it answers");
        make.same(&mark, &false, "nor is anything sent under its lease");
        let released = make.store().release(&release(before, CredentialState::Active)).await;
        make.same(&make.answer(released, "it answers"), &false, "nor is the new lease ended by its holder");
        make.unchanged(&next, "nothing of the new session has changed").await;
    }
}

/// A pair is stored over the one that it was bought with even if the lease is another's by now: it is the only one that
/// the server still takes.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_pair_that_comes_late_is_not_lost<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_pair_that_comes_late_is_not_lost");
    let sent = make.sent().await.head;
    let over = sent.lease_until.unwrap_or_else(|| make.now());
    let decided = ClaimRequest::new(sent.owner.clone(), over, over.saturating_add(LEASE)).decided(sent.version);
    let other = make.claimed(&decided).await.head;
    make.same(&make.answer(make.store().save(&make.save(&sent)).await, "it answers"), &true, "a late pair is stored");
    let mark = MarkRequest::new(other.owner.clone(), other.version, over, over.saturating_add(LEASE));
    make.same(&make.answer(make.store().mark(&mark).await, "it answers"), &false, "the other may not send any more");
    make.same(
        &make.answer(make.store().save(&make.save(&other)).await, "it answers"),
        &false,
        "nor store a pair over it",
    );

    let ended = make.sent().await.head;
    let state = CredentialState::Ended { reason: EndReason::InvalidGrant, at: make.now() };
    make.answer(make.store().release(&release(&ended, state)).await, "a lease is released");
    let save = make.save(&ended);
    make.same(&make.answer(make.store().save(&save).await, "it answers"), &true, "a late pair is stored");
    let found = make.stands(&ended.owner).await.head;
    let promised = (CredentialState::Active, Some(save.at));
    make.same(&(found.state, found.expires_at), &promised, "over a session that has ended it counts as expired");

    let uncertain = make.sent().await.head;
    let state = CredentialState::Uncertain { since: make.now() };
    make.answer(make.store().release(&release(&uncertain, state)).await, "a lease is released");
    make.same(
        &make.answer(make.store().save(&make.save(&uncertain)).await, "it answers"),
        &true,
        "a late pair is stored",
    );
    make.same(&make.stands(&uncertain.owner).await.head.state, &CredentialState::Active, "nothing is uncertain then");
}

/// A lease is ended by its holder, with what is known then, and by nobody else.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_lease_is_ended_by_its_holder_alone<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_lease_is_ended_by_its_holder_alone");
    let states = [
        CredentialState::Active,
        CredentialState::Uncertain { since: make.now() },
        CredentialState::Ended { reason: EndReason::InvalidGrant, at: make.now() },
        CredentialState::Ended { reason: EndReason::UnacceptableAnswer, at: make.now() },
    ];
    for state in states {
        let sent = make.sent().await;
        let mut request = release(&sent.head, state);
        request.version += 1;
        make.same(&make.answer(make.store().release(&request).await, "it answers"), &false, "another's is not ended");
        make.unchanged(&sent, "it stays as it was").await;
        request.version -= 1;
        request.nonces = nonces(None, Some("nonce-2"));
        make.same(&make.answer(make.store().release(&request).await, "it answers"), &true, "its own is");
        let found = make.stands(&sent.head.owner).await;
        let promised = CredentialHead {
            state,
            lease_until: None,
            nonces: nonces(Some("nonce-a"), Some("nonce-2")),
            version: found.head.version,
            ..sent.head.clone()
        };
        make.same(&found.head, &promised, "the state is stored, and nothing else changes");
        make.same_secrets(&found.secrets, &sent.secrets, "the secrets stay");
        make.check(found.head.version > sent.head.version, "the lease is over");
        make.same(&make.answer(make.store().release(&request).await, "it answers"), &false, "it is ended once");
    }
}

/// The newest nonce of each server is kept; a server that gives none, or an empty one, keeps the one before.
///
/// # Panics
/// When the store breaks this promise.
pub async fn the_newest_nonces_are_kept<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "the_newest_nonces_are_kept");
    let record = make.leased().await;
    let note = async |generation, new| {
        let request = NonceRequest::new(record.head.owner.clone(), generation, new);
        make.answer(make.store().note_nonces(&request).await, "nonces are noted")
    };
    let generation = record.head.generation;
    make.same(&note(generation, nonces(Some("a2"), None)).await, &true, "a nonce is noted");
    make.same(&note(generation, nonces(Some(""), Some("r2"))).await, &true, "a nonce is noted");
    make.same(&note(generation + 1, nonces(Some("a3"), Some("r3"))).await, &false, "one of another pair is not");
    let promised = CredentialHead { nonces: nonces(Some("a2"), Some("r2")), ..record.head.clone() };
    make.same(&make.stands(&record.head.owner).await.head, &promised, "nothing else changes, the lease neither");
}
