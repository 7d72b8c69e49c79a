-- What the hosts' own tables cannot hold. Optional: without them a revocation has neither time nor reason where the
-- host keeps none. A row speaks of exactly one key, by its identity and digest.
CREATE TABLE IF NOT EXISTS keyward_revocations (
    schema TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    revoked_at TIMESTAMP NOT NULL,
    reason TEXT,
    PRIMARY KEY (schema, key_id, key_hash)
);

-- A key is rotated once: the primary key lets exactly one successor in.
CREATE TABLE IF NOT EXISTS keyward_rotations (
    schema TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    successor_id TEXT NOT NULL,
    rotated_at TIMESTAMP NOT NULL,
    accepted_until TIMESTAMP NOT NULL,
    PRIMARY KEY (schema, key_id, key_hash)
);
