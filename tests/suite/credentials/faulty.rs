//! The conformance suite itself is proved: each of many faulty stores is caught by the promise that it breaks.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use async_trait::async_trait;
use keyward::credential::{CredentialHead, CredentialRecord, CredentialState, Nonces, StoredSecrets};
use keyward::key::OwnerId;
use keyward::seal::StoredSecret;
use keyward::store::StoreError;
use keyward::store::credentials::conformance::{self, Subject};
use keyward::store::credentials::{
    Claim, ClaimRequest, CredentialListRequest, CredentialStore, MarkRequest, NonceRequest, Over, PutRequest,
    ReleaseRequest, ResealRequest, SaveRequest, Sealing,
};

/// What a store does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    PutOverwrites,
    PutIgnoresTheGeneration,
    PutInsertsWhatIsNotThere,
    PutKeepsTheGeneration,
    PutCountsFromOne,
    PutKeepsTheLease,
    PutKeepsTheState,
    PutLosesTheDpopKey,
    PutLosesTheFraction,
    ClaimIgnoresTheLease,
    ClaimNeverEnds,
    ClaimBelievesEveryClock,
    ClaimKeepsTheVersion,
    ClaimTakesWhatWasSent,
    ClaimRefusesDecisions,
    ClaimBelievesOldDecisions,
    ClaimForgetsWhatWasSent,
    ClaimTakesEnded,
    ClaimTakesWithoutRefreshToken,
    LostClaimsAreGone,
    MarkIgnoresTheVersion,
    MarkIgnoresTheEnd,
    MarkTwice,
    MarkKeepsTheLease,
    SaveIgnoresTheGeneration,
    SaveNeedsTheLease,
    SaveLosesTheDpopKey,
    SaveLosesNonces,
    SaveForgetsScopes,
    SaveKeepsTheExpiry,
    SaveKeepsTheLease,
    SaveKeepsTheState,
    SaveBelievesTheDead,
    ReleaseIgnoresTheVersion,
    ReleaseAlwaysActive,
    ReleaseLosesNonces,
    NoncesTakeEmptyOnes,
    NoncesIgnoreTheGeneration,
    ResealIgnoresTheVersion,
    ResealIgnoresTheLease,
    ResealCountsTheVersion,
    ResealLooksAtTheAccessTokenAlone,
    ListIgnoresTheDeadline,
    ListForgetsUnknownExpiries,
    ListShowsEnded,
    ListRepeatsTheLast,
    ListIgnoresTheLimit,
    WipeLeavesIt,
    OwnersIgnoreCase,
    ForgetsOnReopening,
}

use Fault::*;

