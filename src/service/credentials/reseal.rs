//! Sealing everything that is stored under the current key.

use crate::credential::{CredentialRecord, StoredSecrets};
use crate::key::OwnerId;
use crate::seal::StoredSecret;
use crate::service::credentials::{Credentials, CredentialsError, Shared};
use crate::store::credentials::{CredentialFilter, CredentialListRequest, ResealRequest, Sealing};
use crate::visible::Causes;

/// How many are listed at a time.
const PAGE: u32 = 500;

/// What became of the credentials that were sealed with another key than the current one.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Resealed {
    /// How many are sealed with the current key now.
    pub resealed: u64,
    /// How many are being refreshed, or were changed meanwhile: what is stored then is sealed with the current key, but for a
    /// DPoP key. The next call deals with it.
    pub skipped: u64,
    /// Those that do not open, and why.
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
    /// Each credential is one conditional statement, so that it can be stopped at any time, and goes on where it stopped
    /// when it is called again.
    ///
    /// # Errors
    /// [`CredentialsError::NoSealKeys`]; [`CredentialsError::Store`] when the store could not answer.
    pub async fn reseal(&self, mut progress: impl FnMut(ResealProgress) + Send) -> Result<Resealed, CredentialsError> {
        let current = *self.shared.keys()?.current_id();
        let filter = CredentialFilter { not_sealed_with: Some(current), ..CredentialFilter::default() };
        let mut report = Resealed::default();
        let (mut after, mut done) = (None, 0);
        loop {
            let page = self.shared.store.list(&CredentialListRequest::new(filter.clone(), PAGE).after(after)).await?;
            let Some(last) = page.last().map(|head| head.owner.clone()) else { return Ok(report) };
            for head in page {
                match self.shared.reseal(&head.owner).await {
                    Ok(true) => report.resealed += 1,
                    Ok(false) => report.skipped += 1,
                    Err(error @ CredentialsError::Store(_)) => return Err(error),
                    Err(error) => report.failed.push((head.owner.clone(), error)),
                }
                done += 1;
                progress(ResealProgress { done, last: head.owner });
            }
            after = Some(last);
        }
    }
}

impl Shared {
    /// Seals a credential that was read under the current key, unless it is. That it could not be stored fails no read.
    pub(super) async fn reseal_lazily(&self, record: &CredentialRecord) {
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
        if let Err(error) = self.reseal(&record.head.owner).await {
            tracing::warn!(event = "credential.not_resealed", owner = %record.head.owner, error = %Causes(&error));
        }
    }

    /// Seals one credential under the current key; `false` where it was changed meanwhile, or nobody may change it now.
    pub(super) async fn reseal(&self, owner: &OwnerId) -> Result<bool, CredentialsError> {
        let Some(record) = self.store.get(owner).await? else { return Ok(false) };
        if let Some(defect) = record.head.defect {
            return Err(CredentialsError::Defect(defect));
        }
        let secrets = self.seal_anew(owner, &record.secrets)?;
        let (version, generation) = (record.head.version, record.head.generation);
        let request = ResealRequest::new(owner.clone(), version, generation, secrets, self.clock.now());
        Ok(self.store.reseal(&request).await?)
    }
}
