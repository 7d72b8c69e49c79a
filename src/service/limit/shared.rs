//! Asking the store that the processes share.

use std::sync::Arc;

use super::OnOutage;
use crate::key::{Lineage, Rate, Taken};
use crate::service::outage::Outage;
use crate::store::LimitStore;
use crate::time::Timestamp;
use crate::visible::Causes;

/// A store, whether it is worth asking, and what happens while it is not.
#[derive(Debug)]
pub(super) struct SharedStore {
    store: Arc<dyn LimitStore>,
    pub(super) on_outage: OnOutage,
    outage: Outage,
}

impl SharedStore {
    pub(super) const fn new(store: Arc<dyn LimitStore>, on_outage: OnOutage) -> Self {
        Self { store, on_outage, outage: Outage::none() }
    }

    /// `None` when it cannot be said.
    pub(super) async fn take(&self, lineage: Lineage<'_>, rate: Rate, now: Timestamp) -> Option<Taken> {
        if !self.outage.lets_ask(now) {
            return None;
        }
        match self.store.take(lineage, rate).await {
            Ok(taken) => {
                if self.outage.ends() {
                    tracing::info!(event = "limit.shared_again", "the processes keep one limit between them again");
                }
                Some(taken)
            }
            Err(error) => {
                if self.outage.begins(now) {
                    let requests_are = match self.on_outage {
                        OnOutage::Refuse => "refused",
                        OnOutage::Admit => "admitted uncounted",
                        OnOutage::CountInProcess => "counted in each process",
                    };
                    let error = Causes(&error);
                    tracing::error!(event = "limit.not_shared", requests_are, %error, "said once until it is over");
                }
                None
            }
        }
    }
}
