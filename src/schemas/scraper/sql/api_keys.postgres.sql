-- The table of the schema `scraper`, as the service itself makes it (PostgreSQL 13 or newer).
CREATE TABLE IF NOT EXISTS api_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    key_hash varchar(64) NOT NULL UNIQUE,
    key_prefix varchar(8) NOT NULL,
    name varchar(255) NOT NULL,
    client_id varchar(255) NOT NULL,
    scopes text[] DEFAULT '{}',
    rate_limit_rpm integer DEFAULT 60,
    is_active boolean DEFAULT true,
    created_at timestamp DEFAULT CURRENT_TIMESTAMP,
    last_used_at timestamp,
    expires_at timestamp,
    metadata jsonb
);

CREATE INDEX IF NOT EXISTS idx_api_keys_key_hash ON api_keys (key_hash);
CREATE INDEX IF NOT EXISTS idx_api_keys_client_id ON api_keys (client_id);
CREATE INDEX IF NOT EXISTS idx_api_keys_active ON api_keys (is_active) WHERE is_active = true;
