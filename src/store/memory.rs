//! The reference store: keys in memory, for tests, for short-lived programs, and to read the contract from.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::key::{KeyDigest, KeyId, KeyRecord, OwnerId, Revocation, RevocationReason, Rotation, Status};
use crate::store::{Abilities, KeyLookup, KeyStore, KeyUse, PageRequest, RevokeOutcome, RevokeRequest, StoreError};
use crate::time::Timestamp;

/// Keys in memory. They are gone when the store is dropped.
///
/// ```
/// use keyward::scraper::{Scraper, ScraperKey};
/// use keyward::{Keys, store::MemoryKeyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let keys = Keys::builder(Scraper, MemoryKeyStore::new()).build();
/// let issued = keys.issue(ScraperKey::named("acme", "production")?.into()).await?;
/// assert!(keys.verify(issued.secret.expose_secret()).await.is_ok());
/// assert!(keys.verify("riq_guess").await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemoryKeyStore<D> {
    rows: Mutex<Rows<D>>,
    one_key_per_owner: bool,
}

#[derive(Debug)]
struct Rows<D> {
    keys: BTreeMap<KeyId, KeyRecord<D>>,
    by_digest: HashMap<KeyDigest, KeyId>,
    rotated: HashSet<KeyId>,
}

impl<D> MemoryKeyStore<D> {
    /// An empty store, in which an owner can have several keys.
    #[must_use]
    pub fn new() -> Self {
        let rows = Rows { keys: BTreeMap::new(), by_digest: HashMap::new(), rotated: HashSet::new() };
        Self { rows: Mutex::new(rows), one_key_per_owner: false }
    }

    /// An empty store for systems such as [`Aggregator`](crate::aggregator::Aggregator), in which a key has its owner's
    /// identity and never expires, and a rotation replaces it.
    #[must_use]
    pub fn one_key_per_owner() -> Self {
        Self { one_key_per_owner: true, ..Self::new() }
    }

    /// Every change is made in one place under the lock, so a panic elsewhere leaves no half-made one behind.
    fn rows(&self) -> MutexGuard<'_, Rows<D>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D> Default for MemoryKeyStore<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Clone> Rows<D> {
    fn insert(&mut self, key: &KeyRecord<D>) -> Result<(), StoreError> {
        let digest_is_taken = key.head.digest.is_some_and(|digest| self.by_digest.contains_key(&digest));
        if digest_is_taken || self.keys.contains_key(&key.head.id) {
            return Err(StoreError::Conflict);
        }
        self.by_digest.extend(key.head.digest.map(|digest| (digest, key.head.id.clone())));
        self.keys.insert(key.head.id.clone(), key.clone());
        Ok(())
    }

    /// The successor takes the predecessor's place, dead or alive.
    fn replace(&mut self, rotation: &Rotation<D>) -> Result<(), StoreError> {
        let id = &rotation.predecessor.id;
        let predecessor = self.keys.remove(id).ok_or(StoreError::Conflict)?;
        let is_live = predecessor.head.standing(rotation.at).is_ok();
        let still_as_seen =
            predecessor.head.digest == rotation.predecessor.digest && (is_live || !rotation.must_be_live);
        let replaced = if still_as_seen { self.insert(&rotation.successor) } else { Err(StoreError::Conflict) };
        match (&replaced, predecessor.head.digest) {
            (Ok(()), Some(digest)) => drop(self.by_digest.remove(&digest)),
            (Ok(()), None) => {}
            (Err(_), _) => drop(self.keys.insert(id.clone(), predecessor)),
        }
        replaced
    }
}

