//! Tables that the host has already: what they lack is added, or named.

use tokio::task::JoinSet;

use super::{NOTHING, batch, both, count, on_each};
use crate::sql::engine::check::{Column, ForeignKey, Index, Table, TableName};
use crate::sql::engine::migrate::{Change, MigrateError, Migration};
use crate::sql::engine::{Engine, Query, Sql};
use crate::time::Timestamp;
use crate::unfit::Unfit;

static KEYS: Table = Table {
    name: TableName::Host(both("api_keys")),
    create: Some(Sql {
        postgres:
            "CREATE TABLE IF NOT EXISTS api_keys (id text PRIMARY KEY, owner text NOT NULL, digest bytea, note text);
                   CREATE UNIQUE INDEX IF NOT EXISTS api_keys_digest ON api_keys (digest);
                   CREATE INDEX IF NOT EXISTS api_keys_owner ON api_keys (owner);",
        sqlite: "CREATE TABLE IF NOT EXISTS api_keys (
                     id TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, digest BLOB, note TEXT);
                 CREATE UNIQUE INDEX IF NOT EXISTS api_keys_digest ON api_keys (digest);
                 CREATE INDEX IF NOT EXISTS api_keys_owner ON api_keys (owner);",
    }),
    optional: false,
    shared: false,
    columns: &[
        Column::required("id", "text", "TEXT"),
        Column::required("owner", "text", "TEXT"),
        Column::optional("digest", "bytea", "BLOB").addable(Sql {
            postgres: "ALTER TABLE api_keys ADD COLUMN digest bytea",
            sqlite: "ALTER TABLE api_keys ADD COLUMN digest BLOB",
        }),
        Column::optional("note", "text", "TEXT").addable(both("ALTER TABLE api_keys ADD COLUMN note text")),
    ],
    primary_key: "id",
    unique: &[
        Index::on("digest").addable(both("CREATE UNIQUE INDEX IF NOT EXISTS api_keys_digest ON api_keys (digest)"))
    ],
    indexes: &[Index::on("owner").addable(both("CREATE INDEX IF NOT EXISTS api_keys_owner ON api_keys (owner)"))],
    foreign_keys: &[],
    writes: &[],
};

static LOG: Table = Table {
    name: TableName::Own("log"),
    create: None,
    optional: true,
    shared: false,
    columns: &[Column::required("key_id", "text", "TEXT").defaulting("'none'::text", "'none'")],
    primary_key: "key_id",
    unique: &[],
    indexes: &[],
    foreign_keys: &[ForeignKey { column: "key_id", table: KEYS.name, on_update: "NO ACTION", on_delete: "CASCADE" }],
    writes: &[],
};

static DIGESTS: Query = Query::new(both("SELECT digest, note FROM api_keys"), &["digest", "note"]);

const MIGRATIONS: [Migration; 1] = [Migration::new(1, "keys", Change::Adopt(&KEYS))];

async fn migrate(engine: &Engine) -> Result<Vec<u32>, MigrateError> {
    let applied = engine.apply("test", &MIGRATIONS, &[&KEYS], Timestamp::from_micros(0)).await?;
    Ok(applied.into_iter().map(|applied| applied.version).collect())
}

