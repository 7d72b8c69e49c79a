//! What values print, and the small questions that they answer.

use keyward::key::{
    Action, Authenticated, ChangeError, Defect, DisplayPrefix, Draft, Environment, FieldChange, KeyDigest, KeyFormat,
    KeyHead, KeyId, KeyRecord, Labels, Metadata, OwnerId, Refusal, RefusalReason, Revocation, Revoked, Schema,
    ScopePolicy, decide,
};
use keyward::schemas::mesh::{Access, AccessDenied, Capability, Mesh, MeshKey, TopicName, Topics};
use keyward::schemas::scraper::{Scraper, ScraperKey};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::store::{MemoryKeyStore, StoreError};
use keyward::{Keys, KeysError};

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
fn a_changed_field_shows_its_name_and_neither_value() {
    let change = FieldChange::new("metadata", Some("tenant 7".to_owned()), Some("tenant 8".to_owned()));
    assert_eq!(format!("{change:?}"), "FieldChange(metadata)");
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

#[test]
fn an_error_is_an_outage_where_the_store_could_not_answer_and_nowhere_else() {
    let unavailable = StoreError::Unavailable { backend: "the store", source: "it is down".into() };
    assert!(KeysError::from(unavailable).is_outage());
    for error in [KeysError::NotFound, KeysError::NotUnique, StoreError::Conflict.into(), ChangeError::Revoked.into()] {
        assert!(!error.is_outage(), "{error:?}");
    }
}

fn head() -> KeyHead {
    KeyHead::new(
        KeyId::new("key-1").unwrap(),
        OwnerId::new("acme").unwrap(),
        DisplayPrefix::new("a").unwrap(),
        Some(KeyDigest::of("a key")),
    )
}

#[test]
fn a_refusal_names_the_key_that_it_is_about() {
    let mut head = head();
    head.expires_at = Some(START);
    let record = KeyRecord::<Scraper>::new(head, Scraper::draft("acme").details);
    let refusal = decide(&Scraper::new(), vec![record.into()], &KeyDigest::of("a key"), START).unwrap_err();
    assert_eq!(refusal.reason(), RefusalReason::Expired);
    assert_eq!(refusal.key_id().map(KeyId::as_str), Some("key-1"));
    assert_eq!(refusal.display_prefix().map(DisplayPrefix::as_str), Some("a"));
}

/// What only `decide` can make, of a live record with these details.
fn accepted<S: Schema>(schema: &S, details: S::Details) -> Authenticated<S> {
    decide(schema, vec![KeyRecord::new(head(), details).into()], &KeyDigest::of("a key"), START).unwrap()
}

#[test]
fn what_is_printed_of_a_draft_and_of_the_service_tells_them_apart() {
    let draft = Draft::from(StandardKey::new("acme", "import").unwrap());
    let shown = format!("{draft:?}");
    assert!(shown.starts_with("Draft { ") && shown.contains("acme") && shown.contains("import"), "{shown}");
    let keys = Keys::builder(MemoryKeyStore::new(Standard::schema())).build();
    assert!(format!("{keys:?}").starts_with("Keys { store: MemoryKeyStore"), "{keys:?}");
}

#[test]
fn metadata_shows_its_length_and_no_word() {
    assert_eq!(format!("{:?}", Metadata::new("tenant 7").unwrap()), "Metadata(8 bytes)");
}

#[test]
fn keys_that_have_a_name_are_found_by_it_and_others_by_none() {
    let scraper = Draft::from(ScraperKey::named("acme", "import").unwrap()).details;
    assert_eq!(Scraper::labels(&scraper), Labels::named("import"));
    let mesh = Draft::from(MeshKey::new("mesh", "bot", [Capability::Send]).unwrap()).details;
    assert_eq!(Mesh::labels(&mesh), Labels::named("bot"));
}

#[test]
fn proof_shows_the_record_and_not_the_whole_digest() {
    let accepted = accepted(&Scraper::new(), Scraper::draft("acme").details);
    let shown = format!("{accepted:?}");
    assert!(shown.starts_with("Authenticated { record: KeyRecord {") && shown.contains("key-1"), "{shown}");
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
    assert_eq!(format!("{:?}", names[0]), "TopicName(\"deploys\")");
    assert_eq!(Topics::Only(names.into()).to_string(), "#deploys #general");
    assert_eq!((Topics::Only(Vec::new()).to_string(), Topics::All.to_string()), ("none".to_owned(), "all".to_owned()));
    assert!(Mesh::new().strict().is_strict() && !Mesh::new().is_strict());
}
