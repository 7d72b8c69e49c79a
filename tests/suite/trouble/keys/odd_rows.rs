//! Rows that no key of keyward's could have, in a host's table without rules: they keep no other key alive.

use keyward::key::RefusalReason;
use keyward::schemas::standard::Standard;

use super::{Table, issue, owner, refusal, table};
use crate::support::{Fixture, TestSchema, over, over_schemas};

over_schemas![
    every_database of [scraper::Scraper, mesh::Mesh]:
    odd_rows_keep_no_key_of_their_owner_alive,
    a_row_that_stands_there_twice_is_revoked_twice,
    an_odd_row_is_revoked_by_its_identity,
];
over_schemas![every_database of [aggregator::Aggregator]: a_digest_of_any_length_is_revoked];
over![every_engine of Standard: a_version_that_cannot_be_counted_up_keeps_no_key_alive];

/// Longer than the index of a side table holds, and with nothing in it that could be compressed.
fn long<S: TestSchema>(fixture: &Fixture<S>) -> &str {
    fixture.database().dialect(
        "(SELECT string_agg(md5(number::text), '') FROM generate_series(1, 400) number)",
        "hex(randomblob(6400))",
    )
}

async fn odd_rows_keep_no_key_of_their_owner_alive<S: TestSchema>(fixture: Fixture<S>) {
    let long = long(&fixture).to_owned();
    let Table { name, id, digest, .. } = table(&fixture);
    let odd = [(id, "NULL"), (digest, "NULL"), (digest, "''"), (digest, &*long)];
    let only_on_sqlite = [(id, "x'00ff'"), (digest, "x'00ff'"), (id, "CAST(x'ff' AS TEXT)")];
    let odd: Vec<_> =
        if fixture.database().is_postgres() { odd.into() } else { odd.into_iter().chain(only_on_sqlite).collect() };
    let mut owners = vec!["acme"; odd.len() + 2];
    owners.push("other");
    let issued = issue(&fixture, &owners).await;
    table(&fixture).loosen(fixture.database()).await;
    for ((column, value), key) in odd.iter().zip(&issued) {
        let set = format!("UPDATE {name} SET {column} = {value} WHERE {id} = '{}'", key.record.head.id);
        fixture.database().run(&set).await;
    }

    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!((revoked.count, &revoked.remaining[..]), (odd.len() as u64 + 2, &[][..]));
    assert_eq!(table(&fixture).live(fixture.database(), "acme").await, "0");
    let [.., first, second, other] = &issued[..] else { panic!("three good keys") };
    for key in [first, second] {
        assert!(refusal(&fixture.keys, key).await.is_some());
    }
    assert_eq!(refusal(&fixture.keys, other).await, None);
    assert_eq!(fixture.keys.revoke_all(&owner("acme"), None).await.unwrap().count, 0);
}

async fn a_row_that_stands_there_twice_is_revoked_twice<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme", "acme"]).await;
    let table = table(&fixture);
    table.loosen(fixture.database()).await;
    let name = &table.name;
    fixture.database().run(&format!("INSERT INTO {name} SELECT * FROM {name}")).await;
    let id = &issued[0].record.head.id;
    assert!(!fixture.keys.revoke(id, None).await.unwrap().already);
    assert_eq!(table.live(fixture.database(), "acme").await, "2");
    assert_eq!(fixture.keys.revoke_all(&owner("acme"), None).await.unwrap().remaining, []);
    assert_eq!(table.live(fixture.database(), "acme").await, "0");
}

async fn an_odd_row_is_revoked_by_its_identity<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme", "acme"]).await;
    let table = table(&fixture);
    table.loosen(fixture.database()).await;
    let Table { name, id, digest, .. } = &table;
    for (value, key) in ["NULL", long(&fixture)].iter().zip(&issued) {
        let key = &key.record.head.id;
        fixture.database().run(&format!("UPDATE {name} SET {digest} = {value} WHERE {id} = '{key}'")).await;
        assert!(!fixture.keys.revoke(key, None).await.unwrap().already, "{digest} = {value}");
        assert!(fixture.keys.revoke(key, None).await.unwrap().already);
    }
    assert_eq!(table.live(fixture.database(), "acme").await, "0");
}

async fn a_digest_of_any_length_is_revoked<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["did:plc:a", "did:plc:b"]).await;
    let table = table(&fixture);
    table.loosen(fixture.database()).await;
    let Table { name, digest, .. } = &table;
    let update = format!("UPDATE {name} SET {digest} = {}", long(&fixture));
    fixture.database().run(&update).await;
    assert!(!fixture.keys.revoke(&issued[0].record.head.id, None).await.unwrap().already);
    assert_eq!(fixture.keys.revoke_all(&owner("did:plc:b"), None).await.unwrap().count, 1);
    for owner in ["did:plc:a", "did:plc:b"] {
        assert_eq!(table.live(fixture.database(), owner).await, "0");
    }
}

async fn a_version_that_cannot_be_counted_up_keeps_no_key_alive(fixture: Fixture<Standard>) {
    let issued = issue(&fixture, &["acme", "acme", "acme"]).await;
    let name = table(&fixture).name;
    let update =
        |key: usize| format!("UPDATE {name} SET version = {} WHERE id = '{}'", i64::MAX, issued[key].record.head.id);
    for key in [0, 1] {
        fixture.database().run(&update(key)).await;
    }
    assert!(!fixture.keys.revoke(&issued[0].record.head.id, None).await.unwrap().already);
    assert_eq!(fixture.keys.revoke_all(&owner("acme"), None).await.unwrap().count, 2);
    for key in &issued {
        assert_eq!(refusal(&fixture.keys, key).await, Some(RefusalReason::Revoked));
        let history = fixture.keys.history(&key.record.head.id).await.unwrap();
        assert_eq!(history.last().unwrap().action, keyward::key::Action::Revoked);
    }
}
