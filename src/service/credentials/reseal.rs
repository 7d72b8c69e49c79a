//! Sealing everything that is stored under the current key.

use std::sync::Arc;

use crate::credential::{CredentialHead, CredentialRecord, StoredSecrets};
use crate::key::OwnerId;
use crate::seal::StoredSecret;
use crate::service::credentials::slot::Slot;
use crate::service::credentials::{Credentials, CredentialsError, Shared};
use crate::store::credentials::{CredentialFilter, CredentialListRequest, ResealRequest, Sealing};
use crate::visible::Causes;

/// How many are listed at a time.
const PAGE: u32 = 500;

/// How many are changed at a time: few enough that nobody waits long for one of them.
const AT_ONCE: usize = 50;

/// How many calls of the store in a row may fail.
const OUTAGES: u32 = 3;

/// What became of the credentials that were sealed with another key than the current one.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Resealed {
    /// How many are sealed with the current key now.
    pub resealed: u64,
    /// How many are being refreshed, or were changed meanwhile: what is stored then is sealed with the current key, but for a
    /// DPoP key. The next call deals with it.
    pub skipped: u64,
    /// Those that do not open, or that somebody else holds, and why.
    pub failed: Vec<(OwnerId, CredentialsError)>,
}

/// How far [`Credentials::reseal`] has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResealProgress {
    /// How many were dealt with.
    pub done: u64,
    /// The last of them: credentials are dealt with in the order of their owners.
    pub last: OwnerId,
}

impl Credentials {
    /// Seals every credential under the current key that is sealed with another one, while the service runs. When it has
    /// found nothing more, the other keys can be retired for good.
    ///
    /// It can be stopped at any time, and goes on where it stopped when it is called again. A credential that somebody else
    /// holds is among those that [failed](Resealed::failed), and keeps no other from its turn.
    ///
    /// # Errors
    /// [`CredentialsError::NoSealKeys`]; [`CredentialsError::Store`] when the store could not answer, several times in a row.
    pub async fn reseal(&self, mut progress: impl FnMut(ResealProgress) + Send) -> Result<Resealed, CredentialsError> {
        let current = *self.shared.keys()?.current_id();
        let filter = CredentialFilter { not_sealed_with: Some(current), ..CredentialFilter::default() };
        let mut report = Resealed::default();
        let (mut after, mut done, mut outages) = (None, 0, 0);
        loop {
            let page = self.shared.store.list(&CredentialListRequest::new(filter.clone(), PAGE).after(after)).await?;
            let Some(last) = page.last().map(|head| head.owner.clone()) else { return Ok(report) };
            for some in page.chunks(AT_ONCE) {
                for (owner, resealed) in self.shared.reseal_some(some).await {
                    // A row that somebody holds is an outage of its own; several in a row are one of the store.
                    outages = if matches!(resealed, Err(CredentialsError::Store(_))) { outages + 1 } else { 0 };
                    match resealed {
                        Ok(true) => report.resealed += 1,
                        Ok(false) => report.skipped += 1,
                        Err(error) if outages >= OUTAGES => return Err(error),
                        Err(error) => report.failed.push((owner.clone(), error)),
                    }
                    done += 1;
                    progress(ResealProgress { done, last: owner });
                }
            }
            after = Some(last);
        }
    }
}

impl Shared {
    /// Seals a credential that was read under the current key, unless it is. Nobody waits for it, and one task of this process
    /// at a time does it, so that a row which somebody holds costs no more than one connection.
    pub(super) fn reseal_lazily(self: &Arc<Self>, slot: &Slot, record: CredentialRecord) {
        let StoredSecrets { access_token, refresh_token, dpop_key } = &record.secrets;
        let is_old = |secret: &StoredSecret| match (secret, &self.seal_keys) {
            (StoredSecret::Sealed(sealed), Some(keys)) => !keys.is_current(sealed),
            // What another program has stored in clear, and the store is to take over.
            (StoredSecret::Plain(_), Some(_)) => self.store.sealing() == Sealing::Service,
            _ => false,
        };
        if ![access_token, refresh_token, dpop_key].into_iter().flatten().any(is_old) {
            return;
        }
        let Some(guard) = slot.begin() else { return };
        let (shared, flight) = (Arc::clone(self), self.in_flight.begin());
        self.runtime.spawn(async move {
            let owner = record.head.owner;
            if let Err(error) = shared.reseal(&owner).await {
                tracing::warn!(event = "credential.not_resealed", %owner, error = %Causes(&error));
            }
            drop((guard, flight));
        });
    }

    /// Seals some credentials under the current key, all at once if that goes, and says of each whether it is now.
    async fn reseal_some(&self, heads: &[CredentialHead]) -> Vec<(OwnerId, Result<bool, CredentialsError>)> {
        let mut outcomes = Vec::with_capacity(heads.len());
        let mut requests = Vec::with_capacity(heads.len());
        for CredentialHead { owner, .. } in heads {
            match self.sealed_anew(owner).await {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => outcomes.push((owner.clone(), Ok(false))),
                Err(error) => outcomes.push((owner.clone(), Err(error))),
            }
        }
        if requests.is_empty() {
            return outcomes;
        }
        match self.store.reseal_all(&requests).await {
            Ok(made) => {
                outcomes.extend(requests.into_iter().zip(made).map(|(request, made)| (request.owner, Ok(made))));
            }
            // One of them was in the way of all.
            Err(_) => {
                for ResealRequest { owner, .. } in requests {
                    let resealed = self.reseal(&owner).await;
                    outcomes.push((owner, resealed));
                }
            }
        }
        outcomes.sort_by(|(one, _), (other, _)| one.cmp(other));
        outcomes
    }

    /// Seals one credential under the current key; `false` where it was changed meanwhile, or nobody may change it now.
    pub(super) async fn reseal(&self, owner: &OwnerId) -> Result<bool, CredentialsError> {
        match self.sealed_anew(owner).await? {
            Some(request) => Ok(self.store.reseal(&request).await?),
            None => Ok(false),
        }
    }

    /// What puts the secrets of a credential into new envelopes; `None` where it is gone.
    async fn sealed_anew(&self, owner: &OwnerId) -> Result<Option<ResealRequest>, CredentialsError> {
        let Some(record) = self.store.get(owner).await? else { return Ok(None) };
        if let Some(defect) = record.head.defect {
            return Err(CredentialsError::Defect(defect));
        }
        let secrets = self.seal_anew(owner, &record.secrets)?;
        let (version, generation) = (record.head.version, record.head.generation);
        Ok(Some(ResealRequest::new(owner.clone(), version, generation, secrets, self.clock.now())))
    }
}
