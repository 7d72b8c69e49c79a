//! API keys that stand on an upstream OAuth session: [`SessionKeys`].

use std::fmt;
use std::sync::Arc;

use crate::credential::OAuthSession;
use crate::key::{Draft, Issued, KeyHead, OwnerId, Reason, Revoked, Schema};
use crate::service::cache::Changing;
use crate::service::credentials::{Credentials, CredentialsError, RevokedCredential};
use crate::service::keys::{Keys, KeysError};
use crate::store::credentials::{KeyedCredentialStore, Over, Standing};
use crate::store::{Reference, StoreError};

/// API keys that stand on an upstream OAuth session: whoever has one has both, in one transaction.
///
/// [`Keys`] verifies such keys, and [`Credentials`] hands out the tokens; both go on as they are. What creates a key, or ends
/// one with its session, goes this way.
pub struct SessionKeys<S: Schema> {
    store: Arc<dyn KeyedCredentialStore<Schema = S>>,
    keys: Keys<S>,
    credentials: Credentials,
}

impl<S: Schema> SessionKeys<S> {
    /// Joins the keys in `store` with the credentials in it. Both are built over what it hands out:
    /// `Keys::builder_over(store.keys())` and `Credentials::builder_over(store.credentials(), …)`.
    ///
    /// # Errors
    /// [`SessionKeysError::OtherStore`] when they are over other stores.
    pub fn new(
        store: Arc<dyn KeyedCredentialStore<Schema = S>>,
        keys: Keys<S>,
        credentials: Credentials,
    ) -> Result<Self, SessionKeysError> {
        let are_its_keys = std::ptr::addr_eq(Arc::as_ptr(keys.store()), Arc::as_ptr(&store.keys()));
        let are_its_credentials =
            std::ptr::addr_eq(Arc::as_ptr(credentials.store()), Arc::as_ptr(&store.credentials()));
        if are_its_keys && are_its_credentials {
            Ok(Self { store, keys, credentials })
        } else {
            Err(SessionKeysError::OtherStore)
        }
    }

    /// The keys.
    #[must_use]
    pub const fn keys(&self) -> &Keys<S> {
        &self.keys
    }

    /// The credentials.
    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Issues a key on a new session, which takes the place of the one that its owner had. Where an owner has one key, the new
    /// one takes the place of that, revoked or not.
    ///
    /// The session is this service's alone from then on: whoever else refreshes it, or signs out of it, ends it for both.
    ///
    /// # Errors
    /// [`SessionError`](crate::credential::SessionError) when the session is another account's, or lacks something, of which
    /// it names the first, or stands there already, which [`reissue`](Self::reissue) is for; [`StoreError::Missing`] when there is no such owner; [`StoreError::Conflict`] when somebody else
    /// issued a key at the same time, which stands. Nothing was written then.
    pub async fn issue(
        &self,
        draft: impl Into<Draft<S>> + Send,
        session: OAuthSession,
    ) -> Result<Issued<S>, SessionKeysError> {
        let draft = draft.into();
        let owner = draft.owner.clone();
        let before = self.before(&owner).await?;
        self.credentials.require_another(&owner, &session).await?;
        let put = self.credentials.prepare(&owner, session, Over::Anything)?;
        let issued = self.write(before, draft, Standing::New(&put), Before::Any).await?;
        self.credentials.stored(&owner);
        Ok(issued)
    }

    /// Issues another key on the session that its owner has.
    ///
    /// # Errors
    /// [`SessionKeysError::NeedsSession`] when the key before was revoked, or there is no session that is good; otherwise as
    /// [`issue`](Self::issue).
    pub async fn reissue(&self, draft: impl Into<Draft<S>> + Send) -> Result<Issued<S>, SessionKeysError> {
        self.reissue_if(draft.into(), Before::Live).await
    }

    /// As [`reissue`](Self::reissue), also after a revocation. Whoever had the revoked key may have had the session too: call
    /// it where the host has decided that this is not so.
    ///
    /// # Errors
    /// [`SessionKeysError::NeedsSession`] when there is no session that is good; otherwise as [`issue`](Self::issue).
    pub async fn reissue_after_revocation(
        &self,
        draft: impl Into<Draft<S>> + Send,
    ) -> Result<Issued<S>, SessionKeysError> {
        self.reissue_if(draft.into(), Before::Any).await
    }

