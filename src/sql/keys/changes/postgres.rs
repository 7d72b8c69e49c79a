//! The feed of PostgreSQL: what triggers have noted, by transaction, so that none is missed however long it took.

use std::collections::HashSet;

use async_trait::async_trait;

use crate::key::KeyId;
use crate::sql::engine::check::{Column, Table, TableName, Untrusted};
use crate::sql::engine::migrate::MigrateError;
use crate::sql::engine::{Cell, Engine, EngineError, Listener, Postgres, Query, Row, Sql, Value};
use crate::sql::keys::SqlSchema;
use crate::sql::keys::store::interpret;
use crate::store::{ChangeFeed, Changes, StoreError, Unfit};

const CHANNEL: &str = "keyward_changes";

/// How many triggers stand on the table of the keys.
const TRIGGERS: i64 = 3;

const CHANGES: Sql = Sql { postgres: include_str!("changes.postgres.sql"), sqlite: "" };

pub(in crate::sql::keys) static TABLE: Table = Table {
    name: TableName::Own("changes"),
    create: None,
    optional: true,
    shared: false,
    columns: &[
        Column::required("schema", "text", ""),
        Column::required("subject", "text", ""),
        Column::required("id", "text", ""),
        Column::required("changed_in", "xid8", ""),
    ],
    primary_key: "schema,subject,id",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
    writes: &[],
};

/// The triggers on the table that `$1` names: how many are at work, and which they are, so that others in their place
/// are told from them.
static WATCHED: Query = Query::new(
    Sql {
        postgres: "
            SELECT pg_catalog.count(*) AS triggers,
                   pg_catalog.string_agg(t.oid::text || t.tgenabled::text, ' '::text ORDER BY t.oid) AS marks
            FROM pg_catalog.pg_trigger t
            WHERE t.tgrelid = pg_catalog.to_regclass($1::text)::oid
              AND t.tgname::text IN ('keyward_updated'::text, 'keyward_deleted'::text, 'keyward_truncated'::text)
              AND t.tgenabled::text IN ('O'::text, 'A'::text)
              AND pg_catalog.to_regclass('keyward.changes'::text) IS NOT NULL",
        sqlite: "",
    },
    &["triggers", "marks"],
);

/// What was noted for the schema `$1` by transactions from `$2` on, beside the oldest transaction that may still be
/// under way: whatever older ones have noted is seen from now on, and whatever this and younger ones note is asked for
/// the next time. There is a row even when nothing was noted.
static NOTED: Query = Query::new(
    Sql {
        postgres: "
            SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text AS horizon,
                   c.subject, c.id, c.changed_in::text AS changed_in
            FROM (SELECT 1::bigint) AS always
            LEFT JOIN keyward.changes c ON c.schema = $1::text AND c.changed_in >= ($2::text)::xid8",
        sqlite: "",
    },
    &["horizon", "subject", "id", "changed_in"],
);

pub(super) async fn note_changes<S: SqlSchema>(engine: &Engine) -> Result<(), MigrateError> {
    let watched = engine.read(&WATCHED, &[table::<S>(engine).into()], Watched::read).await?;
    if watched.first().is_some_and(Watched::is_complete) {
        return Ok(());
    }
    engine.make(&[&TABLE], [CHANGES, S::change_triggers()]).await
}

/// The table of the keys.
fn table<S: SqlSchema>(engine: &Engine) -> String {
    S::tables().first().map(|table| table.name.on(engine)).unwrap_or_default()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Watched {
    triggers: i64,
    marks: String,
}

impl Watched {
    fn read(row: &Row<'_>) -> Self {
        let triggers = if let Cell::Integer(triggers) = row.cell(0) { triggers } else { 0 };
        Self { triggers, marks: text(row, 1) }
    }

    const fn is_complete(&self) -> bool {
        self.triggers == TRIGGERS
    }
}

fn text(row: &Row<'_>, column: usize) -> String {
    match row.cell(column) {
        Cell::Text(text) => text.to_owned(),
        _ => String::new(),
    }
}

/// What was noted once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Note {
    is_of_a_key: bool,
    id: String,
    changed_in: u64,
}

