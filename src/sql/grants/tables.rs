//! The tables: four of the host's, which are taken as they are, and four of our own.

use crate::sql::engine::Sql;
use crate::sql::engine::check::{Column, Duty, ForeignKey, Index, Table, TableName, Write};
use crate::sql::engine::migrate::{Change, Migration};

/// What the migrations are recorded under.
pub(super) const NAME: &str = "broker";

/// The host's tables, in the order in which they refer to each other.
pub(super) static HOST: [&Table; 4] = [&CLIENTS, &AUTH_CODES, &ACCESS_TOKENS, &REFRESH_TOKENS];

/// Everything that has to be there.
pub(super) static ALL: [&Table; 8] = [
    &CLIENTS,
    &AUTH_CODES,
    &ACCESS_TOKENS,
    &REFRESH_TOKENS,
    &GRANTS,
    &GRANT_CODES,
    &GRANT_ACCESS_TOKENS,
    &GRANT_REFRESH_TOKENS,
];

/// The first of the host's, with those of our own: whoever owns it is trusted with them.
pub(super) static OWN: [&Table; 5] = [&CLIENTS, &GRANTS, &GRANT_CODES, &GRANT_ACCESS_TOKENS, &GRANT_REFRESH_TOKENS];

pub(super) static MIGRATIONS: &[Migration] = &[
    Migration::new(1, "clients", Change::Adopt(&CLIENTS)),
    Migration::new(2, "auth_codes", Change::Adopt(&AUTH_CODES)),
    Migration::new(3, "access_tokens", Change::Adopt(&ACCESS_TOKENS)),
    Migration::new(4, "refresh_tokens", Change::Adopt(&REFRESH_TOKENS)),
    Migration::new(
        5,
        "grants",
        Change::Run {
            sql: Sql { postgres: include_str!("tables.postgres.sql"), sqlite: include_str!("tables.sqlite.sql") },
            makes: &["grants", "grant_codes", "grant_access_tokens", "grant_refresh_tokens"],
        },
    ),
];

static CLIENTS: Table = Table {
    columns: &[
        text("client_id"),
        optional_text("client_secret"),
        text("redirect_uris"),
        optional_text("metadata_json"),
        number("created_at"),
        optional_number("last_used"),
    ],
    primary_key: "client_id",
    indexes: &[Index::on("last_used")],
    writes: &[
        Write::insert(Duty::Issue),
        Write::update(Duty::LastUse, &["last_used"]),
        Write::update(Duty::Issue, &["last_used", "redirect_uris", "metadata_json"]),
        Write::delete(Duty::Operate),
    ],
    ..host(
        "clients",
        Sql { postgres: include_str!("clients.postgres.sql"), sqlite: include_str!("clients.sqlite.sql") },
    )
};

static AUTH_CODES: Table = Table {
    columns: &[
        text("code"),
        text("client_id"),
        text("redirect_uri"),
        text("code_challenge"),
        text("code_challenge_method"),
        text("scopes"),
        text("forgejo_access_token"),
        optional_text("forgejo_refresh_token"),
        number("forgejo_token_expires_at"),
        number("forgejo_user_id"),
        text("forgejo_username"),
        number("expires_at"),
        optional_number("used_at"),
    ],
    primary_key: "code",
    indexes: &[Index::on("expires_at"), Index::on("client_id")],
    writes: &[
        Write::insert(Duty::Issue),
        Write::update(
            Duty::Issue,
            &["used_at", "forgejo_access_token", "forgejo_refresh_token", "forgejo_token_expires_at"],
        ),
        Write::delete(Duty::Operate),
    ],
    ..host(
        "auth_codes",
        Sql { postgres: include_str!("auth_codes.postgres.sql"), sqlite: include_str!("auth_codes.sqlite.sql") },
    )
};

static ACCESS_TOKENS: Table = Table {
    columns: &[
        text("token_hash"),
        text("client_id"),
        number("forgejo_user_id"),
        text("forgejo_username"),
        text("scopes"),
        text("forgejo_access_token"),
        optional_text("forgejo_refresh_token"),
        number("forgejo_token_expires_at"),
        number("expires_at"),
        number("created_at"),
        optional_number("revoked_at"),
    ],
    primary_key: "token_hash",
    indexes: &[Index::on("expires_at"), Index::on("forgejo_user_id"), Index::on("client_id")],
    writes: &[
        Write::insert(Duty::Issue),
        Write::update(
            Duty::Issue,
            &["revoked_at", "forgejo_access_token", "forgejo_refresh_token", "forgejo_token_expires_at"],
        ),
        Write::delete(Duty::Operate),
    ],
    ..host(
        "access_tokens",
        Sql { postgres: include_str!("access_tokens.postgres.sql"), sqlite: include_str!("access_tokens.sqlite.sql") },
    )
};

