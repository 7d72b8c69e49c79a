//! A database that fails: nothing is lost, and nobody takes it for a verdict.

use std::time::Duration;

use keyward::KeysError;
use keyward::key::{Refusal, RefusalReason};
use keyward::schemas::aggregator::Aggregator;
use keyward::store::StoreError;

use super::host::{DID, Host, draft, owner};
use crate::support::{Fixture, over};

over![every_database of Aggregator:
    a_replacement_that_fails_leaves_the_old_key_working,
    an_outage_is_no_verdict_on_a_key,
];

async fn a_replacement_that_fails_leaves_the_old_key_working(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let old = host.issue().await;
    host.keys.verify(old.secret.expose_secret()).await.unwrap();
    host.keys.flush_last_used().await.unwrap();
    let before = host.row().await;
    let failing = host.database().dialect(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'out of order'; END $$;
         CREATE TRIGGER fail AFTER UPDATE ON aggregators FOR EACH ROW EXECUTE FUNCTION fail();",
        "CREATE TRIGGER fail AFTER UPDATE ON aggregators BEGIN SELECT RAISE(FAIL, 'out of order'); END;",
    );
    host.run(failing).await;
    let replaced = host.keys.issue_only(draft(DID)).await;
    assert!(matches!(replaced, Err(KeysError::Store(StoreError::Backend { .. }))), "{replaced:?}");
    let rotated = host.keys.rotate(&old.record.head.id, Duration::ZERO, None).await;
    assert!(matches!(rotated, Err(KeysError::Store(StoreError::Backend { .. }))), "{rotated:?}");
    assert_eq!(host.row().await, before);
    assert_eq!(host.refusal(&old.secret).await, None);

    host.run(host.database().dialect("DROP TRIGGER fail ON aggregators", "DROP TRIGGER fail")).await;
    assert_eq!(host.refusal(&host.issue().await.secret).await, None);
}

async fn an_outage_is_no_verdict_on_a_key(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let issued = host.issue().await;
    host.keys.verify(issued.secret.expose_secret()).await.unwrap();
    host.run("ALTER TABLE aggregators RENAME TO elsewhere").await;
    let refusal = host.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    assert_eq!((refusal.reason(), refusal.is_outage()), (RefusalReason::StoreUnavailable, true));
    assert_ne!(refusal.to_string(), Refusal::new(RefusalReason::Unknown).to_string());
    host.keys.only_key(&owner(DID)).await.unwrap_err();
    host.keys.revoke_seen(&issued.record.head, None).await.unwrap_err();
    host.keys.flush_last_used().await.unwrap_err();

    host.run("ALTER TABLE elsewhere RENAME TO aggregators").await;
    assert_eq!(host.refusal(&issued.secret).await, None);
    assert_eq!(host.keys.flush_last_used().await.unwrap(), 1, "no use was lost");
}
