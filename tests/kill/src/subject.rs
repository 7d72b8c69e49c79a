//! The schemas whose keys are changed.

use keyward::key::Draft;
use keyward::schemas::mesh::{Capability, Mesh, MeshKey};
use keyward::schemas::scraper::{Scraper, ScraperKey};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::sql::SqlSchema;

/// Whose keys there are.
pub(crate) const OWNERS: [&str; 3] = ["acme", "globex", "initech"];

/// A schema, with what stands around its table, a typical key, and what can be said of whole rows.
pub(crate) trait Subject: SqlSchema {
    fn schema() -> Self;
    fn draft(owner: &str) -> Draft<Self>;
    /// The host's tables, before keyward comes.
    fn parents(postgres: bool) -> &'static str;
    /// Each counts rows that are half there, in words that hold when it counts none. `{own}` stands in front of our own
    /// tables, `{table}` for the host's.
    const WHOLE: &'static [(&'static str, &'static str)];
    /// How many migrations there are.
    const MIGRATIONS: i64;
    /// The name of the table of keys on each engine.
    const TABLE: [&'static str; 2];
}

impl Subject for Standard {
    fn schema() -> Self {
        Self::new("acme").expect("a prefix")
    }

    fn draft(owner: &str) -> Draft<Self> {
        StandardKey::new(owner, "import").and_then(|key| key.scope("jobs:read")).expect("a key").into()
    }

    fn parents(_postgres: bool) -> &'static str {
        ""
    }

    const MIGRATIONS: i64 = 1;
    const TABLE: [&'static str; 2] = ["keyward.keys", "keyward_keys"];

    const WHOLE: &'static [(&'static str, &'static str)] = &[
        (
            "a key that has a successor is retired, and the successor is there and says so",
            "SELECT count(*) FROM {table} k WHERE k.successor_id IS NOT NULL AND (k.expires_at IS NULL OR NOT EXISTS (
                 SELECT 1 FROM {table} s WHERE s.id = k.successor_id AND s.predecessor_id = k.id))",
        ),
        (
            "a successor's predecessor knows it",
            "SELECT count(*) FROM {table} s WHERE s.predecessor_id IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM {table} k WHERE k.id = s.predecessor_id AND k.successor_id = s.id)",
        ),
        (
            "every version of a key has its entry in the history",
            "SELECT count(*) FROM {table} k WHERE k.version <> (
                 SELECT count(*) FROM {own}key_history h WHERE h.key_id = k.id AND h.to_version BETWEEN 1 AND k.version)",
        ),
        (
            "no entry is of a version that its key never had",
            "SELECT count(*) FROM {own}key_history h WHERE NOT EXISTS (
                 SELECT 1 FROM {table} k WHERE k.id = h.key_id AND h.to_version <= k.version)",
        ),
        (
            "a key is revoked exactly when its history says so, or that it was rotated at that instant",
            "SELECT count(*) FROM {table} k WHERE (k.revoked_at IS NOT NULL) <> EXISTS (
                 SELECT 1 FROM {own}key_history h
                 WHERE h.key_id = k.id AND (h.action = 'revoked' OR h.action = 'rotated' AND h.at = k.revoked_at))",
        ),
        (
            "a last use is one of a key",
            "SELECT count(*) FROM {own}key_uses u WHERE NOT EXISTS (SELECT 1 FROM {table} k WHERE k.id = u.key_id)",
        ),
    ];
}

impl Subject for Scraper {
    fn schema() -> Self {
        Self::new()
    }

    fn draft(owner: &str) -> Draft<Self> {
        ScraperKey::named(owner, "import").and_then(|key| key.scope("jobs:read")).expect("a key").into()
    }

    fn parents(_postgres: bool) -> &'static str {
        ""
    }

    const MIGRATIONS: i64 = 2;
    const TABLE: [&'static str; 2] = ["api_keys", "api_keys"];

    const WHOLE: &'static [(&'static str, &'static str)] = &[
        (
            "a key is switched off exactly when its revocation is recorded",
            "SELECT count(*) FROM {table} k WHERE (k.is_active IS NOT TRUE) <> EXISTS (
                 SELECT 1 FROM {own}revocations r
                 WHERE r.schema = 'scraper' AND r.key_id = CAST(k.id AS text) AND r.key_hash = k.key_hash)",
        ),
        SUCCESSOR_IS_THERE,
        PREDECESSOR_IS_RETIRED,
    ];
}

impl Subject for Mesh {
    fn schema() -> Self {
        Self::new().strict()
    }

    fn draft(owner: &str) -> Draft<Self> {
        MeshKey::new(owner, "bot", [Capability::Send]).expect("a key").into()
    }

    fn parents(postgres: bool) -> &'static str {
        if postgres {
            "CREATE SCHEMA mesh;
             CREATE TABLE mesh.mesh (id text PRIMARY KEY, archived_at timestamp);
             CREATE TABLE mesh.member (
                 id text PRIMARY KEY, mesh_id text NOT NULL REFERENCES mesh.mesh (id), revoked_at timestamp
             );
             INSERT INTO mesh.mesh (id) VALUES ('acme'), ('globex'), ('initech')"
        } else {
            "CREATE TABLE mesh (id TEXT PRIMARY KEY NOT NULL, archived_at TIMESTAMP);
             CREATE TABLE member (
                 id TEXT PRIMARY KEY NOT NULL, mesh_id TEXT NOT NULL REFERENCES mesh (id), revoked_at TIMESTAMP
             );
             INSERT INTO mesh (id) VALUES ('acme'), ('globex'), ('initech')"
        }
    }

    const MIGRATIONS: i64 = 2;
    const TABLE: [&'static str; 2] = ["mesh.api_key", "api_key"];

    const WHOLE: &'static [(&'static str, &'static str)] = &[
        (
            "a key is revoked exactly when its revocation is recorded",
            "SELECT count(*) FROM {table} k WHERE (k.revoked_at IS NOT NULL) <> EXISTS (
                 SELECT 1 FROM {own}revocations r
                 WHERE r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash)",
        ),
        SUCCESSOR_IS_THERE,
        PREDECESSOR_IS_RETIRED,
    ];
}

const SUCCESSOR_IS_THERE: (&str, &str) = (
    "the successor of a recorded rotation is there",
    "SELECT count(*) FROM {own}rotations t WHERE NOT EXISTS (
         SELECT 1 FROM {table} s WHERE CAST(s.id AS text) = t.successor_id)",
);

const PREDECESSOR_IS_RETIRED: (&str, &str) = (
    "the predecessor of a recorded rotation is there and retired, and no other key has an end",
    "SELECT count(*) FROM {table} k WHERE (k.expires_at IS NOT NULL) <> EXISTS (
         SELECT 1 FROM {own}rotations t WHERE t.key_id = CAST(k.id AS text))",
);
