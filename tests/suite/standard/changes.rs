//! Changing a key after its issue: each change depends on the version that its author saw, and holds at once.

use keyward::key::{
    Action, ChangeError, Description, Disabling, KeyChange, KeyName, Metadata, PrepareError, RateLimit, RefusalReason,
    Scope, Status,
};
use keyward::schemas::standard::{Standard, StandardUpdate};
use keyward::store::StoreError;
use keyward::{KeysError, Timestamp};

use super::{Fixture, HOUR, get, named, reason, verdict};
use crate::support::concurrency::{RACERS, processes, race};
use crate::support::{START, over};

over![every_store of Standard:
    an_update_changes_what_it_names_and_nothing_else,
    an_update_of_an_older_version_changes_nothing_and_says_the_newer,
    of_many_concurrent_updates_one_wins_and_the_others_learn_the_version,
    a_change_is_in_force_at_the_next_verification_in_another_process,
    a_key_is_switched_off_and_on_and_doing_it_again_changes_nothing,
    the_expiry_of_a_rotated_key_cannot_be_stretched,
    an_expiry_that_has_passed_is_refused,
    a_revoked_key_stays_as_it_is,
    an_update_to_what_is_there_already_changes_nothing,
    metadata_comes_back_byte_for_byte,
];

fn rename(name: &str) -> StandardUpdate {
    StandardUpdate::new().rename(KeyName::new(name).unwrap())
}

fn after(hours: u32) -> Timestamp {
    START.saturating_add(hours * HOUR)
}

async fn an_update_changes_what_it_names_and_nothing_else(fixture: Fixture) {
    let issued = fixture.keys.issue(named("import").scope("jobs:read").unwrap()).await.unwrap();
    let bystander = fixture.keys.issue(named("import")).await.unwrap();
    let id = &issued.record.head.id;
    let update = rename("export")
        .description(Some(Description::new("Writes the day's jobs.").unwrap()))
        .scopes(["jobs:write", "jobs:list"].map(|scope| Scope::new(scope).unwrap()))
        .metadata(Some(Metadata::new("{\"plan\": 1}").unwrap()))
        .rate_limit(RateLimit::per_minute(5).unwrap())
        .unwrap()
        .expires_at(Some(after(2)));
    let changed = fixture.keys.update(id, 1, update).await.unwrap();
    assert_eq!(changed.action, Some(Action::Updated));
    let fields: Vec<_> = changed.changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["name", "description", "scopes", "requests_per_minute", "metadata", "expires_at"]);

    let mut expected = issued.record.clone();
    expected.head.version = 2;
    expected.head.expires_at = Some(after(2));
    expected.details.name = KeyName::new("export").unwrap();
    expected.details.description = Some(Description::new("Writes the day's jobs.").unwrap());
    expected.details.scopes = ["jobs:write", "jobs:list"].map(|scope| Scope::new(scope).unwrap()).into_iter().collect();
    expected.details.metadata = Some(Metadata::new("{\"plan\": 1}").unwrap());
    expected.details.rate_limit = RateLimit::per_minute(5).unwrap();
    assert_eq!(changed.key, expected);
    assert_eq!(get(&fixture.keys, id).await, expected);
    assert_eq!(**fixture.keys.verify(issued.secret.expose_secret()).await.unwrap().record(), expected);
    assert_eq!(get(&fixture.keys, &bystander.record.head.id).await, bystander.record);

    let emptied = StandardUpdate::new().description(None).scopes([]).metadata(None).expires_at(None);
    let emptied = emptied.rate_limit(RateLimit::ServiceDefault).unwrap();
    let emptied = fixture.keys.update(id, 2, emptied).await.unwrap().key;
    assert!(emptied.details.scopes.is_empty());
    assert_eq!((&emptied.details.description, &emptied.details.metadata), (&None, &None));
    assert_eq!((emptied.head.expires_at, emptied.details.rate_limit), (None, RateLimit::ServiceDefault));
    assert_eq!(get(&fixture.keys, id).await, emptied);
}

async fn an_update_of_an_older_version_changes_nothing_and_says_the_newer(fixture: Fixture) {
    let issued = fixture.keys.issue(named("first")).await.unwrap();
    let id = &issued.record.head.id;
    let stale = KeyChange::update(&issued.record, rename("stale"), None, START).unwrap().unwrap();
    fixture.another_process().await.update(id, 1, rename("second")).await.unwrap();
    let lost = fixture.keys.update(id, 1, rename("third")).await.unwrap_err();
    assert!(matches!(lost, KeysError::Changed { version: 2 }), "{lost:?}");
    // The condition stands in the statement as well, for whoever read the key before the other wrote it.
    let lost = fixture.store().change(&stale).await.unwrap_err();
    assert!(matches!(lost, StoreError::Conflict), "{lost:?}");
    let future = fixture.keys.update(id, 3, rename("third")).await.unwrap_err();
    assert!(matches!(future, KeysError::Changed { version: 2 }), "{future:?}");
    assert_eq!(get(&fixture.keys, id).await.details.name.as_str(), "second");
    assert_eq!(fixture.keys.history(id).await.unwrap().len(), 2);
}

