-- The table of the schema `mesh`, as faithfully as SQLite can hold it: a name with a schema becomes a plain one, JSON is text,
-- and an instant is 'YYYY-MM-DD HH:MM:SS[.ffffff]' in UTC. Its parents are the host's.
CREATE TABLE IF NOT EXISTS api_key (
    id TEXT PRIMARY KEY NOT NULL,
    mesh_id TEXT NOT NULL REFERENCES mesh (id) ON DELETE CASCADE ON UPDATE CASCADE,
    label TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    secret_prefix TEXT NOT NULL,
    capabilities TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(capabilities)),
    topic_scopes TEXT CHECK (topic_scopes IS NULL OR json_valid(topic_scopes)),
    issued_by_member_id TEXT REFERENCES member (id) ON DELETE SET NULL ON UPDATE CASCADE,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    last_used_at TIMESTAMP,
    revoked_at TIMESTAMP,
    expires_at TIMESTAMP
);

CREATE INDEX IF NOT EXISTS api_key_by_mesh ON api_key (mesh_id);
CREATE INDEX IF NOT EXISTS api_key_by_prefix ON api_key (secret_prefix);
