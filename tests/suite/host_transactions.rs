//! Keys that are issued, changed, rotated and revoked inside the host's own transaction live and die with it.

#![cfg_attr(
    feature = "sqlite",
    expect(clippy::future_not_send, reason = "a transaction of rusqlite stays on its thread")
)]

#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "only PostgreSQL has to be waited for"))]
mod host;
mod kept;
mod receipts;
mod refused;

use std::sync::Arc;
use std::time::Duration;

use keyward::key::{Action, KeyChange, KeyRecord, OwnerId, Reason, RefusalReason};
use keyward::store::{KeyLookup, RevokeAllRequest, RevokeRequest, StoreError};
use keyward::{Keys, Secret};

use crate::support::{Database, Fixture, TestSchema, keys, over_every_schema};
use host::Host;

const HOUR: Duration = Duration::from_hours(1);

/// Names that every schema takes for owners.
const OWNER: &str = "did:plc:acme";
const OTHER: &str = "did:plc:other";

over_every_schema![every_database:
    a_key_is_issued_when_the_host_commits,
    a_rotation_happens_when_the_host_commits,
    a_revocation_happens_when_the_host_commits,
    all_keys_are_revoked_when_the_host_commits,
    a_change_happens_when_the_host_commits,
    deleting_a_customer_and_revoking_its_keys_is_one_commit,
    after_a_conflicting_key_the_host_goes_on,
    after_a_conflicting_rotation_the_host_goes_on,
    after_a_rotation_whose_successor_is_taken_nothing_of_it_is_left,
    after_a_refused_reason_the_host_goes_on,
];

fn owner() -> OwnerId {
    OwnerId::new(OWNER).unwrap()
}

/// Why the key is refused, by keys of another connection; `None` when it is accepted.
async fn refusal<S: TestSchema>(keys: &Keys<S>, secret: &Secret) -> Option<RefusalReason> {
    keys.verify(secret.expose_secret()).await.err().map(|refusal| refusal.reason())
}

async fn count_keys<S: TestSchema>(keys: &Keys<S>, owner: &str) -> usize {
    keys.of(&OwnerId::new(owner).unwrap()).list(1_000, None).await.unwrap().keys.len()
}

/// Whether a verification would find the key, whose plaintext nobody has yet.
async fn is_there<S: TestSchema>(fixture: &Fixture<S>, key: &KeyRecord<S>) -> bool {
    let lookup = KeyLookup::new(key.head.digest.as_ref().unwrap(), key.head.prefix.as_str());
    let found = fixture.store().find(lookup).await.unwrap();
    found.iter().any(|found| found.head.digest == key.head.digest)
}

/// An hour where the schema's keys can have a grace period.
fn grace<S: TestSchema>(fixture: &Fixture<S>) -> Duration {
    if fixture.store().abilities().expiry { HOUR } else { Duration::ZERO }
}

async fn with_customers(database: &Database) {
    database.run("CREATE TABLE customers (name varchar(255) PRIMARY KEY); INSERT INTO customers VALUES ('acme')").await;
}

async fn customers(database: &Database) -> String {
    let names = database.dialect("string_agg(name, ' ' ORDER BY name)", "group_concat(name, ' ' ORDER BY name)");
    database.text(&format!("SELECT {names} FROM customers")).await.unwrap_or_default()
}

async fn a_key_is_issued_when_the_host_commits<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let mut host = Host::new(&fixture).await;

    let mut transaction = host.begin().await;
    let prepared = fixture.keys.prepare(S::draft(OWNER)).unwrap();
    let lost = prepared.record().clone();
    let receipt = transaction.issue(prepared).await.unwrap();
    assert!(!is_there(&fixture, &lost).await, "before the commit");
    transaction.roll_back().await;
    drop(receipt);
    assert!(!is_there(&fixture, &lost).await, "after the rollback");
    assert_eq!(fixture.keys.get(&lost.head.id).await.unwrap(), None);
    assert_eq!(count_keys(&fixture.keys, OWNER).await, 0);

    let mut transaction = host.begin().await;
    let receipt = transaction.issue(fixture.keys.prepare(S::draft(OWNER)).unwrap()).await.unwrap();
    transaction.commit().await;
    let issued = fixture.keys.committed(receipt);
    let accepted = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(**accepted.record(), issued.record);
    assert_eq!(count_keys(&fixture.keys, OWNER).await, 1);
    if S::VERSIONED {
        let history = fixture.keys.history(&issued.record.head.id).await.unwrap();
        assert_eq!(history.iter().map(|entry| entry.action).collect::<Vec<_>>(), [Action::Issued]);
    }
}

