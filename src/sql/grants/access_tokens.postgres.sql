-- Access tokens, by the SHA-256 of each in hexadecimal digits.
CREATE TABLE access_tokens (
    token_hash text PRIMARY KEY,
    client_id text NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    forgejo_user_id bigint NOT NULL,
    forgejo_username text NOT NULL,
    scopes text NOT NULL,
    forgejo_access_token text NOT NULL,
    forgejo_refresh_token text,
    forgejo_token_expires_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint
);
CREATE INDEX idx_access_tokens_expires_at ON access_tokens (expires_at);
CREATE INDEX idx_access_tokens_forgejo_uid ON access_tokens (forgejo_user_id);
CREATE INDEX idx_access_tokens_client_id ON access_tokens (client_id);