#[derive(Debug)]
struct Feed {
    engine: Engine,
    schema: &'static str,
    table: String,
    interpret: fn(EngineError) -> StoreError,
    watched: Watched,
    horizon: u64,
    /// From the horizon on.
    told: HashSet<Note>,
    listener: Listener,
}

pub(super) async fn feed<S: SqlSchema>(
    engine: &Engine,
    postgres: &Postgres,
) -> Result<Box<dyn ChangeFeed>, StoreError> {
    if let Some(Untrusted { object, owner }) = engine.untrusted(&[&TABLE]).await.map_err(interpret::<S>)? {
        return Err(Unfit::Untrusted { object, owner }.into());
    }
    let mut feed = Feed {
        engine: engine.clone(),
        schema: S::NAME,
        table: table::<S>(engine),
        interpret: interpret::<S>,
        watched: Watched::default(),
        horizon: u64::MAX,
        told: HashSet::new(),
        listener: postgres.listener(CHANNEL),
    };
    feed.watched = feed.look_for_triggers().await?;
    if !feed.watched.is_complete() {
        return Err(StoreError::Unsupported(
            "the database notes no changes of this table: `SqlKeyStore::note_changes` has it do so",
        ));
    }
    (feed.horizon, _) = feed.read().await?;
    Ok(Box::new(feed))
}

impl Feed {
    async fn look_for_triggers(&mut self) -> Result<Watched, StoreError> {
        let watched = self.engine.read(&WATCHED, &[self.table.as_str().into()], Watched::read).await;
        Ok(watched.map_err(self.interpret)?.pop().unwrap_or_default())
    }

    /// The new horizon, and what was noted from the old one on.
    async fn read(&mut self) -> Result<(u64, HashSet<Note>), StoreError> {
        let from = self.horizon.to_string();
        let arguments: [Value<'_>; 2] = [self.schema.into(), from.as_str().into()];
        let read = |row: &Row<'_>| {
            let note = Note {
                is_of_a_key: text(row, 1) == "key",
                id: text(row, 2),
                changed_in: text(row, 3).parse().unwrap_or(u64::MAX),
            };
            (text(row, 0), (row.cell(1) != Cell::Null).then_some(note))
        };
        let rows = self.engine.read(&NOTED, &arguments, read).await.map_err(self.interpret)?;
        let horizon = rows.first().and_then(|(horizon, _)| horizon.parse().ok());
        let horizon = horizon.ok_or(StoreError::Backend {
            backend: "PostgreSQL",
            source: "it does not say which transactions are under way".into(),
        })?;
        Ok((horizon, rows.into_iter().filter_map(|(_, note)| note).collect()))
    }
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn changes(&mut self) -> Result<Changes, StoreError> {
        let watched = self.look_for_triggers().await?;
        if !watched.is_complete() {
            // What is changed from now on, nobody notes.
            self.watched = watched;
            return Err(StoreError::Backend {
                backend: "PostgreSQL",
                source: "the triggers that note changes are gone, or disabled".into(),
            });
        }
        let (horizon, noted) = self.read().await?;
        // Others in their place may have been missing for a while, and another server counts its transactions anew.
        let has_lost_track = watched != self.watched || horizon < self.horizon;
        let news = noted.difference(&self.told);
        let changes = if has_lost_track || news.clone().any(|note| !note.is_of_a_key) {
            Changes::Everything
        } else {
            Changes::Keys(news.map(|note| KeyId::from_stored(note.id.clone())).collect())
        };
        (self.watched, self.horizon, self.told) = (watched, horizon, noted);
        Ok(changes)
    }

    async fn wait(&mut self) {
        self.listener.wait().await;
    }
}