/// Each fault, and the promise that catches it.
const FAULTS: &[(Fault, &str)] = &[
    (PutOverwrites, "put_replaces_only_what_it_names"),
    (PutIgnoresTheGeneration, "put_replaces_only_what_it_names"),
    (PutInsertsWhatIsNotThere, "put_replaces_only_what_it_names"),
    (PutKeepsTheGeneration, "put_replaces_only_what_it_names"),
    (PutKeepsTheLease, "a_new_authorization_ends_what_was_under_way"),
    (PutKeepsTheState, "a_new_authorization_ends_what_was_under_way"),
    (PutLosesTheDpopKey, "what_was_put_is_there"),
    (PutLosesTheFraction, "what_was_put_is_there"),
    (ClaimIgnoresTheLease, "one_lease_at_a_time"),
    (ClaimNeverEnds, "one_lease_at_a_time"),
    (ClaimBelievesEveryClock, "a_lease_from_a_wrong_clock_keeps_nobody_away"),
    (ClaimKeepsTheVersion, "one_lease_at_a_time"),
    (ClaimTakesWhatWasSent, "what_was_sent_is_claimed_by_decision_only"),
    (ClaimBelievesOldDecisions, "what_was_sent_is_claimed_by_decision_only"),
    (ClaimForgetsWhatWasSent, "what_was_sent_is_claimed_by_decision_only"),
    (ClaimRefusesDecisions, "what_was_sent_is_claimed_by_decision_only"),
    (ClaimTakesEnded, "what_cannot_be_refreshed_is_not_claimed"),
    (ClaimTakesWithoutRefreshToken, "what_cannot_be_refreshed_is_not_claimed"),
    (LostClaimsAreGone, "one_lease_at_a_time"),
    (MarkIgnoresTheVersion, "only_the_holder_of_a_lease_may_send"),
    (MarkIgnoresTheEnd, "only_the_holder_of_a_lease_may_send"),
    (MarkTwice, "only_the_holder_of_a_lease_may_send"),
    (MarkKeepsTheLease, "only_the_holder_of_a_lease_may_send"),
    (SaveIgnoresTheGeneration, "a_new_pair_takes_the_place_of_the_one_it_was_bought_with"),
    (SaveNeedsTheLease, "a_pair_that_comes_late_is_not_lost"),
    (SaveLosesTheDpopKey, "a_new_pair_takes_the_place_of_the_one_it_was_bought_with"),
    (SaveLosesNonces, "a_new_pair_takes_the_place_of_the_one_it_was_bought_with"),
    (SaveForgetsScopes, "a_new_pair_takes_the_place_of_the_one_it_was_bought_with"),
    (SaveKeepsTheExpiry, "a_new_pair_takes_the_place_of_the_one_it_was_bought_with"),
    (SaveKeepsTheLease, "a_new_pair_takes_the_place_of_the_one_it_was_bought_with"),
    (SaveBelievesTheDead, "a_pair_that_comes_late_is_not_lost"),
    (SaveKeepsTheState, "a_pair_that_comes_late_is_not_lost"),
    (ReleaseIgnoresTheVersion, "a_lease_is_ended_by_its_holder_alone"),
    (ReleaseAlwaysActive, "a_lease_is_ended_by_its_holder_alone"),
    (ReleaseLosesNonces, "a_lease_is_ended_by_its_holder_alone"),
    (NoncesTakeEmptyOnes, "the_newest_nonces_are_kept"),
    (NoncesIgnoreTheGeneration, "the_newest_nonces_are_kept"),
    (ResealIgnoresTheVersion, "secrets_are_sealed_anew_and_nothing_else_changes"),
    (ResealIgnoresTheLease, "secrets_are_sealed_anew_and_nothing_else_changes"),
    (ResealCountsTheVersion, "secrets_are_sealed_anew_and_nothing_else_changes"),
    (ResealLooksAtTheAccessTokenAlone, "secrets_are_sealed_anew_and_nothing_else_changes"),
    (ListIgnoresTheDeadline, "those_that_are_due_are_listed"),
    (ListForgetsUnknownExpiries, "those_that_are_due_are_listed"),
    (ListShowsEnded, "those_that_are_due_are_listed"),
    (ListRepeatsTheLast, "credentials_are_listed_in_pages"),
    (ListIgnoresTheLimit, "credentials_are_listed_in_pages"),
    (WipeLeavesIt, "absence_is_an_answer"),
    (OwnersIgnoreCase, "owners_are_compared_exactly"),
    (ForgetsOnReopening, "what_was_written_is_there_after_reopening"),
];

type Rows = BTreeMap<String, CredentialRecord>;

/// A store as simple as can be, with one fault or none.
#[derive(Clone, Debug)]
struct Store {
    rows: Arc<Mutex<Rows>>,
    fault: Option<Fault>,
}

