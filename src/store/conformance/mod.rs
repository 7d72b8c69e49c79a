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

mod changes;
mod history;
mod inserts;
mod lists;
mod maker;
mod purges;
mod races;
mod reads;
mod revocations;
mod rotations;
mod search;
#[cfg(test)]
mod tests;
mod uses;

use async_trait::async_trait;

pub use changes::{
    a_change_is_stored_whole, a_change_leaves_the_last_use_alone, a_change_of_another_version_changes_nothing,
    a_disabled_key_is_refused_until_it_is_enabled, a_revoked_key_cannot_be_changed,
};
pub use history::{failures_leave_no_trace_in_the_history, the_history_is_complete_and_in_order};
pub use inserts::insert_never_overwrites;
pub use lists::{keys_are_listed_newest_first_in_pages, the_start_of_an_identity_or_prefix_finds_keys};
use maker::{Maker, Record};
pub use purges::only_keys_that_have_been_dead_for_long_are_purged;
pub use races::{
    a_change_that_races_with_a_revocation_does_not_undo_it, no_key_slips_through_the_revocation_of_all,
    one_of_many_changes_wins, one_of_many_inserts_wins, one_of_many_revocations_wins, one_of_many_rotations_wins,
};
pub use reads::{
    absence_is_an_answer, an_owner_that_was_added_exists, what_a_store_cannot_do_it_refuses, what_was_inserted_is_found,
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
pub use uses::last_use_moves_forward_only;

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
}

/// Runs the whole suite.
///
/// # Panics
/// When the store breaks a promise.
pub async fn run<S: Subject>(subject: &S) {
    crate::conformance_suite!(@promises calls subject);
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
    (@promises $form:ident $subject:expr) => {
        $crate::conformance_suite! { @$form ($subject)
            what_was_inserted_is_found
            absence_is_an_answer
            an_owner_that_was_added_exists
            what_a_store_cannot_do_it_refuses
            keys_are_listed_newest_first_in_pages
            the_start_of_an_identity_or_prefix_finds_keys
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
            a_change_is_stored_whole
            a_change_of_another_version_changes_nothing
            a_change_leaves_the_last_use_alone
            a_disabled_key_is_refused_until_it_is_enabled
            a_revoked_key_cannot_be_changed
            the_history_is_complete_and_in_order
            failures_leave_no_trace_in_the_history
            last_use_moves_forward_only
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
