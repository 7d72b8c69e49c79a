//! The files of a database are replaced or removed under a running service.

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward::store::StoreError;
use keyward::{Keys, SqlKeyStore, Sqlite};

use super::{OWNER, over, path};
use crate::support::{Fixture, TestSchema, over_every_schema, sqlite};

over_every_schema![every_sqlite_file:
    a_change_is_not_written_to_a_file_that_was_replaced,
    a_change_is_not_written_to_a_file_that_was_removed,
    a_change_is_not_written_to_a_log_that_was_removed,
    reads_notice_a_file_that_was_replaced,
    a_host_that_still_has_the_old_file_open_is_told,
    a_database_that_was_moved_with_its_link_is_another_one,
];

/// `path` with something behind it.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// A key is in the file, `trouble` happens to the file, and neither a revocation nor a new key is reported that nobody
/// would find there. Opened anew, `expected` says whether the old key still works.
async fn nothing_is_reported_after<S: TestSchema>(fixture: Fixture<S>, trouble: impl Fn(&Path)) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    let id = &issued.record.head.id;
    trouble(path(&fixture));
    let error = fixture.keys.revoke(id, None).await.unwrap_err();
    assert!(error.is_outage(), "{error:?}");
    let cause = std::error::Error::source(&error).map(|error| format!("{error:?}")).unwrap_or_default();
    assert!(format!("{error:?}{cause}").contains("open it again"), "{error:?}");
    let error = fixture.keys.of(&issued.record.head.owner).revoke_all(None).await.unwrap_err();
    assert!(error.is_outage(), "{error:?}");
    let error = fixture.keys.issue(S::draft(OWNER)).await.unwrap_err();
    assert!(error.is_outage(), "{error:?}");
}

async fn a_change_is_not_written_to_a_file_that_was_replaced<S: TestSchema>(fixture: Fixture<S>) {
    nothing_is_reported_after(fixture, |path| {
        let backup = beside(path, ".backup");
        sqlite::copy(path, &backup);
        fs::rename(&backup, path).unwrap();
    })
    .await;
}

async fn a_change_is_not_written_to_a_file_that_was_removed<S: TestSchema>(fixture: Fixture<S>) {
    nothing_is_reported_after(fixture, |path| fs::remove_file(path).unwrap()).await;
}

/// SQLite itself goes on writing to the log that nobody else will read.
async fn a_change_is_not_written_to_a_log_that_was_removed<S: TestSchema>(fixture: Fixture<S>) {
    nothing_is_reported_after(fixture, |path| fs::remove_file(beside(path, "-wal")).unwrap()).await;
}

/// The service was told of the new file, but a connection of the host's own was not.
async fn a_host_that_still_has_the_old_file_open_is_told<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    let mut host = rusqlite::Connection::open(path(&fixture)).unwrap();
    // It opens the log with its first read.
    host.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
    let backup = beside(path(&fixture), ".backup");
    sqlite::copy(path(&fixture), &backup);
    fs::rename(&backup, path(&fixture)).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(path(&fixture), suffix));
    }
    let store = SqlKeyStore::open(Sqlite::open(path(&fixture)).unwrap(), S::schema()).await.unwrap();
    let keys = Keys::builder(store.clone()).shared_clock(fixture.clock.clone()).build();
    let request = keys.revocation(&issued.record.head.id, None);
    let revoke = |host: &mut rusqlite::Connection| {
        let transaction = host.transaction().unwrap();
        let receipt = store.within(&transaction).revoke(&request)?;
        transaction.commit().unwrap();
        Ok::<_, StoreError>(receipt.unwrap())
    };
    let error = revoke(&mut host).unwrap_err();
    assert!(error.is_outage() && format!("{error:?}").contains("open it again"), "{error:?}");
    assert!(
        keys.verify(issued.secret.expose_secret()).await.is_ok(),
        "nothing was revoked, and nothing was said to be"
    );

    let mut host = rusqlite::Connection::open(path(&fixture)).unwrap();
    keys.committed(revoke(&mut host).unwrap());
    assert!(keys.verify(issued.secret.expose_secret()).await.is_err());
}

async fn reads_notice_a_file_that_was_replaced<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    let backup = beside(path(&fixture), ".backup");
    sqlite::copy(path(&fixture), &backup);
    fs::rename(&backup, path(&fixture)).unwrap();
    // The key is revoked in the new file, which the running service does not see.
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(beside(path(&fixture), suffix)).unwrap();
    }
    let successor = over(&fixture, Sqlite::open(path(&fixture)).unwrap()).await;
    successor.revoke(&issued.record.head.id, None).await.unwrap();
    let mut accepted = 0;
    while fixture.keys.verify(issued.secret.expose_secret()).await.is_ok() {
        accepted += 1;
        assert!(accepted < 1_000, "a revoked key is accepted for ever");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refusal = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    assert!(refusal.is_outage(), "{refusal:?}");
}

async fn a_database_that_was_moved_with_its_link_is_another_one<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    let (link, other) = (beside(path(&fixture), ".link"), beside(path(&fixture), ".other"));
    std::os::unix::fs::symlink(path(&fixture), &link).unwrap();
    let keys = over(&fixture, Sqlite::open(&link).unwrap()).await;
    keys.verify(issued.secret.expose_secret()).await.unwrap();
    sqlite::copy(path(&fixture), &other);
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&other, &link).unwrap();
    assert!(keys.revoke(&issued.record.head.id, None).await.unwrap_err().is_outage());
    fixture.keys.revoke(&issued.record.head.id, None).await.expect("the file itself is where it was");
}

/// The connection goes on with the file that it has open, which nobody finds any more.
#[test]
fn a_connection_whose_file_was_replaced_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    let connect = || {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE IF NOT EXISTS things (id INTEGER)").unwrap();
        connection
    };
    let (kept, lost) = (connect(), connect());
    Sqlite::from_connection(kept).unwrap();
    let backup = beside(&path, ".backup");
    fs::copy(&path, &backup).unwrap();
    fs::rename(&backup, &path).unwrap();
    let refused = Sqlite::from_connection(lost).unwrap_err();
    assert!(matches!(&refused, keyward::sql::ConnectError::ReplacedFile { path: named } if named.ends_with("keys.db")));
    Sqlite::from_connection(connect()).unwrap();
    Sqlite::from_connection(rusqlite::Connection::open_in_memory().unwrap()).unwrap();
}

#[test]
fn a_connection_is_taken_while_another_one_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    Sqlite::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    Sqlite::from_connection(rusqlite::Connection::open(&path).unwrap()).unwrap();
    Sqlite::open(&path).unwrap();
}
