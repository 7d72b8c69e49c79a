-- What people have allowed clients. An upstream token stands here once for all tokens of a grant: as an envelope that only
-- the service can open, unless the host shares its tables with a program that reads it in clear. Times are seconds since
-- 1970, from the application.
CREATE TABLE IF NOT EXISTS keyward.grants (
    id text COLLATE pg_catalog."C" PRIMARY KEY,
    client_id text NOT NULL,
    subject text NOT NULL,
    subject_name text,
    -- With spaces between them (RFC 6749 section 3.3).
    scopes text NOT NULL,
    resource text,
    created_at bigint NOT NULL,
    ends_at bigint,
    revoked_at bigint,
    revoked_reason text,
    -- Until when a token of it may be good, and a replay has to be recognised.
    remembered_until bigint NOT NULL,
    upstream_access_token text,
    upstream_refresh_token text,
    upstream_expires_at bigint,
    -- Counts how often the upstream tokens were replaced.
    upstream_version bigint NOT NULL DEFAULT 0 CHECK (upstream_version >= 0)
);
CREATE INDEX IF NOT EXISTS grants_client_id ON keyward.grants (client_id);
CREATE INDEX IF NOT EXISTS grants_subject ON keyward.grants (subject);
CREATE INDEX IF NOT EXISTS grants_remembered_until ON keyward.grants (remembered_until);

-- What outlives the host's row of a code: that it was redeemed.
CREATE TABLE IF NOT EXISTS keyward.grant_codes (
    digest text PRIMARY KEY,
    grant_id text COLLATE pg_catalog."C" NOT NULL REFERENCES keyward.grants (id) ON DELETE CASCADE,
    redirect_uri text NOT NULL,
    challenge text,
    expires_at bigint NOT NULL,
    spent_at bigint
);
CREATE INDEX IF NOT EXISTS grant_codes_grant_id ON keyward.grant_codes (grant_id);

-- To which grant an access token belongs, and when it was first presented.
CREATE TABLE IF NOT EXISTS keyward.grant_access_tokens (
    digest text PRIMARY KEY,
    grant_id text COLLATE pg_catalog."C" NOT NULL REFERENCES keyward.grants (id) ON DELETE CASCADE,
    used_at bigint
);
CREATE INDEX IF NOT EXISTS grant_access_tokens_grant_id ON keyward.grant_access_tokens (grant_id);

-- To which grant a refresh token belongs, and what it was exchanged for. The answer is sealed under a key that only the
-- refresh token gives, and gone after its time or the first use of what it holds.
CREATE TABLE IF NOT EXISTS keyward.grant_refresh_tokens (
    digest text PRIMARY KEY,
    grant_id text COLLATE pg_catalog."C" NOT NULL REFERENCES keyward.grants (id) ON DELETE CASCADE,
    spent_at bigint,
    successor text,
    successor_access text,
    response text,
    response_until bigint,
    response_access_expires_at bigint,
    response_scopes text
);
CREATE INDEX IF NOT EXISTS grant_refresh_tokens_grant_id ON keyward.grant_refresh_tokens (grant_id);
CREATE INDEX IF NOT EXISTS grant_refresh_tokens_response_until ON keyward.grant_refresh_tokens (response_until);
