//! What values print, and the small questions that they answer.

use keyward::key::{
    Action, Authenticated, Defect, KeyDigest, KeyFormat, KeyHead, KeyRecord, Refusal, RefusalReason, Revocation,
    Revoked, decide,
};
use keyward::schemas::scraper::Scraper;
use keyward::store::StoreError;

use crate::support::{START, TestSchema as _};

#[test]
fn an_action_prints_as_its_word_and_is_found_by_it() {
    use Action::{Disabled, Enabled, Imported, Issued, Revoked, Rotated, Unknown, Updated};

    let words = ["issued", "imported", "updated", "disabled", "enabled", "rotated", "revoked", "unknown"];
    let actions = [Issued, Imported, Updated, Disabled, Enabled, Rotated, Revoked, Unknown];
    assert_eq!(actions.map(|action| action.to_string()), words);
    assert_eq!(words.map(Action::from_name), actions);
    assert_eq!(Action::from_name("blessed"), Unknown);
}

#[test]
fn a_receipt_shows_nothing() {
    let id = keyward::key::KeyId::new("key").unwrap();
    assert_eq!(format!("{:?}", Revoked::now(id, Revocation::default()).stored()), "Receipt(…)");
}

#[test]
fn what_a_refusal_says_to_its_caller_depends_on_an_outage_alone() {
    let defect = Defect::new("api_keys", "scopes");
    let malformed = KeyFormat::MESH.parse("hunter2").unwrap_err();
    let table = [
        (RefusalReason::Malformed(malformed), "malformed", "the key does not start with cm_"),
        (RefusalReason::Unknown, "unknown", "no such key"),
        (RefusalReason::Revoked, "revoked", "the key is revoked"),
        (RefusalReason::Disabled, "disabled", "the key is disabled"),
        (RefusalReason::TenantDisabled, "tenant_disabled", "what the key belongs to is shut down"),
        (RefusalReason::Expired, "expired", "the key has expired"),
        (RefusalReason::OtherEnvironment, "other_environment", "the key belongs to another environment"),
        (RefusalReason::Unusable(defect), "unusable", "the key's row grants nothing because of api_keys.scopes"),
    ];
    for (reason, code, words) in table {
        let refusal = Refusal::new(reason);
        assert_eq!((reason.code(), reason.to_string().as_str()), (code, words));
        assert_eq!(refusal.to_string(), "the API key is not valid");
        assert!(!refusal.is_outage() && refusal.outage().is_none());
    }
    let outage = Refusal::unavailable(StoreError::Conflict);
    assert_eq!(outage.to_string(), "API keys cannot be checked at the moment");
    assert!(outage.is_outage() && outage.outage().is_some());
    assert_eq!(
        (outage.reason().code(), outage.reason().to_string().as_str()),
        ("store_unavailable", "the store could not answer")
    );
}

fn accepted() -> Authenticated<Scraper> {
    let text = |text: &str| text.to_owned();
    let digest = KeyDigest::of("riq_x");
    let head = KeyHead::new(
        text("key-1").parse().unwrap(),
        text("acme").parse().unwrap(),
        "riq_".parse().unwrap(),
        Some(digest),
    );
    let record = KeyRecord::new(head, Scraper::draft("acme").details);
    decide(&Scraper::new(), vec![record.into()], &digest, START).unwrap()
}

#[test]
fn proof_shows_the_record_and_not_the_whole_digest() {
    let accepted = accepted();
    let shown = format!("{accepted:?}");
    assert!(shown.starts_with("Authenticated(KeyRecord {") && shown.contains("key-1"), "{shown}");
    assert!(!shown.contains(KeyDigest::of("riq_x").to_hex().as_str()), "{shown}");
    assert_eq!(accepted.owner().as_str(), "acme");
}