async fn a_rotation_happens_when_the_host_commits<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let mut host = Host::new(&fixture).await;
    let old = fixture.issue(OWNER).await;
    let prepare = || fixture.keys.prepare_rotation(old.record.clone(), Duration::ZERO, None).unwrap();

    let mut transaction = host.begin().await;
    let prepared = prepare();
    let lost = prepared.rotation().successor.clone();
    let receipt = transaction.rotate(prepared).await.unwrap();
    assert_eq!(refusal(&fixture.keys, &old.secret).await, None, "before the commit");
    transaction.roll_back().await;
    drop(receipt);
    assert_eq!(refusal(&fixture.keys, &old.secret).await, None, "after the rollback");
    assert!(!is_there(&fixture, &lost).await);
    assert_eq!(fixture.keys.get(&old.record.head.id).await.unwrap(), Some(old.record.clone()));

    // That the first rotation never was shows in that the key can still be rotated.
    let mut transaction = host.begin().await;
    let receipt = transaction.rotate(prepare()).await.unwrap();
    transaction.commit().await;
    let rotated = fixture.keys.committed(receipt);
    // Where an owner has one key, its successor takes its place.
    let several = fixture.store().abilities().several_keys_per_owner;
    let (reason, count) =
        if several { (crate::support::refusal_of_a_revoked_key(&fixture), 2) } else { (RefusalReason::Unknown, 1) };
    assert_eq!(refusal(&fixture.keys, &old.secret).await, Some(reason));
    assert_eq!(refusal(&fixture.keys, &rotated.successor.secret).await, None);
    assert_eq!(count_keys(&fixture.keys, OWNER).await, count);
}

async fn a_revocation_happens_when_the_host_commits<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let mut host = Host::new(&fixture).await;
    let issued = fixture.issue(OWNER).await;
    let request = RevokeRequest::new(issued.record.head.id.clone(), fixture.keys.now());

    let mut transaction = host.begin().await;
    let stranger = request.clone().of(OwnerId::new(OTHER).unwrap());
    assert!(transaction.revoke(&stranger).await.unwrap().is_none(), "it is a key of another owner");
    let receipt = transaction.revoke(&request).await.unwrap().unwrap();
    assert_eq!(refusal(&fixture.keys, &issued.secret).await, None, "before the commit");
    transaction.roll_back().await;
    drop(receipt);
    assert_eq!(refusal(&fixture.keys, &issued.secret).await, None, "after the rollback");

    let mut transaction = host.begin().await;
    let first = transaction.revoke(&request).await.unwrap().unwrap();
    let second = transaction.revoke(&request).await.unwrap().unwrap();
    transaction.commit().await;
    let (first, second) = (fixture.keys.committed(first), fixture.keys.committed(second));
    assert_eq!((first.already, second.already), (false, true));
    assert_eq!(first.id, issued.record.head.id);
    assert!(refusal(&fixture.keys, &issued.secret).await.is_some());
}

async fn all_keys_are_revoked_when_the_host_commits<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    fixture.add_owner(OTHER).await;
    let mut host = Host::new(&fixture).await;
    let bystander = fixture.issue(OTHER).await;
    let several = fixture.store().abilities().several_keys_per_owner;
    let mut issued = vec![fixture.issue(OWNER).await];
    if several {
        issued.push(fixture.issue(OWNER).await);
    }
    let count = issued.len() as u64;
    let request = RevokeAllRequest::new(owner(), fixture.keys.now());

    let mut transaction = host.begin().await;
    // A key of the transaction's own is among them, for the transaction sees it.
    let mut own = None;
    if several {
        let prepared = fixture.keys.prepare(S::draft(OWNER)).unwrap();
        own = Some(prepared.record().clone());
        drop(transaction.issue(prepared).await.unwrap());
    }
    let receipt = transaction.revoke_all(&request).await.unwrap();
    transaction.roll_back().await;
    // What the rolled-back transaction saw is looked at here; nothing of it happened.
    assert_eq!(fixture.keys.committed(receipt).count, count + u64::from(several));
    for key in &issued {
        assert_eq!(refusal(&fixture.keys, &key.secret).await, None, "after the rollback");
    }
    if let Some(own) = own {
        assert!(!is_there(&fixture, &own).await);
    }

    let mut transaction = host.begin().await;
    let first = transaction.revoke_all(&request).await.unwrap();
    let second = transaction.revoke_all(&request).await.unwrap();
    transaction.commit().await;
    let [first, second] = [first, second].map(|receipt| fixture.keys.committed(receipt));
    assert_eq!((first.owner, first.count, second.count), (owner(), count, 0));
    for key in &issued {
        assert!(refusal(&fixture.keys, &key.secret).await.is_some());
    }
    assert_eq!(refusal(&fixture.keys, &bystander.secret).await, None);
}

