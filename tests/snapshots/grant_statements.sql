-- Every statement that keyward runs on tables of an authorization server, by schema, name and engine.
-- KEYWARD_UPDATE_SNAPSHOTS=1 cargo test --all-features writes this file anew.

-- broker: client (PostgreSQL)
SELECT k.client_id, k.client_secret, k.redirect_uris, k.metadata_json, k.created_at, k.last_used
FROM clients k
WHERE k.client_id::text = $1::text;

-- broker: client (SQLite)
SELECT k.client_id, k.client_secret, k.redirect_uris, k.metadata_json, k.created_at, k.last_used
FROM clients k
WHERE k.client_id = ?1;

-- broker: clients (PostgreSQL)
SELECT k.client_id, k.client_secret, k.redirect_uris, k.metadata_json, k.created_at, k.last_used
FROM clients k
WHERE k.client_id IS NOT NULL AND ($1::text IS NULL OR k.client_id::text COLLATE pg_catalog."C" > $1::text)
ORDER BY k.client_id::text COLLATE pg_catalog."C" LIMIT $2::bigint;

-- broker: clients (SQLite)
SELECT k.client_id, k.client_secret, k.redirect_uris, k.metadata_json, k.created_at, k.last_used
FROM clients k
WHERE k.client_id >= coalesce(?1, '') AND (?1 IS NULL OR k.client_id > ?1)
ORDER BY k.client_id LIMIT ?2;

-- broker: register (PostgreSQL)
INSERT INTO clients (client_id, client_secret, redirect_uris, metadata_json, created_at, last_used)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::bigint, $6::bigint)
RETURNING 1;

-- broker: register (SQLite)
INSERT INTO clients (client_id, client_secret, redirect_uris, metadata_json, created_at, last_used)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
RETURNING 1;

-- broker: update_client (PostgreSQL)
UPDATE clients SET redirect_uris = $2::text, metadata_json = $3::text
WHERE client_id::text = $1::text
RETURNING 1;

-- broker: update_client (SQLite)
UPDATE clients SET redirect_uris = ?2, metadata_json = ?3
WHERE client_id = ?1
RETURNING 1;

-- broker: client_says (PostgreSQL)
SELECT 1 FROM clients
WHERE client_id::text = $1::text AND redirect_uris::text = $2::text AND metadata_json::text = $3::text;

-- broker: client_says (SQLite)
SELECT 1 FROM clients WHERE client_id = ?1 AND redirect_uris = ?2 AND metadata_json = ?3;

-- broker: note_client_use (PostgreSQL)
UPDATE clients SET last_used = $2::bigint
WHERE client_id::text = ANY (ARRAY(SELECT k.client_id::text FROM clients k
                          WHERE k.client_id::text = $1::text AND (k.last_used IS NULL OR k.last_used < $2::bigint)
                          FOR NO KEY UPDATE SKIP LOCKED))
RETURNING 1;

-- broker: note_client_use (SQLite)
UPDATE clients SET last_used = ?2
WHERE client_id = ?1 AND (last_used IS NULL OR last_used < ?2 OR typeof(last_used) <> 'integer')
RETURNING 1;

-- broker: hold_client (PostgreSQL)
SELECT 1 FROM clients WHERE client_id::text = $1::text FOR KEY SHARE;

-- broker: hold_client (SQLite)
SELECT 1 FROM clients WHERE client_id = ?1;

-- broker: hold_client_to_update (PostgreSQL)
SELECT 1 FROM clients
WHERE client_id::text = $1::text AND client_secret::text IS NOT DISTINCT FROM $2::text AND created_at = $3::bigint
FOR NO KEY UPDATE;

-- broker: hold_client_to_update (SQLite)
SELECT 1 FROM clients WHERE client_id = ?1 AND client_secret IS ?2 AND created_at = ?3;

-- broker: hold_client_to_remove (PostgreSQL)
SELECT 1 FROM clients WHERE client_id::text = $1::text FOR UPDATE;

-- broker: hold_client_to_remove (SQLite)
SELECT 1 FROM clients WHERE client_id = ?1;

-- broker: revoke_of_client (PostgreSQL)
UPDATE keyward.grants SET revoked_at = $2::bigint, revoked_reason = $3::text
WHERE id = ANY (ARRAY(SELECT g.id FROM keyward.grants g
             WHERE g.client_id = $1::text AND g.revoked_at IS NULL ORDER BY g.id FOR NO KEY UPDATE))
RETURNING 1;

-- broker: revoke_of_client (SQLite)
UPDATE keyward_grants SET revoked_at = ?2, revoked_reason = ?3
WHERE id IN (SELECT g.id FROM keyward_grants g
             WHERE g.client_id = ?1 AND g.revoked_at IS NULL ORDER BY g.id)
RETURNING 1;

-- broker: remove_client (PostgreSQL)
DELETE FROM clients WHERE client_id::text = $1::text RETURNING 1;

-- broker: remove_client (SQLite)
DELETE FROM clients WHERE client_id = ?1 RETURNING 1;

-- broker: client_is_there (PostgreSQL)
SELECT 1 FROM clients WHERE client_id::text = $1::text;

-- broker: client_is_there (SQLite)
SELECT 1 FROM clients WHERE client_id = ?1;

-- broker: add_grant (PostgreSQL)
INSERT INTO keyward.grants (
    id, client_id, subject, subject_name, scopes, resource, created_at, ends_at, revoked_at, revoked_reason,
    remembered_until, upstream_access_token, upstream_refresh_token, upstream_expires_at, upstream_version)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::bigint, $10::text,
        $11::bigint, $12::text, $13::text, $14::bigint, $15::bigint)
RETURNING 1;

-- broker: add_grant (SQLite)
INSERT INTO keyward_grants (
    id, client_id, subject, subject_name, scopes, resource, created_at, ends_at, revoked_at, revoked_reason,
    remembered_until, upstream_access_token, upstream_refresh_token, upstream_expires_at, upstream_version)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
        ?11, ?12, ?13, ?14, ?15)
RETURNING 1;

-- broker: adopt_grant (PostgreSQL)
INSERT INTO keyward.grants (
    id, client_id, subject, subject_name, scopes, resource, created_at, ends_at, revoked_at, revoked_reason,
    remembered_until, upstream_access_token, upstream_refresh_token, upstream_expires_at, upstream_version)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::bigint, $10::text,
        $11::bigint, $12::text, $13::text, $14::bigint, $15::bigint)
ON CONFLICT (id) DO NOTHING
RETURNING 1;

-- broker: adopt_grant (SQLite)
INSERT INTO keyward_grants (
    id, client_id, subject, subject_name, scopes, resource, created_at, ends_at, revoked_at, revoked_reason,
    remembered_until, upstream_access_token, upstream_refresh_token, upstream_expires_at, upstream_version)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
        ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (id) DO NOTHING
RETURNING 1;

-- broker: raise_grant (PostgreSQL)
UPDATE keyward.grants SET remembered_until = greatest(remembered_until, $2::bigint)
WHERE id = $1::text AND revoked_at IS NULL
RETURNING 1;

-- broker: raise_grant (SQLite)
UPDATE keyward_grants SET remembered_until = max(remembered_until, ?2)
WHERE id = ?1 AND revoked_at IS NULL
RETURNING 1;

-- broker: add_grant_code (PostgreSQL)
INSERT INTO keyward.grant_codes (digest, grant_id, redirect_uri, challenge, expires_at, spent_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::bigint, $6::bigint)
RETURNING 1;

