//! What is stored, listed, sealed anew and wiped.

use std::time::Duration;

use crate::credential::{CredentialHead, CredentialState, EndReason, StoredSecrets};
use crate::key::OwnerId;
use crate::store::StoreError;
use crate::store::credentials::conformance::Subject;
use crate::store::credentials::conformance::maker::{Maker, nonces, release};
use crate::store::credentials::{
    Claim, CredentialFilter, CredentialListRequest, NonceRequest, Over, PutRequest, ResealRequest, Sealing,
};

/// What was stored is read back, every field of it, and nothing is in a lease.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_was_put_is_there<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_was_put_is_there");
    let full = make.credential(&make.owner().await);
    let mut bare = make.credential(&make.owner().await);
    let empty = CredentialHead::new(
        bare.head.owner.clone(),
        "client",
        "https://issuer.example",
        "https://issuer.example/token",
    );
    bare.head = CredentialHead { is_refreshable: false, ..empty };
    bare.secrets = StoredSecrets::new(make.secret());
    for record in [full, bare] {
        let at = make.now();
        make.put(&PutRequest::new(record.clone(), at)).await;
        let found = make.stands(&record.head.owner).await;
        let promised = CredentialHead { refreshed_at: Some(at), ..record.head };
        let version = (found.head.version, found.head.generation);
        make.check(version.0 > 0 && version.1 > 0, "version and generation are counted up from more than 0");
        let promised = CredentialHead { version: version.0, generation: version.1, ..promised };
        make.same(&found.head, &promised, "a credential is read as it was stored");
        make.same_secrets(&found.secrets, &record.secrets, "its secrets are read as they were stored");
    }
}

/// A credential takes another's place only where the request names that one, or says that it does not matter.
///
/// # Panics
/// When the store breaks this promise.
pub async fn put_replaces_only_what_it_names<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "put_replaces_only_what_it_names");
    let first = make.stored().await;
    let owner = &first.head.owner;
    let next = make.credential(owner);
    for over in [Over::Nothing, Over::Generation(first.head.generation + 1)] {
        let refused = make.store().put(&PutRequest::new(next.clone(), make.now()).over(over)).await;
        make.check(matches!(refused, Err(StoreError::Conflict)), "one that is not named is not replaced");
        make.unchanged(&first, "it stays as it was").await;
    }
    make.put(&PutRequest::new(next.clone(), make.now()).over(Over::Generation(first.head.generation))).await;
    let second = make.stands(owner).await;
    make.same_secrets(&second.secrets, &next.secrets, "one that is named is replaced");
    make.check(second.head.generation > first.head.generation, "a new pair has a higher generation");
    make.check(second.head.version > first.head.version, "whoever has a lease loses it");
    make.put(&PutRequest::new(make.credential(owner), make.now()).over(Over::Anything)).await;

    let none = make.credential(&make.owner().await);
    let refused = make.store().put(&PutRequest::new(none.clone(), make.now()).over(Over::Generation(1))).await;
    make.check(matches!(refused, Err(StoreError::Conflict)), "one that is not there is not replaced");
    make.put(&PutRequest::new(none, make.now()).over(Over::Anything)).await;
}

/// A new authorization ends what was under way: the lease, the mark, and an end.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_new_authorization_ends_what_was_under_way<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_new_authorization_ends_what_was_under_way");
    let sent = make.sent().await;
    let late = make.save(&sent.head);
    let owner = &sent.head.owner;
    let next = make.credential(owner);
    make.put(&PutRequest::new(next.clone(), make.now()).over(Over::Anything)).await;
    let found = make.stands(owner).await;
    make.same(&found.head.state, &CredentialState::Active, "it is active");
    make.same(&found.head.lease_until, &None, "nobody has a lease of it");
    let saved = make.answer(make.store().save(&late).await, "a pair that comes late is no error");
    make.same(&saved, &false, "what the session before it bought is not stored over it");
    make.unchanged(&found, "it stays as it was").await;

    let leased = make.leased().await;
    let ended = CredentialState::Ended { reason: EndReason::InvalidGrant, at: make.now() };
    make.answer(make.store().release(&release(&leased.head, ended)).await, "a lease is released");
    make.put(&PutRequest::new(make.credential(&leased.head.owner), make.now()).over(Over::Anything)).await;
    make.claimed(&make.claim(&leased.head.owner)).await;
}

