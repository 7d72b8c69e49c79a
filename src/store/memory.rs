//! The reference store: keys in memory, for tests, for short-lived programs, and to read the contract from.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::key::{
    Action, HistoryEntry, IdScheme, KeyChange, KeyDigest, KeyHead, KeyId, KeyRecord, OwnerId, RefusalReason,
    Revocation, Revoked, RevokedAll, Rotation, Schema, Status,
};
use crate::store::requests::starts_with;
use crate::store::{
    Abilities, ChangeFeed, Changes, KeyFilter, KeyLookup, KeyState, KeyStore, KeyUse, ListRequest, PurgeRequest,
    RevokeAllRequest, RevokeRequest, StoreError, Touched,
};
use crate::time::Timestamp;

/// Keys in memory. They are gone when the last clone of the store is dropped.
///
/// ```
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::{Keys, store::MemoryKeyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
/// let issued = keys.issue(StandardKey::new("customer-1", "production")?).await?;
/// assert!(keys.verify(issued.secret.expose_secret()).await.is_ok());
/// assert!(keys.verify("acme_live_guess").await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemoryKeyStore<S: Schema> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S: Schema> {
    schema: S,
    rows: Mutex<Rows<S>>,
}

#[derive(Debug)]
struct Rows<S: Schema> {
    keys: BTreeMap<KeyId, Arc<KeyRecord<S>>>,
    by_digest: HashMap<KeyDigest, KeyId>,
    history: HashMap<KeyId, Vec<HistoryEntry>>,
    /// How many times a key was changed or removed.
    changes: u64,
}

impl<S: Schema> MemoryKeyStore<S> {
    /// An empty store for keys of `schema`.
    #[must_use]
    pub fn new(schema: S) -> Self {
        let rows = Rows { keys: BTreeMap::new(), by_digest: HashMap::new(), history: HashMap::new(), changes: 0 };
        Self { shared: Arc::new(Shared { schema, rows: Mutex::new(rows) }) }
    }

    /// Every change is made in one place under the lock, so a panic elsewhere leaves no half-made one behind.
    fn rows(&self) -> MutexGuard<'_, Rows<S>> {
        self.shared.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a key has its owner's identity, so that a rotation replaces it.
    const ONE_KEY_PER_OWNER: bool = matches!(S::ID_SCHEME, IdScheme::Owner);
}

impl<S: Schema> Clone for MemoryKeyStore<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: Schema> Rows<S> {
    fn insert(&mut self, key: &KeyRecord<S>) -> Result<(), StoreError> {
        let digest_is_taken = key.head.digest.is_some_and(|digest| self.by_digest.contains_key(&digest));
        if digest_is_taken || self.keys.contains_key(&key.head.id) {
            return Err(StoreError::Conflict);
        }
        let KeyHead { id, digest, created_at, created_by, .. } = &key.head;
        self.by_digest.extend(digest.map(|digest| (digest, id.clone())));
        self.keys.insert(id.clone(), Arc::new(key.clone()));
        if S::VERSIONED {
            let action = S::origin(&key.details);
            let entry = HistoryEntry::new(action, 1, created_at.unwrap_or(Timestamp::MIN));
            self.append(id, entry.with(created_by.clone(), None));
        }
        Ok(())
    }

    /// The successor takes the predecessor's place, dead or alive.
    fn replace(&mut self, rotation: &Rotation<S>) -> Result<KeyRecord<S>, StoreError> {
        let id = &rotation.predecessor.id;
        let predecessor = self.keys.remove(id).ok_or(StoreError::Conflict)?;
        self.changes += 1;
        let is_live = predecessor.head.standing(rotation.at).is_ok();
        let still_as_seen = (&predecessor.head.digest, predecessor.head.version)
            == (&rotation.predecessor.digest, rotation.predecessor.version)
            && (is_live || !rotation.must_be_live);
        let replaced = if still_as_seen { self.insert(&rotation.successor) } else { Err(StoreError::Conflict) };
        match (&replaced, predecessor.head.digest) {
            (Ok(()), Some(digest)) => drop(self.by_digest.remove(&digest)),
            (Ok(()), None) => {}
            (Err(_), _) => drop(self.keys.insert(id.clone(), predecessor)),
        }
        replaced.map(|()| rotation.successor.clone())
    }

    /// The head of a key that is about to change, its version counted up.
    fn change(&mut self, id: &KeyId, action: Action) -> Option<(&mut KeyHead, HistoryEntry)> {
        let key = Arc::make_mut(self.keys.get_mut(id)?);
        self.changes += 1;
        if S::VERSIONED {
            key.head.version += 1;
        }
        let entry = HistoryEntry::new(action, key.head.version, Timestamp::MIN);
        Some((&mut key.head, entry))
    }

    fn append(&mut self, id: &KeyId, entry: HistoryEntry) {
        if S::VERSIONED {
            self.history.entry(id.clone()).or_default().push(entry);
        }
    }