static REFRESH_TOKENS: Table = Table {
    columns: &[
        text("token_hash"),
        text("access_token_hash"),
        text("client_id"),
        number("expires_at"),
        number("created_at"),
        optional_number("revoked_at"),
    ],
    primary_key: "token_hash",
    indexes: &[Index::on("expires_at"), Index::on("access_token_hash"), Index::on("client_id")],
    writes: &[Write::insert(Duty::Issue), Write::update(Duty::Issue, &["revoked_at"]), Write::delete(Duty::Operate)],
    ..host(
        "refresh_tokens",
        Sql {
            postgres: include_str!("refresh_tokens.postgres.sql"),
            sqlite: include_str!("refresh_tokens.sqlite.sql"),
        },
    )
};

static GRANTS: Table = Table {
    columns: &[
        text("id"),
        text("client_id"),
        text("subject"),
        optional_text("subject_name"),
        text("scopes"),
        optional_text("resource"),
        number("created_at"),
        optional_number("ends_at"),
        optional_number("revoked_at"),
        optional_text("revoked_reason"),
        number("remembered_until"),
        optional_text("upstream_access_token"),
        optional_text("upstream_refresh_token"),
        optional_number("upstream_expires_at"),
        number("upstream_version").defaulting("0", "0"),
    ],
    primary_key: "id",
    indexes: &[Index::on("client_id"), Index::on("subject"), Index::on("remembered_until")],
    writes: &[
        Write::insert(Duty::Issue),
        Write::update(
            Duty::Issue,
            &[
                "remembered_until",
                "revoked_at",
                "revoked_reason",
                "upstream_access_token",
                "upstream_refresh_token",
                "upstream_expires_at",
                "upstream_version",
            ],
        ),
        Write::delete(Duty::Operate),
    ],
    ..own("grants")
};

static GRANT_CODES: Table = Table {
    columns: &[
        text("digest"),
        text("grant_id"),
        text("redirect_uri"),
        optional_text("challenge"),
        number("expires_at"),
        optional_number("spent_at"),
    ],
    primary_key: "digest",
    indexes: &[Index::on("grant_id")],
    foreign_keys: &[OF_A_GRANT],
    writes: &[Write::insert(Duty::Issue), Write::update(Duty::Issue, &["spent_at"]), Write::delete(Duty::Operate)],
    ..own("grant_codes")
};

static GRANT_ACCESS_TOKENS: Table = Table {
    columns: &[text("digest"), text("grant_id"), optional_number("used_at")],
    primary_key: "digest",
    indexes: &[Index::on("grant_id")],
    foreign_keys: &[OF_A_GRANT],
    writes: &[Write::insert(Duty::Issue), Write::update(Duty::LastUse, &["used_at"]), Write::delete(Duty::Operate)],
    ..own("grant_access_tokens")
};

static GRANT_REFRESH_TOKENS: Table = Table {
    columns: &[
        text("digest"),
        text("grant_id"),
        optional_number("spent_at"),
        optional_text("successor"),
        optional_text("successor_access"),
        optional_text("response"),
        optional_number("response_until"),
        optional_number("response_access_expires_at"),
        optional_text("response_scopes"),
    ],
    primary_key: "digest",
    indexes: &[Index::on("grant_id"), Index::on("response_until")],
    foreign_keys: &[OF_A_GRANT],
    writes: &[
        Write::insert(Duty::Issue),
        Write::update(
            Duty::Issue,
            &[
                "spent_at",
                "successor",
                "successor_access",
                "response",
                "response_until",
                "response_access_expires_at",
                "response_scopes",
            ],
        ),
        Write::delete(Duty::Operate),
    ],
    ..own("grant_refresh_tokens")
};

const OF_A_GRANT: ForeignKey =
    ForeignKey { column: "grant_id", table: TableName::Own("grants"), on_update: "NO ACTION", on_delete: "CASCADE" };

/// A table of the host's. Whatever else it has in it is none of our business.
const fn host(name: &'static str, create: Sql) -> Table {
    let name = TableName::Host(Sql { postgres: name, sqlite: name });
    Table { name, create: Some(create), shared: true, ..own("") }
}

const fn own(name: &'static str) -> Table {
    Table {
        name: TableName::Own(name),
        create: None,
        optional: false,
        shared: false,
        columns: &[],
        primary_key: "",
        unique: &[],
        indexes: &[],
        foreign_keys: &[],
        writes: &[],
    }
}

const fn text(name: &'static str) -> Column {
    Column::required(name, "text", "TEXT")
}

const fn optional_text(name: &'static str) -> Column {
    Column::optional(name, "text", "TEXT")
}

/// A number, or a time as seconds since 1970.
const fn number(name: &'static str) -> Column {
    Column::required(name, "bigint", "INTEGER")
}

const fn optional_number(name: &'static str) -> Column {
    Column::optional(name, "bigint", "INTEGER")
}
