//! Whatever serialises: a secret never does, and a digest only shortened.

use std::time::Duration;

use keyward::key::{KeyChange, KeyDigest, Reason};
use keyward::schemas::standard::Standard;
use keyward::store::KeyState;
use serde::Serialize;

use super::evidence::Evidence;
use super::keys_with_secrets;
use crate::support::{Fixture, START, TestSchema, over, over_every_schema};

over_every_schema![every_store: json_has_no_secret_and_a_digest_only_shortened];
over![every_store of Standard: json_of_changes_has_no_secret];

const OWNER: &str = "did:example:acme";

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

async fn json_has_no_secret_and_a_digest_only_shortened<S>(fixture: Fixture<S>)
where
    S: TestSchema<Details: Serialize>,
{
    let keys = keys_with_secrets(&fixture);
    let mut evidence = Evidence::of(*keys.format());
    fixture.add_owner(OWNER).await;
    let issued = keys.issue(S::draft(OWNER)).await.unwrap();
    evidence.plant(&issued.secret);
    let plaintext = issued.secret.expose_secret();
    let head = &issued.record.head;
    let digest = KeyDigest::of(plaintext);

    assert_eq!(json(&digest), format!("\"{}…\"", &digest.to_hex().as_str()[..8]));
    assert!(json(head).contains(&digest.to_hex().as_str()[..8]), "the digest is shown, shortened: {}", json(head));
    evidence.display("a head", &json(head));
    evidence.display("a record", &json(&issued.record));
    evidence.display("details", &json(&issued.record.details));
    let accepted = keys.verify(plaintext).await.unwrap();
    assert_eq!(json(&accepted), json(&issued.record));
    evidence.display("an accepted key", &json(&accepted));
    evidence.display("metrics", &json(&keys.last_used_metrics()));
    let page = keys.of(&head.owner).list(5, None).await.unwrap();
    assert!(json(&page).contains(head.id.as_str()));
    evidence.display("a page", &json(&page));
    evidence.display("a state", &json(&KeyState::Active));

    let grace = Duration::ZERO;
    let rotated = keys.rotate(&head.id, grace, None).await.unwrap();
    evidence.plant(&rotated.successor.secret);
    let successor = &rotated.successor;
    evidence.display("a successor", &json(&successor.record));
    let reason = Some(Reason::new("leaked").unwrap());
    let revoked = keys.revoke(&successor.record.head.id, reason.clone()).await.unwrap();
    evidence.display("a revocation", &json(&revoked));
    evidence.display("a revocation of all", &json(&keys.revoke_all(&head.owner, reason).await.unwrap()));
    let stored = keys.get(&successor.record.head.id).await.unwrap().unwrap();
    assert!(json(&stored.head.status).contains("revoked"), "{}", json(&stored.head.status));
    evidence.display("a revoked key", &json(&stored));

    let presented = [successor.secret.expose_secret().to_owned(), format!("{plaintext}é"), "x".to_owned()];
    for presented in presented {
        let refusal = keys.verify(&presented).await.unwrap_err();
        assert!(json(&refusal).contains(refusal.reason().code()));
        evidence.display("a refusal", &json(&refusal));
    }
    assert!(evidence.counts() >= (2, 13));
    evidence.check("");
}

async fn json_of_changes_has_no_secret(fixture: Fixture<Standard>) {
    let keys = keys_with_secrets(&fixture);
    let mut evidence = Evidence::of(*keys.format());
    let issued = keys.issue(Standard::draft(OWNER)).await.unwrap();
    evidence.plant(&issued.secret);
    let change = KeyChange::disable(&issued.record, None, None, START).unwrap().unwrap();
    evidence.display("an entry that is not stored", &json(&change.entry));
    let id = &issued.record.head.id;
    let disabled = keys.disable(id, Some(Reason::new("odd traffic").unwrap())).await.unwrap();
    evidence.display("a disabled key", &json(&disabled.key));
    evidence.display("changed fields", &json(&disabled.changes));
    evidence.display("an action", &json(&disabled.action));
    let history = keys.history(id).await.unwrap();
    assert_eq!(history.len(), 2);
    assert!(json(&history).contains("odd traffic"));
    evidence.display("a history", &json(&history));
    evidence.check("");
}