-- broker: add_grant_code (SQLite)
INSERT INTO keyward_grant_codes (digest, grant_id, redirect_uri, challenge, expires_at, spent_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
RETURNING 1;

-- broker: add_code (PostgreSQL)
INSERT INTO auth_codes (
    code, client_id, redirect_uri, code_challenge, code_challenge_method, scopes, forgejo_access_token,
    forgejo_refresh_token, forgejo_token_expires_at, forgejo_user_id, forgejo_username, expires_at, used_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::bigint, $10::bigint,
        $11::text, $12::bigint, $13::bigint)
RETURNING 1;

-- broker: add_code (SQLite)
INSERT INTO auth_codes (
    code, client_id, redirect_uri, code_challenge, code_challenge_method, scopes, forgejo_access_token,
    forgejo_refresh_token, forgejo_token_expires_at, forgejo_user_id, forgejo_username, expires_at, used_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
        ?11, ?12, ?13)
RETURNING 1;

-- broker: spend_code (PostgreSQL)
UPDATE keyward.grant_codes SET spent_at = $3::bigint
WHERE digest = $1::text AND grant_id = $2::text AND spent_at IS NULL
RETURNING 1;

-- broker: spend_code (SQLite)
UPDATE keyward_grant_codes SET spent_at = ?3
WHERE digest = ?1 AND grant_id = ?2 AND spent_at IS NULL
RETURNING 1;

-- broker: use_code (PostgreSQL)
UPDATE auth_codes
SET used_at = $2::bigint, forgejo_access_token = '', forgejo_refresh_token = NULL, forgejo_token_expires_at = 0
WHERE code::text = $1::text AND used_at IS NULL
RETURNING 1;

-- broker: use_code (SQLite)
UPDATE auth_codes
SET used_at = ?2, forgejo_access_token = '', forgejo_refresh_token = NULL, forgejo_token_expires_at = 0
WHERE code = ?1 AND used_at IS NULL
RETURNING 1;

-- broker: is_added (PostgreSQL)
SELECT 1 FROM keyward.grant_codes s
JOIN keyward.grants g ON g.id = s.grant_id
JOIN auth_codes h ON h.code::text = s.digest
WHERE s.digest = $1::text AND s.grant_id = $2::text AND h.code_challenge::text = $3::text;

-- broker: is_added (SQLite)
SELECT 1 FROM keyward_grant_codes s
JOIN keyward_grants g ON g.id = s.grant_id
JOIN auth_codes h ON h.code = s.digest
WHERE s.digest = ?1 AND s.grant_id = ?2 AND h.code_challenge = ?3;

-- broker: is_redeemed (PostgreSQL)
SELECT 1 FROM keyward.grant_codes s
JOIN auth_codes h ON h.code::text = s.digest
JOIN keyward.grant_access_tokens n ON n.digest = $4::text AND n.grant_id = s.grant_id
JOIN access_tokens a ON a.token_hash::text = n.digest
WHERE s.digest = $1::text AND s.grant_id = $3::text AND s.spent_at = $2::bigint AND h.used_at = $2::bigint
  AND h.forgejo_access_token::text = '' AND a.revoked_at IS NULL
  AND ($5::text IS NULL OR EXISTS (
      SELECT 1 FROM keyward.grant_refresh_tokens t JOIN refresh_tokens r ON r.token_hash::text = t.digest
      WHERE t.digest = $5::text AND t.grant_id = s.grant_id AND r.revoked_at IS NULL));

-- broker: is_redeemed (SQLite)
SELECT 1 FROM keyward_grant_codes s
JOIN auth_codes h ON h.code = s.digest
JOIN keyward_grant_access_tokens n ON n.digest = ?4 AND n.grant_id = s.grant_id
JOIN access_tokens a ON a.token_hash = n.digest
WHERE s.digest = ?1 AND s.grant_id = ?3 AND s.spent_at = ?2 AND h.used_at = ?2
  AND h.forgejo_access_token = '' AND a.revoked_at IS NULL
  AND (?5 IS NULL OR EXISTS (
      SELECT 1 FROM keyward_grant_refresh_tokens t JOIN refresh_tokens r ON r.token_hash = t.digest
      WHERE t.digest = ?5 AND t.grant_id = s.grant_id AND r.revoked_at IS NULL));

-- broker: code_is_there (PostgreSQL)
SELECT 1 FROM auth_codes WHERE code::text = $1::text;

-- broker: code_is_there (SQLite)
SELECT 1 FROM auth_codes WHERE code = ?1;

-- broker: spend_refresh (PostgreSQL)
UPDATE keyward.grant_refresh_tokens
SET spent_at = $3::bigint, successor = $4::text, successor_access = $5::text, response = $6::text,
    response_until = $7::bigint, response_access_expires_at = $8::bigint, response_scopes = $9::text
WHERE digest = $1::text AND grant_id = $2::text AND spent_at IS NULL
RETURNING 1;

-- broker: spend_refresh (SQLite)
UPDATE keyward_grant_refresh_tokens
SET spent_at = ?3, successor = ?4, successor_access = ?5, response = ?6,
    response_until = ?7, response_access_expires_at = ?8, response_scopes = ?9
WHERE digest = ?1 AND grant_id = ?2 AND spent_at IS NULL
RETURNING 1;

-- broker: adopt_refresh (PostgreSQL)
INSERT INTO keyward.grant_refresh_tokens (
    digest, grant_id, spent_at, successor, successor_access, response, response_until, response_access_expires_at, response_scopes)
VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::text)
ON CONFLICT (digest) DO NOTHING
RETURNING 1;

-- broker: adopt_refresh (SQLite)
INSERT INTO keyward_grant_refresh_tokens (
    digest, grant_id, spent_at, successor, successor_access, response, response_until, response_access_expires_at, response_scopes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (digest) DO NOTHING
RETURNING 1;

-- broker: adopt_access (PostgreSQL)
INSERT INTO keyward.grant_access_tokens (digest, grant_id)
SELECT h.access_token_hash::text, $2::text FROM refresh_tokens h WHERE h.token_hash::text = $1::text
ON CONFLICT (digest) DO NOTHING
RETURNING 1;

-- broker: adopt_access (SQLite)
INSERT INTO keyward_grant_access_tokens (digest, grant_id)
SELECT h.access_token_hash, ?2 FROM refresh_tokens h WHERE h.token_hash = ?1
ON CONFLICT (digest) DO NOTHING
RETURNING 1;

-- broker: retire_refresh (PostgreSQL)
UPDATE refresh_tokens SET revoked_at = $2::bigint
WHERE token_hash::text = $1::text AND revoked_at IS NULL
RETURNING 1;

-- broker: retire_refresh (SQLite)
UPDATE refresh_tokens SET revoked_at = ?2
WHERE token_hash = ?1 AND revoked_at IS NULL
RETURNING 1;

-- broker: retire_access (PostgreSQL)
UPDATE access_tokens SET revoked_at = $2::bigint
WHERE token_hash::text IN (SELECT s.digest FROM keyward.grant_access_tokens s WHERE s.grant_id = $1::text)
  AND revoked_at IS NULL
RETURNING 1;

-- broker: retire_access (SQLite)
UPDATE access_tokens SET revoked_at = ?2
WHERE token_hash IN (SELECT s.digest FROM keyward_grant_access_tokens s WHERE s.grant_id = ?1)
  AND revoked_at IS NULL
RETURNING 1;

-- broker: add_access (PostgreSQL)
INSERT INTO access_tokens (
    token_hash, client_id, forgejo_user_id, forgejo_username, scopes, forgejo_access_token, forgejo_refresh_token,
    forgejo_token_expires_at, expires_at, created_at)
VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::text, $6::text, $7::text, $8::bigint, $9::bigint, $10::bigint)
RETURNING 1;

