-- Upstream OAuth credentials, one for an owner. Tokens and keys stand in it as envelopes that only the service can open.
-- An instant is 'YYYY-MM-DD HH:MM:SS[.ffffff]' in UTC, which sorts as text.
CREATE TABLE IF NOT EXISTS keyward_credentials (
    owner TEXT NOT NULL PRIMARY KEY,
    access_token TEXT NOT NULL,
    refresh_token TEXT,
    -- NULL for bearer tokens.
    dpop_key TEXT,
    expires_at TEXT,
    subject TEXT,
    client_id TEXT NOT NULL,
    client_key_id TEXT,
    issuer TEXT NOT NULL,
    token_endpoint TEXT NOT NULL,
    revocation_endpoint TEXT,
    resource_server TEXT,
    -- With spaces between them (RFC 6749 section 3.3).
    scopes TEXT NOT NULL DEFAULT '',
    session_id TEXT,
    session_started_at TEXT,
    session_ends_at TEXT,
    refreshed_at TEXT,
    authorization_server_nonce TEXT,
    resource_server_nonce TEXT,
    state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'sent', 'uncertain', 'ended')),
    state_since TEXT,
    end_reason TEXT,
    lease_until TEXT,
    -- Counts leases and changes of the state.
    version INTEGER NOT NULL DEFAULT 1 CHECK (version > 0),
    -- Counts token pairs.
    generation INTEGER NOT NULL DEFAULT 1 CHECK (generation > 0)
) STRICT;
