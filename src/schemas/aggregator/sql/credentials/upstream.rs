//! What the upstream service keeps beside the host's table: the key of what its database encrypts, and the session of each
//! API key in clear, without which it accepts none.

use crate::sql::credentials::interpret;
use crate::sql::engine::{Engine, EngineError, Query, Sql};
use crate::store::{StoreError, Unfit};

/// In which schema the functions of `pgcrypto` are.
pub(super) static EXTENSION: Query = Query::new(
    Sql {
        postgres: "
            SELECT n.nspname::text AS schema
            FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
            WHERE e.extname = 'pgcrypto'::name",
        sqlite: "SELECT NULL AS schema WHERE false",
    },
    &["schema"],
);

/// Returns a row if there is a key. Without one, what is encrypted would be NULL.
pub(super) static KEY: Query = Query::new(
    Sql {
        postgres: "SELECT 1 FROM encryption_keys k WHERE k.id = 1 AND pg_catalog.octet_length(k.key_data) > 0",
        sqlite: "SELECT 1 FROM encryption_keys k WHERE k.id = 1 AND length(k.key_data) > 0",
    },
    &[],
);

/// Returns a row if there is a table of sessions.
pub(super) static SESSIONS: Query = Query::new(
    Sql {
        postgres: "SELECT 1 WHERE pg_catalog.to_regclass('oauth_sessions'::text) IS NOT NULL",
        sqlite: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'oauth_sessions'",
    },
    &[],
);

/// The session of an API key is copied to where the upstream service looks for it: `$1` owner, `$2` access token, `$3` refresh
/// token, `$4` DPoP key, `$5` PDS, `$6` issuer, `$7` token endpoint, `$8` revocation endpoint, `$9` scopes, `$10` and `$11`
/// nonces, `$12` until when it is kept. The service itself writes the DID where it should write a handle.
pub(super) const PUT_SESSION: Sql = Sql {
    postgres: "
        INSERT INTO oauth_sessions AS u (
            did, session_id, handle, pds_url, host_url, access_token, refresh_token, dpop_private_key_multibase,
            auth_server_iss, auth_server_token_endpoint, auth_server_revocation_endpoint, scopes, dpop_authserver_nonce,
            dpop_pds_nonce, expires_at)
        VALUES ($1::text, 'apikey', $1::text, $5::text, $5::text, $2::text, $3::text, $4::text, $6::text, $7::text,
                $8::text, pg_catalog.string_to_array(nullif($9::text, ''::text), ' '::text), $10::text, $11::text,
                $12::timestamp AT TIME ZONE 'UTC')
        ON CONFLICT (did, session_id) DO UPDATE
        SET pds_url = excluded.pds_url, host_url = excluded.host_url, access_token = excluded.access_token,
            refresh_token = excluded.refresh_token, dpop_private_key_multibase = excluded.dpop_private_key_multibase,
            auth_server_iss = excluded.auth_server_iss,
            auth_server_token_endpoint = excluded.auth_server_token_endpoint,
            auth_server_revocation_endpoint = excluded.auth_server_revocation_endpoint, scopes = excluded.scopes,
            dpop_authserver_nonce = excluded.dpop_authserver_nonce, dpop_pds_nonce = excluded.dpop_pds_nonce,
            expires_at = excluded.expires_at
        RETURNING 1",
    // The upstream service has PostgreSQL alone.
    sqlite: "SELECT 1 WHERE false",
};

/// A new pair for that session: `$1` owner, `$2` access token, `$3` refresh token, `$4` and `$5` nonces or NULL, `$6` until when
/// it is kept at least.
pub(super) const SAVE_SESSION: Sql = Sql {
    postgres: "
        UPDATE oauth_sessions u
        SET access_token = $2::text, refresh_token = $3::text,
            dpop_authserver_nonce = coalesce($4::text, u.dpop_authserver_nonce),
            dpop_pds_nonce = coalesce($5::text, u.dpop_pds_nonce),
            expires_at = greatest(u.expires_at, $6::timestamp AT TIME ZONE 'UTC')
        WHERE u.did::text = $1::text AND u.did::text COLLATE pg_catalog.\"C\" = $1::text
          AND u.session_id::text = 'apikey'::text
        RETURNING 1",
    sqlite: "SELECT 1 WHERE false",
};

/// `$1` owner.
pub(super) const DELETE_SESSION: Sql = Sql {
    postgres: "
        DELETE FROM oauth_sessions u
        WHERE u.did::text = $1::text AND u.did::text COLLATE pg_catalog.\"C\" = $1::text
          AND u.session_id::text = 'apikey'::text
        RETURNING 1",
    sqlite: "DELETE FROM oauth_sessions WHERE did = ?1 COLLATE BINARY AND session_id = 'apikey' RETURNING 1",
};

const fn no_extension() -> StoreError {
    StoreError::Unfit(Unfit::CannotEncrypt { lacking: "the extension pgcrypto is not installed" })
}

pub(super) const fn no_key() -> StoreError {
    StoreError::Unfit(Unfit::CannotEncrypt { lacking: "there is no key in the row 1 of encryption_keys" })
}

/// What the database has to have to encrypt is there, and is trusted. SQLite has none of it.
pub(super) async fn require_encryption(engine: &Engine) -> Result<(), StoreError> {
    let found = engine.read(&EXTENSION, &[], |row| row.cell(0).as_text().map(str::to_owned)).await;
    let schema = found.map_err(interpret)?.pop().flatten().ok_or_else(no_extension)?;
    call_in(engine, &schema);
    require_trusted(engine, "encryption_keys").await?;
    match engine.read(&KEY, &[], |_| ()).await {
        Ok(found) if found.is_empty() => Err(no_key()),
        Ok(_) => Ok(()),
        Err(EngineError::Failed { .. }) => Err(no_key()),
        Err(error) => Err(interpret(error)),
    }
}

/// From now on the functions of `pgcrypto` are called in this schema, whatever stands before it on the search path.
fn call_in(engine: &Engine, schema: &str) {
    match engine {
        #[cfg(feature = "sqlite")]
        Engine::Sqlite(_) => {
            let _ = schema;
        }
        #[cfg(feature = "postgres")]
        Engine::Postgres(postgres) => postgres.find_pgcrypto_in(schema),
    }
}

/// Whether there is a table of sessions. One that somebody else has put there would be given every token in clear.
pub(super) async fn has_sessions(engine: &Engine) -> Result<bool, StoreError> {
    let found = engine.read(&SESSIONS, &[], |_| ()).await.map_err(interpret)?;
    if found.is_empty() {
        return Ok(false);
    }
    require_trusted(engine, "oauth_sessions").await?;
    Ok(true)
}

/// A table beside the host's belongs to whom the host's belongs, or to somebody who is trusted anyway.
async fn require_trusted(engine: &Engine, name: &str) -> Result<(), StoreError> {
    match engine.untrusted_beside(name, "aggregators").await.map_err(interpret)? {
        Some(found) => Err(Unfit::Untrusted { object: found.object, owner: found.owner }.into()),
        None => Ok(()),
    }
}
