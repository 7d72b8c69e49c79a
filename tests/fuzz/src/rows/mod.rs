//! Stored rows with anything in any column, in a real SQLite file whose tables have lost their rules.

pub(crate) mod aggregator;
mod cells;
pub(crate) mod mesh;
pub(crate) mod scraper;
pub(crate) mod standard;

use keyward::key::{Authenticated, Draft, Issued, RateLimit, Scopes};
use keyward::rusqlite::{Connection, Statement, params_from_iter};
use keyward::sql::SqlSchema;
use keyward::{Keys, ManualClock, SqlKeyStore, Sqlite, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::value::RawValue;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use cells::{Cell, edits};

/// 2030-01-01T00:00:00.123456Z.
const NOW: Timestamp = Timestamp::from_micros(1_893_456_000_123_456);

/// One key in a table without rules, seen by the library on one side and by plain SQL on the other.
struct Table<S: SqlSchema> {
    keys: Keys<S>,
    issued: Issued<S>,
    connection: Connection,
    update: String,
    columns: Vec<String>,
    /// The row as it was issued.
    good: Vec<Cell<'static>>,
    runtime: Runtime,
    _directory: TempDir,
}

fn keys<S: SqlSchema>(store: SqlKeyStore<S>) -> Keys<S> {
    Keys::builder(store).clock(ManualClock::new(NOW)).random(StdRng::seed_from_u64(0)).build()
}

impl<S: SqlSchema> Table<S> {
    /// Makes the tables of the schema beside the host's `parents`, issues a key, and takes the rules of `table` away.
    /// The row is the one that meets `condition`.
    fn new(schema: impl Fn() -> S, draft: impl Into<Draft<S>>, parents: &str, table: &str, condition: &str) -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("keys.db");
        let connection = Connection::open(&path).expect("a file");
        connection.execute_batch("PRAGMA synchronous = OFF").expect("a setting");
        connection.execute_batch(parents).expect("the host's tables");
        let open = || {
            let engine = Sqlite::open(&path).expect("an engine");
            runtime.block_on(SqlKeyStore::open(engine, schema())).expect("a store")
        };
        let store = open();
        runtime.block_on(store.migrate(NOW)).expect("the tables");
        let issued = runtime.block_on(keys(open()).issue(draft.into())).expect("a key");

        let columns: Vec<String> = connection
            .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
            .and_then(|mut names| names.query_map([], |row| row.get(0))?.collect())
            .expect("the columns");
        // Without types, so that each value keeps its own.
        let loosen = format!(
            "PRAGMA foreign_keys = OFF;
             CREATE TABLE loose ({});
             INSERT INTO loose SELECT * FROM {table};
             DROP TABLE {table};
             ALTER TABLE loose RENAME TO {table};",
            columns.join(", ")
        );
        connection.execute_batch(&loosen).expect("a table without rules");
        // The row is found by its place, since an edit may take away every name that it has.
        let (place, good): (i64, _) = connection
            .query_one(&format!("SELECT rowid, * FROM {table} WHERE {condition}"), [], |row| {
                let good = (1..=columns.len()).map(|column| row.get_ref(column).map(Cell::owned));
                Ok((row.get(0)?, good.collect::<Result<_, _>>()?))
            })
            .expect("the row");
        let set: Vec<_> = columns.iter().enumerate().map(|(at, name)| format!("{name} = ?{}", at + 1)).collect();
        let update = format!("UPDATE {table} SET {} WHERE rowid = {place}", set.join(", "));
        Self { keys: keys(open()), issued, connection, update, columns, good, runtime, _directory: directory }
    }

    /// Puts the cells that `data` describes into the good row.
    fn edit<'d>(&self, data: &'d [u8]) -> Row<'_, 'd> {
        let mut cells: Vec<Cell<'d>> = self.good.clone();
        for (place, cell) in edits(data) {
            let place = usize::from(place) % cells.len();
            cells[place] = cell;
        }
        self.write(cells)
    }

    /// Puts one cell into the good row.
    fn edit_one<'d>(&self, column: &str, cell: Cell<'d>) -> Row<'_, 'd> {
        let mut cells: Vec<Cell<'d>> = self.good.clone();
        let place = self.columns.iter().position(|name| name == column).expect("a column");
        cells[place] = cell;
        self.write(cells)
    }

    fn write<'d>(&self, cells: Vec<Cell<'d>>) -> Row<'_, 'd> {
        let write = |mut update: keyward::rusqlite::CachedStatement<'_>| update.execute(params_from_iter(&cells));
        let written = self.connection.prepare_cached(&self.update).and_then(write);
        assert_eq!(written, Ok(1));
        Row { columns: &self.columns, cells }
    }

    /// Presents the key, and looks at it in every other way; only the first may let it in.
    fn verify(&self) -> Option<Authenticated<S>> {
        let head = &self.issued.record.head;
        self.runtime.block_on(async {
            let verified = self.keys.verify(self.issued.secret.expose_secret()).await;
            if let Err(refusal) = &verified {
                assert!(!refusal.is_outage(), "{:?}", refusal.outage());
            }
            self.keys.get(&head.id).await.expect("an answer");
            self.keys.of(&head.owner).list(10, None).await.expect("an answer");
            let accepted = verified.ok()?;
            assert_eq!(accepted.head().digest, head.digest);
            assert!(accepted.head().expires_at.is_none_or(|end| end > NOW));
            assert!(accepted.head().defect.is_none());
            Some(accepted)
        })
    }
}

