//! Looking at keys and revoking them.

use crate::key::{KeyDigest, KeyId, KeyRecord, OwnerId, Reason, Revoked, RevokedAll, Schema};
use crate::service::cache::Changing;
use crate::service::{Keys, KeysError};
use crate::store::{KeyFilter, ListRequest, RevokeAllRequest, RevokeRequest, StoreError};

/// How many keys a page has unless the caller says otherwise.
pub const DEFAULT_PAGE: u32 = 50;

/// How many characters of an identity or a display prefix name a key.
pub const MIN_PREFIX_LEN: usize = 6;

/// Some keys, newest first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<S: Schema> {
    /// The keys, dead ones included.
    pub keys: Vec<KeyRecord<S>>,
    /// Where the next page starts, if there is one.
    pub next: Option<KeyId>,
}

#[cfg(feature = "serde")]
impl<S: Schema<Details: serde::Serialize>> serde::Serialize for Page<S> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        use serde::ser::SerializeStruct as _;

        let mut page = serializer.serialize_struct("Page", 2)?;
        page.serialize_field("keys", &self.keys)?;
        page.serialize_field("next", &self.next)?;
        page.end()
    }
}

impl<S: Schema> Keys<S> {
    /// One key, dead or alive.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<S>>, StoreError> {
        self.shared.source.store.get(id).await
    }

    /// One key, which has to be there and, where `owner` is given, has to be theirs.
    pub(super) async fn get_of(&self, owner: Option<&OwnerId>, id: &KeyId) -> Result<KeyRecord<S>, KeysError> {
        let key = self.shared.source.store.get(id).await?;
        let is_theirs = |key: &KeyRecord<S>| owner.is_none_or(|owner| key.head.owner == *owner);
        key.filter(is_theirs).ok_or(KeysError::NotFound)
    }

    /// Up to `limit` keys that meet `filter`, newest first, dead ones included; `after` is the [`next`](Page::next) of
    /// the page before.
    ///
    /// # Errors
    /// [`StoreError::UnknownCursor`] when `after` is no key, or one of another owner; [`StoreError::Unsupported`] when
    /// the schema's keys are listed by their owner alone; and the store's other errors.
    pub async fn list(&self, filter: KeyFilter, limit: u32, after: Option<&KeyId>) -> Result<Page<S>, StoreError> {
        if has_nul(&filter) {
            return Ok(Page { keys: Vec::new(), next: None });
        }
        let limit = limit.max(1);
        // One more than asked for tells whether another page follows.
        let request = ListRequest::new(filter, limit.saturating_add(1), self.now()).after(after.cloned());
        let mut keys = self.shared.source.store.list(&request).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| more).map(|last| last.head.id.clone());
        Ok(Page { keys, next })
    }

    /// How many keys meet `filter`.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] when the schema's keys are not counted, and the store's other errors.
    pub async fn count(&self, filter: KeyFilter) -> Result<u64, StoreError> {
        if has_nul(&filter) {
            return Ok(0);
        }
        self.shared.source.store.count(&ListRequest::new(filter, 1, self.now())).await
    }

    /// The one key of `owner` with this identity, or else the one whose identity or display prefix starts like this:
    /// what an operator has in hand. Every character counts as itself, and keys of other owners are never found.
    ///
    /// # Errors
    /// [`KeysError::NotFound`]; [`KeysError::NotUnique`] when several keys start like this;
    /// [`KeysError::PrefixTooShort`] below [`MIN_PREFIX_LEN`] characters; [`KeysError::Store`].
    pub async fn resolve(&self, owner: &OwnerId, start: &str) -> Result<KeyRecord<S>, KeysError> {
        if let Ok(id) = KeyId::new(start)
            && let Some(key) = self.shared.source.store.get(&id).await?
            && key.head.owner == *owner
        {
            return Ok(key);
        }
        if start.chars().count() < MIN_PREFIX_LEN {
            return Err(KeysError::PrefixTooShort { least: MIN_PREFIX_LEN });
        }
        if start.chars().any(char::is_control) {
            return Err(KeysError::NotFound);
        }
        let filter = KeyFilter::new().of(owner.clone()).starting_with(start);
        let mut found = self.shared.source.store.list(&ListRequest::new(filter, 2, self.now())).await?;
        match found.len() {
            0 => Err(KeysError::NotFound),
            1 => Ok(found.remove(0)),
            _ => Err(KeysError::NotUnique),
        }
    }

    /// Revokes a key for good. Doing it again changes nothing and reports the first time.
    ///
    /// # Errors
    /// [`KeysError::NotFound`]; [`KeysError::Store`].
    pub async fn revoke(&self, id: &KeyId, reason: Option<Reason>) -> Result<Revoked, KeysError> {
        self.revoke_if(None, id, None, reason).await
    }

    pub(super) async fn revoke_if(
        &self,
        owner: Option<&OwnerId>,
        id: &KeyId,
        digest: Option<KeyDigest>,
        reason: Option<Reason>,
    ) -> Result<Revoked, KeysError> {
        let request = self.revocation(id, reason).seen(digest);
        let request = match owner {
            Some(owner) => request.of(owner.clone()),
            None => request,
        };
        let _in_doubt = self.in_doubt(Changing::Key(id));
        match self.shared.source.store.revoke(&request).await? {
            Some(revoked) => Ok(self.committed(revoked.stored())),
            None => Err(KeysError::NotFound),
        }
    }

    /// The revocation of a key, not yet made, to be carried out inside the host's own transaction: pass it to the SQL
    /// store's `within(…).revoke(…)`. It names the time and who acts.
    #[must_use]
    pub fn revocation(&self, id: &KeyId, reason: Option<Reason>) -> RevokeRequest {
        RevokeRequest::new(id.clone(), self.now()).because(reason).by(self.by.clone())
    }

    /// The revocation of all keys of `owner`, not yet made, see [`revocation`](Self::revocation).
    #[must_use]
    pub fn revocation_of_all(&self, owner: &OwnerId, reason: Option<Reason>) -> RevokeAllRequest {
        RevokeAllRequest::new(owner.clone(), self.now()).because(reason).by(self.by.clone())
    }

    /// Revokes every key of `owner` and says how many were not revoked before. A key whose row cannot be revoked, or that
    /// somebody else holds, is named in [`RevokedAll::remaining`] and keeps no other one alive.
    ///
    /// # Errors
    /// [`StoreError::Interrupted`] when the store failed after some keys had been revoked; after any other [`StoreError`]
    /// none was.
    pub async fn revoke_all(&self, owner: &OwnerId, reason: Option<Reason>) -> Result<RevokedAll, StoreError> {
        let request = self.revocation_of_all(owner, reason);
        let _in_doubt = self.in_doubt(Changing::Owner(owner));
        match self.shared.source.store.revoke_all(&request).await {
            Ok(revoked) => Ok(self.committed(revoked.stored())),
            Err(error) => {
                if let StoreError::Interrupted { revoked, .. } = &error {
                    tracing::error!(event = "keys.revoked_in_part", owner = %owner, revoked, "others may be alive");
                }
                Err(error)
            }
        }
    }
}

/// No identity has a NUL character, and PostgreSQL takes none as an argument.
fn has_nul(filter: &KeyFilter) -> bool {
    filter.starting_with.as_ref().is_some_and(|start| start.contains('\0'))
}
