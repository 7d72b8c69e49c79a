//! The table `credentials`.

use crate::sql::engine::Sql;
use crate::sql::engine::check::{Column, Duty, Table, TableName, Write};
use crate::sql::engine::migrate::{Change, Migration};

pub(super) const MIGRATIONS: &[Migration] = &[Migration::new(
    1,
    "credentials",
    Change::Run {
        sql: Sql { postgres: include_str!("tables.postgres.sql"), sqlite: include_str!("tables.sqlite.sql") },
        makes: &["credentials"],
    },
)];

pub(super) static CREDENTIALS: Table = Table {
    name: TableName::Own("credentials"),
    create: None,
    optional: false,
    shared: false,
    columns: &[
        text("owner"),
        text("access_token"),
        optional_text("refresh_token"),
        optional_text("dpop_key"),
        optional_instant("expires_at"),
        optional_text("subject"),
        text("client_id"),
        optional_text("client_key_id"),
        text("issuer"),
        text("token_endpoint"),
        optional_text("revocation_endpoint"),
        optional_text("resource_server"),
        text("scopes").defaulting("''::text", "''"),
        optional_text("session_id"),
        optional_instant("session_started_at"),
        optional_instant("session_ends_at"),
        optional_instant("refreshed_at"),
        optional_text("authorization_server_nonce"),
        optional_text("resource_server_nonce"),
        text("state").defaulting("'active'::text", "'active'"),
        optional_instant("state_since"),
        optional_text("end_reason"),
        optional_instant("lease_until"),
        Column::required("version", "bigint", "INTEGER").defaulting("1", "1"),
        Column::required("generation", "bigint", "INTEGER").defaulting("1", "1"),
    ],
    primary_key: "owner",
    unique: &[],
    // One on the expiry would cost more at each refresh than the few that are due save.
    indexes: &[],
    foreign_keys: &[],
    writes: &[
        Write::insert(Duty::Issue),
        Write::update(Duty::Issue, CHANGED),
        Write::update(Duty::Operate, CHANGED),
        Write::delete(Duty::Operate),
    ],
};

/// What changes once a credential is there: everything but whose it is.
const CHANGED: &[&str] = &[
    "access_token",
    "refresh_token",
    "dpop_key",
    "expires_at",
    "subject",
    "client_id",
    "client_key_id",
    "issuer",
    "token_endpoint",
    "revocation_endpoint",
    "resource_server",
    "scopes",
    "session_id",
    "session_started_at",
    "session_ends_at",
    "refreshed_at",
    "authorization_server_nonce",
    "resource_server_nonce",
    "state",
    "state_since",
    "end_reason",
    "lease_until",
    "version",
    "generation",
];

const fn text(name: &'static str) -> Column {
    Column::required(name, "text", "TEXT")
}

const fn optional_text(name: &'static str) -> Column {
    Column::optional(name, "text", "TEXT")
}

const fn optional_instant(name: &'static str) -> Column {
    Column::optional(name, "timestamp without time zone", "TEXT")
}
