//! The last instant is written as the finite one that it is: other drivers take `infinity` for the year 2000.

use keyward::key::RefusalReason;
use keyward::store::StoreError;
use keyward::{Keys, Timestamp};

use super::{HOUR, OWNER, Rows, get, read, set};
use crate::support::{Fixture, over_schemas};

over_schemas![
    every_database of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    a_key_that_expires_at_the_last_instant_is_written_finite_and_rotated,
];

/// The last instant in which all of Go's, JavaScript's and Python's drivers have a date.
const LAST: &str = "9999-12-31 23:59:59.999999";

async fn a_key_that_expires_at_the_last_instant_is_written_finite_and_rotated<S: Rows>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let mut draft = S::draft(OWNER);
    draft.expires_at = Some(Timestamp::MAX);
    let issued = fixture.keys.issue(draft).await.unwrap();
    let id = &issued.record.head.id;
    assert_eq!(get(&fixture, id).await.head.expires_at, Some(Timestamp::MAX));
    assert_eq!(read(&fixture, id, "expires_at").await.as_deref(), Some(LAST));

    // What an older version or a person wrote is read as the last instant, and a rotation recognises it.
    let later: &[&str] = if fixture.database().is_postgres() { &["infinity", "20000-01-01"] } else { &[] };
    for written in [LAST].iter().chain(later) {
        let mut draft = S::draft(OWNER);
        draft.expires_at = Some(Timestamp::MAX);
        let issued = fixture.keys.issue(draft).await.unwrap();
        let id = &issued.record.head.id;
        set(&fixture, id, &format!("expires_at = '{written}'")).await;
        let seen = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert_eq!(seen.head().expires_at, Some(Timestamp::MAX), "{written}");
        let [first, second] = [(); 2].map(|()| prepare(&fixture.keys, &seen));
        let successor = fixture.store().rotate(first.rotation()).await.unwrap();
        assert_eq!(read(&fixture, &successor.head.id, "expires_at").await.as_deref(), Some(LAST), "{written}");
        let lost = fixture.store().rotate(second.rotation()).await;
        assert!(matches!(lost, Err(StoreError::Conflict)), "{written}: {lost:?}");
    }
    fixture.clock.advance(HOUR);
    let rotated = fixture.keys.rotate(id, HOUR, None).await.unwrap();
    assert_eq!(rotated.successor.record.head.expires_at, Some(Timestamp::MAX));
    fixture.clock.set(Timestamp::MAX);
    let refusal = fixture.keys.verify(rotated.successor.secret.expose_secret()).await.unwrap_err();
    assert_eq!(refusal.reason(), RefusalReason::Expired, "a key dies at its expiry, the last one too");
}

fn prepare<S: Rows>(keys: &Keys<S>, seen: &keyward::key::Authenticated<S>) -> keyward::key::PreparedRotation<S> {
    keys.prepare_rotation((**seen.record()).clone(), HOUR, None).unwrap()
}
