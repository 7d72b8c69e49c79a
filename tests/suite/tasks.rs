//! Keys as hosts use them: every call runs as a task of its own, over a store that was chosen at run time.

use std::time::Duration;

use keyward::key::KeyName;
use keyward::schemas::standard::{Standard, StandardUpdate};
use keyward::store::KeyFilter;
use tokio::task::JoinSet;

use crate::support::{Fixture, TestSchema, over, over_every_schema};

over_every_schema![every_store: every_call_runs_as_a_task];
over![every_store of Standard: every_call_on_keys_that_can_be_changed_runs_as_a_task];

const OWNER: &str = "did:example:acme";

async fn every_call_runs_as_a_task<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let keys = &fixture.keys;
    let mut tasks = JoinSet::new();
    let task = keys.clone();
    tasks.spawn(async move { task.issue(S::draft(OWNER)).await.unwrap() });
    let issued = tasks.join_next().await.unwrap().unwrap();
    let key = issued.secret.expose_secret().to_owned();
    let head = &issued.record.head;

    let mut tasks = JoinSet::new();
    let (task, presented) = (keys.clone(), key.clone());
    tasks.spawn(async move { task.verify(&presented).await.is_ok() });
    let (task, id) = (keys.clone(), head.id.clone());
    tasks.spawn(async move { task.get(&id).await.unwrap().is_some() });
    let (task, owner) = (keys.clone(), head.owner.clone());
    tasks.spawn(async move { task.list(KeyFilter::new().of(owner), 5, None).await.unwrap().keys.len() == 1 });
    let (task, id) = (keys.of(&head.owner), head.id.clone());
    tasks.spawn(async move { task.resolve(id.as_str()).await.is_ok() });
    assert_eq!(tasks.join_all().await, [true; 4]);

    #[cfg(feature = "tokio")]
    {
        let task = keys.clone();
        in_a_task(async move { task.record_last_used(std::future::ready(())).await }).await;
    }

    let mut tasks = JoinSet::new();
    let (task, id) = (keys.clone(), head.id.clone());
    tasks.spawn(async move { task.rotate(&id, Duration::ZERO, None).await.is_ok() });
    assert_eq!(tasks.join_all().await, [true]);

    let mut tasks = JoinSet::new();
    let (task, id) = (keys.clone(), head.id.clone());
    tasks.spawn(async move { task.revoke(&id, None).await.is_ok() });
    let (task, owner) = (keys.clone(), head.owner.clone());
    tasks.spawn(async move { task.revoke_all(&owner, None).await.is_ok() });
    let task = keys.clone();
    tasks.spawn(async move { task.flush_last_used().await.is_ok() });
    assert_eq!(tasks.join_all().await, [true; 3]);
    keys.verify(&key).await.unwrap_err();
}

async fn in_a_task<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> T {
    let mut tasks = JoinSet::new();
    tasks.spawn(call);
    tasks.join_next().await.unwrap().unwrap()
}

async fn every_call_on_keys_that_can_be_changed_runs_as_a_task(fixture: Fixture<Standard>) {
    let id = fixture.issue(OWNER).await.record.head.id;
    let with = || (fixture.keys.clone(), id.clone());

    let (keys, id) = with();
    assert_eq!(in_a_task(async move { keys.disable(&id, None).await.unwrap().key.head.version }).await, 2);
    let (keys, id) = with();
    assert_eq!(in_a_task(async move { keys.enable(&id, None).await.unwrap().key.head.version }).await, 3);
    let (keys, id) = with();
    let update = StandardUpdate::new().rename(KeyName::new("hourly import").unwrap());
    assert_eq!(in_a_task(async move { keys.update(&id, 3, update).await.unwrap().key.head.version }).await, 4);
    let (keys, id) = with();
    assert_eq!(in_a_task(async move { keys.history(&id).await.unwrap().len() }).await, 4);
    let (keys, _) = with();
    assert_eq!(in_a_task(async move { keys.count(KeyFilter::new()).await.unwrap() }).await, 1);
    let (keys, _) = with();
    assert_eq!(in_a_task(async move { keys.purge(Duration::ZERO, 5).await.unwrap() }).await, 0);
}