-- broker: add_access (SQLite)
INSERT INTO access_tokens (
    token_hash, client_id, forgejo_user_id, forgejo_username, scopes, forgejo_access_token, forgejo_refresh_token,
    forgejo_token_expires_at, expires_at, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
RETURNING 1;

-- broker: add_grant_access (PostgreSQL)
INSERT INTO keyward.grant_access_tokens (digest, grant_id) VALUES ($1::text, $2::text) RETURNING 1;

-- broker: add_grant_access (SQLite)
INSERT INTO keyward_grant_access_tokens (digest, grant_id) VALUES (?1, ?2) RETURNING 1;

-- broker: add_refresh (PostgreSQL)
INSERT INTO refresh_tokens (token_hash, access_token_hash, client_id, expires_at, created_at)
VALUES ($1::text, $2::text, $3::text, $4::bigint, $5::bigint)
RETURNING 1;

-- broker: add_refresh (SQLite)
INSERT INTO refresh_tokens (token_hash, access_token_hash, client_id, expires_at, created_at)
VALUES (?1, ?2, ?3, ?4, ?5)
RETURNING 1;

-- broker: add_grant_refresh (PostgreSQL)
INSERT INTO keyward.grant_refresh_tokens (digest, grant_id) VALUES ($1::text, $2::text) RETURNING 1;

-- broker: add_grant_refresh (SQLite)
INSERT INTO keyward_grant_refresh_tokens (digest, grant_id) VALUES (?1, ?2) RETURNING 1;

-- broker: is_exchanged (PostgreSQL)
SELECT 1 FROM keyward.grant_refresh_tokens s
JOIN refresh_tokens h ON h.token_hash::text = s.digest
JOIN keyward.grant_access_tokens n ON n.digest = $4::text AND n.grant_id = s.grant_id
JOIN access_tokens a ON a.token_hash::text = n.digest
WHERE s.digest = $1::text AND s.grant_id = $3::text AND s.spent_at = $2::bigint AND h.revoked_at = $2::bigint
  AND a.revoked_at IS NULL
  AND ($5::text IS NULL OR EXISTS (
      SELECT 1 FROM keyward.grant_refresh_tokens t JOIN refresh_tokens r ON r.token_hash::text = t.digest
      WHERE t.digest = $5::text AND t.grant_id = s.grant_id AND r.revoked_at IS NULL))
  AND ($6::bigint = 0::bigint OR NOT EXISTS (
      SELECT 1 FROM keyward.grant_access_tokens o JOIN access_tokens b ON b.token_hash::text = o.digest
      WHERE o.grant_id = s.grant_id AND o.digest <> $4::text AND b.revoked_at IS NULL));

-- broker: is_exchanged (SQLite)
SELECT 1 FROM keyward_grant_refresh_tokens s
JOIN refresh_tokens h ON h.token_hash = s.digest
JOIN keyward_grant_access_tokens n ON n.digest = ?4 AND n.grant_id = s.grant_id
JOIN access_tokens a ON a.token_hash = n.digest
WHERE s.digest = ?1 AND s.grant_id = ?3 AND s.spent_at = ?2 AND h.revoked_at = ?2
  AND a.revoked_at IS NULL
  AND (?5 IS NULL OR EXISTS (
      SELECT 1 FROM keyward_grant_refresh_tokens t JOIN refresh_tokens r ON r.token_hash = t.digest
      WHERE t.digest = ?5 AND t.grant_id = s.grant_id AND r.revoked_at IS NULL))
  AND (?6 = 0 OR NOT EXISTS (
      SELECT 1 FROM keyward_grant_access_tokens o JOIN access_tokens b ON b.token_hash = o.digest
      WHERE o.grant_id = s.grant_id AND o.digest <> ?4 AND b.revoked_at IS NULL));

-- broker: replace_upstream (PostgreSQL)
UPDATE keyward.grants
SET upstream_access_token = $3::text, upstream_refresh_token = $4::text, upstream_expires_at = $5::bigint,
    upstream_version = upstream_version + 1
WHERE id = $1::text AND upstream_version = $2::bigint
RETURNING 1;

-- broker: replace_upstream (SQLite)
UPDATE keyward_grants
SET upstream_access_token = ?3, upstream_refresh_token = ?4, upstream_expires_at = ?5,
    upstream_version = upstream_version + 1
WHERE id = ?1 AND upstream_version = ?2
RETURNING 1;

-- broker: replace_upstream_of_access (PostgreSQL)
UPDATE access_tokens
SET forgejo_access_token = $2::text, forgejo_refresh_token = $3::text, forgejo_token_expires_at = $4::bigint
WHERE token_hash::text IN (SELECT s.digest FROM keyward.grant_access_tokens s WHERE s.grant_id = $1::text)
RETURNING 1;

-- broker: replace_upstream_of_access (SQLite)
UPDATE access_tokens
SET forgejo_access_token = ?2, forgejo_refresh_token = ?3, forgejo_token_expires_at = ?4
WHERE token_hash IN (SELECT s.digest FROM keyward_grant_access_tokens s WHERE s.grant_id = ?1)
RETURNING 1;

-- broker: copy_upstream_of_grant (PostgreSQL)
UPDATE access_tokens AS n
SET forgejo_access_token = g.upstream_access_token, forgejo_refresh_token = g.upstream_refresh_token,
    forgejo_token_expires_at = coalesce(g.upstream_expires_at, 0)
FROM keyward.grants g
WHERE n.token_hash::text = $1::text AND g.id = $2::text AND pg_catalog.substr(g.upstream_access_token, 1, 8) <> 'keyward.'
RETURNING 1;

-- broker: copy_upstream_of_grant (SQLite)
UPDATE access_tokens AS n
SET forgejo_access_token = g.upstream_access_token, forgejo_refresh_token = g.upstream_refresh_token,
    forgejo_token_expires_at = coalesce(g.upstream_expires_at, 0)
FROM keyward_grants g
WHERE n.token_hash = ?1 AND g.id = ?2 AND substr(g.upstream_access_token, 1, 8) <> 'keyward.'
RETURNING 1;

-- broker: copy_upstream_of_access (PostgreSQL)
UPDATE access_tokens AS n
SET forgejo_access_token = a.forgejo_access_token, forgejo_refresh_token = a.forgejo_refresh_token,
    forgejo_token_expires_at = a.forgejo_token_expires_at
FROM refresh_tokens h JOIN access_tokens a ON a.token_hash::text = h.access_token_hash::text
WHERE n.token_hash::text = $1::text AND h.token_hash::text = $2::text AND a.forgejo_access_token::text <> ''
RETURNING 1;

-- broker: copy_upstream_of_access (SQLite)
UPDATE access_tokens AS n
SET forgejo_access_token = a.forgejo_access_token, forgejo_refresh_token = a.forgejo_refresh_token,
    forgejo_token_expires_at = a.forgejo_token_expires_at
FROM refresh_tokens h JOIN access_tokens a ON a.token_hash = h.access_token_hash
WHERE n.token_hash = ?1 AND h.token_hash = ?2 AND a.forgejo_access_token <> ''
RETURNING 1;

-- broker: upstream_is_replaced (PostgreSQL)
SELECT 1 FROM keyward.grants WHERE id = $1::text AND upstream_version > $2::bigint;

-- broker: upstream_is_replaced (SQLite)
SELECT 1 FROM keyward_grants WHERE id = ?1 AND upstream_version > ?2;

-- broker: note_first_use (PostgreSQL)
UPDATE keyward.grant_access_tokens SET used_at = $2::bigint
WHERE digest = ANY (ARRAY(SELECT s.digest FROM keyward.grant_access_tokens s
                 WHERE s.digest = $1::text AND s.used_at IS NULL
                 FOR NO KEY UPDATE SKIP LOCKED))
RETURNING 1;

-- broker: note_first_use (SQLite)
UPDATE keyward_grant_access_tokens SET used_at = ?2 WHERE digest = ?1 AND used_at IS NULL RETURNING 1;

-- broker: blank_spent (PostgreSQL)
UPDATE keyward.grant_refresh_tokens
SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
WHERE digest = ANY (ARRAY(
    SELECT s.digest FROM keyward.grant_refresh_tokens s
    WHERE s.grant_id = $2::text AND s.successor = $1::text AND s.response IS NOT NULL
    FOR NO KEY UPDATE OF s SKIP LOCKED))
RETURNING 1;

-- broker: blank_spent (SQLite)
UPDATE keyward_grant_refresh_tokens
SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
WHERE digest IN (
    SELECT s.digest FROM keyward_grant_refresh_tokens s
    WHERE s.grant_id = ?2 AND s.successor = ?1 AND s.response IS NOT NULL)
RETURNING 1;

-- broker: blank_used (PostgreSQL)
UPDATE keyward.grant_refresh_tokens
SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
WHERE digest = ANY (ARRAY(
    SELECT s.digest FROM keyward.grant_access_tokens a
    JOIN keyward.grant_refresh_tokens s ON s.grant_id = a.grant_id
    WHERE a.digest = $1::text AND s.successor_access = a.digest AND s.response IS NOT NULL
    FOR NO KEY UPDATE OF s SKIP LOCKED))
RETURNING 1;

-- broker: blank_used (SQLite)
UPDATE keyward_grant_refresh_tokens
SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
WHERE digest IN (
    SELECT s.digest FROM keyward_grant_access_tokens a
    JOIN keyward_grant_refresh_tokens s ON s.grant_id = a.grant_id
    WHERE a.digest = ?1 AND s.successor_access = a.digest AND s.response IS NOT NULL)
RETURNING 1;

-- broker: blank_revoked (PostgreSQL)
UPDATE keyward.grant_refresh_tokens
SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
WHERE digest = ANY (ARRAY(
    SELECT s.digest FROM keyward.grants g
    JOIN keyward.grant_refresh_tokens s ON s.grant_id = g.id
    WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
      AND g.revoked_at IS NOT NULL AND s.response IS NOT NULL
    FOR NO KEY UPDATE OF s SKIP LOCKED))
RETURNING 1;

-- broker: blank_revoked (SQLite)
UPDATE keyward_grant_refresh_tokens
SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
WHERE digest IN (
    SELECT s.digest FROM keyward_grants g
    JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id
    WHERE g.id IN (SELECT value FROM json_each(?1))
      AND g.revoked_at IS NOT NULL AND s.response IS NOT NULL)
RETURNING 1;

-- broker: blank_of_client (PostgreSQL)
UPDATE keyward.grant_refresh_tokens
SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
WHERE digest = ANY (ARRAY(
    SELECT s.digest FROM keyward.grants g
    JOIN keyward.grant_refresh_tokens s ON s.grant_id = g.id
    WHERE g.client_id = $1::text AND s.response IS NOT NULL
    FOR NO KEY UPDATE OF s SKIP LOCKED))
RETURNING 1;

-- broker: blank_of_client (SQLite)
UPDATE keyward_grant_refresh_tokens
SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
WHERE digest IN (
    SELECT s.digest FROM keyward_grants g
    JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id
    WHERE g.client_id = ?1 AND s.response IS NOT NULL)
RETURNING 1;

-- broker: blank_expired (PostgreSQL)
UPDATE keyward.grant_refresh_tokens
SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
WHERE digest = ANY (ARRAY(
    SELECT s.digest FROM keyward.grant_refresh_tokens s
    WHERE s.response_until <= $1::bigint
    ORDER BY s.response_until LIMIT $2::bigint
    FOR NO KEY UPDATE OF s SKIP LOCKED))
RETURNING 1;

-- broker: blank_expired (SQLite)
UPDATE keyward_grant_refresh_tokens
SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
WHERE digest IN (
    SELECT s.digest FROM keyward_grant_refresh_tokens s
    WHERE s.response_until <= ?1
    ORDER BY s.response_until LIMIT ?2)
RETURNING 1;

-- broker: find_access (PostgreSQL)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
       s.grant_id AS side_grant_id, s.used_at AS side_used_at, (k.client_id IS NOT NULL)::int4 AS client_exists,
       a.client_id, a.created_at, a.expires_at, a.revoked_at,
       a.scopes, a.forgejo_user_id, a.forgejo_username, a.forgejo_access_token, a.forgejo_refresh_token,
       a.forgejo_token_expires_at
FROM access_tokens a
LEFT JOIN keyward.grant_access_tokens s ON s.digest = a.token_hash::text
LEFT JOIN keyward.grants g ON g.id = s.grant_id
LEFT JOIN clients k ON k.client_id::text = a.client_id::text
WHERE a.token_hash::text = $1::text;

-- broker: find_access (SQLite)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
       s.grant_id AS side_grant_id, s.used_at AS side_used_at, (k.client_id IS NOT NULL) AS client_exists,
       a.client_id, a.created_at, a.expires_at, a.revoked_at,
       a.scopes, a.forgejo_user_id, a.forgejo_username, a.forgejo_access_token, a.forgejo_refresh_token,
       a.forgejo_token_expires_at
FROM access_tokens a
LEFT JOIN keyward_grant_access_tokens s ON s.digest = a.token_hash
LEFT JOIN keyward_grants g ON g.id = s.grant_id
LEFT JOIN clients k ON k.client_id = a.client_id
WHERE a.token_hash = ?1;

-- broker: find_refresh (PostgreSQL)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
       s.grant_id AS side_grant_id, s.spent_at AS side_spent_at, s.response AS side_response,
       s.response_until AS side_response_until, s.response_access_expires_at AS side_response_access_expires_at,
       s.response_scopes AS side_response_scopes,
       (na.token_hash IS NULL OR na.revoked_at IS NOT NULL OR ns.used_at IS NOT NULL OR ns.digest IS NULL
        OR ts.spent_at IS NOT NULL OR tr.revoked_at IS NOT NULL)::int4 AS successor_is_used,
       (k.client_id IS NOT NULL)::int4 AS client_exists, (h.token_hash IS NOT NULL)::int4 AS is_there,
       h.client_id, h.created_at, h.expires_at, h.revoked_at,
       a.scopes, a.forgejo_user_id, a.forgejo_username, a.forgejo_access_token, a.forgejo_refresh_token,
       a.forgejo_token_expires_at
FROM (SELECT $1::text AS digest) q
LEFT JOIN keyward.grant_refresh_tokens s ON s.digest = q.digest
LEFT JOIN keyward.grants g ON g.id = s.grant_id
LEFT JOIN refresh_tokens h ON h.token_hash::text = q.digest
LEFT JOIN access_tokens a ON a.token_hash::text = h.access_token_hash::text
LEFT JOIN clients k ON k.client_id::text = coalesce(h.client_id::text, g.client_id)
LEFT JOIN access_tokens na ON na.token_hash::text = s.successor_access
LEFT JOIN keyward.grant_access_tokens ns ON ns.digest = s.successor_access
LEFT JOIN keyward.grant_refresh_tokens ts ON ts.digest = s.successor
LEFT JOIN refresh_tokens tr ON tr.token_hash::text = s.successor
WHERE s.digest IS NOT NULL OR h.token_hash IS NOT NULL;

-- broker: find_refresh (SQLite)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
       s.grant_id AS side_grant_id, s.spent_at AS side_spent_at, s.response AS side_response,
       s.response_until AS side_response_until, s.response_access_expires_at AS side_response_access_expires_at,
       s.response_scopes AS side_response_scopes,
       (na.token_hash IS NULL OR na.revoked_at IS NOT NULL OR ns.used_at IS NOT NULL OR ns.digest IS NULL
        OR ts.spent_at IS NOT NULL OR tr.revoked_at IS NOT NULL) AS successor_is_used,
       (k.client_id IS NOT NULL) AS client_exists, (h.token_hash IS NOT NULL) AS is_there,
       h.client_id, h.created_at, h.expires_at, h.revoked_at,
       a.scopes, a.forgejo_user_id, a.forgejo_username, a.forgejo_access_token, a.forgejo_refresh_token,
       a.forgejo_token_expires_at
FROM (SELECT ?1 AS digest) q
LEFT JOIN keyward_grant_refresh_tokens s ON s.digest = q.digest
LEFT JOIN keyward_grants g ON g.id = s.grant_id
LEFT JOIN refresh_tokens h ON h.token_hash = q.digest
LEFT JOIN access_tokens a ON a.token_hash = h.access_token_hash
LEFT JOIN clients k ON k.client_id = coalesce(h.client_id, g.client_id)
LEFT JOIN access_tokens na ON na.token_hash = s.successor_access
LEFT JOIN keyward_grant_access_tokens ns ON ns.digest = s.successor_access
LEFT JOIN keyward_grant_refresh_tokens ts ON ts.digest = s.successor
LEFT JOIN refresh_tokens tr ON tr.token_hash = s.successor
WHERE s.digest IS NOT NULL OR h.token_hash IS NOT NULL;

-- broker: find_code (PostgreSQL)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
       s.redirect_uri AS side_redirect_uri, s.challenge AS side_challenge, s.expires_at AS side_expires_at,
       s.spent_at AS side_spent_at, h.used_at
FROM keyward.grant_codes s
JOIN keyward.grants g ON g.id = s.grant_id
LEFT JOIN auth_codes h ON h.code::text = s.digest
WHERE s.digest = $1::text;

-- broker: find_code (SQLite)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
       s.redirect_uri AS side_redirect_uri, s.challenge AS side_challenge, s.expires_at AS side_expires_at,
       s.spent_at AS side_spent_at, h.used_at
FROM keyward_grant_codes s
JOIN keyward_grants g ON g.id = s.grant_id
LEFT JOIN auth_codes h ON h.code = s.digest
WHERE s.digest = ?1;

-- broker: find_grant (PostgreSQL)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
FROM keyward.grants g
WHERE g.id = $1::text;

-- broker: find_grant (SQLite)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
FROM keyward_grants g
WHERE g.id = ?1;

-- broker: grants (PostgreSQL)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
FROM keyward.grants g
WHERE g.id >= coalesce($1::text, '') AND ($1::text IS NULL OR g.id > $1::text)
ORDER BY g.id LIMIT $2::bigint;

-- broker: grants (SQLite)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
FROM keyward_grants g
WHERE g.id >= coalesce(?1, '') AND (?1 IS NULL OR g.id > ?1)
ORDER BY g.id LIMIT ?2;

-- broker: grants_of_client (PostgreSQL)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
FROM keyward.grants g
WHERE g.client_id = $1::text AND ($2::text IS NULL OR g.subject = $2::text)
  AND ($3::text IS NULL OR g.id > $3::text)
ORDER BY g.id LIMIT $4::bigint;

-- broker: grants_of_client (SQLite)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
FROM keyward_grants g
WHERE g.client_id = ?1 AND (?2 IS NULL OR g.subject = ?2)
  AND (?3 IS NULL OR g.id > ?3)
ORDER BY g.id LIMIT ?4;

-- broker: grants_of_subject (PostgreSQL)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
FROM keyward.grants g
WHERE g.subject = $1::text AND ($2::text IS NULL OR g.id > $2::text)
ORDER BY g.id LIMIT $3::bigint;

-- broker: grants_of_subject (SQLite)
SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
       g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
       g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
       g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
       g.upstream_refresh_token AS grant_upstream_refresh_token,
       g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
FROM keyward_grants g
WHERE g.subject = ?1 AND (?2 IS NULL OR g.id > ?2)
ORDER BY g.id LIMIT ?3;

-- broker: revoke (PostgreSQL)
UPDATE keyward.grants SET revoked_at = $2::bigint, revoked_reason = $3::text
WHERE id = ANY (ARRAY(SELECT g.id FROM keyward.grants g
             WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
               AND g.revoked_at IS NULL
             ORDER BY g.id FOR NO KEY UPDATE))
RETURNING 1;

-- broker: revoke (SQLite)
UPDATE keyward_grants SET revoked_at = ?2, revoked_reason = ?3
WHERE id IN (SELECT g.id FROM keyward_grants g
             WHERE g.id IN (SELECT value FROM json_each(?1))
               AND g.revoked_at IS NULL
             ORDER BY g.id)
RETURNING 1;

-- broker: revoke_unheld (PostgreSQL)
UPDATE keyward.grants SET revoked_at = $2::bigint, revoked_reason = $3::text
WHERE id = ANY (ARRAY(SELECT g.id FROM keyward.grants g
             WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
               AND g.revoked_at IS NULL
             ORDER BY g.id FOR NO KEY UPDATE SKIP LOCKED))
RETURNING 1;

-- broker: revoke_unheld (SQLite)
UPDATE keyward_grants SET revoked_at = ?2, revoked_reason = ?3
WHERE id IN (SELECT g.id FROM keyward_grants g
             WHERE g.id IN (SELECT value FROM json_each(?1))
               AND g.revoked_at IS NULL
             ORDER BY g.id)
RETURNING 1;

-- broker: revoke_refresh (PostgreSQL)
UPDATE refresh_tokens SET revoked_at = $2::bigint
WHERE token_hash::text = ANY (ARRAY(
    SELECT h.token_hash::text FROM keyward.grants g
    JOIN keyward.grant_refresh_tokens s ON s.grant_id = g.id
    JOIN refresh_tokens h ON h.token_hash::text = s.digest
    WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
      AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
    ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h))
RETURNING 1;

-- broker: revoke_refresh (SQLite)
UPDATE refresh_tokens SET revoked_at = ?2
WHERE token_hash IN (
    SELECT h.token_hash FROM keyward_grants g
    JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id
    JOIN refresh_tokens h ON h.token_hash = s.digest
    WHERE g.id IN (SELECT value FROM json_each(?1))
      AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
    ORDER BY h.token_hash)
RETURNING 1;

-- broker: revoke_refresh_unheld (PostgreSQL)
UPDATE refresh_tokens SET revoked_at = $2::bigint
WHERE token_hash::text = ANY (ARRAY(
    SELECT h.token_hash::text FROM keyward.grants g
    JOIN keyward.grant_refresh_tokens s ON s.grant_id = g.id
    JOIN refresh_tokens h ON h.token_hash::text = s.digest
    WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
      AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
    ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h SKIP LOCKED))
RETURNING 1;

-- broker: revoke_refresh_unheld (SQLite)
UPDATE refresh_tokens SET revoked_at = ?2
WHERE token_hash IN (
    SELECT h.token_hash FROM keyward_grants g
    JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id
    JOIN refresh_tokens h ON h.token_hash = s.digest
    WHERE g.id IN (SELECT value FROM json_each(?1))
      AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
    ORDER BY h.token_hash)
RETURNING 1;

-- broker: revoke_access (PostgreSQL)
UPDATE access_tokens SET revoked_at = $2::bigint
WHERE token_hash::text = ANY (ARRAY(
    SELECT h.token_hash::text FROM keyward.grants g
    JOIN keyward.grant_access_tokens s ON s.grant_id = g.id
    JOIN access_tokens h ON h.token_hash::text = s.digest
    WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
      AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
    ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h))
RETURNING 1;

-- broker: revoke_access (SQLite)
UPDATE access_tokens SET revoked_at = ?2
WHERE token_hash IN (
    SELECT h.token_hash FROM keyward_grants g
    JOIN keyward_grant_access_tokens s ON s.grant_id = g.id
    JOIN access_tokens h ON h.token_hash = s.digest
    WHERE g.id IN (SELECT value FROM json_each(?1))
      AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
    ORDER BY h.token_hash)
RETURNING 1;

-- broker: revoke_access_unheld (PostgreSQL)
UPDATE access_tokens SET revoked_at = $2::bigint
WHERE token_hash::text = ANY (ARRAY(
    SELECT h.token_hash::text FROM keyward.grants g
    JOIN keyward.grant_access_tokens s ON s.grant_id = g.id
    JOIN access_tokens h ON h.token_hash::text = s.digest
    WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
      AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
    ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h SKIP LOCKED))
RETURNING 1;

-- broker: revoke_access_unheld (SQLite)
UPDATE access_tokens SET revoked_at = ?2
WHERE token_hash IN (
    SELECT h.token_hash FROM keyward_grants g
    JOIN keyward_grant_access_tokens s ON s.grant_id = g.id
    JOIN access_tokens h ON h.token_hash = s.digest
    WHERE g.id IN (SELECT value FROM json_each(?1))
      AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
    ORDER BY h.token_hash)
RETURNING 1;

-- broker: not_revoked (PostgreSQL)
SELECT g.id AS id FROM keyward.grants g
WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
  AND (g.revoked_at IS NULL
       OR EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash::text = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
       OR EXISTS (SELECT 1 FROM keyward.grant_access_tokens s JOIN access_tokens h ON h.token_hash::text = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
ORDER BY g.id;

-- broker: not_revoked (SQLite)
SELECT g.id AS id FROM keyward_grants g
WHERE g.id IN (SELECT value FROM json_each(?1))
  AND (g.revoked_at IS NULL
       OR EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
       OR EXISTS (SELECT 1 FROM keyward_grant_access_tokens s JOIN access_tokens h ON h.token_hash = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
ORDER BY g.id;

-- broker: live (PostgreSQL)
SELECT g.id AS id FROM keyward.grants g
WHERE g.id >= coalesce($1::text, '') AND ($1::text IS NULL OR g.id > $1::text)
  AND (g.revoked_at IS NULL
       OR EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash::text = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
       OR EXISTS (SELECT 1 FROM keyward.grant_access_tokens s JOIN access_tokens h ON h.token_hash::text = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
ORDER BY g.id LIMIT $2::bigint;

-- broker: live (SQLite)
SELECT g.id AS id FROM keyward_grants g
WHERE g.id >= coalesce(?1, '') AND (?1 IS NULL OR g.id > ?1)
  AND (g.revoked_at IS NULL
       OR EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
       OR EXISTS (SELECT 1 FROM keyward_grant_access_tokens s JOIN access_tokens h ON h.token_hash = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
ORDER BY g.id LIMIT ?2;

-- broker: live_of_client (PostgreSQL)
SELECT g.id AS id FROM keyward.grants g
WHERE g.client_id = $1::text AND ($2::text IS NULL OR g.subject = $2::text)
  AND ($3::text IS NULL OR g.id > $3::text)
  AND (g.revoked_at IS NULL
       OR EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash::text = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
       OR EXISTS (SELECT 1 FROM keyward.grant_access_tokens s JOIN access_tokens h ON h.token_hash::text = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
ORDER BY g.id LIMIT $4::bigint;

-- broker: live_of_client (SQLite)
SELECT g.id AS id FROM keyward_grants g
WHERE g.client_id = ?1 AND (?2 IS NULL OR g.subject = ?2)
  AND (?3 IS NULL OR g.id > ?3)
  AND (g.revoked_at IS NULL
       OR EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
       OR EXISTS (SELECT 1 FROM keyward_grant_access_tokens s JOIN access_tokens h ON h.token_hash = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
ORDER BY g.id LIMIT ?4;

-- broker: live_of_subject (PostgreSQL)
SELECT g.id AS id FROM keyward.grants g
WHERE g.subject = $1::text AND ($2::text IS NULL OR g.id > $2::text)
  AND (g.revoked_at IS NULL
       OR EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash::text = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
       OR EXISTS (SELECT 1 FROM keyward.grant_access_tokens s JOIN access_tokens h ON h.token_hash::text = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
ORDER BY g.id LIMIT $3::bigint;

-- broker: live_of_subject (SQLite)
SELECT g.id AS id FROM keyward_grants g
WHERE g.subject = ?1 AND (?2 IS NULL OR g.id > ?2)
  AND (g.revoked_at IS NULL
       OR EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
       OR EXISTS (SELECT 1 FROM keyward_grant_access_tokens s JOIN access_tokens h ON h.token_hash = s.digest
                  WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
ORDER BY g.id LIMIT ?3;

-- broker: revoke_foreign_refresh (PostgreSQL)
UPDATE refresh_tokens SET revoked_at = $3::bigint
WHERE token_hash::text = ANY (ARRAY(
    SELECT h.token_hash::text FROM refresh_tokens h
    JOIN access_tokens a ON a.token_hash::text = h.access_token_hash::text
    WHERE ($1::text IS NULL OR h.client_id::text = $1::text)
      AND ($2::bigint IS NULL OR a.forgejo_user_id = $2::bigint) AND h.revoked_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = h.token_hash::text)
    ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h))
RETURNING 1;

-- broker: revoke_foreign_refresh (SQLite)
UPDATE refresh_tokens SET revoked_at = ?3
WHERE token_hash IN (
    SELECT h.token_hash FROM refresh_tokens h
    JOIN access_tokens a ON a.token_hash = h.access_token_hash
    WHERE (?1 IS NULL OR h.client_id = ?1)
      AND (?2 IS NULL OR a.forgejo_user_id = ?2) AND h.revoked_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = h.token_hash)
    ORDER BY h.token_hash)
RETURNING 1;

-- broker: revoke_foreign_refresh_unheld (PostgreSQL)
UPDATE refresh_tokens SET revoked_at = $3::bigint
WHERE token_hash::text = ANY (ARRAY(
    SELECT h.token_hash::text FROM refresh_tokens h
    JOIN access_tokens a ON a.token_hash::text = h.access_token_hash::text
    WHERE ($1::text IS NULL OR h.client_id::text = $1::text)
      AND ($2::bigint IS NULL OR a.forgejo_user_id = $2::bigint) AND h.revoked_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = h.token_hash::text)
    ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h SKIP LOCKED))
RETURNING 1;

-- broker: revoke_foreign_refresh_unheld (SQLite)
UPDATE refresh_tokens SET revoked_at = ?3
WHERE token_hash IN (
    SELECT h.token_hash FROM refresh_tokens h
    JOIN access_tokens a ON a.token_hash = h.access_token_hash
    WHERE (?1 IS NULL OR h.client_id = ?1)
      AND (?2 IS NULL OR a.forgejo_user_id = ?2) AND h.revoked_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = h.token_hash)
    ORDER BY h.token_hash)
RETURNING 1;

-- broker: revoke_foreign_access (PostgreSQL)
UPDATE access_tokens SET revoked_at = $3::bigint
WHERE token_hash::text = ANY (ARRAY(
    SELECT a.token_hash::text FROM access_tokens a
    WHERE ($1::text IS NULL OR a.client_id::text = $1::text)
      AND ($2::bigint IS NULL OR a.forgejo_user_id = $2::bigint) AND a.revoked_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM keyward.grant_access_tokens s WHERE s.digest = a.token_hash::text)
    ORDER BY a.token_hash::text FOR NO KEY UPDATE))
RETURNING 1;

-- broker: revoke_foreign_access (SQLite)
UPDATE access_tokens SET revoked_at = ?3
WHERE token_hash IN (
    SELECT a.token_hash FROM access_tokens a
    WHERE (?1 IS NULL OR a.client_id = ?1)
      AND (?2 IS NULL OR a.forgejo_user_id = ?2) AND a.revoked_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM keyward_grant_access_tokens s WHERE s.digest = a.token_hash)
    ORDER BY a.token_hash)
RETURNING 1;

-- broker: revoke_foreign_access_unheld (PostgreSQL)
UPDATE access_tokens SET revoked_at = $3::bigint
WHERE token_hash::text = ANY (ARRAY(
    SELECT a.token_hash::text FROM access_tokens a
    WHERE ($1::text IS NULL OR a.client_id::text = $1::text)
      AND ($2::bigint IS NULL OR a.forgejo_user_id = $2::bigint) AND a.revoked_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM keyward.grant_access_tokens s WHERE s.digest = a.token_hash::text)
    ORDER BY a.token_hash::text FOR NO KEY UPDATE SKIP LOCKED))
RETURNING 1;

-- broker: revoke_foreign_access_unheld (SQLite)
UPDATE access_tokens SET revoked_at = ?3
WHERE token_hash IN (
    SELECT a.token_hash FROM access_tokens a
    WHERE (?1 IS NULL OR a.client_id = ?1)
      AND (?2 IS NULL OR a.forgejo_user_id = ?2) AND a.revoked_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM keyward_grant_access_tokens s WHERE s.digest = a.token_hash)
    ORDER BY a.token_hash)
RETURNING 1;

-- broker: foreign_not_revoked (PostgreSQL)
SELECT 1 FROM access_tokens a
WHERE ($1::text IS NULL OR a.client_id::text = $1::text)
  AND ($2::bigint IS NULL OR a.forgejo_user_id = $2::bigint)
  AND (a.revoked_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM keyward.grant_access_tokens s WHERE s.digest = a.token_hash::text)
       OR EXISTS (SELECT 1 FROM refresh_tokens h
                  WHERE h.access_token_hash::text = a.token_hash::text AND h.revoked_at IS NULL
                    AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = h.token_hash::text)))
LIMIT 1;

-- broker: foreign_not_revoked (SQLite)
SELECT 1 FROM access_tokens a
WHERE (?1 IS NULL OR a.client_id = ?1)
  AND (?2 IS NULL OR a.forgejo_user_id = ?2)
  AND (a.revoked_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM keyward_grant_access_tokens s WHERE s.digest = a.token_hash)
       OR EXISTS (SELECT 1 FROM refresh_tokens h
                  WHERE h.access_token_hash = a.token_hash AND h.revoked_at IS NULL
                    AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = h.token_hash)))
LIMIT 1;

-- broker: revoke_one_access (PostgreSQL)
UPDATE access_tokens SET revoked_at = $2::bigint
WHERE token_hash::text = $1::text AND revoked_at IS NULL
RETURNING 1;

-- broker: revoke_one_access (SQLite)
UPDATE access_tokens SET revoked_at = ?2
WHERE token_hash = ?1 AND revoked_at IS NULL
RETURNING 1;

-- broker: revoke_one_refresh (PostgreSQL)
UPDATE refresh_tokens SET revoked_at = $2::bigint
WHERE token_hash::text = $1::text AND revoked_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = $1::text AND s.spent_at IS NOT NULL)
RETURNING 1;

-- broker: revoke_one_refresh (SQLite)
UPDATE refresh_tokens SET revoked_at = ?2
WHERE token_hash = ?1 AND revoked_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = ?1 AND s.spent_at IS NOT NULL)
RETURNING 1;

-- broker: revoke_access_of_refresh (PostgreSQL)
UPDATE access_tokens SET revoked_at = $2::bigint
WHERE token_hash::text = ANY (ARRAY(
    SELECT h.access_token_hash::text FROM refresh_tokens h
    WHERE h.token_hash::text = $1::text
      AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = $1::text)))
  AND revoked_at IS NULL
RETURNING 1;

-- broker: revoke_access_of_refresh (SQLite)
UPDATE access_tokens SET revoked_at = ?2
WHERE token_hash IN (
    SELECT h.access_token_hash FROM refresh_tokens h
    WHERE h.token_hash = ?1
      AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = ?1))
  AND revoked_at IS NULL
RETURNING 1;

-- broker: access_not_revoked (PostgreSQL)
SELECT 1 FROM access_tokens WHERE token_hash::text = $1::text AND revoked_at IS NULL;

-- broker: access_not_revoked (SQLite)
SELECT 1 FROM access_tokens WHERE token_hash = ?1 AND revoked_at IS NULL;

-- broker: refresh_not_revoked (PostgreSQL)
SELECT 1 FROM refresh_tokens h
WHERE h.token_hash::text = $1::text
  AND (h.revoked_at IS NULL
       OR EXISTS (SELECT 1 FROM access_tokens a
                  WHERE a.token_hash::text = h.access_token_hash::text AND a.revoked_at IS NULL
                    AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = $1::text)));