async fn of_many_concurrent_updates_one_wins_and_the_others_learn_the_version(fixture: Fixture) {
    let issued = fixture.keys.issue(named("first")).await.unwrap();
    let processes = processes(&fixture).await;
    for version in 1..=4 {
        let racers = (0..RACERS).map(|racer| {
            let (keys, id) = (processes[racer % processes.len()].clone(), issued.record.head.id.clone());
            move || async move { keys.update(&id, version, rename(&format!("{version} by {racer}"))).await }
        });
        let (won, lost): (Vec<_>, Vec<_>) = race(racers).await.into_iter().partition(Result::is_ok);
        let [Ok(won)] = &won[..] else { panic!("{won:?}") };
        let next = version + 1;
        for lost in lost {
            assert!(matches!(lost, Err(KeysError::Changed { version }) if version == next), "{lost:?}");
        }
        assert_eq!(get(&fixture.keys, &issued.record.head.id).await, won.key);
        let history = fixture.keys.history(&issued.record.head.id).await.unwrap();
        assert_eq!(history.last().unwrap().changes, won.changes);
        assert_eq!(history.len() as u64, next);
    }
}

async fn a_change_is_in_force_at_the_next_verification_in_another_process(fixture: Fixture) {
    let other = fixture.another_process().await;
    let issued = fixture.keys.issue(named("import").scope("jobs:read").unwrap()).await.unwrap();
    let (id, key) = (&issued.record.head.id, issued.secret.expose_secret());
    assert!(other.verify(key).await.unwrap().permits("jobs:read").is_ok());

    let narrowed = StandardUpdate::new().scopes([Scope::new("jobs:list").unwrap()]);
    fixture.keys.update(id, 1, narrowed).await.unwrap();
    let seen = other.verify(key).await.unwrap();
    assert!(seen.permits("jobs:read").is_err() && seen.permits("jobs:list").is_ok());

    let limited = StandardUpdate::new().rate_limit(RateLimit::per_minute(3).unwrap()).unwrap();
    fixture.keys.update(id, 2, limited).await.unwrap();
    assert_eq!(other.verify(key).await.unwrap().details().rate_limit, RateLimit::per_minute(3).unwrap());

    fixture.keys.update(id, 3, StandardUpdate::new().expires_at(Some(after(1)))).await.unwrap();
    assert_eq!(verdict(&other, &issued).await, "accepted");
    fixture.clock.advance(HOUR);
    assert_eq!(verdict(&other, &issued).await, "expired");
    fixture.keys.update(id, 4, StandardUpdate::new().expires_at(None)).await.unwrap();
    assert_eq!(verdict(&other, &issued).await, "accepted");

    fixture.keys.disable(id, None).await.unwrap();
    assert_eq!(verdict(&other, &issued).await, "disabled");
    fixture.keys.enable(id, None).await.unwrap();
    assert_eq!(verdict(&other, &issued).await, "accepted");
}

async fn a_key_is_switched_off_and_on_and_doing_it_again_changes_nothing(fixture: Fixture) {
    let issued = fixture.keys.issue(named("import")).await.unwrap();
    let id = &issued.record.head.id;
    fixture.clock.advance(HOUR);
    for again in [false, true] {
        let disabled = fixture.keys.disable(id, Some(reason("unpaid"))).await.unwrap();
        assert_eq!(disabled.action, (!again).then_some(Action::Disabled));
        let expected = Status::Disabled(Disabling::new(Some(after(1)), Some(reason("unpaid"))));
        assert_eq!((&disabled.key.head.status, disabled.key.head.version), (&expected, 2));
        assert_eq!(get(&fixture.keys, id).await, disabled.key);
        assert_eq!(verdict(&fixture.keys, &issued).await, "disabled");
        fixture.clock.advance(HOUR);
    }
    let rotated = fixture.keys.rotate(id, HOUR, None).await.map(|_| ());
    let refused = PrepareError::NotLive(RefusalReason::Disabled);
    assert!(matches!(&rotated, Err(KeysError::Prepare(error)) if *error == refused), "{rotated:?}");
    for again in [false, true] {
        let enabled = fixture.keys.enable(id, None).await.unwrap();
        assert_eq!(enabled.action, (!again).then_some(Action::Enabled));
        assert_eq!((&enabled.key.head.status, enabled.key.head.version), (&Status::Active, 3));
        assert_eq!(get(&fixture.keys, id).await, enabled.key);
        assert_eq!(verdict(&fixture.keys, &issued).await, "accepted");
    }
}

