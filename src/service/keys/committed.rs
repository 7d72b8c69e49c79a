//! What follows a change once it is certain: the event, and only then the plaintext.

use crate::key::{Action, Changed, Issued, KeyRecord, Receipt, Revoked, RevokedAll, Rotated, Schema};
use crate::service::Keys;
use crate::service::cache::Changing;

/// A change that leaves a trace in the log. It is sealed: the outcomes are those of keyward's own changes.
#[expect(private_bounds, reason = "this is what seals the trait")]
pub trait Outcome<S: Schema>: Traced + Fenced<S> {}

impl<S: Schema> Outcome<S> for Issued<S> {}
impl<S: Schema> Outcome<S> for Rotated<S> {}
impl<S: Schema> Outcome<S> for Changed<S> {}
impl<S: Schema> Outcome<S> for Revoked {}
impl<S: Schema> Outcome<S> for RevokedAll {}

impl<S: Schema> Keys<S> {
    /// Takes note that the host's transaction has committed: logs the change, and hands out what it made. Where there is
    /// a [cache](crate::KeysBuilder::cache), the change is in force for it from here on.
    ///
    /// Call it after the commit and never before: a receipt whose transaction was rolled back is dropped instead.
    ///
    /// ```
    /// use keyward::key::{Issued, Receipt};
    /// use keyward::schemas::standard::Standard;
    /// use keyward::{Keys, Secret};
    ///
    /// fn after_commit(keys: &Keys<Standard>, receipt: Receipt<Issued<Standard>>) -> Secret {
    ///     keys.committed(receipt).secret
    /// }
    /// ```
    pub fn committed<T: Outcome<S>>(&self, receipt: Receipt<T>) -> T {
        let outcome = receipt.into_outcome();
        for changing in outcome.changes() {
            self.shared.source.has_changed(changing);
            if let Some(cache) = &self.shared.cache {
                cache.changed(changing);
            }
        }
        outcome.trace();
        outcome
    }
}

/// What nobody must rely on any more.
trait Fenced<S: Schema> {
    fn changes(&self) -> Vec<Changing<'_>>;
}

impl<S: Schema> Fenced<S> for Issued<S> {
    fn changes(&self) -> Vec<Changing<'_>> {
        was_issued(&self.record).into_iter().collect()
    }
}

impl<S: Schema> Fenced<S> for Rotated<S> {
    fn changes(&self) -> Vec<Changing<'_>> {
        [Changing::Key(&self.predecessor)].into_iter().chain(was_issued(&self.successor.record)).collect()
    }
}

impl<S: Schema> Fenced<S> for Changed<S> {
    fn changes(&self) -> Vec<Changing<'_>> {
        vec![Changing::Key(&self.key.head.id)]
    }
}

impl<S: Schema> Fenced<S> for Revoked {
    fn changes(&self) -> Vec<Changing<'_>> {
        vec![Changing::Key(&self.id)]
    }
}

impl<S: Schema> Fenced<S> for RevokedAll {
    fn changes(&self) -> Vec<Changing<'_>> {
        vec![Changing::Owner(&self.owner)]
    }
}

/// Somebody may have presented it already, and was told that it is unknown.
fn was_issued<S: Schema>(record: &KeyRecord<S>) -> Option<Changing<'_>> {
    record.head.digest.as_ref().map(Changing::Digest)
}

/// Writes one event. It says which key and whose, and nothing that is secret.
trait Traced {
    fn trace(&self);
}

impl<S: Schema> Traced for Issued<S> {
    fn trace(&self) {
        let head = &self.record.head;
        tracing::info!(event = "key.issued", key_id = %head.id, prefix = %head.prefix, owner = %head.owner);
    }
}

impl<S: Schema> Traced for Rotated<S> {
    fn trace(&self) {
        let head = &self.successor.record.head;
        tracing::info!(
            event = "key.rotated",
            key_id = %self.predecessor,
            accepted_until = %self.accepted_until,
            successor_id = %head.id,
            prefix = %head.prefix,
            owner = %head.owner,
        );
    }
}

impl<S: Schema> Traced for Changed<S> {
    fn trace(&self) {
        let head = &self.key.head;
        let action = self.action.map(Action::as_str);
        tracing::info!(event = "key.changed", action, key_id = %head.id, owner = %head.owner, version = head.version);
    }
}

impl Traced for Revoked {
    /// A revocation that changed nothing is no event.
    fn trace(&self) {
        if !self.already {
            let reason = self.revocation.reason.as_ref().map(tracing::field::display);
            tracing::info!(event = "key.revoked", key_id = %self.id, reason);
        }
        for twin in &self.twins {
            tracing::error!(event = "key.twin_alive", key_id = %twin, revoked = %self.id, "it has the same digest");
        }
    }
}

impl Traced for RevokedAll {
    fn trace(&self) {
        tracing::info!(event = "keys.revoked", owner = %self.owner, revoked = self.count);
        for key_id in &self.remaining {
            tracing::error!(event = "key.not_revoked", %key_id, owner = %self.owner, "its row was kept as it was");
        }
    }
}