-- broker: refresh_not_revoked (SQLite)
SELECT 1 FROM refresh_tokens h
WHERE h.token_hash = ?1
  AND (h.revoked_at IS NULL
       OR EXISTS (SELECT 1 FROM access_tokens a
                  WHERE a.token_hash = h.access_token_hash AND a.revoked_at IS NULL
                    AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = ?1)));

-- broker: forgettable (PostgreSQL)
SELECT g.id AS id FROM keyward.grants g
WHERE g.remembered_until <= $1::bigint
ORDER BY g.remembered_until LIMIT $2::bigint FOR UPDATE SKIP LOCKED;

-- broker: forgettable (SQLite)
SELECT g.id AS id FROM keyward_grants g
WHERE g.remembered_until <= ?1
ORDER BY g.remembered_until LIMIT ?2;

-- broker: forget_codes (PostgreSQL)
DELETE FROM keyward.grant_codes
WHERE digest = ANY (ARRAY(
    SELECT s.digest FROM keyward.grants g
    JOIN keyward.grant_codes s ON s.grant_id = g.id
    WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
      AND g.remembered_until <= $2::bigint
      AND NOT EXISTS (SELECT 1 FROM auth_codes h WHERE h.code::text = s.digest)
    LIMIT $3::bigint FOR UPDATE OF s SKIP LOCKED))
