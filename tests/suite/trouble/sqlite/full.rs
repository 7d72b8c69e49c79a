//! A full disk: a change that does not fit is an error and leaves nothing behind, and verification goes on.

use keyward::Sqlite;
use keyward::key::OwnerId;
use keyward::store::KeyFilter;
use rusqlite::Connection;

use super::{OWNER, over, path};
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![every_sqlite_file: what_does_not_fit_is_not_half_there];

/// SQLite is told that there is no room for another page, which it takes as it takes a disk that is full.
async fn what_does_not_fit_is_not_half_there<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let first = fixture.issue(OWNER).await;
    let connection = Connection::open(path(&fixture)).unwrap();
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    let keys = over(&fixture, Sqlite::from_connection(connection).unwrap()).await;

    let mut kept = vec![first];
    let (owner, error) = loop {
        let number = kept.len();
        assert!(number < 10_000, "there is room without end");
        let owner = format!("did:example:{number}");
        fixture.add_owner(&owner).await;
        match keys.issue(S::draft(&owner)).await {
            Ok(issued) => kept.push(issued),
            Err(error) => break (owner, error),
        }
    };
    assert!(error.is_outage(), "{error:?}");
    assert!(format!("{error:?}").contains("full"), "{error:?}");
    let owner = OwnerId::new(owner).unwrap();
    let found = keys.list(KeyFilter::new().of(owner), 5, None).await.unwrap().keys;
    assert!(found.is_empty(), "a key that was not issued is there: {found:?}");
    for issued in &kept {
        keys.verify(issued.secret.expose_secret()).await.unwrap();
    }
}
