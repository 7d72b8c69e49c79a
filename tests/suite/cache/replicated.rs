//! A store with a replica that is brought in step by hand: what is changed here is in force at once, what is changed elsewhere
//! within the longest lag, and what a replica said counts from when it was in step.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use keyward::Clock as _;
use keyward::key::{
    HistoryEntry, Issued, KeyChange, KeyDigest, KeyId, KeyRecord, OwnerId, RefusalReason, Revoked, RevokedAll, Rotation,
};
use keyward::store::{
    Abilities, FoundOnReplica, KeyLookup, KeyStore, KeyUse, ListRequest, PurgeRequest, RevokeAllRequest, RevokeRequest,
    StoreError, Touched,
};
use rand::RngExt as _;

use super::*;
use keyward::service::OutagePolicy;

/// How far the replica may be behind.
const LAG: Duration = Duration::from_secs(5);

type Records = Vec<Arc<KeyRecord<Standard>>>;

#[derive(Debug)]
struct WithReplica {
    primary: MemoryKeyStore<Standard>,
    clock: Arc<ManualClock>,
    replica: Mutex<Replica>,
}

#[derive(Debug, Default)]
struct Replica {
    known: HashMap<KeyDigest, Records>,
    in_step: Duration,
    asked: usize,
    /// It has been asked for too many keys that it does not know.
    is_throttled: bool,
}

impl WithReplica {
    /// Brings the replica in step with the primary.
    async fn replay(&self, issued: &[Issued<Standard>]) {
        let mut known = HashMap::new();
        for issued in issued {
            let digest = issued.record.head.digest.unwrap();
            let found = self.primary.find(KeyLookup::new(&digest, issued.record.head.prefix.as_str())).await.unwrap();
            known.insert(digest, found);
        }
        let mut replica = self.replica.lock().unwrap();
        (replica.known, replica.in_step) = (known, self.clock.elapsed());
    }

    fn asked(&self) -> usize {
        self.replica.lock().unwrap().asked
    }
}

#[async_trait]
impl KeyStore for WithReplica {
    type Schema = Standard;

    fn schema(&self) -> &Standard {
        self.primary.schema()
    }