    /// Revokes the key that the caller saw, and wipes its owner's credential in the same transaction; the second value says
    /// whether there was one. A key that has taken its place since is not hit, nor is its session.
    ///
    /// The session goes on at its server, where nobody can end it any more: [`revoke_and_end`](Self::revoke_and_end) tells it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the key was replaced or deleted since.
    pub async fn revoke_and_wipe(
        &self,
        seen: &KeyHead,
        reason: Option<Reason>,
    ) -> Result<(Revoked, bool), SessionKeysError> {
        let conflict = || SessionKeysError::from(StoreError::Conflict);
        // A digest that cannot be read cannot be compared; what can be read by now is another key.
        if seen.digest.is_none() && self.keys.get(&seen.id).await?.is_some_and(|key| key.head.digest.is_some()) {
            return Err(conflict());
        }
        let request = self.keys.revocation(&seen.id, reason).seen(seen.digest).of(seen.owner.clone());
        let _in_doubt = self.keys.in_doubt(Changing::Key(&seen.id));
        let (revoked, wiped) = self.store.revoke_and_wipe(&request).await?.ok_or_else(conflict)?;
        self.credentials.absent(&seen.owner, wiped);
        Ok((self.keys.committed(revoked.stored()), wiped))
    }

    /// As [`revoke_and_wipe`](Self::revoke_and_wipe), and then ends the session at its server (RFC 7009). That the server
    /// cannot be told keeps no key alive.
    ///
    /// # Errors
    /// As [`revoke_and_wipe`](Self::revoke_and_wipe).
    pub async fn revoke_and_end(
        &self,
        seen: &KeyHead,
        reason: Option<Reason>,
    ) -> Result<(Revoked, RevokedCredential), SessionKeysError> {
        let credential = self.store.credentials().get(&seen.owner).await?;
        let (revoked, was_there) = self.revoke_and_wipe(seen, reason).await?;
        let server_was_told = match credential {
            Some(credential) if was_there => self.credentials.end_at_server(&credential).await,
            _ => false,
        };
        Ok((revoked, RevokedCredential { was_there, server_was_told }))
    }

    async fn reissue_if(&self, draft: Draft<S>, is: Before) -> Result<Issued<S>, SessionKeysError> {
        let before = self.before(&draft.owner).await?;
        let is_revoked = |head: &KeyHead| head.standing(self.keys.now()).is_err();
        if is == Before::Live && before.as_ref().is_some_and(is_revoked) {
            return Err(SessionKeysError::NeedsSession);
        }
        match self.write(before, draft, Standing::Same, is).await {
            Err(SessionKeysError::Keys(KeysError::Store(StoreError::Missing(Reference::Credential)))) => {
                Err(SessionKeysError::NeedsSession)
            }
            outcome => outcome,
        }
    }

    /// The key that a new one takes the place of.
    async fn before(&self, owner: &OwnerId) -> Result<Option<KeyHead>, SessionKeysError> {
        if self.keys.store().abilities().several_keys_per_owner {
            return Ok(None);
        }
        Ok(self.keys.only_key(owner).await?.map(|key| key.head))
    }

    async fn write(
        &self,
        before: Option<KeyHead>,
        draft: Draft<S>,
        on: Standing<'_>,
        is: Before,
    ) -> Result<Issued<S>, SessionKeysError> {
        let Some(before) = before else {
            let prepared = self.keys.prepare(draft).map_err(KeysError::from)?;
            self.store.insert(prepared.record(), on).await?;
            return Ok(self.keys.committed(prepared.stored()));
        };
        let prepared = self.keys.prepare_replacement(before, draft).map_err(KeysError::from)?;
        let prepared = if is == Before::Live { prepared.while_live() } else { prepared };
        let _in_doubt = self.keys.in_doubt(Changing::Key(&prepared.rotation().predecessor.id));
        let successor = self.store.rotate(prepared.rotation(), on).await?;
        Ok(self.keys.committed(prepared.stored(successor)).successor)
    }
}

/// What the key may be that a new one takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Live,
    Any,
}

impl<S: Schema> Clone for SessionKeys<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), keys: self.keys.clone(), credentials: self.credentials.clone() }
    }
}

impl<S: Schema> fmt::Debug for SessionKeys<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Why a key on a session was not issued, or not revoked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionKeysError {
    /// The key takes a new session: the one before was revoked, or its session is gone or has ended.
    #[error("the account's owner has to sign in before another key is issued")]
    NeedsSession,
    /// The keys and the credentials are not over the store that joins them.
    #[error("the keys or the credentials are not over the store that joins them")]
    OtherStore,
    /// What was wrong with the key, or the store.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// What was wrong with the session.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

impl SessionKeysError {
    /// Whether the same call may succeed later by itself: 503 rather than 4xx.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::NeedsSession | Self::OtherStore => false,
            Self::Keys(error) => error.is_outage(),
            Self::Credentials(error) => error.is_outage(),
        }
    }
}

impl From<StoreError> for SessionKeysError {
    fn from(error: StoreError) -> Self {
        Self::Keys(error.into())
    }
}