impl Store {
    fn new(fault: Option<Fault>) -> Self {
        Self { rows: Arc::default(), fault }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    fn name(&self, owner: &OwnerId) -> String {
        if self.has(OwnersIgnoreCase) { owner.as_str().to_lowercase() } else { owner.as_str().to_owned() }
    }

    fn updated(&self, known: Nonces, newer: &Nonces) -> Nonces {
        if self.has(NoncesTakeEmptyOnes) { newer.clone() } else { known.updated(newer.clone()) }
    }

    fn is_leased(&self, head: &CredentialHead, at: keyward::Timestamp) -> bool {
        if self.has(ClaimBelievesEveryClock) {
            return head.lease_until.is_some_and(|until| until > at);
        }
        head.is_leased(at)
    }
}

#[async_trait]
impl CredentialStore for Store {
    fn schema(&self) -> &'static str {
        "faulty"
    }

    fn sealing(&self) -> Sealing {
        Sealing::Service
    }

    async fn get(&self, owner: &OwnerId) -> Result<Option<CredentialRecord>, StoreError> {
        Ok(self.rows().get(&self.name(owner)).cloned())
    }

    async fn list(&self, request: &CredentialListRequest) -> Result<Vec<CredentialHead>, StoreError> {
        let is_due = |head: &CredentialHead, by| {
            let expires = head.expires_at.map_or_else(|| !self.has(ListForgetsUnknownExpiries), |at| at <= by);
            let has_ended = matches!(head.state, CredentialState::Ended { .. }) && !self.has(ListShowsEnded);
            self.has(ListIgnoresTheDeadline) || head.is_refreshable && expires && !has_ended
        };
        let is_old = |record: &CredentialRecord, id| {
            let StoredSecrets { access_token, refresh_token, dpop_key, .. } = &record.secrets;
            let all = [access_token, refresh_token, dpop_key];
            let some = if self.has(ResealLooksAtTheAccessTokenAlone) { &all[..1] } else { &all[..] };
            some.iter().filter_map(|secret| secret.as_ref()).any(|secret| match secret {
                StoredSecret::Sealed(sealed) => sealed.key_id() != id,
                _ => true,
            })
        };
        let rows = self.rows();
        let mut found = Vec::new();
        for (name, record) in rows.iter() {
            let is_behind = request.after.as_ref().is_none_or(|after| {
                let is_last =
                    self.has(ListRepeatsTheLast) && rows.last_key_value().is_some_and(|(last, _)| last != name);
                name.as_str() > after.as_str() || is_last && name == after.as_str()
            });
            let filter = &request.filter;
            let meets = filter.due_by.is_none_or(|by| is_due(&record.head, by))
                && filter.not_sealed_with.as_ref().is_none_or(|id| is_old(record, id));
            let has_room = found.len() < request.limit as usize || self.has(ListIgnoresTheLimit);
            if is_behind && meets && has_room {
                found.push(record.head.clone());
            }
        }
        // One that repeats for ever would end no test.
        if self.has(ListRepeatsTheLast) && found.len() == 1 && request.after.as_ref() == Some(&found[0].owner) {
            found.clear();
        }
        Ok(found)
    }

