//! The columns of a key in the host's table of the schema `aggregator`, as keyward expects them.

use crate::sql::engine::Sql;
use crate::sql::engine::check::{Column as TableColumn, Duty, Index, Table, TableName, Write};

/// Only what a key needs; everything else about this table is the host's business.
pub(super) static AGGREGATORS: Table = Table {
    name: TableName::Host(Sql { postgres: "aggregators", sqlite: "aggregators" }),
    create: Some(Sql {
        postgres: include_str!("aggregators.postgres.sql"),
        sqlite: include_str!("aggregators.sqlite.sql"),
    }),
    optional: false,
    shared: true,
    columns: &[
        TableColumn::required("did", "text", "TEXT").vital(),
        TableColumn::optional("api_key_prefix", "character varying(12)", "VARCHAR(12)").addable(Sql {
            postgres: "ALTER TABLE aggregators ADD COLUMN api_key_prefix varchar(12)",
            sqlite: "ALTER TABLE aggregators ADD COLUMN api_key_prefix VARCHAR(12)",
        }),
        TableColumn::optional("api_key_hash", "character varying(64)", "VARCHAR(64)").addable(Sql {
            postgres: "ALTER TABLE aggregators ADD COLUMN api_key_hash varchar(64)",
            sqlite: "ALTER TABLE aggregators ADD COLUMN api_key_hash VARCHAR(64)",
        }),
        TableColumn::optional("api_key_created_at", "timestamp with time zone", "TIMESTAMP").addable(Sql {
            postgres: "ALTER TABLE aggregators ADD COLUMN api_key_created_at timestamptz",
            sqlite: "ALTER TABLE aggregators ADD COLUMN api_key_created_at TIMESTAMP",
        }),
        TableColumn::optional("api_key_revoked_at", "timestamp with time zone", "TIMESTAMP").addable(Sql {
            postgres: "ALTER TABLE aggregators ADD COLUMN api_key_revoked_at timestamptz",
            sqlite: "ALTER TABLE aggregators ADD COLUMN api_key_revoked_at TIMESTAMP",
        }),
        TableColumn::optional("api_key_last_used_at", "timestamp with time zone", "TIMESTAMP").addable(Sql {
            postgres: "ALTER TABLE aggregators ADD COLUMN api_key_last_used_at timestamptz",
            sqlite: "ALTER TABLE aggregators ADD COLUMN api_key_last_used_at TIMESTAMP",
        }),
    ],
    primary_key: "did",
    unique: &[Index::on("api_key_hash").addable(Sql {
        postgres: "CREATE UNIQUE INDEX IF NOT EXISTS aggregators_api_key_hash_key ON aggregators (api_key_hash)",
        sqlite: "CREATE UNIQUE INDEX IF NOT EXISTS aggregators_api_key_hash_key ON aggregators (api_key_hash)",
    })],
    indexes: &[],
    foreign_keys: &[],
    // A new key takes the place of the one before, so that whoever issues keys can end them too.
    writes: &[
        Write::update(Duty::LastUse, &["api_key_last_used_at"]),
        Write::update(
            Duty::Issue,
            &["api_key_prefix", "api_key_hash", "api_key_created_at", "api_key_revoked_at", "api_key_last_used_at"],
        ),
        Write::update(Duty::Operate, &["api_key_revoked_at"]),
    ],
};
