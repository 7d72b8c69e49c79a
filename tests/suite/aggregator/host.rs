//! The host of the tests: its table with one aggregator in it, the other programs that work on that, and the keys.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyward::aggregator::{Aggregator, AggregatorDetails, AggregatorKey};
use keyward::key::{Draft, Issued, KeyHead, KeyRecord, OwnerId, RefusalReason};
use keyward::store::DynKeyStore;
use keyward::{Keys, KeysError, ManualClock, Secret, SeededRandom};
use serde_json::{Map, Value};

use crate::support::systems::{Setting, is_postgres};
use crate::support::{Database, START};

/// The aggregator that is always there.
pub(super) const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
/// Another one, which a test has to add.
pub(super) const OTHER_DID: &str = "did:web:example.org";

pub(super) type Store = Arc<DynKeyStore<AggregatorDetails>>;
pub(super) type Record = KeyRecord<AggregatorDetails>;

pub(super) fn draft(did: &str) -> Draft<AggregatorDetails> {
    AggregatorKey::of(did).unwrap().into()
}

pub(super) fn owner(did: &str) -> OwnerId {
    OwnerId::new(did).unwrap()
}

/// [`Keys`] over `store`, with the time of `clock` and the keys that follow from `seed`.
pub(super) fn keys(store: Store, clock: &Arc<ManualClock>, seed: u64) -> Keys<Store> {
    let clock = Arc::<ManualClock>::clone(clock);
    Keys::builder(Aggregator, store).shared_clock(clock).random(SeededRandom::new(seed)).build()
}

/// A host with the aggregator [`DID`].
pub(super) struct Host {
    pub(super) keys: Keys<Store>,
    pub(super) clock: Arc<ManualClock>,
    setting: Setting<Aggregator>,
    seeds: AtomicU64,
}

impl Host {
    pub(super) async fn over(setting: Setting<Aggregator>) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let keys = keys(Arc::clone(&setting.store), &clock, 0);
        let host = Self { keys, clock, setting, seeds: AtomicU64::new(1) };
        host.add_aggregator(DID).await;
        host
    }

    /// Keys as another process would have them: a store of its own over the same database, other random numbers, and
    /// the same time. Over memory it is the same store.
    pub(super) async fn another_process(&self) -> Keys<Store> {
        let store = match &self.setting.database {
            Some(_) => self.setting.another_process::<Aggregator>().await,
            None => Arc::clone(&self.setting.store),
        };
        keys(store, &self.clock, self.seeds.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) async fn another_processes<const N: usize>(&self) -> Vec<Keys<Store>> {
        let mut processes = Vec::with_capacity(N);
        for _ in 0..N {
            processes.push(self.another_process().await);
        }
        processes
    }

    pub(super) fn database(&self) -> &Database {
        self.setting.database()
    }

    /// The row as the indexer makes it. Over memory every DID has one.
    pub(super) async fn add_aggregator(&self, did: &str) {
        self.setting.add_owner(did).await;
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
        let object = if is_postgres(self.database()) {
            "to_jsonb(aggregators)".to_owned()
        } else {
            // JSON has no blobs, and the literals of SQL tell all types apart.
            let columns = "SELECT group_concat('''' || name || ''', quote(' || name || ')')
                           FROM pragma_table_info('aggregators')";
            format!("json_object({})", self.database().text(columns).await.unwrap())
        };
        RowAsJson(serde_json::from_str(&self.value(&object).await.unwrap()).unwrap())
    }

    pub(super) async fn issue(&self) -> Issued<AggregatorDetails> {
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
}

/// Why the key is refused; `None` when it is accepted.
pub(super) async fn refusal(keys: &Keys<Store>, secret: &Secret) -> Option<RefusalReason> {
    keys.verify(secret.expose_secret()).await.err().map(|refusal| refusal.reason())
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
    let lost = matches!(outcome, Err(KeysError::Store(keyward::store::StoreError::Conflict)));
    assert!(lost, "{outcome:?}");
}
