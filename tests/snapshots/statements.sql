-- Every statement that keyward runs on tables of keys, by schema, name and engine.
-- KEYWARD_UPDATE_SNAPSHOTS=1 cargo test --all-features writes this file anew.

-- standard: find (PostgreSQL)
SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
       k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at,
       NULL AS revocation_reason, k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage,
       k.predecessor_id, NULL AS successor_id, k.imported_from, k.version, NULL AS last_used_at
FROM keyward.keys k
WHERE k.digest = $1::bytea;

-- standard: find (SQLite)
SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
       k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at,
       NULL AS revocation_reason, k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage,
       k.predecessor_id, NULL AS successor_id, k.imported_from, k.version, NULL AS last_used_at
FROM keyward_keys k
WHERE k.digest = ?1;

-- standard: get (PostgreSQL)
SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
       k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
       k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
       k.imported_from, k.version, u.used_at AS last_used_at
FROM keyward.keys k
LEFT JOIN keyward.key_uses u ON u.key_id = k.id
WHERE k.id = $1::text;

-- standard: get (SQLite)
SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
       k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
       k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
       k.imported_from, k.version, u.used_at AS last_used_at
FROM keyward_keys k
LEFT JOIN keyward_key_uses u ON u.key_id = k.id
WHERE k.id = ?1;

-- standard: list_of_owner (PostgreSQL)
SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
       k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
       k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
       k.imported_from, k.version, u.used_at AS last_used_at
FROM keyward.keys k
LEFT JOIN keyward.key_uses u ON u.key_id = k.id
WHERE k.owner = $10::text
  AND ($1::text IS NULL OR pg_catalog.starts_with(k.id, $1::text)
       OR pg_catalog.starts_with(k.prefix, $1::text))
  AND ($2::text IS NULL
       OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'::text WHEN k.is_disabled THEN 'disabled'::text
               WHEN k.expires_at <= $7::timestamp THEN 'expired'::text ELSE 'active'::text END = $2::text)
  AND ($3::text IS NULL OR k.environment = $3::text)
  AND ($4::text IS NULL OR k.name = $4::text)
  AND ($5::timestamp IS NULL OR k.expires_at < $5::timestamp)
  AND ($6::timestamp IS NULL OR u.used_at IS NULL OR u.used_at < $6::timestamp)
  AND k.created_at <= coalesce((SELECT a.created_at FROM keyward.keys a WHERE a.id = $8::text),
                               'infinity'::timestamp)
  AND ($8::text IS NULL
       OR (k.created_at, k.id) < (SELECT a.created_at, a.id FROM keyward.keys a WHERE a.id = $8::text))
ORDER BY k.created_at DESC, k.id DESC
LIMIT $9::bigint;

-- standard: list_of_owner (SQLite)
SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
       k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
       k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
       k.imported_from, k.version, u.used_at AS last_used_at
FROM keyward_keys k
LEFT JOIN keyward_key_uses u ON u.key_id = k.id
WHERE k.owner = ?10
  AND (?1 IS NULL OR substr(k.id, 1, length(?1)) = ?1 OR substr(k.prefix, 1, length(?1)) = ?1)
  AND (?2 IS NULL
       OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.is_disabled THEN 'disabled'
               WHEN k.expires_at <= ?7 THEN 'expired' ELSE 'active' END = ?2)
  AND (?3 IS NULL OR k.environment = ?3)
  AND (?4 IS NULL OR k.name = ?4)
  AND (?5 IS NULL OR k.expires_at < ?5)
  AND (?6 IS NULL OR u.used_at IS NULL OR u.used_at < ?6)
  AND k.created_at <= coalesce((SELECT a.created_at FROM keyward_keys a WHERE a.id = ?8),
                               x'')
  AND (?8 IS NULL
       OR (k.created_at, k.id) < (SELECT a.created_at, a.id FROM keyward_keys a WHERE a.id = ?8))
ORDER BY k.created_at DESC, k.id DESC
LIMIT ?9;

-- standard: list (PostgreSQL)
SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
       k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
       k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
       k.imported_from, k.version, u.used_at AS last_used_at
FROM keyward.keys k
LEFT JOIN keyward.key_uses u ON u.key_id = k.id
WHERE ($1::text IS NULL OR pg_catalog.starts_with(k.id, $1::text)
       OR pg_catalog.starts_with(k.prefix, $1::text))
  AND ($2::text IS NULL
       OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'::text WHEN k.is_disabled THEN 'disabled'::text
               WHEN k.expires_at <= $7::timestamp THEN 'expired'::text ELSE 'active'::text END = $2::text)
  AND ($3::text IS NULL OR k.environment = $3::text)
  AND ($4::text IS NULL OR k.name = $4::text)
  AND ($5::timestamp IS NULL OR k.expires_at < $5::timestamp)
  AND ($6::timestamp IS NULL OR u.used_at IS NULL OR u.used_at < $6::timestamp)
  AND k.created_at <= coalesce((SELECT a.created_at FROM keyward.keys a WHERE a.id = $8::text),
                               'infinity'::timestamp)
  AND ($8::text IS NULL
       OR (k.created_at, k.id) < (SELECT a.created_at, a.id FROM keyward.keys a WHERE a.id = $8::text))
ORDER BY k.created_at DESC, k.id DESC
LIMIT $9::bigint;

-- standard: list (SQLite)
SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
       k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
       k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
       k.imported_from, k.version, u.used_at AS last_used_at
FROM keyward_keys k
LEFT JOIN keyward_key_uses u ON u.key_id = k.id
WHERE (?1 IS NULL OR substr(k.id, 1, length(?1)) = ?1 OR substr(k.prefix, 1, length(?1)) = ?1)
  AND (?2 IS NULL
       OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.is_disabled THEN 'disabled'
               WHEN k.expires_at <= ?7 THEN 'expired' ELSE 'active' END = ?2)
  AND (?3 IS NULL OR k.environment = ?3)
  AND (?4 IS NULL OR k.name = ?4)
  AND (?5 IS NULL OR k.expires_at < ?5)
  AND (?6 IS NULL OR u.used_at IS NULL OR u.used_at < ?6)
  AND k.created_at <= coalesce((SELECT a.created_at FROM keyward_keys a WHERE a.id = ?8),
                               x'')
  AND (?8 IS NULL
       OR (k.created_at, k.id) < (SELECT a.created_at, a.id FROM keyward_keys a WHERE a.id = ?8))
ORDER BY k.created_at DESC, k.id DESC
LIMIT ?9;

-- standard: count_of_owner (PostgreSQL)
SELECT pg_catalog.count(*) AS found
FROM keyward.keys k
LEFT JOIN keyward.key_uses u ON u.key_id = k.id
WHERE k.owner = $8::text
  AND ($1::text IS NULL OR pg_catalog.starts_with(k.id, $1::text)
       OR pg_catalog.starts_with(k.prefix, $1::text))
  AND ($2::text IS NULL
       OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'::text WHEN k.is_disabled THEN 'disabled'::text
               WHEN k.expires_at <= $7::timestamp THEN 'expired'::text ELSE 'active'::text END = $2::text)
  AND ($3::text IS NULL OR k.environment = $3::text)
  AND ($4::text IS NULL OR k.name = $4::text)
  AND ($5::timestamp IS NULL OR k.expires_at < $5::timestamp)
  AND ($6::timestamp IS NULL OR u.used_at IS NULL OR u.used_at < $6::timestamp);

-- standard: count_of_owner (SQLite)
SELECT count(*) AS found
FROM keyward_keys k
LEFT JOIN keyward_key_uses u ON u.key_id = k.id
WHERE k.owner = ?8
  AND (?1 IS NULL OR substr(k.id, 1, length(?1)) = ?1 OR substr(k.prefix, 1, length(?1)) = ?1)
  AND (?2 IS NULL
       OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.is_disabled THEN 'disabled'
               WHEN k.expires_at <= ?7 THEN 'expired' ELSE 'active' END = ?2)
  AND (?3 IS NULL OR k.environment = ?3)
  AND (?4 IS NULL OR k.name = ?4)
  AND (?5 IS NULL OR k.expires_at < ?5)
  AND (?6 IS NULL OR u.used_at IS NULL OR u.used_at < ?6);

-- standard: count (PostgreSQL)
SELECT pg_catalog.count(*) AS found
FROM keyward.keys k
LEFT JOIN keyward.key_uses u ON u.key_id = k.id
WHERE ($1::text IS NULL OR pg_catalog.starts_with(k.id, $1::text)
       OR pg_catalog.starts_with(k.prefix, $1::text))
  AND ($2::text IS NULL
       OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'::text WHEN k.is_disabled THEN 'disabled'::text
               WHEN k.expires_at <= $7::timestamp THEN 'expired'::text ELSE 'active'::text END = $2::text)
  AND ($3::text IS NULL OR k.environment = $3::text)
  AND ($4::text IS NULL OR k.name = $4::text)
  AND ($5::timestamp IS NULL OR k.expires_at < $5::timestamp)
  AND ($6::timestamp IS NULL OR u.used_at IS NULL OR u.used_at < $6::timestamp);

-- standard: count (SQLite)
SELECT count(*) AS found
FROM keyward_keys k
LEFT JOIN keyward_key_uses u ON u.key_id = k.id
WHERE (?1 IS NULL OR substr(k.id, 1, length(?1)) = ?1 OR substr(k.prefix, 1, length(?1)) = ?1)
  AND (?2 IS NULL
       OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.is_disabled THEN 'disabled'
               WHEN k.expires_at <= ?7 THEN 'expired' ELSE 'active' END = ?2)
  AND (?3 IS NULL OR k.environment = ?3)
  AND (?4 IS NULL OR k.name = ?4)
  AND (?5 IS NULL OR k.expires_at < ?5)
  AND (?6 IS NULL OR u.used_at IS NULL OR u.used_at < ?6);

-- standard: history (PostgreSQL)
SELECT h.at, h.action, h.actor, h.reason, h.from_version, h.to_version, h.changes
FROM keyward.key_history h
WHERE h.key_id = $1::text
ORDER BY h.to_version;

-- standard: history (SQLite)
SELECT h.at, h.action, h.actor, h.reason, h.from_version, h.to_version, h.changes
FROM keyward_key_history h
WHERE h.key_id = ?1
ORDER BY h.to_version;

-- standard: insert (PostgreSQL)
INSERT INTO keyward.keys (id, owner, environment, name, description, prefix, digest, scopes, metadata,
                          requests_per_minute, created_at, created_by, expires_at, revoked_at,
                          revocation_reason, is_disabled, disabled_at, disabling_reason, lineage,
                          predecessor_id, successor_id, imported_from)
VALUES ($1, $2, $3, $4, $5, $6, $7::bytea, $8, $9, $10::bigint, $11::timestamp, $12, $13::timestamp, $14::timestamp,
        $15, $16::bigint = 1::bigint, $17::timestamp, $18, $19, $20, $21, $22)
RETURNING 1;

-- standard: insert (SQLite)
INSERT INTO keyward_keys (id, owner, environment, name, description, prefix, digest, scopes, metadata,
                          requests_per_minute, created_at, created_by, expires_at, revoked_at,
                          revocation_reason, is_disabled, disabled_at, disabling_reason, lineage,
                          predecessor_id, successor_id, imported_from)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)
RETURNING 1;

-- standard: append_history (PostgreSQL)
INSERT INTO keyward.key_history (key_id, from_version, to_version, at, action, actor, reason, changes)
VALUES ($1, $2::bigint, $3::bigint, $4::timestamp, $5, $6, $7, $8)
RETURNING 1;

