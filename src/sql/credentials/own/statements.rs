//! The statements on the table `credentials` in both dialects. Those that change it return a row if they did.

use crate::sql::credentials::row::{Column, HEAD_COLUMNS};
use crate::sql::engine::{Query, Sql};

/// `$1` owner.
pub(super) static GET: Query = Query::new(
    Sql {
        postgres: "
            SELECT owner, refresh_token IS NOT NULL AS is_refreshable, expires_at, subject, client_id, client_key_id, issuer,
                   token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at,
                   session_ends_at, refreshed_at, authorization_server_nonce, resource_server_nonce, state, state_since,
                   end_reason, lease_until, version, generation, access_token, refresh_token, dpop_key
            FROM keyward.credentials WHERE owner = $1::text",
        sqlite: "
            SELECT owner, refresh_token IS NOT NULL AS is_refreshable, expires_at, subject, client_id, client_key_id, issuer,
                   token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at,
                   session_ends_at, refreshed_at, authorization_server_nonce, resource_server_nonce, state, state_since,
                   end_reason, lease_until, version, generation, access_token, refresh_token, dpop_key
            FROM keyward_credentials WHERE owner = ?1",
    },
    Column::NAMES,
);

/// `$1` the owner behind whom the page starts or NULL, `$2` the instant by which a refresh is due or NULL, `$3` how every
/// envelope starts that is left out or NULL, `$4` how many. The first comparison is the one that an index can serve also in a
/// plan that was made before the arguments were known.
pub(super) static LIST: Query = Query::new(
    Sql {
        postgres: "
            SELECT owner, refresh_token IS NOT NULL AS is_refreshable, expires_at, subject, client_id, client_key_id, issuer,
                   token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at,
                   session_ends_at, refreshed_at, authorization_server_nonce, resource_server_nonce, state, state_since,
                   end_reason, lease_until, version, generation
            FROM keyward.credentials
            WHERE owner >= coalesce($1::text, '') AND ($1::text IS NULL OR owner > $1::text)
              AND ($2::timestamp IS NULL OR refresh_token IS NOT NULL AND state <> 'ended'
                                            AND (expires_at IS NULL OR expires_at <= $2::timestamp))
              AND ($3::text IS NULL OR NOT pg_catalog.starts_with(access_token, $3::text)
                   OR NOT pg_catalog.starts_with(coalesce(refresh_token, $3::text), $3::text)
                   OR NOT pg_catalog.starts_with(coalesce(dpop_key, $3::text), $3::text))
            ORDER BY owner LIMIT $4::bigint",
        sqlite: "
            SELECT owner, refresh_token IS NOT NULL AS is_refreshable, expires_at, subject, client_id, client_key_id, issuer,
                   token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at,
                   session_ends_at, refreshed_at, authorization_server_nonce, resource_server_nonce, state, state_since,
                   end_reason, lease_until, version, generation
            FROM keyward_credentials
            WHERE owner >= coalesce(?1, '') AND (?1 IS NULL OR owner > ?1)
              AND (?2 IS NULL OR refresh_token IS NOT NULL AND state <> 'ended' AND (expires_at IS NULL OR expires_at <= ?2))
              AND (?3 IS NULL OR substr(access_token, 1, length(?3)) <> ?3
                   OR substr(coalesce(refresh_token, ?3), 1, length(?3)) <> ?3
                   OR substr(coalesce(dpop_key, ?3), 1, length(?3)) <> ?3)
            ORDER BY owner LIMIT ?4",
    },
    HEAD_COLUMNS,
);

