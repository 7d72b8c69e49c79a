//! Keys as hosts use them: every call runs as a task of its own, over a store that was chosen at run time.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::support::{Fixture, draft, over_every_store};

over_every_store![every_call_runs_as_a_task];

async fn every_call_runs_as_a_task(fixture: Fixture) {
    let keys = &fixture.keys;
    let mut tasks = JoinSet::new();
    let task = keys.clone();
    tasks.spawn(async move { task.issue(draft().into()).await.unwrap() });
    let issued = tasks.join_next().await.unwrap().unwrap();
    let key = issued.secret.expose_secret().to_owned();
    let head = &issued.record.head;

    let mut tasks = JoinSet::new();
    let (task, presented) = (keys.clone(), key.clone());
    tasks.spawn(async move { task.verify(&presented).await.is_ok() });
    let (task, id) = (keys.clone(), head.id.clone());
    tasks.spawn(async move { task.show(&id).await.unwrap().is_some() });
    let (task, owner) = (keys.clone(), head.owner.clone());
    tasks.spawn(async move { task.list(&owner, 5, None).await.unwrap().keys.len() == 1 });
    let task = keys.clone();
    tasks.spawn(async move { task.record_last_used(std::future::ready(())).await.is_ok() });
    assert_eq!(tasks.join_all().await, [true; 4]);

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