/// Where keys cannot be changed, the host hears so and goes on.
async fn a_change_happens_when_the_host_commits<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    with_customers(fixture.database()).await;
    let mut host = Host::new(&fixture).await;
    let issued = fixture.issue(OWNER).await;
    let reason = Some(Reason::new("unpaid").unwrap());
    let disable = || KeyChange::disable(&issued.record, reason.clone(), None, fixture.keys.now()).unwrap().unwrap();

    let mut transaction = host.begin().await;
    transaction.run("INSERT INTO customers VALUES ('before')").await;
    let receipt = transaction.change(disable()).await;
    if !fixture.store().abilities().changes {
        assert!(matches!(receipt, Err(StoreError::Unsupported(_))), "{receipt:?}");
        transaction.commit().await;
        assert_eq!(customers(fixture.database()).await, "acme before");
        assert_eq!(refusal(&fixture.keys, &issued.secret).await, None);
        return;
    }
    assert_eq!(refusal(&fixture.keys, &issued.secret).await, None, "before the commit");
    transaction.roll_back().await;
    drop(receipt);
    assert_eq!(fixture.keys.get(&issued.record.head.id).await.unwrap(), Some(issued.record.clone()));
    assert_eq!(fixture.keys.history(&issued.record.head.id).await.unwrap().len(), 1);

    let mut transaction = host.begin().await;
    let receipt = transaction.change(disable()).await.unwrap();
    let conflict = transaction.change(disable()).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)), "the version has gone on: {conflict:?}");
    transaction.run("INSERT INTO customers VALUES ('since')").await;
    transaction.commit().await;
    let changed = fixture.keys.committed(receipt);
    assert_eq!((changed.action, changed.key.head.version), (Some(Action::Disabled), 2));
    assert_eq!(refusal(&fixture.keys, &issued.secret).await, Some(RefusalReason::Disabled));
    let history = fixture.keys.history(&issued.record.head.id).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.action).collect::<Vec<_>>(), [Action::Issued, Action::Disabled]);
    assert_eq!(history[1].reason, reason);
    assert_eq!(customers(fixture.database()).await, "acme since");
}

async fn deleting_a_customer_and_revoking_its_keys_is_one_commit<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    with_customers(fixture.database()).await;
    let mut host = Host::new(&fixture).await;
    let issued = fixture.issue(OWNER).await;
    let request = RevokeAllRequest::new(owner(), fixture.keys.now());

    for commits in [false, true] {
        let mut transaction = host.begin().await;
        transaction.run("DELETE FROM customers WHERE name = 'acme'").await;
        let receipt = transaction.revoke_all(&request).await.unwrap();
        assert_eq!(customers(fixture.database()).await, "acme");
        assert_eq!(refusal(&fixture.keys, &issued.secret).await, None);
        if commits {
            transaction.commit().await;
            assert_eq!(fixture.keys.committed(receipt).count, 1);
        } else {
            transaction.roll_back().await;
        }
        assert_eq!(customers(fixture.database()).await.is_empty(), commits);
        assert_eq!(refusal(&fixture.keys, &issued.secret).await.is_some(), commits);
    }
}

/// Keys that draw the same random numbers as those of any other call, and so make the same keys.
fn twin<S: TestSchema>(fixture: &Fixture<S>) -> Keys<S> {
    keys(Arc::clone(fixture.store()), &fixture.clock, 4711)
}