RETURNING 1;

-- broker: forget_codes (SQLite)
DELETE FROM keyward_grant_codes
WHERE digest IN (
    SELECT s.digest FROM keyward_grants g
    JOIN keyward_grant_codes s ON s.grant_id = g.id
    WHERE g.id IN (SELECT value FROM json_each(?1))
      AND g.remembered_until <= ?2
      AND NOT EXISTS (SELECT 1 FROM auth_codes h WHERE h.code = s.digest)
    LIMIT ?3)
RETURNING 1;

-- broker: forget_refresh (PostgreSQL)
DELETE FROM keyward.grant_refresh_tokens
WHERE digest = ANY (ARRAY(
    SELECT s.digest FROM keyward.grants g
    JOIN keyward.grant_refresh_tokens s ON s.grant_id = g.id
    WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
      AND g.remembered_until <= $2::bigint
      AND NOT EXISTS (SELECT 1 FROM refresh_tokens h WHERE h.token_hash::text = s.digest)
    LIMIT $3::bigint FOR UPDATE OF s SKIP LOCKED))
RETURNING 1;

-- broker: forget_refresh (SQLite)
DELETE FROM keyward_grant_refresh_tokens
WHERE digest IN (
    SELECT s.digest FROM keyward_grants g
    JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id
    WHERE g.id IN (SELECT value FROM json_each(?1))
      AND g.remembered_until <= ?2
      AND NOT EXISTS (SELECT 1 FROM refresh_tokens h WHERE h.token_hash = s.digest)
    LIMIT ?3)