-- standard: append_history (SQLite)
INSERT INTO keyward_key_history (key_id, from_version, to_version, at, action, actor, reason, changes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
RETURNING 1;

-- standard: retire (PostgreSQL)
UPDATE keyward.keys
SET expires_at = $3::timestamp, successor_id = $4::text, revoked_at = $6::timestamp, version = version + 1
WHERE id = $1::text AND version = $2::bigint AND revoked_at IS NULL AND NOT is_disabled
  AND successor_id IS NULL AND (expires_at IS NULL OR expires_at > $5::timestamp)
RETURNING 1;

-- standard: retire (SQLite)
UPDATE keyward_keys
SET expires_at = ?3, successor_id = ?4, revoked_at = ?6, version = version + 1
WHERE id = ?1 AND version = ?2 AND revoked_at IS NULL AND NOT is_disabled
  AND successor_id IS NULL AND (expires_at IS NULL OR expires_at > ?5)
RETURNING 1;

-- standard: succeed (PostgreSQL)
INSERT INTO keyward.keys (id, owner, environment, name, description, prefix, digest, scopes, metadata,
                          requests_per_minute, created_at, created_by, expires_at, lineage, predecessor_id)
SELECT $2::text, k.owner, k.environment, k.name, k.description, $3::text, $4::bytea, k.scopes, k.metadata,
       k.requests_per_minute, $5::timestamp, $6::text, $7::timestamp, k.lineage, k.id
FROM keyward.keys k
WHERE k.id = $1::text
RETURNING 1;

-- standard: succeed (SQLite)
INSERT INTO keyward_keys (id, owner, environment, name, description, prefix, digest, scopes, metadata,
                          requests_per_minute, created_at, created_by, expires_at, lineage, predecessor_id)
SELECT ?2, k.owner, k.environment, k.name, k.description, ?3, ?4, k.scopes, k.metadata,
       k.requests_per_minute, ?5, ?6, ?7, k.lineage, k.id
FROM keyward_keys k
WHERE k.id = ?1
RETURNING 1;

-- standard: change (PostgreSQL)
UPDATE keyward.keys
SET name = $3::text, description = $4::text, scopes = $5::text, metadata = $6::text,
    requests_per_minute = $7::bigint, expires_at = $8::timestamp, is_disabled = ($9::bigint = 1::bigint),
    disabled_at = $10::timestamp, disabling_reason = $11::text, version = version + 1
WHERE id = $1::text AND version = $2::bigint AND revoked_at IS NULL
  AND (successor_id IS NULL OR expires_at IS NOT DISTINCT FROM $8::timestamp
       OR $8::timestamp >= '9999-12-31 23:59:59.999999'::timestamp AND expires_at >= $8::timestamp)
RETURNING 1;

-- standard: change (SQLite)
UPDATE keyward_keys
SET name = ?3, description = ?4, scopes = ?5, metadata = ?6, requests_per_minute = ?7, expires_at = ?8,
    is_disabled = ?9, disabled_at = ?10, disabling_reason = ?11, version = version + 1
WHERE id = ?1 AND version = ?2 AND revoked_at IS NULL AND (successor_id IS NULL OR expires_at IS ?8)
RETURNING 1;

-- standard: revoke (PostgreSQL)
UPDATE keyward.keys
SET revoked_at = $4::timestamp, revocation_reason = $5::text,
    version = CASE WHEN version < 9223372036854775807 THEN version + 1 ELSE version END
WHERE id = $1::text AND ($2::bytea IS NULL OR digest = $2::bytea) AND ($3::text IS NULL OR owner = $3::text)
  AND revoked_at IS NULL
RETURNING 1;

-- standard: revoke (SQLite)
UPDATE keyward_keys
SET revoked_at = ?4, revocation_reason = ?5,
    version = CASE WHEN version < 9223372036854775807 THEN version + 1 ELSE version END
WHERE id = ?1 AND (?2 IS NULL OR digest = ?2) AND (?3 IS NULL OR owner = ?3) AND revoked_at IS NULL
RETURNING 1;

-- standard: append_revocation (PostgreSQL)
INSERT INTO keyward.key_history (key_id, from_version, to_version, at, action, actor, reason)
SELECT k.id, k.version - 1, k.version, $2::timestamp, 'revoked', $3::text, $4::text
FROM keyward.keys k
WHERE k.id = $1::text AND k.revoked_at = $2::timestamp
  AND NOT EXISTS (SELECT 1 FROM keyward.key_history h WHERE h.key_id = k.id AND h.to_version = k.version)
RETURNING 1;

-- standard: append_revocation (SQLite)
INSERT INTO keyward_key_history (key_id, from_version, to_version, at, action, actor, reason)
SELECT k.id, k.version - 1, k.version, ?2, 'revoked', ?3, ?4
FROM keyward_keys k
WHERE k.id = ?1 AND k.revoked_at = ?2
  AND NOT EXISTS (SELECT 1 FROM keyward_key_history h WHERE h.key_id = k.id AND h.to_version = k.version)
RETURNING 1;

-- standard: outcome_of_revocation (PostgreSQL)
SELECT k.id, true AS is_meant, k.revoked_at IS NULL AS is_live, false AS is_recorded, k.revoked_at,
       k.revocation_reason AS reason
FROM keyward.keys k
WHERE k.id = $1::text AND ($2::bytea IS NULL OR k.digest = $2::bytea)
  AND ($3::text IS NULL OR k.owner = $3::text);

-- standard: outcome_of_revocation (SQLite)
SELECT k.id, 1 AS is_meant, k.revoked_at IS NULL AS is_live, 0 AS is_recorded, k.revoked_at,
       k.revocation_reason AS reason
FROM keyward_keys k
WHERE k.id = ?1 AND (?2 IS NULL OR k.digest = ?2) AND (?3 IS NULL OR k.owner = ?3);

-- standard: revoke_all (PostgreSQL)
WITH due AS (
    SELECT k.id FROM keyward.keys k WHERE k.owner = $1::text AND k.revoked_at IS NULL
    ORDER BY k.id FOR NO KEY UPDATE
)
UPDATE keyward.keys k
SET revoked_at = $2::timestamp, revocation_reason = $3::text,
    version = CASE WHEN k.version < 9223372036854775807 THEN k.version + 1 ELSE k.version END
FROM due WHERE k.id = due.id
RETURNING 1;

-- standard: revoke_all (SQLite)
UPDATE keyward_keys
SET revoked_at = ?2, revocation_reason = ?3,
    version = CASE WHEN version < 9223372036854775807 THEN version + 1 ELSE version END
WHERE owner = ?1 AND revoked_at IS NULL
RETURNING 1;

-- standard: append_revocations (PostgreSQL)
INSERT INTO keyward.key_history (key_id, from_version, to_version, at, action, actor, reason)
SELECT k.id, k.version - 1, k.version, $2::timestamp, 'revoked', $3::text, $4::text
FROM keyward.keys k
WHERE k.owner = $1::text AND k.revoked_at = $2::timestamp
  AND NOT EXISTS (SELECT 1 FROM keyward.key_history h WHERE h.key_id = k.id AND h.to_version = k.version)
RETURNING 1;

-- standard: append_revocations (SQLite)
INSERT INTO keyward_key_history (key_id, from_version, to_version, at, action, actor, reason)
SELECT k.id, k.version - 1, k.version, ?2, 'revoked', ?3, ?4
FROM keyward_keys k
WHERE k.owner = ?1 AND k.revoked_at = ?2
  AND NOT EXISTS (SELECT 1 FROM keyward_key_history h WHERE h.key_id = k.id AND h.to_version = k.version)
RETURNING 1;

-- standard: revoke_part (PostgreSQL)
WITH due AS MATERIALIZED (
    SELECT k.id FROM keyward.keys k WHERE k.owner = $1::text AND k.revoked_at IS NULL
    ORDER BY k.id LIMIT $2::bigint OFFSET $3::bigint FOR NO KEY UPDATE SKIP LOCKED
),
revoked AS (
    UPDATE keyward.keys k
    SET revoked_at = $4::timestamp, revocation_reason = $5::text,
        version = CASE WHEN k.version < 9223372036854775807 THEN k.version + 1 ELSE k.version END
    FROM due WHERE k.id = due.id
    RETURNING k.id, k.version
),
appended AS (
    INSERT INTO keyward.key_history (key_id, from_version, to_version, at, action, actor, reason)
    SELECT r.id, r.version - 1, r.version, $4::timestamp, 'revoked', $6::text, $5::text
    FROM revoked r
    WHERE NOT EXISTS (
        SELECT 1 FROM keyward.key_history h WHERE h.key_id = r.id AND h.to_version = r.version)
)
SELECT (SELECT pg_catalog.count(*) FROM due) AS due,
       (SELECT pg_catalog.count(*) FROM revoked) AS revoked,
       (SELECT pg_catalog.count(*) FROM revoked) AS first;

-- standard: revoke_part (SQLite)
;

-- standard: remaining_keys (PostgreSQL)
SELECT k.id FROM keyward.keys k
WHERE k.owner = $1::text AND k.revoked_at IS NULL
ORDER BY k.id LIMIT 100 OFFSET $2::bigint;

-- standard: remaining_keys (SQLite)
SELECT k.id FROM keyward_keys k
WHERE k.owner = ?1 AND k.revoked_at IS NULL
ORDER BY k.id LIMIT 100 OFFSET ?2;

-- standard: touch (PostgreSQL)
WITH used AS (
    SELECT e.value ->> 0 AS id, pg_catalog.decode(e.value ->> 1, 'hex') AS digest,
           pg_catalog.max((e.value ->> 2)::timestamp) AS at, pg_catalog.max(e.place) AS place
    FROM pg_catalog.jsonb_array_elements($1::text::jsonb) WITH ORDINALITY e (value, place)
    GROUP BY 1, 2
), due AS (
    SELECT k.id, used.at, used.place, u.key_id IS NULL AS is_first
    FROM used JOIN keyward.keys k ON k.id = used.id AND k.digest = used.digest
    LEFT JOIN keyward.key_uses u ON u.key_id = k.id
    WHERE u.key_id IS NULL OR u.used_at < used.at OR u.used_at > used.at + '24 hours'::interval
), locked AS (
    SELECT u.key_id, due.at, due.place FROM due JOIN keyward.key_uses u ON u.key_id = due.id
    WHERE u.used_at < due.at OR u.used_at > due.at + '24 hours'::interval
    ORDER BY u.key_id FOR NO KEY UPDATE OF u SKIP LOCKED
), locked_first AS (
    SELECT k.id AS key_id, due.at, due.place FROM due JOIN keyward.keys k ON k.id = due.id
    WHERE due.is_first
    ORDER BY k.id FOR KEY SHARE OF k SKIP LOCKED
), free AS (
    SELECT key_id, at, place FROM locked UNION ALL SELECT key_id, at, place FROM locked_first
), written AS (
    INSERT INTO keyward.key_uses AS u (key_id, used_at)
    SELECT free.key_id, free.at FROM free ORDER BY free.key_id
    ON CONFLICT (key_id) DO UPDATE SET used_at = excluded.used_at
        WHERE u.used_at < excluded.used_at OR u.used_at > excluded.used_at + '24 hours'::interval
    RETURNING 1
)
SELECT NULL::bigint AS busy FROM written
UNION ALL
SELECT due.place FROM due WHERE due.place NOT IN (SELECT free.place FROM free);

-- standard: touch (SQLite)
INSERT INTO keyward_key_uses AS u (key_id, used_at)
SELECT k.id, max(e.value ->> 2)
FROM json_each(?1) e JOIN keyward_keys k ON k.id = e.value ->> 0 AND lower(hex(k.digest)) = e.value ->> 1
WHERE true
GROUP BY k.id
ORDER BY k.id
ON CONFLICT (key_id) DO UPDATE SET used_at = excluded.used_at
    WHERE u.used_at < excluded.used_at
       OR u.used_at > datetime(substr(excluded.used_at, 1, 19), '+1 day') || substr(excluded.used_at, 20)
RETURNING NULL AS busy;

-- standard: purge (PostgreSQL)
WITH due AS (
    SELECT k.id FROM keyward.keys k
    WHERE LEAST(k.revoked_at, k.expires_at) < $1::timestamp
      AND (k.revoked_at IS NOT NULL OR k.expires_at IS NOT NULL)
    ORDER BY LEAST(k.revoked_at, k.expires_at)
    LIMIT $2::bigint FOR UPDATE SKIP LOCKED
)
DELETE FROM keyward.keys k USING due WHERE k.id = due.id
RETURNING 1;

-- standard: purge (SQLite)
DELETE FROM keyward_keys
WHERE id IN (
    SELECT id FROM keyward_keys
    WHERE coalesce(min(revoked_at, expires_at), revoked_at, expires_at) < ?1
      AND (revoked_at IS NOT NULL OR expires_at IS NOT NULL)
    ORDER BY coalesce(min(revoked_at, expires_at), revoked_at, expires_at)
    LIMIT ?2
)
RETURNING 1;

-- scraper: find (PostgreSQL)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       r.revoked_at, NULL AS reason, NULL AS successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
       k.rate_limit_rpm, k.metadata
FROM api_keys k
LEFT JOIN keyward.revocations r
  ON r.schema = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash::text
WHERE k.key_hash::text = $1::text;

-- scraper: find (SQLite)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       r.revoked_at, NULL AS reason, NULL AS successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
FROM api_keys k
LEFT JOIN keyward_revocations r
  ON r.schema = 'scraper' AND r.key_id = k.id AND r.key_hash = k.key_hash
WHERE k.key_hash = ?1;

-- scraper: find, without side tables (PostgreSQL)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       NULL::timestamp AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
       k.rate_limit_rpm, k.metadata
FROM api_keys k
WHERE k.key_hash::text = $1::text;

-- scraper: find, without side tables (SQLite)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       NULL AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
FROM api_keys k
WHERE k.key_hash = ?1;

-- scraper: get (PostgreSQL)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       r.revoked_at, r.reason, t.successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
       k.rate_limit_rpm, k.metadata
FROM api_keys k
LEFT JOIN keyward.revocations r
  ON r.schema = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash::text
LEFT JOIN keyward.rotations t
  ON t.schema = 'scraper' AND t.key_id = k.id::text AND t.key_hash = k.key_hash::text
WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END;

-- scraper: get (SQLite)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       r.revoked_at, r.reason, t.successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
FROM api_keys k
LEFT JOIN keyward_revocations r
  ON r.schema = 'scraper' AND r.key_id = k.id AND r.key_hash = k.key_hash
LEFT JOIN keyward_rotations t
  ON t.schema = 'scraper' AND t.key_id = k.id AND t.key_hash = k.key_hash
WHERE k.id = ?1 COLLATE BINARY;

-- scraper: get, without side tables (PostgreSQL)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       NULL::timestamp AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
       k.rate_limit_rpm, k.metadata
FROM api_keys k
WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END;

-- scraper: get, without side tables (SQLite)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       NULL AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
FROM api_keys k
WHERE k.id = ?1 COLLATE BINARY;

-- scraper: list (PostgreSQL)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       r.revoked_at, r.reason, t.successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
       k.rate_limit_rpm, k.metadata
FROM api_keys k
LEFT JOIN keyward.revocations r
  ON r.schema = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash::text
LEFT JOIN keyward.rotations t
  ON t.schema = 'scraper' AND t.key_id = k.id::text AND t.key_hash = k.key_hash::text
WHERE k.client_id::text = $1::text AND k.client_id::text COLLATE pg_catalog."C" = $1::text
  AND ($2::text IS NULL OR (coalesce(k.created_at, '-infinity'), k.id) < (
      SELECT coalesce(c.created_at, '-infinity'), c.id FROM api_keys c
      WHERE c.id = CASE WHEN $2::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($2::text)::uuid END))
  AND ($4::text IS NULL
       OR pg_catalog.starts_with(k.id::text, $4::text) OR pg_catalog.starts_with(k.key_prefix, $4::text))
ORDER BY coalesce(k.created_at, '-infinity') DESC, k.id DESC LIMIT $3;

-- scraper: list (SQLite)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       r.revoked_at, r.reason, t.successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
FROM api_keys k
LEFT JOIN keyward_revocations r
  ON r.schema = 'scraper' AND r.key_id = k.id AND r.key_hash = k.key_hash
LEFT JOIN keyward_rotations t
  ON t.schema = 'scraper' AND t.key_id = k.id AND t.key_hash = k.key_hash
WHERE k.client_id = ?1 COLLATE BINARY
  AND (?2 IS NULL OR (coalesce(k.created_at, ''), k.id) < (
      SELECT coalesce(c.created_at, ''), c.id FROM api_keys c WHERE c.id = ?2 COLLATE BINARY))
  AND (?4 IS NULL OR substr(k.id, 1, length(?4)) = ?4 OR substr(k.key_prefix, 1, length(?4)) = ?4)
ORDER BY coalesce(k.created_at, '') DESC, k.id DESC LIMIT ?3;

-- scraper: list, without side tables (PostgreSQL)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       NULL::timestamp AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
       k.rate_limit_rpm, k.metadata
FROM api_keys k
WHERE k.client_id::text = $1::text AND k.client_id::text COLLATE pg_catalog."C" = $1::text
  AND ($2::text IS NULL OR (coalesce(k.created_at, '-infinity'), k.id) < (
      SELECT coalesce(c.created_at, '-infinity'), c.id FROM api_keys c
      WHERE c.id = CASE WHEN $2::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($2::text)::uuid END))
  AND ($4::text IS NULL
       OR pg_catalog.starts_with(k.id::text, $4::text) OR pg_catalog.starts_with(k.key_prefix, $4::text))
ORDER BY coalesce(k.created_at, '-infinity') DESC, k.id DESC LIMIT $3;

-- scraper: list, without side tables (SQLite)
SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
       NULL AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
FROM api_keys k
WHERE k.client_id = ?1 COLLATE BINARY
  AND (?2 IS NULL OR (coalesce(k.created_at, ''), k.id) < (
      SELECT coalesce(c.created_at, ''), c.id FROM api_keys c WHERE c.id = ?2 COLLATE BINARY))
  AND (?4 IS NULL OR substr(k.id, 1, length(?4)) = ?4 OR substr(k.key_prefix, 1, length(?4)) = ?4)
ORDER BY coalesce(k.created_at, '') DESC, k.id DESC LIMIT ?3;

-- scraper: insert (PostgreSQL)
INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm, is_active,
                      created_at, expires_at, metadata)
