//! The suite that every store of grants has to pass: behaviour for behaviour what [`GrantStore`] promises.
//!
//! Authors of stores describe theirs as a [`Subject`] and call [`run`] from a test, or name the subject in
//! [`grant_conformance_suite!`](crate::grant_conformance_suite), which makes one test of every promise.
//!
//! The suite panics like any test, and names the promise that was broken. It is not covered by the crate's promises of
//! compatibility.
//!
//! ```
//! use keyward::store::grants::conformance::{self, Subject};
//! use keyward::store::grants::{GrantStore, MemoryGrantStore};
//!
//! struct InMemory(MemoryGrantStore);
//!
//! impl Subject for InMemory {
//!     fn store(&self) -> &dyn GrantStore {
//!         &self.0
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! conformance::run(&InMemory(MemoryGrantStore::new())).await;
//! # });
//! ```

mod access;
mod check;
mod clients;
mod codes;
mod exchanges;
mod letters;
mod lists;
mod maker;
mod races;
mod revocations;
mod sweeps;

use std::sync::Arc;

use async_trait::async_trait;

pub use access::{
    absence_is_an_answer, the_first_use_is_kept, upstream_tokens_are_replaced_by_version,
    what_was_written_is_there_after_reopening,
};
pub use clients::{
    a_removed_client_takes_its_codes_and_tokens_with_it, an_update_changes_what_a_client_says,
    register_overwrites_nothing, the_use_of_a_client_moves_forward_only, what_was_registered_is_there,
};
pub use codes::{
    a_code_and_its_grant_are_added_both_or_neither, a_code_is_redeemed_once, a_code_needs_its_client,
    a_code_of_a_revoked_grant_is_not_redeemed, redeeming_overwrites_no_token, what_a_code_is_redeemed_for_is_there,
    what_was_added_is_there,
};
pub use exchanges::{
    a_refresh_token_is_exchanged_once, a_refresh_token_that_was_revoked_is_not_exchanged,
    an_answer_is_gone_after_its_use_and_its_time, an_answer_is_kept, an_exchange_ends_the_access_tokens_before_it,
    exchanging_overwrites_no_token, the_use_of_a_successor_is_seen, what_a_refresh_token_is_exchanged_for_is_there,
};
pub use letters::{letters_are_compared_exactly, odd_letters_are_kept, whole_seconds_are_kept};
pub use lists::{clients_are_listed_in_pages, grants_are_listed_by_filter, grants_are_listed_in_pages};
pub use races::{
    a_sweep_takes_nothing_from_an_exchange_under_way, nothing_outlives_a_removal_of_its_client,
    nothing_outlives_a_revocation, one_of_an_exchange_and_a_revocation_wins, one_of_many_codes_is_added,
    one_of_many_exchanges_wins, one_of_many_redemptions_wins, one_of_many_registrations_wins,
    one_of_many_replacements_wins, one_of_many_revocations_wins,
};
pub use revocations::{
    a_grant_is_revoked_with_all_of_it, a_token_is_revoked_by_itself, grants_are_revoked_by_filter_so_many_at_once,
    the_first_revocation_is_kept,
};
pub use sweeps::{
    a_sweep_is_bounded, a_sweep_leaves_a_code_that_can_be_redeemed, a_sweep_leaves_a_good_refresh_token,
    a_sweep_leaves_what_recognises_a_replay, a_sweep_removes_clients_that_nobody_uses,
    a_sweep_removes_what_nobody_can_use,
};

use crate::store::grants::GrantStore;

