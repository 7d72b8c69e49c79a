-- The tables of forgejo-mcp-broker (0002_oauth_tables.sql), with PostgreSQL's names of the types.
CREATE TABLE clients (
    client_id text PRIMARY KEY,
    client_secret text,
    redirect_uris text NOT NULL,
    metadata_json text,
    created_at bigint NOT NULL,
    last_used bigint
);
CREATE INDEX idx_clients_last_used ON clients(last_used);
CREATE TABLE auth_codes (
    code text PRIMARY KEY,
    client_id text NOT NULL REFERENCES clients(client_id) ON DELETE CASCADE,
    redirect_uri text NOT NULL,
    code_challenge text NOT NULL,
    code_challenge_method text NOT NULL,
    scopes text NOT NULL,
    forgejo_access_token text NOT NULL,
    forgejo_refresh_token text,
    forgejo_token_expires_at bigint NOT NULL,
    forgejo_user_id bigint NOT NULL,
    forgejo_username text NOT NULL,
    expires_at bigint NOT NULL,
    used_at bigint
);
CREATE INDEX idx_auth_codes_expires_at ON auth_codes(expires_at);
CREATE TABLE access_tokens (
    token_hash text PRIMARY KEY,
    client_id text NOT NULL REFERENCES clients(client_id) ON DELETE CASCADE,
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
CREATE INDEX idx_access_tokens_expires_at ON access_tokens(expires_at);
CREATE INDEX idx_access_tokens_forgejo_uid ON access_tokens(forgejo_user_id);
CREATE TABLE refresh_tokens (
    token_hash text PRIMARY KEY,
    access_token_hash text NOT NULL REFERENCES access_tokens(token_hash) ON DELETE CASCADE,
    client_id text NOT NULL REFERENCES clients(client_id) ON DELETE CASCADE,
    expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint
);
CREATE INDEX idx_refresh_tokens_expires_at ON refresh_tokens(expires_at);
