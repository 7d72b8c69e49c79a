-- Authorization codes. What stands for a code of ours is its digest.
CREATE TABLE auth_codes (
    code text PRIMARY KEY,
    client_id text NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
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
CREATE INDEX idx_auth_codes_expires_at ON auth_codes (expires_at);
CREATE INDEX idx_auth_codes_client_id ON auth_codes (client_id);
