//! The life of a key of every schema, printed at every step, and what goes wrong in it.

use std::time::Duration;

use keyward::Keys;
use keyward::key::{KeyDigest, KeyFormat, KeyId, Reason};
use keyward::store::{KeyFilter, KeyLookup, KeyUse, ListRequest, RevokeAllRequest, RevokeRequest, StoreError};

use super::evidence::Evidence;
use super::log::Log;
use super::{keys_with_secrets, stranger};
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![every_store: nothing_that_is_printed_or_logged_in_the_life_of_keys_leaks_them];

const HOUR: Duration = Duration::from_hours(1);
const OWNER: &str = "did:example:acme";

async fn nothing_that_is_printed_or_logged_in_the_life_of_keys_leaks_them<S: TestSchema>(fixture: Fixture<S>) {
    let log = Log::listen().await;
    let keys = keys_with_secrets(&fixture);
    let mut evidence = Evidence::of(*keys.format());
    fixture.add_owner(OWNER).await;

    live(&fixture, &keys, &mut evidence).await;
    conflict(&fixture, &keys, &mut evidence).await;
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    if fixture.has_database() {
        break_constraints(&fixture, &keys, &mut evidence).await;
        lose_the_table(&fixture, &keys, &mut evidence).await;
    }

    let log = log.text();
    for event in ["key.issued", "key.refused", "malformed", "unknown", "key.rotated", "key.revoked", "keys.revoked"] {
        assert!(log.contains(event), "the log has no {event}: nobody has listened");
    }
    if fixture.has_database() {
        assert!(log.contains("key.unverified"), "the log has no outage: nobody has listened");
    }
    let (planted, printed) = evidence.counts();
    assert!(planted >= 5 && printed > 50, "{planted} planted, {printed} printed");
    evidence.check(&log);
}

/// A key from its making to its end.
async fn live<S: TestSchema>(fixture: &Fixture<S>, keys: &Keys<S>, evidence: &mut Evidence) {
    evidence.print("the builder", &Keys::builder_over(fixture.store().clone()));
    evidence.print("a draft", &S::draft(OWNER));
    let prepared = keys.prepare(S::draft(OWNER)).unwrap();
    evidence.print("a prepared key", &prepared);
    evidence.print("a receipt", &prepared.stored());

    let issued = keys.issue(S::draft(OWNER)).await.unwrap();
    let plaintext = issued.secret.expose_secret();
    let (id, owner) = (&issued.record.head.id, &issued.record.head.owner);
    evidence.plant(&issued.secret);
    evidence.print("an issued key", &issued);
    evidence.print("a record", &issued.record);

    let digest = KeyDigest::of(plaintext);
    let parsed = keys.format().parse(plaintext).unwrap();
    evidence.print("a parsed key", &parsed);
    evidence.print("a digest", &digest);
    evidence.print("a digest in hexadecimal", &digest.to_hex());
    evidence.print("a lookup", &KeyLookup::new(&digest, parsed.display_prefix()));
    evidence.print("a use", &KeyUse::new(id.clone(), digest, keys.now()));

    evidence.print("an accepted key", &keys.verify(plaintext).await.unwrap());
    evidence.print("keys with a use that waits", keys);
    keys.flush_last_used().await.unwrap();
    evidence.print("metrics", &keys.last_used_metrics());

    present_what_is_no_key(keys, plaintext, evidence).await;

    evidence.print("a key that is there", &keys.get(id).await.unwrap());
    let filter = || KeyFilter::new().of(owner.clone()).starting_with(parsed.display_prefix());
    evidence.print("a page", &keys.list(filter(), 1, None).await.unwrap());
    evidence.print("a request for a page", &ListRequest::new(filter(), 1, keys.now()).after(Some(id.clone())));
    evidence.print("a key by its start", &keys.resolve(owner, parsed.display_prefix()).await.unwrap());
    evidence.print("the keys of an owner", &keys.of(owner));
    let foreign = KeyId::new("nobody").unwrap();
    let behind_nowhere = keys.of(owner).list(1, Some(&foreign)).await.unwrap_err();
    evidence.print_error("a page behind nowhere", &behind_nowhere);

    let grace = if fixture.store().abilities().expiry { HOUR } else { Duration::ZERO };
    let preparation = keys.prepare_rotation(issued.record.clone(), grace, None).unwrap();
    evidence.print("a prepared rotation", &preparation);
    evidence.print("a rotation", preparation.rotation());
    let rotated = keys.rotate(id, grace, None).await.unwrap();
    evidence.plant(&rotated.successor.secret);
    evidence.print("a rotated key", &rotated);
    keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    evidence.print_error("a stale rotation", &keys.store().rotate(preparation.rotation()).await.unwrap_err());
    evidence.print("a receipt of a rotation", &preparation.stored(rotated.successor.record.clone()));
    fixture.clock.advance(HOUR);
    evidence.print_refusal("a retired key", &keys.verify(plaintext).await.unwrap_err());

    let successor = &rotated.successor;
    let head = &successor.record.head;
    let reason = Some(Reason::new("leaked").unwrap());
    let request = RevokeRequest::new(head.id.clone(), keys.now()).seen(head.digest).because(reason.clone());
    evidence.print("a request to revoke", &request);
    evidence.print("a revocation", &keys.revoke(&head.id, reason.clone()).await.unwrap());
    evidence.print("a revocation again", &keys.revoke(&head.id, None).await.unwrap());
    let outcome = keys.store().revoke(&request).await.unwrap();
    evidence.print("an outcome", &outcome);
    evidence.print("a receipt of a revocation", &outcome.unwrap().stored());
    evidence.print_refusal("a revoked key", &keys.verify(successor.secret.expose_secret()).await.unwrap_err());
    evidence.print_error("a late rotation", &keys.rotate(&head.id, grace, None).await.unwrap_err());
    evidence.print_error("a key that is not there", &keys.revoke(&foreign, None).await.unwrap_err());

    fixture.add_owner("did:example:last").await;
    let last = keys.issue(S::draft("did:example:last")).await.unwrap();
    evidence.plant(&last.secret);
    let owner = &last.record.head.owner;
    let request = RevokeAllRequest::new(owner.clone(), keys.now()).because(reason.clone());
    evidence.print("a request to revoke all", &request);
    let all = keys.revoke_all(owner, reason).await.unwrap();
    evidence.print("a revocation of all", &all);
    evidence.print("a receipt of a revocation of all", &all.stored());
    evidence.print_refusal("one of all keys", &keys.verify(last.secret.expose_secret()).await.unwrap_err());
    evidence.print("the store", keys.store());
}

