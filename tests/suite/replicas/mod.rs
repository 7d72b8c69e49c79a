//! Keys that are looked up on streaming replicas: how far behind those may be, and what becomes of keys when they are further
//! behind, stand still, or are no replicas.

mod across;
mod others;
mod stopped;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use keyward::key::{Evidence, Issued, Refusal, RefusalReason};
use keyward::schemas::{aggregator::Aggregator, mesh::Mesh, scraper::Scraper, standard::Standard};
use keyward::sql::{DatabaseRole, SqlSchema as _};
use keyward::{Keys, Postgres, ReplicaPolicy, SqlKeyStore};
use sqlx::postgres::PgPool;
use tokio::sync::MutexGuard;
use tokio::time::{Instant, sleep};

use crate::support::postgres::Pooler;
use crate::support::replicas::Cluster;
use crate::support::{Fixture, TestSchema};

const OWNER: &str = "did:example:acme";
/// What no replica is behind unless it is stopped, on a machine that does a lot beside it.
const LAG: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(20);

/// Runs an `async fn<S: TestSchema>(&Cluster, Fixture<S>)` for every schema.
macro_rules! over_every_schema {
    ($($test:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let cluster = Cluster::get().await;
                $test::run(&cluster, Fixture::<Standard>::on_primary(&cluster).await).await;
                $test::run(&cluster, Fixture::<Scraper>::on_primary(&cluster).await).await;
                $test::run(&cluster, Fixture::<Mesh>::on_primary(&cluster).await).await;
                $test::run(&cluster, Fixture::<Aggregator>::on_primary(&cluster).await).await;
            }
        )+
    };
}

/// A handle on the fixture's database with both replicas.
async fn engine<S: TestSchema>(cluster: &Cluster, fixture: &Fixture<S>, policy: ReplicaPolicy) -> Postgres {
    let database = fixture.database().as_postgres();
    let pools = cluster.replicas.iter().map(|replica| replica.pool(database)).collect();
    cluster.in_step().await;
    with_replicas(fixture, pools, policy).await
}

async fn with_replicas<S: TestSchema>(fixture: &Fixture<S>, pools: Vec<PgPool>, policy: ReplicaPolicy) -> Postgres {
    let primary = Postgres::new(fixture.database().as_postgres().pool().await);
    primary.read_timeout(LONG).lock_timeout(LONG).replicas(pools, policy)
}

/// A key that is looked up on both replicas of a cluster, which is this test's alone meanwhile.
struct Ready<S: TestSchema> {
    // Before the cluster, which it is on.
    fixture: Fixture<S>,
    keys: Keys<S>,
    issued: Issued<S>,
    cluster: MutexGuard<'static, Cluster>,
}

impl<S: TestSchema> Ready<S> {
    async fn under(policy: ReplicaPolicy) -> Self {
        Self::with(policy, |engine| engine).await
    }

    async fn with(policy: ReplicaPolicy, limits: impl FnOnce(Postgres) -> Postgres) -> Self {
        let cluster = Cluster::get().await;
        let fixture = Fixture::on_primary(&cluster).await;
        fixture.add_owner(OWNER).await;
        let issued = fixture.issue(OWNER).await;
        let keys = process(limits(engine(&cluster, &fixture, policy).await)).await;
        replicated(&keys, &issued).await;
        Self { fixture, keys, issued, cluster }
    }
}

/// Keys of a process of its own, by the real time.
async fn process<S: TestSchema>(engine: Postgres) -> Keys<S> {
    Keys::builder(SqlKeyStore::open(engine, S::schema()).await.unwrap()).build()
}

fn policy() -> ReplicaPolicy {
    ReplicaPolicy::new().max_lag(LAG)
}

async fn evidence<S: TestSchema>(keys: &Keys<S>, issued: &Issued<S>) -> Evidence {
    keys.verify(issued.secret.expose_secret()).await.unwrap().evidence()
}

fn is_replicated(evidence: Evidence) -> bool {
    matches!(evidence, Evidence::Replicated { age } if age <= LAG + Duration::from_secs(1))
}