async fn differences(engine: &Engine, tables: &[&Table]) -> Vec<String> {
    engine.differences(tables).await.unwrap().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_table_that_is_missing_is_made_as_it_is_expected() {
    on_each(|engine| async move {
        assert_eq!(migrate(&engine).await.unwrap(), [1]);
        assert_eq!(differences(&engine, &[&KEYS]).await, <[&str; 0]>::default());
        assert_eq!(migrate(&engine).await.unwrap(), NOTHING);
        // It is looked at each time.
        batch(&engine, "DROP TABLE api_keys", "DROP TABLE api_keys").await;
        assert_eq!(migrate(&engine).await.unwrap(), [1]);
    })
    .await;
}

#[tokio::test]
async fn what_a_table_lacks_is_added_and_its_rows_stay() {
    on_each(|engine| async move {
        let old = "CREATE TABLE api_keys (id text PRIMARY KEY NOT NULL, owner text NOT NULL);
                   INSERT INTO api_keys VALUES ('1', 'acme'), ('2', 'acme');";
        batch(&engine, old, old).await;
        assert_eq!(migrate(&engine).await.unwrap(), [1]);
        assert_eq!(differences(&engine, &[&KEYS]).await, <[&str; 0]>::default());
        assert_eq!(count(&engine, &DIGESTS).await, 2);
        assert_eq!(migrate(&engine).await.unwrap(), NOTHING);

        batch(&engine, "DROP INDEX api_keys_digest", "DROP INDEX api_keys_digest").await;
        assert_eq!(differences(&engine, &[&KEYS]).await, ["api_keys: expected unique (digest), found none"]);
        assert_eq!(migrate(&engine).await.unwrap(), [1]);
        assert_eq!(differences(&engine, &[&KEYS]).await, <[&str; 0]>::default());
    })
    .await;
}

#[tokio::test]
async fn several_at_once_add_a_column_once() {
    on_each(|engine| async move {
        let old = "CREATE TABLE api_keys (id text PRIMARY KEY NOT NULL, owner text NOT NULL)";
        batch(&engine, old, old).await;
        // The first time nothing is recorded, the second time all is.
        for _ in 0..2 {
            let mut tasks = JoinSet::new();
            for _ in 0..8 {
                let engine = engine.clone();
                tasks.spawn(async move { migrate(&engine).await.unwrap() });
            }
            assert_eq!(tasks.join_all().await.concat(), [1]);
            assert_eq!(count(&engine, &DIGESTS).await, 0);
            let forget = "ALTER TABLE api_keys DROP COLUMN note";
            batch(&engine, forget, forget).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_complete_table_is_recorded_and_not_listed() {
    on_each(|engine| async move {
        let create = KEYS.create.unwrap();
        batch(&engine, create.postgres, create.sqlite).await;
        assert_eq!(migrate(&engine).await.unwrap(), NOTHING);
        let newer = engine.apply("test", &[], &[], Timestamp::from_micros(0)).await.unwrap_err();
        assert!(matches!(newer, MigrateError::Unfit(Unfit::Newer { found: 1, known: 0, .. })), "{newer}");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_added_is_named_and_nothing_is_changed() {
    on_each(|engine| async move {
        let old = "CREATE TABLE api_keys (number integer PRIMARY KEY, id text NOT NULL, note text)";
        batch(&engine, old, old).await;
        let before = differences(&engine, &[&KEYS]).await;
        let error = migrate(&engine).await.unwrap_err();
        let shown = error.to_string();
        let MigrateError::Incompatible { table, missing } = error else { panic!("{shown}") };
        let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
        assert_eq!(table, "api_keys");
        assert_eq!(
            missing,
            ["api_keys.owner: expected a column, found none", "api_keys: expected primary key (id), found number"]
        );
        assert!(shown.contains(&missing[0]) && shown.contains(&missing[1]), "{shown}");
        assert_eq!(differences(&engine, &[&KEYS]).await, before);
    })
    .await;
}

#[tokio::test]
async fn an_own_table_is_compared_under_its_name_on_each_engine() {
    on_each(|engine| async move {
        let create = KEYS.create.unwrap();
        batch(&engine, create.postgres, create.sqlite).await;
        let name = engine.own_table("log");
        let found = engine.differences(&[&KEYS, &LOG]).await.unwrap();
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [format!("{name}: expected a table, found none")]);
        assert!(!found[0].breaking);
        batch(
            &engine,
            "CREATE SCHEMA keyward; CREATE TABLE keyward.log (
                 key_id text PRIMARY KEY DEFAULT 'none' REFERENCES api_keys (id) ON DELETE CASCADE, extra bytea NOT NULL)",
            "CREATE TABLE keyward_log (
                 key_id TEXT PRIMARY KEY NOT NULL DEFAULT 'none' REFERENCES api_keys (id) ON DELETE CASCADE,
                 extra BLOB NOT NULL)",
        )
        .await;
        let expected = format!("{name}.extra: expected no column, found a column that has to be filled");
        assert_eq!(differences(&engine, &[&LOG]).await, [expected]);
    })
    .await;
}
