//! Identities are compared letter by letter, also where the host's columns do not: `Key-One` never reaches `key-one`.

use std::time::Duration;

use keyward::KeysError;
use keyward::key::{KeyId, OwnerId, Status};
use keyward::store::{KeyFilter, KeyUse, ListRequest};
use rusqlite::Connection;

use super::{OWNER, path};
use crate::support::{Fixture, START, TestSchema, over_every_schema};

over_every_schema![every_sqlite_file:
    no_verb_reaches_a_key_whose_letters_are_others,
    no_verb_reaches_it_where_the_hosts_columns_ignore_case,
];

async fn no_verb_reaches_it_where_the_hosts_columns_ignore_case<S: TestSchema>(fixture: Fixture<S>) {
    ignore_case(&Connection::open(path(&fixture)).unwrap());
    no_verb_reaches_a_key_whose_letters_are_others(fixture.reopen().await).await;
}

/// Makes the host's tables, which are still empty, anew with `COLLATE NOCASE` on every text.
fn ignore_case(connection: &Connection) {
    let mut statement = connection
        .prepare(
            "SELECT type, name, sql FROM sqlite_schema
             WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'keyward_%' ORDER BY type = 'index'",
        )
        .unwrap();
    let made = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let made: Vec<(String, String, String)> = made.map(Result::unwrap).collect();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    let text = regex::Regex::new(r"\b(TEXT|VARCHAR\(\d+\))").unwrap();
    for (_, name, _) in made.iter().filter(|(kind, ..)| kind == "table") {
        connection.execute_batch(&format!("DROP TABLE \"{name}\"")).unwrap();
    }
    for (_, _, sql) in &made {
        connection.execute_batch(&text.replace_all(sql, "$1 COLLATE NOCASE")).unwrap();
    }
}

/// The same word in the other case.
fn swapped(word: &str) -> String {
    let swap = |letter: char| {
        if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
    };
    word.chars().map(swap).collect()
}

async fn no_verb_reaches_a_key_whose_letters_are_others<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let keys = &fixture.keys;
    let issued = fixture.issue(OWNER).await;
    let head = &issued.record.head;
    let stranger = OwnerId::new(swapped(head.owner.as_str())).unwrap();
    // An identity of digits alone has no other case.
    let id = KeyId::new(swapped(head.id.as_str())).unwrap();
    assert_ne!((id.as_str(), stranger.as_str()), (head.id.as_str(), head.owner.as_str()));

    assert_eq!(keys.get(&id).await.unwrap(), None, "get");
    let revoked = keys.revoke(&id, None).await;
    assert!(matches!(revoked, Err(KeysError::NotFound)), "revoke: {revoked:?}");
    let revoked = keys.of(&stranger).revoke(&head.id, None).await;
    assert!(matches!(revoked, Err(KeysError::NotFound)), "revoke, as another owner: {revoked:?}");
    let revoked = keys.revoke_all(&stranger, None).await.unwrap();
    assert_eq!(revoked.count, 0, "revoke_all");
    let rotated = keys.rotate(&id, Duration::ZERO, None).await;
    assert!(matches!(rotated, Err(KeysError::NotFound)), "rotate: {rotated:?}");
    let used = KeyUse::new(id.clone(), head.digest.unwrap(), START);
    keys.store().touch(&[used]).await.unwrap();
    assert_eq!(keys.get(&head.id).await.unwrap().unwrap().head.last_used_at, None, "touch");
    let behind = ListRequest::new(KeyFilter::new().of(head.owner.clone()), 5, START).after(Some(id.clone()));
    let page = keys.store().list(&behind).await;
    assert!(page.is_err(), "a cursor: {page:?}");
    let found = keys.list(KeyFilter::new().of(stranger.clone()), 5, None).await.unwrap().keys;
    assert!(found.is_empty(), "list, as another owner: {found:?}");
    for start in [id.as_str(), &swapped(head.prefix.as_str())] {
        let resolved = keys.resolve(&head.owner, start).await;
        assert!(resolved.is_err(), "starting_with: {resolved:?}");
    }
    assert!(!keys.store().owner_exists(&stranger).await.unwrap() || S::owner("any", false).is_empty(), "owner_exists");

    let accepted = keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(accepted.record().head.status, Status::Active, "none of this has reached the key");
}
