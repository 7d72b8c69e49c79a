//! Where quotas are counted: [`QuotaStore`], and the one in memory.

mod memory;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::key::{Lineage, PeriodSpan};
use crate::store::StoreError;
use crate::time::Timestamp;

pub use memory::MemoryQuotaStore;
#[cfg(feature = "redis")]
pub(crate) use memory::remembered_until;

/// Where the units of quotas are counted that processes take in batches. Services call `Quotas` (feature `tokio`).
///
/// A store remembers, for each account, how many units were taken, and, for each holder, the last request and what it was
/// granted. It forgets an account when its period has been over for as long as it lasted, and a day at least, by the time of
/// the requests.
#[async_trait]
pub trait QuotaStore: Debug + Send + Sync + 'static {
    /// Takes `give_back` units off what was taken from the account, then takes as many of `wanted` as its limit has left, in
    /// one atomic step.
    ///
    /// A request that was answered before is answered alike and changes nothing, so that whoever has lost an answer asks
    /// again. The store answers within a time that it has set itself: requests wait for it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the holder has made a later request since: nothing was changed. Otherwise, whether it
    /// happened is unknown.
    async fn lease(&self, account: QuotaAccount<'_>, request: LeaseRequest<'_>) -> Result<Leased, StoreError>;
}

/// What units are taken from: the quota of a lineage in one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct QuotaAccount<'k> {
    /// Whose.
    pub lineage: Lineage<'k>,
    /// Of which period.
    pub period: PeriodSpan,
    /// How many units may be taken; at most [`Quota::MAX_UNITS`](crate::key::Quota::MAX_UNITS). It may change between
    /// requests.
    pub limit: u64,
}

impl<'k> QuotaAccount<'k> {
    /// This account.
    #[must_use]
    pub const fn new(lineage: Lineage<'k>, period: PeriodSpan, limit: u64) -> Self {
        Self { lineage, period, limit }
    }
}

/// What a process wants of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseRequest<'h> {
    /// The process; no other one has this name.
    pub holder: &'h str,
    /// Which request of the holder's; later ones have higher numbers.
    pub sequence: u64,
    /// Units that it took before and will not use.
    pub give_back: u64,
    /// Units that it would take.
    pub wanted: u64,
    /// When the request was made.
    pub now: Timestamp,
}

impl<'h> LeaseRequest<'h> {
    /// The request `sequence` of `holder`, for `wanted` units.
    #[must_use]
    pub const fn new(holder: &'h str, sequence: u64, wanted: u64, now: Timestamp) -> Self {
        Self { holder, sequence, give_back: 0, wanted, now }
    }

    /// The same, which gives units back first.
    #[must_use]
    pub const fn giving_back(self, units: u64) -> Self {
        Self { give_back: units, ..self }
    }
}

/// What a process was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leased {
    /// Units that are its own now.
    pub granted: u64,
    /// Units that are taken from the account, by whomever, these included.
    pub taken: u64,
}

impl Leased {
    /// So many units granted, of so many that are taken.
    #[must_use]
    pub const fn new(granted: u64, taken: u64) -> Self {
        Self { granted, taken }
    }
}

/// One that somebody else holds too.
#[async_trait]
impl<Q: QuotaStore + ?Sized> QuotaStore for Arc<Q> {
    async fn lease(&self, account: QuotaAccount<'_>, request: LeaseRequest<'_>) -> Result<Leased, StoreError> {
        Q::lease(self, account, request).await
    }
}
