//! Last use belongs to the key that was used: by its digest, never by its owner alone.

use std::time::Duration;

use keyward::Timestamp;
use keyward::schemas::aggregator::Aggregator;
use keyward::store::KeyUse;

use super::host::{DID, Host, OTHER_DID, draft, owner};
use crate::support::{Fixture, START, over};

const HOUR: Duration = Duration::from_hours(1);

over![everywhere of Aggregator:
    a_late_use_of_a_replaced_key_writes_nothing,
    of_an_old_and_a_new_key_in_one_write_only_the_new_one_is_stamped,
    last_use_moves_forward_only_and_starts_anew_with_the_key,
    each_aggregators_key_has_its_own_last_use,
];

over![every_database of Aggregator: many_uses_of_a_key_are_one_write_and_none_is_lost_at_shutdown];

impl Host {
    async fn last_used_at(&self) -> Option<Timestamp> {
        self.only_key().await.unwrap().head.last_used_at
    }
}

async fn a_late_use_of_a_replaced_key_writes_nothing(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let old = host.issue().await;
    let busy = host.another_process().await;
    for keys in [&busy, &host.keys] {
        keys.verify(old.secret.expose_secret()).await.unwrap();
    }
    let new = host.issue().await;
    host.clock.advance(HOUR);
    for keys in [&busy, &host.keys] {
        assert_eq!(keys.last_used_metrics().pending, 1);
        assert_eq!(keys.flush_last_used().await.unwrap(), 0);
    }
    assert_eq!(host.last_used_at().await, None);
    assert_eq!(host.only_key().await.unwrap(), new.record);
}

async fn of_an_old_and_a_new_key_in_one_write_only_the_new_one_is_stamped(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let old = host.issue().await.record.head;
    let new = host.issue().await.record.head;
    let later = START.saturating_add(HOUR);
    let used = |digest, at| KeyUse::new(new.id.clone(), digest, at);
    let [late, current] = [used(old.digest.unwrap(), later), used(new.digest.unwrap(), START)];
    assert_eq!(host.keys.store().touch(&[late.clone(), current.clone()]).await.unwrap().written, 1);
    assert_eq!(host.last_used_at().await, Some(START));
    assert_eq!(host.keys.store().touch(&[current, late]).await.unwrap().written, 0);
    assert_eq!(host.last_used_at().await, Some(START));
}

async fn last_use_moves_forward_only_and_starts_anew_with_the_key(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let first = host.issue().await;
    let used = |hours| START.saturating_add(hours * HOUR);
    for (hours, stands) in [(2, 2), (1, 2), (5, 5)] {
        host.clock.set(used(hours));
        host.keys.verify(first.secret.expose_secret()).await.unwrap();
        host.keys.flush_last_used().await.unwrap();
        assert_eq!(host.last_used_at().await, Some(used(stands)));
    }
    host.clock.set(used(3));
    let second = host.issue().await;
    assert_eq!(host.last_used_at().await, None);
    host.clock.set(used(4));
    host.keys.verify(second.secret.expose_secret()).await.unwrap();
    assert_eq!(host.keys.flush_last_used().await.unwrap(), 1);
    assert_eq!(host.last_used_at().await, Some(used(4)), "the old key's last use is no longer in the way");
}

async fn each_aggregators_key_has_its_own_last_use(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    host.add_aggregator(OTHER_DID).await;
    let key = host.issue().await;
    host.keys.issue_only(draft(OTHER_DID)).await.unwrap();
    host.keys.verify(key.secret.expose_secret()).await.unwrap();
    assert_eq!(host.keys.flush_last_used().await.unwrap(), 1);
    for (did, last_used_at) in [(DID, Some(START)), (OTHER_DID, None)] {
        let key = host.keys.only_key(&owner(did)).await.unwrap().unwrap();
        assert_eq!(key.head.last_used_at, last_used_at, "{did}");
    }
}

/// The row is wide, and a write per request would be dear.
async fn many_uses_of_a_key_are_one_write_and_none_is_lost_at_shutdown(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let issued = host.issue().await;
    host.run("CREATE TABLE writes (at text)").await;
    let counting = host.database().dialect(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO writes VALUES (NEW.api_key_last_used_at::text); RETURN NEW; END $$;
         CREATE TRIGGER note AFTER UPDATE ON aggregators FOR EACH ROW EXECUTE FUNCTION note();",
        "CREATE TRIGGER note AFTER UPDATE ON aggregators
             BEGIN INSERT INTO writes VALUES (NEW.api_key_last_used_at); END;",
    );
    host.run(counting).await;
    let writes = async || host.database().text("SELECT CAST(count(*) AS text) FROM writes").await.unwrap();
    for _ in 0..1000 {
        host.clock.advance(Duration::from_millis(1));
        host.keys.verify(issued.secret.expose_secret()).await.unwrap();
    }
    assert_eq!((writes().await.as_str(), host.keys.last_used_metrics().pending), ("0", 1));
    host.keys.record_last_used(std::future::ready(())).await;
    assert_eq!((writes().await.as_str(), host.keys.last_used_metrics().pending), ("1", 0));
    assert_eq!(host.last_used_at().await, Some(START.saturating_add(Duration::from_secs(1))), "the latest");
}
