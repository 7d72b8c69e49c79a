//! The suite that every store has to pass: behaviour for behaviour what [`KeyStore`](crate::store::KeyStore) promises.
//!
//! Authors of stores describe theirs as a [`Subject`] and call [`run`] from a test, or the functions one by one to see
//! which fails. What a store cannot represent, by its own [`Abilities`](crate::store::Abilities), is not asked of it.
//! The suite panics like any test; it is not covered by the crate's promises of compatibility.
//!
//! ```
//! use keyward::scraper::{Scraper, ScraperDetails, ScraperKey};
//! use keyward::store::conformance::{self, Subject};
//! use keyward::store::{DynKeyStore, MemoryKeyStore};
//! use keyward::key::{Draft, OwnerId};
//!
//! struct InMemory(MemoryKeyStore<ScraperDetails>);
//!
//! #[async_trait::async_trait]
//! impl Subject for InMemory {
//!     type Profile = Scraper;
//!
//!     fn store(&self) -> &DynKeyStore<ScraperDetails> {
//!         &self.0
//!     }
//!
//!     async fn add_owner(&self, owner: &OwnerId) {
//!         let _ = owner; // clients of this system are plain names: nothing has to exist
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
//! conformance::run(&InMemory(MemoryKeyStore::new())).await;
//! # });
//! ```

mod changes;
mod races;
mod reads;

use std::time::Duration;

use async_trait::async_trait;

pub use changes::{
    a_key_with_another_digest_is_not_touched_or_revoked, a_rotation_adds_the_successor_and_retires_the_predecessor,
    a_rotation_happens_whole_or_not_at_all, a_store_without_room_for_a_reason_refuses_it, insert_never_overwrites,
    last_use_moves_forward_only, revoking_again_keeps_the_first_time_and_reason,
    revoking_all_keys_of_an_owner_leaves_others_alone,
};
pub use races::{one_of_many_inserts_wins, one_of_many_revocations_wins, one_of_many_rotations_wins};
pub use reads::{
    absence_is_an_answer, an_owner_that_was_added_exists, keys_are_listed_newest_first_in_pages,
    the_start_of_an_identity_or_prefix_finds_keys, what_was_inserted_is_found,
};

use crate::key::{
    Draft, KeyDigest, KeyHead, KeyRecord, OwnerId, Prepared, PreparedRotation, Profile, RevocationReason,
};
use crate::random::SeededRandom;
use crate::store::{DynKeyStore, KeyLookup, RevokeRequest};
use crate::time::Timestamp;

/// A store under test. It may hold other keys; the suite uses owners of its own.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The system whose keys the store holds.
    type Profile: Profile<Details: PartialEq>;

    /// The store.
    fn store(&self) -> &DynKeyStore<<Self::Profile as Profile>::Details>;

    /// Makes whatever has to exist before `owner` can have keys.
    async fn add_owner(&self, owner: &OwnerId);

    /// Details that the store must return as they were: at least one, and better one for each odd case.
    fn details(&self) -> Vec<<Self::Profile as Profile>::Details>;
}

/// Runs the whole suite.
///
/// # Panics
/// When the store breaks a promise.
pub async fn run<S: Subject>(subject: &S) {
    what_was_inserted_is_found(subject).await;
    absence_is_an_answer(subject).await;
    keys_are_listed_newest_first_in_pages(subject).await;
    the_start_of_an_identity_or_prefix_finds_keys(subject).await;
    an_owner_that_was_added_exists(subject).await;
    insert_never_overwrites(subject).await;
    revoking_again_keeps_the_first_time_and_reason(subject).await;
    a_store_without_room_for_a_reason_refuses_it(subject).await;
    a_key_with_another_digest_is_not_touched_or_revoked(subject).await;
    revoking_all_keys_of_an_owner_leaves_others_alone(subject).await;
    a_rotation_adds_the_successor_and_retires_the_predecessor(subject).await;
    a_rotation_happens_whole_or_not_at_all(subject).await;
    last_use_moves_forward_only(subject).await;
    one_of_many_inserts_wins(subject).await;
    one_of_many_revocations_wins(subject).await;
    one_of_many_rotations_wins(subject).await;
}

