//! The first revocation is the one that counts, whatever the host writes over it.

use std::time::Duration;

use keyward::Clock as _;
use keyward::key::{Reason, RefusalReason, Revocation, Status};

use super::{Table, issue, refusal, table};
use crate::support::{Fixture, TestSchema, over_schemas};

over_schemas![
    every_engine of [mesh::Mesh, aggregator::Aggregator]:
    the_first_time_is_shown_after_the_host_has_written_another,
];
over_schemas![
    every_engine of [scraper::Scraper, mesh::Mesh, aggregator::Aggregator]:
    a_key_that_was_revived_is_still_revoked,
];

const OWNER: &str = "did:plc:acme";

async fn the_first_time_is_shown_after_the_host_has_written_another<S: TestSchema>(fixture: Fixture<S>) {
    let [issued] = &issue(&fixture, &[OWNER]).await[..] else { panic!("one key") };
    let id = &issued.record.head.id;
    let first = Revocation::new(Some(fixture.clock.now()), Some(Reason::new("leaked").unwrap()));
    assert_eq!(fixture.keys.revoke(id, first.reason.clone()).await.unwrap().revocation, first);
    let Table { name, revive, .. } = table(&fixture);
    let overwrite = revive.replace("NULL", "'2031-06-01 12:00:00'");
    fixture.database().run(&format!("UPDATE {name} SET {overwrite}")).await;

    fixture.clock.advance(Duration::from_secs(9));
    let again = fixture.keys.revoke(id, Some(Reason::new("again").unwrap())).await.unwrap();
    assert_eq!((again.already, again.revocation), (true, first.clone()));
    let key = fixture.keys.get(id).await.unwrap().unwrap();
    assert_eq!(key.head.status, Status::Revoked(first.clone()));
    let filter = keyward::store::KeyFilter::new().of(super::owner(OWNER));
    let page = fixture.keys.list(filter, 9, None).await.unwrap();
    assert_eq!(page.keys[0].head.status, Status::Revoked(first));
}

async fn a_key_that_was_revived_is_still_revoked<S: TestSchema>(fixture: Fixture<S>) {
    let [issued] = &issue(&fixture, &[OWNER]).await[..] else { panic!("one key") };
    let id = &issued.record.head.id;
    let first = fixture.keys.revoke(id, Some(Reason::new("leaked").unwrap())).await.unwrap().revocation;
    let table = table(&fixture);
    let Table { name, revive, .. } = &table;
    fixture.database().run(&format!("UPDATE {name} SET {revive}")).await;
    assert_eq!(refusal(&fixture.keys, issued).await, Some(RefusalReason::Revoked));

    fixture.clock.advance(Duration::from_secs(9));
    let again = fixture.keys.revoke(id, None).await.unwrap();
    assert_eq!((again.already, again.revocation), (true, first), "it is the same key");
    assert_eq!(table.live(fixture.database(), OWNER).await, "0", "the host's own reader refuses it again, too");
    fixture.database().run(&format!("UPDATE {name} SET {revive}")).await;
    assert_eq!(fixture.keys.revoke_all(&super::owner(OWNER), None).await.unwrap().count, 0);
    assert_eq!(table.live(fixture.database(), OWNER).await, "0");
}
