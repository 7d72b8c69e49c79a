//! Last use as the service itself looks at it: whoever used a key in the last minutes is present.

use std::sync::Arc;
use std::time::Duration;

use keyward::schemas::mesh::Mesh;
use keyward::service::DEFAULT_INTERVAL;
use keyward::{Clock, Keys, ManualClock};

use super::{Meshes, PATIENCE, ROW, SECRET, accepted, list};
use crate::support::{Fixture, START, over};

over![every_database of Mesh:
    last_use_is_there_within_the_interval,
    a_last_use_that_was_not_written_is_counted_and_written_later,
    many_uses_are_one_write,
];

/// What the service takes for somebody who is here: an unrevoked key that was used in the last five minutes.
async fn present(meshes: &Meshes) -> bool {
    let present = "SELECT CAST(count(*) AS text) FROM mesh.api_key
                   WHERE revoked_at IS NULL AND last_used_at > '2029-12-31 23:55:00.123456'";
    meshes.text(present).await.unwrap() == "1"
}

async fn last_use_is_there_within_the_interval(fixture: Fixture<Mesh>) {
    assert!(DEFAULT_INTERVAL <= Duration::from_mins(1));
    let meshes = Meshes::over(fixture).await;
    let interval = Duration::from_millis(50);
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&meshes.clock);
    let store = Arc::clone(meshes.another_process().await.store());
    let keys = Keys::builder_over(store).shared_clock(clock).last_used_interval(interval).build();
    ROW.write(&meshes).await;
    assert!(!present(&meshes).await);

    let (end, shutdown) = tokio::sync::oneshot::channel::<()>();
    let recorder = keys.record_last_used(async {
        let _ = shutdown.await;
    });
    let host = async {
        accepted(&keys, SECRET).await;
        let arrival = async {
            while !present(&meshes).await {
                tokio::time::sleep(interval / 5).await;
            }
        };
        tokio::time::timeout(PATIENCE, arrival).await.expect("the use is written long before the end");
        drop(end);
    };
    tokio::join!(recorder, host);
}

async fn a_last_use_that_was_not_written_is_counted_and_written_later(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    ROW.write(&meshes).await;
    accepted(&meshes.keys, SECRET).await;
    meshes.run("ALTER TABLE mesh.api_key RENAME TO elsewhere").await;
    meshes.keys.flush_last_used().await.unwrap_err();
    let metrics = meshes.keys.last_used_metrics();
    assert_eq!((metrics.pending, metrics.failed_flushes), (1, 1));
    meshes.run("ALTER TABLE mesh.elsewhere RENAME TO api_key").await;
    assert!(!present(&meshes).await);
    assert_eq!(meshes.keys.flush_last_used().await.unwrap(), 1);
    assert!(present(&meshes).await);
}

async fn many_uses_are_one_write(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    ROW.write(&meshes).await;
    for _ in 0..100 {
        accepted(&meshes.keys, SECRET).await;
        meshes.clock.advance(Duration::from_millis(1));
    }
    assert!(!present(&meshes).await, "nothing is written on the way");
    assert_eq!(meshes.keys.flush_last_used().await.unwrap(), 1);
    let last_used_at = list(&meshes.keys, "home").await[0].head.last_used_at;
    assert_eq!(last_used_at, Some(START.saturating_add(Duration::from_millis(99))));
}
