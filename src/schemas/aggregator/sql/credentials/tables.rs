//! The columns of a credential in the host's table, and the side table of our own.

use crate::sql::engine::Sql;
use crate::sql::engine::check::{Column, Duty, Table, TableName, Write};
use crate::sql::engine::migrate::{Change, Migration};

pub(super) static TEXT: [&Table; 2] = [&WITH_TEXT, &STATES];
pub(super) static BYTES: [&Table; 2] = [&WITH_BYTES, &STATES];
pub(super) static DATABASE: [&Table; 3] = [&WITH_BYTES, &ENCRYPTION_KEYS, &STATES];

/// The host's table has to be as the form says: keyward adds no column for a secret to it.
pub(super) const MIGRATIONS_ON_TEXT: &[Migration] =
    &[Migration::new(1, "aggregators", Change::Adopt(&WITH_TEXT)), MAKE_STATES];
pub(super) const MIGRATIONS_ON_BYTES: &[Migration] =
    &[Migration::new(1, "aggregators", Change::Adopt(&WITH_BYTES)), MAKE_STATES];

const MAKE_STATES: Migration = Migration::new(
    2,
    "credential_states",
    Change::Run {
        sql: Sql { postgres: include_str!("states.postgres.sql"), sqlite: include_str!("states.sqlite.sql") },
        makes: &["credential_states"],
    },
);

/// Declares a form of the host's table by the columns of its three secrets.
macro_rules! host_table {
    ($name:ident: $access:literal, $refresh:literal, $key:literal as $postgres:literal, $sqlite:literal) => {
        static $name: Table = Table {
            name: TableName::Host(Sql { postgres: "aggregators", sqlite: "aggregators" }),
            create: None,
            optional: false,
            shared: true,
            columns: &[
                Column::required("did", "text", "TEXT").vital(),
                Column::optional($access, $postgres, $sqlite),
                Column::optional($refresh, $postgres, $sqlite),
                Column::optional($key, $postgres, $sqlite),
                Column::optional("oauth_token_expires_at", "timestamp with time zone", "TIMESTAMP"),
                Column::optional("oauth_pds_url", "text", "TEXT"),
                Column::optional("oauth_auth_server_iss", "text", "TEXT"),
                Column::optional("oauth_auth_server_token_endpoint", "text", "TEXT"),
                Column::optional("oauth_dpop_authserver_nonce", "text", "TEXT"),
                Column::optional("oauth_dpop_pds_nonce", "text", "TEXT"),
            ],
            primary_key: "did",
            unique: &[],
            indexes: &[],
            foreign_keys: &[],
            writes: &[Write::update(
                Duty::Issue,
                &[
                    $access,
                    $refresh,
                    $key,
                    "oauth_token_expires_at",
                    "oauth_pds_url",
                    "oauth_auth_server_iss",
                    "oauth_auth_server_token_endpoint",
                    "oauth_dpop_authserver_nonce",
                    "oauth_dpop_pds_nonce",
                ],
            )],
        };
    };
}

host_table!(WITH_TEXT: "oauth_access_token", "oauth_refresh_token", "oauth_dpop_private_key_multibase" as "text", "TEXT");
host_table!(
    WITH_BYTES: "oauth_access_token_encrypted", "oauth_refresh_token_encrypted", "oauth_dpop_private_key_encrypted"
        as "bytea", "BLOB"
);

/// The host's own, whose one row is the key of what its database encrypts.
static ENCRYPTION_KEYS: Table = Table {
    name: TableName::Host(Sql { postgres: "encryption_keys", sqlite: "encryption_keys" }),
    create: None,
    optional: false,
    shared: true,
    columns: &[Column::required("id", "integer", "INTEGER"), Column::required("key_data", "bytea", "BLOB")],
    primary_key: "id",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
    writes: &[],
};

/// The copies in clear that the host's service wants, where they are written.
#[cfg(feature = "postgres")]
pub(super) static WRITTEN_SESSIONS: [&Table; 1] = [&Table {
    columns: SESSION_COLUMNS,
    writes: &[Write::insert(Duty::Issue), Write::update(Duty::Issue, SESSION_CHANGED), Write::delete(Duty::Issue)],
    ..SESSIONS
}];

