//! The conformance suite itself is proved: each of many faulty stores is caught by the promise that it breaks.

mod store;

use keyward::store::credentials::conformance;

use crate::support::complaint::complaint_in_the_end;
use store::Store;

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

#[tokio::test]
async fn a_store_without_a_fault_keeps_every_promise() {
    conformance::run(&Store::new(None)).await;
}

#[tokio::test]
async fn every_faulty_store_is_caught_by_the_promise_that_it_breaks() {
    for (fault, promise) in FAULTS {
        assert!(conformance::PROMISES.contains(promise), "{promise}");
        let check = || async {
            let store = Store::new(Some(*fault));
            conformance::check(&store, promise).await;
        };
        let complaint = complaint_in_the_end(check).await.unwrap_or_else(|| panic!("{fault:?} passes {promise}"));
        assert!(complaint.contains(promise), "{fault:?}: {complaint}");
    }
}
