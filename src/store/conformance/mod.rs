//! The suite that every store has to pass: behaviour for behaviour what [`KeyStore`] promises.
//!
//! Authors of stores describe theirs as a [`Subject`] and call [`run`] from a test, or name the subject in
//! [`conformance_suite!`](crate::conformance_suite), which makes one test of every promise. What a store cannot do, by
//! its own [`Abilities`](crate::store::Abilities), is not asked of it, except that it says so.
//!
//! The suite panics like any test, and names the promise that was broken. It is not covered by the crate's promises of
//! compatibility.
//!
//! ```
//! use keyward::key::{Draft, OwnerId};
//! use keyward::schemas::scraper::{Scraper, ScraperDetails, ScraperKey};
//! use keyward::store::conformance::{self, Subject};
//! use keyward::store::{KeyStore, MemoryKeyStore};
//!
//! struct InMemory(MemoryKeyStore<Scraper>);
//!
//! #[async_trait::async_trait]
//! impl Subject for InMemory {
//!     type Schema = Scraper;
//!
//!     fn store(&self) -> &dyn KeyStore<Schema = Scraper> {
//!         &self.0
//!     }
//!
//!     async fn add_owner(&self, owner: &OwnerId) {
//!         let _ = owner; // clients are plain names: nothing has to exist
//!     }
//!
//!     fn details(&self) -> Vec<ScraperDetails> {
//!         let plain = ScraperKey::named("anyone", "plain").unwrap();
//!         let scoped = ScraperKey::named("anyone", "scoped").unwrap().scope("jobs:read").unwrap();
//!         [plain, scoped].map(|key| Draft::from(key).details).into()
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! conformance::run(&InMemory(MemoryKeyStore::new(Scraper::new()))).await;
//! # });
//! ```

mod bulk;
mod changes;
mod history;
mod identities;
mod inserts;
mod limits;
mod lists;
mod maker;
mod persistence;
mod purges;
mod races;
mod reads;
mod revocations;
mod rotations;
mod search;
mod successors;
#[cfg(test)]
mod tests;
mod uses;

use std::sync::Arc;

use async_trait::async_trait;

pub use bulk::a_thousand_keys_are_touched_and_revoked_at_once;

pub use changes::{
    a_change_is_stored_whole, a_change_leaves_the_last_use_alone, a_change_of_another_version_changes_nothing,
    a_disabled_key_is_refused_until_it_is_enabled, a_revoked_key_cannot_be_changed,
};
pub use history::{failures_leave_no_trace_in_the_history, the_history_is_complete_and_in_order};
pub use identities::{identities_are_compared_exactly, owners_are_compared_exactly};
pub use inserts::insert_never_overwrites;
pub use limits::{a_page_has_as_many_keys_as_its_limit_allows, as_many_keys_are_counted_as_listed};
pub use lists::{
    keys_are_listed_newest_first_in_pages, keys_of_one_owner_never_show_under_another,
    the_start_is_compared_letter_for_letter, the_start_of_an_identity_or_prefix_finds_keys,
};
use maker::{Maker, Record};
pub use persistence::what_was_written_is_there_after_reopening;
pub use purges::only_keys_that_have_been_dead_for_long_are_purged;
pub use races::{
    a_change_that_races_with_a_revocation_does_not_undo_it, no_key_slips_through_the_revocation_of_all,
    one_of_many_changes_wins, one_of_many_inserts_wins, one_of_many_revocations_wins, one_of_many_rotations_wins,
};
pub use reads::{
    a_lookup_filters_nothing, absence_is_an_answer, an_owner_that_was_added_exists, what_a_store_cannot_do_it_refuses,
    what_was_inserted_is_found,
};
pub use revocations::{
    a_key_of_another_owner_is_not_revoked, a_key_with_another_digest_is_not_touched_or_revoked,
    a_store_without_room_for_a_reason_refuses_it, revoking_again_keeps_the_first_time_and_reason,
    revoking_all_keys_of_an_owner_leaves_others_alone,
};
pub use rotations::{
    a_rotated_key_names_its_successor, a_rotation_adds_the_successor_and_retires_the_predecessor,
    a_rotation_happens_whole_or_not_at_all, a_rotation_of_an_older_version_changes_nothing,
};
pub use search::{
    a_page_continues_behind_a_key_that_no_longer_meets_the_filter, keys_are_found_across_owners,
    keys_are_found_by_expiry_and_last_use, keys_are_found_by_name_and_environment, keys_are_found_by_their_state,
};
pub use successors::{
    a_rotation_copies_the_details_that_are_stored, a_rotation_of_a_key_whose_expiry_changed_changes_nothing,
    a_rotation_returns_the_successor_as_it_is_stored, a_rotation_without_grace_revokes_the_predecessor,
};
pub use uses::{
    a_last_use_in_the_far_future_is_corrected, last_use_moves_forward_only,
    of_several_uses_of_one_key_the_latest_is_kept,
};

use crate::key::{OwnerId, Schema};
use crate::store::KeyStore;