    fn revoke(&mut self, id: &KeyId, at: Timestamp, entry: impl FnOnce(HistoryEntry) -> HistoryEntry) {
        let Some((head, blank)) = self.change(id, Action::Revoked) else { return };
        let entry = HistoryEntry { at, ..entry(blank) };
        head.status = Status::Revoked(Revocation::new(Some(at), entry.reason.clone()));
        self.append(id, entry);
    }
}

fn meets<S: Schema>(key: &KeyRecord<S>, filter: &KeyFilter, at: Timestamp) -> bool {
    let KeyFilter { owner, starting_with, state, environment, name, expiring_before, unused_since } = filter;
    let (head, labels) = (&key.head, S::labels(&key.details));
    owner.as_ref().is_none_or(|owner| head.owner == *owner)
        && starting_with.as_ref().is_none_or(|start| starts_with(&head.id, &head.prefix, start))
        && state.is_none_or(|state| state_of(head, at) == Some(state))
        && environment.is_none_or(|environment| labels.environment == Some(environment))
        && name.as_ref().is_none_or(|name| labels.name == Some(name.as_str()))
        && expiring_before.is_none_or(|before| head.expires_at.is_some_and(|expires_at| expires_at < before))
        && unused_since.is_none_or(|since| head.last_used_at.is_none_or(|used_at| used_at < since))
}

/// What comes first decides: a revoked key is revoked, whether it is also disabled or has also expired.
fn state_of(head: &KeyHead, at: Timestamp) -> Option<KeyState> {
    match head.standing(at) {
        Ok(()) => Some(KeyState::Active),
        Err(RefusalReason::Revoked) => Some(KeyState::Revoked),
        Err(RefusalReason::Disabled) => Some(KeyState::Disabled),
        Err(RefusalReason::Expired) => Some(KeyState::Expired),
        Err(_) => None,
    }
}

#[async_trait]
impl<S: Schema> KeyStore for MemoryKeyStore<S> {
    type Schema = S;

    fn schema(&self) -> &S {
        &self.shared.schema
    }

