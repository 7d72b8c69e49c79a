-- Refresh tokens, by the SHA-256 of each in hexadecimal digits.
CREATE TABLE refresh_tokens (
    token_hash text PRIMARY KEY,
    access_token_hash text NOT NULL REFERENCES access_tokens (token_hash) ON DELETE CASCADE,
    client_id text NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint
);
CREATE INDEX idx_refresh_tokens_expires_at ON refresh_tokens (expires_at);
CREATE INDEX idx_refresh_tokens_access_token_hash ON refresh_tokens (access_token_hash);
CREATE INDEX idx_refresh_tokens_client_id ON refresh_tokens (client_id);