/// The row as it now stands in the table.
struct Row<'t, 'd> {
    columns: &'t [String],
    cells: Vec<Cell<'d>>,
}

impl Row<'_, '_> {
    fn cell(&self, column: &str) -> &Cell<'_> {
        let place = self.columns.iter().position(|name| name == column).expect("a column");
        &self.cells[place]
    }

    fn text(&self, column: &str) -> Option<&str> {
        self.cell(column).text()
    }

    fn is_null(&self, column: &str) -> bool {
        matches!(self.cell(column), Cell::Null)
    }

    /// The texts in a JSON column, whatever stands among them; `None` where it is no array.
    fn names(&self, column: &str) -> Option<Vec<String>> {
        let entries: Vec<&RawValue> = serde_json::from_str(self.text(column)?).ok()?;
        Some(entries.into_iter().filter_map(|entry| serde_json::from_str(entry.get()).ok()).collect())
    }

    /// That the key was let in although its end has come, by SQLite's own reading of the column.
    fn check_expiry(&self, column: &str, connection: &Connection, read: Option<Timestamp>) {
        if self.is_null(column) {
            return assert_eq!(read, None);
        }
        let at = read.expect("an end that is understood");
        let text = self.text(column).expect("an end is a text");
        let seconds = |mut statement: Statement<'_>| statement.query_one([text], |row| row.get::<_, Option<i64>>(0));
        let sqlite = connection.prepare("SELECT CAST(strftime('%s', ?1) AS INTEGER)").and_then(seconds);
        // SQLite rounds to milliseconds.
        if let Ok(Some(seconds)) = sqlite {
            let apart = at.as_micros().saturating_sub(seconds.saturating_mul(1_000_000));
            assert!((-1_000_000..=2_000_000).contains(&apart), "{text:?} is {at}, and to SQLite {seconds}");
        }
    }

    fn check_limit(&self, column: &str, read: RateLimit) {
        let expected = match self.cell(column) {
            Cell::Null => None,
            Cell::Integer(limit) => Some(*limit),
            other => panic!("accepted with a limit of {other:?}"),
        };
        assert_eq!(read.to_stored(), expected);
        assert_ne!(read, RateLimit::DenyAll);
    }
}

/// A key holds no scope but those that its row names.
fn check_scopes(named: &[String], read: &Scopes) {
    for scope in read.iter() {
        assert!(named.iter().any(|name| name == scope), "{scope:?} of {named:?}");
    }
    assert_eq!(read.contains("admin"), named.iter().any(|name| name == "admin"));
}
