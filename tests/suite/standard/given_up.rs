//! Calls that are given up or come too late: nothing of them stays, and nothing that was taken away comes back.

use std::time::Duration;

use keyward::key::{DisplayPrefix, ForeignFormat, KeyChange, KeyDigest, PrepareError};
use keyward::schemas::standard::{Standard, StandardUpdate};
use keyward::store::StoreError;
use keyward::{Keys, KeysError};

use super::{Fixture, named, service, verdict};
use crate::support::over;

over![every_store of Standard:
    a_change_worked_out_on_a_verified_record_does_not_lengthen_a_grace_period,
    an_import_never_shows_so_much_of_a_key_that_the_rest_can_be_guessed,
];

/// What a verification reads does not name the successor, so that the store has to know of it.
async fn a_change_worked_out_on_a_verified_record_does_not_lengthen_a_grace_period(fixture: Fixture) {
    let keys = &fixture.keys;
    let old = fixture.issue("acme").await;
    keys.rotate(&old.record.head.id, Duration::from_mins(1), None).await.unwrap();
    let seen = keys.verify(old.secret.expose_secret()).await.unwrap();

    let forever = StandardUpdate::new().expires_at(Some(keys.now().saturating_add(Duration::from_hours(9))));
    if let Ok(change) = KeyChange::update(seen.record(), forever, None, keys.now()) {
        let changed = keys.store().change(&change.unwrap()).await;
        assert!(matches!(changed, Err(StoreError::Conflict)), "{changed:?}");
    }
    fixture.clock.advance(Duration::from_mins(1));
    assert_eq!(verdict(keys, &old).await, "expired");
}

async fn an_import_never_shows_so_much_of_a_key_that_the_rest_can_be_guessed(fixture: Fixture) {
    let format = ForeignFormat::new("sk_", 20..=40).unwrap();
    let keys = service(&fixture, Standard::new("acme").unwrap().accepting_foreign(format)).await;
    let import = async |keys: &Keys<Standard>, shown: &str| {
        let draft = named("moved here").imported_from("stripe").unwrap();
        keys.import(draft, KeyDigest::of("sk_0123456789abcdefghij"), DisplayPrefix::new(shown).unwrap()).await
    };
    for shown in ["sk_0123456789abcdefghij", "sk_0123456789", "zz"] {
        let refused = import(&keys, shown).await;
        assert!(matches!(refused, Err(KeysError::Prepare(PrepareError::DisplayPrefix))), "{shown}: {refused:?}");
    }
    assert!(import(&keys, "sk_0123").await.is_ok());
}

/// A change writes the whole row, and would put something else in the place of what it could not read.
#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_key_whose_row_cannot_be_understood_is_revoked_but_not_changed() {
    use keyward::key::{ChangeError, KeyName};

    let fixture = Fixture::sqlite().await;
    let (keys, issued) = (&fixture.keys, fixture.issue("acme").await);
    let id = &issued.record.head.id;
    fixture.database().run("UPDATE keyward_keys SET expires_at = 'soon'").await;

    let renamed = keys.update(id, 1, StandardUpdate::new().rename(KeyName::new("other").unwrap())).await;
    let disabled = keys.disable(id, None).await;
    for changed in [renamed, disabled] {
        assert!(matches!(changed, Err(KeysError::Change(ChangeError::Unusable(_)))), "{changed:?}");
    }
    assert_eq!(verdict(keys, &issued).await, "unusable");
    assert!(keys.revoke(id, None).await.is_ok());
    assert_eq!(verdict(keys, &issued).await, "revoked");
}

/// Its plaintext would be lost, and the old key with it.
#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_given_up_before_its_turn_is_not_made() {
    let fixture = Fixture::sqlite().await;
    let (keys, issued) = (&fixture.keys, fixture.issue("acme").await);
    let host = fixture.database().as_sqlite().connection();
    host.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The writing thread waits for the host with this one; the rotation waits for its turn behind it.
    let waits = keys.issue(named("second"));
    let is_given_up = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let rotation = keys.rotate(&issued.record.head.id, Duration::ZERO, None);
        assert!(tokio::time::timeout(Duration::from_millis(100), rotation).await.is_err());
        host.execute_batch("COMMIT").unwrap();
    };
    let (second, ()) = tokio::join!(waits, is_given_up);
    assert!(second.is_ok());
    assert_eq!(verdict(keys, &issued).await, "accepted");
    assert!(keys.rotate(&issued.record.head.id, Duration::ZERO, None).await.is_ok());
}

/// Whoever took such a connection from the pool next would work inside a transaction that nobody commits.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_anywhere_leaves_no_transaction_in_the_pool() {
    use crate::support::concurrency::{Abandon, abandon};

    let open = "SELECT count(*)::text FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
    let fixture = Fixture::postgres().await;
    for when in (1..12).flat_map(Abandon::at) {
        let _ = abandon(fixture.keys.issue(named("given up")), when).await;
        // Looked at each time, because the next call would end what this one left open. The server learns that a
        // connection was closed a moment later.
        let mut found = String::new();
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            found = fixture.database().text(open).await.unwrap();
            if found == "0" {
                break;
            }
        }
        assert_eq!(found, "0", "a transaction was left open by a call that was given up {when:?}");
    }
    assert!(fixture.keys.issue(named("afterwards")).await.is_ok());
}