type DetailsOf<S> = <<S as Subject>::Profile as Profile>::Details;
type RecordOf<S> = KeyRecord<DetailsOf<S>>;

/// Draws keys for one test: its own owners, a clock that never stands still, and repeatable randomness.
struct Maker<'s, S> {
    subject: &'s S,
    test: &'static str,
    random: SeededRandom,
    seconds: std::sync::atomic::AtomicU64,
    owners: std::sync::atomic::AtomicU64,
}

impl<'s, S: Subject> Maker<'s, S> {
    fn new(subject: &'s S, test: &'static str) -> Self {
        let seed = test.bytes().fold(17, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let zero = || std::sync::atomic::AtomicU64::new(0);
        Self { subject, test, random: SeededRandom::new(seed), seconds: zero(), owners: zero() }
    }

    fn store(&self) -> &'s DynKeyStore<DetailsOf<S>> {
        self.subject.store()
    }

    /// A later instant at every call, with a fraction that a store must not lose.
    fn now(&self) -> Timestamp {
        let start = Timestamp::from_micros(1_900_000_000_123_456);
        let elapsed = self.seconds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        start.saturating_add(Duration::from_secs(elapsed))
    }

    async fn owner(&self) -> OwnerId {
        let number = self.owners.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let owner = OwnerId::new(format!("did:example:{}-{number}", self.test)).expect("the name is sound");
        self.subject.add_owner(&owner).await;
        owner
    }

    fn details(&self) -> DetailsOf<S> {
        self.subject.details().into_iter().next().expect("the subject has at least one sample of details")
    }

    fn key_with(&self, owner: &OwnerId, expires_at: Option<Timestamp>, details: DetailsOf<S>) -> RecordOf<S> {
        let draft = Draft { owner: owner.clone(), expires_at, details };
        let (format, id_scheme) = (S::Profile::FORMAT, S::Profile::ID_SCHEME);
        let prepared = Prepared::new(draft, format, id_scheme, &self.random, self.now());
        prepared.expect("the draft is sound").record().clone()
    }

    /// A key that is not stored.
    fn key(&self, owner: &OwnerId) -> RecordOf<S> {
        self.key_with(owner, None, self.details())
    }

    /// A key of a new owner, stored.
    async fn stored(&self) -> RecordOf<S> {
        let key = self.key(&self.owner().await);
        self.store().insert(&key).await.expect("a new key can be inserted");
        key
    }

    fn rotation(&self, predecessor: RecordOf<S>, grace: Duration) -> crate::key::Rotation<DetailsOf<S>> {
        let form = (S::Profile::FORMAT, S::Profile::ID_SCHEME);
        let prepared = PreparedRotation::new(predecessor, grace, None, form, &self.random, self.now());
        prepared.expect("the predecessor is live").rotation().clone()
    }

    async fn find(&self, head: &KeyHead) -> Option<RecordOf<S>> {
        let digest = head.digest.expect("the suite's keys have digests");
        let lookup = KeyLookup { digest: &digest, prefix: head.prefix.as_str() };
        let found = self.store().find(lookup).await.expect("the store answers");
        found.into_iter().find(|key| key.head.digest == Some(digest))
    }

    fn revocation(&self, key: &RecordOf<S>, digest: Option<KeyDigest>) -> RevokeRequest {
        RevokeRequest { id: key.head.id.clone(), digest, at: self.now(), reason: self.reason() }
    }

    /// A reason, where the store can keep one.
    fn reason(&self) -> Option<RevocationReason> {
        let reason = || RevocationReason::new(format!("leaked in {}", self.test)).expect("the reason is sound");
        self.store().abilities().revocation_reason.then(reason)
    }
}
