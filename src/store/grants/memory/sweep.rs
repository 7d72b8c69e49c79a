//! What a sweep of [`MemoryGrantStore`](super::MemoryGrantStore) removes.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::{Rows, up_to};
use crate::broker::{ClientId, GrantId};
use crate::store::grants::{SweepRequest, Swept};

impl Rows {
    pub(super) fn sweep(&mut self, request: &SweepRequest) -> Swept {
        let SweepRequest { at, limit, clients_unused_since } = *request;
        let mut swept = Swept::default();
        self.blank(|spent| spent.response.as_ref().is_some_and(|response| response.until <= at));
        let forgotten = self.grants.iter().filter(|(_, stored)| stored.remembered_until <= at);
        let forgotten: BTreeSet<GrantId> = forgotten.map(|(id, _)| id.clone()).collect();
        let live = self.refresh.values().filter(|refresh| self.is_live(refresh, at));
        let needed: BTreeSet<_> = live.map(|refresh| refresh.access).collect();
        swept.codes = remove(&mut self.codes, limit, |_, row| forgotten.contains(&row.grant) && row.stays_until <= at);
        swept.refresh_tokens = remove(&mut self.refresh, limit, |_, row| forgotten.contains(&row.grant));
        swept.access_tokens = remove(&mut self.access, limit, |digest, row| {
            forgotten.contains(&row.grant) || row.expires_at <= at && !needed.contains(digest)
        });
        // A grant goes after the last row that refers to it: one that was refreshed for years has more than one sweep takes.
        let rows = self.codes.values().map(|row| &row.grant);
        let rows = rows.chain(self.access.values().map(|row| &row.grant));
        let referred: BTreeSet<_> = rows.chain(self.refresh.values().map(|row| &row.grant)).collect();
        let gone = |id: &GrantId| forgotten.contains(id) && !referred.contains(id);
        swept.grants = remove(&mut self.grants, limit, |id, _| gone(id));
        if let Some(since) = clients_unused_since {
            let with_grant: BTreeSet<ClientId> =
                self.grants.values().map(|stored| stored.grant.client.clone()).collect();
            swept.clients = remove(&mut self.clients, limit, |id, client| {
                client.last_used_at.unwrap_or(client.created_at) < since && !with_grant.contains(id)
            });
        }
        swept
    }
}

/// Removes at most `limit` of the rows that `goes` names, and says how many.
fn remove<K: Clone + Ord, V>(rows: &mut BTreeMap<K, V>, limit: u32, goes: impl Fn(&K, &V) -> bool) -> u64 {
    let gone = up_to(rows.iter().filter(|(key, row)| goes(key, row)).map(|(key, _)| key.clone()), limit);
    for key in &gone {
        rows.remove(key);
    }
    gone.len() as u64
}