/// What is not there is no error.
///
/// # Panics
/// When the store breaks this promise.
pub async fn absence_is_an_answer<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "absence_is_an_answer");
    let store = make.store();
    let gone = make.stored().await;
    make.same(&make.answer(store.wipe(&gone.head.owner).await, "a credential is wiped"), &true, "it was there");
    let known = make.owner().await;
    let unknown = OwnerId::new("did:example:nobody").expect("the name is sound");
    for owner in [&gone.head.owner, &known, &unknown] {
        let head = CredentialHead { owner: owner.clone(), ..gone.head.clone() };
        make.check(make.answer(store.get(owner).await, "nothing is read").is_none(), "there is no credential");
        let claim = make.answer(store.claim(&make.claim(owner)).await, "nothing is claimed");
        make.check(matches!(claim, Claim::Gone), "there is nothing to claim");
        let answers = [
            store.mark(&make.mark(&head)).await,
            store.save(&make.save(&head)).await,
            store.release(&release(&head, CredentialState::Active)).await,
            store.note_nonces(&NonceRequest::new(owner.clone(), 1, nonces(Some("a"), None))).await,
            store.reseal(&ResealRequest::new(owner.clone(), 1, 1, make.secrets(), make.now())).await,
            store.wipe(owner).await,
        ];
        for answer in answers {
            make.same(&make.answer(answer, "nothing happens to nothing"), &false, "nothing was changed");
        }
    }
}

/// Owners whose names differ in the case of a letter are two.
///
/// # Panics
/// When the store breaks this promise.
pub async fn owners_are_compared_exactly<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "owners_are_compared_exactly");
    let record = make.stored().await;
    let other = OwnerId::new(record.head.owner.as_str().to_uppercase()).expect("the name is sound");
    make.check(make.answer(make.store().get(&other).await, "nothing is read").is_none(), "another owner has none");
    make.same(
        &make.answer(make.store().wipe(&other).await, "nothing is wiped"),
        &false,
        "another owner's is not wiped",
    );
    make.unchanged(&record, "it stays as it was").await;
}

/// Credentials are listed in the order of their owners, page by page, none twice and none left out.
///
/// # Panics
/// When the store breaks this promise.
pub async fn credentials_are_listed_in_pages<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "credentials_are_listed_in_pages");
    let mut promised = Vec::new();
    for _ in 0..5 {
        promised.push(make.stored().await.head);
    }
    promised.sort_by(|one, other| one.owner.cmp(&other.owner));
    let found = pages(&make, &CredentialFilter::default(), 2).await;
    let found: Vec<_> = found.into_iter().filter(|head| promised.iter().any(|one| one.owner == head.owner)).collect();
    make.same(&found, &promised, "each of them once, in order, as it was stored");
}

/// A refresh is due where there is a refresh token, the access token expires by then or nobody knows when, and no
/// authorization has to come first.
///
/// # Panics
/// When the store breaks this promise.
pub async fn those_that_are_due_are_listed<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "those_that_are_due_are_listed");
    let deadline = make.now().saturating_add(Duration::from_hours(24));
    let by = |seconds| Some(deadline.saturating_add(Duration::from_secs(seconds)));
    let (mut due, mut not_due) = (Vec::new(), Vec::new());
    for (expires_at, is_due) in [(Some(deadline), true), (None, true), (by(1), false)] {
        let mut record = make.credential(&make.owner().await);
        record.head.expires_at = expires_at;
        make.put(&PutRequest::new(record.clone(), make.now())).await;
        if is_due { &mut due } else { &mut not_due }.push(record.head.owner);
    }
    let mut fixed = make.credential(&make.owner().await);
    fixed.head.is_refreshable = false;
    fixed.secrets.refresh_token = None;
    make.put(&PutRequest::new(fixed.clone(), make.now())).await;
    not_due.push(fixed.head.owner);
    let ended = make.leased().await.head;
    let state = CredentialState::Ended { reason: EndReason::InvalidGrant, at: make.now() };
    make.answer(make.store().release(&release(&ended, state)).await, "a lease is released");
    not_due.push(ended.owner);
    due.push(make.sent().await.head.owner);

    let filter = CredentialFilter { due_by: Some(deadline), ..CredentialFilter::default() };
    let found: Vec<_> = pages(&make, &filter, 1).await.into_iter().map(|head| head.owner).collect();
    for owner in due {
        make.check(found.contains(&owner), format_args!("{owner} is due"));
    }
    for owner in not_due {
        make.check(!found.contains(&owner), format_args!("{owner} is not due"));
    }
}

