//! Columns of a host's that do not tell letters apart: a revocation and a use reach exactly the key that is named.

use super::{owner, refusal, table, used};
use crate::support::{Fixture, TestSchema, over_schemas};

over_schemas![every_database of [mesh::Mesh, aggregator::Aggregator]: changes_reach_exactly_the_key_that_is_named];

async fn changes_reach_exactly_the_key_that_is_named<S: TestSchema>(fixture: Fixture<S>) {
    let table = table(&fixture);
    let owners = ["did:plc:Acme", "did:plc:acme"];
    let mut issued = super::issue(&fixture, &owners).await;
    table.loosen(fixture.database()).await;
    let (name, id, of) = (&table.name, table.id, table.owner);
    let columns = if id == of { vec![id] } else { vec![id, of] };
    if fixture.database().is_postgres() {
        let collation = "CREATE COLLATION letters (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
        fixture.database().run(collation).await;
        for column in &columns {
            fixture
                .database()
                .run(&format!("ALTER TABLE {name} ALTER COLUMN {column} TYPE text COLLATE letters"))
                .await;
        }
    } else {
        let columns = format!(
            "SELECT group_concat(name || ' ' || type || iif(name IN ('{id}', '{of}'), ' COLLATE NOCASE', ''), ', ')
             FROM pragma_table_info('{name}')"
        );
        let columns = fixture.database().text(&columns).await.unwrap();
        let rebuild = format!(
            "CREATE TABLE letters ({columns}); INSERT INTO letters SELECT * FROM {name};
             DROP TABLE {name}; ALTER TABLE letters RENAME TO {name}"
        );
        fixture.database().run(&rebuild).await;
    }
    if id != of {
        // The two identities differ in case alone, too.
        for (key, renamed) in issued.iter_mut().zip(["Key-One", "key-one"]) {
            let old = std::mem::replace(&mut key.record.head.id, renamed.parse().unwrap());
            fixture.database().run(&format!("UPDATE {name} SET {id} = '{renamed}' WHERE {id} = '{old}'")).await;
        }
    }
    let [one, other] = &issued[..] else { panic!("two keys") };

    let mut mistaken = used(&fixture, one);
    mistaken.id = other.record.head.id.clone();
    assert_eq!(fixture.store().touch(&[mistaken]).await.unwrap().written, 0);
    assert_eq!(fixture.store().touch(&[used(&fixture, one)]).await.unwrap().written, 1);
    assert!(!fixture.keys.revoke(&one.record.head.id, None).await.unwrap().already);
    assert_eq!(refusal(&fixture.keys, other).await, None);
    assert_eq!(fixture.keys.revoke_all(&owner(owners[0]), None).await.unwrap().count, 0);
    assert_eq!(refusal(&fixture.keys, other).await, None);
    assert_eq!(fixture.keys.revoke_all(&owner(owners[1]), None).await.unwrap().count, 1);
    assert!(refusal(&fixture.keys, other).await.is_some());
}
