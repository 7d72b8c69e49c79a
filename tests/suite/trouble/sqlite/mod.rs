//! Trouble with SQLite files.

mod files;
mod full;
mod letters;
#[cfg(feature = "cli")]
mod processes;
mod waiting;

use std::path::Path;
use std::sync::Arc;

use keyward::{Keys, SqlKeyStore, Sqlite};

use crate::support::{Fixture, TestSchema, keys};

const OWNER: &str = "did:example:acme";

/// Keys over another handle on a fixture's file.
async fn over<S: TestSchema>(fixture: &Fixture<S>, sqlite: Sqlite) -> Keys<S> {
    let store = SqlKeyStore::open(sqlite, S::schema()).await.unwrap();
    keys(Arc::new(store), &fixture.clock, 77)
}

fn path<S: TestSchema>(fixture: &Fixture<S>) -> &Path {
    fixture.database().as_sqlite().path()
}