/// `$1` to `$19` what is stored, `$20` what may stand there before: 0 nothing, 1 the generation `$21`, 2 anything; `$22` the
/// version and generation where nothing stands.
pub(super) const PUT: Sql = Sql {
    postgres: "
        INSERT INTO keyward.credentials AS c (
            owner, access_token, refresh_token, dpop_key, expires_at, subject, client_id, client_key_id, issuer,
            token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at, session_ends_at,
            refreshed_at, authorization_server_nonce, resource_server_nonce, version, generation)
        SELECT $1::text, $2::text, $3::text, $4::text, $5::timestamp, $6::text, $7::text, $8::text, $9::text, $10::text,
               $11::text, $12::text, $13::text, $14::text, $15::timestamp, $16::timestamp, $17::timestamp, $18::text,
               $19::text, $22::bigint, $22::bigint
        WHERE $20::bigint <> 1::bigint OR EXISTS (SELECT 1 FROM keyward.credentials WHERE owner = $1::text FOR NO KEY UPDATE)
        ON CONFLICT (owner) DO UPDATE
        SET access_token = excluded.access_token, refresh_token = excluded.refresh_token, dpop_key = excluded.dpop_key,
            expires_at = excluded.expires_at, subject = excluded.subject, client_id = excluded.client_id,
            client_key_id = excluded.client_key_id, issuer = excluded.issuer, token_endpoint = excluded.token_endpoint,
            revocation_endpoint = excluded.revocation_endpoint, resource_server = excluded.resource_server,
            scopes = excluded.scopes, session_id = excluded.session_id,
            session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
            refreshed_at = excluded.refreshed_at, authorization_server_nonce = excluded.authorization_server_nonce,
            resource_server_nonce = excluded.resource_server_nonce, state = 'active', state_since = NULL,
            end_reason = NULL, lease_until = NULL, version = c.version + 1, generation = c.generation + 1
        WHERE $20::bigint = 2::bigint OR $20::bigint = 1::bigint AND c.generation = $21::bigint
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_credentials AS c (
            owner, access_token, refresh_token, dpop_key, expires_at, subject, client_id, client_key_id, issuer,
            token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at, session_ends_at,
            refreshed_at, authorization_server_nonce, resource_server_nonce, version, generation)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?22, ?22
        WHERE ?20 <> 1 OR EXISTS (SELECT 1 FROM keyward_credentials WHERE owner = ?1)
        ON CONFLICT (owner) DO UPDATE
        SET access_token = excluded.access_token, refresh_token = excluded.refresh_token, dpop_key = excluded.dpop_key,
            expires_at = excluded.expires_at, subject = excluded.subject, client_id = excluded.client_id,
            client_key_id = excluded.client_key_id, issuer = excluded.issuer, token_endpoint = excluded.token_endpoint,
            revocation_endpoint = excluded.revocation_endpoint, resource_server = excluded.resource_server,
            scopes = excluded.scopes, session_id = excluded.session_id,
            session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
            refreshed_at = excluded.refreshed_at, authorization_server_nonce = excluded.authorization_server_nonce,
            resource_server_nonce = excluded.resource_server_nonce, state = 'active', state_since = NULL,
            end_reason = NULL, lease_until = NULL, version = c.version + 1, generation = c.generation + 1
        WHERE ?20 = 2 OR ?20 = 1 AND c.generation = ?21
        RETURNING 1",
};

/// `$1` owner, `$2` when, `$3` until when, `$4` the latest end of a lease that is believed, `$5` the version of which it was
/// decided to send the refresh token once more, or NULL.
pub(super) const CLAIM: Sql = Sql {
    postgres: "
        UPDATE keyward.credentials
        SET lease_until = $3::timestamp, state = CASE state WHEN 'sent' THEN 'uncertain' ELSE state END, version = version + 1
        WHERE owner = $1::text AND refresh_token IS NOT NULL
          AND (lease_until IS NULL OR lease_until <= $2::timestamp OR lease_until > $4::timestamp)
          AND (state = 'active' OR version = $5::bigint AND state IN ('sent', 'uncertain'))
        RETURNING 1",
    sqlite: "
        UPDATE keyward_credentials
        SET lease_until = ?3, state = CASE state WHEN 'sent' THEN 'uncertain' ELSE state END, version = version + 1
        WHERE owner = ?1 AND refresh_token IS NOT NULL
          AND (lease_until IS NULL OR lease_until <= ?2 OR lease_until > ?4)
          AND (state = 'active' OR version = ?5 AND state IN ('sent', 'uncertain'))
        RETURNING 1",
};

/// `$1` owner, `$2` the version of the lease, `$3` when, `$4` the latest end of a lease that is believed, `$5` until when it
/// goes from now on.
pub(super) const MARK: Sql = Sql {
    postgres: "
        UPDATE keyward.credentials SET state = 'sent', state_since = $3::timestamp, lease_until = $5::timestamp
        WHERE owner = $1::text AND version = $2::bigint AND state IN ('active', 'uncertain')
          AND lease_until > $3::timestamp AND lease_until <= $4::timestamp
        RETURNING 1",
    sqlite: "
        UPDATE keyward_credentials SET state = 'sent', state_since = ?3, lease_until = ?5
        WHERE owner = ?1 AND version = ?2 AND state IN ('active', 'uncertain') AND lease_until > ?3 AND lease_until <= ?4
        RETURNING 1",
};

