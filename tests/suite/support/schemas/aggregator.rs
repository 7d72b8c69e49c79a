//! The table of the schema `aggregator` in every form that hosts have: with plaintext tokens, with encrypted ones, and
//! with none.

use keyward::key::Draft;
use keyward::schemas::aggregator::{Aggregator, AggregatorDetails, AggregatorKey};

use super::TestSchema;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::support::{Database, Fixture};

impl TestSchema for Aggregator {
    fn schema() -> Self {
        Self::new()
    }

    fn parents(postgres: bool) -> &'static str {
        if postgres { WITH_ENCRYPTED_TOKENS.postgres } else { WITH_PLAINTEXT_TOKENS.sqlite }
    }

    fn owner(owner: &str, _postgres: bool) -> String {
        format!(
            "INSERT INTO aggregators (did, display_name, record_uri, record_cid)
             VALUES ('{owner}', 'News', 'at://{owner}/service/self', 'bafy');"
        )
    }

    fn draft(owner: &str) -> Draft<Self> {
        AggregatorKey::of(owner).unwrap().into()
    }

    fn samples() -> Vec<AggregatorDetails> {
        vec![Draft::from(AggregatorKey::of("did:plc:any").unwrap()).details]
    }
}

/// The host's own table, as one of its migrations left it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl Fixture<Aggregator> {
    /// The side tables, and the host's table in this form.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn sqlite_on(table: Table) -> Self {
        Self::on(Database::sqlite(), table.sqlite, false).await
    }

    /// As [`sqlite_on`](Self::sqlite_on).
    #[cfg(feature = "postgres")]
    pub(crate) async fn postgres_on(table: Table) -> Self {
        Self::on(Database::postgres().await, table.postgres, false).await
    }
}

/// A table in both dialects, with what it keeps of OAuth credentials between the columns of keys.
macro_rules! table {
    (postgres: $postgres:literal, sqlite: $sqlite:literal $(,)?) => {
        Table {
            postgres: concat!(
                "CREATE TABLE aggregators (
                    did TEXT PRIMARY KEY,
                    display_name TEXT NOT NULL,
                    description TEXT,
                    config_schema JSONB,
                    avatar_url TEXT,
                    source_url TEXT,
                    maintainer_did TEXT,
                    record_uri TEXT NOT NULL UNIQUE,
                    record_cid TEXT NOT NULL,
                    communities_using INTEGER NOT NULL DEFAULT 0,
                    posts_created BIGINT NOT NULL DEFAULT 0,
                    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
                    indexed_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
                    api_key_prefix VARCHAR(12),
                    api_key_hash VARCHAR(64) UNIQUE,",
                $postgres,
                "   api_key_created_at TIMESTAMPTZ,
                    api_key_revoked_at TIMESTAMPTZ,
                    api_key_last_used_at TIMESTAMPTZ
                );
                CREATE INDEX idx_aggregators_api_key_hash ON aggregators (api_key_hash) WHERE api_key_hash IS NOT NULL;
                CREATE INDEX idx_aggregators_created_at ON aggregators (created_at DESC);"
            ),
            sqlite: concat!(
                "CREATE TABLE aggregators (
                    did TEXT PRIMARY KEY NOT NULL,
                    display_name TEXT NOT NULL,
                    description TEXT,
                    config_schema TEXT,
                    avatar_url TEXT,
                    source_url TEXT,
                    maintainer_did TEXT,
                    record_uri TEXT NOT NULL UNIQUE,
                    record_cid TEXT NOT NULL,
                    communities_using INTEGER NOT NULL DEFAULT 0,
                    posts_created INTEGER NOT NULL DEFAULT 0,
                    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
                    indexed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
                    api_key_prefix VARCHAR(12),
                    api_key_hash VARCHAR(64) UNIQUE,",
                $sqlite,
                "   api_key_created_at TIMESTAMP,
                    api_key_revoked_at TIMESTAMP,
                    api_key_last_used_at TIMESTAMP
                );
                CREATE INDEX idx_aggregators_api_key_hash ON aggregators (api_key_hash) WHERE api_key_hash IS NOT NULL;"
            ),
        }
    };
}

/// The first form, with tokens in clear.
pub(crate) const WITH_PLAINTEXT_TOKENS: Table = table! {
    postgres: "
        oauth_access_token TEXT,
        oauth_refresh_token TEXT,
        oauth_token_expires_at TIMESTAMPTZ,
        oauth_pds_url TEXT,
        oauth_auth_server_iss TEXT,
        oauth_auth_server_token_endpoint TEXT,
        oauth_dpop_private_key_multibase TEXT,
        oauth_dpop_authserver_nonce TEXT,
        oauth_dpop_pds_nonce TEXT,",
    sqlite: "
        oauth_access_token TEXT,
        oauth_refresh_token TEXT,
        oauth_token_expires_at TIMESTAMP,
        oauth_pds_url TEXT,
        oauth_auth_server_iss TEXT,
        oauth_auth_server_token_endpoint TEXT,
        oauth_dpop_private_key_multibase TEXT,
        oauth_dpop_authserver_nonce TEXT,
        oauth_dpop_pds_nonce TEXT,",
};

