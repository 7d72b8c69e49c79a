//! Another process writes for a long time: reads go on, and a change has an end to its waiting.

use std::time::{Duration, Instant};

use super::{OWNER, over, path};
use crate::support::concurrency::{RACERS, race};
use crate::support::sqlite::{self, Database};
use crate::support::{Fixture, TestSchema, over_every_schema};
use keyward::{KeysError, Sqlite};

over_every_schema![every_sqlite_file: reads_go_on_and_changes_give_up_while_another_process_writes];

async fn reads_go_on_and_changes_give_up_while_another_process_writes<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    let presented = issued.secret.expose_secret().to_owned();
    let id = issued.record.head.id;
    let limit = Duration::from_secs(1);

    for journal in ["WAL", "DELETE"] {
        // Nobody has the copy open, so that its journal can be chosen.
        let copy = Database::new();
        sqlite::copy(path(&fixture), copy.path());
        let other = copy.connection();
        let mode: String = other.pragma_update_and_check(None, "journal_mode", journal, |row| row.get(0)).unwrap();
        assert_eq!(mode.to_uppercase(), journal);
        let sqlite = Sqlite::open_existing(copy.path()).unwrap().lock_timeout(limit);
        let keys = over(&fixture, sqlite).await;
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let start = now();
        let racers = (0..RACERS).map(|_| {
            let (keys, id) = (keys.clone(), id.clone());
            move || async move { keys.revoke(&id, None).await }
        });
        let revoking = race(racers);
        let reading = async {
            for _ in 0..1_000 {
                keys.verify(&presented).await.unwrap();
            }
        };
        let (outcomes, ()) = tokio::join!(revoking, reading);
        for outcome in outcomes {
            let Err(KeysError::Store(error)) = outcome else { panic!("{outcome:?}") };
            assert!(error.is_outage(), "{error:?}");
        }
        assert!(start.elapsed() < Duration::from_secs(10), "they waited one after the other: {:?}", start.elapsed());

        other.execute_batch("COMMIT").unwrap();
        keys.verify(&presented).await.expect("what was reported as an outage was not done");
        assert!(!keys.revoke(&id, None).await.unwrap().already);
        assert!(keys.verify(&presented).await.is_err());
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
fn now() -> Instant {
    Instant::now()
}