VALUES ($1::text::uuid, $2, $3, $4, $5,
        ARRAY(SELECT pg_catalog.jsonb_array_elements_text($6::text::jsonb)), $7::bigint,
        true, $8::timestamp, $9::timestamp, $10::text::jsonb)
RETURNING 1;

-- scraper: insert (SQLite)
INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm, is_active,
                      created_at, expires_at, metadata)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, TRUE, ?8, ?9, ?10)
RETURNING 1;

-- scraper: touch (PostgreSQL)
WITH used AS (
    SELECT CASE WHEN e.value ->> 0 ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                THEN (e.value ->> 0)::uuid END AS id,
           e.value ->> 1 AS key_hash, pg_catalog.max((e.value ->> 2)::timestamp) AS at,
           pg_catalog.max(e.place) AS place
    FROM pg_catalog.jsonb_array_elements($1::text::jsonb) WITH ORDINALITY e (value, place)
    GROUP BY 1, 2
), due AS (
    SELECT k.id, used.at, used.place
    FROM used JOIN api_keys k ON k.id = used.id AND k.key_hash::text = used.key_hash
    WHERE k.last_used_at IS NULL OR k.last_used_at < used.at
       OR k.last_used_at > used.at + '24 hours'::interval
), locked AS (
    SELECT k.id, due.at, due.place FROM due JOIN api_keys k ON k.id = due.id
    WHERE k.last_used_at IS NULL OR k.last_used_at < due.at
       OR k.last_used_at > due.at + '24 hours'::interval
    ORDER BY k.id FOR NO KEY UPDATE OF k SKIP LOCKED
), written AS (
    UPDATE api_keys k SET last_used_at = locked.at FROM locked WHERE k.id = locked.id RETURNING 1
)
SELECT NULL::bigint AS busy FROM written
UNION ALL
SELECT due.place FROM due WHERE due.place NOT IN (SELECT locked.place FROM locked);

-- scraper: touch (SQLite)
UPDATE api_keys SET last_used_at = used.at
FROM (SELECT value ->> 0 AS id, value ->> 1 AS key_hash, max(value ->> 2) AS at
      FROM json_each(?1) GROUP BY 1, 2) AS used
WHERE api_keys.id = used.id COLLATE BINARY AND api_keys.key_hash = used.key_hash COLLATE BINARY
  AND (coalesce(strftime('%Y-%m-%d %H:%M:%f', last_used_at), '') < strftime('%Y-%m-%d %H:%M:%f', used.at)
       OR strftime('%Y-%m-%d %H:%M:%f', last_used_at) > strftime('%Y-%m-%d %H:%M:%f', used.at, '+1 day'))
RETURNING NULL AS busy;

-- scraper: record_rotation (PostgreSQL)
INSERT INTO keyward.rotations (schema, key_id, key_hash, successor_id, rotated_at, accepted_until)
VALUES ($1, $2, $3, $4, $5::timestamp, $6::timestamp)
ON CONFLICT DO NOTHING RETURNING 1;

-- scraper: record_rotation (SQLite)
INSERT INTO keyward_rotations (schema, key_id, key_hash, successor_id, rotated_at, accepted_until)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO NOTHING RETURNING 1;

-- scraper: record_retirement (PostgreSQL)
INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at)
VALUES ($1, $2, $3, $4::timestamp)
ON CONFLICT DO NOTHING RETURNING 1;

-- scraper: record_retirement (SQLite)
INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO NOTHING RETURNING 1;

-- scraper: revoked (PostgreSQL)
SELECT 1 FROM keyward.revocations WHERE schema = $1::text AND key_id = $2::text AND key_hash = $3::text;

-- scraper: revoked (SQLite)
SELECT 1 FROM keyward_revocations WHERE schema = ?1 AND key_id = ?2 AND key_hash = ?3;

-- scraper: retire (PostgreSQL)
UPDATE api_keys SET expires_at = $5::timestamp, is_active = ($6::timestamp IS NULL)
WHERE id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
  AND key_hash::text = $2::text AND client_id::text COLLATE pg_catalog."C" = $3::text AND is_active
  AND (expires_at IS NOT DISTINCT FROM $4::timestamp
       OR $4::timestamp >= '9999-12-31 23:59:59.999999'::timestamp AND expires_at >= $4::timestamp)
RETURNING 1;

-- scraper: retire (SQLite)
UPDATE api_keys SET expires_at = ?5, is_active = (?6 IS NULL)
WHERE id = ?1 COLLATE BINARY AND key_hash = ?2 COLLATE BINARY AND client_id = ?3 COLLATE BINARY
  AND is_active IS 1
  AND (expires_at IS ?4 OR expires_at IS ?4 || '.000000'
       OR NOT (length(expires_at) IN (19, 26) AND substr(expires_at, 11, 1) = ' ')
          AND strftime('%Y-%m-%d %H:%M:%f', expires_at) = strftime('%Y-%m-%d %H:%M:%f', ?4))
RETURNING 1;

-- scraper: succeed (PostgreSQL)
INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm, is_active,
                      created_at, expires_at, metadata)
SELECT $2::text::uuid, $3::text, $4::text, k.name, k.client_id, k.scopes, k.rate_limit_rpm, true,
       $5::timestamp, $6::timestamp, k.metadata
FROM api_keys k
WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
RETURNING 1;

-- scraper: succeed (SQLite)
INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm, is_active,
                      created_at, expires_at, metadata)
SELECT ?2, ?3, ?4, k.name, k.client_id, k.scopes, k.rate_limit_rpm, TRUE, ?5, ?6, k.metadata
FROM api_keys k
WHERE k.id = ?1 COLLATE BINARY
RETURNING 1;

-- scraper: revoke (PostgreSQL)
UPDATE api_keys SET is_active = false
WHERE id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
  AND ($2::text IS NULL OR key_hash::text = $2::text)
  AND ($3::text IS NULL OR client_id::text COLLATE pg_catalog."C" = $3::text)
  AND is_active IS DISTINCT FROM false
RETURNING 1;