/// The later form, with tokens encrypted in the database.
pub(crate) const WITH_ENCRYPTED_TOKENS: Table = table! {
    postgres: "
        oauth_token_expires_at TIMESTAMPTZ,
        oauth_pds_url TEXT,
        oauth_auth_server_iss TEXT,
        oauth_auth_server_token_endpoint TEXT,
        oauth_dpop_authserver_nonce TEXT,
        oauth_dpop_pds_nonce TEXT,
        oauth_access_token_encrypted BYTEA,
        oauth_refresh_token_encrypted BYTEA,
        oauth_dpop_private_key_encrypted BYTEA,",
    sqlite: "
        oauth_token_expires_at TIMESTAMP,
        oauth_pds_url TEXT,
        oauth_auth_server_iss TEXT,
        oauth_auth_server_token_endpoint TEXT,
        oauth_dpop_authserver_nonce TEXT,
        oauth_dpop_pds_nonce TEXT,
        oauth_access_token_encrypted BLOB,
        oauth_refresh_token_encrypted BLOB,
        oauth_dpop_private_key_encrypted BLOB,",
};

/// What the host's service has beside the table on PostgreSQL, as its migrations left it: the key of what its database
/// encrypts, and its own store of sessions.
pub(crate) const BESIDE_THE_TABLE: &str = "
    CREATE EXTENSION IF NOT EXISTS pgcrypto;
    CREATE TABLE encryption_keys (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        key_data BYTEA NOT NULL,
        created_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,
        rotated_at TIMESTAMPTZ
    );
    INSERT INTO encryption_keys (id, key_data)
    VALUES (1, '\\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
    CREATE TABLE oauth_sessions (
        id SERIAL PRIMARY KEY,
        did TEXT NOT NULL,
        handle TEXT NOT NULL,
        pds_url TEXT NOT NULL,
        access_token TEXT NOT NULL,
        refresh_token TEXT NOT NULL,
        dpop_private_jwk JSONB,
        dpop_authserver_nonce TEXT,
        dpop_pds_nonce TEXT,
        auth_server_iss TEXT NOT NULL,
        expires_at TIMESTAMPTZ NOT NULL,
        created_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,
        updated_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,
        session_id TEXT NOT NULL,
        host_url TEXT,
        auth_server_token_endpoint TEXT,
        auth_server_revocation_endpoint TEXT,
        scopes TEXT[],
        dpop_private_key_multibase TEXT,
        CONSTRAINT oauth_sessions_did_session_id_key UNIQUE (did, session_id)
    );
    CREATE FUNCTION update_oauth_session_updated_at() RETURNS TRIGGER AS $$
    BEGIN
        NEW.updated_at = CURRENT_TIMESTAMP;
        RETURN NEW;
    END;
    $$ LANGUAGE plpgsql;
    CREATE TRIGGER oauth_sessions_updated_at BEFORE UPDATE ON oauth_sessions
        FOR EACH ROW EXECUTE FUNCTION update_oauth_session_updated_at();";

/// A form that keeps no OAuth credentials, for hosts whose aggregators have none.
pub(crate) const WITHOUT_TOKENS: Table = table! { postgres: "", sqlite: "" };

/// The host has none, so that keyward makes it.
pub(crate) const MADE_BY_KEYWARD: Table = Table { postgres: "", sqlite: "" };

/// Runs each of these `async fn(Fixture<Aggregator>)` over both engines and every form of the host's table.
macro_rules! over_every_form_of_the_table {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            $crate::support::schemas::aggregator::over_every_form_of_the_table!(@on $test:
                sqlite_with_plaintext_tokens if "sqlite" = sqlite_on(WITH_PLAINTEXT_TOKENS),
                sqlite_with_encrypted_tokens if "sqlite" = sqlite_on(WITH_ENCRYPTED_TOKENS),
                sqlite_without_tokens if "sqlite" = sqlite_on(WITHOUT_TOKENS),
                sqlite_made_by_keyward if "sqlite" = sqlite_on(MADE_BY_KEYWARD),
                postgres_with_plaintext_tokens if "postgres" = postgres_on(WITH_PLAINTEXT_TOKENS),
                postgres_with_encrypted_tokens if "postgres" = postgres_on(WITH_ENCRYPTED_TOKENS),
                postgres_without_tokens if "postgres" = postgres_on(WITHOUT_TOKENS),
                postgres_made_by_keyward if "postgres" = postgres_on(MADE_BY_KEYWARD),
            );
        }
    )+};
    (@on $test:ident: $($name:ident if $feature:literal = $setting:ident($table:ident)),+ $(,)?) => {$(
        #[cfg(feature = $feature)]
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            use $crate::support::{Fixture, schemas::aggregator::$table};

            super::$test(Fixture::$setting($table).await).await;
        }
    )+};
}
pub(crate) use over_every_form_of_the_table;