    fn abilities(&self) -> Abilities {
        let mut abilities = self.primary.abilities();
        abilities.replicas = true;
        abilities
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Records, StoreError> {
        self.primary.find(lookup).await
    }

    async fn find_on_replica(&self, lookup: KeyLookup<'_>) -> Result<Option<FoundOnReplica<Standard>>, StoreError> {
        let mut replica = self.replica.lock().unwrap();
        replica.asked += 1;
        if replica.is_throttled && !replica.known.contains_key(lookup.digest) {
            return Err(StoreError::Throttled);
        }
        let age = self.clock.elapsed().checked_sub(replica.in_step).unwrap();
        let found = replica.known.get(lookup.digest).filter(|_| age <= LAG);
        Ok(found.map(|candidates| FoundOnReplica::new(candidates.clone(), age)))
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<Standard>>, StoreError> {
        self.primary.get(id).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Vec<KeyRecord<Standard>>, StoreError> {
        self.primary.list(request).await
    }

    async fn count(&self, request: &ListRequest) -> Result<u64, StoreError> {
        self.primary.count(request).await
    }

    async fn owner_exists(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        self.primary.owner_exists(owner).await
    }

    async fn insert(&self, key: &KeyRecord<Standard>) -> Result<(), StoreError> {
        self.primary.insert(key).await
    }

    async fn rotate(&self, rotation: &Rotation<Standard>) -> Result<KeyRecord<Standard>, StoreError> {
        self.primary.rotate(rotation).await
    }

    async fn change(&self, change: &KeyChange<Standard>) -> Result<(), StoreError> {
        self.primary.change(change).await
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<Option<Revoked>, StoreError> {
        self.primary.revoke(request).await
    }

    async fn revoke_all(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError> {
        self.primary.revoke_all(request).await
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<Touched, StoreError> {
        self.primary.touch(uses).await
    }

    async fn history(&self, id: &KeyId) -> Result<Vec<HistoryEntry>, StoreError> {
        self.primary.history(id).await
    }

    async fn purge(&self, request: &PurgeRequest) -> Result<u64, StoreError> {
        self.primary.purge(request).await
    }
}

struct Replicating {
    store: Arc<WithReplica>,
    clock: Arc<ManualClock>,
    keys: Keys<Standard>,
    elsewhere: Keys<Standard>,
}

impl Replicating {
    fn new(cache: Option<CachePolicy>) -> Self {
        let (primary, clock) = (MemoryKeyStore::new(Standard::schema()), Arc::new(ManualClock::new(START)));
        let elsewhere = crate::support::keys(Arc::new(primary.clone()), &clock, 1);
        let store = WithReplica { primary, clock: Arc::clone(&clock), replica: Mutex::default() };
        let store = Arc::new(store);
        let keys = match cache {
            Some(policy) => cached_over(Arc::<WithReplica>::clone(&store), &clock, policy),
            None => crate::support::keys(Arc::<WithReplica>::clone(&store), &clock, 2),
        };
        Self { store, clock, keys, elsewhere }
    }

    async fn evidence(&self, issued: &Issued<Standard>) -> Evidence {
        self.keys.verify(issued.secret.expose_secret()).await.unwrap().evidence()
    }

    async fn is_accepted(&self, issued: &Issued<Standard>) -> bool {
        self.keys.verify(issued.secret.expose_secret()).await.is_ok()
    }
}

#[tokio::test]
async fn the_evidence_says_how_far_the_replica_was_behind() {
    let it = Replicating::new(None);
    let issued = [it.elsewhere.issue(draft()).await.unwrap()];
    assert_eq!(it.evidence(&issued[0]).await, Evidence::Fresh, "no replica knows it");
    it.store.replay(&issued).await;
    assert_eq!(it.evidence(&issued[0]).await, Evidence::Replicated { age: Duration::ZERO });
    it.clock.advance(LAG);
    assert_eq!(it.evidence(&issued[0]).await, Evidence::Replicated { age: LAG });
    it.clock.advance(Duration::from_micros(1));
    assert_eq!(it.evidence(&issued[0]).await, Evidence::Fresh, "it is too far behind");
    it.store.replay(&issued).await;
    let fresh = it.keys.verify_fresh(issued[0].secret.expose_secret()).await.unwrap();
    assert_eq!(fresh.evidence(), Evidence::Fresh);
}

#[tokio::test]
async fn what_is_cached_of_a_replica_counts_from_when_that_was_in_step() {
    let it = Replicating::new(Some(policy().unwatched_max_age(SECOND * 8)));
    let issued = [it.elsewhere.issue(draft()).await.unwrap()];
    it.store.replay(&issued).await;
    it.clock.advance(SECOND * 3);
    assert_eq!(it.evidence(&issued[0]).await, Evidence::Replicated { age: SECOND * 3 });
    assert_eq!(it.evidence(&issued[0]).await, aged(SECOND * 3));
    it.clock.advance(SECOND * 5);
    assert_eq!(it.evidence(&issued[0]).await, aged(SECOND * 8));
    it.clock.advance(Duration::from_micros(1));
    assert_eq!(it.evidence(&issued[0]).await, Evidence::Fresh);
}

#[tokio::test]
async fn only_what_was_changed_is_asked_of_the_store_meanwhile() {
    let it = Replicating::new(None);
    let issued = [it.keys.issue(draft()).await.unwrap(), it.keys.issue(draft()).await.unwrap()];
    it.store.replay(&issued).await;
    it.clock.advance(SECOND);
    it.keys.disable(&issued[0].record.head.id, None).await.unwrap();
    let refusal = it.keys.verify(issued[0].secret.expose_secret()).await.unwrap_err();
    assert_eq!(refusal.reason(), RefusalReason::Disabled);
    assert_eq!(it.evidence(&issued[1]).await, Evidence::Replicated { age: SECOND });
    it.keys.enable(&issued[0].record.head.id, None).await.unwrap();
    assert_eq!(it.evidence(&issued[0]).await, Evidence::Fresh);
    it.clock.advance(SECOND);
    it.store.replay(&issued).await;
    assert_eq!(it.evidence(&issued[0]).await, Evidence::Replicated { age: Duration::ZERO });
    // What anybody may have changed.
    it.clock.advance(SECOND);
    it.keys.forget_cached();
    assert_eq!(it.evidence(&issued[1]).await, Evidence::Fresh);
}

/// That nobody may be asked whether a key is new is no outage, in which old ones are accepted.
#[tokio::test]
async fn what_no_replica_knows_is_not_accepted_on_an_old_record() {
    let it = Replicating::new(Some(policy().unwatched_max_age(SECOND).outage(OutagePolicy::AcceptWithin(MINUTE))));
    let issued = [it.elsewhere.issue(draft()).await.unwrap()];
    assert!(it.is_accepted(&issued[0]).await);
    it.clock.advance(SECOND * 2);
    it.store.replica.lock().unwrap().is_throttled = true;
    let refusal = it.keys.verify(issued[0].secret.expose_secret()).await.unwrap_err();
    assert!(refusal.is_outage());
    it.store.replay(&issued).await;
    assert!(it.is_accepted(&issued[0]).await);
}

/// Random steps, with and without a cache, by clocks that stand still in between.
#[tokio::test]
async fn nothing_is_accepted_longer_than_it_may_be() {
    let mut late = 0;
    for (seed, policy) in (0..200).zip([None, Some(policy().unwatched_max_age(SECOND * 3))].iter().cycle()) {
        let mut random = StdRng::seed_from_u64(seed);
        let it = Replicating::new(*policy);
        let mut issued: Vec<Issued<Standard>> = Vec::new();
        // When each was revoked, and whether it was here.
        let mut ended = HashMap::new();
        for _ in 0..300 {
            let place = random.random_range(0..=issued.len());
            match random.random_range(0..20) {
                0 | 1 if issued.len() < 12 => {
                    let by = if random.random() { &it.keys } else { &it.elsewhere };
                    issued.push(by.issue(draft()).await.unwrap());
                }
                2 if place < issued.len() => {
                    let is_here = random.random();
                    let by = if is_here { &it.keys } else { &it.elsewhere };
                    let revoked = by.revoke(&issued[place].record.head.id, None).await.unwrap();
                    if is_here || !revoked.already {
                        ended.entry(place).and_modify(|(_, here)| *here |= is_here);
                        ended.entry(place).or_insert_with(|| (it.clock.elapsed(), is_here));
                    }
                }
                3 => it.store.replay(&issued).await,
                4..8 => it.clock.advance(Duration::from_millis(random.random_range(0..900))),
                _ if place < issued.len() => {
                    let accepted = it.is_accepted(&issued[place]).await;
                    match ended.get(&place) {
                        None => assert!(accepted, "seed {seed}: it is good"),
                        Some((_, true)) => assert!(!accepted, "seed {seed}: it was revoked here"),
                        Some((at, false)) => {
                            let since = it.clock.elapsed().checked_sub(*at).unwrap();
                            assert!(!accepted || since <= LAG, "seed {seed}: accepted {since:?} after its end");
                            late += usize::from(accepted);
                        }
                    }
                }
                _ => {}
            }
        }
        assert!(it.store.asked() > 10, "seed {seed}");
    }
    assert!(late > 100, "only {late} were accepted on what the replica did not know yet");
}
