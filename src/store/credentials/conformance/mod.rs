//! The suite that every store of credentials has to pass: behaviour for behaviour what
//! [`CredentialStore`] promises.
//!
//! Authors of stores describe theirs as a [`Subject`] and call [`run`] from a test, or name the subject in
//! [`credential_conformance_suite!`](crate::credential_conformance_suite), which makes one test of every promise.
//!
//! The suite panics like any test, and names the promise that was broken. It is not covered by the crate's promises of
//! compatibility.
//!
//! ```
//! use keyward::key::OwnerId;
//! use keyward::store::credentials::conformance::{self, Subject};
//! use keyward::store::credentials::{CredentialStore, MemoryCredentialStore};
//!
//! struct InMemory(MemoryCredentialStore);
//!
//! #[async_trait::async_trait]
//! impl Subject for InMemory {
//!     fn store(&self) -> &dyn CredentialStore {
//!         &self.0
//!     }
//!
//!     async fn add_owner(&self, owner: &OwnerId) {
//!         let _ = owner; // owners are plain names: nothing has to exist
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! conformance::run(&InMemory(MemoryCredentialStore::new())).await;
//! # });
//! ```

mod leases;
mod maker;
mod races;
mod rows;

use std::sync::Arc;

use async_trait::async_trait;

pub use leases::{
    a_lease_from_a_wrong_clock_keeps_nobody_away, a_lease_is_ended_by_its_holder_alone,
    a_new_pair_takes_the_place_of_the_one_it_was_bought_with, a_pair_that_comes_late_is_not_lost, one_lease_at_a_time,
    only_the_holder_of_a_lease_may_send, the_newest_nonces_are_kept, what_cannot_be_refreshed_is_not_claimed,
    what_was_sent_is_claimed_by_decision_only,
};
pub use races::{
    one_of_many_authorizations_is_stored, one_of_many_claims_wins, one_of_many_marks_wins, one_of_many_pairs_is_stored,
};
pub use rows::{
    a_new_authorization_ends_what_was_under_way, absence_is_an_answer, credentials_are_listed_in_pages,
    owners_are_compared_exactly, put_replaces_only_what_it_names, secrets_are_sealed_anew_and_nothing_else_changes,
    those_that_are_due_are_listed, what_was_put_is_there, what_was_written_is_there_after_reopening,
};

use crate::key::OwnerId;
use crate::store::credentials::CredentialStore;

/// A store under test. It may hold other credentials: the suite uses owners of its own.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The store.
    fn store(&self) -> &dyn CredentialStore;

    /// Makes whatever has to exist before `owner` can have a credential.
    async fn add_owner(&self, owner: &OwnerId);

    /// The store opened anew over what it has written, as by another process. `None`, unless overridden, is a store
    /// that forgets, such as one in memory; nothing is asked of it then.
    async fn reopen(&self) -> Option<Arc<dyn CredentialStore>> {
        None
    }

    /// Calls `work`, which polls the store's futures on threads of their own, outside of any runtime; see
    /// [`the keys' subject`](crate::store::conformance::Subject::enter).
    fn enter(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// The names of all promises, for a harness of one's own: each is a function here, and can be passed to [`check`].
pub const PROMISES: &[&str] = crate::credential_conformance_suite!(@promises names);

/// Runs the whole suite.
///
/// # Panics
/// When the store breaks a promise.
pub async fn run<S: Subject>(subject: &S) {
    crate::credential_conformance_suite!(@promises calls subject);
}

/// Checks the one promise that has this name in [`PROMISES`].
///
/// # Panics
/// When the store breaks it, or when there is no such promise.
pub async fn check<S: Subject>(subject: &S, promise: &str) {
    crate::credential_conformance_suite!(@promises call subject, promise);
}

/// Makes one `#[tokio::test]` of every promise in
/// [`conformance`](crate::store::credentials::conformance). The expression makes the
/// [`Subject`](crate::store::credentials::conformance::Subject) anew for each of them, and may wait for something.
#[macro_export]
#[cfg_attr(docsrs_keyward, doc(cfg(all(feature = "credentials", feature = "testkit"))))]
macro_rules! credential_conformance_suite {
    (@promises $form:ident $($subject:tt)*) => {
        $crate::credential_conformance_suite! { @$form ($($subject)*)
            what_was_put_is_there
            put_replaces_only_what_it_names
            a_new_authorization_ends_what_was_under_way
            absence_is_an_answer
            owners_are_compared_exactly
            credentials_are_listed_in_pages
            those_that_are_due_are_listed
            secrets_are_sealed_anew_and_nothing_else_changes
            what_was_written_is_there_after_reopening
            one_lease_at_a_time
            a_lease_from_a_wrong_clock_keeps_nobody_away
            only_the_holder_of_a_lease_may_send
            what_was_sent_is_claimed_by_decision_only
            what_cannot_be_refreshed_is_not_claimed
            a_new_pair_takes_the_place_of_the_one_it_was_bought_with
            a_pair_that_comes_late_is_not_lost
            a_lease_is_ended_by_its_holder_alone
            the_newest_nonces_are_kept
            one_of_many_claims_wins
            one_of_many_marks_wins
            one_of_many_pairs_is_stored
            one_of_many_authorizations_is_stored
        }
    };
    (@calls ($subject:expr) $($promise:ident)+) => {
        $( $crate::store::credentials::conformance::$promise($subject).await; )+
    };
    (@call ($subject:expr, $name:expr) $($promise:ident)+) => {
        match $name {
            $( stringify!($promise) => $crate::store::credentials::conformance::$promise($subject).await, )+
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
                $crate::store::credentials::conformance::$promise(&$subject).await;
            }
        )+
    };
    ($subject:expr) => {
        $crate::credential_conformance_suite!(@promises tests $subject);
    };
}