-- scraper: revoke (SQLite)
UPDATE api_keys SET is_active = FALSE
WHERE id = ?1 COLLATE BINARY AND (?2 IS NULL OR key_hash = ?2 COLLATE BINARY)
  AND (?3 IS NULL OR client_id = ?3 COLLATE BINARY) AND is_active IS NOT 0
RETURNING 1;

-- scraper: record_revocation (PostgreSQL)
INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'scraper', k.id::text, k.key_hash::text, $4::timestamp, $5::text
FROM (SELECT id, key_hash FROM api_keys
      WHERE id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
        AND ($2::text IS NULL OR key_hash::text = $2::text)
        AND ($3::text IS NULL OR client_id::text COLLATE pg_catalog."C" = $3::text)
      FOR NO KEY UPDATE) k
WHERE pg_catalog.octet_length(k.key_hash::text) <= 1024
ON CONFLICT DO NOTHING RETURNING 1;

-- scraper: record_revocation (SQLite)
INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'scraper', id, key_hash, ?4, ?5 FROM api_keys
WHERE id = ?1 COLLATE BINARY AND (?2 IS NULL OR key_hash = ?2 COLLATE BINARY)
  AND (?3 IS NULL OR client_id = ?3 COLLATE BINARY) AND id IS NOT NULL AND key_hash IS NOT NULL
ON CONFLICT DO NOTHING RETURNING 1;

-- scraper: outcome_of_revocation (PostgreSQL)
SELECT k.id::text AS id, true AS is_meant, k.is_active IS TRUE AS is_live,
       r.revoked_at IS NOT NULL AS is_recorded, r.revoked_at, r.reason
FROM api_keys k
LEFT JOIN keyward.revocations r
  ON r.schema = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash::text
WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
  AND ($2::text IS NULL OR k.key_hash::text = $2::text)
  AND ($3::text IS NULL OR k.client_id::text COLLATE pg_catalog."C" = $3::text)
UNION ALL
(SELECT t.id::text, false, true, false, NULL, NULL
 FROM api_keys k JOIN api_keys t ON t.key_hash::text = k.key_hash::text
 WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
   AND t.id <> k.id AND t.is_active
 ORDER BY t.id LIMIT 100);

-- scraper: outcome_of_revocation (SQLite)
SELECT k.id, 1 AS is_meant, k.is_active IS NOT NULL AND k.is_active IS NOT 0 AS is_live,
       r.revoked_at IS NOT NULL AS is_recorded, r.revoked_at, r.reason
FROM api_keys k
LEFT JOIN keyward_revocations r
  ON r.schema = 'scraper' AND r.key_id = k.id AND r.key_hash = k.key_hash
WHERE k.id = ?1 COLLATE BINARY AND (?2 IS NULL OR k.key_hash = ?2 COLLATE BINARY)
  AND (?3 IS NULL OR k.client_id = ?3 COLLATE BINARY)
UNION ALL
SELECT * FROM (
    SELECT t.id, 0, 1, 0, NULL, NULL
    FROM api_keys k JOIN api_keys t ON t.key_hash = k.key_hash COLLATE BINARY
    WHERE k.id = ?1 COLLATE BINARY AND t.id <> ?1 COLLATE BINARY
      AND t.is_active IS NOT NULL AND t.is_active IS NOT 0
    ORDER BY t.id LIMIT 100);

-- scraper: outcome_of_revocation, without side tables (PostgreSQL)
SELECT k.id::text AS id, true AS is_meant, k.is_active IS TRUE AS is_live, false AS is_recorded,
       NULL::timestamp AS revoked_at, NULL AS reason
FROM api_keys k
WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
  AND ($2::text IS NULL OR k.key_hash::text = $2::text)
  AND ($3::text IS NULL OR k.client_id::text COLLATE pg_catalog."C" = $3::text)
UNION ALL
(SELECT t.id::text, false, true, false, NULL, NULL
 FROM api_keys k JOIN api_keys t ON t.key_hash::text = k.key_hash::text
 WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
   AND t.id <> k.id AND t.is_active
 ORDER BY t.id LIMIT 100);

-- scraper: outcome_of_revocation, without side tables (SQLite)
SELECT k.id, 1 AS is_meant, k.is_active IS NOT NULL AND k.is_active IS NOT 0 AS is_live, 0 AS is_recorded,
       NULL AS revoked_at, NULL AS reason
FROM api_keys k
WHERE k.id = ?1 COLLATE BINARY AND (?2 IS NULL OR k.key_hash = ?2 COLLATE BINARY)
  AND (?3 IS NULL OR k.client_id = ?3 COLLATE BINARY)
UNION ALL
SELECT * FROM (
    SELECT t.id, 0, 1, 0, NULL, NULL
    FROM api_keys k JOIN api_keys t ON t.key_hash = k.key_hash COLLATE BINARY
    WHERE k.id = ?1 COLLATE BINARY AND t.id <> ?1 COLLATE BINARY
      AND t.is_active IS NOT NULL AND t.is_active IS NOT 0
    ORDER BY t.id LIMIT 100);

-- scraper: lock_keys (PostgreSQL)
WITH locked AS MATERIALIZED (
    SELECT id, key_hash FROM api_keys
    WHERE client_id::text = $1::text AND client_id::text COLLATE pg_catalog."C" = $1::text
      AND is_active IS DISTINCT FROM false
    ORDER BY id FOR NO KEY UPDATE
)
SELECT 1 FROM locked
WHERE (id IS NOT NULL AND pg_catalog.octet_length(key_hash::text) <= 1024) IS NOT TRUE;

-- scraper: lock_keys (SQLite)
SELECT 1 FROM api_keys
WHERE client_id = ?1 COLLATE BINARY AND is_active IS NOT 0 AND (id IS NULL OR key_hash IS NULL);

-- scraper: revoke_all (PostgreSQL)
UPDATE api_keys SET is_active = false
WHERE client_id::text = $1::text AND client_id::text COLLATE pg_catalog."C" = $1::text
  AND is_active IS DISTINCT FROM false
RETURNING 1;

-- scraper: revoke_all (SQLite)
UPDATE api_keys SET is_active = FALSE WHERE client_id = ?1 COLLATE BINARY AND is_active IS NOT 0 RETURNING 1;

-- scraper: remaining_keys (PostgreSQL)
SELECT coalesce(k.id::text, 'NULL') AS id FROM api_keys k
WHERE k.client_id::text = $1::text AND k.client_id::text COLLATE pg_catalog."C" = $1::text
  AND k.is_active
ORDER BY k.id::text COLLATE pg_catalog."C" LIMIT 100 OFFSET $2::bigint;

-- scraper: remaining_keys (SQLite)
SELECT CASE typeof(k.id) WHEN 'text' THEN k.id ELSE quote(k.id) END AS id FROM api_keys k
WHERE k.client_id = ?1 COLLATE BINARY AND k.is_active IS NOT NULL AND k.is_active IS NOT 0
ORDER BY k.id IS NULL, k.id COLLATE BINARY LIMIT 100 OFFSET ?2;

-- scraper: record_all_revocations (PostgreSQL)
INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'scraper', id::text, key_hash::text, $2::timestamp, $3::text FROM api_keys
WHERE client_id::text = $1::text AND client_id::text COLLATE pg_catalog."C" = $1::text
  AND is_active IS DISTINCT FROM false
  AND id IS NOT NULL AND pg_catalog.octet_length(key_hash::text) <= 1024
ON CONFLICT DO NOTHING RETURNING 1;

-- scraper: record_all_revocations (SQLite)
INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'scraper', id, key_hash, ?2, ?3 FROM api_keys
WHERE client_id = ?1 COLLATE BINARY AND is_active IS NOT 0 AND id IS NOT NULL AND key_hash IS NOT NULL
ON CONFLICT DO NOTHING RETURNING 1;

-- scraper: record_inactive_keys (PostgreSQL)
INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'scraper', id::text, key_hash::text, $2::timestamp, $3::text FROM api_keys
WHERE client_id::text = $1::text AND client_id::text COLLATE pg_catalog."C" = $1::text
  AND is_active IS NOT DISTINCT FROM false
  AND id IS NOT NULL AND pg_catalog.octet_length(key_hash::text) <= 1024
ON CONFLICT DO NOTHING RETURNING 1;

-- scraper: record_inactive_keys (SQLite)
INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'scraper', id, key_hash, ?2, ?3 FROM api_keys
WHERE client_id = ?1 COLLATE BINARY AND is_active IS 0 AND id IS NOT NULL AND key_hash IS NOT NULL
ON CONFLICT DO NOTHING RETURNING 1;

-- scraper: revoke_part (PostgreSQL)
WITH due AS MATERIALIZED (
    SELECT k.ctid AS place, k.id, k.key_hash,
           EXISTS (SELECT 1 FROM keyward.revocations r
                   WHERE r.schema = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash::text)
               AS is_recorded
    FROM api_keys k
    WHERE k.client_id::text = $1::text AND k.client_id::text COLLATE pg_catalog."C" = $1::text
      AND k.is_active IS DISTINCT FROM false
    ORDER BY k.id LIMIT $2::bigint OFFSET $3::bigint FOR NO KEY UPDATE OF k SKIP LOCKED
),
recorded AS (
    INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
    SELECT 'scraper', id::text, key_hash::text, $4::timestamp, $5::text FROM due
    WHERE id IS NOT NULL AND pg_catalog.octet_length(key_hash::text) <= 1024
    ON CONFLICT DO NOTHING
),
revoked AS (
    UPDATE api_keys SET is_active = false
    WHERE ctid = ANY (ARRAY(SELECT place FROM due))
      AND client_id::text = $1::text AND client_id::text COLLATE pg_catalog."C" = $1::text
      AND is_active IS DISTINCT FROM false
    RETURNING 1
)
SELECT (SELECT pg_catalog.count(*) FROM due) AS due,
       (SELECT pg_catalog.count(*) FROM revoked) AS revoked,
       (SELECT pg_catalog.count(*) FROM due WHERE NOT is_recorded) AS first;

-- scraper: revoke_part (SQLite)
;

-- scraper: revoke_part, without side tables (PostgreSQL)
WITH due AS MATERIALIZED (
    SELECT ctid AS place FROM api_keys
    WHERE client_id::text = $1::text AND client_id::text COLLATE pg_catalog."C" = $1::text
      AND is_active IS DISTINCT FROM false
    ORDER BY id LIMIT $2::bigint OFFSET $3::bigint FOR NO KEY UPDATE SKIP LOCKED
),
revoked AS (
    UPDATE api_keys SET is_active = false
    WHERE ctid = ANY (ARRAY(SELECT place FROM due))
      AND client_id::text = $1::text AND client_id::text COLLATE pg_catalog."C" = $1::text
      AND is_active IS DISTINCT FROM false
    RETURNING 1
)
SELECT (SELECT pg_catalog.count(*) FROM due) AS due,
       (SELECT pg_catalog.count(*) FROM revoked) AS revoked,
       (SELECT pg_catalog.count(*) FROM revoked) AS first;

-- scraper: revoke_part, without side tables (SQLite)
;

