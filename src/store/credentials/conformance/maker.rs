//! What a promise is tested with: owners, credentials and times of its own, and words for what went wrong.

use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::credential::{CredentialHead, CredentialRecord, CredentialState, Nonces, StoredSecrets};
use crate::key::{OwnerId, Scope};
use crate::seal::{Sealed, StoredSecret};
use crate::secret::Secret;
use crate::store::StoreError;
use crate::store::credentials::conformance::Subject;
use crate::store::credentials::{
    Claim, ClaimRequest, CredentialStore, MarkRequest, PutRequest, ReleaseRequest, SaveRequest, Sealing,
};
use crate::time::Timestamp;

/// How long a lease is.
pub(super) const LEASE: Duration = Duration::from_mins(1);

/// Makes what the test of one promise needs: owners of its own, and a clock that never stands still.
pub(super) struct Maker<'s, S> {
    subject: &'s S,
    promise: &'static str,
    seconds: AtomicU64,
    owners: AtomicU64,
    secrets: AtomicU64,
}

/// Making things.
impl<'s, S: Subject> Maker<'s, S> {
    pub(super) const fn new(subject: &'s S, promise: &'static str) -> Self {
        let (seconds, owners, secrets) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self { subject, promise, seconds, owners, secrets }
    }

    pub(super) const fn subject(&self) -> &'s S {
        self.subject
    }

    pub(super) fn store(&self) -> &'s dyn CredentialStore {
        self.subject.store()
    }

    /// A later instant at every call: 2030, with a fraction that a store must not lose.
    pub(super) fn now(&self) -> Timestamp {
        let seconds = self.seconds.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_micros(1_900_000_000_123_456).saturating_add(Duration::from_secs(seconds))
    }

    pub(super) async fn owner(&self) -> OwnerId {
        let number = self.owners.fetch_add(1, Ordering::Relaxed);
        let owner = OwnerId::new(format!("did:example:{}-{number}", self.promise)).expect("the name is sound");
        self.subject.add_owner(&owner).await;
        owner
    }

    /// A secret that no other is equal to, in the form that the store takes.
    pub(super) fn secret(&self) -> StoredSecret {
        self.secret_sealed_with("first")
    }

    pub(super) fn secret_sealed_with(&self, key: &str) -> StoredSecret {
        let text = format!("{:A<60}", format!("secret-{}-", self.secrets.fetch_add(1, Ordering::Relaxed)));
        match self.store().sealing() {
            // The suite opens none.
            Sealing::Service => Sealed::parse(&format!("keyward.1.{key}.{text}")).expect("an envelope").into(),
            Sealing::Store => StoredSecret::Plain(Secret::new(text).into()),
        }
    }

    pub(super) fn secrets(&self) -> StoredSecrets {
        let mut secrets = StoredSecrets::new(self.secret());
        secrets.refresh_token = Some(self.secret());
        secrets
    }

    /// A credential that says something in every field, and is not stored.
    pub(super) fn credential(&self, owner: &OwnerId) -> CredentialRecord {
        let issuer = "https://issuer.example";
        let mut head = CredentialHead::new(
            owner.clone(),
            "https://app.example/client.json",
            issuer,
            "https://issuer.example/token",
        );
        head.subject = Some(owner.as_str().to_owned());
        head.client_key_id = Some("key-1".to_owned());
        head.revocation_endpoint = Some("https://issuer.example/revoke".to_owned());
        head.resource_server = Some("https://pds.example".to_owned());
        head.scopes =
            ["atproto", "transition:generic"].map(|scope| Scope::new(scope).expect("a scope")).into_iter().collect();
        head.session_id = Some("apikey".to_owned());
        head.session_started_at = Some(self.now());
        head.session_ends_at = Some(self.now().saturating_add(Duration::from_hours(336)));
        head.expires_at = Some(self.now().saturating_add(Duration::from_hours(1)));
        head.nonces = nonces(Some("nonce-a"), Some("nonce-r"));
        let mut secrets = self.secrets();
        secrets.dpop_key = Some(self.secret());
        CredentialRecord::new(head, secrets)
    }

    /// A credential of a new owner, as it is stored.
    pub(super) async fn stored(&self) -> CredentialRecord {
        let record = self.credential(&self.owner().await);
        self.put(&PutRequest::new(record.clone(), self.now())).await;
        self.stands(&record.head.owner).await
    }

    /// One that somebody has a lease of.
    pub(super) async fn leased(&self) -> CredentialRecord {
        let owner = self.stored().await.head.owner;
        self.claimed(&self.claim(&owner)).await
    }

    /// One whose refresh token is on its way.
    pub(super) async fn sent(&self) -> CredentialRecord {
        let record = self.leased().await;
        let marked = self.store().mark(&self.mark(&record.head)).await;
        self.same(&self.answer(marked, "a lease is marked"), &true, "the holder of a lease may send");
        self.stands(&record.head.owner).await
    }

    pub(super) fn claim(&self, owner: &OwnerId) -> ClaimRequest {
        let at = self.now();
        ClaimRequest::new(owner.clone(), at, at.saturating_add(LEASE))
    }

    pub(super) fn mark(&self, head: &CredentialHead) -> MarkRequest {
        let at = self.now();
        MarkRequest::new(head.owner.clone(), head.version, at, at.saturating_add(2 * LEASE))
    }

    /// New tokens, bought with those of `head`.
    pub(super) fn save(&self, head: &CredentialHead) -> SaveRequest {
        let mut save = SaveRequest::new(head.owner.clone(), head.generation, self.secrets(), self.now());
        save.expires_at = Some(self.now().saturating_add(Duration::from_mins(30)));
        save
    }
}

