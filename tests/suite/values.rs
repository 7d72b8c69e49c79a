//! What values print, and the small questions that they answer.

use keyward::key::{
    Action, Authenticated, Defect, DisplayPrefix, Draft, Environment, KeyDigest, KeyFormat, KeyHead, KeyId, KeyRecord,
    OwnerId, Refusal, RefusalReason, Revocation, Revoked, Schema, ScopePolicy, decide,
};
use keyward::schemas::mesh::{Access, AccessDenied, Capability, Mesh, MeshKey, TopicName, Topics};
use keyward::schemas::scraper::{Scraper, ScraperKey};
use keyward::schemas::standard::{Standard, StandardKey};
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
    let id = KeyId::new("key").unwrap();
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

/// What only `decide` can make, of a live record with these details.
fn accepted<S: Schema>(schema: &S, details: S::Details) -> Authenticated<S> {
    let digest = KeyDigest::of("a key");
    let head = KeyHead::new(
        KeyId::new("key-1").unwrap(),
        OwnerId::new("acme").unwrap(),
        DisplayPrefix::new("a").unwrap(),
        Some(digest),
    );
    decide(schema, vec![KeyRecord::new(head, details).into()], &digest, START).unwrap()
}

#[test]
fn proof_shows_the_record_and_not_the_whole_digest() {
    let accepted = accepted(&Scraper::new(), Scraper::draft("acme").details);
    let shown = format!("{accepted:?}");
    assert!(shown.starts_with("Authenticated(KeyRecord {") && shown.contains("key-1"), "{shown}");
    assert!(!shown.contains(KeyDigest::of("a key").to_hex().as_str()), "{shown}");
    assert_eq!(accepted.owner().as_str(), "acme");
}

#[test]
fn proof_permits_what_its_record_does_and_nothing_else() {
    let key = ScraperKey::named("acme", "import").unwrap().scope("jobs:read").unwrap().scope("admin").unwrap();
    let scraper = accepted(&Scraper::new(), Draft::from(key).details);
    let key = StandardKey::new("acme", "import").unwrap().scope("jobs:read").unwrap().scope("admin").unwrap();
    let mut details = Draft::from(key).details;
    details.environment = Environment::LIVE;
    let standard = accepted(&Standard::new("acme").unwrap(), details);
    for (scope, exact, implied) in [("jobs:read", true, true), ("jobs:write", false, true), ("", false, true)] {
        assert_eq!(scraper.permits(scope, ScopePolicy::exact()).is_ok(), exact, "{scope}");
        assert_eq!(scraper.permits(scope, ScopePolicy::admin_implies_all()).is_ok(), implied, "{scope}");
        assert_eq!(standard.permits(scope).is_ok(), exact, "{scope}");
        assert_eq!(standard.permits_under(scope, ScopePolicy::exact()).is_ok(), exact, "{scope}");
        assert_eq!(standard.permits_under(scope, ScopePolicy::admin_implies_all()).is_ok(), implied, "{scope}");
    }

    let key = MeshKey::new("mesh", "bot", [Capability::Send]).unwrap().only_topics(["deploys"]).unwrap();
    let mesh = accepted(&Mesh::new(), Draft::from(key).details);
    assert_eq!(mesh.permits(Access::to_topic(Capability::Send, "deploys")), Ok(()));
    assert_eq!(mesh.permits(Access::to_topic(Capability::Send, "general")), Err(AccessDenied::Topic));
    let denied = Err(AccessDenied::Capability(Capability::Read));
    assert_eq!(mesh.permits(Access::to_topic(Capability::Read, "deploys")), denied);
}

#[test]
fn the_words_of_a_mesh_are_read_and_printed_exactly() {
    let words = ["send", "read", "state_write", "admin"];
    assert_eq!(Capability::ALL.map(|capability| capability.to_string()), words);
    assert_eq!(words.map(|word| word.parse::<Capability>().unwrap()), Capability::ALL);
    for other in ["", "Send", "send ", "state-write"] {
        assert!(other.parse::<Capability>().is_err(), "{other:?}");
    }
    let names = ["deploys", "#general"].map(|name| TopicName::new(name).unwrap());
    assert_eq!(names.each_ref().map(ToString::to_string), ["deploys", "general"]);
    assert_eq!(Topics::Only(names.into()).to_string(), "#deploys #general");
    assert_eq!((Topics::Only(Vec::new()).to_string(), Topics::All.to_string()), ("none".to_owned(), "all".to_owned()));
    assert!(Mesh::new().strict().is_strict() && !Mesh::new().is_strict());
}
