//! The tables of the schema `standard`, all of them keyward's own.

use crate::sql::engine::Sql;
use crate::sql::engine::check::{Column, Duty, ForeignKey, Index, Table, TableName, Write};
use crate::sql::engine::migrate::{Change, Migration};

const KEYS_NAME: &str = "keys";
const USES_NAME: &str = "key_uses";
const HISTORY_NAME: &str = "key_history";

pub(super) const MIGRATIONS: &[Migration] = &[Migration::new(
    1,
    "keys",
    Change::Run {
        sql: Sql { postgres: include_str!("tables.postgres.sql"), sqlite: include_str!("tables.sqlite.sql") },
        makes: &[KEYS_NAME, USES_NAME, HISTORY_NAME],
    },
)];

pub(super) const TABLES: &[&Table] = &[&KEYS, &KEY_USES, &KEY_HISTORY];

static KEYS: Table = Table {
    name: TableName::Own(KEYS_NAME),
    create: None,
    optional: false,
    shared: false,
    columns: &[
        text("id"),
        text("owner"),
        text("environment"),
        text("name"),
        optional_text("description"),
        text("prefix"),
        Column::required("digest", "bytea", "BLOB"),
        text("scopes").defaulting("''::text", "''"),
        optional_text("metadata"),
        Column::optional("requests_per_minute", "integer", "INTEGER"),
        instant("created_at"),
        optional_text("created_by"),
        optional_instant("expires_at"),
        optional_instant("revoked_at"),
        optional_text("revocation_reason"),
        Column::required("is_disabled", "boolean", "INTEGER").defaulting("false", "0"),
        optional_instant("disabled_at"),
        optional_text("disabling_reason"),
        text("lineage"),
        optional_text("predecessor_id"),
        optional_text("successor_id"),
        optional_text("imported_from"),
        Column::required("version", "bigint", "INTEGER").defaulting("1", "1"),
    ],
    primary_key: "id",
    unique: &[Index::on("digest")],
    indexes: &[Index::on("owner,created_at,id"), Index::on("created_at,id"), Index::on("(expression)")],
    foreign_keys: &[],
    // A rotation without grace ends the key before at once.
    writes: &[
        Write::insert(Duty::Issue),
        Write::update(Duty::Issue, &["expires_at", "revoked_at", "successor_id", "version"]),
        Write::update(
            Duty::Operate,
            &[
                "name",
                "description",
                "scopes",
                "metadata",
                "requests_per_minute",
                "expires_at",
                "revoked_at",
                "revocation_reason",
                "is_disabled",
                "disabled_at",
                "disabling_reason",
                "version",
            ],
        ),
        Write::delete(Duty::Operate),
    ],
};

static KEY_USES: Table = Table {
    name: TableName::Own(USES_NAME),
    create: None,
    optional: false,
    shared: false,
    columns: &[text("key_id"), instant("used_at")],
    primary_key: "key_id",
    unique: &[],
    indexes: &[],
    foreign_keys: &[OF_A_KEY],
    writes: &[Write::insert(Duty::LastUse), Write::update(Duty::LastUse, &["used_at"])],
};

static KEY_HISTORY: Table = Table {
    name: TableName::Own(HISTORY_NAME),
    create: None,
    optional: false,
    shared: false,
    columns: &[
        text("key_id"),
        Column::required("from_version", "bigint", "INTEGER"),
        Column::required("to_version", "bigint", "INTEGER"),
        instant("at"),
        text("action"),
        optional_text("actor"),
        optional_text("reason"),
        text("changes").defaulting("'[]'::text", "'[]'"),
    ],
    primary_key: "key_id,to_version",
    unique: &[],
    indexes: &[],
    foreign_keys: &[OF_A_KEY],
    // What was done stays: entries are added, and go with their key.
    writes: &[Write::insert(Duty::Issue), Write::insert(Duty::Operate)],
};

const OF_A_KEY: ForeignKey =
    ForeignKey { column: "key_id", table: TableName::Own(KEYS_NAME), on_update: "NO ACTION", on_delete: "CASCADE" };

const fn text(name: &'static str) -> Column {
    Column::required(name, "text", "TEXT")
}

const fn optional_text(name: &'static str) -> Column {
    Column::optional(name, "text", "TEXT")
}

const fn instant(name: &'static str) -> Column {
    Column::required(name, "timestamp without time zone", "TEXT")
}

const fn optional_instant(name: &'static str) -> Column {
    Column::optional(name, "timestamp without time zone", "TEXT")
}
