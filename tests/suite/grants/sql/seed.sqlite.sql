-- The tables of forgejo-mcp-broker, as its own migration 0002_oauth_tables.sql makes them.
CREATE TABLE clients (
    client_id TEXT PRIMARY KEY,
    client_secret TEXT,
    redirect_uris TEXT NOT NULL,
    metadata_json TEXT,
    created_at INTEGER NOT NULL,
    last_used INTEGER
);
CREATE INDEX idx_clients_last_used ON clients(last_used);
CREATE TABLE auth_codes (
    code TEXT PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients(client_id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    code_challenge_method TEXT NOT NULL,
    scopes TEXT NOT NULL,
    forgejo_access_token TEXT NOT NULL,
    forgejo_refresh_token TEXT,
    forgejo_token_expires_at INTEGER NOT NULL,
    forgejo_user_id INTEGER NOT NULL,
    forgejo_username TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
);
CREATE INDEX idx_auth_codes_expires_at ON auth_codes(expires_at);
CREATE TABLE access_tokens (
    token_hash TEXT PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients(client_id) ON DELETE CASCADE,
    forgejo_user_id INTEGER NOT NULL,
    forgejo_username TEXT NOT NULL,
    scopes TEXT NOT NULL,
    forgejo_access_token TEXT NOT NULL,
    forgejo_refresh_token TEXT,
    forgejo_token_expires_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
);
CREATE INDEX idx_access_tokens_expires_at ON access_tokens(expires_at);
CREATE INDEX idx_access_tokens_forgejo_uid ON access_tokens(forgejo_user_id);
CREATE TABLE refresh_tokens (
    token_hash TEXT PRIMARY KEY,
    access_token_hash TEXT NOT NULL REFERENCES access_tokens(token_hash) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients(client_id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
);
CREATE INDEX idx_refresh_tokens_expires_at ON refresh_tokens(expires_at);