/// `$1` owner, `$2` the generation that the pair was bought with, `$3` access token, `$4` refresh token, `$5` expiry, `$6`
/// scopes or NULL, `$7` and `$8` nonces or NULL, `$9` when. Over a session that has ended meanwhile the access token may be
/// dead, so that it counts as expired and is refreshed before it is used.
pub(super) const SAVE: Sql = Sql {
    postgres: "
        UPDATE keyward.credentials
        SET access_token = $3::text, refresh_token = $4::text,
            expires_at = CASE WHEN state = 'ended' THEN $9::timestamp ELSE $5::timestamp END, scopes = coalesce($6::text, scopes), authorization_server_nonce = coalesce($7::text, authorization_server_nonce),
            resource_server_nonce = coalesce($8::text, resource_server_nonce), refreshed_at = $9::timestamp,
            state = 'active', state_since = NULL, end_reason = NULL, lease_until = NULL, version = version + 1,
            generation = generation + 1
        WHERE owner = $1::text AND generation = $2::bigint
        RETURNING 1",
    sqlite: "
        UPDATE keyward_credentials
        SET access_token = ?3, refresh_token = ?4, expires_at = CASE WHEN state = 'ended' THEN ?9 ELSE ?5 END,
            scopes = coalesce(?6, scopes),
            authorization_server_nonce = coalesce(?7, authorization_server_nonce),
            resource_server_nonce = coalesce(?8, resource_server_nonce), refreshed_at = ?9,
            state = 'active', state_since = NULL, end_reason = NULL, lease_until = NULL, version = version + 1,
            generation = generation + 1
        WHERE owner = ?1 AND generation = ?2
        RETURNING 1",
};

/// `$1` owner, `$2` the version of the lease, `$3` to `$5` the state, `$6` and `$7` nonces or NULL.
pub(super) const RELEASE: Sql = Sql {
    postgres: "
        UPDATE keyward.credentials
        SET state = $3::text, state_since = $4::timestamp, end_reason = $5::text, lease_until = NULL, version = version + 1,
            authorization_server_nonce = coalesce($6::text, authorization_server_nonce),
            resource_server_nonce = coalesce($7::text, resource_server_nonce)
        WHERE owner = $1::text AND version = $2::bigint AND lease_until IS NOT NULL
        RETURNING 1",
    sqlite: "
        UPDATE keyward_credentials
        SET state = ?3, state_since = ?4, end_reason = ?5, lease_until = NULL, version = version + 1,
            authorization_server_nonce = coalesce(?6, authorization_server_nonce),
            resource_server_nonce = coalesce(?7, resource_server_nonce)
        WHERE owner = ?1 AND version = ?2 AND lease_until IS NOT NULL
        RETURNING 1",
};

/// `$1` owner, `$2` the generation that they came with, `$3` and `$4` nonces or NULL.
pub(super) const NOTE_NONCES: Sql = Sql {
    postgres: "
        UPDATE keyward.credentials
        SET authorization_server_nonce = coalesce($3::text, authorization_server_nonce),
            resource_server_nonce = coalesce($4::text, resource_server_nonce)
        WHERE owner = $1::text AND generation = $2::bigint
        RETURNING 1",
    sqlite: "
        UPDATE keyward_credentials
        SET authorization_server_nonce = coalesce(?3, authorization_server_nonce),
            resource_server_nonce = coalesce(?4, resource_server_nonce)
        WHERE owner = ?1 AND generation = ?2
        RETURNING 1",
};

/// `$1` owner, `$2` version and `$3` generation that were read, `$4` to `$6` the envelopes, `$7` when, `$8` the latest end of
/// a lease that is believed.
pub(super) const RESEAL: Sql = Sql {
    postgres: "
        UPDATE keyward.credentials SET access_token = $4::text, refresh_token = $5::text, dpop_key = $6::text
        WHERE owner = $1::text AND version = $2::bigint AND generation = $3::bigint
          AND (lease_until IS NULL OR lease_until <= $7::timestamp OR lease_until > $8::timestamp)
        RETURNING 1",
    sqlite: "
        UPDATE keyward_credentials SET access_token = ?4, refresh_token = ?5, dpop_key = ?6
        WHERE owner = ?1 AND version = ?2 AND generation = ?3
          AND (lease_until IS NULL OR lease_until <= ?7 OR lease_until > ?8)
        RETURNING 1",
};

/// `$1` owner.
pub(super) const WIPE: Sql = Sql {
    postgres: "DELETE FROM keyward.credentials WHERE owner = $1::text RETURNING 1",
    sqlite: "DELETE FROM keyward_credentials WHERE owner = ?1 RETURNING 1",
};