async fn after_a_conflicting_key_the_host_goes_on<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    fixture.add_owner(OTHER).await;
    with_customers(fixture.database()).await;
    let mut host = Host::new(&fixture).await;
    let first = twin(&fixture).issue(S::draft(OWNER)).await.unwrap();

    let mut transaction = host.begin().await;
    transaction.run("INSERT INTO customers VALUES ('before')").await;
    let conflict = transaction.issue(twin(&fixture).prepare(S::draft(OWNER)).unwrap()).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)), "{conflict:?}");
    transaction.run("INSERT INTO customers VALUES ('since')").await;
    let second = transaction.issue(fixture.keys.prepare(S::draft(OTHER)).unwrap()).await.unwrap();
    transaction.commit().await;
    let second = fixture.keys.committed(second);

    assert_eq!(customers(fixture.database()).await, "acme before since");
    for (key, owner) in [(&first, OWNER), (&second, OTHER)] {
        assert_eq!(count_keys(&fixture.keys, owner).await, 1);
        assert_eq!(refusal(&fixture.keys, &key.secret).await, None);
    }
}

async fn after_a_conflicting_rotation_the_host_goes_on<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    with_customers(fixture.database()).await;
    let mut host = Host::new(&fixture).await;
    let grace = grace(&fixture);
    let old = fixture.issue(OWNER).await;
    let stale = fixture.keys.prepare_rotation(old.record.clone(), grace, None).unwrap();
    let rotated = fixture.keys.rotate(&old.record.head.id, grace, None).await.unwrap();

    let mut transaction = host.begin().await;
    transaction.run("INSERT INTO customers VALUES ('before')").await;
    let conflict = transaction.rotate(stale).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)), "{conflict:?}");
    let successor = rotated.successor.record.clone();
    let next = transaction.rotate(fixture.keys.prepare_rotation(successor, grace, None).unwrap()).await.unwrap();
    transaction.commit().await;
    let next = fixture.keys.committed(next);

    assert_eq!(customers(fixture.database()).await, "acme before");
    let several = fixture.store().abilities().several_keys_per_owner;
    assert_eq!(count_keys(&fixture.keys, OWNER).await, if several { 3 } else { 1 });
    assert_eq!(refusal(&fixture.keys, &next.successor.secret).await, None);
}

/// The old key is retired first and the new one added then; when that fails, the old one must not stay retired.
async fn after_a_rotation_whose_successor_is_taken_nothing_of_it_is_left<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    fixture.add_owner(OTHER).await;
    let mut host = Host::new(&fixture).await;
    let old = fixture.issue(OWNER).await;
    twin(&fixture).issue(S::draft(OTHER)).await.unwrap();
    let taken = twin(&fixture).prepare_rotation(old.record.clone(), Duration::ZERO, None).unwrap();

    let mut transaction = host.begin().await;
    let conflict = transaction.rotate(taken).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)), "{conflict:?}");
    transaction.commit().await;

    assert_eq!(fixture.keys.get(&old.record.head.id).await.unwrap(), Some(old.record.clone()));
    assert_eq!(refusal(&fixture.keys, &old.secret).await, None);
    fixture.keys.rotate(&old.record.head.id, grace(&fixture), None).await.expect("it has not been rotated yet");
}

async fn after_a_refused_reason_the_host_goes_on<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    fixture.add_owner(OTHER).await;
    let mut host = Host::new(&fixture).await;
    let issued = fixture.issue(OWNER).await;
    let reason = Some(Reason::new("leaked").unwrap());
    let request = RevokeRequest::new(issued.record.head.id.clone(), fixture.keys.now()).because(reason.clone());
    let keeps_reasons = fixture.store().abilities().revocation_reason;

    let mut transaction = host.begin().await;
    let outcome = transaction.revoke(&request).await;
    let all = transaction.revoke_all(&RevokeAllRequest::new(owner(), request.at).because(reason.clone())).await;
    let other = transaction.issue(fixture.keys.prepare(S::draft(OTHER)).unwrap()).await.unwrap();
    transaction.commit().await;
    if keeps_reasons {
        let revoked = fixture.keys.committed(outcome.unwrap().unwrap());
        assert_eq!((revoked.already, revoked.revocation.reason), (false, reason));
        assert_eq!(fixture.keys.committed(all.unwrap()).count, 0);
    } else {
        assert!(matches!(outcome, Err(StoreError::Unsupported(_))), "{outcome:?}");
        assert!(matches!(all, Err(StoreError::Unsupported(_))), "{all:?}");
    }

    assert_eq!(refusal(&fixture.keys, &issued.secret).await.is_some(), keeps_reasons);
    assert_eq!(refusal(&fixture.keys, &fixture.keys.committed(other).secret).await, None);
}
