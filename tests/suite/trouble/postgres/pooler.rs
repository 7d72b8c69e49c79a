//! A transaction pooler that knows nothing of prepared statements: a session of the server's is another client's with the
//! next transaction, and the names of statements with it.

use std::time::Duration;

use keyward::key::Issued;
use keyward::store::{KeyFilter, StoreError};
use keyward::{Keys, Postgres};
use tokio::task::JoinSet;

use super::{all_connections, count, over, refusal, session};
use crate::support::postgres::Pooler;
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![
    on_postgres:
    the_life_of_keys_goes_on_through_a_pooler_and_its_restart,
];

const PROCESSES: usize = 3;
const TASKS: usize = 8;

/// Names that sqlx gives, in sessions of the server's that anybody may have next.
const NAMED: &str = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'sqlx%'";

async fn the_life_of_keys_goes_on_through_a_pooler_and_its_restart<S: TestSchema>(fixture: Fixture<S>) {
    let mut pooler = Pooler::start(fixture.database().as_postgres(), 3);
    let (mut processes, mut pools) = (Vec::new(), Vec::new());
    for _ in 0..PROCESSES {
        let pool = pooler.pool(3).await;
        processes.push(over(&fixture, Postgres::new(pool.clone())).await);
        pools.push(pool);
    }
    for round in 0..2 {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let owners: Vec<_> = (0..3).map(|next| format!("did:example:owner-{round}-{task}-{next}")).collect();
            for owner in &owners {
                fixture.add_owner(owner).await;
            }
            let processes: Vec<_> = (0..PROCESSES).map(|next| processes[(task + next) % PROCESSES].clone()).collect();
            tasks.spawn(async move { life(&processes, &owners).await });
        }
        tasks.join_all().await;
        for pool in &pools {
            let named: i64 = sqlx::raw_sql(NAMED).fetch_one(pool).await.map(|row| row_count(&row)).unwrap();
            assert_eq!(named, 0, "a statement has a name that another client may give to another one");
        }
        pooler.restart();
        // Where a connection was closed under the pool's hands, there is no answer, and never a wrong one.
        for keys in &processes {
            for _ in 0..3 {
                match keys.count(KeyFilter::new()).await {
                    Ok(_) | Err(StoreError::Unavailable { .. } | StoreError::Unsupported(_)) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    }
    for pool in &pools {
        all_connections(pool, 3).await;
    }
    assert_eq!(count(&mut session(&fixture).await, NAMED).await, 1, "the question itself has one");
}

pub(super) fn row_count(row: &sqlx::postgres::PgRow) -> i64 {
    use sqlx::Row as _;

    row.try_get_raw(0).unwrap().as_str().unwrap().parse().unwrap()
}

/// Issues, verifies, rotates and revokes, each in another process than the step before.
async fn life<S: TestSchema>(processes: &[Keys<S>], owners: &[String]) {
    let [one, two, three] = processes else { panic!() };
    for owner in owners {
        let issued: Issued<S> = one.issue(S::draft(owner)).await.unwrap();
        for keys in processes {
            assert_eq!(refusal(keys, &issued).await, None);
        }
        two.flush_last_used().await.unwrap();
        let id = &issued.record.head.id;
        let last = three.rotate(id, Duration::ZERO, None).await.unwrap().successor;
        for keys in processes {
            assert!(refusal(keys, &issued).await.is_some());
            assert_eq!(refusal(keys, &last).await, None);
        }
        one.revoke(&last.record.head.id, None).await.unwrap();
        for keys in processes {
            assert_eq!(refusal(keys, &last).await, Some("revoked"));
        }
    }
}