    async fn put(&self, request: &PutRequest) -> Result<(), StoreError> {
        let mut rows = self.rows();
        let mut record = request.record.clone();
        let before = rows.get(&self.name(&record.head.owner)).map(|before| before.head.clone());
        let is_expected = match (request.over, &before) {
            (Over::Nothing, None) | (Over::Anything, _) => true,
            (Over::Nothing, Some(_)) => self.has(PutOverwrites),
            (Over::Generation(generation), Some(before)) => {
                before.generation == generation || self.has(PutIgnoresTheGeneration)
            }
            (Over::Generation(_), None) => self.has(PutInsertsWhatIsNotThere),
            _ => false,
        };
        if !is_expected {
            return Err(StoreError::Conflict);
        }
        let head = &mut record.head;
        let first = if self.has(PutCountsFromOne) { 1 } else { request.first_version() };
        head.version = before.as_ref().map_or(first, |before| before.version + 1);
        head.generation = before.as_ref().map_or(first, |before| before.generation + 1);
        head.refreshed_at = Some(request.at);
        (head.state, head.lease_until) = (CredentialState::Active, None);
        if let Some(before) = before {
            if self.has(PutKeepsTheGeneration) {
                head.generation = before.generation;
            }
            if self.has(PutKeepsTheLease) {
                head.lease_until = before.lease_until;
            }
            if self.has(PutKeepsTheState) {
                head.state = before.state;
            }
        }
        if self.has(PutLosesTheDpopKey) {
            record.secrets.dpop_key = None;
        }
        if self.has(PutLosesTheFraction) {
            let whole =
                |at: keyward::Timestamp| keyward::Timestamp::from_micros(at.as_micros() / 1_000_000 * 1_000_000);
            record.head.expires_at = record.head.expires_at.map(whole);
        }
        rows.insert(self.name(&record.head.owner), record);
        Ok(())
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        let mut rows = self.rows();
        let Some(record) = rows.get_mut(&self.name(&request.owner)) else { return Ok(Claim::Gone) };
        let leased = self.is_leased(&record.head, request.at) && !self.has(ClaimIgnoresTheLease)
            || self.has(ClaimNeverEnds) && record.head.lease_until.is_some();
        let decided = request.decided == Some(record.head.version) && !self.has(ClaimRefusesDecisions)
            || request.decided.is_some() && self.has(ClaimBelievesOldDecisions)
            || self.has(ClaimTakesWhatWasSent);
        let is_open = match record.head.state {
            CredentialState::Active => true,
            CredentialState::Ended { .. } => self.has(ClaimTakesEnded),
            _ => decided,
        };
        let is_refreshable = record.head.is_refreshable || self.has(ClaimTakesWithoutRefreshToken);
        if leased || !is_open || !is_refreshable {
            return Ok(if self.has(LostClaimsAreGone) { Claim::Gone } else { Claim::Lost(Box::new(record.clone())) });
        }
        record.head.version += u64::from(!self.has(ClaimKeepsTheVersion));
        record.head.lease_until = Some(request.until);
        match record.head.state {
            _ if self.has(ClaimForgetsWhatWasSent) => record.head.state = CredentialState::Active,
            CredentialState::Sent { at: since } => record.head.state = CredentialState::Uncertain { since },
            _ => {}
        }
        Ok(Claim::Won(Box::new(record.clone())))
    }

    async fn mark(&self, request: &MarkRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(CredentialRecord { head, .. }) = rows.get_mut(&self.name(&request.owner)) else { return Ok(false) };
        let holds = (head.version == request.version || self.has(MarkIgnoresTheVersion))
            && (head.is_leased(request.at) || self.has(MarkIgnoresTheEnd) && head.lease_until.is_some())
            && (!matches!(head.state, CredentialState::Sent { .. }) || self.has(MarkTwice));
        if holds {
            head.state = CredentialState::Sent { at: request.at };
            if !self.has(MarkKeepsTheLease) {
                head.lease_until = Some(request.until);
            }
        }
        Ok(holds)
    }

    async fn save(&self, request: &SaveRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(record) = rows.get_mut(&self.name(&request.owner)) else { return Ok(false) };
        let head = &mut record.head;
        let holds = (head.generation == request.generation || self.has(SaveIgnoresTheGeneration))
            && (matches!(head.state, CredentialState::Sent { .. }) || !self.has(SaveNeedsTheLease));
        if !holds {
            return Ok(false);
        }
        (head.version, head.generation) = (head.version + 1, head.generation + 1);
        head.refreshed_at = Some(request.at);
        let has_ended = matches!(head.state, CredentialState::Ended { .. }) && !self.has(SaveBelievesTheDead);
        if !self.has(SaveKeepsTheLease) {
            head.lease_until = None;
        }
        if !self.has(SaveKeepsTheState) || matches!(head.state, CredentialState::Sent { .. }) {
            head.state = CredentialState::Active;
        }
        if !self.has(SaveKeepsTheExpiry) {
            head.expires_at = if has_ended { Some(request.at) } else { request.expires_at };
        }
        head.scopes = match &request.scopes {
            None if self.has(SaveForgetsScopes) => keyward::key::Scopes::default(),
            None => head.scopes.clone(),
            Some(scopes) => scopes.clone(),
        };
        if !self.has(SaveLosesNonces) {
            head.nonces = self.updated(head.nonces.clone(), &request.nonces);
        }
        let key = record.secrets.dpop_key.take().filter(|_| !self.has(SaveLosesTheDpopKey));
        record.secrets = request.secrets.clone();
        record.secrets.dpop_key = key;
        Ok(true)
    }

