//! Quotas that processes keep together: one script a batch of units, which touches one key.

use std::sync::LazyLock;

use async_trait::async_trait;
use redis::aio::ConnectionLike;

use super::RedisStore;
use super::script::Script;
use crate::store::{LeaseRequest, Leased, QuotaAccount, QuotaStore, StoreError, remembered_until};

static LEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("quotas.lua")));

#[async_trait]
impl<C: ConnectionLike + Clone + Send + Sync + 'static> QuotaStore for RedisStore<C> {
    async fn lease(&self, account: QuotaAccount<'_>, request: LeaseRequest<'_>) -> Result<Leased, StoreError> {
        let QuotaAccount { lineage, period, limit } = account;
        let LeaseRequest { holder, sequence, give_back, wanted, now } = request;
        let lifetime = (remembered_until(period).as_micros() - now.as_micros()) / 1_000;
        let lifetime = u64::try_from(lifetime).unwrap_or_default().max(1);
        let name = format!("{}:{}-{}", self.key("quota", lineage), period.start.as_seconds(), period.end.as_seconds());
        let numbers = [limit, sequence, give_back, wanted, lifetime];
        let (is_current, granted, taken): (bool, u64, u64) = self.run(&LEASE, &name, &numbers, holder).await?;
        if is_current { Ok(Leased::new(granted, taken)) } else { Err(StoreError::Conflict) }
    }
}
