-- Authorization codes. What stands for a code of ours is its digest.
CREATE TABLE auth_codes (
    code TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
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
CREATE INDEX idx_auth_codes_expires_at ON auth_codes (expires_at);
CREATE INDEX idx_auth_codes_client_id ON auth_codes (client_id);
