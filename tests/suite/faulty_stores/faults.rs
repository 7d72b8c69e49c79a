//! Every fault, and the promise that it breaks.

/// Declares the faults, and which promise of the suite each of them breaks.
macro_rules! faults {
    ($($promise:ident { $($fault:ident),+ $(,)? })+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Fault {
            $($($fault,)+)+
        }

        /// Each fault with the name of its promise.
        pub(super) const FAULTS: &[(Fault, &str)] = &[$($((Fault::$fault, stringify!($promise)),)+)+];
    };
}

faults! {
    what_was_inserted_is_found { FindsNothing, LosesTheFraction, LosesTheExpiry, LosesWhoIssued }
    a_lookup_filters_nothing {
        FindComparesTheExpiryWithTheWallClock, FindHidesRevokedKeys, FindHidesDisabledKeys, ListHidesDeadKeys,
    }
    what_was_written_is_there_after_reopening { ForgetsEverything, ForgetsRevocations }
    absence_is_an_answer { AbsenceIsAnError, RevokingAnUnknownKeySucceeds, TouchingAnUnknownKeyIsAnError }
    an_owner_that_was_added_exists { NoOwnerExists }
    what_a_store_cannot_do_it_refuses { ChangesWhatItSaysItCannot, SearchesByLessThanItWasAsked }
    keys_are_listed_newest_first_in_pages {
        ListIsOldestFirst, ListIgnoresTheCursor, CursorSkipsEqualTimes, UnknownCursorIsTheBeginning,
        CursorMayBeOfAnotherOwner,
    }
    the_start_of_an_identity_or_prefix_finds_keys { StartIsIgnored, StartIsAPattern, StartIsFoundAnywhere }
    the_start_is_compared_letter_for_letter { StartIgnoresCase }
    keys_of_one_owner_never_show_under_another { ListIgnoresTheOwner }
    a_page_has_as_many_keys_as_its_limit_allows { ListIgnoresTheLimit, LimitOfZeroIsNoLimit }
    as_many_keys_are_counted_as_listed { CountIgnoresTheState, CountStopsAtTheLimit }
    identities_are_compared_exactly { GetIgnoresCase, RevocationIgnoresCase, TouchIgnoresCase, RotationIgnoresCase }
    owners_are_compared_exactly { ListIgnoresTheCaseOfOwners, RevocationOfAllIgnoresCase }
    keys_are_found_by_their_state { StateIgnoresTheExpiry }
    keys_are_found_by_name_and_environment { NameIgnoresCase, EnvironmentIsIgnored }
    keys_are_found_by_expiry_and_last_use { ExpiringBeforeIncludesTheInstant, UnusedSinceSkipsKeysThatWereNeverUsed }
    keys_are_found_across_owners { ListNeedsAnOwner }
    a_page_continues_behind_a_key_that_no_longer_meets_the_filter { CursorMustMeetTheFilter }
    insert_never_overwrites { InsertOverwrites, InsertTakesATakenDigest }
    revoking_again_keeps_the_first_time_and_reason {
        SecondRevocationOverwritesTheFirst, SecondRevocationIsNews, RevocationLosesTheReason, RevocationDeletesTheKey,
        RevocationIsOnlyReported,
    }
    a_store_without_room_for_a_reason_refuses_it { RevocationDropsAReasonItHasNoRoomFor }
    a_key_with_another_digest_is_not_touched_or_revoked {
        RevocationIgnoresTheDigest, RevocationComparesHalfADigest, TouchComparesHalfADigest,
    }
    a_key_of_another_owner_is_not_revoked { RevocationIgnoresTheOwner }
    revoking_all_keys_of_an_owner_leaves_others_alone {
        RevocationOfAllIgnoresTheOwner, RevocationOfAllCountsTheDead, RevocationOfAllSkipsDisabledKeys,
    }
    a_rotation_adds_the_successor_and_retires_the_predecessor { RotationLeavesThePredecessor, RotationHappensTwice }
    a_rotation_happens_whole_or_not_at_all { RotationTakesDeadKeys, RotationRetiresBeforeItAdds }
    a_rotation_of_an_older_version_changes_nothing { RotationIgnoresTheVersion }
    a_rotated_key_names_its_successor { RotationForgetsTheSuccessor }
    a_rotation_of_a_key_whose_expiry_changed_changes_nothing { RotationIgnoresTheExpiry }
    a_rotation_returns_the_successor_as_it_is_stored { RotationReturnsAnotherRecord }
    a_rotation_copies_the_details_that_are_stored { RotationTakesTheDetailsOfTheCaller }
    a_rotation_without_grace_revokes_the_predecessor { RotationWithoutGraceOnlyExpires }
    a_change_is_stored_whole { ChangeLosesTheExpiry }
    a_change_of_another_version_changes_nothing { ChangeIgnoresTheVersion, ChangeAddsAnUnknownKey }
    a_change_leaves_the_last_use_alone { ChangeResetsTheLastUse }
    a_disabled_key_is_refused_until_it_is_enabled { DisablingLosesTheReason }
    a_revoked_key_cannot_be_changed { ChangeRevivesARevokedKey, RevocationLeavesTheVersion }
    the_history_is_complete_and_in_order { HistoryIsNewestFirst, HistoryLosesTheFields, RotationLeavesNoHistory }
    failures_leave_no_trace_in_the_history { SecondRevocationIsInTheHistory }
    last_use_moves_forward_only { LastUseMovesBack, TouchCountsWhatItDidNotWrite, TouchWritesTheFirstUseAlone }
    a_last_use_in_the_far_future_is_corrected { LastUseSticksInTheFuture, LastUseIsCorrectedTooEarly }
    of_several_uses_of_one_key_the_latest_is_kept { TouchKeepsTheLastUseOfTheCall }
    a_thousand_keys_are_touched_and_revoked_at_once { LimitIsCapped, RevocationOfAllStopsAtAHundred }
    only_keys_that_have_been_dead_for_long_are_purged {
        PurgeTakesDisabledKeys, PurgeTakesWhatDiesJustThen, PurgeIgnoresTheLimit, PurgeKeepsTheHistory, PurgeNeverEnds,
    }
    one_of_many_inserts_wins { InsertIsNotAtomic }
    one_of_many_revocations_wins { RevocationIsNotAtomic }
    one_of_many_rotations_wins { RotationIsNotAtomic }
    one_of_many_changes_wins { ChangeIsNotAtomic }
    a_change_that_races_with_a_revocation_does_not_undo_it { ChangeUndoesARevocation }
    no_key_slips_through_the_revocation_of_all { RevocationOfAllIsNotAtomic }
}
