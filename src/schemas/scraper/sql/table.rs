//! The host's table of the schema `scraper`, as keyward expects it.

use crate::sql::engine::Sql;
use crate::sql::engine::check::{Column as TableColumn, Duty, Index, Table, TableName, Write};

pub(super) static API_KEYS: Table = Table {
    name: TableName::Host(Sql { postgres: "api_keys", sqlite: "api_keys" }),
    create: Some(Sql { postgres: include_str!("api_keys.postgres.sql"), sqlite: include_str!("api_keys.sqlite.sql") }),
    optional: false,
    shared: false,
    columns: &[
        TableColumn::required("id", "uuid", "TEXT").defaulting("gen_random_uuid()", RANDOM_UUID).vital(),
        TableColumn::required("key_hash", "character varying(64)", "VARCHAR(64)").vital(),
        TableColumn::required("key_prefix", "character varying(8)", "VARCHAR(8)"),
        TableColumn::required("name", "character varying(255)", "VARCHAR(255)"),
        TableColumn::required("client_id", "character varying(255)", "VARCHAR(255)"),
        TableColumn::optional("scopes", "text[]", "TEXT").defaulting("'{}'::text[]", "'[]'").addable(Sql {
            postgres: "ALTER TABLE api_keys ADD COLUMN scopes text[] DEFAULT '{}'",
            sqlite: "ALTER TABLE api_keys ADD COLUMN scopes TEXT DEFAULT '[]'",
        }),
        TableColumn::optional("rate_limit_rpm", "integer", "INTEGER").defaulting("60", "60").addable(Sql {
            postgres: "ALTER TABLE api_keys ADD COLUMN rate_limit_rpm integer DEFAULT 60",
            sqlite: "ALTER TABLE api_keys ADD COLUMN rate_limit_rpm INTEGER DEFAULT 60",
        }),
        TableColumn::optional("is_active", "boolean", "BOOLEAN").defaulting("true", "TRUE").addable(Sql {
            postgres: "ALTER TABLE api_keys ADD COLUMN is_active boolean DEFAULT true",
            sqlite: "ALTER TABLE api_keys ADD COLUMN is_active BOOLEAN DEFAULT TRUE",
        }),
        TableColumn::optional("created_at", "timestamp without time zone", "TIMESTAMP")
            .defaulting("CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        TableColumn::optional("last_used_at", "timestamp without time zone", "TIMESTAMP").addable(Sql {
            postgres: "ALTER TABLE api_keys ADD COLUMN last_used_at timestamp",
            sqlite: "ALTER TABLE api_keys ADD COLUMN last_used_at TIMESTAMP",
        }),
        TableColumn::optional("expires_at", "timestamp without time zone", "TIMESTAMP").addable(Sql {
            postgres: "ALTER TABLE api_keys ADD COLUMN expires_at timestamp",
            sqlite: "ALTER TABLE api_keys ADD COLUMN expires_at TIMESTAMP",
        }),
        TableColumn::optional("metadata", "jsonb", "TEXT").addable(Sql {
            postgres: "ALTER TABLE api_keys ADD COLUMN metadata jsonb",
            sqlite: "ALTER TABLE api_keys ADD COLUMN metadata TEXT",
        }),
    ],
    primary_key: "id",
    unique: &[Index::on("key_hash")],
    indexes: &[Index::on("client_id"), Index::on("is_active"), Index::on("key_hash")],
    foreign_keys: &[],
    // A rotation names what ends a key, also where it leaves it alone. One without grace revokes the key before, which
    // is the operator's to do where there are side tables.
    writes: &[
        Write::update(Duty::LastUse, &["last_used_at"]),
        Write::insert(Duty::Issue),
        Write::update(Duty::Issue, &["expires_at", "is_active"]),
        Write::update(Duty::Operate, &["is_active"]),
    ],
};

const RANDOM_UUID: &str = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || \
                           substr(hex(randomblob(2)), 2) || '-'\n            || substr('89ab', 1 + (random() & 3), 1) \
                           || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";
