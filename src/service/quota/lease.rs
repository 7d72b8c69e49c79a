//! The units of one account that a process has taken and not yet spent.

use crate::key::{Lineage, PeriodSpan, Quota};
use crate::store::{LeaseRequest, Leased, QuotaAccount, QuotaStore, StoreError};
use crate::time::Timestamp;

/// An account that was used up is looked at again after so many microseconds: others may have given units back.
const LOOK_AGAIN: i64 = 1_000_000;

/// A process takes at most this part of what is left, so that near the end little lies with processes that do not need it.
const PART: u64 = 8;

/// So often in a row a request may be overtaken by others of this process, which happens beyond its most leases alone.
const MOST_OVERTAKEN: u32 = 16;

#[derive(Debug)]
pub(super) struct Lease {
    pub(super) period: PeriodSpan,
    /// Units that are ours.
    units: u64,
    /// Units that were taken from the account, by whomever, when it was last asked for; all of ours are among them.
    taken: u64,
    /// What was asked for and not answered. It is asked again as it was, so that it happens once.
    unanswered: Option<Step>,
    /// The limit under which there was nothing left, and when that was.
    used_up: Option<(u64, Timestamp)>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    sequence: u64,
    give_back: u64,
    wanted: u64,
}

/// Who asks, and for how many units at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder<'h> {
    pub(super) name: &'h str,
    pub(super) batch: u64,
    pub(super) store: &'h dyn QuotaStore,
    pub(super) now: Timestamp,
}

impl Lease {
    pub(super) const fn new(period: PeriodSpan) -> Self {
        Self { period, units: 0, taken: 0, unanswered: None, used_up: None }
    }

    /// Whether it holds nothing that would be lost with it.
    pub(super) const fn is_empty(&self) -> bool {
        self.units == 0 && self.unanswered.is_none()
    }

    /// Spends a unit, if there is one.
    pub(super) const fn spend(&mut self) -> bool {
        let has_one = self.units > 0;
        if has_one {
            self.units -= 1;
        }
        has_one
    }

    /// What is left of `quota` as far as is known here.
    pub(super) const fn left(&self, quota: Quota) -> u64 {
        quota.units().saturating_sub(self.taken).saturating_add(self.units)
    }

    /// Whether the account was found used up a moment ago, and why should it be otherwise now.
    pub(super) fn is_used_up(&self, quota: Quota, now: Timestamp) -> bool {
        self.used_up.is_some_and(|(limit, at)| {
            limit == quota.units() && (0..LOOK_AGAIN).contains(&(now.as_micros() - at.as_micros()))
        })
    }

    /// Takes units, at least one unless there are none left.
    pub(super) async fn refill(
        &mut self,
        holder: Holder<'_>,
        lineage: Lineage<'_>,
        quota: Quota,
        next: impl Fn() -> u64,
    ) -> Result<(), StoreError> {
        let mut overtaken = 0;
        while self.units == 0 {
            // An answer that was outstanding may have been for giving back, or under another limit.
            let is_new = self.unanswered.is_none();
            let part = quota.units().saturating_sub(self.taken) / PART;
            let wanted = holder.batch.min(part).max(1);
            let step = self.unanswered.unwrap_or_else(|| Step { sequence: next(), give_back: 0, wanted });
            match self.ask(holder, lineage, quota.units(), step).await {
                Ok(leased) if is_new && leased.granted == 0 => {
                    self.used_up = Some((quota.units(), holder.now));
                    break;
                }
                Ok(_) => {}
                // Nothing happened, and a new request may be answered.
                Err(StoreError::Conflict) if overtaken < MOST_OVERTAKEN => overtaken += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives back what is not spent.
    pub(super) async fn give_back(
        &mut self,
        holder: Holder<'_>,
        lineage: Lineage<'_>,
        limit: u64,
        next: impl Fn() -> u64,
    ) -> Result<(), StoreError> {
        while !self.is_empty() {
            let step = self.unanswered.unwrap_or_else(|| Step { sequence: next(), give_back: self.units, wanted: 0 });
            if step.give_back > 0 && self.unanswered.is_none() {
                self.units = 0;
            }
            self.ask(holder, lineage, limit, step).await?;
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        Holder { name, store, now, .. }: Holder<'_>,
        lineage: Lineage<'_>,
        limit: u64,
        step: Step,
    ) -> Result<Leased, StoreError> {
        self.unanswered = Some(step);
        let account = QuotaAccount::new(lineage, self.period, limit);
        let request = LeaseRequest::new(name, step.sequence, step.wanted, now).giving_back(step.give_back);
        let answer = store.lease(account, request).await;
        match &answer {
            Ok(leased) => {
                self.unanswered = None;
                self.units += leased.granted;
                self.taken = leased.taken;
            }
            // A later request of ours overtook it. It happened before and its answer is gone, or it never will.
            Err(StoreError::Conflict) => self.unanswered = None,
            Err(_) => {}
        }
        answer
    }
}
