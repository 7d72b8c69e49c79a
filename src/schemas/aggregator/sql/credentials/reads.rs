//! The reads of credentials in the host's table, in both dialects and for every form of its columns.
//!
//! The row of the side table counts where it is about the pair of tokens that stands in the host's row. Otherwise somebody
//! else has stored that pair, who keeps nothing beside it: it is an active credential of the client that the layout names.
//!
//! Heads are read without a secret, so that one which cannot be decrypted is in nobody's way.

/// What heads have in every form; `$2` the client of those that somebody else has stored.
macro_rules! head_on_postgres {
    ($form:ident) => {
        concat!(
            "a.did::text AS owner, (",
            $form!(postgres has refresh),
            ") IS TRUE AS is_refreshable,
                   a.oauth_token_expires_at AS expires_at,
                   CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
                   coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
                   a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
                   s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
                   CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
                   s.session_started_at, s.session_ends_at, s.refreshed_at,
                   a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
                   a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
                   s.state_since, s.end_reason, s.lease_until,
                   coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
                   coalesce(s.generation, ",
            number_on_postgres!($form),
            ") AS generation"
        )
    };
}

macro_rules! head_on_sqlite {
    ($form:ident) => {
        concat!(
            "a.did AS owner, (",
            $form!(sqlite has refresh),
            ") IS TRUE AS is_refreshable,
                   a.oauth_token_expires_at AS expires_at,
                   CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
                   coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
                   a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
                   s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
                   CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
                   s.session_started_at, s.session_ends_at, s.refreshed_at,
                   a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
                   a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
                   s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
                   coalesce(s.generation, ",
            number_on_sqlite!(),
            ") AS generation"
        )
    };
}

/// The number of a pair that nobody has numbered: two that follow each other, stored by somebody else, have different ones,
/// so that what was decided about one is not done to the other.
macro_rules! number_on_postgres {
    ($form:ident) => {
        concat!(
            "(pg_catalog.hashtextextended(",
            $form!(postgres pair),
            ", 0::bigint) & 4611686018427387903::bigint) + 1::bigint"
        )
    };
}

/// The upstream service, which stores pairs of its own, has PostgreSQL alone.
macro_rules! number_on_sqlite {
    () => {
        "coalesce(o.generation + 1, 1)"
    };
}

/// `o` is the row of the side table, and `s` the same one, if it is about the pair that stands there.
macro_rules! from_on_postgres {
    ($form:ident) => {
        concat!(
            "
            FROM aggregators a
            LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog.\"C\"
            LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = ",
            $form!(postgres pair)
        )
    };
}

macro_rules! from_on_sqlite {
    ($form:ident) => {
        concat!(
            "
            FROM aggregators a
            LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
            LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = ",
            $form!(sqlite pair)
        )
    };
}

/// The host's row, `$1` its DID.
macro_rules! row_on_postgres {
    () => {
        "a.did::text = $1::text AND a.did::text COLLATE pg_catalog.\"C\" = $1::text"
    };
}

macro_rules! row_on_sqlite {
    () => {
        "a.did = ?1 COLLATE BINARY"
    };
}

/// `$1` owner, `$2` the client of those that somebody else has stored.
macro_rules! get {
    ($form:ident) => {
        Query::new(
            Sql {
                postgres: concat!(
                    "
            SELECT ",
                    head_on_postgres!($form),
                    ",
                   ",
                    $form!(postgres get access),
                    " AS access_token,
                   ",
                    $form!(postgres get refresh),
                    " AS refresh_token,
                   ",
                    $form!(postgres get key),
                    " AS dpop_key",
                    from_on_postgres!($form),
                    "
            WHERE ",
                    row_on_postgres!(),
                    " AND ",
                    $form!(postgres has access)
                ),
                sqlite: concat!(
                    "
            SELECT ",
                    head_on_sqlite!($form),
                    ",
                   ",
                    $form!(sqlite get access),
                    " AS access_token,
                   ",
                    $form!(sqlite get refresh),
                    " AS refresh_token,
                   ",
                    $form!(sqlite get key),
                    " AS dpop_key",
                    from_on_sqlite!($form),
                    "
            WHERE ",
                    row_on_sqlite!(),
                    " AND ",
                    $form!(sqlite has access)
                ),
            },
            Column::NAMES,
        )
    };
}

/// As [`get!`], without the secrets.
macro_rules! get_undecrypted {
    ($form:ident) => {
        Query::new(
            Sql {
                postgres: concat!(
                    "
            SELECT ",
                    head_on_postgres!($form),
                    ",
                   NULL AS access_token, NULL AS refresh_token, NULL AS dpop_key",
                    from_on_postgres!($form),
                    "
            WHERE ",
                    row_on_postgres!(),
                    " AND ",
                    $form!(postgres has access)
                ),
                sqlite: concat!(
                    "
            SELECT ",
                    head_on_sqlite!($form),
                    ",
                   NULL AS access_token, NULL AS refresh_token, NULL AS dpop_key",
                    from_on_sqlite!($form),
                    "
            WHERE ",
                    row_on_sqlite!(),
                    " AND ",
                    $form!(sqlite has access)
                ),
            },
            Column::NAMES,
        )
    };
}

/// `$1` the owner behind whom the page starts or NULL, `$2` the client of those that somebody else has stored, `$3` the
/// instant by which a refresh is due or NULL, `$4` how every envelope starts that is left out or NULL, `$5` how many.
macro_rules! list {
    ($form:ident) => {
        Query::new(
            Sql {
                postgres: concat!(
                    "
            SELECT ",
                    head_on_postgres!($form),
                    from_on_postgres!($form),
                    "
            WHERE ",
                    $form!(postgres has access),
                    "
              AND ($1::text IS NULL OR a.did::text COLLATE pg_catalog.\"C\" > $1::text)
              AND ($3::timestamp IS NULL
                   OR ",
                    $form!(postgres has refresh),
                    " AND coalesce(s.state, 'active'::text) <> 'ended'::text
                      AND (a.oauth_token_expires_at IS NULL
                           OR a.oauth_token_expires_at <= $3::timestamp AT TIME ZONE 'UTC'))
              AND ($4::text IS NULL OR ",
                    $form!(postgres other access "$4"),
                    "
                   OR ",
                    $form!(postgres other refresh "$4"),
                    " OR ",
                    $form!(postgres other key "$4"),
                    ")
            ORDER BY a.did::text COLLATE pg_catalog.\"C\" LIMIT $5::bigint"
                ),
                sqlite: concat!(
                    "
            SELECT ",
                    head_on_sqlite!($form),
                    from_on_sqlite!($form),
                    "
            WHERE ",
                    $form!(sqlite has access),
                    "
              AND (?1 IS NULL OR a.did > ?1 COLLATE BINARY)
              AND (?3 IS NULL
                   OR ",
                    $form!(sqlite has refresh),
                    " AND coalesce(s.state, 'active') <> 'ended'
                      AND coalesce(strftime('%Y-%m-%d %H:%M:%f', a.oauth_token_expires_at), '')
                          <= strftime('%Y-%m-%d %H:%M:%f', ?3))
              AND (?4 IS NULL OR ",
                    $form!(sqlite other access "?4"),
                    "
                   OR ",
                    $form!(sqlite other refresh "?4"),
                    " OR ",
                    $form!(sqlite other key "?4"),
                    ")
            ORDER BY a.did COLLATE BINARY LIMIT ?5"
                ),
            },
            HEAD_COLUMNS,
        )
    };
}
