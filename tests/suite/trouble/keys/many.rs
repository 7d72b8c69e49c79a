//! Many keys of one owner: whatever keeps one of them, the others are revoked at once, and what is left is named.

use keyward::key::KeyId;

use super::{Table, issue, owner, refusal, table};
use crate::support::{Database, Fixture, TestSchema, over_schemas};

over_schemas![
    every_database of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    five_thousand_keys_of_an_owner_are_revoked_in_one_call,
    a_row_that_raises_among_many_is_the_only_one_left,
];
over_schemas![
    every_database of [scraper::Scraper, mesh::Mesh]:
    rows_without_an_identity_keep_no_other_key_from_its_turn,
];
impl Table {
    /// Adds copies of the one key there is, with identities and digests of their own.
    pub(super) async fn multiply(&self, database: &Database, copies: u32) {
        let Self { name, id, digest, .. } = self;
        let is_own = name.ends_with("keys") && name.contains("keyward");
        let (new_id, new_digest) = match (database.is_postgres(), is_own) {
            (true, true) => ("gen_random_uuid()::text", "sha256(random()::text::bytea)"),
            (true, false) if self.name == "api_keys" => {
                ("gen_random_uuid()", "encode(sha256(random()::text::bytea), 'hex')")
            }
            (true, false) => ("gen_random_uuid()::text", "encode(sha256(random()::text::bytea), 'hex')"),
            (false, true) => ("lower(hex(randomblob(16)))", "randomblob(32)"),
            (false, false) => ("lower(hex(randomblob(16)))", "lower(hex(randomblob(32)))"),
        };
        let numbers = format!(
            "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {copies})"
        );
        database
            .run(&format!(
                "CREATE TABLE copies AS {numbers} SELECT {name}.* FROM {name}, numbers;
                 UPDATE copies SET {id} = {new_id}, {digest} = {new_digest};
                 INSERT INTO {name} SELECT * FROM copies;
                 DROP TABLE copies"
            ))
            .await;
    }

    /// The identity that stands at this place, from 0, among those of the owner.
    pub(super) async fn id_at(&self, database: &Database, place: u32) -> String {
        let Self { name, id, .. } = self;
        let text = database.dialect("::text", "");
        database.text(&format!("SELECT {id}{text} FROM {name} ORDER BY {id} LIMIT 1 OFFSET {place}")).await.unwrap()
    }
}

async fn five_thousand_keys_of_an_owner_are_revoked_in_one_call<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme"]).await.remove(0);
    table(&fixture).multiply(fixture.database(), 4_999).await;
    issue(&fixture, &["other"]).await;
    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!((revoked.count, &revoked.remaining[..]), (5_000, &[][..]));
    assert_eq!(table(&fixture).live(fixture.database(), "acme").await, "0");
    assert_eq!(table(&fixture).live(fixture.database(), "other").await, "1");
    assert!(refusal(&fixture.keys, &issued).await.is_some());
    assert_eq!(fixture.keys.revoke_all(&owner("acme"), None).await.unwrap().count, 0);
}

async fn a_row_that_raises_among_many_is_the_only_one_left<S: TestSchema>(fixture: Fixture<S>) {
    issue(&fixture, &["acme"]).await;
    let table = table(&fixture);
    table.multiply(fixture.database(), 1_200).await;
    let raising = table.id_at(fixture.database(), 700).await;
    let condition = format!("{} = '{raising}'", table.id);
    let (postgres, sqlite) = ("RAISE EXCEPTION 'not this one';", "SELECT RAISE(ABORT, 'not this one')");
    table.before_update(fixture.database(), &condition, postgres, sqlite).await;
    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!((revoked.count, &revoked.remaining[..]), (1_200, &[KeyId::from_stored(raising)][..]));
    assert_eq!(table.live(fixture.database(), "acme").await, "1");
}

/// One row raises, so that the others are revoked by their identities, of which there are more than a page.
async fn rows_without_an_identity_keep_no_other_key_from_its_turn<S: TestSchema>(fixture: Fixture<S>) {
    issue(&fixture, &["acme"]).await;
    let table = table(&fixture);
    table.loosen(fixture.database()).await;
    let Table { name, id, digest, .. } = &table;
    table.multiply(fixture.database(), 150).await;
    fixture.database().run(&format!("UPDATE {name} SET {id} = NULL")).await;
    // Each stands before the word by which a row without identity is named.
    fixture.database().run(&format!("CREATE TABLE named AS SELECT * FROM {name} LIMIT 1")).await;
    for number in 1..=121 {
        let new = format!("{id} = '{number:08x}-0000-0000-0000-000000000000', {digest} = '{number:064x}'");
        fixture.database().run(&format!("UPDATE named SET {new}; INSERT INTO {name} SELECT * FROM named")).await;
    }
    let raising = "00000003-0000-0000-0000-000000000000";
    let (postgres, sqlite) = ("RAISE EXCEPTION 'not this one';", "SELECT RAISE(ABORT, 'not this one')");
    table.before_update(fixture.database(), &format!("{id} = '{raising}'"), postgres, sqlite).await;

    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!((revoked.count, revoked.remaining.len()), (120, 100));
    assert_eq!((revoked.remaining[0].as_str(), revoked.remaining[1].as_str()), (raising, "NULL"));
    assert_eq!(table.live(fixture.database(), "acme").await, "152");
}
