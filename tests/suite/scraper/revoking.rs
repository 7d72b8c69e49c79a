//! With the side tables, a revocation has a time and a reason and is final, whatever becomes of the service's own flag.

use keyward::key::{Reason, RefusalReason, Revocation, Revoked, Status};
use keyward::schemas::scraper::Scraper;

use super::{Fixture, HOUR, OTHER_KEY, OTHER_KEY_HASH, accepted, acme, draft, get, only_key, refused, write_row};
use crate::support::{START, over};

const SET_FLAGS: &str = "UPDATE api_keys SET is_active = true";

over![every_engine of Scraper:
    a_revocation_has_a_time_and_a_reason,
    a_revoked_key_stays_revoked_when_somebody_sets_its_flag_again,
    keys_that_were_revoked_together_stay_revoked_when_somebody_sets_their_flags_again,
    revoking_a_key_whose_flag_was_cleared_is_final_too,
    a_revocation_does_not_reach_a_key_that_took_the_same_identity_later,
];

async fn a_revocation_has_a_time_and_a_reason(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let id = accepted(&fixture.keys).await.head.id;
    let reason = Reason::new("seen in a public repository").unwrap();
    let first = Revocation::new(Some(START), Some(reason.clone()));
    let revoked = fixture.keys.revoke(&id, Some(reason)).await.unwrap();
    assert_eq!(revoked, Revoked::now(id.clone(), first.clone()));
    fixture.clock.advance(HOUR);
    let again = fixture.keys.revoke(&id, Some(Reason::new("again").unwrap())).await.unwrap();
    assert_eq!(again, Revoked::before(id, first));
    let table = fixture.database().own_table("revocations");
    let row = format!("SELECT schema || ' ' || CAST(revoked_at AS text) || ' ' || reason FROM {table}");
    let row = fixture.database().text(&row).await;
    assert_eq!(row.as_deref(), Some("scraper 2030-01-01 00:00:00.123456 seen in a public repository"));
}

async fn a_revoked_key_stays_revoked_when_somebody_sets_its_flag_again(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let id = accepted(&fixture.keys).await.head.id;
    fixture.keys.revoke(&id, None).await.unwrap();
    fixture.database().run(SET_FLAGS).await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Revoked);
    assert!(matches!(only_key(&fixture.keys).await.head.status, Status::Revoked(_)));
    assert!(matches!(get(&fixture.keys, &id).await.head.status, Status::Revoked(_)));
    fixture.keys.rotate(&id, HOUR, None).await.unwrap_err();
    let again = fixture.keys.revoke(&id, None).await.unwrap();
    assert!(again.already, "it was revoked all the time: {again:?}");
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Revoked);
}

async fn keys_that_were_revoked_together_stay_revoked_when_somebody_sets_their_flags_again(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let issued = fixture.keys.issue(draft()).await.unwrap();
    assert_eq!(fixture.keys.revoke_all(&acme(), None).await.unwrap().count, 2);
    fixture.database().run(SET_FLAGS).await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Revoked);
    let other = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    assert_eq!(other.reason(), RefusalReason::Revoked);
    assert_eq!(fixture.keys.revoke_all(&acme(), None).await.unwrap().count, 0, "they were revoked all the time");
}

/// Who revokes a key means that it never comes back, also where somebody has cleared its flag before.
async fn revoking_a_key_whose_flag_was_cleared_is_final_too(fixture: Fixture) {
    write_row(&fixture, ", is_active", ", false").await;
    let id = only_key(&fixture.keys).await.head.id;
    let revoked = fixture.keys.revoke(&id, None).await.unwrap();
    assert!(!revoked.already, "a cleared flag is no revocation: {revoked:?}");
    fixture.database().run(SET_FLAGS).await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Revoked, "revoke said {revoked:?}");
}

async fn a_revocation_does_not_reach_a_key_that_took_the_same_identity_later(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let id = accepted(&fixture.keys).await.head.id;
    fixture.keys.revoke(&id, None).await.unwrap();
    let renewed = format!("UPDATE api_keys SET key_hash = '{OTHER_KEY_HASH}', is_active = true");
    fixture.database().run(&renewed).await;
    assert_eq!(fixture.keys.verify(OTHER_KEY).await.unwrap().head().id, id);
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Unknown);
}
