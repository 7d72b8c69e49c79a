//! The reference store: quotas in memory, for a service of one process that may forget them, and for tests.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::key::{KeyId, PeriodSpan};
use crate::store::{LeaseRequest, Leased, QuotaAccount, QuotaStore, StoreError};
use crate::time::Timestamp;

/// Accounts are looked through for old ones when there are twice as many as the last time, and not below this number.
const FEW: usize = 64;

/// Quotas in memory. They are gone when the last clone of the store is dropped.
#[derive(Clone, Debug, Default)]
pub struct MemoryQuotaStore {
    accounts: Arc<Mutex<Accounts>>,
}

#[derive(Debug, Default)]
struct Accounts {
    accounts: HashMap<(&'static str, KeyId, PeriodSpan), Account>,
    sweep_at: usize,
}

#[derive(Debug, Default)]
struct Account {
    taken: u64,
    /// The last request of each holder, and what it was granted.
    answered: HashMap<Box<str>, (u64, u64)>,
}

impl MemoryQuotaStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl QuotaStore for MemoryQuotaStore {
    async fn lease(&self, account: QuotaAccount<'_>, request: LeaseRequest<'_>) -> Result<Leased, StoreError> {
        let QuotaAccount { lineage, period, limit } = account;
        // Every change is made in one place under the lock, so a panic elsewhere leaves no half-made one behind.
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.forget_old_ones(request.now);
        accounts.accounts.entry((lineage.schema, lineage.id.clone(), period)).or_default().lease(limit, request)
    }
}

impl Accounts {
    fn forget_old_ones(&mut self, now: Timestamp) {
        if self.accounts.len() >= self.sweep_at.max(FEW) {
            self.accounts.retain(|(_, _, period), _| remembered_until(*period) > now);
            self.sweep_at = self.accounts.len() * 2;
        }
    }
}

impl Account {
    fn lease(&mut self, limit: u64, request: LeaseRequest<'_>) -> Result<Leased, StoreError> {
        let LeaseRequest { holder, sequence, give_back, wanted, .. } = request;
        if let Some(&(answered, granted)) = self.answered.get(holder) {
            match sequence.cmp(&answered) {
                Ordering::Less => return Err(StoreError::Conflict),
                Ordering::Equal => return Ok(Leased::new(granted, self.taken)),
                Ordering::Greater => {}
            }
        }
        let taken = self.taken.saturating_sub(give_back);
        let granted = wanted.min(limit.saturating_sub(taken));
        self.taken = taken + granted;
        self.answered.insert(holder.into(), (sequence, granted));
        Ok(Leased::new(granted, self.taken))
    }
}

/// For as long again as the period, and a day at least, as clocks that are late still ask for it.
pub(crate) fn remembered_until(period: PeriodSpan) -> Timestamp {
    let micros = period.end.as_micros() - period.start.as_micros();
    let length = Duration::from_micros(u64::try_from(micros).unwrap_or_default());
    period.end.saturating_add(length.max(Duration::from_hours(24)))
}
