//! A store that keeps every promise but the one that its fault breaks.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyward::Timestamp;
use keyward::key::{
    Action, HistoryEntry, KeyChange, KeyId, KeyRecord, OwnerId, Revocation, Revoked, RevokedAll, Rotation, Schema,
    Status,
};
use keyward::store::{
    Abilities, KeyLookup, KeyStore, KeyUse, ListRequest, PurgeRequest, RevokeAllRequest, RevokeRequest, StoreError,
    Touched,
};

use super::faults::Fault;
use super::filter::{is_dead_before, meets};
use super::list::ListStore;

#[async_trait]
impl<S: Schema> KeyStore for ListStore<S> {
    type Schema = S;

    fn schema(&self) -> &S {
        &self.schema
    }

    fn abilities(&self) -> Abilities {
        let mut abilities = Abilities::all();
        abilities.changes = S::VERSIONED && !self.has(Fault::ChangesWhatItSaysItCannot);
        abilities.search = !self.has(Fault::SearchesByLessThanItWasAsked);
        abilities.revocation_reason = !self.has(Fault::RevocationDropsAReasonItHasNoRoomFor);
        abilities
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<Arc<KeyRecord<S>>>, StoreError> {
        // Older than any test, newer than any key that is dead on purpose.
        let wall_clock: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
        let is_shown = |key: &&KeyRecord<S>| {
            let is_expired = key.head.expires_at.is_some_and(|at| at <= wall_clock);
            let is_disabled = matches!(key.head.status, Status::Disabled(_));
            !(self.has(Fault::FindsNothing)
                || self.has(Fault::FindComparesTheExpiryWithTheWallClock) && is_expired
                || self.has(Fault::FindHidesRevokedKeys) && key.head.is_revoked()
                || self.has(Fault::FindHidesDisabledKeys) && is_disabled)
        };
        let rows = self.rows();
        let found = rows.keys.iter().filter(|key| key.head.digest == Some(*lookup.digest)).filter(is_shown);
        Ok(found.map(|key| Arc::new(self.as_shown(key))).collect())
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<S>>, StoreError> {
        let rows = self.rows();
        let found = rows.keys.iter().find(|key| self.is_the_id(key, id, Fault::GetIgnoresCase));
        if found.is_none() && self.has(Fault::AbsenceIsAnError) {
            return Err(StoreError::Backend { backend: "a list", source: "no row".into() });
        }
        Ok(found.map(|key| self.as_shown(key)))
    }

    async fn list(&self, request: &ListRequest) -> Result<Vec<KeyRecord<S>>, StoreError> {
        let rows = self.rows();
        let mut filter = request.filter.clone();
        if self.has(Fault::ListIgnoresTheOwner) {
            filter.owner = None;
        }
        let all_hidden = filter.owner.is_none() && self.has(Fault::ListNeedsAnOwner);
        let is_hidden = |key: &KeyRecord<S>| all_hidden || self.has(Fault::ListHidesDeadKeys) && key.head.is_revoked();
        let meant = |key: &&KeyRecord<S>| meets(key, &filter, request.at, self.fault) && !is_hidden(key);
        let mut keys: Vec<_> = rows.keys.iter().filter(meant).collect();
        keys.sort_by_key(|key| Reverse((key.head.created_at, key.head.id.clone())));
        if self.has(Fault::ListIsOldestFirst) {
            keys.reverse();
        }
        if let Some(after) = request.after.as_ref().filter(|_| !self.has(Fault::ListIgnoresTheCursor)) {
            let is_owned = |key: &&KeyRecord<S>| {
                let is_the_owner = request.filter.owner.as_ref().is_none_or(|owner| key.head.owner == *owner);
                is_the_owner || self.has(Fault::CursorMayBeOfAnotherOwner)
            };
            let is_taken = |key: &&KeyRecord<S>| !self.has(Fault::CursorMustMeetTheFilter) || meant(key);
            let last = rows.keys.iter().find(|key| key.head.id == *after).filter(is_owned).filter(is_taken);
            let last = match last {
                None if self.has(Fault::UnknownCursorIsTheBeginning) => None,
                last => Some(&last.ok_or(StoreError::UnknownCursor)?.head),
            };
            keys.retain(|key| {
                last.is_none_or(|last| {
                    let (key, last) = ((key.head.created_at, &key.head.id), (last.created_at, &last.id));
                    if self.has(Fault::CursorSkipsEqualTimes) {
                        key.0 < last.0
                    } else if self.has(Fault::ListIsOldestFirst) {
                        key > last
                    } else {
                        key < last
                    }
                })
            });
        }
        let limit = match request.limit {
            _ if self.has(Fault::ListIgnoresTheLimit) => u32::MAX,
            0 if self.has(Fault::LimitOfZeroIsNoLimit) => u32::MAX,
            limit if self.has(Fault::LimitIsCapped) => limit.min(100),
            limit => limit,
        };
        Ok(keys.into_iter().take(usize::try_from(limit).unwrap()).map(|key| self.as_shown(key)).collect())
    }

    async fn count(&self, request: &ListRequest) -> Result<u64, StoreError> {
        let mut filter = request.filter.clone();
        if self.has(Fault::CountIgnoresTheState) {
            filter.state = None;
        }
        let rows = self.rows();
        let count = rows.keys.iter().filter(|key| meets(key, &filter, request.at, self.fault)).count() as u64;
        Ok(if self.has(Fault::CountStopsAtTheLimit) { count.min(request.limit.into()) } else { count })
    }

    async fn owner_exists(&self, _owner: &OwnerId) -> Result<bool, StoreError> {
        Ok(!self.has(Fault::NoOwnerExists))
    }

    async fn insert(&self, key: &KeyRecord<S>) -> Result<(), StoreError> {
        let mut rows = self.rows();
        let is_taken = rows.keys.iter().any(|other| other.head.id == key.head.id);
        if is_taken && !self.has(Fault::InsertOverwrites) {
            return Err(StoreError::Conflict);
        }
        rows = self.gap(Fault::InsertIsNotAtomic, rows);
        if self.has(Fault::InsertIsNotAtomic) {
            rows.keys.retain(|other| other.head.id != key.head.id);
        }
        self.add(&mut rows, key)
    }

    async fn rotate(&self, rotation: &Rotation<S>) -> Result<KeyRecord<S>, StoreError> {
        let Rotation { predecessor: seen, successor, retire_at, at, by, .. } = rotation;
        let mut rows = self.rows();
        let is_as_seen = |key: &KeyRecord<S>| {
            let head = &key.head;
            (head.standing(*at).is_ok() || self.has(Fault::RotationTakesDeadKeys))
                && (head.successor.is_none() || self.has(Fault::RotationHappensTwice))
                && (head.expires_at == seen.expires_at || self.has(Fault::RotationIgnoresTheExpiry))
                && (head.version == seen.version || self.has(Fault::RotationIgnoresTheVersion))
                && head.digest == seen.digest
        };
        let place = rows.keys.iter().position(|key| self.is_the_id(key, &seen.id, Fault::RotationIgnoresCase));
        let place = place.filter(|&place| is_as_seen(&rows.keys[place])).ok_or(StoreError::Conflict)?;
        rows = self.gap(Fault::RotationIsNotAtomic, rows);
        let mut copy = KeyRecord::new(successor.head.clone(), rows.keys[place].details.clone());
        self.schema.succeed(&rows.keys[place], &mut copy);
        if self.has(Fault::RotationTakesTheDetailsOfTheCaller) {
            copy = successor.clone();
        }
        if self.has(Fault::RotationRetiresBeforeItAdds) {
            rows.keys[place].head.expires_at = Some(*retire_at);
        }
        self.add(&mut rows, &copy)?;
        let head = &mut rows.keys[place].head;
        if !self.has(Fault::RotationLeavesThePredecessor) {
            head.expires_at = Some(*retire_at);
        }
        if !self.has(Fault::RotationForgetsTheSuccessor) {
            head.successor = Some(copy.head.id.clone());
        }
        if rotation.is_immediate() && !self.has(Fault::RotationWithoutGraceOnlyExpires) {
            head.status = Status::Revoked(Revocation::new(Some(*at), None));
        }
        let id = head.id.clone();
        self.note(&mut rows, &id, |version| HistoryEntry::new(Action::Rotated, version, *at).with(by.clone(), None));
        if self.has(Fault::RotationReturnsAnotherRecord) {
            copy.head.created_at = None;
        }
        Ok(copy)
    }

    async fn change(&self, change: &KeyChange<S>) -> Result<(), StoreError> {
        if !S::VERSIONED {
            return Err(StoreError::Unsupported("keys of this schema cannot be changed"));
        }
        let KeyChange { seen_version, key, entry, .. } = change;
        let mut rows = self.rows();
        let place = rows.keys.iter().position(|other| other.head.id == key.head.id);
        if place.is_none() && self.has(Fault::ChangeAddsAnUnknownKey) {
            return self.add(&mut rows, key);
        }
        let place = place.ok_or(StoreError::Conflict)?;
        let head = &rows.keys[place].head;
        let is_as_seen = head.version == *seen_version || self.has(Fault::ChangeIgnoresTheVersion);
        let is_alive = !head.is_revoked() || self.has(Fault::ChangeRevivesARevokedKey);
        if !is_as_seen || !is_alive {
            return Err(StoreError::Conflict);
        }
        rows = self.gap(Fault::ChangeIsNotAtomic, rows);
        rows = self.gap(Fault::ChangeUndoesARevocation, rows);
        let now = &rows.keys[place].head;
        if self.has(Fault::ChangeUndoesARevocation) && now.version != *seen_version && !now.is_revoked() {
            return Err(StoreError::Conflict);
        }
        let before = rows.keys[place].head.clone();
        let mut changed = key.clone();
        if !self.has(Fault::ChangeResetsTheLastUse) {
            changed.head.last_used_at = before.last_used_at;
        }
        if self.has(Fault::ChangeLosesTheExpiry) {
            changed.head.expires_at = before.expires_at;
        }
        if let Status::Disabled(disabling) = &mut changed.head.status
            && self.has(Fault::DisablingLosesTheReason)
        {
            disabling.reason = None;
        }
        rows.keys[place] = changed;
        let mut entry = entry.clone();
        if self.has(Fault::HistoryLosesTheFields) {
            entry.changes.clear();
        }
        rows.history.entry(key.head.id.clone()).or_default().push(entry);
        Ok(())
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<Option<Revoked>, StoreError> {
        let RevokeRequest { id, owner, digest, .. } = request;
        let mut rows = self.rows();
        let is_meant = |key: &KeyRecord<S>| {
            let is_the_owner = owner.as_ref().is_none_or(|owner| key.head.owner == *owner);
            let is_the_digest = digest
                .is_none_or(|digest| self.is_the_digest(key.head.digest, digest, Fault::RevocationComparesHalfADigest));
            self.is_the_id(key, id, Fault::RevocationIgnoresCase)
                && (is_the_owner || self.has(Fault::RevocationIgnoresTheOwner))
                && (is_the_digest || self.has(Fault::RevocationIgnoresTheDigest))
        };
        let Some(place) = rows.keys.iter().position(is_meant) else {
            let revocation = Revocation::new(Some(request.at), None);
            let is_success = self.has(Fault::RevokingAnUnknownKeySucceeds);
            return Ok(is_success.then(|| Revoked::now(id.clone(), revocation)));
        };
        let status = rows.keys[place].head.status.clone();
        if let Status::Revoked(first) = status
            && !self.has(Fault::SecondRevocationOverwritesTheFirst)
        {
            if self.has(Fault::SecondRevocationIsInTheHistory) {
                self.note(&mut rows, id, |version| HistoryEntry::new(Action::Revoked, version, request.at));
            }
            let is_news = self.has(Fault::SecondRevocationIsNews);
            return Ok(Some(if is_news {
                Revoked::now(id.clone(), first)
            } else {
                Revoked::before(id.clone(), first)
            }));
        }
        rows = self.gap(Fault::RevocationIsNotAtomic, rows);
        let revocation = self.revoke_row(&mut rows, place, request);
        if self.has(Fault::RevocationDeletesTheKey) {
            rows.keys.remove(place);
        }
        if self.has(Fault::RevocationIsOnlyReported) {
            rows.keys[place].head.status = Status::Active;
        }
        Ok(Some(Revoked::now(id.clone(), revocation)))
    }

    async fn revoke_all(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError> {
        let RevokeAllRequest { owner, at, reason, by, .. } = request;
        let mut rows = self.rows();
        let is_due = |key: &KeyRecord<S>| {
            let is_the_owner = key.head.owner == *owner
                || self.has(Fault::RevocationOfAllIgnoresTheOwner)
                || self.has(Fault::RevocationOfAllIgnoresCase)
                    && key.head.owner.as_str().eq_ignore_ascii_case(owner.as_str());
            let is_disabled = matches!(key.head.status, Status::Disabled(_));
            is_the_owner
                && (!key.head.is_revoked() || self.has(Fault::RevocationOfAllCountsTheDead))
                && !(is_disabled && self.has(Fault::RevocationOfAllSkipsDisabledKeys))
        };
        let mut due: Vec<_> = (0..rows.keys.len()).filter(|&place| is_due(&rows.keys[place])).collect();
        if self.has(Fault::RevocationOfAllStopsAtAHundred) {
            due.truncate(100);
        }
        rows = self.gap(Fault::RevocationOfAllIsNotAtomic, rows);
        for &place in &due {
            let id = rows.keys[place].head.id.clone();
            let one = RevokeRequest::new(id, *at).because(reason.clone()).by(by.clone());
            self.revoke_row(&mut rows, place, &one);
        }
        Ok(RevokedAll::new(owner.clone(), due.len() as u64))
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<Touched, StoreError> {
        let mut rows = self.rows();
        let mut written = 0;
        let considered = if self.has(Fault::TouchWritesTheFirstUseAlone) { &uses[..uses.len().min(1)] } else { uses };
        for used in considered {
            let found = rows.keys.iter_mut().find(|key| {
                self.is_the_id(key, &used.id, Fault::TouchIgnoresCase)
                    && self.is_the_digest(key.head.digest, used.digest, Fault::TouchComparesHalfADigest)
            });
            let Some(key) = found else {
                if self.has(Fault::TouchingAnUnknownKeyIsAnError) {
                    return Err(StoreError::Conflict);
                }
                continue;
            };
            let stored = key.head.last_used_at;
            let is_due = match self.fault {
                Some(Fault::LastUseMovesBack) => true,
                Some(Fault::LastUseSticksInTheFuture) => stored.is_none_or(|stored| stored < used.at),
                Some(Fault::LastUseIsCorrectedTooEarly) => {
                    let hour = Duration::from_hours(1);
                    stored.is_none_or(|stored| stored < used.at || stored > used.at.saturating_add(hour))
                }
                Some(Fault::TouchKeepsTheLastUseOfTheCall) => {
                    let is_used_twice = uses.iter().filter(|other| other.id == used.id).count() > 1;
                    is_used_twice || used.replaces(stored)
                }
                _ => used.replaces(stored),
            };
            if is_due {
                key.head.last_used_at = Some(used.at);
            }
            written += u64::from(is_due || self.has(Fault::TouchCountsWhatItDidNotWrite));
        }
        Ok(Touched::written(written))
    }

    async fn history(&self, id: &KeyId) -> Result<Vec<HistoryEntry>, StoreError> {
        if !S::VERSIONED {
            return Err(StoreError::Unsupported("keys of this schema have no history"));
        }
        let mut history = self.rows().history.get(id).cloned().unwrap_or_default();
        if self.has(Fault::HistoryIsNewestFirst) {
            history.reverse();
        }
        Ok(history)
    }

    async fn purge(&self, request: &PurgeRequest) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let before = if self.has(Fault::PurgeTakesWhatDiesJustThen) {
            request.dead_before.saturating_add(Duration::from_micros(1))
        } else {
            request.dead_before
        };
        let is_due = |key: &&KeyRecord<S>| {
            let is_disabled = matches!(key.head.status, Status::Disabled(_));
            is_dead_before(&key.head, before) || is_disabled && self.has(Fault::PurgeTakesDisabledKeys)
        };
        let limit = if self.has(Fault::PurgeIgnoresTheLimit) { u32::MAX } else { request.limit };
        let limit = usize::try_from(limit).unwrap();
        let due: Vec<_> = rows.keys.iter().filter(is_due).take(limit).map(|key| key.head.id.clone()).collect();
        rows.keys.retain(|key| !due.contains(&key.head.id));
        if !self.has(Fault::PurgeKeepsTheHistory) {
            rows.history.retain(|id, _| !due.contains(id));
        }
        Ok(if self.has(Fault::PurgeNeverEnds) { 1 } else { due.len() as u64 })
    }
}
