//! Limits that processes keep together: one script a request, which touches one key.

use std::sync::LazyLock;

use async_trait::async_trait;
use redis::aio::ConnectionLike;

use super::RedisStore;
use super::script::Script;
use crate::key::{Lineage, Rate, Taken};
use crate::store::{LimitStore, StoreError};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("limits.lua")));

#[async_trait]
impl<C: ConnectionLike + Clone + Send + Sync + 'static> LimitStore for RedisStore<C> {
    async fn take(&self, lineage: Lineage<'_>, rate: Rate) -> Result<Taken, StoreError> {
        let limit = [rate.requests_per_minute(), rate.burst()].map(|requests| requests.get().into());
        let (is_admitted, used): (bool, u64) = self.run(&TAKE, &self.key("limit", lineage), &limit, "").await?;
        Ok(Taken::new(rate, is_admitted, used))
    }
}