    async fn release(&self, request: &ReleaseRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(CredentialRecord { head, .. }) = rows.get_mut(&self.name(&request.owner)) else { return Ok(false) };
        let is_holder = head.version == request.version || self.has(ReleaseIgnoresTheVersion);
        if !is_holder || head.lease_until.is_none() {
            return Ok(false);
        }
        head.version += 1;
        head.lease_until = None;
        head.state = if self.has(ReleaseAlwaysActive) { CredentialState::Active } else { request.state };
        if !self.has(ReleaseLosesNonces) {
            head.nonces = self.updated(head.nonces.clone(), &request.nonces);
        }
        Ok(true)
    }

    async fn note_nonces(&self, request: &NonceRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(CredentialRecord { head, .. }) = rows.get_mut(&self.name(&request.owner)) else { return Ok(false) };
        if head.generation != request.generation && !self.has(NoncesIgnoreTheGeneration) {
            return Ok(false);
        }
        head.nonces = self.updated(head.nonces.clone(), &request.nonces);
        Ok(true)
    }

    async fn reseal(&self, request: &ResealRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(record) = rows.get_mut(&self.name(&request.owner)) else { return Ok(false) };
        let head = &mut record.head;
        let is_same = head.generation == request.generation
            && (head.version == request.version || self.has(ResealIgnoresTheVersion));
        if !is_same || head.is_leased(request.at) && !self.has(ResealIgnoresTheLease) {
            return Ok(false);
        }
        head.version += u64::from(self.has(ResealCountsTheVersion));
        record.secrets = request.secrets.clone();
        Ok(true)
    }

    async fn wipe(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        if self.has(WipeLeavesIt) {
            return Ok(self.rows().contains_key(&self.name(owner)));
        }
        Ok(self.rows().remove(&self.name(owner)).is_some())
    }
}

#[async_trait]
impl Subject for Store {
    fn store(&self) -> &dyn CredentialStore {
        self
    }

    async fn add_owner(&self, _owner: &OwnerId) {}

    async fn reopen(&self) -> Option<Arc<dyn CredentialStore>> {
        if self.has(ForgetsOnReopening) {
            return Some(Arc::new(Self::new(None)));
        }
        Some(Arc::new(self.clone()))
    }
}

#[tokio::test]
async fn a_store_without_a_fault_keeps_every_promise() {
    conformance::run(&Store::new(None)).await;
}

#[tokio::test]
async fn every_faulty_store_is_caught_by_the_promise_that_it_breaks() {
    for (fault, promise) in FAULTS {
        assert!(conformance::PROMISES.contains(promise), "{promise}");
        let complaint = complaint(*fault, promise).await;
        let complaint = complaint.unwrap_or_else(|| panic!("{fault:?} passes {promise}"));
        assert!(complaint.contains(promise), "{fault:?}: {complaint}");
    }
}

/// What the suite says about one promise of a store; `None` when it is kept.
async fn complaint(fault: Fault, promise: &str) -> Option<String> {
    let store = Store::new(Some(fault));
    let mut check = pin!(conformance::check(&store, promise));
    let checked = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| check.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(None),
        Err(panic) => Poll::Ready(Some(panic)),
    });
    let panic = checked.await?;
    Some(panic.downcast_ref::<String>().map_or_else(|| "a panic without a message".to_owned(), Clone::clone))
}
