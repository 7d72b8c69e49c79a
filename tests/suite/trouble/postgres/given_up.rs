//! Calls that are given up at any point.

use keyward::Postgres;
use tokio::task::JoinSet;

use super::{all_connections, over, quiet, refusal, session, small_pool};
use crate::support::concurrency::{Abandon, abandon};
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![on_postgres: calls_that_are_given_up_leave_nothing_behind];

const TASKS: u32 = 4;

/// How many calls each schema has to bear; 10,000 with `KEYWARD_TROUBLE=full`.
fn calls() -> u32 {
    if super::storm::is_full() { 10_000 } else { 400 }
}

async fn calls_that_are_given_up_leave_nothing_behind<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner("did:example:acme").await;
    let issued = fixture.issue("did:example:acme").await;
    let pool = small_pool(&fixture, 3).await;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let keys = over(&fixture, Postgres::new(pool.clone())).await;
        let secret = issued.secret.expose_secret().to_owned();
        let owner = format!("did:example:owner-{task}");
        fixture.add_owner(&owner).await;
        tasks.spawn(async move {
            let mut random = u64::from(task) + 1;
            for _ in 0..calls() / TASKS {
                // A generator of Lehmer's: repeatable, and random enough.
                random = random * 48_271 % 0x7fff_ffff;
                let polls = usize::try_from(random % 12).unwrap() + 1;
                let when = if random & 64 == 0 { Abandon::After(polls) } else { Abandon::BeforeNextThan(polls) };
                match random % 5 {
                    0 => drop(abandon(keys.issue(S::draft(&owner)), when).await),
                    1 => {
                        let owner = keyward::key::OwnerId::new(&owner).unwrap();
                        drop(abandon(keys.revoke_all(&owner, None), when).await);
                    }
                    2 => drop(abandon(keys.flush_last_used(), when).await),
                    _ => {
                        if let Some(Err(refusal)) = abandon(keys.verify(&secret), when).await {
                            panic!("{refusal:?}");
                        }
                    }
                }
            }
        });
    }
    tasks.join_all().await;

    all_connections(&pool, 3).await;
    quiet(&mut session(&fixture).await).await;
    assert_eq!(refusal(&fixture.keys, &issued).await, None);
}