/// The end of a lease.
pub(super) fn release(head: &CredentialHead, state: CredentialState) -> ReleaseRequest {
    ReleaseRequest::new(head.owner.clone(), head.version, state)
}

pub(super) fn nonces(authorization_server: Option<&str>, resource_server: Option<&str>) -> Nonces {
    Nonces {
        authorization_server: authorization_server.map(str::to_owned),
        resource_server: resource_server.map(str::to_owned),
    }
}

/// Saying what went wrong.
impl<S: Subject> Maker<'_, S> {
    /// # Panics
    /// With the promise, when it is not kept.
    #[track_caller]
    pub(super) fn check(&self, is_kept: bool, what: impl Display) {
        assert!(is_kept, "the promise `{}` is broken: {what}", self.promise);
    }

    #[track_caller]
    pub(super) fn same<T: PartialEq + Debug>(&self, found: &T, promised: &T, what: impl Display) {
        let promise = self.promise;
        assert!(
            found == promised,
            "the promise `{promise}` is broken: {what}\npromised: {promised:?}\n   found: {found:?}"
        );
    }

    #[track_caller]
    pub(super) fn answer<T>(&self, answer: Result<T, StoreError>, what: impl Display) -> T {
        let promise = self.promise;
        answer.unwrap_or_else(|error| panic!("the promise `{promise}` is broken: {what}; it says {error:?}"))
    }

    #[track_caller]
    pub(super) fn same_secrets(&self, found: &StoredSecrets, promised: &StoredSecrets, what: impl Display) {
        self.check(texts(found) == texts(promised), what);
    }

    /// The credential that stands there.
    pub(super) async fn stands(&self, owner: &OwnerId) -> CredentialRecord {
        let found = self.answer(self.store().get(owner).await, "a credential is read");
        let promise = self.promise;
        found.unwrap_or_else(|| panic!("the promise `{promise}` is broken: the credential is there"))
    }

    pub(super) async fn put(&self, request: &PutRequest) {
        self.answer(self.store().put(request).await, "a credential is stored");
    }

    pub(super) async fn claimed(&self, request: &ClaimRequest) -> CredentialRecord {
        match self.answer(self.store().claim(request).await, "a credential is claimed") {
            Claim::Won(record) => *record,
            other => panic!("the promise `{}` is broken: it can be claimed; it says {other:?}", self.promise),
        }
    }

    /// A claim that is lost, and the credential as it is then.
    pub(super) async fn lost(&self, request: &ClaimRequest, why: &str) -> CredentialRecord {
        match self.answer(self.store().claim(request).await, "a credential is claimed") {
            Claim::Lost(record) => *record,
            other => panic!("the promise `{}` is broken: {why}; it says {other:?}", self.promise),
        }
    }

    /// Nothing of a credential has changed.
    pub(super) async fn unchanged(&self, before: &CredentialRecord, what: &str) {
        let after = self.stands(&before.head.owner).await;
        self.same(&after.head, &before.head, what);
        self.same_secrets(&after.secrets, &before.secrets, what);
    }
}

/// All secrets, to be compared.
fn texts(secrets: &StoredSecrets) -> [Option<String>; 3] {
    let StoredSecrets { access_token, refresh_token, dpop_key } = secrets;
    [access_token, refresh_token, dpop_key].map(|secret| {
        secret.as_ref().map(|secret| match secret {
            StoredSecret::Sealed(sealed) => sealed.as_str().to_owned(),
            StoredSecret::Plain(secret) => secret.expose_secret().to_owned(),
        })
    })
}