/// Waits until a replica answers, as it does once it has what was changed last.
async fn replicated<S: TestSchema>(keys: &Keys<S>, issued: &Issued<S>) {
    let begun = Instant::now();
    while !is_replicated(evidence(keys, issued).await) {
        assert!(begun.elapsed() < LONG, "no replica answers");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn refusal<S: TestSchema>(keys: &Keys<S>, issued: &Issued<S>) -> Option<RefusalReason> {
    keys.verify(issued.secret.expose_secret()).await.err().map(|refusal| refusal.reason())
}

over_every_schema![
    a_replica_answers_and_says_how_far_it_was_behind,
    what_is_changed_here_is_in_force_at_once_however_far_replicas_are_behind,
    what_is_changed_elsewhere_is_in_force_within_the_longest_lag,
    a_key_that_is_new_is_found,
];

mod a_replica_answers_and_says_how_far_it_was_behind {
    use super::*;

    pub(super) async fn run<S: TestSchema>(cluster: &Cluster, fixture: Fixture<S>) {
        fixture.add_owner(OWNER).await;
        let issued = fixture.issue(OWNER).await;
        let keys: Keys<S> = process(engine(cluster, &fixture, policy()).await).await;
        replicated(&keys, &issued).await;
        for _ in 0..20 {
            assert!(is_replicated(evidence(&keys, &issued).await));
        }
        let fresh = keys.verify_fresh(issued.secret.expose_secret()).await.unwrap();
        assert_eq!(fresh.evidence(), Evidence::Fresh);
    }
}

mod what_is_changed_here_is_in_force_at_once_however_far_replicas_are_behind {
    use super::*;

    pub(super) async fn run<S: TestSchema>(cluster: &Cluster, fixture: Fixture<S>) {
        fixture.add_owner(OWNER).await;
        let keys: Keys<S> = process(engine(cluster, &fixture, policy()).await).await;
        for _ in 0..3 {
            let issued = if keys.store().abilities().several_keys_per_owner {
                keys.issue(S::draft(OWNER)).await.unwrap()
            } else {
                keys.issue_only(S::draft(OWNER)).await.unwrap()
            };
            replicated(&keys, &issued).await;
            cluster.pause().await;
            keys.revoke(&issued.record.head.id, None).await.unwrap();
            for _ in 0..5 {
                assert!(refusal(&keys, &issued).await.is_some());
            }
            cluster.resume().await;
            assert!(refusal(&keys, &issued).await.is_some());
        }
    }
}

mod what_is_changed_elsewhere_is_in_force_within_the_longest_lag {
    use super::*;

    pub(super) async fn run<S: TestSchema>(cluster: &Cluster, fixture: Fixture<S>) {
        fixture.add_owner(OWNER).await;
        let issued = fixture.issue(OWNER).await;
        let keys: Keys<S> = process(engine(cluster, &fixture, policy()).await).await;
        replicated(&keys, &issued).await;
        cluster.pause().await;
        fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
        let revoked = Instant::now();
        let mut accepted = 0;
        loop {
            let begun = Instant::now();
            match keys.verify(issued.secret.expose_secret()).await {
                Ok(caller) => {
                    assert!(begun - revoked <= LAG, "accepted {:?} after its end", begun - revoked);
                    assert!(is_replicated(caller.evidence()));
                    accepted += 1;
                }
                Err(refusal) if refusal.is_outage() => panic!("{refusal:?}"),
                Err(_) => break,
            }
            sleep(Duration::from_millis(10)).await;
        }
        assert!(accepted > 0, "the replicas were asked, as they were not far behind");
        cluster.resume().await;
        assert!(refusal(&keys, &issued).await.is_some());
    }
}

mod a_key_that_is_new_is_found {
    use super::*;

    pub(super) async fn run<S: TestSchema>(cluster: &Cluster, fixture: Fixture<S>) {
        fixture.add_owner(OWNER).await;
        let issued = fixture.issue(OWNER).await;
        let keys: Keys<S> = process(engine(cluster, &fixture, policy()).await).await;
        replicated(&keys, &issued).await;
        cluster.pause().await;
        let another = fixture.issue_another(OWNER).await;
        assert_eq!(evidence(&keys, &another).await, Evidence::Fresh);
        cluster.resume().await;
        replicated(&keys, &another).await;
    }
}

/// However many are made up, the primary is asked for few of them, and keys that replicas know are accepted all the same.
#[tokio::test(flavor = "multi_thread")]
async fn made_up_keys_are_no_load_on_the_primary() {
    let Ready { keys, issued, .. } = &Ready::<Standard>::under(policy().misses_per_second(5)).await;
    let begun = Instant::now();
    let (mut unknown, mut untold) = (0, 0);
    for _ in 0..200 {
        let made_up = keys.format().generate(&mut rand::rngs::SysRng).unwrap();
        let refusal = keys.verify(made_up.expose_secret()).await.unwrap_err();
        match refusal.reason() {
            RefusalReason::Unknown => unknown += 1,
            RefusalReason::StoreUnavailable => untold += 1,
            other => panic!("{other:?}"),
        }
    }
    let most = 5 + 5 * (begun.elapsed().as_secs() + 1);
    assert!(unknown <= most && untold >= 200 - most, "{unknown} unknown, {untold} untold");
    assert!(is_replicated(evidence(keys, issued).await));
    // Whoever asks the primary itself is told.
    let made_up = keys.format().generate(&mut rand::rngs::SysRng).unwrap();
    let refusal = keys.verify_fresh(made_up.expose_secret()).await.unwrap_err();
    assert_eq!(refusal.reason(), RefusalReason::Unknown);
}
