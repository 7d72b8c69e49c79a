//! A cache that is kept in step with what other processes do: within the bound nobody is let in who was revoked, and
//! without the watch nothing is answered from it.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use keyward::Keys;
use keyward::key::Issued;
use keyward::service::CachePolicy;
use keyward::store::StoreError;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{OWNER, cached_over};
use crate::support::{Fixture, Store, TestSchema, over_every_schema};

over_every_schema![every_store:
    what_another_process_changes_is_noticed,
    no_revocation_goes_unnoticed_for_longer_than_the_bound,
    without_its_watch_the_cache_answers_nothing,
    a_watch_that_stands_still_takes_the_cache_with_it,
];

const BOUND: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(20);

/// What is cached counts as long as the watch says so.
fn policy() -> CachePolicy {
    CachePolicy::new().bound(BOUND)
}

/// A task that watches, and can be told to stop.
pub(super) struct Watching {
    stop: oneshot::Sender<()>,
    task: JoinSet<Result<(), StoreError>>,
}

impl Watching {
    pub(super) fn begin<S: TestSchema>(keys: &Keys<S>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let mut task = JoinSet::new();
        let keys = keys.clone();
        task.spawn(async move { keys.watch(async { drop(stopped.await) }).await });
        Self { stop, task }
    }

    pub(super) async fn stop(mut self) {
        drop(self.stop);
        let ended = timeout(LONG, self.task.join_next()).await.expect("the watch does not end");
        ended.unwrap().unwrap().unwrap();
    }
}

/// The store of a fixture as a process of its own would have it, with a cache and the time of the day.
async fn process<S: TestSchema>(fixture: &Fixture<S>, policy: CachePolicy) -> Keys<S> {
    fixture.watch_for_changes().await;
    let other: Store<S> = Arc::clone(fixture.another_process().await.store());
    Keys::builder_over(other).cache(policy).build()
}

/// Returns when a verification is answered from the cache.
pub(super) async fn until_cached<S: TestSchema>(keys: &Keys<S>, issued: &Issued<S>) {
    let cached = async {
        while keys.verify(issued.secret.expose_secret()).await.unwrap().evidence().is_fresh() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, cached).await.expect("the cache never answers");
}

/// With a clock that stands still, what is cached can only be told.
async fn what_another_process_changes_is_noticed<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    fixture.watch_for_changes().await;
    let other: Store<S> = Arc::clone(fixture.another_process().await.store());
    let keys = cached_over(other, &fixture.clock, policy());
    let watching = Watching::begin(&keys);
    let mut issued = fixture.issue(OWNER).await;
    for round in 0..4 {
        until_cached(&keys, &issued).await;
        let (id, owner) = (&issued.record.head.id, &issued.record.head.owner);
        let successor = match round {
            0 => fixture.keys.rotate(id, Duration::ZERO, None).await.unwrap().successor,
            1 if fixture.store().abilities().changes => {
                fixture.keys.disable(id, None).await.unwrap();
                fixture.issue(OWNER).await
            }
            1 | 2 => {
                fixture.keys.revoke(id, None).await.unwrap();
                fixture.issue_another(OWNER).await
            }
            _ => {
                fixture.keys.revoke_all(owner, None).await.unwrap();
                fixture.issue_another(OWNER).await
            }
        };
        let gone = async {
            while keys.verify(issued.secret.expose_secret()).await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, gone).await.expect("the change is never noticed");
        issued = successor;
    }
    watching.stop().await;
    assert!(keys.verify(issued.secret.expose_secret()).await.unwrap().evidence().is_fresh(), "nobody watches any more");
}

async fn no_revocation_goes_unnoticed_for_longer_than_the_bound<S: TestSchema>(fixture: Fixture<S>) {
    let keys = process(&fixture, policy()).await;
    let watching = Watching::begin(&keys);
    for round in 0..5 {
        let owner = format!("did:example:{round}");
        fixture.add_owner(&owner).await;
        let issued = fixture.issue(&owner).await;
        until_cached(&keys, &issued).await;
        fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
        sleep(BOUND).await;
        assert!(keys.verify(issued.secret.expose_secret()).await.is_err(), "beyond the bound");
    }
    watching.stop().await;
}

async fn without_its_watch_the_cache_answers_nothing<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let keys = process(&fixture, policy()).await;
    let issued = fixture.issue(OWNER).await;
    let presented = issued.secret.expose_secret();
    for _ in 0..2 {
        assert!(keys.verify(presented).await.unwrap().evidence().is_fresh());
    }
    let watching = Watching::begin(&keys);
    until_cached(&keys, &issued).await;
    watching.stop().await;
    assert!(keys.verify(presented).await.unwrap().evidence().is_fresh());
    fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
    assert!(keys.verify(presented).await.is_err());

    // Nothing from before counts when somebody watches again.
    let again = Watching::begin(&keys);
    sleep(BOUND).await;
    assert!(keys.verify(presented).await.is_err());
    again.stop().await;
}

async fn a_watch_that_stands_still_takes_the_cache_with_it<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let keys = process(&fixture, policy()).await;
    let issued = fixture.issue(OWNER).await;
    {
        let mut watch = pin!(keys.watch(std::future::pending()));
        let watched = timeout(LONG, async {
            tokio::select! {
                _ = &mut watch => panic!("it has ended"),
                () = until_cached(&keys, &issued) => {}
            }
        });
        watched.await.unwrap();
        // From here on, nobody polls it, but it is still there.
        fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
        sleep(BOUND).await;
        assert!(keys.verify(issued.secret.expose_secret()).await.is_err(), "beyond the bound");
        let _ = watch.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}