    fn abilities(&self) -> Abilities {
        let mut abilities = Abilities::all();
        abilities.several_keys_per_owner = !Self::ONE_KEY_PER_OWNER;
        abilities.expiry = !Self::ONE_KEY_PER_OWNER;
        abilities.changes = S::VERSIONED;
        abilities.watch = true;
        abilities
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<Arc<KeyRecord<S>>>, StoreError> {
        let rows = self.rows();
        let candidate = rows.by_digest.get(lookup.digest).and_then(|id| rows.keys.get(id));
        Ok(candidate.cloned().into_iter().collect())
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<S>>, StoreError> {
        Ok(self.rows().keys.get(id).map(|key| (**key).clone()))
    }

    async fn list(&self, request: &ListRequest) -> Result<Vec<KeyRecord<S>>, StoreError> {
        let rows = self.rows();
        let mut keys: Vec<_> = rows.keys.values().filter(|key| meets(key, &request.filter, request.at)).collect();
        keys.sort_by(|a, b| (b.head.created_at, &b.head.id).cmp(&(a.head.created_at, &a.head.id)));
        if let Some(after) = &request.after {
            let is_owned =
                |key: &&Arc<KeyRecord<S>>| request.filter.owner.as_ref().is_none_or(|owner| key.head.owner == *owner);
            let last = rows.keys.get(after).filter(is_owned).ok_or(StoreError::UnknownCursor)?;
            keys.retain(|key| (key.head.created_at, &key.head.id) < (last.head.created_at, &last.head.id));
        }
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        Ok(keys.into_iter().take(limit).map(|key| (**key).clone()).collect())
    }

    async fn count(&self, request: &ListRequest) -> Result<u64, StoreError> {
        Ok(self.rows().keys.values().filter(|key| meets(key, &request.filter, request.at)).count() as u64)
    }

    async fn owner_exists(&self, _owner: &OwnerId) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn insert(&self, key: &KeyRecord<S>) -> Result<(), StoreError> {
        self.rows().insert(key)
    }

    async fn rotate(&self, rotation: &Rotation<S>) -> Result<KeyRecord<S>, StoreError> {
        let mut rows = self.rows();
        if Self::ONE_KEY_PER_OWNER {
            return rows.replace(rotation);
        }
        let Rotation { predecessor: seen, successor, retire_at, at, by, .. } = rotation;
        let is_as_seen = |key: &&Arc<KeyRecord<S>>| {
            key.head.standing(*at).is_ok()
                && key.head.successor.is_none()
                && (&key.head.digest, key.head.expires_at, key.head.version)
                    == (&seen.digest, seen.expires_at, seen.version)
        };
        let predecessor = rows.keys.get(&seen.id).filter(is_as_seen).ok_or(StoreError::Conflict)?;
        let mut successor = KeyRecord::new(successor.head.clone(), predecessor.details.clone());
        self.shared.schema.succeed(predecessor, &mut successor);
        rows.insert(&successor)?;
        if let Some((head, entry)) = rows.change(&seen.id, Action::Rotated) {
            head.expires_at = Some(*retire_at);
            head.successor = Some(successor.head.id.clone());
            if rotation.is_immediate() {
                head.status = Status::Revoked(Revocation::new(Some(*at), None));
            }
            rows.append(&seen.id, HistoryEntry { at: *at, ..entry }.with(by.clone(), None));
        }
        Ok(successor)
    }

    async fn change(&self, change: &KeyChange<S>) -> Result<(), StoreError> {
        if !S::VERSIONED {
            return Err(StoreError::Unsupported("keys of this schema cannot be changed after their issue"));
        }
        let mut rows = self.rows();
        let KeyChange { seen_version, key, entry, .. } = change;
        let stored = rows.keys.get_mut(&key.head.id).ok_or(StoreError::Conflict)?;
        if stored.head.version != *seen_version || stored.head.is_revoked() {
            return Err(StoreError::Conflict);
        }
        // A rotated key lives to the end of its grace period, whatever a caller that did not see the successor wants.
        if stored.head.successor.is_some() && stored.head.expires_at != key.head.expires_at {
            return Err(StoreError::Conflict);
        }
        let last_used_at = stored.head.last_used_at;
        let mut changed = key.clone();
        changed.head.last_used_at = last_used_at;
        *stored = Arc::new(changed);
        rows.changes += 1;
        rows.append(&key.head.id, entry.clone());
        Ok(())
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<Option<Revoked>, StoreError> {
        let RevokeRequest { id, owner, digest, at, reason, by } = request;
        let mut rows = self.rows();
        let Some(key) = rows.keys.get(id) else { return Ok(None) };
        let is_meant = owner.as_ref().is_none_or(|owner| key.head.owner == *owner)
            && (digest.is_none() || key.head.digest == *digest);
        if !is_meant {
            return Ok(None);
        }
        if let Status::Revoked(revocation) = &key.head.status {
            return Ok(Some(Revoked::before(id.clone(), revocation.clone())));
        }
        rows.revoke(id, *at, |entry| entry.with(by.clone(), reason.clone()));
        Ok(Some(Revoked::now(id.clone(), Revocation::new(Some(*at), reason.clone()))))
    }

    async fn revoke_all(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError> {
        let RevokeAllRequest { owner, at, reason, by } = request;
        let mut rows = self.rows();
        let is_due = |key: &&Arc<KeyRecord<S>>| key.head.owner == *owner && !key.head.is_revoked();
        let due: Vec<_> = rows.keys.values().filter(is_due).map(|key| key.head.id.clone()).collect();
        for id in &due {
            rows.revoke(id, *at, |entry| entry.with(by.clone(), reason.clone()));
        }
        Ok(RevokedAll::new(owner.clone(), due.len() as u64))
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<Touched, StoreError> {
        let mut rows = self.rows();
        let mut written = 0;
        for used in uses {
            if let Some(key) = rows.keys.get_mut(&used.id)
                && key.head.digest == Some(used.digest)
                && used.replaces(key.head.last_used_at)
            {
                Arc::make_mut(key).head.last_used_at = Some(used.at);
                written += 1;
            }
        }
        Ok(Touched::written(written))
    }

    async fn history(&self, id: &KeyId) -> Result<Vec<HistoryEntry>, StoreError> {
        if !S::VERSIONED {
            return Err(StoreError::Unsupported("keys of this schema have no history"));
        }
        Ok(self.rows().history.get(id).cloned().unwrap_or_default())
    }

    async fn purge(&self, request: &PurgeRequest) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let is_due = |key: &&Arc<KeyRecord<S>>| {
            let revoked_at = match &key.head.status {
                Status::Revoked(revocation) => revocation.at,
                _ => None,
            };
            [revoked_at, key.head.expires_at].into_iter().flatten().any(|at| at < request.dead_before)
        };
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let due: Vec<_> = rows.keys.values().filter(is_due).take(limit).map(|key| key.head.id.clone()).collect();
        for id in &due {
            if let Some(key) = rows.keys.remove(id)
                && let Some(digest) = key.head.digest
            {
                rows.by_digest.remove(&digest);
            }
            rows.history.remove(id);
        }
        rows.changes += due.len() as u64;
        Ok(due.len() as u64)
    }

    async fn watch(&self) -> Result<Box<dyn ChangeFeed>, StoreError> {
        let told = self.rows().changes;
        Ok(Box::new(Feed { store: self.clone(), told }))
    }
}

/// It counts changes, and does not know of which keys.
#[derive(Debug)]
struct Feed<S: Schema> {
    store: MemoryKeyStore<S>,
    told: u64,
}

#[async_trait]
impl<S: Schema> ChangeFeed for Feed<S> {
    async fn changes(&mut self) -> Result<Changes, StoreError> {
        let changes = self.store.rows().changes;
        let told = std::mem::replace(&mut self.told, changes);
        Ok(if told == changes { Changes::none() } else { Changes::Everything })
    }
}
