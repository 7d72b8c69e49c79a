//! A call that is given up has happened as a whole or not at all.

use keyward::store::StoreError;

use super::{ACME, HOUR, issue, key_by_id, verify_head};
use crate::support::concurrency::{Abandon, abandon};
use crate::support::{Fixture, TestSchema, over_schemas};

over_schemas![
    everywhere of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    an_abandoned_rotation_has_happened_as_a_whole_or_not_at_all,
];

/// A rotation is given up at every point where it waits, until it is no longer given up at all.
async fn an_abandoned_rotation_has_happened_as_a_whole_or_not_at_all<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(ACME).await;
    let other_process = fixture.another_process().await;
    let (mut never_abandoned, mut polls) = (false, 0);
    while !never_abandoned {
        polls += 1;
        assert!(polls < 1_000, "the rotation never ends");
        for when in Abandon::at(polls) {
            let old = issue(&fixture.keys, None).await;
            let id = &old.record().head.id;
            let prepared = fixture.keys.prepare_rotation(old.record().clone(), HOUR, None).unwrap();
            let outcome = abandon(fixture.keys.store().rotate(prepared.rotation()), when).await;
            never_abandoned = matches!(outcome, Some(Ok(_)));
            // The owner's changes happen one after the other: behind this one, nothing of the abandoned call is left.
            issue(&fixture.keys, None).await;

            let successor = other_process.get(&prepared.rotation().successor.head.id).await.unwrap();
            let is_retired = key_by_id(&other_process, id).await.head.expires_at.is_some();
            assert_eq!(successor.is_some(), is_retired, "half of a rotation, abandoned {when:?}");
            assert!(verify_head(&other_process, &old.record().head).await.is_ok(), "{when:?}");
            let again = other_process.store().rotate(prepared.rotation()).await;
            match again {
                Ok(_) => assert!(!is_retired, "it happened twice, abandoned {when:?}"),
                Err(StoreError::Conflict) => assert!(is_retired, "something is left of it, abandoned {when:?}"),
                Err(error) => panic!("abandoned {when:?}: {error:?}"),
            }
        }
    }
}