-- mesh: find (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       NULL AS reason, NULL AS successor_id, false AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
LEFT JOIN keyward.revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
WHERE k.secret_prefix::text = $1::text AND k.secret_hash::text = $2::text ORDER BY k.id;

-- mesh: find (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       NULL AS reason, NULL AS successor_id, 0 AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
LEFT JOIN keyward_revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
WHERE k.secret_prefix = ?1 AND k.secret_hash = ?2 ORDER BY k.id;

-- mesh: find, without side tables (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id, false AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
WHERE k.secret_prefix::text = $1::text AND k.secret_hash::text = $2::text ORDER BY k.id;

-- mesh: find, without side tables (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id, 0 AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
WHERE k.secret_prefix = ?1 AND k.secret_hash = ?2 ORDER BY k.id;

-- mesh: get (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       r.reason, t.successor_id, false AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
LEFT JOIN keyward.revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
LEFT JOIN keyward.rotations t
  ON t.schema = 'mesh' AND t.key_id = k.id::text AND t.key_hash = k.secret_hash::text
WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog."C" = $1::text;

-- mesh: get (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       r.reason, t.successor_id, 0 AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
LEFT JOIN keyward_revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
LEFT JOIN keyward_rotations t
  ON t.schema = 'mesh' AND t.key_id = k.id AND t.key_hash = k.secret_hash
WHERE k.id = ?1 COLLATE BINARY;

-- mesh: get, without side tables (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id, false AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog."C" = $1::text;

-- mesh: get, without side tables (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id, 0 AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
WHERE k.id = ?1 COLLATE BINARY;

-- mesh: list (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       r.reason, t.successor_id, false AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
LEFT JOIN keyward.revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
LEFT JOIN keyward.rotations t
  ON t.schema = 'mesh' AND t.key_id = k.id::text AND t.key_hash = k.secret_hash::text
WHERE k.mesh_id::text = $1::text AND k.mesh_id::text COLLATE pg_catalog."C" = $1::text
  AND ($2::text IS NULL OR (k.created_at, k.id::text) < (
      SELECT c.created_at, c.id::text FROM mesh.api_key c
      WHERE c.id::text = $2::text AND c.id::text COLLATE pg_catalog."C" = $2::text))
  AND ($4::text IS NULL
       OR pg_catalog.starts_with(k.id::text COLLATE pg_catalog."C", $4::text)
       OR pg_catalog.starts_with(k.secret_prefix::text, $4::text))
ORDER BY k.created_at DESC, k.id DESC LIMIT $3;

-- mesh: list (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       r.reason, t.successor_id, 0 AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
LEFT JOIN keyward_revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
LEFT JOIN keyward_rotations t
  ON t.schema = 'mesh' AND t.key_id = k.id AND t.key_hash = k.secret_hash
WHERE k.mesh_id = ?1 COLLATE BINARY
  AND (?2 IS NULL OR (k.created_at, k.id) < (
      SELECT c.created_at, c.id FROM api_key c WHERE c.id = ?2 COLLATE BINARY))
  AND (?4 IS NULL OR substr(k.id, 1, length(?4)) = ?4 OR substr(k.secret_prefix, 1, length(?4)) = ?4)
ORDER BY k.created_at DESC, k.id DESC LIMIT ?3;

-- mesh: list, without side tables (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id, false AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
WHERE k.mesh_id::text = $1::text AND k.mesh_id::text COLLATE pg_catalog."C" = $1::text
  AND ($2::text IS NULL OR (k.created_at, k.id::text) < (
      SELECT c.created_at, c.id::text FROM mesh.api_key c
      WHERE c.id::text = $2::text AND c.id::text COLLATE pg_catalog."C" = $2::text))
  AND ($4::text IS NULL
       OR pg_catalog.starts_with(k.id::text COLLATE pg_catalog."C", $4::text)
       OR pg_catalog.starts_with(k.secret_prefix::text, $4::text))
ORDER BY k.created_at DESC, k.id DESC LIMIT $3;

-- mesh: list, without side tables (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id, 0 AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
WHERE k.mesh_id = ?1 COLLATE BINARY
  AND (?2 IS NULL OR (k.created_at, k.id) < (
      SELECT c.created_at, c.id FROM api_key c WHERE c.id = ?2 COLLATE BINARY))
  AND (?4 IS NULL OR substr(k.id, 1, length(?4)) = ?4 OR substr(k.secret_prefix, 1, length(?4)) = ?4)
ORDER BY k.created_at DESC, k.id DESC LIMIT ?3;

-- mesh: strict find (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       NULL AS reason, NULL AS successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
LEFT JOIN keyward.revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
LEFT JOIN mesh.mesh m ON m.id::text = k.mesh_id::text
LEFT JOIN mesh.member i
  ON i.id::text = k.issued_by_member_id::text AND i.mesh_id::text = k.mesh_id::text
WHERE k.secret_prefix::text = $1::text AND k.secret_hash::text = $2::text ORDER BY k.id;

-- mesh: strict find (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       NULL AS reason, NULL AS successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
LEFT JOIN keyward_revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
LEFT JOIN mesh m ON m.id = k.mesh_id
LEFT JOIN member i ON i.id = k.issued_by_member_id AND i.mesh_id = k.mesh_id
WHERE k.secret_prefix = ?1 AND k.secret_hash = ?2 ORDER BY k.id;

-- mesh: strict find, without side tables (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
LEFT JOIN mesh.mesh m ON m.id::text = k.mesh_id::text
LEFT JOIN mesh.member i
  ON i.id::text = k.issued_by_member_id::text AND i.mesh_id::text = k.mesh_id::text
WHERE k.secret_prefix::text = $1::text AND k.secret_hash::text = $2::text ORDER BY k.id;

-- mesh: strict find, without side tables (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
LEFT JOIN mesh m ON m.id = k.mesh_id
LEFT JOIN member i ON i.id = k.issued_by_member_id AND i.mesh_id = k.mesh_id
WHERE k.secret_prefix = ?1 AND k.secret_hash = ?2 ORDER BY k.id;

-- mesh: strict get (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       r.reason, t.successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
LEFT JOIN keyward.revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
LEFT JOIN keyward.rotations t
  ON t.schema = 'mesh' AND t.key_id = k.id::text AND t.key_hash = k.secret_hash::text
LEFT JOIN mesh.mesh m ON m.id::text = k.mesh_id::text
LEFT JOIN mesh.member i
  ON i.id::text = k.issued_by_member_id::text AND i.mesh_id::text = k.mesh_id::text
WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog."C" = $1::text;

-- mesh: strict get (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       r.reason, t.successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
LEFT JOIN keyward_revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
LEFT JOIN keyward_rotations t
  ON t.schema = 'mesh' AND t.key_id = k.id AND t.key_hash = k.secret_hash
LEFT JOIN mesh m ON m.id = k.mesh_id
LEFT JOIN member i ON i.id = k.issued_by_member_id AND i.mesh_id = k.mesh_id
WHERE k.id = ?1 COLLATE BINARY;

-- mesh: strict get, without side tables (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
LEFT JOIN mesh.mesh m ON m.id::text = k.mesh_id::text
LEFT JOIN mesh.member i
  ON i.id::text = k.issued_by_member_id::text AND i.mesh_id::text = k.mesh_id::text
WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog."C" = $1::text;

-- mesh: strict get, without side tables (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
LEFT JOIN mesh m ON m.id = k.mesh_id
LEFT JOIN member i ON i.id = k.issued_by_member_id AND i.mesh_id = k.mesh_id
WHERE k.id = ?1 COLLATE BINARY;

-- mesh: strict list (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       r.reason, t.successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
LEFT JOIN keyward.revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
LEFT JOIN keyward.rotations t
  ON t.schema = 'mesh' AND t.key_id = k.id::text AND t.key_hash = k.secret_hash::text
LEFT JOIN mesh.mesh m ON m.id::text = k.mesh_id::text
LEFT JOIN mesh.member i
  ON i.id::text = k.issued_by_member_id::text AND i.mesh_id::text = k.mesh_id::text
WHERE k.mesh_id::text = $1::text AND k.mesh_id::text COLLATE pg_catalog."C" = $1::text
  AND ($2::text IS NULL OR (k.created_at, k.id::text) < (
      SELECT c.created_at, c.id::text FROM mesh.api_key c
      WHERE c.id::text = $2::text AND c.id::text COLLATE pg_catalog."C" = $2::text))
  AND ($4::text IS NULL
       OR pg_catalog.starts_with(k.id::text COLLATE pg_catalog."C", $4::text)
       OR pg_catalog.starts_with(k.secret_prefix::text, $4::text))
ORDER BY k.created_at DESC, k.id DESC LIMIT $3;

-- mesh: strict list (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
       r.reason, t.successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
LEFT JOIN keyward_revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
LEFT JOIN keyward_rotations t
  ON t.schema = 'mesh' AND t.key_id = k.id AND t.key_hash = k.secret_hash
LEFT JOIN mesh m ON m.id = k.mesh_id
LEFT JOIN member i ON i.id = k.issued_by_member_id AND i.mesh_id = k.mesh_id
WHERE k.mesh_id = ?1 COLLATE BINARY
  AND (?2 IS NULL OR (k.created_at, k.id) < (
      SELECT c.created_at, c.id FROM api_key c WHERE c.id = ?2 COLLATE BINARY))
  AND (?4 IS NULL OR substr(k.id, 1, length(?4)) = ?4 OR substr(k.secret_prefix, 1, length(?4)) = ?4)
ORDER BY k.created_at DESC, k.id DESC LIMIT ?3;

-- mesh: strict list, without side tables (PostgreSQL)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM mesh.api_key k
LEFT JOIN mesh.mesh m ON m.id::text = k.mesh_id::text
LEFT JOIN mesh.member i
  ON i.id::text = k.issued_by_member_id::text AND i.mesh_id::text = k.mesh_id::text
WHERE k.mesh_id::text = $1::text AND k.mesh_id::text COLLATE pg_catalog."C" = $1::text
  AND ($2::text IS NULL OR (k.created_at, k.id::text) < (
      SELECT c.created_at, c.id::text FROM mesh.api_key c
      WHERE c.id::text = $2::text AND c.id::text COLLATE pg_catalog."C" = $2::text))
  AND ($4::text IS NULL
       OR pg_catalog.starts_with(k.id::text COLLATE pg_catalog."C", $4::text)
       OR pg_catalog.starts_with(k.secret_prefix::text, $4::text))
ORDER BY k.created_at DESC, k.id DESC LIMIT $3;

-- mesh: strict list, without side tables (SQLite)
SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
       NULL AS reason, NULL AS successor_id,
       (m.id IS NULL OR m.archived_at IS NOT NULL OR k.issued_by_member_id IS NOT NULL
        AND (i.id IS NULL OR i.revoked_at IS NOT NULL)) AS tenant_disabled,
       k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
FROM api_key k
LEFT JOIN mesh m ON m.id = k.mesh_id
LEFT JOIN member i ON i.id = k.issued_by_member_id AND i.mesh_id = k.mesh_id
WHERE k.mesh_id = ?1 COLLATE BINARY
  AND (?2 IS NULL OR (k.created_at, k.id) < (
      SELECT c.created_at, c.id FROM api_key c WHERE c.id = ?2 COLLATE BINARY))
  AND (?4 IS NULL OR substr(k.id, 1, length(?4)) = ?4 OR substr(k.secret_prefix, 1, length(?4)) = ?4)
ORDER BY k.created_at DESC, k.id DESC LIMIT ?3;

-- mesh: insert (PostgreSQL)
INSERT INTO mesh.api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                          issued_by_member_id, created_at, expires_at)
SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text::jsonb, $7::text::jsonb,
       $8::text, $9::timestamp, $10::timestamp
WHERE NOT EXISTS (SELECT 1 FROM mesh.api_key
                  WHERE secret_prefix::text = $5::text AND secret_hash::text = $4::text)
RETURNING 1;

-- mesh: insert (SQLite)
INSERT INTO api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                     issued_by_member_id, created_at, expires_at)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
WHERE NOT EXISTS (SELECT 1 FROM api_key WHERE secret_prefix = ?5 AND secret_hash = ?4)
RETURNING 1;

-- mesh: touch (PostgreSQL)
WITH used AS (
    SELECT e.value ->> 0 AS id, e.value ->> 1 AS secret_hash,
           pg_catalog.max((e.value ->> 2)::timestamp) AS at, pg_catalog.max(e.place) AS place
    FROM pg_catalog.jsonb_array_elements($1::text::jsonb) WITH ORDINALITY e (value, place)
    GROUP BY 1, 2
), due AS (
    SELECT k.id::text AS id, used.at, used.place
    FROM used JOIN mesh.api_key k ON k.id::text = used.id AND k.secret_hash::text = used.secret_hash
    WHERE k.id::text COLLATE pg_catalog."C" = used.id
      AND (k.last_used_at IS NULL OR k.last_used_at < used.at
           OR k.last_used_at > used.at + '24 hours'::interval)
), locked AS (
    SELECT k.id::text AS id, due.at, due.place FROM due JOIN mesh.api_key k ON k.id::text = due.id
    WHERE k.id::text COLLATE pg_catalog."C" = due.id
      AND (k.last_used_at IS NULL OR k.last_used_at < due.at
           OR k.last_used_at > due.at + '24 hours'::interval)
    ORDER BY k.id FOR NO KEY UPDATE OF k SKIP LOCKED
), written AS (
    UPDATE mesh.api_key k SET last_used_at = locked.at FROM locked
    WHERE k.id::text = locked.id AND k.id::text COLLATE pg_catalog."C" = locked.id
    RETURNING 1
)
SELECT NULL::bigint AS busy FROM written
UNION ALL
SELECT due.place FROM due WHERE due.place NOT IN (SELECT locked.place FROM locked);

-- mesh: touch (SQLite)
UPDATE api_key SET last_used_at = used.at
FROM (SELECT value ->> 0 AS id, value ->> 1 AS secret_hash, max(value ->> 2) AS at
      FROM json_each(?1) GROUP BY 1, 2) AS used
WHERE api_key.id = used.id COLLATE BINARY AND api_key.secret_hash = used.secret_hash COLLATE BINARY
  AND (coalesce(strftime('%Y-%m-%d %H:%M:%f', last_used_at), '') < strftime('%Y-%m-%d %H:%M:%f', used.at)
       OR strftime('%Y-%m-%d %H:%M:%f', last_used_at) > strftime('%Y-%m-%d %H:%M:%f', used.at, '+1 day'))
RETURNING NULL AS busy;

-- mesh: owner (PostgreSQL)
SELECT 1 FROM mesh.mesh WHERE id::text = $1::text AND id::text COLLATE pg_catalog."C" = $1::text;

-- mesh: owner (SQLite)
SELECT 1 FROM mesh WHERE id = ?1 COLLATE BINARY;

-- mesh: record_rotation (PostgreSQL)
INSERT INTO keyward.rotations (schema, key_id, key_hash, successor_id, rotated_at, accepted_until)
VALUES ($1, $2, $3, $4, $5::timestamp, $6::timestamp)
ON CONFLICT DO NOTHING RETURNING 1;

-- mesh: record_rotation (SQLite)
INSERT INTO keyward_rotations (schema, key_id, key_hash, successor_id, rotated_at, accepted_until)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO NOTHING RETURNING 1;

-- mesh: record_retirement (PostgreSQL)
INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at)
VALUES ($1, $2, $3, $4::timestamp)
ON CONFLICT DO NOTHING RETURNING 1;

-- mesh: record_retirement (SQLite)
INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO NOTHING RETURNING 1;

-- mesh: revoked (PostgreSQL)
SELECT 1 FROM keyward.revocations WHERE schema = $1::text AND key_id = $2::text AND key_hash = $3::text;

-- mesh: revoked (SQLite)
SELECT 1 FROM keyward_revocations WHERE schema = ?1 AND key_id = ?2 AND key_hash = ?3;

-- mesh: retire (PostgreSQL)
UPDATE mesh.api_key SET expires_at = $5::timestamp, revoked_at = $6::timestamp
WHERE id::text = $1::text AND id::text COLLATE pg_catalog."C" = $1::text
  AND secret_hash::text = $2::text AND mesh_id::text COLLATE pg_catalog."C" = $3::text AND revoked_at IS NULL
  AND (expires_at IS NOT DISTINCT FROM $4::timestamp
       OR $4::timestamp >= '9999-12-31 23:59:59.999999'::timestamp AND expires_at >= $4::timestamp)
RETURNING 1;

-- mesh: retire (SQLite)
UPDATE api_key SET expires_at = ?5, revoked_at = ?6
WHERE id = ?1 COLLATE BINARY AND secret_hash = ?2 COLLATE BINARY AND mesh_id = ?3 COLLATE BINARY
  AND revoked_at IS NULL
  AND (expires_at IS ?4 OR expires_at IS ?4 || '.000000'
       OR NOT (length(expires_at) IN (19, 26) AND substr(expires_at, 11, 1) = ' ')
          AND strftime('%Y-%m-%d %H:%M:%f', expires_at) = strftime('%Y-%m-%d %H:%M:%f', ?4))
RETURNING 1;

-- mesh: succeed (PostgreSQL)
INSERT INTO mesh.api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                          issued_by_member_id, created_at, expires_at)
SELECT $2::text, k.mesh_id, k.label, $3::text, $4::text, k.capabilities, k.topic_scopes,
       k.issued_by_member_id, $5::timestamp, $6::timestamp
FROM mesh.api_key k
WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog."C" = $1::text
  AND NOT EXISTS (SELECT 1 FROM mesh.api_key o
                  WHERE o.secret_prefix::text = $4::text AND o.secret_hash::text = $3::text)
RETURNING 1;

-- mesh: succeed (SQLite)
INSERT INTO api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                     issued_by_member_id, created_at, expires_at)
SELECT ?2, k.mesh_id, k.label, ?3, ?4, k.capabilities, k.topic_scopes, k.issued_by_member_id, ?5, ?6
FROM api_key k
WHERE k.id = ?1 COLLATE BINARY
  AND NOT EXISTS (SELECT 1 FROM api_key o WHERE o.secret_prefix = ?4 AND o.secret_hash = ?3)
RETURNING 1;

-- mesh: owner, strict (PostgreSQL)
SELECT 1 FROM mesh.mesh
WHERE id::text = $1::text AND id::text COLLATE pg_catalog."C" = $1::text AND archived_at IS NULL;

-- mesh: owner, strict (SQLite)
SELECT 1 FROM mesh WHERE id = ?1 COLLATE BINARY AND archived_at IS NULL;

-- mesh: issuer (PostgreSQL)
SELECT 1 FROM mesh.member
WHERE id::text = $1::text AND id::text COLLATE pg_catalog."C" = $1::text
  AND mesh_id::text COLLATE pg_catalog."C" = $2::text AND ($3::bigint = 0::bigint OR revoked_at IS NULL);

-- mesh: issuer (SQLite)
SELECT 1 FROM member
WHERE id = ?1 COLLATE BINARY AND mesh_id = ?2 COLLATE BINARY AND (?3 = 0 OR revoked_at IS NULL);

-- mesh: issuer of a key (PostgreSQL)
SELECT 1 FROM mesh.api_key k
LEFT JOIN mesh.member i ON i.id::text = k.issued_by_member_id::text AND i.mesh_id::text = k.mesh_id::text
WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog."C" = $1::text
  AND (k.issued_by_member_id IS NULL
       OR i.id IS NOT NULL AND ($2::bigint = 0::bigint OR i.revoked_at IS NULL));

-- mesh: issuer of a key (SQLite)
SELECT 1 FROM api_key k
LEFT JOIN member i ON i.id = k.issued_by_member_id AND i.mesh_id = k.mesh_id
WHERE k.id = ?1 COLLATE BINARY
  AND (k.issued_by_member_id IS NULL OR i.id IS NOT NULL AND (?2 = 0 OR i.revoked_at IS NULL));

-- mesh: revoke (PostgreSQL)
UPDATE mesh.api_key SET revoked_at = $4::timestamp
WHERE id::text = $1::text AND id::text COLLATE pg_catalog."C" = $1::text
  AND ($2::text IS NULL OR secret_hash::text = $2::text)
  AND ($3::text IS NULL OR mesh_id::text COLLATE pg_catalog."C" = $3::text)
  AND revoked_at IS NULL
RETURNING 1;

-- mesh: revoke (SQLite)
UPDATE api_key SET revoked_at = ?4
WHERE id = ?1 COLLATE BINARY AND (?2 IS NULL OR secret_hash = ?2 COLLATE BINARY)
  AND (?3 IS NULL OR mesh_id = ?3 COLLATE BINARY) AND revoked_at IS NULL
RETURNING 1;

-- mesh: record_revocation (PostgreSQL)
INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'mesh', k.id::text, k.secret_hash::text, $4::timestamp, $5::text
FROM (SELECT id, secret_hash FROM mesh.api_key
      WHERE id::text = $1::text AND id::text COLLATE pg_catalog."C" = $1::text
        AND ($2::text IS NULL OR secret_hash::text = $2::text)
        AND ($3::text IS NULL OR mesh_id::text COLLATE pg_catalog."C" = $3::text)
        AND revoked_at IS NULL
      FOR NO KEY UPDATE) k
WHERE pg_catalog.octet_length(k.id::text) <= 1024 AND pg_catalog.octet_length(k.secret_hash::text) <= 1024
ON CONFLICT DO NOTHING RETURNING 1;

-- mesh: record_revocation (SQLite)
INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'mesh', id, secret_hash, ?4, ?5 FROM api_key
WHERE id = ?1 COLLATE BINARY AND (?2 IS NULL OR secret_hash = ?2 COLLATE BINARY)
  AND (?3 IS NULL OR mesh_id = ?3 COLLATE BINARY) AND revoked_at IS NULL
  AND id IS NOT NULL AND secret_hash IS NOT NULL
ON CONFLICT DO NOTHING RETURNING 1;

-- mesh: outcome_of_revocation (PostgreSQL)
SELECT k.id::text AS id, true AS is_meant, k.revoked_at IS NULL AS is_live,
       r.revoked_at IS NOT NULL AS is_recorded, coalesce(r.revoked_at, k.revoked_at) AS revoked_at, r.reason
FROM mesh.api_key k
LEFT JOIN keyward.revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog."C" = $1::text
  AND ($2::text IS NULL OR k.secret_hash::text = $2::text)
  AND ($3::text IS NULL OR k.mesh_id::text COLLATE pg_catalog."C" = $3::text)
UNION ALL
(SELECT t.id::text, false, true, false, NULL, NULL
 FROM mesh.api_key k
 JOIN mesh.api_key t
   ON t.secret_prefix::text = k.secret_prefix::text AND t.secret_hash::text = k.secret_hash::text
 WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog."C" = $1::text
   AND t.id::text COLLATE pg_catalog."C" <> $1::text AND t.revoked_at IS NULL
 ORDER BY t.id LIMIT 100);

-- mesh: outcome_of_revocation (SQLite)
SELECT k.id, 1 AS is_meant, k.revoked_at IS NULL AS is_live, r.revoked_at IS NOT NULL AS is_recorded,
       coalesce(r.revoked_at, k.revoked_at) AS revoked_at, r.reason
FROM api_key k
LEFT JOIN keyward_revocations r
  ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
WHERE k.id = ?1 COLLATE BINARY AND (?2 IS NULL OR k.secret_hash = ?2 COLLATE BINARY)
  AND (?3 IS NULL OR k.mesh_id = ?3 COLLATE BINARY)
UNION ALL
SELECT * FROM (
    SELECT t.id, 0, 1, 0, NULL, NULL
    FROM api_key k
    JOIN api_key t ON t.secret_prefix = k.secret_prefix AND t.secret_hash = k.secret_hash COLLATE BINARY
    WHERE k.id = ?1 COLLATE BINARY AND t.id <> ?1 COLLATE BINARY AND t.revoked_at IS NULL
    ORDER BY t.id LIMIT 100);

-- mesh: outcome_of_revocation, without side tables (PostgreSQL)
SELECT k.id::text AS id, true AS is_meant, k.revoked_at IS NULL AS is_live, false AS is_recorded,
       k.revoked_at, NULL AS reason
FROM mesh.api_key k
WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog."C" = $1::text
  AND ($2::text IS NULL OR k.secret_hash::text = $2::text)
  AND ($3::text IS NULL OR k.mesh_id::text COLLATE pg_catalog."C" = $3::text)
UNION ALL
(SELECT t.id::text, false, true, false, NULL, NULL
 FROM mesh.api_key k
 JOIN mesh.api_key t
   ON t.secret_prefix::text = k.secret_prefix::text AND t.secret_hash::text = k.secret_hash::text
 WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog."C" = $1::text
   AND t.id::text COLLATE pg_catalog."C" <> $1::text AND t.revoked_at IS NULL
 ORDER BY t.id LIMIT 100);

-- mesh: outcome_of_revocation, without side tables (SQLite)
SELECT k.id, 1 AS is_meant, k.revoked_at IS NULL AS is_live, 0 AS is_recorded, k.revoked_at, NULL AS reason
FROM api_key k
WHERE k.id = ?1 COLLATE BINARY AND (?2 IS NULL OR k.secret_hash = ?2 COLLATE BINARY)
  AND (?3 IS NULL OR k.mesh_id = ?3 COLLATE BINARY)
UNION ALL
SELECT * FROM (
    SELECT t.id, 0, 1, 0, NULL, NULL
    FROM api_key k
    JOIN api_key t ON t.secret_prefix = k.secret_prefix AND t.secret_hash = k.secret_hash COLLATE BINARY
    WHERE k.id = ?1 COLLATE BINARY AND t.id <> ?1 COLLATE BINARY AND t.revoked_at IS NULL
    ORDER BY t.id LIMIT 100);

-- mesh: lock_keys (PostgreSQL)
WITH locked AS MATERIALIZED (
    SELECT id, secret_hash FROM mesh.api_key
    WHERE mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog."C" = $1::text
      AND revoked_at IS NULL
    ORDER BY id FOR NO KEY UPDATE
)
SELECT 1 FROM locked
WHERE (pg_catalog.octet_length(id::text) <= 1024
       AND pg_catalog.octet_length(secret_hash::text) <= 1024) IS NOT TRUE;

-- mesh: lock_keys (SQLite)
SELECT 1 FROM api_key
WHERE mesh_id = ?1 COLLATE BINARY AND revoked_at IS NULL AND (id IS NULL OR secret_hash IS NULL);

-- mesh: revoke_all (PostgreSQL)
UPDATE mesh.api_key SET revoked_at = $2::timestamp
WHERE mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog."C" = $1::text
  AND revoked_at IS NULL
RETURNING 1;

-- mesh: revoke_all (SQLite)
UPDATE api_key SET revoked_at = ?2 WHERE mesh_id = ?1 COLLATE BINARY AND revoked_at IS NULL RETURNING 1;

-- mesh: remaining_keys (PostgreSQL)
SELECT coalesce(k.id::text, 'NULL') AS id FROM mesh.api_key k
WHERE k.mesh_id::text = $1::text AND k.mesh_id::text COLLATE pg_catalog."C" = $1::text
  AND k.revoked_at IS NULL
ORDER BY k.id::text COLLATE pg_catalog."C" LIMIT 100 OFFSET $2::bigint;

-- mesh: remaining_keys (SQLite)
SELECT CASE typeof(k.id) WHEN 'text' THEN k.id ELSE quote(k.id) END AS id FROM api_key k
WHERE k.mesh_id = ?1 COLLATE BINARY AND k.revoked_at IS NULL
ORDER BY k.id IS NULL, k.id COLLATE BINARY LIMIT 100 OFFSET ?2;

-- mesh: record_all_revocations (PostgreSQL)
INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'mesh', id::text, secret_hash::text, $2::timestamp, $3::text FROM mesh.api_key
WHERE mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog."C" = $1::text
  AND revoked_at IS NULL
  AND pg_catalog.octet_length(id::text) <= 1024 AND pg_catalog.octet_length(secret_hash::text) <= 1024
ON CONFLICT DO NOTHING RETURNING 1;

-- mesh: record_all_revocations (SQLite)
INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'mesh', id, secret_hash, ?2, ?3 FROM api_key
WHERE mesh_id = ?1 COLLATE BINARY AND revoked_at IS NULL AND id IS NOT NULL AND secret_hash IS NOT NULL
ON CONFLICT DO NOTHING RETURNING 1;

-- mesh: revoke_part (PostgreSQL)
WITH due AS MATERIALIZED (
    SELECT k.ctid AS place, k.id, k.secret_hash,
           EXISTS (SELECT 1 FROM keyward.revocations r
                   WHERE r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text)
               AS is_recorded
    FROM mesh.api_key k
    WHERE k.mesh_id::text = $1::text AND k.mesh_id::text COLLATE pg_catalog."C" = $1::text
      AND k.revoked_at IS NULL
    ORDER BY k.id LIMIT $2::bigint OFFSET $3::bigint FOR NO KEY UPDATE OF k SKIP LOCKED
),
recorded AS (
    INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
    SELECT 'mesh', id::text, secret_hash::text, $4::timestamp, $5::text FROM due
    WHERE pg_catalog.octet_length(id::text) <= 1024 AND pg_catalog.octet_length(secret_hash::text) <= 1024
    ON CONFLICT DO NOTHING
),
revoked AS (
    UPDATE mesh.api_key SET revoked_at = $4::timestamp
    WHERE ctid = ANY (ARRAY(SELECT place FROM due))
      AND mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog."C" = $1::text
      AND revoked_at IS NULL
    RETURNING 1
)
SELECT (SELECT pg_catalog.count(*) FROM due) AS due,
       (SELECT pg_catalog.count(*) FROM revoked) AS revoked,
       (SELECT pg_catalog.count(*) FROM due WHERE NOT is_recorded) AS first;

-- mesh: revoke_part (SQLite)
;

-- mesh: revoke_part, without side tables (PostgreSQL)
WITH due AS MATERIALIZED (
    SELECT ctid AS place FROM mesh.api_key
    WHERE mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog."C" = $1::text
      AND revoked_at IS NULL
    ORDER BY id LIMIT $2::bigint OFFSET $3::bigint FOR NO KEY UPDATE SKIP LOCKED
),
revoked AS (
    UPDATE mesh.api_key SET revoked_at = $4::timestamp
    WHERE ctid = ANY (ARRAY(SELECT place FROM due))
      AND mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog."C" = $1::text
      AND revoked_at IS NULL
    RETURNING 1
)
SELECT (SELECT pg_catalog.count(*) FROM due) AS due,
       (SELECT pg_catalog.count(*) FROM revoked) AS revoked,
       (SELECT pg_catalog.count(*) FROM revoked) AS first;

-- mesh: revoke_part, without side tables (SQLite)
;

-- aggregator: find (PostgreSQL)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
       coalesce(r.revoked_at AT TIME ZONE 'UTC', a.api_key_revoked_at) AS api_key_revoked_at,
       NULL AS reason
FROM aggregators a
LEFT JOIN keyward.revocations r
  ON r.schema = 'aggregator' AND r.key_id = a.did::text AND r.key_hash = a.api_key_hash::text
WHERE a.api_key_hash::text = $1::text;

-- aggregator: find (SQLite)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
       coalesce(r.revoked_at, a.api_key_revoked_at) AS api_key_revoked_at,
       NULL AS reason
FROM aggregators a
LEFT JOIN keyward_revocations r
  ON r.schema = 'aggregator' AND r.key_id = a.did AND r.key_hash = a.api_key_hash
WHERE a.api_key_hash = ?1;

-- aggregator: find, without side tables (PostgreSQL)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
       NULL AS reason
FROM aggregators a
WHERE a.api_key_hash::text = $1::text;

-- aggregator: find, without side tables (SQLite)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
       NULL AS reason
FROM aggregators a
WHERE a.api_key_hash = ?1;

-- aggregator: get (PostgreSQL)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
       coalesce(r.revoked_at AT TIME ZONE 'UTC', a.api_key_revoked_at) AS api_key_revoked_at,
       r.reason
FROM aggregators a
LEFT JOIN keyward.revocations r
  ON r.schema = 'aggregator' AND r.key_id = a.did::text AND r.key_hash = a.api_key_hash::text
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND a.api_key_hash IS NOT NULL;

-- aggregator: get (SQLite)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
       coalesce(r.revoked_at, a.api_key_revoked_at) AS api_key_revoked_at,
       r.reason
FROM aggregators a
LEFT JOIN keyward_revocations r
  ON r.schema = 'aggregator' AND r.key_id = a.did AND r.key_hash = a.api_key_hash
WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL;

-- aggregator: get, without side tables (PostgreSQL)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
       NULL AS reason
FROM aggregators a
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND a.api_key_hash IS NOT NULL;

-- aggregator: get, without side tables (SQLite)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
       NULL AS reason
FROM aggregators a
WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL;

-- aggregator: list (PostgreSQL)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
       coalesce(r.revoked_at AT TIME ZONE 'UTC', a.api_key_revoked_at) AS api_key_revoked_at,
       r.reason
FROM aggregators a
LEFT JOIN keyward.revocations r
  ON r.schema = 'aggregator' AND r.key_id = a.did::text AND r.key_hash = a.api_key_hash::text
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND a.api_key_hash IS NOT NULL AND $2::text IS NULL
  AND ($4::text IS NULL
       OR pg_catalog.starts_with(a.did::text COLLATE pg_catalog."C", $4::text)
       OR pg_catalog.starts_with(a.api_key_prefix::text, $4::text))
LIMIT $3;

-- aggregator: list (SQLite)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
       coalesce(r.revoked_at, a.api_key_revoked_at) AS api_key_revoked_at,
       r.reason
FROM aggregators a
LEFT JOIN keyward_revocations r
  ON r.schema = 'aggregator' AND r.key_id = a.did AND r.key_hash = a.api_key_hash
WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL AND ?2 IS NULL
  AND (?4 IS NULL OR substr(a.did, 1, length(?4)) = ?4 OR substr(a.api_key_prefix, 1, length(?4)) = ?4)
LIMIT ?3;

-- aggregator: list, without side tables (PostgreSQL)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
       NULL AS reason
FROM aggregators a
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND a.api_key_hash IS NOT NULL AND $2::text IS NULL
  AND ($4::text IS NULL
       OR pg_catalog.starts_with(a.did::text COLLATE pg_catalog."C", $4::text)
       OR pg_catalog.starts_with(a.api_key_prefix::text, $4::text))
LIMIT $3;

-- aggregator: list, without side tables (SQLite)
SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
       NULL AS reason
FROM aggregators a
WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL AND ?2 IS NULL
  AND (?4 IS NULL OR substr(a.did, 1, length(?4)) = ?4 OR substr(a.api_key_prefix, 1, length(?4)) = ?4)
LIMIT ?3;

-- aggregator: insert (PostgreSQL)
UPDATE aggregators
SET api_key_prefix = $2, api_key_hash = $3, api_key_created_at = $4::timestamp AT TIME ZONE 'UTC',
    api_key_revoked_at = NULL, api_key_last_used_at = NULL
WHERE did::text = $1::text AND did::text COLLATE pg_catalog."C" = $1::text AND api_key_hash IS NULL
RETURNING 1;

-- aggregator: insert (SQLite)
UPDATE aggregators
SET api_key_prefix = ?2, api_key_hash = ?3, api_key_created_at = ?4,
    api_key_revoked_at = NULL, api_key_last_used_at = NULL
WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NULL
RETURNING 1;

-- aggregator: touch (PostgreSQL)
WITH used AS (
    SELECT e.value ->> 0 AS did, e.value ->> 1 AS api_key_hash,
           pg_catalog.max((e.value ->> 2)::timestamp) AT TIME ZONE 'UTC' AS at,
           pg_catalog.max(e.place) AS place
    FROM pg_catalog.jsonb_array_elements($1::text::jsonb) WITH ORDINALITY e (value, place)
    GROUP BY 1, 2
), due AS (
    SELECT a.did::text AS did, used.at, used.place
    FROM used JOIN aggregators a
      ON a.did::text = used.did AND a.api_key_hash::text = used.api_key_hash
    WHERE a.did::text COLLATE pg_catalog."C" = used.did
      AND (a.api_key_last_used_at IS NULL OR a.api_key_last_used_at < used.at
           OR a.api_key_last_used_at > used.at + '24 hours'::interval)
), locked AS (
    SELECT a.did::text AS did, due.at, due.place FROM due JOIN aggregators a ON a.did::text = due.did
    WHERE a.did::text COLLATE pg_catalog."C" = due.did
      AND (a.api_key_last_used_at IS NULL OR a.api_key_last_used_at < due.at
           OR a.api_key_last_used_at > due.at + '24 hours'::interval)
    ORDER BY a.did FOR NO KEY UPDATE OF a SKIP LOCKED
), written AS (
    UPDATE aggregators a SET api_key_last_used_at = locked.at
    FROM locked WHERE a.did::text = locked.did AND a.did::text COLLATE pg_catalog."C" = locked.did
    RETURNING 1
)
SELECT NULL::bigint AS busy FROM written
UNION ALL
SELECT due.place FROM due WHERE due.place NOT IN (SELECT locked.place FROM locked);

-- aggregator: touch (SQLite)
UPDATE aggregators SET api_key_last_used_at = used.at
FROM (SELECT value ->> 0 AS did, value ->> 1 AS api_key_hash, max(value ->> 2) AS at
      FROM json_each(?1) GROUP BY 1, 2) AS used
WHERE aggregators.did = used.did COLLATE BINARY
  AND aggregators.api_key_hash = used.api_key_hash COLLATE BINARY
  AND (coalesce(strftime('%Y-%m-%d %H:%M:%f', api_key_last_used_at), '')
           < strftime('%Y-%m-%d %H:%M:%f', used.at)
       OR strftime('%Y-%m-%d %H:%M:%f', api_key_last_used_at)
           > strftime('%Y-%m-%d %H:%M:%f', used.at, '+1 day'))
RETURNING NULL AS busy;

-- aggregator: owner (PostgreSQL)
SELECT 1 FROM aggregators WHERE did::text = $1::text AND did::text COLLATE pg_catalog."C" = $1::text;

-- aggregator: owner (SQLite)
SELECT 1 FROM aggregators WHERE did = ?1 COLLATE BINARY;

-- aggregator: record_rotation (PostgreSQL)
INSERT INTO keyward.rotations (schema, key_id, key_hash, successor_id, rotated_at, accepted_until)
VALUES ($1, $2, $3, $4, $5::timestamp, $6::timestamp)
ON CONFLICT DO NOTHING RETURNING 1;

-- aggregator: record_rotation (SQLite)
INSERT INTO keyward_rotations (schema, key_id, key_hash, successor_id, rotated_at, accepted_until)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO NOTHING RETURNING 1;

-- aggregator: record_retirement (PostgreSQL)
INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at)
VALUES ($1, $2, $3, $4::timestamp)
ON CONFLICT DO NOTHING RETURNING 1;

-- aggregator: record_retirement (SQLite)
INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO NOTHING RETURNING 1;

-- aggregator: revoked (PostgreSQL)
SELECT 1 FROM keyward.revocations WHERE schema = $1::text AND key_id = $2::text AND key_hash = $3::text;

-- aggregator: revoked (SQLite)
SELECT 1 FROM keyward_revocations WHERE schema = ?1 AND key_id = ?2 AND key_hash = ?3;

-- aggregator: replace (PostgreSQL)
UPDATE aggregators
SET api_key_prefix = $2, api_key_hash = $3, api_key_created_at = $4::timestamp AT TIME ZONE 'UTC',
    api_key_revoked_at = NULL, api_key_last_used_at = NULL
WHERE did::text = $1::text AND did::text COLLATE pg_catalog."C" = $1::text
  AND (api_key_hash::text = $5::text OR $5::text IS NULL AND api_key_hash::text !~ '^[0-9a-f]{64}$')
  AND ($6::bigint = 0::bigint OR api_key_revoked_at IS NULL)
RETURNING 1;

-- aggregator: replace (SQLite)
UPDATE aggregators
SET api_key_prefix = ?2, api_key_hash = ?3, api_key_created_at = ?4,
    api_key_revoked_at = NULL, api_key_last_used_at = NULL
WHERE did = ?1 COLLATE BINARY
  AND (api_key_hash = ?5 COLLATE BINARY
       OR ?5 IS NULL AND (typeof(api_key_hash) <> 'text' OR length(CAST(api_key_hash AS BLOB)) <> 64
                          OR api_key_hash GLOB '*[^0-9a-f]*'))
  AND (?6 = 0 OR api_key_revoked_at IS NULL)
RETURNING 1;

-- aggregator: revoke (PostgreSQL)
UPDATE aggregators SET api_key_revoked_at = $4::timestamp AT TIME ZONE 'UTC'
WHERE did::text = $1::text AND did::text COLLATE pg_catalog."C" = $1::text
  AND api_key_hash IS NOT NULL AND ($2::text IS NULL OR api_key_hash::text = $2::text)
  AND ($3::text IS NULL OR did::text COLLATE pg_catalog."C" = $3::text) AND api_key_revoked_at IS NULL
RETURNING 1;

-- aggregator: revoke (SQLite)
UPDATE aggregators SET api_key_revoked_at = ?4
WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NOT NULL
  AND (?2 IS NULL OR api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR did = ?3 COLLATE BINARY)
  AND api_key_revoked_at IS NULL
RETURNING 1;

-- aggregator: record_revocation (PostgreSQL)
INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'aggregator', a.did::text, a.api_key_hash::text, $4::timestamp, $5::text
FROM (SELECT did, api_key_hash FROM aggregators
      WHERE did::text = $1::text AND did::text COLLATE pg_catalog."C" = $1::text
        AND api_key_hash IS NOT NULL AND ($2::text IS NULL OR api_key_hash::text = $2::text)
        AND ($3::text IS NULL OR did::text COLLATE pg_catalog."C" = $3::text)
        AND api_key_revoked_at IS NULL
      FOR NO KEY UPDATE) a
WHERE pg_catalog.octet_length(a.did::text) <= 1024 AND pg_catalog.octet_length(a.api_key_hash::text) <= 1024
ON CONFLICT DO NOTHING RETURNING 1;

-- aggregator: record_revocation (SQLite)
INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'aggregator', did, api_key_hash, ?4, ?5 FROM aggregators
WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NOT NULL
  AND (?2 IS NULL OR api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR did = ?3 COLLATE BINARY)
  AND api_key_revoked_at IS NULL
ON CONFLICT DO NOTHING RETURNING 1;

-- aggregator: outcome_of_revocation (PostgreSQL)
SELECT a.did::text AS id, true AS is_meant, a.api_key_revoked_at IS NULL AS is_live,
       r.revoked_at IS NOT NULL AS is_recorded,
       coalesce(r.revoked_at AT TIME ZONE 'UTC', a.api_key_revoked_at) AS revoked_at, r.reason
FROM aggregators a
LEFT JOIN keyward.revocations r
  ON r.schema = 'aggregator' AND r.key_id = a.did::text AND r.key_hash = a.api_key_hash::text
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND a.api_key_hash IS NOT NULL AND ($2::text IS NULL OR a.api_key_hash::text = $2::text)
  AND ($3::text IS NULL OR a.did::text COLLATE pg_catalog."C" = $3::text)
UNION ALL
(SELECT t.did::text, false, true, false, NULL, NULL
 FROM aggregators a JOIN aggregators t ON t.api_key_hash::text = a.api_key_hash::text
 WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
   AND t.did::text COLLATE pg_catalog."C" <> $1::text AND t.api_key_revoked_at IS NULL
 ORDER BY t.did LIMIT 100);

-- aggregator: outcome_of_revocation (SQLite)
SELECT a.did AS id, 1 AS is_meant, a.api_key_revoked_at IS NULL AS is_live,
       r.revoked_at IS NOT NULL AS is_recorded, coalesce(r.revoked_at, a.api_key_revoked_at) AS revoked_at,
       r.reason
FROM aggregators a
LEFT JOIN keyward_revocations r
  ON r.schema = 'aggregator' AND r.key_id = a.did AND r.key_hash = a.api_key_hash
WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL
  AND (?2 IS NULL OR a.api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR a.did = ?3 COLLATE BINARY)
UNION ALL
SELECT * FROM (
    SELECT t.did, 0, 1, 0, NULL, NULL
    FROM aggregators a JOIN aggregators t ON t.api_key_hash = a.api_key_hash COLLATE BINARY
    WHERE a.did = ?1 COLLATE BINARY AND t.did <> ?1 COLLATE BINARY AND t.api_key_revoked_at IS NULL
    ORDER BY t.did LIMIT 100);

-- aggregator: outcome_of_revocation, without side tables (PostgreSQL)
SELECT a.did::text AS id, true AS is_meant, a.api_key_revoked_at IS NULL AS is_live, false AS is_recorded,
       a.api_key_revoked_at AS revoked_at, NULL AS reason
FROM aggregators a
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND a.api_key_hash IS NOT NULL AND ($2::text IS NULL OR a.api_key_hash::text = $2::text)
  AND ($3::text IS NULL OR a.did::text COLLATE pg_catalog."C" = $3::text)
UNION ALL
(SELECT t.did::text, false, true, false, NULL, NULL
 FROM aggregators a JOIN aggregators t ON t.api_key_hash::text = a.api_key_hash::text
 WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
   AND t.did::text COLLATE pg_catalog."C" <> $1::text AND t.api_key_revoked_at IS NULL
 ORDER BY t.did LIMIT 100);

-- aggregator: outcome_of_revocation, without side tables (SQLite)
SELECT a.did AS id, 1 AS is_meant, a.api_key_revoked_at IS NULL AS is_live, 0 AS is_recorded,
       a.api_key_revoked_at AS revoked_at, NULL AS reason
FROM aggregators a
WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL
  AND (?2 IS NULL OR a.api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR a.did = ?3 COLLATE BINARY)
UNION ALL
SELECT * FROM (
    SELECT t.did, 0, 1, 0, NULL, NULL
    FROM aggregators a JOIN aggregators t ON t.api_key_hash = a.api_key_hash COLLATE BINARY
    WHERE a.did = ?1 COLLATE BINARY AND t.did <> ?1 COLLATE BINARY AND t.api_key_revoked_at IS NULL
    ORDER BY t.did LIMIT 100);

-- aggregator: lock_keys (PostgreSQL)
WITH locked AS MATERIALIZED (
    SELECT did, api_key_hash FROM aggregators
    WHERE did::text = $1::text AND did::text COLLATE pg_catalog."C" = $1::text
      AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
    ORDER BY did FOR NO KEY UPDATE
)
SELECT 1 FROM locked
WHERE (pg_catalog.octet_length(did::text) <= 1024
       AND pg_catalog.octet_length(api_key_hash::text) <= 1024) IS NOT TRUE;

-- aggregator: lock_keys (SQLite)
SELECT 1 FROM aggregators WHERE did = ?1 COLLATE BINARY AND false;

-- aggregator: revoke_all (PostgreSQL)
UPDATE aggregators SET api_key_revoked_at = $2::timestamp AT TIME ZONE 'UTC'
WHERE did::text = $1::text AND did::text COLLATE pg_catalog."C" = $1::text
  AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
RETURNING 1;

-- aggregator: revoke_all (SQLite)
UPDATE aggregators SET api_key_revoked_at = ?2
WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
RETURNING 1;

-- aggregator: remaining_keys (PostgreSQL)
SELECT a.did::text AS id FROM aggregators a
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NULL
LIMIT 100 OFFSET $2::bigint;

-- aggregator: remaining_keys (SQLite)
SELECT a.did AS id FROM aggregators a
WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NULL
LIMIT 100 OFFSET ?2;

-- aggregator: record_all_revocations (PostgreSQL)
INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'aggregator', did::text, api_key_hash::text, $2::timestamp, $3::text FROM aggregators
WHERE did::text = $1::text AND did::text COLLATE pg_catalog."C" = $1::text
  AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
  AND pg_catalog.octet_length(did::text) <= 1024 AND pg_catalog.octet_length(api_key_hash::text) <= 1024
ON CONFLICT DO NOTHING RETURNING 1;

-- aggregator: record_all_revocations (SQLite)
INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
SELECT 'aggregator', did, api_key_hash, ?2, ?3 FROM aggregators
WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
ON CONFLICT DO NOTHING RETURNING 1;
