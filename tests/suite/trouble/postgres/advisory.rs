//! Locks by a name alone, which every role that may connect can hold.

use std::time::Duration;

use keyward::schemas::standard::Standard;
use keyward::{Clock as _, Engine, Postgres, SqlKeyStore};

use super::{LONG, SHORT, impatient, is_unavailable, refusal, run, session, small_pool};
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![on_postgres: whoever_holds_the_lock_of_an_owner_delays_changes_and_skips_no_check];

fn lock(name: &str) -> String {
    format!("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('keyward:{name}', 0))")
}

async fn whoever_holds_the_lock_of_an_owner_delays_changes_and_skips_no_check<S: TestSchema>(fixture: Fixture<S>) {
    let name = "did:example:acme";
    fixture.add_owner(name).await;
    let issued = fixture.issue(name).await;
    let head = &issued.record.head;
    let pool = small_pool(&fixture, 2).await;
    let keys = impatient(&fixture, &pool).await;
    let mut mallory = session(&fixture).await;
    run(&mut mallory, lock(&format!("{}:{name}", S::NAME))).await;

    let has_expiry = fixture.store().abilities().expiry;
    let grace = if has_expiry { Duration::from_secs(9) } else { Duration::ZERO };
    let (rotated, all) = tokio::time::timeout(LONG, async {
        (keys.rotate(&head.id, grace, None).await, keys.revoke_all(&head.owner, None).await)
    })
    .await
    .expect("both have an end");
    assert!(is_unavailable(&rotated), "{rotated:?}");
    assert!(matches!(all, Err(keyward::store::StoreError::Unavailable { .. })), "{all:?}");
    assert_eq!(refusal(&keys, &issued).await, None, "nothing was changed");
    keys.revoke(&head.id, None).await.unwrap();
    assert_eq!(refusal(&keys, &issued).await, Some("revoked"));
    run(&mut mallory, "ROLLBACK").await;
}

/// Another process may alter a large table meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_waits_longer_for_another_one_than_a_change_does_for_a_lock() {
    let fixture = Fixture::<Standard>::empty_postgres().await;
    let pool = small_pool(&fixture, 2).await;
    let engine = Engine::from(Postgres::new(pool).lock_timeout(SHORT));
    let mut other = session(&fixture).await;
    run(&mut other, lock("migrations")).await;
    let longer = SHORT.as_secs_f64() * 2.0;
    let ends = run(&mut other, format!("SELECT pg_sleep({longer}); COMMIT"));
    let (migrated, ()) = tokio::join!(engine.migrate::<Standard>(fixture.clock.now()), ends);
    assert_eq!(migrated.unwrap().len(), 1);
    SqlKeyStore::open(engine, Standard::new("acme").unwrap()).await.unwrap();
}
