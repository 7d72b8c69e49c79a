-- What the columns of the host's table `aggregators` cannot hold of an aggregator's upstream OAuth credential. A row
-- outlives that of the aggregator: it belongs to the pair of tokens whose mark is the same.
-- An instant is 'YYYY-MM-DD HH:MM:SS[.ffffff]' in UTC, which sorts as text.
CREATE TABLE IF NOT EXISTS keyward_credential_states (
    owner TEXT NOT NULL PRIMARY KEY,
    -- Of the tokens that stood in the host's row when this one was written. Where others stand there, somebody else has
    -- stored them, and this row says nothing about them.
    pair TEXT NOT NULL,
    subject TEXT,
    client_id TEXT NOT NULL,
    client_key_id TEXT,
    revocation_endpoint TEXT,
    -- With spaces between them (RFC 6749 section 3.3).
    scopes TEXT NOT NULL DEFAULT '',
    session_id TEXT,
    session_started_at TEXT,
    session_ends_at TEXT,
    refreshed_at TEXT,
    state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'sent', 'uncertain', 'ended')),
    state_since TEXT,
    end_reason TEXT,
    lease_until TEXT,
    -- Counts leases and changes of the state.
    version INTEGER NOT NULL DEFAULT 1 CHECK (version > 0),
    -- Numbers token pairs.
    generation INTEGER NOT NULL DEFAULT 1 CHECK (generation > 0)
) STRICT;