RETURNING 1;

-- broker: forget_access (PostgreSQL)
DELETE FROM keyward.grant_access_tokens
WHERE digest = ANY (ARRAY(
    SELECT s.digest FROM keyward.grants g
    JOIN keyward.grant_access_tokens s ON s.grant_id = g.id
    WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
      AND g.remembered_until <= $2::bigint
      AND NOT EXISTS (SELECT 1 FROM access_tokens h WHERE h.token_hash::text = s.digest)
    LIMIT $3::bigint FOR UPDATE OF s SKIP LOCKED))
RETURNING 1;

-- broker: forget_access (SQLite)
DELETE FROM keyward_grant_access_tokens
WHERE digest IN (
    SELECT s.digest FROM keyward_grants g
    JOIN keyward_grant_access_tokens s ON s.grant_id = g.id
    WHERE g.id IN (SELECT value FROM json_each(?1))
      AND g.remembered_until <= ?2
      AND NOT EXISTS (SELECT 1 FROM access_tokens h WHERE h.token_hash = s.digest)
    LIMIT ?3)
RETURNING 1;

-- broker: forget_grants (PostgreSQL)
DELETE FROM keyward.grants
WHERE id = ANY (ARRAY(SELECT g.id FROM keyward.grants g
             WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
               AND g.remembered_until <= $2::bigint
               AND NOT EXISTS (SELECT 1 FROM keyward.grant_codes s WHERE s.grant_id = g.id)
               AND NOT EXISTS (SELECT 1 FROM keyward.grant_access_tokens s WHERE s.grant_id = g.id)
               AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.grant_id = g.id)
             FOR UPDATE OF g SKIP LOCKED))