/// A store under test. It may hold other keys: the suite uses owners of its own, in the year 2030, and purges only what
/// was dead in 2001.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The schema whose keys the store holds.
    type Schema: Schema;

    /// The store.
    fn store(&self) -> &dyn KeyStore<Schema = Self::Schema>;

    /// Makes whatever has to exist before `owner` can have keys.
    async fn add_owner(&self, owner: &OwnerId);

    /// Details that the store must return as they were: at least one, and better one for each odd case. Where keys can
    /// be changed, a change must be able to make the second of them out of the first.
    fn details(&self) -> Vec<<Self::Schema as Schema>::Details>;

    /// The store opened anew over what it has written, as by another process. `None`, unless overridden, is a store
    /// that forgets, such as one in memory; nothing is asked of it then.
    async fn reopen(&self) -> Option<Arc<dyn KeyStore<Schema = Self::Schema>>> {
        None
    }

    /// Calls `work`, which polls the store's futures. Those that race are polled on threads of their own, outside of
    /// any runtime, so that stores that block do race. A store that needs a runtime enters it here. With tokio, that is
    /// `let _entered = self.runtime.enter(); work();`, where `runtime` is the
    /// [`Handle`](https://docs.rs/tokio/latest/tokio/runtime/struct.Handle.html) that was current when the subject was
    /// made.
    fn enter(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// The names of all promises, for a harness of one's own: each is a function here, and can be passed to [`check`].
pub const PROMISES: &[&str] = crate::conformance_suite!(@promises names);

/// Runs the whole suite.
///
/// # Panics
/// When the store breaks a promise.
pub async fn run<S: Subject>(subject: &S) {
    crate::conformance_suite!(@promises calls subject);
}

/// Checks the one promise that has this name in [`PROMISES`].
///
/// # Panics
/// When the store breaks it, or when there is no such promise.
pub async fn check<S: Subject>(subject: &S, promise: &str) {
    crate::conformance_suite!(@promises call subject, promise);
}

/// Makes one `#[tokio::test]` of every promise in [`conformance`](crate::store::conformance). The expression makes the
/// [`Subject`](crate::store::conformance::Subject) anew for each of them, and may wait for something.
///
/// ```
/// # use keyward::key::{Draft, OwnerId};
/// # use keyward::schemas::scraper::{Scraper, ScraperDetails, ScraperKey};
/// # use keyward::store::conformance::Subject;
/// # use keyward::store::{KeyStore, MemoryKeyStore};
/// #
/// # struct InMemory(MemoryKeyStore<Scraper>);
/// #
/// # #[async_trait::async_trait]
/// # impl Subject for InMemory {
/// #     type Schema = Scraper;
/// #     fn store(&self) -> &dyn KeyStore<Schema = Scraper> {
/// #         &self.0
/// #     }
/// #     async fn add_owner(&self, _owner: &OwnerId) {}
/// #     fn details(&self) -> Vec<ScraperDetails> {
/// #         vec![Draft::from(ScraperKey::named("anyone", "plain").unwrap()).details]
/// #     }
/// # }
/// #
/// mod in_memory {
/// #   use super::*;
///     keyward::conformance_suite!(InMemory(MemoryKeyStore::new(Scraper::new())));
/// }
/// # fn main() {}
/// ```
#[macro_export]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "testkit")))]
macro_rules! conformance_suite {
    (@promises $form:ident $($subject:tt)*) => {
        $crate::conformance_suite! { @$form ($($subject)*)
            what_was_inserted_is_found
            a_lookup_filters_nothing
            what_was_written_is_there_after_reopening
            absence_is_an_answer
            an_owner_that_was_added_exists
            what_a_store_cannot_do_it_refuses
            keys_are_listed_newest_first_in_pages
            the_start_of_an_identity_or_prefix_finds_keys
            the_start_is_compared_letter_for_letter
            keys_of_one_owner_never_show_under_another
            a_page_has_as_many_keys_as_its_limit_allows
            as_many_keys_are_counted_as_listed
            identities_are_compared_exactly
            owners_are_compared_exactly
            keys_are_found_by_their_state
            keys_are_found_by_name_and_environment
            keys_are_found_by_expiry_and_last_use
            keys_are_found_across_owners
            a_page_continues_behind_a_key_that_no_longer_meets_the_filter
            insert_never_overwrites
            revoking_again_keeps_the_first_time_and_reason
            a_store_without_room_for_a_reason_refuses_it
            a_key_with_another_digest_is_not_touched_or_revoked
            a_key_of_another_owner_is_not_revoked
            revoking_all_keys_of_an_owner_leaves_others_alone
            a_rotation_adds_the_successor_and_retires_the_predecessor
            a_rotation_happens_whole_or_not_at_all
            a_rotation_of_an_older_version_changes_nothing
            a_rotated_key_names_its_successor
            a_rotation_of_a_key_whose_expiry_changed_changes_nothing
            a_rotation_returns_the_successor_as_it_is_stored
            a_rotation_copies_the_details_that_are_stored
            a_rotation_without_grace_revokes_the_predecessor
            a_change_is_stored_whole
            a_change_of_another_version_changes_nothing
            a_change_leaves_the_last_use_alone
            a_disabled_key_is_refused_until_it_is_enabled
            a_revoked_key_cannot_be_changed
            the_history_is_complete_and_in_order
            failures_leave_no_trace_in_the_history
            last_use_moves_forward_only
            a_last_use_in_the_far_future_is_corrected
            of_several_uses_of_one_key_the_latest_is_kept
            a_thousand_keys_are_touched_and_revoked_at_once
            only_keys_that_have_been_dead_for_long_are_purged
            one_of_many_inserts_wins
            one_of_many_revocations_wins
            one_of_many_rotations_wins
            one_of_many_changes_wins
            a_change_that_races_with_a_revocation_does_not_undo_it
            no_key_slips_through_the_revocation_of_all
        }
    };
    (@calls ($subject:expr) $($promise:ident)+) => {
        $( $crate::store::conformance::$promise($subject).await; )+
    };
    (@call ($subject:expr, $name:expr) $($promise:ident)+) => {
        match $name {
            $( stringify!($promise) => $crate::store::conformance::$promise($subject).await, )+
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
                $crate::store::conformance::$promise(&$subject).await;
            }
        )+
    };
    ($subject:expr) => {
        $crate::conformance_suite!(@promises tests $subject);
    };
}
