-- Keys of the schema `standard`. An instant is 'YYYY-MM-DD HH:MM:SS[.ffffff]' in UTC, which sorts as text.
CREATE TABLE IF NOT EXISTS keyward_keys (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (length(environment) BETWEEN 1 AND 8 AND environment NOT GLOB '*[^a-z0-9]*'),
    name TEXT NOT NULL,
    description TEXT,
    prefix TEXT NOT NULL,
    -- SHA-256 of the whole key.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    -- With spaces between them (RFC 6749 section 3.3).
    scopes TEXT NOT NULL DEFAULT '',
    metadata TEXT,
    requests_per_minute INTEGER CHECK (requests_per_minute > 0),
    created_at TEXT NOT NULL,
    created_by TEXT,
    expires_at TEXT,
    revoked_at TEXT,
    revocation_reason TEXT,
    is_disabled INTEGER NOT NULL DEFAULT 0 CHECK (is_disabled IN (0, 1)),
    disabled_at TEXT,
    disabling_reason TEXT,
    -- The first key of those that were rotated one into the other.
    lineage TEXT NOT NULL,
    -- No foreign keys: the neighbours may have been purged.
    predecessor_id TEXT,
    successor_id TEXT,
    imported_from TEXT,
    version INTEGER NOT NULL DEFAULT 1 CHECK (version > 0)
) STRICT;

CREATE INDEX IF NOT EXISTS keyward_keys_owner ON keyward_keys (owner, created_at, id);
CREATE INDEX IF NOT EXISTS keyward_keys_created_at ON keyward_keys (created_at, id);
-- When a key died, for the purge.
CREATE INDEX IF NOT EXISTS keyward_keys_dead_at
    ON keyward_keys (coalesce(min(revoked_at, expires_at), revoked_at, expires_at))
    WHERE revoked_at IS NOT NULL OR expires_at IS NOT NULL;

-- The last use, apart from the keys: it is written often, and a narrow row costs a fraction of the log.
CREATE TABLE IF NOT EXISTS keyward_key_uses (
    key_id TEXT NOT NULL PRIMARY KEY REFERENCES keyward_keys (id) ON DELETE CASCADE,
    used_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was done to a key, one row for each of its versions.
CREATE TABLE IF NOT EXISTS keyward_key_history (
    key_id TEXT NOT NULL REFERENCES keyward_keys (id) ON DELETE CASCADE,
    from_version INTEGER NOT NULL CHECK (from_version >= 0),
    to_version INTEGER NOT NULL CHECK (to_version > 0),
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    actor TEXT,
    reason TEXT,
    -- A JSON array of {"field", "before", "after"}.
    changes TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (key_id, to_version)
) STRICT;
