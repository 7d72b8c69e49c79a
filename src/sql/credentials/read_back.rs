//! What the row of a credential has to show after a change.

use std::fmt;

use crate::credential::{CredentialHead, CredentialRecord, CredentialState, StoredSecrets};
use crate::seal::StoredSecret;
use crate::store::credentials::{ClaimRequest, MarkRequest, PutRequest, ReleaseRequest, SaveRequest};

type Shows<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

/// Whether a row shows a change, and whether one that was not made could have been. A rule or a trigger of the host's that
/// keeps a row as it was, or only some of its columns, is found out by this: nothing may be sent that was not written
/// down, and no pair counts as stored that is not.
pub(super) struct ReadBack {
    is_done: Shows<CredentialRecord>,
    is_due: Shows<CredentialHead>,
}

impl ReadBack {
    fn new(
        is_done: impl Fn(&CredentialRecord) -> bool + Send + Sync + 'static,
        is_due: impl Fn(&CredentialHead) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { is_done: Box::new(is_done), is_due: Box::new(is_due) }
    }

    /// A new credential, which stands there with all its secrets unless there was a conflict.
    pub(super) fn of_put(request: &PutRequest) -> Self {
        let (secrets, at) = (request.record.secrets.clone(), request.at);
        Self::new(
            move |found| {
                found.head.refreshed_at == Some(at)
                    && is_pair(found, &secrets)
                    && is_same(found.secrets.dpop_key.as_ref(), secrets.dpop_key.as_ref())
            },
            |_| true,
        )
    }

    /// A lease; who has lost has seen a row that was not to be claimed.
    pub(super) fn of_claim(request: &ClaimRequest) -> Self {
        let until = request.until;
        Self::new(move |found| found.head.lease_until == Some(until), |_| false)
    }

    /// The mark, under its lease.
    pub(super) fn of_mark(request: &MarkRequest) -> Self {
        let MarkRequest { version, at, .. } = *request;
        Self::new(
            move |found| found.head.state == CredentialState::Sent { at } && found.head.version == version,
            move |head| {
                let is_unsent = matches!(head.state, CredentialState::Active | CredentialState::Uncertain { .. });
                head.version == version && is_unsent && head.is_leased(at)
            },
        )
    }

    /// A new pair, both of its tokens. Somebody could have stored another one only in a later transaction.
    pub(super) fn of_save(request: &SaveRequest) -> Self {
        let (secrets, generation) = (request.secrets.clone(), request.generation);
        Self::new(
            move |found| found.head.generation > generation && is_pair(found, &secrets),
            move |head| head.generation == generation,
        )
    }

    /// The end of a lease.
    pub(super) fn of_release(request: &ReleaseRequest) -> Self {
        let version = request.version;
        Self::new(
            move |found| found.head.version > version,
            move |head| head.version == version && head.lease_until.is_some(),
        )
    }

    /// Whether the database has kept the row from showing what was written, or from being written.
    pub(super) fn is_suppressed(&self, is_made: bool, found: Option<&CredentialRecord>) -> bool {
        match found {
            Some(found) if is_made => !(self.is_done)(found),
            // Versions and generations never come back, so it met the condition when the change was tried.
            Some(found) => (self.is_due)(&found.head),
            None => is_made,
        }
    }
}

impl fmt::Debug for ReadBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBack").finish_non_exhaustive()
    }
}

fn is_pair(found: &CredentialRecord, written: &StoredSecrets) -> bool {
    is_same(found.secrets.access_token.as_ref(), written.access_token.as_ref())
        && is_same(found.secrets.refresh_token.as_ref(), written.refresh_token.as_ref())
}

fn is_same(found: Option<&StoredSecret>, written: Option<&StoredSecret>) -> bool {
    match (found, written) {
        (None, None) => true,
        (Some(StoredSecret::Sealed(found)), Some(StoredSecret::Sealed(written))) => found == written,
        (Some(StoredSecret::Plain(found)), Some(StoredSecret::Plain(written))) => {
            found.expose_secret() == written.expose_secret()
        }
        _ => false,
    }
}
