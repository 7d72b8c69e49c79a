//! Two rows with one digest, in tables that allow it: whoever revokes one learns that the other is alive.

use keyward::key::KeyId;

use super::{Table, issue, table};
use crate::support::{Fixture, TestSchema, over_schemas};

over_schemas![
    every_database of [scraper::Scraper, mesh::Mesh, aggregator::Aggregator]:
    whoever_revokes_one_of_several_rows_with_a_digest_learns_of_the_live_ones,
];

async fn whoever_revokes_one_of_several_rows_with_a_digest_learns_of_the_live_ones<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["did:plc:a", "did:plc:b", "did:plc:c", "did:plc:d"]).await;
    let ids: Vec<&KeyId> = issued.iter().map(|key| &key.record.head.id).collect();
    let table = table(&fixture);
    table.loosen(fixture.database()).await;
    let Table { name, id, prefix, digest, .. } = &table;
    let copy = format!(
        "UPDATE {name} SET
             {digest} = (SELECT {digest} FROM {name} WHERE {id} = '{first}'),
             {prefix} = (SELECT {prefix} FROM {name} WHERE {id} = '{first}')
         WHERE {id} <> '{other}'",
        first = ids[0],
        other = ids[3],
    );
    fixture.database().run(&copy).await;

    let mut expected = vec![ids[1].clone(), ids[2].clone()];
    expected.sort();
    let mut found = fixture.keys.revoke(ids[0], None).await.unwrap().twins;
    found.sort();
    assert_eq!(found, expected, "of any owner");
    assert_eq!(fixture.keys.revoke(ids[1], None).await.unwrap().twins, [ids[2].clone()]);
    let last = fixture.keys.revoke(ids[2], None).await.unwrap();
    assert_eq!((last.already, &last.twins[..]), (false, &[][..]));
    assert_eq!(fixture.keys.revoke(ids[3], None).await.unwrap().twins, []);
}