/// A store under test. It has to be one that nobody needs: the suite revokes and sweeps whatever it finds.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The store.
    fn store(&self) -> &dyn GrantStore;

    /// The store opened anew over what it has written, as by another process. `None`, unless overridden, is a store
    /// that forgets, such as one in memory; nothing is asked of it then.
    async fn reopen(&self) -> Option<Arc<dyn GrantStore>> {
        None
    }

    /// Calls `work`, which polls the store's futures on threads of their own, outside of any runtime; see
    /// [`the keys' subject`](crate::store::conformance::Subject::enter).
    fn enter(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// The names of all promises, for a harness of one's own: each is a function here, and can be passed to [`check`].
pub const PROMISES: &[&str] = crate::grant_conformance_suite!(@promises names);

/// Runs the whole suite.
///
/// # Panics
/// When the store breaks a promise.
pub async fn run<S: Subject>(subject: &S) {
    crate::grant_conformance_suite!(@promises calls subject);
}

/// Checks the one promise that has this name in [`PROMISES`].
///
/// # Panics
/// When the store breaks it, or when there is no such promise.
pub async fn check<S: Subject>(subject: &S, promise: &str) {
    crate::grant_conformance_suite!(@promises call subject, promise);
}

/// Makes one `#[tokio::test]` of every promise in [`conformance`](crate::store::grants::conformance). The expression makes
/// the [`Subject`](crate::store::grants::conformance::Subject) anew for each of them, and may wait for something.
#[macro_export]
#[cfg_attr(docsrs_keyward, doc(cfg(all(feature = "broker", feature = "testkit"))))]
macro_rules! grant_conformance_suite {
    (@promises $form:ident $($subject:tt)*) => {
        $crate::grant_conformance_suite! { @$form ($($subject)*)
            what_was_registered_is_there
            register_overwrites_nothing
            an_update_changes_what_a_client_says
            the_use_of_a_client_moves_forward_only
            a_removed_client_takes_its_codes_and_tokens_with_it
            clients_are_listed_in_pages
            what_was_added_is_there
            a_code_and_its_grant_are_added_both_or_neither
            a_code_needs_its_client
            a_code_is_redeemed_once
            what_a_code_is_redeemed_for_is_there
            a_code_of_a_revoked_grant_is_not_redeemed
            redeeming_overwrites_no_token
            a_refresh_token_is_exchanged_once
            what_a_refresh_token_is_exchanged_for_is_there
            an_exchange_ends_the_access_tokens_before_it
            a_refresh_token_that_was_revoked_is_not_exchanged
            exchanging_overwrites_no_token
            an_answer_is_kept
            an_answer_is_gone_after_its_use_and_its_time
            the_use_of_a_successor_is_seen
            the_first_use_is_kept
            upstream_tokens_are_replaced_by_version
            absence_is_an_answer
            what_was_written_is_there_after_reopening
            a_token_is_revoked_by_itself
            a_grant_is_revoked_with_all_of_it
            the_first_revocation_is_kept
            grants_are_revoked_by_filter_so_many_at_once
            grants_are_listed_in_pages
            grants_are_listed_by_filter
            a_sweep_leaves_a_good_refresh_token
            a_sweep_leaves_what_recognises_a_replay
            a_sweep_leaves_a_code_that_can_be_redeemed
            a_sweep_removes_what_nobody_can_use
            a_sweep_is_bounded
            a_sweep_removes_clients_that_nobody_uses
            letters_are_compared_exactly
            odd_letters_are_kept
            whole_seconds_are_kept
            one_of_many_registrations_wins
            one_of_many_codes_is_added
            one_of_many_redemptions_wins
            one_of_many_exchanges_wins
            one_of_many_revocations_wins
            one_of_many_replacements_wins
            one_of_an_exchange_and_a_revocation_wins
            nothing_outlives_a_revocation
            nothing_outlives_a_removal_of_its_client
            a_sweep_takes_nothing_from_an_exchange_under_way
        }
    };
    (@calls ($subject:expr) $($promise:ident)+) => {
        $( $crate::store::grants::conformance::$promise($subject).await; )+
    };
    (@call ($subject:expr, $name:expr) $($promise:ident)+) => {
        match $name {
            $( stringify!($promise) => $crate::store::grants::conformance::$promise($subject).await, )+
            unknown => panic!("there is no promise `{unknown}`"),
        }
    };
    (@names () $($promise:ident)+) => {
        &[$( stringify!($promise) ),+]
    };
    (@tests ($subject:expr) $($promise:ident)+) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $crate::store::grants::conformance::$promise(&$subject).await;
            }
        )+
    };
    ($subject:expr) => {
        $crate::grant_conformance_suite!(@promises tests $subject);
    };
}
