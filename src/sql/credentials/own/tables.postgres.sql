-- Upstream OAuth credentials, one for an owner. Tokens and keys stand in it as envelopes that only the service can open.
CREATE TABLE IF NOT EXISTS keyward.credentials (
    owner text COLLATE pg_catalog."C" PRIMARY KEY,
    access_token text NOT NULL,
    refresh_token text,
    -- NULL for bearer tokens.
    dpop_key text,
    expires_at timestamp,
    subject text,
    client_id text NOT NULL,
    client_key_id text,
    issuer text NOT NULL,
    token_endpoint text NOT NULL,
    revocation_endpoint text,
    resource_server text,
    -- With spaces between them (RFC 6749 section 3.3).
    scopes text NOT NULL DEFAULT '',
    session_id text,
    session_started_at timestamp,
    session_ends_at timestamp,
    refreshed_at timestamp,
    authorization_server_nonce text,
    resource_server_nonce text,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'sent', 'uncertain', 'ended')),
    state_since timestamp,
    end_reason text,
    lease_until timestamp,
    -- Counts leases and changes of the state.
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    -- Counts token pairs.
    generation bigint NOT NULL DEFAULT 1 CHECK (generation > 0)
) WITH (fillfactor = 70);
