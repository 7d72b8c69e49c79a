-- What people have allowed clients. An upstream token stands here once for all tokens of a grant: as an envelope that only
-- the service can open, unless the host shares its tables with a program that reads it in clear. Times are seconds since
-- 1970, from the application.
CREATE TABLE IF NOT EXISTS keyward_grants (
    id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_name TEXT,
    -- With spaces between them (RFC 6749 section 3.3).
    scopes TEXT NOT NULL,
    resource TEXT,
    created_at INTEGER NOT NULL,
    ends_at INTEGER,
    revoked_at INTEGER,
    revoked_reason TEXT,
    -- Until when a token of it may be good, and a replay has to be recognised.
    remembered_until INTEGER NOT NULL,
    upstream_access_token TEXT,
    upstream_refresh_token TEXT,
    upstream_expires_at INTEGER,
    -- Counts how often the upstream tokens were replaced.
    upstream_version INTEGER NOT NULL DEFAULT 0 CHECK (upstream_version >= 0)
) STRICT;
CREATE INDEX IF NOT EXISTS keyward_grants_client_id ON keyward_grants (client_id);
CREATE INDEX IF NOT EXISTS keyward_grants_subject ON keyward_grants (subject);
CREATE INDEX IF NOT EXISTS keyward_grants_remembered_until ON keyward_grants (remembered_until);

-- What outlives the host's row of a code: that it was redeemed.
CREATE TABLE IF NOT EXISTS keyward_grant_codes (
    digest TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES keyward_grants (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    challenge TEXT,
    expires_at INTEGER NOT NULL,
    spent_at INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS keyward_grant_codes_grant_id ON keyward_grant_codes (grant_id);

-- To which grant an access token belongs, and when it was first presented.
CREATE TABLE IF NOT EXISTS keyward_grant_access_tokens (
    digest TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES keyward_grants (id) ON DELETE CASCADE,
    used_at INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS keyward_grant_access_tokens_grant_id ON keyward_grant_access_tokens (grant_id);

-- To which grant a refresh token belongs, and what it was exchanged for. The answer is sealed under a key that only the
-- refresh token gives, and gone after its time or the first use of what it holds.
CREATE TABLE IF NOT EXISTS keyward_grant_refresh_tokens (
    digest TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES keyward_grants (id) ON DELETE CASCADE,
    spent_at INTEGER,
    successor TEXT,
    successor_access TEXT,
    response TEXT,
    response_until INTEGER,
    response_access_expires_at INTEGER,
    response_scopes TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS keyward_grant_refresh_tokens_grant_id ON keyward_grant_refresh_tokens (grant_id);
CREATE INDEX IF NOT EXISTS keyward_grant_refresh_tokens_response_until ON keyward_grant_refresh_tokens (response_until);
