//! Migrations of our own tables.

use tokio::task::JoinSet;

use super::{NOTHING, batch, both, count, on_each};
use crate::sql::engine::migrate::{AppliedMigration, Change, MigrateError, Migration};
use crate::sql::engine::{Engine, Query, Sql};
use crate::time::Timestamp;
use crate::unfit::Unfit;

const NOTES: Sql = Sql {
    postgres: "
        -- What somebody has to say.
        CREATE TABLE IF NOT EXISTS keyward.notes (id bigint PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS keyward.tags (id bigint PRIMARY KEY);",
    sqlite: "
        -- What somebody has to say.
        CREATE TABLE IF NOT EXISTS keyward_notes (id INTEGER PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS keyward_tags (id INTEGER PRIMARY KEY);",
};

/// The same with another comment and other spaces.
const NOTES_AGAIN: Sql = Sql {
    postgres: "CREATE TABLE IF NOT EXISTS keyward.notes (id bigint PRIMARY KEY); /* and */
               CREATE TABLE IF NOT EXISTS keyward.tags (id bigint PRIMARY KEY); -- said so",
    sqlite: "CREATE TABLE IF NOT EXISTS keyward_notes (id INTEGER PRIMARY KEY); /* and */
             CREATE TABLE IF NOT EXISTS keyward_tags (id INTEGER PRIMARY KEY); -- said so",
};

const AUTHOR: Sql = Sql {
    postgres: "ALTER TABLE keyward.notes ADD COLUMN author text",
    sqlite: "ALTER TABLE keyward_notes ADD COLUMN author TEXT",
};

static AUTHORS: Query = Query::new(
    Sql { postgres: "SELECT author FROM keyward.notes", sqlite: "SELECT author FROM keyward_notes" },
    &["author"],
);
static TAGS: Query =
    Query::new(Sql { postgres: "SELECT id FROM keyward.tags", sqlite: "SELECT id FROM keyward_tags" }, &["id"]);

const fn first(sql: Sql) -> Migration {
    Migration::new(1, "notes", Change::Run { sql, makes: &["notes", "tags"] })
}

const SECOND: Migration = Migration::new(2, "authors", Change::Run { sql: AUTHOR, makes: &["notes.author"] });

const BOTH: [Migration; 2] = [first(NOTES), SECOND];

async fn migrate(engine: &Engine, migrations: &[Migration]) -> Result<Vec<u32>, MigrateError> {
    let applied = engine.apply("test", migrations, &[], Timestamp::from_micros(0)).await?;
    Ok(applied.into_iter().map(|applied| applied.version).collect())
}

#[tokio::test]
async fn each_runs_once_and_in_order() {
    on_each(|engine| async move {
        assert_eq!(migrate(&engine, &BOTH[..1]).await.unwrap(), [1]);
        assert_eq!(migrate(&engine, &BOTH).await.unwrap(), [2]);
        assert_eq!(migrate(&engine, &BOTH).await.unwrap(), NOTHING);
        assert_eq!(count(&engine, &AUTHORS).await, 0);
        // Another schema has versions of its own; its tables are there already.
        assert_eq!(engine.apply("other", &BOTH, &[], Timestamp::from_micros(0)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_changed_text_is_refused_and_a_changed_comment_is_not() {
    on_each(|engine| async move {
        migrate(&engine, &BOTH).await.unwrap();
        assert_eq!(migrate(&engine, &[first(NOTES_AGAIN), SECOND]).await.unwrap(), NOTHING);
        let error = migrate(&engine, &[first(AUTHOR), SECOND]).await.unwrap_err();
        assert!(
            matches!(error, MigrateError::Unfit(Unfit::Changed { schema: "test", version: 1, name: "notes" })),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused() {
    on_each(|engine| async move {
        migrate(&engine, &BOTH).await.unwrap();
        let error = migrate(&engine, &BOTH[..1]).await.unwrap_err();
        assert!(matches!(error, MigrateError::Unfit(Unfit::Newer { schema: "test", found: 2, known: 1 })), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_table_that_was_dropped_is_made_again_with_what_was_added_to_it() {
    on_each(|engine| async move {
        migrate(&engine, &BOTH).await.unwrap();
        batch(&engine, "DROP TABLE keyward.tags", "DROP TABLE keyward_tags").await;
        assert_eq!(migrate(&engine, &BOTH).await.unwrap(), [1]);
        assert_eq!(count(&engine, &TAGS).await, 0);
        batch(&engine, "DROP TABLE keyward.notes", "DROP TABLE keyward_notes").await;
        assert_eq!(migrate(&engine, &BOTH).await.unwrap(), [1, 2]);
        assert_eq!(count(&engine, &AUTHORS).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_text_that_fails_leaves_nothing_and_what_came_before_stays() {
    let broken = Sql {
        postgres: "CREATE TABLE keyward.half (id bigint); CREATE TABLE keyward.half (id bigint);",
        sqlite: "CREATE TABLE keyward_half (id INTEGER); CREATE TABLE keyward_half (id INTEGER);",
    };
    let third = Migration::new(3, "half", Change::Run { sql: broken, makes: &["half"] });
    on_each(|engine| async move {
        let error = migrate(&engine, &[BOTH[0], SECOND, third]).await.unwrap_err();
        assert!(matches!(error, MigrateError::Failed { .. }), "{error}");
        assert_eq!(migrate(&engine, &BOTH).await.unwrap(), NOTHING);
    })
    .await;
}

#[tokio::test]
async fn several_at_once_apply_each_once() {
    on_each(|engine| async move {
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let engine = engine.clone();
            tasks.spawn(async move { migrate(&engine, &BOTH).await.unwrap() });
        }
        let mut applied = tasks.join_all().await.concat();
        applied.sort_unstable();
        assert_eq!(applied, [1, 2]);
    })
    .await;
}

#[test]
fn a_migration_shows_its_text_and_prints_in_one_line() {
    let migration = first(NOTES);
    assert_eq!((migration.version(), migration.name()), (1, "notes"));
    assert_eq!((migration.postgres(), migration.sqlite()), (NOTES.postgres, NOTES.sqlite));
    let applied = AppliedMigration { schema: "standard", version: 1, name: "keys" };
    assert_eq!(applied.to_string(), "standard 1 keys");
    let _ = both("");
}