RETURNING 1;

-- broker: forget_grants (SQLite)
DELETE FROM keyward_grants
WHERE id IN (SELECT g.id FROM keyward_grants g
             WHERE g.id IN (SELECT value FROM json_each(?1))
               AND g.remembered_until <= ?2
               AND NOT EXISTS (SELECT 1 FROM keyward_grant_codes s WHERE s.grant_id = g.id)
               AND NOT EXISTS (SELECT 1 FROM keyward_grant_access_tokens s WHERE s.grant_id = g.id)
               AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.grant_id = g.id))
RETURNING 1;

-- broker: sweep_codes (PostgreSQL)
DELETE FROM auth_codes
WHERE code::text = ANY (ARRAY(SELECT h.code::text FROM auth_codes h WHERE h.expires_at <= $1::bigint
                      ORDER BY h.expires_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED))
RETURNING 1;

-- broker: sweep_codes (SQLite)
DELETE FROM auth_codes
WHERE rowid IN (SELECT h.rowid FROM auth_codes h WHERE h.expires_at <= ?1 OR h.expires_at >= '' LIMIT ?2)
RETURNING 1;

-- broker: sweep_refresh (PostgreSQL)
DELETE FROM refresh_tokens
WHERE token_hash::text = ANY (ARRAY(SELECT h.token_hash::text FROM refresh_tokens h WHERE h.expires_at <= $1::bigint
                      ORDER BY h.expires_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED))
