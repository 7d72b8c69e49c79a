-- Access tokens, by the SHA-256 of each in hexadecimal digits.
CREATE TABLE access_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
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
CREATE INDEX idx_access_tokens_expires_at ON access_tokens (expires_at);
CREATE INDEX idx_access_tokens_forgejo_uid ON access_tokens (forgejo_user_id);
CREATE INDEX idx_access_tokens_client_id ON access_tokens (client_id);
