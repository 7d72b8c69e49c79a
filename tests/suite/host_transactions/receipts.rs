//! A receipt leaves its trace, and hands out what it holds, once the host says that its transaction has committed.

use std::time::Duration;

use keyward::key::KeyChange;
use keyward::store::{RevokeAllRequest, RevokeRequest};

use super::host::Host;
use super::{OWNER, owner};
use crate::support::log::Log;
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![every_engine:
    an_event_is_logged_once_the_host_has_committed,
    a_rolled_back_transaction_leaves_no_event,
    a_receipt_shows_nothing_of_what_it_holds,
];

const NOTHING: [&str; 0] = [];

async fn an_event_is_logged_once_the_host_has_committed<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let mut host = Host::new(&fixture).await;
    let keys = &fixture.keys;
    let (log, _listening) = Log::listen();

    let mut transaction = host.begin().await;
    let receipt = transaction.issue(keys.prepare(S::draft(OWNER)).unwrap()).await.unwrap();
    transaction.commit().await;
    assert_eq!(log.events(), NOTHING);
    let mut record = keys.committed(receipt).record;
    assert_eq!(log.events(), ["key.issued"]);

    if fixture.store().abilities().changes {
        for change in [KeyChange::disable, KeyChange::enable] {
            let change = change(&record, None, None, keys.now()).unwrap().unwrap();
            let mut transaction = host.begin().await;
            let receipt = transaction.change(change).await.unwrap();
            transaction.commit().await;
            assert_eq!(log.events(), NOTHING);
            record = keys.committed(receipt).key;
            assert_eq!(log.events(), ["key.changed"]);
        }
    }

    let mut transaction = host.begin().await;
    let prepared = keys.prepare_rotation(record, Duration::ZERO, None).unwrap();
    let receipt = transaction.rotate(prepared).await.unwrap();
    transaction.commit().await;
    assert_eq!(log.events(), NOTHING);
    let rotated = keys.committed(receipt);
    assert_eq!(log.events(), ["key.rotated"]);

    let mut transaction = host.begin().await;
    let request = RevokeRequest::new(rotated.successor.record.head.id, keys.now());
    let first = transaction.revoke(&request).await.unwrap().unwrap();
    let again = transaction.revoke(&request).await.unwrap().unwrap();
    let all = transaction.revoke_all(&RevokeAllRequest::new(owner(), keys.now())).await.unwrap();
    transaction.commit().await;
    assert_eq!(log.events(), NOTHING);
    keys.committed(first);
    assert_eq!(log.events(), ["key.revoked"]);
    keys.committed(again);
    assert_eq!(log.events(), NOTHING, "the key was revoked before");
    keys.committed(all);
    assert_eq!(log.events(), ["keys.revoked"]);
}

async fn a_rolled_back_transaction_leaves_no_event<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let mut host = Host::new(&fixture).await;
    let issued = fixture.issue(OWNER).await;
    let (log, _listening) = Log::listen();
    let mut transaction = host.begin().await;
    let prepared = fixture.keys.prepare_rotation(issued.record.clone(), Duration::ZERO, None).unwrap();
    let receipt = transaction.rotate(prepared).await.unwrap();
    transaction.roll_back().await;
    drop(receipt);
    assert_eq!(log.events(), NOTHING);
    // Otherwise an ear that hears nothing would pass.
    fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
    assert_eq!(log.events(), ["key.revoked"]);
}

async fn a_receipt_shows_nothing_of_what_it_holds<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let mut host = Host::new(&fixture).await;
    let mut transaction = host.begin().await;
    let receipt = transaction.issue(fixture.keys.prepare(S::draft(OWNER)).unwrap()).await.unwrap();
    transaction.commit().await;
    assert_eq!(format!("{receipt:?}"), "Receipt(…)");
    let issued = fixture.keys.committed(receipt);
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
}
