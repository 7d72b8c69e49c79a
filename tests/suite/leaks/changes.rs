//! What only keys that can be changed do: imports, changes, histories and purges.

use std::time::Duration;

use keyward::Keys;
use keyward::key::{
    Actor, Description, DisplayPrefix, ForeignFormat, KeyChange, KeyDigest, KeyName, Metadata, RateLimit, Reason, Scope,
};
use keyward::schemas::standard::{Standard, StandardKey, StandardUpdate};
use keyward::store::{KeyFilter, KeyState, PurgeRequest};

use super::evidence::Evidence;
use super::log::Log;
use super::{keys_with_secrets, stranger};
use crate::support::{Fixture, TestSchema as _, over};

over![every_store of Standard: nothing_that_is_printed_or_logged_of_changes_leaks_a_key];

async fn nothing_that_is_printed_or_logged_of_changes_leaks_a_key(fixture: Fixture<Standard>) {
    let log = Log::listen().await;
    let keys = keys_with_secrets(&fixture).by(Actor::new("admin").unwrap());
    let mut evidence = Evidence::of(*keys.format());
    change(&keys, &mut evidence).await;
    import(&fixture, &mut evidence).await;

    fixture.clock.advance(Duration::from_hours(48));
    let day = Duration::from_hours(24);
    let request = PurgeRequest::new(keys.now().saturating_sub(day), 10);
    evidence.print("a request to purge", &request);
    assert_eq!(keys.purge(day, 10).await.unwrap(), 1);

    let log = log.text();
    for event in ["key.changed", "updated", "disabled", "enabled", "key.imported", "key.revoked", "keys.purged"] {
        assert!(log.contains(event), "the log has no {event}: nobody has listened");
    }
    let (planted, printed) = evidence.counts();
    assert!(planted >= 2 && printed >= 12, "{planted} planted, {printed} printed");
    evidence.check(&log);
    // Whatever a host keeps with a key is nothing for a log either.
    assert!(!log.contains("a note of the host"), "the log shows metadata");
}

async fn change(keys: &Keys<Standard>, evidence: &mut Evidence) {
    let issued = keys.issue(StandardKey::new("acme", "import").unwrap()).await.unwrap();
    evidence.plant(&issued.secret);
    let (id, seen) = (&issued.record.head.id, &issued.record);
    let update = || {
        StandardUpdate::new()
            .rename(KeyName::new("export").unwrap())
            .description(Some(Description::new("for tests").unwrap()))
            .scopes([Scope::new("jobs:read").unwrap()])
            .rate_limit(RateLimit::per_minute(5).unwrap())
            .unwrap()
            .metadata(Some(Metadata::new("a note of the host").unwrap()))
    };
    evidence.print("an update", &update());
    let change = KeyChange::update(seen, update(), None, keys.now()).unwrap().unwrap();
    evidence.print("a change", &change);
    evidence.print("a receipt of a change", &change.stored());
    evidence.print("an updated key", &keys.update(id, 1, update()).await.unwrap());
    evidence.print_error("a stale update", &keys.update(id, 1, update()).await.unwrap_err());
    evidence.print("a disabled key", &keys.disable(id, Some(Reason::new("odd traffic").unwrap())).await.unwrap());
    evidence.print_refusal("a disabled key", &keys.verify(issued.secret.expose_secret()).await.unwrap_err());
    evidence.print("an enabled key", &keys.enable(id, None).await.unwrap());
    let filter = KeyFilter::new().in_state(KeyState::Active).named(KeyName::new("export").unwrap());
    evidence.print("a filter", &filter);
    evidence.print("a page", &keys.list(filter, 5, None).await.unwrap());
    keys.revoke(id, None).await.unwrap();
    evidence.print_error("an update of a revoked key", &keys.update(id, 5, update()).await.unwrap_err());
    let history = keys.history(id).await.unwrap();
    assert_eq!(history.len(), 5, "issued, updated, disabled, enabled and revoked");
    for entry in &history {
        evidence.print("an entry of a history", entry);
    }
    let shown = format!("{history:?} {:?}", keys.get(id).await.unwrap());
    assert!(!shown.contains("a note of the host"), "metadata is printed: {shown}");
}

/// The digest of a key that another service made is as secret as that of our own.
async fn import(fixture: &Fixture<Standard>, evidence: &mut Evidence) {
    let foreign = ForeignFormat::new("acme_live_", 20..=80).unwrap();
    let keys = fixture.another_process_with(Standard::schema().accepting_foreign(foreign.clone())).await;
    let secret = stranger::<Standard>();
    evidence.plant(&secret);
    let digest = KeyDigest::of(secret.expose_secret());
    let draft = || StandardKey::new("acme", "older").unwrap().imported_from("old").unwrap();
    let prefix = || DisplayPrefix::new("acme_live_").unwrap();
    evidence.print("a foreign format", &foreign);
    if !fixture.has_database() {
        // Memory keeps its own schema, which accepts no foreign keys.
        evidence.print_error("a refused import", &keys.import(draft(), digest, prefix()).await.unwrap_err());
        let keys = Keys::builder(keyward::store::MemoryKeyStore::new(Standard::schema().accepting_foreign(foreign)));
        return import_into(&keys.build(), draft(), digest, prefix(), evidence).await;
    }
    import_into(&keys, draft(), digest, prefix(), evidence).await;
}

async fn import_into(
    keys: &Keys<Standard>,
    draft: StandardKey,
    digest: KeyDigest,
    prefix: DisplayPrefix,
    evidence: &mut Evidence,
) {
    evidence.print("an imported key", &keys.import(draft.clone(), digest, prefix.clone()).await.unwrap());
    evidence.print_error("an import again", &keys.import(draft, digest, prefix).await.unwrap_err());
}
