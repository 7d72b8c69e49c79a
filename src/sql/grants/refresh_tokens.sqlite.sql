-- Refresh tokens, by the SHA-256 of each in hexadecimal digits.
CREATE TABLE refresh_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    access_token_hash TEXT NOT NULL REFERENCES access_tokens (token_hash) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
);
CREATE INDEX idx_refresh_tokens_expires_at ON refresh_tokens (expires_at);
CREATE INDEX idx_refresh_tokens_access_token_hash ON refresh_tokens (access_token_hash);
CREATE INDEX idx_refresh_tokens_client_id ON refresh_tokens (client_id);
