-- The table of the schema `scraper`, as faithfully as SQLite can hold it: a UUID is lowercase text, an array is JSON, an instant
-- is 'YYYY-MM-DD HH:MM:SS[.ffffff]' in UTC, and lengths and types that PostgreSQL enforces are checked.
CREATE TABLE IF NOT EXISTS api_keys (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (
        lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    ),
    key_hash VARCHAR(64) NOT NULL UNIQUE CHECK (length(key_hash) <= 64),
    key_prefix VARCHAR(8) NOT NULL CHECK (length(key_prefix) <= 8),
    name VARCHAR(255) NOT NULL CHECK (length(name) <= 255),
    client_id VARCHAR(255) NOT NULL CHECK (length(client_id) <= 255),
    scopes TEXT DEFAULT '[]' CHECK (json_type(scopes) = 'array'),
    rate_limit_rpm INTEGER DEFAULT 60 CHECK (typeof(rate_limit_rpm) IN ('integer', 'null')),
    is_active BOOLEAN DEFAULT TRUE CHECK (is_active IN (FALSE, TRUE)),
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    last_used_at TIMESTAMP,
    expires_at TIMESTAMP,
    metadata TEXT CHECK (metadata IS NULL OR json_valid(metadata))
);

CREATE INDEX IF NOT EXISTS idx_api_keys_key_hash ON api_keys (key_hash);
CREATE INDEX IF NOT EXISTS idx_api_keys_client_id ON api_keys (client_id);
CREATE INDEX IF NOT EXISTS idx_api_keys_active ON api_keys (is_active) WHERE is_active = TRUE;
