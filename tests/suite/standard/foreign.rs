//! Keys that another service made: imported by their digest, and accepted where their format is declared.

use keyward::key::{Action, DisplayPrefix, Environment, ForeignFormat, KeyDigest, PrepareError};
use keyward::schemas::standard::{FormatName, Standard, StandardKey};
use keyward::store::StoreError;
use keyward::{Keys, KeysError};

use super::{Fixture, HOUR, acme, get, named, service, share, verdict, verdict_on};
use crate::support::over;

over![every_store of Standard:
    a_foreign_key_is_accepted_once_it_is_imported_and_its_format_declared,
    a_foreign_key_of_another_environment_is_refused,
    a_foreign_key_is_imported_once,
    nothing_is_imported_where_no_foreign_format_is_declared,
    an_imported_key_is_rotated_into_one_of_the_services_own,
    a_draft_says_whether_its_key_is_issued_or_imported,
];

const FOREIGN: &str = "sk_4eC39HqLyjWDarjtT1zdp7dc";

fn declared(environment: Environment) -> Standard {
    let format = ForeignFormat::new("sk_", 20..=40).unwrap();
    Standard::new("acme").unwrap().accepting_foreign(format).environment(environment).unwrap()
}

fn described() -> StandardKey {
    named("moved here").scope("jobs:read").unwrap().imported_from("stripe").unwrap()
}

async fn import(keys: &Keys<Standard>, key: &str) -> Result<keyward::key::Imported<Standard>, KeysError> {
    keys.import(described(), KeyDigest::of(key), DisplayPrefix::new(&key[..7]).unwrap()).await
}

async fn a_foreign_key_is_accepted_once_it_is_imported_and_its_format_declared(fixture: Fixture) {
    let keys = service(&fixture, declared(Environment::LIVE)).await;
    assert_eq!(verdict_on(&keys, FOREIGN).await, "unknown");
    let imported = import(&keys, FOREIGN).await.unwrap();
    let accepted = keys.verify(FOREIGN).await.unwrap();
    assert_eq!(accepted.owner(), &acme());
    assert!(accepted.permits("jobs:read").is_ok() && accepted.permits("jobs:write").is_err());
    let record = get(&keys, &imported.record.head.id).await;
    assert_eq!(record, imported.record);
    assert_eq!((record.head.prefix.as_str(), record.head.version), ("sk_4eC3", 1));
    assert_eq!(record.details.imported_from.as_ref().map(FormatName::as_str), Some("stripe"));
    let history = keys.history(&record.head.id).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.action).collect::<Vec<_>>(), [Action::Imported]);
    assert_eq!(verdict_on(&keys, "sk_4eC39HqLyjWDarjtT1zdp7dd").await, "unknown");

    let undeclared = service(&fixture, Standard::new("acme").unwrap()).await;
    share(&fixture, &imported.record, &undeclared).await;
    assert_eq!(verdict_on(&undeclared, FOREIGN).await, "malformed");
}

/// Nothing in such a key shows its environment; the record does.
async fn a_foreign_key_of_another_environment_is_refused(fixture: Fixture) {
    let test = service(&fixture, declared(Environment::TEST)).await;
    let live = service(&fixture, declared(Environment::LIVE)).await;
    let imported = import(&test, FOREIGN).await.unwrap();
    assert_eq!(verdict_on(&test, FOREIGN).await, "accepted");
    share(&fixture, &imported.record, &live).await;
    assert_eq!(verdict_on(&live, FOREIGN).await, "other_environment");
}

async fn a_foreign_key_is_imported_once(fixture: Fixture) {
    let keys = service(&fixture, declared(Environment::LIVE)).await;
    import(&keys, FOREIGN).await.unwrap();
    let own = keys.issue(named("own")).await.unwrap();
    for taken in [FOREIGN, own.secret.expose_secret()] {
        let shown = DisplayPrefix::new("sk_4eC3").unwrap();
        let again = keys.import(described(), KeyDigest::of(taken), shown).await.map(|_| ());
        assert!(matches!(again, Err(KeysError::Store(StoreError::Conflict))), "{again:?}");
    }
    assert_eq!(keys.of(&acme()).list(10, None).await.unwrap().keys.len(), 2);
}

async fn nothing_is_imported_where_no_foreign_format_is_declared(fixture: Fixture) {
    let refused = import(&fixture.keys, FOREIGN).await.map(|_| ());
    assert!(matches!(refused, Err(KeysError::Store(StoreError::Unsupported(_)))), "{refused:?}");
    assert_eq!(fixture.keys.of(&acme()).list(10, None).await.unwrap().keys, []);
}

async fn an_imported_key_is_rotated_into_one_of_the_services_own(fixture: Fixture) {
    let keys = service(&fixture, declared(Environment::LIVE)).await;
    let imported = import(&keys, FOREIGN).await.unwrap();
    let rotated = keys.rotate(&imported.record.head.id, HOUR, None).await.unwrap();
    assert_eq!(verdict_on(&keys, FOREIGN).await, "accepted");
    assert_eq!(verdict(&keys, &rotated.successor).await, "accepted");
    assert!(rotated.successor.secret.expose_secret().starts_with("acme_live_"));
    let details = &rotated.successor.record.details;
    assert_eq!((&details.imported_from, &details.lineage), (&None, &imported.record.head.id));
    let history = keys.history(&rotated.successor.record.head.id).await.unwrap();
    assert_eq!(history[0].action, Action::Issued);
    fixture.clock.advance(HOUR);
    assert_eq!(verdict_on(&keys, FOREIGN).await, "expired");
}

async fn a_draft_says_whether_its_key_is_issued_or_imported(fixture: Fixture) {
    let keys = service(&fixture, declared(Environment::LIVE)).await;
    let issued = keys.issue(described()).await.map(|_| ());
    assert!(matches!(issued, Err(KeysError::Prepare(PrepareError::WrongOrigin))), "{issued:?}");
    let imported = keys.import(named("own"), KeyDigest::of(FOREIGN), DisplayPrefix::new("sk_4eC3").unwrap()).await;
    let imported = imported.map(|_| ());
    assert!(matches!(imported, Err(KeysError::Prepare(PrepareError::WrongOrigin))), "{imported:?}");
    assert_eq!(keys.of(&acme()).list(10, None).await.unwrap().keys, []);
}