/// The same, where they are only deleted.
#[cfg(feature = "postgres")]
pub(super) static DELETED_SESSIONS: [&Table; 1] = [&SESSIONS];

#[cfg(feature = "postgres")]
const SESSIONS: Table = Table {
    name: TableName::Host(Sql { postgres: "oauth_sessions", sqlite: "oauth_sessions" }),
    create: None,
    optional: true,
    shared: true,
    columns: &[Column::required("did", "text", "TEXT"), Column::required("session_id", "text", "TEXT")],
    primary_key: "id",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
    writes: &[Write::delete(Duty::Issue)],
};

/// What is read of a copy to write it: by what it is found, and, as PostgreSQL sees it, whatever a conflict replaces.
#[cfg(feature = "postgres")]
const SESSION_COLUMNS: &[Column] = &[
    Column::required("did", "text", "TEXT"),
    Column::required("session_id", "text", "TEXT"),
    Column::required("pds_url", "text", "TEXT"),
    Column::optional("host_url", "text", "TEXT"),
    Column::required("access_token", "text", "TEXT"),
    Column::required("refresh_token", "text", "TEXT"),
    Column::optional("dpop_private_key_multibase", "text", "TEXT"),
    Column::required("auth_server_iss", "text", "TEXT"),
    Column::optional("auth_server_token_endpoint", "text", "TEXT"),
    Column::optional("auth_server_revocation_endpoint", "text", "TEXT"),
    Column::optional("scopes", "text[]", "TEXT"),
    Column::optional("dpop_authserver_nonce", "text", "TEXT"),
    Column::optional("dpop_pds_nonce", "text", "TEXT"),
    Column::required("expires_at", "timestamp with time zone", "TIMESTAMP"),
];

#[cfg(feature = "postgres")]
const SESSION_CHANGED: &[&str] = &[
    "pds_url",
    "host_url",
    "access_token",
    "refresh_token",
    "dpop_private_key_multibase",
    "auth_server_iss",
    "auth_server_token_endpoint",
    "auth_server_revocation_endpoint",
    "scopes",
    "dpop_authserver_nonce",
    "dpop_pds_nonce",
    "expires_at",
];

static STATES: Table = Table {
    name: TableName::Own("credential_states"),
    create: None,
    optional: false,
    shared: false,
    columns: &[
        Column::required("owner", "text", "TEXT"),
        Column::required("pair", "text", "TEXT"),
        Column::optional("subject", "text", "TEXT"),
        Column::required("client_id", "text", "TEXT"),
        Column::optional("client_key_id", "text", "TEXT"),
        Column::optional("revocation_endpoint", "text", "TEXT"),
        Column::required("scopes", "text", "TEXT").defaulting("''::text", "''"),
        Column::optional("session_id", "text", "TEXT"),
        Column::optional("session_started_at", "timestamp without time zone", "TEXT"),
        Column::optional("session_ends_at", "timestamp without time zone", "TEXT"),
        Column::optional("refreshed_at", "timestamp without time zone", "TEXT"),
        Column::required("state", "text", "TEXT").defaulting("'active'::text", "'active'"),
        Column::optional("state_since", "timestamp without time zone", "TEXT"),
        Column::optional("end_reason", "text", "TEXT"),
        Column::optional("lease_until", "timestamp without time zone", "TEXT"),
        Column::required("version", "bigint", "INTEGER").defaulting("1", "1"),
        Column::required("generation", "bigint", "INTEGER").defaulting("1", "1"),
    ],
    primary_key: "owner",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
    writes: &[
        Write::insert(Duty::Issue),
        Write::update(Duty::Issue, CHANGED),
        Write::insert(Duty::Operate),
        Write::update(Duty::Operate, CHANGED),
        Write::delete(Duty::Operate),
    ],
};

/// What changes once a row is there: everything but whose it is.
const CHANGED: &[&str] = &[
    "pair",
    "subject",
    "client_id",
    "client_key_id",
    "revocation_endpoint",
    "scopes",
    "session_id",
    "session_started_at",
    "session_ends_at",
    "refreshed_at",
    "state",
    "state_since",
    "end_reason",
    "lease_until",
    "version",
    "generation",
];
