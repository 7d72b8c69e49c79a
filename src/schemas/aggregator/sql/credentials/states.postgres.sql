-- What the columns of the host's table `aggregators` cannot hold of an aggregator's upstream OAuth credential. No secret
-- stands in it. A row outlives that of the aggregator: it belongs to the pair of tokens whose mark is the same.
CREATE TABLE IF NOT EXISTS keyward.credential_states (
    owner text COLLATE pg_catalog."C" PRIMARY KEY,
    -- Of the tokens that stood in the host's row when this one was written. Where others stand there, somebody else has
    -- stored them, and this row says nothing about them.
    pair text NOT NULL,
    subject text,
    client_id text NOT NULL,
    client_key_id text,
    revocation_endpoint text,
    -- With spaces between them (RFC 6749 section 3.3).
    scopes text NOT NULL DEFAULT '',
    session_id text,
    session_started_at timestamp,
    session_ends_at timestamp,
    refreshed_at timestamp,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'sent', 'uncertain', 'ended')),
    state_since timestamp,
    end_reason text,
    lease_until timestamp,
    -- Counts leases and changes of the state.
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    -- Numbers token pairs.
    generation bigint NOT NULL DEFAULT 1 CHECK (generation > 0)
) WITH (fillfactor = 70);
