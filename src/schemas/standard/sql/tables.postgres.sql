-- Keys of the schema `standard`. Instants are in UTC. Letters are compared by their codes, so that identities are
-- exact and pages come in the same order on every server.
CREATE TABLE IF NOT EXISTS keyward.keys (
    id text COLLATE pg_catalog."C" PRIMARY KEY,
    owner text COLLATE pg_catalog."C" NOT NULL,
    environment text COLLATE pg_catalog."C" NOT NULL CHECK (environment ~ '^[a-z0-9]{1,8}$'),
    name text NOT NULL,
    description text,
    prefix text COLLATE pg_catalog."C" NOT NULL,
    -- SHA-256 of the whole key.
    digest bytea NOT NULL UNIQUE CHECK (pg_catalog.octet_length(digest) = 32),
    -- With spaces between them (RFC 6749 section 3.3).
    scopes text NOT NULL DEFAULT '',
    metadata text,
    requests_per_minute integer CHECK (requests_per_minute > 0),
    created_at timestamp NOT NULL,
    created_by text,
    expires_at timestamp,
    revoked_at timestamp,
    revocation_reason text,
    is_disabled boolean NOT NULL DEFAULT false,
    disabled_at timestamp,
    disabling_reason text,
    -- The first key of those that were rotated one into the other.
    lineage text COLLATE pg_catalog."C" NOT NULL,
    -- No foreign keys: the neighbours may have been purged.
    predecessor_id text COLLATE pg_catalog."C",
    successor_id text COLLATE pg_catalog."C",
    imported_from text,
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0)
);

CREATE INDEX IF NOT EXISTS keys_owner ON keyward.keys (owner, created_at, id);
CREATE INDEX IF NOT EXISTS keys_created_at ON keyward.keys (created_at, id);
-- When a key died, for the purge.
CREATE INDEX IF NOT EXISTS keys_dead_at ON keyward.keys (LEAST(revoked_at, expires_at))
    WHERE revoked_at IS NOT NULL OR expires_at IS NOT NULL;

-- The last use, apart from the keys: it is written often, and a narrow row costs a fraction of the log. The room that
-- is left in each page lets an update stay there.
CREATE TABLE IF NOT EXISTS keyward.key_uses (
    key_id text COLLATE pg_catalog."C" PRIMARY KEY REFERENCES keyward.keys (id) ON DELETE CASCADE,
    used_at timestamp NOT NULL
) WITH (fillfactor = 70);

-- What was done to a key, one row for each of its versions.
CREATE TABLE IF NOT EXISTS keyward.key_history (
    key_id text COLLATE pg_catalog."C" NOT NULL REFERENCES keyward.keys (id) ON DELETE CASCADE,
    from_version bigint NOT NULL CHECK (from_version >= 0),
    to_version bigint NOT NULL CHECK (to_version > 0),
    at timestamp NOT NULL,
    action text NOT NULL,
    actor text,
    reason text,
    -- A JSON array of {"field", "before", "after"}.
    changes text NOT NULL DEFAULT '[]',
    PRIMARY KEY (key_id, to_version)
);