#[async_trait]
impl<D: Clone + Debug + Send + Sync + 'static> KeyStore for MemoryKeyStore<D> {
    type Details = D;

    fn abilities(&self) -> Abilities {
        Abilities {
            several_keys_per_owner: !self.one_key_per_owner,
            expiry: !self.one_key_per_owner,
            rotation_memory: true,
            revocation_time: true,
            revocation_reason: true,
        }
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<KeyRecord<D>>, StoreError> {
        let rows = self.rows();
        let candidate = rows.by_digest.get(lookup.digest).and_then(|id| rows.keys.get(id));
        Ok(candidate.cloned().into_iter().collect())
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<D>>, StoreError> {
        Ok(self.rows().keys.get(id).cloned())
    }

    async fn list(&self, page: &PageRequest) -> Result<Vec<KeyRecord<D>>, StoreError> {
        let rows = self.rows();
        let mut keys: Vec<_> = rows.keys.values().filter(|key| key.head.owner == page.owner).collect();
        keys.sort_by(|a, b| (b.head.created_at, &b.head.id).cmp(&(a.head.created_at, &a.head.id)));
        let start = match &page.after {
            None => 0,
            Some(after) => match keys.iter().position(|key| key.head.id == *after) {
                Some(last) => last + 1,
                None => return Err(StoreError::UnknownCursor),
            },
        };
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        Ok(keys.into_iter().skip(start).take(limit).cloned().collect())
    }

    async fn starting_with(&self, owner: &OwnerId, start: &str, limit: u32) -> Result<Vec<KeyRecord<D>>, StoreError> {
        let rows = self.rows();
        let starts = |key: &&KeyRecord<D>| {
            key.head.owner == *owner
                && (key.head.id.as_str().starts_with(start) || key.head.prefix.as_str().starts_with(start))
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(rows.keys.values().filter(starts).take(limit).cloned().collect())
    }

    async fn owner_exists(&self, _owner: &OwnerId) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn insert(&self, key: &KeyRecord<D>) -> Result<(), StoreError> {
        self.rows().insert(key)
    }

    async fn rotate(&self, rotation: &Rotation<D>) -> Result<(), StoreError> {
        let mut rows = self.rows();
        let id = &rotation.predecessor.id;
        let seen = &rotation.predecessor;
        if self.one_key_per_owner {
            return rows.replace(rotation);
        }
        let still_as_seen = rows.keys.get(id).is_some_and(|key| {
            key.head.standing(rotation.at).is_ok()
                && key.head.digest == seen.digest
                && key.head.expires_at == seen.expires_at
        });
        if !still_as_seen || rows.rotated.contains(id) {
            return Err(StoreError::Conflict);
        }
        rows.insert(&rotation.successor)?;
        if let Some(predecessor) = rows.keys.get_mut(id) {
            predecessor.head.expires_at = Some(rotation.retire_at);
        }
        rows.rotated.insert(id.clone());
        Ok(())
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<RevokeOutcome, StoreError> {
        let mut rows = self.rows();
        let Some(key) = rows.keys.get_mut(&request.id) else { return Ok(RevokeOutcome::NotFound) };
        if request.digest.is_some() && key.head.digest != request.digest {
            return Ok(RevokeOutcome::NotFound);
        }
        if let Status::Revoked(revocation) = &key.head.status {
            return Ok(RevokeOutcome::AlreadyRevoked(revocation.clone()));
        }
        key.head.status = Status::Revoked(Revocation { at: Some(request.at), reason: request.reason.clone() });
        Ok(RevokeOutcome::Revoked)
    }

    async fn revoke_all(
        &self,
        owner: &OwnerId,
        at: Timestamp,
        reason: Option<&RevocationReason>,
    ) -> Result<u64, StoreError> {
        let mut revoked = 0;
        for key in self.rows().keys.values_mut() {
            if key.head.owner == *owner && !matches!(key.head.status, Status::Revoked(_)) {
                key.head.status = Status::Revoked(Revocation { at: Some(at), reason: reason.cloned() });
                revoked += 1;
            }
        }
        Ok(revoked)
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let mut touched = 0;
        for KeyUse { id, digest, at } in uses {
            if let Some(key) = rows.keys.get_mut(id)
                && key.head.digest.as_ref() == Some(digest)
                && key.head.last_used_at < Some(*at)
            {
                key.head.last_used_at = Some(*at);
                touched += 1;
            }
        }
        Ok(touched)
    }
}