async fn the_expiry_of_a_rotated_key_cannot_be_stretched(fixture: Fixture) {
    let issued = fixture.keys.issue(named("import")).await.unwrap();
    let id = &issued.record.head.id;
    let stale = KeyChange::update(&issued.record, StandardUpdate::new().expires_at(Some(after(9))), None, START);
    let rotated = fixture.keys.rotate(id, HOUR, None).await.unwrap();
    let successor_id = &rotated.successor.record.head.id;
    for expires_at in [None, Some(after(9))] {
        let refused = fixture.keys.update(id, 2, StandardUpdate::new().expires_at(expires_at)).await.unwrap_err();
        assert!(
            matches!(&refused, KeysError::Change(ChangeError::Rotated { successor, .. }) if successor == successor_id),
            "{refused:?}"
        );
    }
    let lost = fixture.store().change(&stale.unwrap().unwrap()).await.unwrap_err();
    assert!(matches!(lost, StoreError::Conflict), "{lost:?}");
    // What else there is about it may be changed.
    fixture.keys.update(id, 2, rename("the old import")).await.unwrap();
    fixture.keys.disable(id, None).await.unwrap();
    fixture.keys.enable(id, None).await.unwrap();
    assert_eq!(get(&fixture.keys, id).await.head.expires_at, Some(after(1)));
    assert_eq!(verdict(&fixture.keys, &issued).await, "accepted");
    fixture.clock.advance(HOUR);
    assert_eq!(verdict(&fixture.keys, &issued).await, "expired");
}

async fn an_expiry_that_has_passed_is_refused(fixture: Fixture) {
    let issued = fixture.keys.issue(named("import")).await.unwrap();
    for passed in [START, START.saturating_sub(HOUR)] {
        let update = StandardUpdate::new().expires_at(Some(passed));
        let refused = fixture.keys.update(&issued.record.head.id, 1, update).await.unwrap_err();
        assert!(matches!(refused, KeysError::Change(ChangeError::ExpiryPassed)), "{refused:?}");
    }
    assert_eq!(get(&fixture.keys, &issued.record.head.id).await, issued.record);
}

async fn a_revoked_key_stays_as_it_is(fixture: Fixture) {
    let issued = fixture.keys.issue(named("import")).await.unwrap();
    let id = &issued.record.head.id;
    fixture.keys.disable(id, None).await.unwrap();
    fixture.keys.revoke(id, Some(reason("leaked"))).await.unwrap();
    let before = get(&fixture.keys, id).await;
    assert_eq!((before.head.is_revoked(), before.head.version), (true, 3));
    for refused in [
        fixture.keys.update(id, 3, rename("other")).await,
        fixture.keys.disable(id, None).await,
        fixture.keys.enable(id, None).await,
    ] {
        assert!(matches!(refused, Err(KeysError::Change(ChangeError::Revoked))), "{refused:?}");
    }
    assert_eq!(get(&fixture.keys, id).await, before);
    assert_eq!(verdict(&fixture.keys, &issued).await, "revoked");
}

async fn an_update_to_what_is_there_already_changes_nothing(fixture: Fixture) {
    let issued = fixture.keys.issue(named("import")).await.unwrap();
    let changed = fixture.keys.update(&issued.record.head.id, 1, rename("import")).await.unwrap();
    assert_eq!((changed.action, changed.changes.len()), (None, 0));
    assert_eq!(changed.key, issued.record);
    assert_eq!(get(&fixture.keys, &issued.record.head.id).await, issued.record);
    assert_eq!(fixture.keys.history(&issued.record.head.id).await.unwrap().len(), 1);
}

async fn metadata_comes_back_byte_for_byte(fixture: Fixture) {
    let longest = "ü".repeat(8 * 1024);
    let texts = [
        "",
        " ",
        "no JSON",
        "{ \"b\" : 1,\"a\":2,\"a\":3 }\r\n",
        "{\"big\": 12345678901234567890123, \"small\": 1e-400, \"escaped\": \"\\u00fc\\u0000\"}",
        "\u{feff}ünï ✓ 🔑 e\u{301} '\"\\ $1 ?1 %s {} --",
        &longest,
    ];
    let mut last = fixture.keys.issue(named("first")).await.unwrap().record;
    for text in texts {
        let issued = fixture.keys.issue(named("import").metadata(text).unwrap()).await.unwrap();
        let update = StandardUpdate::new().metadata(Some(Metadata::new(text).unwrap()));
        last = fixture.keys.update(&last.head.id, last.head.version, update).await.unwrap().key;
        let other = fixture.another_process().await;
        for read in [
            get(&other, &issued.record.head.id).await,
            get(&other, &last.head.id).await,
            (**other.verify(issued.secret.expose_secret()).await.unwrap().record()).clone(),
        ] {
            assert_eq!(read.details.metadata.unwrap().as_str().as_bytes(), text.as_bytes());
        }
    }
}
