//! Storing a new pair, without ever dropping it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::time::sleep;

use crate::credential::{CredentialRecord, KeyBinding, StoredSecrets, TokenPair};
use crate::secret::Secret;
use crate::service::credentials::exchange::{Bought, Exchange, FIRST_PAUSE, LONGEST_PAUSE};
use crate::service::credentials::opened::Opened;
use crate::service::credentials::release::nonces;
use crate::service::credentials::seal::{ACCESS_TOKEN, Means, REFRESH_TOKEN};
use crate::service::credentials::slot::Meanwhile;
use crate::service::credentials::{ASSUMED_LIFETIME, CredentialsError};
use crate::store::StoreError;
use crate::store::credentials::SaveRequest;
use crate::visible::Causes;

impl Exchange {
    /// Stores a new pair, for as long as it takes: it is the only one that the server still takes.
    pub(super) async fn keep(
        &self,
        record: &CredentialRecord,
        means: &Means,
        bought: Bought,
    ) -> Result<Arc<Opened>, CredentialsError> {
        let Bought { pair: TokenPair { access_token, refresh_token, expires_in, scope, .. }, nonce, sent_at } = bought;
        let access_token = Arc::new(access_token);
        let expires_at = Some(sent_at.saturating_add(expires_in.unwrap_or(ASSUMED_LIFETIME)));
        // A server that gives no new refresh token leaves the old one good.
        let refresh_token = refresh_token.map_or_else(|| Arc::clone(&means.refresh_token), Arc::new);
        let _unsaved = Meanwhile::say(&self.slot.refreshing.is_unsaved);
        let mut pause = FIRST_PAUSE;
        loop {
            let saved = match self.sealed(&access_token, &refresh_token) {
                Ok(secrets) => {
                    let at = self.shared.clock.now();
                    let mut save = SaveRequest::new(self.owner.clone(), record.head.generation, secrets, at);
                    save.expires_at = expires_at;
                    save.scopes.clone_from(&scope);
                    save.nonces = nonces(nonce.clone());
                    self.save(&save, &access_token).await
                }
                Err(error) => Err(error),
            };
            match saved {
                Ok(Some(generation)) => {
                    self.slot.succeed();
                    self.shared.counters.refreshed.add_one();
                    tracing::info!(event = "credential.refreshed", owner = %self.owner, expires_at = ?expires_at);
                    let opened = Arc::new(Opened {
                        dpop: means.opened.dpop.as_ref().map(|(key, known)| {
                            // The new token says in which form the server knows the key, unless it says nothing.
                            let form = match key.binding(access_token.expose_secret()) {
                                KeyBinding::Bound(form) => form,
                                KeyBinding::Unknown | KeyBinding::OtherKey => *known,
                            };
                            (key.clone(), form)
                        }),
                        token: access_token,
                        expires_at,
                        resource_server: means.opened.resource_server.clone(),
                        nonce: means.opened.nonce.load_full().into(),
                        generation,
                        was_refused: AtomicBool::new(false),
                    });
                    self.slot.keep(&opened);
                    return Ok(opened);
                }
                Ok(None) => {
                    tracing::error!(event = "credential.replaced", owner = %self.owner, "another credential was stored meanwhile");
                    return Err(CredentialsError::Replaced);
                }
                Err(error) => {
                    self.shared.counters.failed_saves.add_one();
                    tracing::error!(event = "credential.unsaved", owner = %self.owner, error = %Causes(&error), "it is tried again");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn sealed(
        &self,
        access_token: &Arc<Secret>,
        refresh_token: &Arc<Secret>,
    ) -> Result<StoredSecrets, CredentialsError> {
        let mut secrets = StoredSecrets::new(self.shared.seal(&self.owner, ACCESS_TOKEN, access_token)?);
        secrets.refresh_token = Some(self.shared.seal(&self.owner, REFRESH_TOKEN, refresh_token)?);
        Ok(secrets)
    }

    /// The generation of the pair that was stored; `None` when another credential stands there. What stands there is read
    /// when the store says that nothing was stored: an earlier attempt, whose answer was lost, may have stored it.
    async fn save(&self, save: &SaveRequest, access_token: &Secret) -> Result<Option<u64>, CredentialsError> {
        let store = &self.shared.store;
        if store.save(save).await? {
            return Ok(Some(save.generation + 1));
        }
        let Some(record) = store.get(&self.owner).await? else { return Ok(None) };
        if record.head.generation == save.generation {
            // What it was bought with still stands there: something keeps the row as it is, and the pair is not given up.
            return Err(StoreError::Suppressed { table: store.schema() }.into());
        }
        let is_ours = |opened: Arc<Opened>| opened.token.expose_secret() == access_token.expose_secret();
        Ok(self.shared.open_token(&record).is_ok_and(is_ours).then_some(record.head.generation))
    }
}
