//! A trigger of the host's keeps a row as it was: no revocation is reported that the row does not have.

use keyward::KeysError;
use keyward::key::{Issued, RefusalReason};
use keyward::store::StoreError;

use super::{Table, issue, owner, refusal, table};
use crate::support::{Fixture, TestSchema, over_every_schema, over_schemas};

over_every_schema![every_database:
    a_suppressed_revocation_is_an_error,
    a_revocation_that_is_undone_at_once_is_an_error,
];
over_schemas![
    every_database of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    a_suppressed_row_is_named_and_the_others_are_revoked,
];

const OWNER: &str = "did:plc:acme";

async fn a_suppressed_revocation_is_an_error<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &[OWNER]).await.remove(0);
    let table = table(&fixture);
    let any = format!("{} IS NOT NULL", table.id);
    table.before_update(fixture.database(), &any, "RETURN NULL;", "SELECT RAISE(IGNORE)").await;
    assert_not_reported(&fixture, &table, &issued).await;
}

async fn a_revocation_that_is_undone_at_once_is_an_error<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &[OWNER]).await.remove(0);
    let table = table(&fixture);
    let Table { name, id, revive, .. } = &table;
    let on_postgres = format!(
        "CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
         CREATE TRIGGER undo BEFORE UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION undo();"
    );
    let on_sqlite = format!(
        "CREATE TRIGGER undo AFTER UPDATE ON {name} BEGIN UPDATE {name} SET {revive} WHERE {id} = NEW.{id}; END"
    );
    fixture.database().run(fixture.database().dialect(&on_postgres, &on_sqlite)).await;
    assert_not_reported(&fixture, &table, &issued).await;
}

/// What keyward itself has noted stays, so that at least keyward refuses the key.
async fn assert_not_reported<S: TestSchema>(fixture: &Fixture<S>, table: &Table, issued: &Issued<S>) {
    let refused = fixture.keys.revoke(&issued.record.head.id, None).await.unwrap_err();
    assert!(matches!(refused, KeysError::Store(StoreError::Suppressed { .. })), "{refused:?}");
    assert_eq!(table.live(fixture.database(), OWNER).await, "1");
    let is_noted = S::NAME != "standard" && fixture.store().abilities().revocation_reason;
    assert_eq!(refusal(&fixture.keys, issued).await, is_noted.then_some(RefusalReason::Revoked));
    let all = fixture.keys.revoke_all(&owner(OWNER), None).await.unwrap();
    assert_eq!(all.remaining, std::slice::from_ref(&issued.record.head.id));
}

async fn a_suppressed_row_is_named_and_the_others_are_revoked<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme", "acme", "acme"]).await;
    let table = table(&fixture);
    let kept = &issued[1].record.head.id;
    let condition = format!("{} = '{kept}'", table.id);
    table.before_update(fixture.database(), &condition, "RETURN NULL;", "SELECT RAISE(IGNORE)").await;
    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!(revoked.remaining, std::slice::from_ref(kept));
    assert_eq!(table.live(fixture.database(), "acme").await, "1");
    for key in [&issued[0], &issued[2]] {
        assert!(refusal(&fixture.keys, key).await.is_some());
    }
}
