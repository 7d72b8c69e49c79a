//! The host of the tests: its table with one aggregator in it, the other programs that work on that, and the keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyward::key::{Draft, Issued, KeyDigest, KeyHead, KeyRecord, OwnerId, RefusalReason, Revocation, Revoked, decide};
use keyward::schemas::aggregator::{Aggregator, AggregatorKey};
use keyward::store::{KeyLookup, StoreError};
use keyward::{Keys, KeysError, ManualClock, Secret, SqlKeyStore, Timestamp};
use serde_json::{Map, Value};

use crate::support::{Database, Fixture};

/// The aggregator that is always there.
pub(super) const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
/// Another one, which a test has to add.
pub(super) const OTHER_DID: &str = "did:web:example.org";

pub(super) type Record = KeyRecord<Aggregator>;

pub(super) fn draft(did: &str) -> Draft<Aggregator> {
    AggregatorKey::of(did).unwrap().into()
}

pub(super) fn owner(did: &str) -> OwnerId {
    OwnerId::new(did).unwrap()
}

/// A host with the aggregator [`DID`].
pub(super) struct Host {
    pub(super) keys: Keys<Aggregator>,
    pub(super) clock: Arc<ManualClock>,
    fixture: Fixture<Aggregator>,
}

impl Host {
    pub(super) async fn over(fixture: Fixture<Aggregator>) -> Self {
        fixture.add_owner(DID).await;
        Self { keys: fixture.keys.clone(), clock: Arc::clone(&fixture.clock), fixture }
    }

    /// Keys as another process would have them, see [`Fixture::another_process`].
    pub(super) async fn another_process(&self) -> Keys<Aggregator> {
        self.fixture.another_process().await
    }

    pub(super) async fn another_processes<const N: usize>(&self) -> Vec<Keys<Aggregator>> {
        let mut processes = Vec::with_capacity(N);
        for _ in 0..N {
            processes.push(self.another_process().await);
        }
        processes
    }

    pub(super) fn database(&self) -> &Database {
        self.fixture.database()
    }

    /// The store, with what only SQL can do.
    pub(super) fn sql(&self) -> &SqlKeyStore<Aggregator> {
        self.fixture.sql()
    }

    /// The row as the indexer makes it. Over memory every DID has one.
    pub(super) async fn add_aggregator(&self, did: &str) {
        self.fixture.add_owner(did).await;
    }

    pub(super) async fn delete_aggregator(&self, did: &str) {
        self.run(&format!("DELETE FROM aggregators WHERE did = '{did}'")).await;
    }

    /// Runs plain SQL as another program would.
    pub(super) async fn run(&self, sql: &str) {
        self.database().run(sql).await;
    }

    /// Writes columns of the row of [`DID`] as another program would.
    pub(super) async fn set(&self, columns: &str) {
        self.run(&format!("UPDATE aggregators SET {columns} WHERE did = '{DID}'")).await;
    }

    /// The text of an expression over the row of [`DID`]; `None` for NULL.
    pub(super) async fn value(&self, expression: &str) -> Option<String> {
        self.database().text(&format!("SELECT CAST({expression} AS text) FROM aggregators WHERE did = '{DID}'")).await
    }

    pub(super) async fn count_aggregators(&self) -> usize {
        self.database().text("SELECT CAST(count(*) AS text) FROM aggregators").await.unwrap().parse().unwrap()
    }

    /// Every column of the row of [`DID`] with its value, whatever columns there are.
    pub(super) async fn row(&self) -> RowAsJson {
        let object = if self.database().is_postgres() {
            "to_jsonb(aggregators)".to_owned()
        } else {
            // JSON has no blobs, and the literals of SQL tell all types apart.
            let columns = "SELECT group_concat('''' || name || ''', quote(' || name || ')')
                           FROM pragma_table_info('aggregators')";
            format!("json_object({})", self.database().text(columns).await.unwrap())
        };
        RowAsJson(serde_json::from_str(&self.value(&object).await.unwrap()).unwrap())
    }

    pub(super) async fn issue(&self) -> Issued<Aggregator> {
        self.keys.issue_only(draft(DID)).await.unwrap()
    }

    /// A new key of [`DID`], as somebody sees it who looks at it now.
    pub(super) async fn issue_and_look(&self) -> KeyHead {
        self.issue().await;
        self.only_key().await.unwrap().head
    }

    /// The key of [`DID`].
    pub(super) async fn only_key(&self) -> Option<Record> {
        self.keys.only_key(&owner(DID)).await.unwrap()
    }

    /// Why the key is refused; `None` when it is accepted.
    pub(super) async fn refusal(&self, secret: &Secret) -> Option<RefusalReason> {
        refusal(&self.keys, secret).await
    }

    /// As [`refusal`](Self::refusal), for a key whose plaintext nobody has yet.
    pub(super) async fn refusal_of(&self, digest: &KeyDigest) -> Option<RefusalReason> {
        refusal_of(&self.keys, digest).await
    }
}

/// Why the key is refused; `None` when it is accepted.
pub(super) async fn refusal(keys: &Keys<Aggregator>, secret: &Secret) -> Option<RefusalReason> {
    keys.verify(secret.expose_secret()).await.err().map(|refusal| refusal.reason())
}

/// What [`Keys::verify`] does, for a key whose plaintext nobody has yet.
pub(super) async fn refusal_of(keys: &Keys<Aggregator>, digest: &KeyDigest) -> Option<RefusalReason> {
    let candidates = keys.store().find(KeyLookup::new(digest, "")).await.unwrap();
    decide(keys.schema(), candidates, digest, keys.now()).err().map(|refusal| refusal.reason())
}

/// What is reported of the key of [`DID`] when it was revoked just now, without a reason.
pub(super) fn revoked_at(at: Timestamp) -> Revoked {
    Revoked::now(DID.parse().unwrap(), Revocation::new(Some(at), None))
}

/// What is reported of the key of [`DID`] when it was revoked before.
pub(super) fn revoked_before(first: &Revocation) -> Revoked {
    Revoked::before(DID.parse().unwrap(), first.clone())
}

/// A row, column by column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowAsJson(Map<String, Value>);

impl RowAsJson {
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn nulls(&self) -> Vec<&str> {
        self.columns().filter(|column| self.0[*column].is_null() || self.0[*column] == "NULL").collect()
    }

    /// The columns that differ from those of `before`.
    pub(super) fn changed_since(&self, before: &Self) -> BTreeSet<&str> {
        assert!(self.columns().eq(before.columns()));
        self.columns().filter(|column| self.0[*column] != before.0[*column]).collect()
    }
}

/// The caller lost to somebody else, and knows it.
#[track_caller]
pub(super) fn has_lost<T: std::fmt::Debug>(outcome: &Result<T, KeysError>) {
    let lost = matches!(outcome, Err(KeysError::Store(StoreError::Conflict)));
    assert!(lost, "{outcome:?}");
}

/// Keys as a host has them whose sessions are in `zone`.
#[cfg(feature = "postgres")]
pub(super) async fn keys_in_zone(host: &Host, zone: &str, seed: u64) -> Keys<Aggregator> {
    let pool = host.database().as_postgres().pool_in_zone(zone).await;
    let set: String = sqlx::query_scalar("SHOW TimeZone").fetch_one(&pool).await.unwrap();
    assert_eq!(set, zone);
    let store = SqlKeyStore::open(keyward::Postgres::new(pool), Aggregator::new()).await.unwrap();
    crate::support::keys(Arc::new(store), &host.clock, seed)
}