RETURNING 1;

-- broker: sweep_refresh (SQLite)
DELETE FROM refresh_tokens
WHERE rowid IN (SELECT h.rowid FROM refresh_tokens h WHERE h.expires_at <= ?1 OR h.expires_at >= '' LIMIT ?2)
RETURNING 1;

-- broker: sweepable_access (PostgreSQL)
SELECT a.token_hash AS id FROM access_tokens a
WHERE a.expires_at <= $1::bigint
  AND NOT EXISTS (SELECT 1 FROM refresh_tokens r
                  WHERE r.access_token_hash::text = a.token_hash::text AND r.revoked_at IS NULL
                    AND r.expires_at > $1::bigint)
ORDER BY a.expires_at LIMIT $2::bigint FOR UPDATE OF a SKIP LOCKED;

-- broker: sweepable_access (SQLite)
SELECT a.token_hash AS id FROM access_tokens a
WHERE (a.expires_at <= ?1 OR a.expires_at >= '') AND a.token_hash IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM refresh_tokens r
                  WHERE r.access_token_hash = a.token_hash AND r.revoked_at IS NULL
                    AND r.expires_at > ?1 AND typeof(r.expires_at) = 'integer')
LIMIT ?2;

-- broker: sweep_refresh_of_access (PostgreSQL)
DELETE FROM refresh_tokens
WHERE token_hash::text = ANY (ARRAY(
    SELECT r.token_hash::text FROM refresh_tokens r
    WHERE r.access_token_hash::text IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
      AND (r.revoked_at IS NOT NULL OR r.expires_at <= $2::bigint)
    LIMIT $3::bigint FOR UPDATE SKIP LOCKED))
RETURNING 1;

-- broker: sweep_refresh_of_access (SQLite)
DELETE FROM refresh_tokens
WHERE rowid IN (
    SELECT r.rowid FROM refresh_tokens r
    WHERE r.access_token_hash IN (SELECT value FROM json_each(?1))
      AND (r.revoked_at IS NOT NULL OR r.expires_at <= ?2 OR typeof(r.expires_at) <> 'integer')
    LIMIT ?3)
RETURNING 1;

-- broker: sweep_access (PostgreSQL)
DELETE FROM access_tokens
WHERE token_hash::text = ANY (ARRAY(
    SELECT a.token_hash::text FROM access_tokens a
    WHERE a.token_hash::text IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
      AND a.expires_at <= $2::bigint
      AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.access_token_hash::text = a.token_hash::text)
    FOR UPDATE OF a SKIP LOCKED))
RETURNING 1;

-- broker: sweep_access (SQLite)
DELETE FROM access_tokens
WHERE token_hash IN (
    SELECT a.token_hash FROM access_tokens a
    WHERE a.token_hash IN (SELECT value FROM json_each(?1))
      AND (a.expires_at <= ?2 OR typeof(a.expires_at) <> 'integer')
      AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.access_token_hash = a.token_hash))
RETURNING 1;

-- broker: sweep_grant_access (PostgreSQL)
DELETE FROM keyward.grant_access_tokens AS s
WHERE s.digest IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
  AND NOT EXISTS (SELECT 1 FROM access_tokens a WHERE a.token_hash::text = s.digest)
RETURNING 1;

-- broker: sweep_grant_access (SQLite)
DELETE FROM keyward_grant_access_tokens AS s
WHERE s.digest IN (SELECT value FROM json_each(?1))
  AND NOT EXISTS (SELECT 1 FROM access_tokens a WHERE a.token_hash = s.digest)
RETURNING 1;

-- broker: sweep_clients (PostgreSQL)
DELETE FROM clients
WHERE client_id::text = ANY (ARRAY(
    SELECT k.client_id::text FROM clients k
    WHERE (k.last_used < $1::bigint OR k.last_used IS NULL AND k.created_at < $1::bigint)
      AND NOT EXISTS (SELECT 1 FROM keyward.grants g WHERE g.client_id = k.client_id::text)
      AND NOT EXISTS (SELECT 1 FROM auth_codes h WHERE h.client_id::text = k.client_id::text)
      AND NOT EXISTS (SELECT 1 FROM access_tokens h WHERE h.client_id::text = k.client_id::text)
      AND NOT EXISTS (SELECT 1 FROM refresh_tokens h WHERE h.client_id::text = k.client_id::text)
    LIMIT $2::bigint FOR UPDATE OF k SKIP LOCKED))
RETURNING 1;

-- broker: sweep_clients (SQLite)
DELETE FROM clients
WHERE client_id IN (
    SELECT k.client_id FROM clients k
    WHERE (k.last_used < ?1 OR k.last_used IS NULL AND k.created_at < ?1)
      AND NOT EXISTS (SELECT 1 FROM keyward_grants g WHERE g.client_id = k.client_id)
      AND NOT EXISTS (SELECT 1 FROM auth_codes h WHERE h.client_id = k.client_id)
      AND NOT EXISTS (SELECT 1 FROM access_tokens h WHERE h.client_id = k.client_id)
      AND NOT EXISTS (SELECT 1 FROM refresh_tokens h WHERE h.client_id = k.client_id)
    LIMIT ?2)
RETURNING 1;
