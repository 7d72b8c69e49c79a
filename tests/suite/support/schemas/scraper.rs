//! The schema `scraper`, whose table stands alone.

use keyward::key::Draft;
use keyward::schemas::scraper::{Scraper, ScraperDetails, ScraperKey};

use super::TestSchema;

impl TestSchema for Scraper {
    fn schema() -> Self {
        Self::new()
    }

    /// On PostgreSQL the table is there as the service itself made it; on SQLite keyward makes it.
    fn parents(postgres: bool) -> &'static str {
        if postgres { UPSTREAM_API_KEYS } else { "" }
    }

    fn draft(owner: &str) -> Draft<Self> {
        ScraperKey::named(owner, "nightly import").unwrap().scope("jobs:read").unwrap().into()
    }

    fn samples() -> Vec<ScraperDetails> {
        let named = |name: &str| ScraperKey::named("anyone", name).unwrap();
        // As PostgreSQL's `jsonb` writes it, so that it comes back as it was.
        let odd = r#"{"": true, "note": "ü ' \" \\ {} $1 ?1", "numbers": [1, -2.5, null]}"#;
        [
            named("plain"),
            named("ünï ✓ '; --").scope("jobs:read").unwrap().scope("{a,b}'").unwrap(),
            named("unlimited").default_rate_limit().metadata(odd).unwrap(),
            named("most").requests_per_minute(i32::MAX.unsigned_abs()).unwrap().metadata("\"text\"").unwrap(),
        ]
        .map(|key| Draft::from(key).details)
        .into()
    }
}

/// The table as the service's own migration makes it.
pub(crate) const UPSTREAM_API_KEYS: &str = "
    CREATE TABLE api_keys (
        id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
        key_hash VARCHAR(64) NOT NULL UNIQUE,
        key_prefix VARCHAR(8) NOT NULL,
        name VARCHAR(255) NOT NULL,
        client_id VARCHAR(255) NOT NULL,
        scopes TEXT[] DEFAULT '{}',
        rate_limit_rpm INTEGER DEFAULT 60,
        is_active BOOLEAN DEFAULT true,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        last_used_at TIMESTAMP,
        expires_at TIMESTAMP,
        metadata JSONB
    );
    CREATE INDEX idx_api_keys_key_hash ON api_keys (key_hash);
    CREATE INDEX idx_api_keys_client_id ON api_keys (client_id);
    CREATE INDEX idx_api_keys_active ON api_keys (is_active) WHERE is_active = true;
    COMMENT ON TABLE api_keys IS 'Keys of external clients';
    COMMENT ON COLUMN api_keys.key_hash IS 'A hash, never the key';";