/// What people present by mistake is a key all too often, only cut, mistyped, or of another schema.
async fn present_what_is_no_key<S: TestSchema>(keys: &Keys<S>, plaintext: &str, evidence: &mut Evidence) {
    let stranger = stranger::<S>();
    evidence.plant(&stranger);
    let unknown = stranger.expose_secret();
    evidence.print_refusal("an unknown key", &keys.verify(unknown).await.unwrap_err());
    evidence.print_refusal("a key that is cut", &keys.verify(&unknown[..unknown.len() - 3]).await.unwrap_err());

    let body = &plaintext[keys.format().prefix().as_str().len()..];
    for malformed in [
        body.to_owned(),
        format!("other_{body}"),
        format!("Bearer {plaintext}"),
        format!("{plaintext} {plaintext}"),
        format!("{plaintext}\n"),
        format!("{plaintext}\0"),
        format!("{plaintext}é"),
        plaintext.repeat(20),
    ] {
        evidence.print_refusal("a malformed key", &keys.verify(&malformed).await.unwrap_err());
        evidence.print_error("an error of form", &keys.schema().formats().parse(&malformed).unwrap_err());
        for format in [*keys.format(), KeyFormat::AGGREGATOR, KeyFormat::MESH, KeyFormat::SCRAPER] {
            evidence.print_error("an error of one form", &format.parse(&malformed).unwrap_err());
        }
    }
}

