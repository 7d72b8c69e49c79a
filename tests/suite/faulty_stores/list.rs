//! The list behind the faulty store, and what its faults do to single rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use keyward::Timestamp;
use keyward::key::{Action, HistoryEntry, KeyDigest, KeyId, KeyRecord, Revocation, Schema, Status};
use keyward::store::{RevokeRequest, StoreError};

use super::faults::Fault;

/// Keys in a list, with one fault or none.
#[derive(Debug)]
pub(super) struct ListStore<S: Schema> {
    pub(super) schema: S,
    pub(super) fault: Option<Fault>,
    rows: Arc<Mutex<Rows<S>>>,
}

#[derive(Debug)]
pub(super) struct Rows<S: Schema> {
    pub(super) keys: Vec<KeyRecord<S>>,
    pub(super) history: HashMap<KeyId, Vec<HistoryEntry>>,
}

impl<S: Schema> ListStore<S> {
    pub(super) fn new(schema: S, fault: Option<Fault>) -> Self {
        Self { schema, fault, rows: Arc::new(Mutex::new(Rows { keys: Vec::new(), history: HashMap::new() })) }
    }

    /// The store opened anew, as `schema` is.
    pub(super) fn reopen(&self, schema: S) -> Self {
        let mut reopened = Self::new(schema, self.fault);
        if !self.has(Fault::ForgetsEverything) {
            reopened.rows = Arc::clone(&self.rows);
        }
        if self.has(Fault::ForgetsRevocations) {
            self.rows().keys.iter_mut().for_each(|key| key.head.status = Status::Active);
        }
        reopened
    }

    pub(super) fn rows(&self) -> MutexGuard<'_, Rows<S>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Lets others in between a check and the change that rests on it, where that is the fault.
    pub(super) fn gap<'r>(&'r self, fault: Fault, rows: MutexGuard<'r, Rows<S>>) -> MutexGuard<'r, Rows<S>> {
        if !self.has(fault) {
            return rows;
        }
        drop(rows);
        thread::sleep(Duration::from_millis(5));
        self.rows()
    }

    pub(super) fn is_the_id(&self, key: &KeyRecord<S>, id: &KeyId, ignores_case: Fault) -> bool {
        key.head.id == *id || self.has(ignores_case) && key.head.id.as_str().eq_ignore_ascii_case(id.as_str())
    }

    pub(super) fn is_the_digest(&self, stored: Option<KeyDigest>, asked: KeyDigest, compares_a_start: Fault) -> bool {
        let start = |digest: KeyDigest| digest.to_hex().as_str()[..16].to_owned();
        stored == Some(asked) || self.has(compares_a_start) && stored.map(start) == Some(start(asked))
    }

    pub(super) fn as_shown(&self, key: &KeyRecord<S>) -> KeyRecord<S> {
        let mut key = key.clone();
        if self.has(Fault::LosesTheFraction) {
            let whole = |at: Timestamp| Timestamp::from_micros(at.as_micros() / 1_000_000 * 1_000_000);
            key.head.created_at = key.head.created_at.map(whole);
        }
        if self.has(Fault::LosesTheExpiry) {
            key.head.expires_at = None;
        }
        if self.has(Fault::LosesWhoIssued) {
            key.head.created_by = None;
        }
        key
    }

    pub(super) fn add(&self, rows: &mut Rows<S>, key: &KeyRecord<S>) -> Result<(), StoreError> {
        let same_id = rows.keys.iter().any(|other| other.head.id == key.head.id);
        // In constant time, as digests compare, a thousand keys would take seconds.
        let bytes = |key: &KeyRecord<S>| key.head.digest.map(|digest| *digest.as_bytes());
        let same_digest = rows.keys.iter().any(|other| bytes(other) == bytes(key));
        if same_id && self.has(Fault::InsertOverwrites) {
            rows.keys.retain(|other| other.head.id != key.head.id);
        } else if same_id || same_digest && !self.has(Fault::InsertTakesATakenDigest) {
            return Err(StoreError::Conflict);
        }
        rows.keys.push(key.clone());
        if S::VERSIONED {
            let entry = HistoryEntry::new(S::origin(&key.details), 1, key.head.created_at.unwrap());
            rows.history.insert(key.head.id.clone(), vec![entry.with(key.head.created_by.clone(), None)]);
        }
        Ok(())
    }

    /// Counts the version of a key up, and notes why.
    pub(super) fn note(&self, rows: &mut Rows<S>, id: &KeyId, make: impl FnOnce(u64) -> HistoryEntry) {
        let Some(key) = rows.keys.iter_mut().find(|key| key.head.id == *id).filter(|_| S::VERSIONED) else { return };
        let entry = make(key.head.version + 1);
        if !(self.has(Fault::RevocationLeavesTheVersion) && entry.action == Action::Revoked) {
            key.head.version += 1;
        }
        if !(self.has(Fault::RotationLeavesNoHistory) && entry.action == Action::Rotated) {
            rows.history.entry(id.clone()).or_default().push(entry);
        }
    }

    pub(super) fn revoke_row(&self, rows: &mut Rows<S>, place: usize, request: &RevokeRequest) -> Revocation {
        let RevokeRequest { at, reason, by, .. } = request;
        let kept = reason.clone().filter(|_| !self.has(Fault::RevocationLosesTheReason));
        let revocation = Revocation::new(Some(*at), kept);
        rows.keys[place].head.status = Status::Revoked(revocation.clone());
        let id = rows.keys[place].head.id.clone();
        let note = |version| HistoryEntry::new(Action::Revoked, version, *at).with(by.clone(), reason.clone());
        self.note(rows, &id, note);
        revocation
    }
}
