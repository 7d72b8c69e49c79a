//! The host's tables of the schema `mesh`, as keyward expects them.

use crate::sql::engine::Sql;
use crate::sql::engine::check::{Column as TableColumn, Duty, ForeignKey, Index, Table, TableName, Write};

const MESH_NAME: TableName = TableName::Host(Sql { postgres: "mesh.mesh", sqlite: "mesh" });
const MEMBER_NAME: TableName = TableName::Host(Sql { postgres: "mesh.member", sqlite: "member" });

pub(super) static API_KEY: Table = Table {
    name: TableName::Host(Sql { postgres: "mesh.api_key", sqlite: "api_key" }),
    create: Some(Sql { postgres: include_str!("api_key.postgres.sql"), sqlite: include_str!("api_key.sqlite.sql") }),
    optional: false,
    shared: false,
    columns: &[
        TableColumn::required("id", "text", "TEXT").vital(),
        TableColumn::required("mesh_id", "text", "TEXT"),
        TableColumn::required("label", "text", "TEXT"),
        TableColumn::required("secret_hash", "text", "TEXT").vital(),
        TableColumn::required("secret_prefix", "text", "TEXT"),
        TableColumn::required("capabilities", "jsonb", "TEXT").defaulting("'[]'::jsonb", "'[]'"),
        TableColumn::optional("topic_scopes", "jsonb", "TEXT"),
        TableColumn::optional("issued_by_member_id", "text", "TEXT"),
        TableColumn::required("created_at", "timestamp without time zone", "TIMESTAMP")
            .defaulting("now()", "CURRENT_TIMESTAMP"),
        TableColumn::optional("last_used_at", "timestamp without time zone", "TIMESTAMP"),
        TableColumn::optional("revoked_at", "timestamp without time zone", "TIMESTAMP"),
        TableColumn::optional("expires_at", "timestamp without time zone", "TIMESTAMP"),
    ],
    primary_key: "id",
    unique: &[],
    indexes: &[Index::on("mesh_id"), Index::on("secret_prefix")],
    foreign_keys: &[
        ForeignKey { column: "issued_by_member_id", table: MEMBER_NAME, on_update: "CASCADE", on_delete: "SET NULL" },
        ForeignKey { column: "mesh_id", table: MESH_NAME, on_update: "CASCADE", on_delete: "CASCADE" },
    ],
    // A rotation names what ends a key, also where it leaves it alone. One without grace revokes the key before, which
    // is the operator's to do where there are side tables.
    writes: &[
        Write::update(Duty::LastUse, &["last_used_at"]),
        Write::insert(Duty::Issue),
        Write::update(Duty::Issue, &["expires_at", "revoked_at"]),
        Write::update(Duty::Operate, &["revoked_at"]),
    ],
};

/// What keyward reads of the mesh itself.
pub(super) static MESH: Table = Table {
    name: MESH_NAME,
    create: None,
    optional: false,
    shared: true,
    columns: &[
        TableColumn::required("id", "text", "TEXT"),
        TableColumn::optional("archived_at", "timestamp without time zone", "TIMESTAMP"),
    ],
    primary_key: "id",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
    writes: &[],
};

/// What keyward reads of the member who issues a key.
pub(super) static MEMBER: Table = Table {
    name: MEMBER_NAME,
    create: None,
    optional: false,
    shared: true,
    columns: &[
        TableColumn::required("id", "text", "TEXT"),
        TableColumn::required("mesh_id", "text", "TEXT"),
        TableColumn::optional("revoked_at", "timestamp without time zone", "TIMESTAMP"),
    ],
    primary_key: "id",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
    writes: &[],
};
