//! Rows at which the database raises an error: they keep no other row from what is done to it.

use std::time::Duration;

use keyward::Clock as _;
use keyward::store::{CLOCK_TOLERANCE, KeyUse};

use super::{issue, owner, refusal, table, used, uses};
use crate::support::{Fixture, TestSchema, over_every_schema, over_schemas};

over_every_schema![every_engine: a_row_that_raises_keeps_no_other_use];
over_every_schema![every_store: a_use_in_an_impossible_future_is_corrected_by_the_next];
over_schemas![
    every_database of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    a_row_that_raises_keeps_no_other_key_of_its_owner_alive,
];

#[cfg(feature = "postgres")]
over_schemas![on_postgres of [scraper::Scraper]: uses_for_which_no_time_is_left_stay_pending];

const RAISE_ON_POSTGRES: &str = "RAISE EXCEPTION 'not this one';";
const RAISE_ON_SQLITE: &str = "SELECT RAISE(ABORT, 'not this one')";

async fn a_row_that_raises_keeps_no_other_use<S: TestSchema>(fixture: Fixture<S>) {
    let owners: Vec<_> = (0..40).map(|number| format!("did:plc:{number}")).collect();
    let added: String = owners.iter().map(|owner| S::owner(owner, fixture.database().is_postgres())).collect();
    fixture.database().run(&added).await;
    let mut issued = Vec::new();
    for owner in &owners {
        issued.push(fixture.issue(owner).await);
    }
    let (name, column) = uses(&fixture);
    let raising = format!("IN ('{}', '{}')", issued[3].record.head.id, issued[29].record.head.id);
    let event = if S::NAME == "standard" { "INSERT" } else { "UPDATE" };
    let on_postgres = format!(
        "CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {RAISE_ON_POSTGRES} END $$;
         CREATE TRIGGER raising BEFORE {event} ON {name} FOR EACH ROW WHEN (NEW.{column} {raising})
             EXECUTE FUNCTION raise();"
    );
    let on_sqlite = format!(
        "CREATE TRIGGER raising BEFORE {event} ON {name} WHEN NEW.{column} {raising} BEGIN {RAISE_ON_SQLITE}; END"
    );
    fixture.database().run(fixture.database().dialect(&on_postgres, &on_sqlite)).await;

    let uses: Vec<_> = issued.iter().map(|key| used(&fixture, key)).collect();
    let mut touched = fixture.store().touch(&uses).await.unwrap();
    touched.refused.sort_by_key(|used| uses.iter().position(|one| one == used));
    assert_eq!((touched.written, &touched.busy[..]), (38, &[][..]));
    assert_eq!(touched.refused, [uses[3].clone(), uses[29].clone()]);

    fixture.clock.advance(Duration::from_mins(1));
    for key in &issued {
        assert_eq!(refusal(&fixture.keys, key).await, None);
    }
    assert_eq!(fixture.keys.flush_last_used().await.unwrap(), 38);
    let metrics = fixture.keys.last_used_metrics();
    assert_eq!((metrics.pending, metrics.refused, metrics.failed_flushes), (0, 2, 0));
}

async fn a_use_in_an_impossible_future_is_corrected_by_the_next<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner("did:plc:acme").await;
    let issued = fixture.issue("did:plc:acme").await;
    let now = fixture.clock.now();
    let head = &issued.record.head;
    let touch = async |at| fixture.store().touch(&[KeyUse::new(head.id.clone(), head.digest.unwrap(), at)]).await;
    let last_used = async || fixture.keys.get(&head.id).await.unwrap().unwrap().head.last_used_at;
    let late = now.saturating_add(CLOCK_TOLERANCE);
    assert_eq!(touch(late).await.unwrap().written, 1);
    assert_eq!(touch(now).await.unwrap().written, 0, "clocks may differ by so much");
    assert_eq!(last_used().await, Some(late));
    let too_late = late.saturating_add(Duration::from_millis(1));
    assert_eq!(touch(too_late).await.unwrap().written, 1);
    assert_eq!(touch(now).await.unwrap().written, 1, "nobody has used it then");
    assert_eq!(last_used().await, Some(now));
}

async fn a_row_that_raises_keeps_no_other_key_of_its_owner_alive<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme", "acme", "acme", "acme", "other"]).await;
    let table = table(&fixture);
    let raising = &issued[1].record.head.id;
    let condition = format!("{} = '{raising}'", table.id);
    table.before_update(fixture.database(), &condition, RAISE_ON_POSTGRES, RAISE_ON_SQLITE).await;

    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!((revoked.count, &revoked.remaining[..]), (3, std::slice::from_ref(raising)));
    for (number, key) in issued.iter().enumerate() {
        assert_eq!(refusal(&fixture.keys, key).await.is_none(), matches!(number, 1 | 4), "key {number}");
    }
    assert_eq!(table.live(fixture.database(), "acme").await, "1");
    fixture.keys.revoke_all(&owner("acme"), None).await.expect_err("nothing could be done");
    fixture.keys.revoke(raising, None).await.expect_err("nor can it be revoked alone");
}

/// A service gives a write up after five seconds, and would not learn what was written before.
#[cfg(feature = "postgres")]
async fn uses_for_which_no_time_is_left_stay_pending<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme"; 16]).await;
    let (name, column) = uses(&fixture);
    let raising = &issued[1].record.head.id;
    fixture
        .database()
        .run(&format!(
            "CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_sleep(1.1); {RAISE_ON_POSTGRES} END $$;
             CREATE TRIGGER raising BEFORE UPDATE ON {name} FOR EACH ROW WHEN (NEW.{column} = '{raising}')
                 EXECUTE FUNCTION raise();"
        ))
        .await;
    let uses: Vec<_> = issued.iter().map(|key| used(&fixture, key)).collect();
    let touched = tokio::time::timeout(Duration::from_secs(5), fixture.store().touch(&uses)).await;
    let touched = touched.expect("it ends in time").unwrap();
    assert!(touched.written > 0 && touched.refused.is_empty(), "{touched:?}");
    assert!(touched.busy.contains(&uses[1]), "{touched:?}");
    assert_eq!(touched.written + touched.busy.len() as u64, 16);
}