/// The same record twice, the same identity twice, and the same digest twice.
async fn conflict<S: TestSchema>(fixture: &Fixture<S>, keys: &Keys<S>, evidence: &mut Evidence) {
    fixture.add_owner("did:example:one").await;
    fixture.add_owner("did:example:other").await;
    let issued = keys.issue(S::draft("did:example:one")).await.unwrap();
    evidence.plant(&issued.secret);
    let other = keys.prepare(S::draft("did:example:other")).unwrap();
    let (mut same_id, mut same_digest) = (other.record().clone(), other.record().clone());
    same_id.head.id = issued.record.head.id.clone();
    same_id.head.owner = issued.record.head.owner.clone();
    same_digest.head.digest = issued.record.head.digest;
    let mut conflicting = vec![&issued.record, &same_id];
    // The mesh schema does not keep a digest from being there twice.
    conflicting.extend((S::NAME != "mesh").then_some(&same_digest));
    for record in conflicting {
        let error = keys.store().insert(record).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict), "{error:?}");
        evidence.print_error("a conflict", &error);
    }
}

/// The table in which the schema keeps its keys.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn table<S: TestSchema>(fixture: &Fixture<S>) -> String {
    match S::NAME {
        "scraper" => "api_keys".to_owned(),
        "mesh" => fixture.database().dialect("mesh.api_key", "api_key").to_owned(),
        "aggregator" => "aggregators".to_owned(),
        _ => fixture.database().own_table("keys"),
    }
}

/// PostgreSQL shows the whole row that violates a constraint in the error's detail.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn break_constraints<S: TestSchema>(fixture: &Fixture<S>, keys: &Keys<S>, evidence: &mut Evidence) {
    let table = table(fixture);
    fixture.add_owner("did:example:odd").await;
    let event = if S::NAME == "aggregator" { "UPDATE" } else { "INSERT" };
    let constrain = format!("ALTER TABLE {table} ADD CONSTRAINT odd CHECK (false) NOT VALID");
    let trigger = format!("CREATE TRIGGER odd BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'odd'); END");
    fixture.database().run(fixture.database().dialect(&constrain, &trigger)).await;

    let mut record = keys.prepare(S::draft("did:example:odd")).unwrap().record().clone();
    // Its digest is as secret as that of a key that is stored.
    let secret = stranger::<S>();
    evidence.plant(&secret);
    record.head.digest = Some(KeyDigest::of(secret.expose_secret()));
    let error = keys.store().insert(&record).await.unwrap_err();
    // To the tables of keyward's own, it is a value that they cannot hold.
    assert!(matches!(error, StoreError::Backend { .. } | StoreError::Unsupported(_)), "{error:?}");
    evidence.print_error("a violated constraint", &error);

    let allow = format!("ALTER TABLE {table} DROP CONSTRAINT odd");
    fixture.database().run(fixture.database().dialect(&allow, "DROP TRIGGER odd")).await;
}

/// Every call fails now, and the errors come from the engine.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn lose_the_table<S: TestSchema>(fixture: &Fixture<S>, keys: &Keys<S>, evidence: &mut Evidence) {
    fixture.add_owner("did:example:lost").await;
    let issued = keys.issue(S::draft("did:example:lost")).await.unwrap();
    evidence.plant(&issued.secret);
    let plaintext = issued.secret.expose_secret();
    let (id, owner) = (&issued.record.head.id, &issued.record.head.owner);
    keys.verify(plaintext).await.unwrap();
    let rotation = keys.prepare_rotation(issued.record.clone(), Duration::ZERO, None).unwrap();
    fixture.database().run(&format!("ALTER TABLE {} RENAME TO elsewhere", table(fixture))).await;

    let refusal = keys.verify(plaintext).await.unwrap_err();
    assert!(refusal.is_outage());
    evidence.print_refusal("an outage", &refusal);
    let lost = keys.prepare(S::draft("did:example:lost")).unwrap();
    for error in [
        keys.store().insert(lost.record()).await.err(),
        keys.store().rotate(rotation.rotation()).await.err(),
        keys.get(id).await.err(),
        keys.of(owner).list(1, None).await.err(),
        keys.revoke_all(owner, None).await.err(),
        keys.flush_last_used().await.err(),
    ] {
        evidence.print_error("a failed call", &error.expect("there is no table"));
    }
    evidence.print_error("a failed issue", &keys.issue(S::draft("did:example:lost")).await.unwrap_err());
    evidence.print_error("a failed rotation", &keys.rotate(id, Duration::ZERO, None).await.unwrap_err());
    evidence.print_error("a failed revocation", &keys.revoke(id, None).await.unwrap_err());
    evidence.print("keys in an outage", keys);
}
