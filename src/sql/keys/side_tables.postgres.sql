-- What the hosts' own tables cannot hold. Optional: without them a revocation has neither time nor reason where the
-- host keeps none. A row speaks of exactly one key, by its identity and digest.
CREATE TABLE IF NOT EXISTS keyward.revocations (
    schema text NOT NULL,
    key_id text NOT NULL,
    key_hash text NOT NULL,
    revoked_at timestamp NOT NULL,
    reason text,
    PRIMARY KEY (schema, key_id, key_hash)
);

-- A key is rotated once: the primary key lets exactly one successor in.
CREATE TABLE IF NOT EXISTS keyward.rotations (
    schema text NOT NULL,
    key_id text NOT NULL,
    key_hash text NOT NULL,
    successor_id text NOT NULL,
    rotated_at timestamp NOT NULL,
    accepted_until timestamp NOT NULL,
    PRIMARY KEY (schema, key_id, key_hash)
);