/// Secrets are put in other envelopes only if nothing else has changed, and nobody has a lease; they are the same
/// credential afterwards. Those that are still in the old ones are found.
///
/// # Panics
/// When the store breaks this promise.
pub async fn secrets_are_sealed_anew_and_nothing_else_changes<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "secrets_are_sealed_anew_and_nothing_else_changes");
    if make.store().sealing() == Sealing::Store {
        return;
    }
    let filter =
        CredentialFilter { not_sealed_with: Some("second".parse().expect("a name")), ..CredentialFilter::default() };
    let record = make.stored().await;
    let owner = &record.head.owner;
    let is_found = async || pages(&make, &filter, 100).await.iter().any(|head| head.owner == *owner);
    make.check(is_found().await, "one that is sealed with another key is found");
    let (version, generation) = (record.head.version, record.head.generation);
    let mut secrets = StoredSecrets::new(make.secret_sealed_with("second"));
    secrets.refresh_token = Some(make.secret_sealed_with("second"));
    secrets.dpop_key = Some(make.secret());
    let reseal = async |version, generation, secrets: &StoredSecrets| {
        let request = ResealRequest::new(owner.clone(), version, generation, secrets.clone(), make.now());
        make.answer(make.store().reseal(&request).await, "secrets are sealed anew")
    };
    make.same(&reseal(version + 1, generation, &secrets).await, &false, "one of another version is not");
    make.same(&reseal(version, generation + 1, &secrets).await, &false, "one of another generation is not");
    make.unchanged(&record, "it stays as it was").await;
    make.same(&reseal(version, generation, &secrets).await, &true, "one that is as it was read is");
    make.check(is_found().await, "one with a single envelope of another key is found");
    secrets.dpop_key = Some(make.secret_sealed_with("second"));
    make.same(&reseal(version, generation, &secrets).await, &true, "and once more");
    let found = make.stands(owner).await;
    make.same(&found.head, &record.head, "nothing else has changed");
    make.same_secrets(&found.secrets, &secrets, "the envelopes are the new ones");
    make.check(!is_found().await, "one that is sealed with this key alone is not found");

    let leased = make.leased().await;
    let request =
        ResealRequest::new(leased.head.owner.clone(), leased.head.version, leased.head.generation, secrets, make.now());
    make.same(&make.answer(make.store().reseal(&request).await, "it answers"), &false, "one that is leased is not");
    make.unchanged(&leased, "it stays as it was").await;
}

/// What was reported as stored is there when the store is opened again.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_was_written_is_there_after_reopening<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_was_written_is_there_after_reopening");
    let records = [make.stored().await, make.leased().await, make.sent().await];
    let Some(reopened) = subject.reopen().await else { return };
    for record in records {
        let found = make.answer(reopened.get(&record.head.owner).await, "a credential is read");
        make.check(found.is_some(), "the credential is there");
        let Some(found) = found else { return };
        make.same(&found.head, &record.head, "it is as it was");
        make.same_secrets(&found.secrets, &record.secrets, "its secrets are as they were");
    }
}

/// All that meet a filter, page by page.
async fn pages<S: Subject>(make: &Maker<'_, S>, filter: &CredentialFilter, limit: u32) -> Vec<CredentialHead> {
    let mut found: Vec<CredentialHead> = Vec::new();
    loop {
        let after = found.last().map(|head| head.owner.clone());
        let request = CredentialListRequest::new(filter.clone(), limit).after(after);
        let page = make.answer(make.store().list(&request).await, "credentials are listed");
        make.check(page.len() <= limit as usize, "a page has as many as its limit allows");
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}
