-- Every statement that keyward runs on tables of credentials, by schema, name and engine.
-- KEYWARD_UPDATE_SNAPSHOTS=1 cargo test --all-features writes this file anew.

-- credentials: get (PostgreSQL)
SELECT owner, refresh_token IS NOT NULL AS is_refreshable, expires_at, subject, client_id, client_key_id, issuer,
       token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at,
       session_ends_at, refreshed_at, authorization_server_nonce, resource_server_nonce, state, state_since,
       end_reason, lease_until, version, generation, access_token, refresh_token, dpop_key
FROM keyward.credentials WHERE owner = $1::text;

-- credentials: get (SQLite)
SELECT owner, refresh_token IS NOT NULL AS is_refreshable, expires_at, subject, client_id, client_key_id, issuer,
       token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at,
       session_ends_at, refreshed_at, authorization_server_nonce, resource_server_nonce, state, state_since,
       end_reason, lease_until, version, generation, access_token, refresh_token, dpop_key
FROM keyward_credentials WHERE owner = ?1;

-- credentials: list (PostgreSQL)
SELECT owner, refresh_token IS NOT NULL AS is_refreshable, expires_at, subject, client_id, client_key_id, issuer,
       token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at,
       session_ends_at, refreshed_at, authorization_server_nonce, resource_server_nonce, state, state_since,
       end_reason, lease_until, version, generation
FROM keyward.credentials
WHERE owner >= coalesce($1::text, '') AND ($1::text IS NULL OR owner > $1::text)
  AND ($2::timestamp IS NULL OR refresh_token IS NOT NULL AND state <> 'ended'
                                AND (expires_at IS NULL OR expires_at <= $2::timestamp))
  AND ($3::text IS NULL OR NOT pg_catalog.starts_with(access_token, $3::text)
       OR NOT pg_catalog.starts_with(coalesce(refresh_token, $3::text), $3::text)
       OR NOT pg_catalog.starts_with(coalesce(dpop_key, $3::text), $3::text))
ORDER BY owner LIMIT $4::bigint;

-- credentials: list (SQLite)
SELECT owner, refresh_token IS NOT NULL AS is_refreshable, expires_at, subject, client_id, client_key_id, issuer,
       token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at,
       session_ends_at, refreshed_at, authorization_server_nonce, resource_server_nonce, state, state_since,
       end_reason, lease_until, version, generation
FROM keyward_credentials
WHERE owner >= coalesce(?1, '') AND (?1 IS NULL OR owner > ?1)
  AND (?2 IS NULL OR refresh_token IS NOT NULL AND state <> 'ended' AND (expires_at IS NULL OR expires_at <= ?2))
  AND (?3 IS NULL OR substr(access_token, 1, length(?3)) <> ?3
       OR substr(coalesce(refresh_token, ?3), 1, length(?3)) <> ?3
       OR substr(coalesce(dpop_key, ?3), 1, length(?3)) <> ?3)
ORDER BY owner LIMIT ?4;

-- credentials: put (PostgreSQL)
INSERT INTO keyward.credentials AS c (
    owner, access_token, refresh_token, dpop_key, expires_at, subject, client_id, client_key_id, issuer,
    token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at, session_ends_at,
    refreshed_at, authorization_server_nonce, resource_server_nonce, version, generation)
SELECT $1::text, $2::text, $3::text, $4::text, $5::timestamp, $6::text, $7::text, $8::text, $9::text, $10::text,
       $11::text, $12::text, $13::text, $14::text, $15::timestamp, $16::timestamp, $17::timestamp, $18::text,
       $19::text, $22::bigint, $22::bigint
WHERE $20::bigint <> 1::bigint OR EXISTS (SELECT 1 FROM keyward.credentials WHERE owner = $1::text FOR NO KEY UPDATE)
ON CONFLICT (owner) DO UPDATE
SET access_token = excluded.access_token, refresh_token = excluded.refresh_token, dpop_key = excluded.dpop_key,
    expires_at = excluded.expires_at, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, issuer = excluded.issuer, token_endpoint = excluded.token_endpoint,
    revocation_endpoint = excluded.revocation_endpoint, resource_server = excluded.resource_server,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, authorization_server_nonce = excluded.authorization_server_nonce,
    resource_server_nonce = excluded.resource_server_nonce, state = 'active', state_since = NULL,
    end_reason = NULL, lease_until = NULL, version = c.version + 1, generation = c.generation + 1
WHERE $20::bigint = 2::bigint OR $20::bigint = 1::bigint AND c.generation = $21::bigint
RETURNING 1;

-- credentials: put (SQLite)
INSERT INTO keyward_credentials AS c (
    owner, access_token, refresh_token, dpop_key, expires_at, subject, client_id, client_key_id, issuer,
    token_endpoint, revocation_endpoint, resource_server, scopes, session_id, session_started_at, session_ends_at,
    refreshed_at, authorization_server_nonce, resource_server_nonce, version, generation)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?22, ?22
WHERE ?20 <> 1 OR EXISTS (SELECT 1 FROM keyward_credentials WHERE owner = ?1)
ON CONFLICT (owner) DO UPDATE
SET access_token = excluded.access_token, refresh_token = excluded.refresh_token, dpop_key = excluded.dpop_key,
    expires_at = excluded.expires_at, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, issuer = excluded.issuer, token_endpoint = excluded.token_endpoint,
    revocation_endpoint = excluded.revocation_endpoint, resource_server = excluded.resource_server,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, authorization_server_nonce = excluded.authorization_server_nonce,
    resource_server_nonce = excluded.resource_server_nonce, state = 'active', state_since = NULL,
    end_reason = NULL, lease_until = NULL, version = c.version + 1, generation = c.generation + 1
WHERE ?20 = 2 OR ?20 = 1 AND c.generation = ?21
RETURNING 1;

-- credentials: claim (PostgreSQL)
UPDATE keyward.credentials
SET lease_until = $3::timestamp, state = CASE state WHEN 'sent' THEN 'uncertain' ELSE state END, version = version + 1
WHERE owner = $1::text AND refresh_token IS NOT NULL
  AND (lease_until IS NULL OR lease_until <= $2::timestamp OR lease_until > $4::timestamp)
  AND (state = 'active' OR version = $5::bigint AND state IN ('sent', 'uncertain'))
RETURNING 1;

-- credentials: claim (SQLite)
UPDATE keyward_credentials
SET lease_until = ?3, state = CASE state WHEN 'sent' THEN 'uncertain' ELSE state END, version = version + 1
WHERE owner = ?1 AND refresh_token IS NOT NULL
  AND (lease_until IS NULL OR lease_until <= ?2 OR lease_until > ?4)
  AND (state = 'active' OR version = ?5 AND state IN ('sent', 'uncertain'))
RETURNING 1;

-- credentials: mark (PostgreSQL)
UPDATE keyward.credentials SET state = 'sent', state_since = $3::timestamp, lease_until = $5::timestamp
WHERE owner = $1::text AND version = $2::bigint AND state IN ('active', 'uncertain')
  AND lease_until > $3::timestamp AND lease_until <= $4::timestamp
RETURNING 1;

-- credentials: mark (SQLite)
UPDATE keyward_credentials SET state = 'sent', state_since = ?3, lease_until = ?5
WHERE owner = ?1 AND version = ?2 AND state IN ('active', 'uncertain') AND lease_until > ?3 AND lease_until <= ?4
RETURNING 1;

-- credentials: save (PostgreSQL)
UPDATE keyward.credentials
SET access_token = $3::text, refresh_token = $4::text,
    expires_at = CASE WHEN state = 'ended' THEN $9::timestamp ELSE $5::timestamp END, scopes = coalesce($6::text, scopes), authorization_server_nonce = coalesce($7::text, authorization_server_nonce),
    resource_server_nonce = coalesce($8::text, resource_server_nonce), refreshed_at = $9::timestamp,
    state = 'active', state_since = NULL, end_reason = NULL, lease_until = NULL, version = version + 1,
    generation = generation + 1
WHERE owner = $1::text AND generation = $2::bigint
RETURNING 1;

-- credentials: save (SQLite)
UPDATE keyward_credentials
SET access_token = ?3, refresh_token = ?4, expires_at = CASE WHEN state = 'ended' THEN ?9 ELSE ?5 END,
    scopes = coalesce(?6, scopes),
    authorization_server_nonce = coalesce(?7, authorization_server_nonce),
    resource_server_nonce = coalesce(?8, resource_server_nonce), refreshed_at = ?9,
    state = 'active', state_since = NULL, end_reason = NULL, lease_until = NULL, version = version + 1,
    generation = generation + 1
WHERE owner = ?1 AND generation = ?2
RETURNING 1;

-- credentials: release (PostgreSQL)
UPDATE keyward.credentials
SET state = $3::text, state_since = $4::timestamp, end_reason = $5::text, lease_until = NULL, version = version + 1,
    authorization_server_nonce = coalesce($6::text, authorization_server_nonce),
    resource_server_nonce = coalesce($7::text, resource_server_nonce)
WHERE owner = $1::text AND version = $2::bigint AND lease_until IS NOT NULL
RETURNING 1;

-- credentials: release (SQLite)
UPDATE keyward_credentials
SET state = ?3, state_since = ?4, end_reason = ?5, lease_until = NULL, version = version + 1,
    authorization_server_nonce = coalesce(?6, authorization_server_nonce),
    resource_server_nonce = coalesce(?7, resource_server_nonce)
WHERE owner = ?1 AND version = ?2 AND lease_until IS NOT NULL
RETURNING 1;

-- credentials: note_nonces (PostgreSQL)
UPDATE keyward.credentials
SET authorization_server_nonce = coalesce($3::text, authorization_server_nonce),
    resource_server_nonce = coalesce($4::text, resource_server_nonce)
WHERE owner = $1::text AND generation = $2::bigint
RETURNING 1;

-- credentials: note_nonces (SQLite)
UPDATE keyward_credentials
SET authorization_server_nonce = coalesce(?3, authorization_server_nonce),
    resource_server_nonce = coalesce(?4, resource_server_nonce)
WHERE owner = ?1 AND generation = ?2
RETURNING 1;

-- credentials: reseal (PostgreSQL)
UPDATE keyward.credentials SET access_token = $4::text, refresh_token = $5::text, dpop_key = $6::text
WHERE owner = $1::text AND version = $2::bigint AND generation = $3::bigint
  AND (lease_until IS NULL OR lease_until <= $7::timestamp OR lease_until > $8::timestamp)
RETURNING 1;

-- credentials: reseal (SQLite)
UPDATE keyward_credentials SET access_token = ?4, refresh_token = ?5, dpop_key = ?6
WHERE owner = ?1 AND version = ?2 AND generation = ?3
  AND (lease_until IS NULL OR lease_until <= ?7 OR lease_until > ?8)
RETURNING 1;

-- credentials: wipe (PostgreSQL)
DELETE FROM keyward.credentials WHERE owner = $1::text RETURNING 1;

-- credentials: wipe (SQLite)
DELETE FROM keyward_credentials WHERE owner = ?1 RETURNING 1;

-- aggregator_credentials, in text: get (PostgreSQL)
SELECT a.did::text AS owner, (a.oauth_refresh_token::text <> ''::text) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
'UTF8'::name)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation,
       nullif(a.oauth_access_token::text, ''::text) AS access_token,
       nullif(a.oauth_refresh_token::text, ''::text) AS refresh_token,
       nullif(a.oauth_dpop_private_key_multibase::text, ''::text) AS dpop_key
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
'UTF8'::name)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND a.oauth_access_token::text <> ''::text;

-- aggregator_credentials, in text: get (SQLite)
SELECT a.did AS owner, (a.oauth_refresh_token <> '') IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation,
       nullif(a.oauth_access_token, '') AS access_token,
       nullif(a.oauth_refresh_token, '') AS refresh_token,
       nullif(a.oauth_dpop_private_key_multibase, '') AS dpop_key
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND a.oauth_access_token <> '';

-- aggregator_credentials, in text: get, without secrets (PostgreSQL)
SELECT a.did::text AS owner, (a.oauth_refresh_token::text <> ''::text) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
'UTF8'::name)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation,
       NULL AS access_token, NULL AS refresh_token, NULL AS dpop_key
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
'UTF8'::name)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND a.oauth_access_token::text <> ''::text;

-- aggregator_credentials, in text: get, without secrets (SQLite)
SELECT a.did AS owner, (a.oauth_refresh_token <> '') IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation,
       NULL AS access_token, NULL AS refresh_token, NULL AS dpop_key
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND a.oauth_access_token <> '';

-- aggregator_credentials, in text: list (PostgreSQL)
SELECT a.did::text AS owner, (a.oauth_refresh_token::text <> ''::text) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
'UTF8'::name)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
'UTF8'::name)), 'hex'::text)
WHERE a.oauth_access_token::text <> ''::text
  AND ($1::text IS NULL OR a.did::text COLLATE pg_catalog."C" > $1::text)
  AND ($3::timestamp IS NULL
       OR a.oauth_refresh_token::text <> ''::text AND coalesce(s.state, 'active'::text) <> 'ended'::text
          AND (a.oauth_token_expires_at IS NULL
               OR a.oauth_token_expires_at <= $3::timestamp AT TIME ZONE 'UTC'))
  AND ($4::text IS NULL OR NOT pg_catalog.starts_with(coalesce(nullif(a.oauth_access_token::text, ''::text), $4::text), $4::text)
       OR NOT pg_catalog.starts_with(coalesce(nullif(a.oauth_refresh_token::text, ''::text), $4::text), $4::text) OR NOT pg_catalog.starts_with(coalesce(nullif(a.oauth_dpop_private_key_multibase::text, ''::text), $4::text), $4::text))
ORDER BY a.did::text COLLATE pg_catalog."C" LIMIT $5::bigint;

-- aggregator_credentials, in text: list (SQLite)
SELECT a.did AS owner, (a.oauth_refresh_token <> '') IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
WHERE a.oauth_access_token <> ''
  AND (?1 IS NULL OR a.did > ?1 COLLATE BINARY)
  AND (?3 IS NULL
       OR a.oauth_refresh_token <> '' AND coalesce(s.state, 'active') <> 'ended'
          AND coalesce(strftime('%Y-%m-%d %H:%M:%f', a.oauth_token_expires_at), '')
              <= strftime('%Y-%m-%d %H:%M:%f', ?3))
  AND (?4 IS NULL OR substr(coalesce(nullif(a.oauth_access_token, ''), ?4), 1, length(?4)) <> ?4
       OR substr(coalesce(nullif(a.oauth_refresh_token, ''), ?4), 1, length(?4)) <> ?4 OR substr(coalesce(nullif(a.oauth_dpop_private_key_multibase, ''), ?4), 1, length(?4)) <> ?4)
ORDER BY a.did COLLATE BINARY LIMIT ?5;

-- aggregator_credentials, in text: adopt (PostgreSQL)
INSERT INTO keyward.credential_states AS k (owner, pair, subject, client_id, scopes, session_id, version, generation)
SELECT a.did::text, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text), a.did::text, $2::text, 'atproto'::text, 'apikey'::text,
       coalesce(o.version + 1::bigint, 1::bigint), (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND a.oauth_access_token::text <> ''::text AND s.owner IS NULL
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1::bigint, generation = excluded.generation
WHERE k.pair <> excluded.pair
RETURNING 1;

-- aggregator_credentials, in text: adopt (SQLite)
INSERT INTO keyward_credential_states AS k (owner, pair, subject, client_id, scopes, session_id, version, generation)
SELECT a.did, hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32)), a.did, ?2, 'atproto', 'apikey', coalesce(o.version + 1, 1), coalesce(o.generation + 1, 1)
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND a.oauth_access_token <> '' AND s.owner IS NULL
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1, generation = excluded.generation
WHERE k.pair <> excluded.pair
RETURNING 1;

-- aggregator_credentials, in text: claim (PostgreSQL)
UPDATE keyward.credential_states k
SET lease_until = $3::timestamp, state = CASE k.state WHEN 'sent'::text THEN 'uncertain'::text ELSE k.state END,
    end_reason = NULL, version = k.version + 1::bigint
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text) AND a.oauth_refresh_token::text <> ''::text
  AND (k.lease_until IS NULL OR k.lease_until <= $2::timestamp OR k.lease_until > $4::timestamp)
  AND (k.state = 'active'::text OR k.version = $5::bigint AND k.state IN ('sent'::text, 'uncertain'::text))
RETURNING 1;

-- aggregator_credentials, in text: claim (SQLite)
UPDATE keyward_credential_states AS k
SET lease_until = ?3, state = CASE k.state WHEN 'sent' THEN 'uncertain' ELSE k.state END, end_reason = NULL,
    version = k.version + 1
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32)) AND a.oauth_refresh_token <> ''
  AND (k.lease_until IS NULL OR k.lease_until <= ?2 OR k.lease_until > ?4)
  AND (k.state = 'active' OR k.version = ?5 AND k.state IN ('sent', 'uncertain'))
RETURNING 1;

-- aggregator_credentials, in text: mark (PostgreSQL)
UPDATE keyward.credential_states k SET state = 'sent', state_since = $3::timestamp, lease_until = $5::timestamp
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text)
  AND k.version = $2::bigint AND k.state IN ('active'::text, 'uncertain'::text) AND k.lease_until > $3::timestamp
  AND k.lease_until <= $4::timestamp
RETURNING 1;

-- aggregator_credentials, in text: mark (SQLite)
UPDATE keyward_credential_states AS k SET state = 'sent', state_since = ?3, lease_until = ?5
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
  AND k.version = ?2 AND k.state IN ('active', 'uncertain') AND k.lease_until > ?3 AND k.lease_until <= ?4
RETURNING 1;

-- aggregator_credentials, in text: save, state (PostgreSQL)
UPDATE keyward.credential_states k SET scopes = coalesce($3::text, k.scopes), refreshed_at = $4::timestamp, state = 'active',
    state_since = NULL, lease_until = NULL, version = k.version + 1::bigint,
    generation = k.generation + 1::bigint
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text)
  AND k.generation = $2::bigint
RETURNING 1;

-- aggregator_credentials, in text: save, state (SQLite)
UPDATE keyward_credential_states AS k SET scopes = coalesce(?3, k.scopes), refreshed_at = ?4, state = 'active', state_since = NULL,
    lease_until = NULL, version = k.version + 1, generation = k.generation + 1
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
  AND k.generation = ?2
RETURNING 1;

-- aggregator_credentials, in text: save, pair (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token = $2::text,
    oauth_refresh_token = $3::text,
    oauth_token_expires_at = CASE
        WHEN EXISTS (SELECT 1 FROM keyward.credential_states k WHERE k.owner = $1::text AND k.end_reason IS NOT NULL)
        THEN $7::timestamp ELSE $4::timestamp END AT TIME ZONE 'UTC',
    oauth_dpop_authserver_nonce = coalesce($5::text, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce($6::text, a.oauth_dpop_pds_nonce)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in text: save, pair (SQLite)
UPDATE aggregators AS a
SET oauth_access_token = ?2, oauth_refresh_token = ?3,
    oauth_token_expires_at = CASE
        WHEN EXISTS (SELECT 1 FROM keyward_credential_states k WHERE k.owner = ?1 AND k.end_reason IS NOT NULL)
        THEN ?7 ELSE ?4 END,
    oauth_dpop_authserver_nonce = coalesce(?5, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce(?6, a.oauth_dpop_pds_nonce)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in text: reseal, state (PostgreSQL)
UPDATE keyward.credential_states k SET lease_until = NULL
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text)
  AND k.version = $2::bigint AND k.generation = $3::bigint
  AND (k.lease_until IS NULL OR k.lease_until <= $4::timestamp OR k.lease_until > $5::timestamp)
RETURNING 1;

-- aggregator_credentials, in text: reseal, state (SQLite)
UPDATE keyward_credential_states AS k SET lease_until = NULL
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
  AND k.version = ?2 AND k.generation = ?3
  AND (k.lease_until IS NULL OR k.lease_until <= ?4 OR k.lease_until > ?5)
RETURNING 1;

-- aggregator_credentials, in text: reseal, secrets (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token = $2::text,
    oauth_refresh_token = $3::text,
    oauth_dpop_private_key_multibase = $4::text
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in text: reseal, secrets (SQLite)
UPDATE aggregators AS a
SET oauth_access_token = ?2, oauth_refresh_token = ?3,
    oauth_dpop_private_key_multibase = ?4
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in text: put, state (PostgreSQL)
INSERT INTO keyward.credential_states AS k (
    owner, pair, subject, client_id, client_key_id, revocation_endpoint, scopes, session_id, session_started_at,
    session_ends_at, refreshed_at, version, generation)
SELECT $1::text, ''::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::timestamp,
       $11::timestamp, $12::timestamp, $13::bigint, $13::bigint
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND ($2::bigint = 2::bigint
       OR $2::bigint = 0::bigint AND (a.oauth_access_token::text <> ''::text) IS NOT TRUE
       OR $2::bigint = 1::bigint AND a.oauth_access_token::text <> ''::text AND s.generation = $3::bigint)
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1::bigint, generation = k.generation + 1::bigint
RETURNING 1;

-- aggregator_credentials, in text: put, state (SQLite)
INSERT INTO keyward_credential_states AS k (
    owner, pair, subject, client_id, client_key_id, revocation_endpoint, scopes, session_id, session_started_at,
    session_ends_at, refreshed_at, version, generation)
SELECT ?1, '', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
WHERE a.did = ?1 COLLATE BINARY
  AND (?2 = 2 OR ?2 = 0 AND (a.oauth_access_token <> '') IS NOT TRUE OR ?2 = 1 AND a.oauth_access_token <> '' AND s.generation = ?3)
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1, generation = k.generation + 1
RETURNING 1;

-- aggregator_credentials, in text: put, secrets (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token = $2::text,
    oauth_refresh_token = $3::text,
    oauth_dpop_private_key_multibase = $4::text,
    oauth_token_expires_at = $5::timestamp AT TIME ZONE 'UTC', oauth_pds_url = $6::text,
    oauth_auth_server_iss = $7::text, oauth_auth_server_token_endpoint = $8::text,
    oauth_dpop_authserver_nonce = $9::text, oauth_dpop_pds_nonce = $10::text
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in text: put, secrets (SQLite)
UPDATE aggregators AS a
SET oauth_access_token = ?2, oauth_refresh_token = ?3,
    oauth_dpop_private_key_multibase = ?4,
    oauth_token_expires_at = ?5, oauth_pds_url = ?6, oauth_auth_server_iss = ?7,
    oauth_auth_server_token_endpoint = ?8, oauth_dpop_authserver_nonce = ?9, oauth_dpop_pds_nonce = ?10
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in text: settle (PostgreSQL)
UPDATE keyward.credential_states k SET pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text)
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND a.oauth_access_token::text IS NOT DISTINCT FROM $2::text
  AND a.oauth_refresh_token::text IS NOT DISTINCT FROM $3::text
  AND ($5::bigint = 0::bigint OR a.oauth_dpop_private_key_multibase::text IS NOT DISTINCT FROM $4::text)
RETURNING 1;

-- aggregator_credentials, in text: settle (SQLite)
UPDATE keyward_credential_states AS k SET pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND a.oauth_access_token IS ?2
  AND a.oauth_refresh_token IS ?3 AND (?5 = 0 OR a.oauth_dpop_private_key_multibase IS ?4)
RETURNING 1;

-- aggregator_credentials, in text: lock (PostgreSQL)
SELECT 1 FROM aggregators a WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND a.oauth_access_token::text <> ''::text FOR NO KEY UPDATE;

-- aggregator_credentials, in text: lock (SQLite)
SELECT 1 FROM aggregators a WHERE a.did = ?1 COLLATE BINARY AND a.oauth_access_token <> '';

-- aggregator_credentials, in text: lock_after_revocation (PostgreSQL)
SELECT 1 FROM aggregators a
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND a.oauth_access_token::text <> ''::text
  AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NOT NULL
  AND ($2::text IS NULL OR a.api_key_hash::text = $2::text)
  AND ($3::text IS NULL OR a.did::text COLLATE pg_catalog."C" = $3::text)
FOR NO KEY UPDATE;

-- aggregator_credentials, in text: lock_after_revocation (SQLite)
SELECT 1 FROM aggregators a
WHERE a.did = ?1 COLLATE BINARY AND a.oauth_access_token <> ''
  AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NOT NULL
  AND (?2 IS NULL OR a.api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR a.did = ?3 COLLATE BINARY);

-- aggregator_credentials, in text: has_generation (PostgreSQL)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND a.oauth_access_token::text <> ''::text AND coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) = $2::bigint;

-- aggregator_credentials, in text: has_generation (SQLite)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND a.oauth_access_token <> '' AND coalesce(s.generation, coalesce(o.generation + 1, 1)) = ?2;

-- aggregator_credentials, in text: is_usable (PostgreSQL)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
    'UTF8'::name)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND a.oauth_access_token::text <> ''::text AND coalesce(s.state, 'active'::text) <> 'ended'::text;

-- aggregator_credentials, in text: is_usable (SQLite)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND a.oauth_access_token <> '' AND coalesce(s.state, 'active') <> 'ended';

-- aggregator_credentials, in text: clear (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token = NULL, oauth_refresh_token = NULL, oauth_dpop_private_key_multibase = NULL,
    oauth_token_expires_at = NULL, oauth_pds_url = NULL, oauth_auth_server_iss = NULL,
    oauth_auth_server_token_endpoint = NULL, oauth_dpop_authserver_nonce = NULL, oauth_dpop_pds_nonce = NULL
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in text: clear (SQLite)
UPDATE aggregators AS a
SET oauth_access_token = NULL, oauth_refresh_token = NULL, oauth_dpop_private_key_multibase = NULL,
    oauth_token_expires_at = NULL, oauth_pds_url = NULL, oauth_auth_server_iss = NULL,
    oauth_auth_server_token_endpoint = NULL, oauth_dpop_authserver_nonce = NULL, oauth_dpop_pds_nonce = NULL
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in text: lock_owner (PostgreSQL)
SELECT 1 FROM aggregators a WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text FOR NO KEY UPDATE;

-- aggregator_credentials, in text: lock_owner (SQLite)
SELECT 1 FROM aggregators a WHERE a.did = ?1 COLLATE BINARY;

-- aggregator_credentials, in text: release (PostgreSQL)
UPDATE keyward.credential_states k
SET state = $3::text, state_since = $4::timestamp, end_reason = $5::text, lease_until = NULL,
    version = k.version + 1::bigint
WHERE k.owner = $1::text AND k.version = $2::bigint AND k.lease_until IS NOT NULL
RETURNING 1;

-- aggregator_credentials, in text: release (SQLite)
UPDATE keyward_credential_states AS k
SET state = ?3, state_since = ?4, end_reason = ?5, lease_until = NULL, version = k.version + 1
WHERE k.owner = ?1 AND k.version = ?2 AND k.lease_until IS NOT NULL
RETURNING 1;

-- aggregator_credentials, in text: note_nonces (PostgreSQL)
WITH free AS (
    SELECT a.did::text AS did FROM aggregators a
    WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE aggregators a
SET oauth_dpop_authserver_nonce = coalesce($2::text, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce($3::text, a.oauth_dpop_pds_nonce)
FROM free WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in text: note_nonces (SQLite)
UPDATE aggregators AS a
SET oauth_dpop_authserver_nonce = coalesce(?2, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce(?3, a.oauth_dpop_pds_nonce)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in text: forget_state (PostgreSQL)
DELETE FROM keyward.credential_states WHERE owner = $1::text RETURNING 1;

-- aggregator_credentials, in text: forget_state (SQLite)
DELETE FROM keyward_credential_states WHERE owner = ?1 RETURNING 1;

-- aggregator_credentials, in text: sessions (PostgreSQL)
SELECT 1 WHERE pg_catalog.to_regclass('oauth_sessions'::text) IS NOT NULL;

-- aggregator_credentials, in text: sessions (SQLite)
SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'oauth_sessions';

-- aggregator_credentials, in text: delete_session (PostgreSQL)
DELETE FROM oauth_sessions u
WHERE u.did::text = $1::text AND u.did::text COLLATE pg_catalog."C" = $1::text
  AND u.session_id::text = 'apikey'::text
RETURNING 1;

-- aggregator_credentials, in text: delete_session (SQLite)
DELETE FROM oauth_sessions WHERE did = ?1 COLLATE BINARY AND session_id = 'apikey' RETURNING 1;

-- aggregator_credentials, in bytes: get (PostgreSQL)
SELECT a.did::text AS owner, (pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation,
       nullif(a.oauth_access_token_encrypted, ''::bytea) AS access_token,
       nullif(a.oauth_refresh_token_encrypted, ''::bytea) AS refresh_token,
       nullif(a.oauth_dpop_private_key_encrypted, ''::bytea) AS dpop_key
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, in bytes: get (SQLite)
SELECT a.did AS owner, (length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation,
       CASE WHEN length(a.oauth_access_token_encrypted) > 0 THEN a.oauth_access_token_encrypted END AS access_token,
       CASE WHEN length(a.oauth_refresh_token_encrypted) > 0 THEN a.oauth_refresh_token_encrypted END AS refresh_token,
       CASE WHEN length(a.oauth_dpop_private_key_encrypted) > 0 THEN a.oauth_dpop_private_key_encrypted END AS dpop_key
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
|| hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, in bytes: get, without secrets (PostgreSQL)
SELECT a.did::text AS owner, (pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation,
       NULL AS access_token, NULL AS refresh_token, NULL AS dpop_key
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, in bytes: get, without secrets (SQLite)
SELECT a.did AS owner, (length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation,
       NULL AS access_token, NULL AS refresh_token, NULL AS dpop_key
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
|| hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, in bytes: list (PostgreSQL)
SELECT a.did::text AS owner, (pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0
  AND ($1::text IS NULL OR a.did::text COLLATE pg_catalog."C" > $1::text)
  AND ($3::timestamp IS NULL
       OR pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0 AND coalesce(s.state, 'active'::text) <> 'ended'::text
          AND (a.oauth_token_expires_at IS NULL
               OR a.oauth_token_expires_at <= $3::timestamp AT TIME ZONE 'UTC'))
  AND ($4::text IS NULL OR coalesce(pg_catalog.substring(nullif(a.oauth_access_token_encrypted, ''::bytea), 1, pg_catalog.octet_length($4::text)) <> pg_catalog.convert_to($4::text, 'UTF8'::name), false)
       OR coalesce(pg_catalog.substring(nullif(a.oauth_refresh_token_encrypted, ''::bytea), 1, pg_catalog.octet_length($4::text)) <> pg_catalog.convert_to($4::text, 'UTF8'::name), false) OR coalesce(pg_catalog.substring(nullif(a.oauth_dpop_private_key_encrypted, ''::bytea), 1, pg_catalog.octet_length($4::text)) <> pg_catalog.convert_to($4::text, 'UTF8'::name), false))
ORDER BY a.did::text COLLATE pg_catalog."C" LIMIT $5::bigint;

-- aggregator_credentials, in bytes: list (SQLite)
SELECT a.did AS owner, (length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
|| hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE length(a.oauth_access_token_encrypted) > 0
  AND (?1 IS NULL OR a.did > ?1 COLLATE BINARY)
  AND (?3 IS NULL
       OR length(a.oauth_refresh_token_encrypted) > 0 AND coalesce(s.state, 'active') <> 'ended'
          AND coalesce(strftime('%Y-%m-%d %H:%M:%f', a.oauth_token_expires_at), '')
              <= strftime('%Y-%m-%d %H:%M:%f', ?3))
  AND (?4 IS NULL OR substr(CAST(coalesce(CASE WHEN length(a.oauth_access_token_encrypted) > 0 THEN a.oauth_access_token_encrypted END, ?4) AS TEXT), 1, length(?4)) <> ?4
       OR substr(CAST(coalesce(CASE WHEN length(a.oauth_refresh_token_encrypted) > 0 THEN a.oauth_refresh_token_encrypted END, ?4) AS TEXT), 1, length(?4)) <> ?4 OR substr(CAST(coalesce(CASE WHEN length(a.oauth_dpop_private_key_encrypted) > 0 THEN a.oauth_dpop_private_key_encrypted END, ?4) AS TEXT), 1, length(?4)) <> ?4)
ORDER BY a.did COLLATE BINARY LIMIT ?5;

-- aggregator_credentials, in bytes: adopt (PostgreSQL)
INSERT INTO keyward.credential_states AS k (owner, pair, subject, client_id, scopes, session_id, version, generation)
SELECT a.did::text, pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), a.did::text, $2::text, 'atproto'::text, 'apikey'::text,
       coalesce(o.version + 1::bigint, 1::bigint), (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND s.owner IS NULL
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1::bigint, generation = excluded.generation
WHERE k.pair <> excluded.pair
RETURNING 1;

-- aggregator_credentials, in bytes: adopt (SQLite)
INSERT INTO keyward_credential_states AS k (owner, pair, subject, client_id, scopes, session_id, version, generation)
SELECT a.did, hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32)), a.did, ?2, 'atproto', 'apikey', coalesce(o.version + 1, 1), coalesce(o.generation + 1, 1)
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0 AND s.owner IS NULL
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1, generation = excluded.generation
WHERE k.pair <> excluded.pair
RETURNING 1;

-- aggregator_credentials, in bytes: claim (PostgreSQL)
UPDATE keyward.credential_states k
SET lease_until = $3::timestamp, state = CASE k.state WHEN 'sent'::text THEN 'uncertain'::text ELSE k.state END,
    end_reason = NULL, version = k.version + 1::bigint
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text) AND pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0
  AND (k.lease_until IS NULL OR k.lease_until <= $2::timestamp OR k.lease_until > $4::timestamp)
  AND (k.state = 'active'::text OR k.version = $5::bigint AND k.state IN ('sent'::text, 'uncertain'::text))
RETURNING 1;

-- aggregator_credentials, in bytes: claim (SQLite)
UPDATE keyward_credential_states AS k
SET lease_until = ?3, state = CASE k.state WHEN 'sent' THEN 'uncertain' ELSE k.state END, end_reason = NULL,
    version = k.version + 1
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32)) AND length(a.oauth_refresh_token_encrypted) > 0
  AND (k.lease_until IS NULL OR k.lease_until <= ?2 OR k.lease_until > ?4)
  AND (k.state = 'active' OR k.version = ?5 AND k.state IN ('sent', 'uncertain'))
RETURNING 1;

-- aggregator_credentials, in bytes: mark (PostgreSQL)
UPDATE keyward.credential_states k SET state = 'sent', state_since = $3::timestamp, lease_until = $5::timestamp
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
  AND k.version = $2::bigint AND k.state IN ('active'::text, 'uncertain'::text) AND k.lease_until > $3::timestamp
  AND k.lease_until <= $4::timestamp
RETURNING 1;

-- aggregator_credentials, in bytes: mark (SQLite)
UPDATE keyward_credential_states AS k SET state = 'sent', state_since = ?3, lease_until = ?5
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
  AND k.version = ?2 AND k.state IN ('active', 'uncertain') AND k.lease_until > ?3 AND k.lease_until <= ?4
RETURNING 1;

-- aggregator_credentials, in bytes: save, state (PostgreSQL)
UPDATE keyward.credential_states k SET scopes = coalesce($3::text, k.scopes), refreshed_at = $4::timestamp, state = 'active',
    state_since = NULL, lease_until = NULL, version = k.version + 1::bigint,
    generation = k.generation + 1::bigint
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
  AND k.generation = $2::bigint
RETURNING 1;

-- aggregator_credentials, in bytes: save, state (SQLite)
UPDATE keyward_credential_states AS k SET scopes = coalesce(?3, k.scopes), refreshed_at = ?4, state = 'active', state_since = NULL,
    lease_until = NULL, version = k.version + 1, generation = k.generation + 1
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
  AND k.generation = ?2
RETURNING 1;

-- aggregator_credentials, in bytes: save, pair (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = pg_catalog.convert_to($2::text, 'UTF8'::name),
    oauth_refresh_token_encrypted = pg_catalog.convert_to($3::text, 'UTF8'::name),
    oauth_token_expires_at = CASE
        WHEN EXISTS (SELECT 1 FROM keyward.credential_states k WHERE k.owner = $1::text AND k.end_reason IS NOT NULL)
        THEN $7::timestamp ELSE $4::timestamp END AT TIME ZONE 'UTC',
    oauth_dpop_authserver_nonce = coalesce($5::text, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce($6::text, a.oauth_dpop_pds_nonce)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in bytes: save, pair (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = CAST(?2 AS BLOB), oauth_refresh_token_encrypted = CAST(?3 AS BLOB),
    oauth_token_expires_at = CASE
        WHEN EXISTS (SELECT 1 FROM keyward_credential_states k WHERE k.owner = ?1 AND k.end_reason IS NOT NULL)
        THEN ?7 ELSE ?4 END,
    oauth_dpop_authserver_nonce = coalesce(?5, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce(?6, a.oauth_dpop_pds_nonce)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in bytes: reseal, state (PostgreSQL)
UPDATE keyward.credential_states k SET lease_until = NULL
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
  AND k.version = $2::bigint AND k.generation = $3::bigint
  AND (k.lease_until IS NULL OR k.lease_until <= $4::timestamp OR k.lease_until > $5::timestamp)
RETURNING 1;

-- aggregator_credentials, in bytes: reseal, state (SQLite)
UPDATE keyward_credential_states AS k SET lease_until = NULL
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
  AND k.version = ?2 AND k.generation = ?3
  AND (k.lease_until IS NULL OR k.lease_until <= ?4 OR k.lease_until > ?5)
RETURNING 1;

-- aggregator_credentials, in bytes: reseal, secrets (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = pg_catalog.convert_to($2::text, 'UTF8'::name),
    oauth_refresh_token_encrypted = pg_catalog.convert_to($3::text, 'UTF8'::name),
    oauth_dpop_private_key_encrypted = pg_catalog.convert_to($4::text, 'UTF8'::name)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in bytes: reseal, secrets (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = CAST(?2 AS BLOB), oauth_refresh_token_encrypted = CAST(?3 AS BLOB),
    oauth_dpop_private_key_encrypted = CAST(?4 AS BLOB)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in bytes: put, state (PostgreSQL)
INSERT INTO keyward.credential_states AS k (
    owner, pair, subject, client_id, client_key_id, revocation_endpoint, scopes, session_id, session_started_at,
    session_ends_at, refreshed_at, version, generation)
SELECT $1::text, ''::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::timestamp,
       $11::timestamp, $12::timestamp, $13::bigint, $13::bigint
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND ($2::bigint = 2::bigint
       OR $2::bigint = 0::bigint AND (pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0) IS NOT TRUE
       OR $2::bigint = 1::bigint AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND s.generation = $3::bigint)
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1::bigint, generation = k.generation + 1::bigint
RETURNING 1;

-- aggregator_credentials, in bytes: put, state (SQLite)
INSERT INTO keyward_credential_states AS k (
    owner, pair, subject, client_id, client_key_id, revocation_endpoint, scopes, session_id, session_started_at,
    session_ends_at, refreshed_at, version, generation)
SELECT ?1, '', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY
  AND (?2 = 2 OR ?2 = 0 AND (length(a.oauth_access_token_encrypted) > 0) IS NOT TRUE OR ?2 = 1 AND length(a.oauth_access_token_encrypted) > 0 AND s.generation = ?3)
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1, generation = k.generation + 1
RETURNING 1;

-- aggregator_credentials, in bytes: put, secrets (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = pg_catalog.convert_to($2::text, 'UTF8'::name),
    oauth_refresh_token_encrypted = pg_catalog.convert_to($3::text, 'UTF8'::name),
    oauth_dpop_private_key_encrypted = pg_catalog.convert_to($4::text, 'UTF8'::name),
    oauth_token_expires_at = $5::timestamp AT TIME ZONE 'UTC', oauth_pds_url = $6::text,
    oauth_auth_server_iss = $7::text, oauth_auth_server_token_endpoint = $8::text,
    oauth_dpop_authserver_nonce = $9::text, oauth_dpop_pds_nonce = $10::text
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in bytes: put, secrets (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = CAST(?2 AS BLOB), oauth_refresh_token_encrypted = CAST(?3 AS BLOB),
    oauth_dpop_private_key_encrypted = CAST(?4 AS BLOB),
    oauth_token_expires_at = ?5, oauth_pds_url = ?6, oauth_auth_server_iss = ?7,
    oauth_auth_server_token_endpoint = ?8, oauth_dpop_authserver_nonce = ?9, oauth_dpop_pds_nonce = ?10
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in bytes: settle (PostgreSQL)
UPDATE keyward.credential_states k SET pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND a.oauth_access_token_encrypted IS NOT DISTINCT FROM pg_catalog.convert_to($2::text, 'UTF8'::name)
  AND a.oauth_refresh_token_encrypted IS NOT DISTINCT FROM pg_catalog.convert_to($3::text, 'UTF8'::name)
  AND ($5::bigint = 0::bigint OR a.oauth_dpop_private_key_encrypted IS NOT DISTINCT FROM pg_catalog.convert_to($4::text, 'UTF8'::name))
RETURNING 1;

-- aggregator_credentials, in bytes: settle (SQLite)
UPDATE keyward_credential_states AS k SET pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND a.oauth_access_token_encrypted IS CAST(?2 AS BLOB)
  AND a.oauth_refresh_token_encrypted IS CAST(?3 AS BLOB) AND (?5 = 0 OR a.oauth_dpop_private_key_encrypted IS CAST(?4 AS BLOB))
RETURNING 1;

-- aggregator_credentials, in bytes: lock (PostgreSQL)
SELECT 1 FROM aggregators a WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 FOR NO KEY UPDATE;

-- aggregator_credentials, in bytes: lock (SQLite)
SELECT 1 FROM aggregators a WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, in bytes: lock_after_revocation (PostgreSQL)
SELECT 1 FROM aggregators a
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0
  AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NOT NULL
  AND ($2::text IS NULL OR a.api_key_hash::text = $2::text)
  AND ($3::text IS NULL OR a.did::text COLLATE pg_catalog."C" = $3::text)
FOR NO KEY UPDATE;

-- aggregator_credentials, in bytes: lock_after_revocation (SQLite)
SELECT 1 FROM aggregators a
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0
  AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NOT NULL
  AND (?2 IS NULL OR a.api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR a.did = ?3 COLLATE BINARY);

-- aggregator_credentials, in bytes: has_generation (PostgreSQL)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) = $2::bigint;

-- aggregator_credentials, in bytes: has_generation (SQLite)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.generation, coalesce(o.generation + 1, 1)) = ?2;

-- aggregator_credentials, in bytes: is_usable (PostgreSQL)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.state, 'active'::text) <> 'ended'::text;

-- aggregator_credentials, in bytes: is_usable (SQLite)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.state, 'active') <> 'ended';

-- aggregator_credentials, in bytes: clear (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = NULL, oauth_refresh_token_encrypted = NULL, oauth_dpop_private_key_encrypted = NULL,
    oauth_token_expires_at = NULL, oauth_pds_url = NULL, oauth_auth_server_iss = NULL,
    oauth_auth_server_token_endpoint = NULL, oauth_dpop_authserver_nonce = NULL, oauth_dpop_pds_nonce = NULL
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in bytes: clear (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = NULL, oauth_refresh_token_encrypted = NULL, oauth_dpop_private_key_encrypted = NULL,
    oauth_token_expires_at = NULL, oauth_pds_url = NULL, oauth_auth_server_iss = NULL,
    oauth_auth_server_token_endpoint = NULL, oauth_dpop_authserver_nonce = NULL, oauth_dpop_pds_nonce = NULL
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in bytes: lock_owner (PostgreSQL)
SELECT 1 FROM aggregators a WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text FOR NO KEY UPDATE;

-- aggregator_credentials, in bytes: lock_owner (SQLite)
SELECT 1 FROM aggregators a WHERE a.did = ?1 COLLATE BINARY;

-- aggregator_credentials, in bytes: release (PostgreSQL)
UPDATE keyward.credential_states k
SET state = $3::text, state_since = $4::timestamp, end_reason = $5::text, lease_until = NULL,
    version = k.version + 1::bigint
WHERE k.owner = $1::text AND k.version = $2::bigint AND k.lease_until IS NOT NULL
RETURNING 1;

-- aggregator_credentials, in bytes: release (SQLite)
UPDATE keyward_credential_states AS k
SET state = ?3, state_since = ?4, end_reason = ?5, lease_until = NULL, version = k.version + 1
WHERE k.owner = ?1 AND k.version = ?2 AND k.lease_until IS NOT NULL
RETURNING 1;

-- aggregator_credentials, in bytes: note_nonces (PostgreSQL)
WITH free AS (
    SELECT a.did::text AS did FROM aggregators a
    WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE aggregators a
SET oauth_dpop_authserver_nonce = coalesce($2::text, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce($3::text, a.oauth_dpop_pds_nonce)
FROM free WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in bytes: note_nonces (SQLite)
UPDATE aggregators AS a
SET oauth_dpop_authserver_nonce = coalesce(?2, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce(?3, a.oauth_dpop_pds_nonce)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in bytes: forget_state (PostgreSQL)
DELETE FROM keyward.credential_states WHERE owner = $1::text RETURNING 1;

-- aggregator_credentials, in bytes: forget_state (SQLite)
DELETE FROM keyward_credential_states WHERE owner = ?1 RETURNING 1;

-- aggregator_credentials, in bytes: sessions (PostgreSQL)
SELECT 1 WHERE pg_catalog.to_regclass('oauth_sessions'::text) IS NOT NULL;

-- aggregator_credentials, in bytes: sessions (SQLite)
SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'oauth_sessions';

-- aggregator_credentials, in bytes: delete_session (PostgreSQL)
DELETE FROM oauth_sessions u
WHERE u.did::text = $1::text AND u.did::text COLLATE pg_catalog."C" = $1::text
  AND u.session_id::text = 'apikey'::text
RETURNING 1;

-- aggregator_credentials, in bytes: delete_session (SQLite)
DELETE FROM oauth_sessions WHERE did = ?1 COLLATE BINARY AND session_id = 'apikey' RETURNING 1;

-- aggregator_credentials, in bytes being taken over: get (PostgreSQL)
SELECT a.did::text AS owner, (pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation,
       CASE WHEN pg_catalog.substring(a.oauth_access_token_encrypted, 1, 10) = 'keyward.1.'::bytea THEN a.oauth_access_token_encrypted ELSE pgcrypto.pgp_sym_decrypt_bytea(nullif(a.oauth_access_token_encrypted, ''::bytea), (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)) END AS access_token,
       CASE WHEN pg_catalog.substring(a.oauth_refresh_token_encrypted, 1, 10) = 'keyward.1.'::bytea THEN a.oauth_refresh_token_encrypted ELSE pgcrypto.pgp_sym_decrypt_bytea(nullif(a.oauth_refresh_token_encrypted, ''::bytea), (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)) END AS refresh_token,
       CASE WHEN pg_catalog.substring(a.oauth_dpop_private_key_encrypted, 1, 10) = 'keyward.1.'::bytea THEN a.oauth_dpop_private_key_encrypted ELSE pgcrypto.pgp_sym_decrypt_bytea(nullif(a.oauth_dpop_private_key_encrypted, ''::bytea), (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)) END AS dpop_key
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, in bytes being taken over: get (SQLite)
SELECT a.did AS owner, (length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation,
       CASE WHEN length(a.oauth_access_token_encrypted) > 0 THEN a.oauth_access_token_encrypted END AS access_token,
       CASE WHEN length(a.oauth_refresh_token_encrypted) > 0 THEN a.oauth_refresh_token_encrypted END AS refresh_token,
       CASE WHEN length(a.oauth_dpop_private_key_encrypted) > 0 THEN a.oauth_dpop_private_key_encrypted END AS dpop_key
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
|| hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, in bytes being taken over: get, without secrets (PostgreSQL)
SELECT a.did::text AS owner, (pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation,
       NULL AS access_token, NULL AS refresh_token, NULL AS dpop_key
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, in bytes being taken over: get, without secrets (SQLite)
SELECT a.did AS owner, (length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation,
       NULL AS access_token, NULL AS refresh_token, NULL AS dpop_key
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
|| hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, in bytes being taken over: list (PostgreSQL)
SELECT a.did::text AS owner, (pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0
  AND ($1::text IS NULL OR a.did::text COLLATE pg_catalog."C" > $1::text)
  AND ($3::timestamp IS NULL
       OR pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0 AND coalesce(s.state, 'active'::text) <> 'ended'::text
          AND (a.oauth_token_expires_at IS NULL
               OR a.oauth_token_expires_at <= $3::timestamp AT TIME ZONE 'UTC'))
  AND ($4::text IS NULL OR coalesce(pg_catalog.substring(nullif(a.oauth_access_token_encrypted, ''::bytea), 1, pg_catalog.octet_length($4::text)) <> pg_catalog.convert_to($4::text, 'UTF8'::name), false)
       OR coalesce(pg_catalog.substring(nullif(a.oauth_refresh_token_encrypted, ''::bytea), 1, pg_catalog.octet_length($4::text)) <> pg_catalog.convert_to($4::text, 'UTF8'::name), false) OR coalesce(pg_catalog.substring(nullif(a.oauth_dpop_private_key_encrypted, ''::bytea), 1, pg_catalog.octet_length($4::text)) <> pg_catalog.convert_to($4::text, 'UTF8'::name), false))
ORDER BY a.did::text COLLATE pg_catalog."C" LIMIT $5::bigint;

-- aggregator_credentials, in bytes being taken over: list (SQLite)
SELECT a.did AS owner, (length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
|| hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE length(a.oauth_access_token_encrypted) > 0
  AND (?1 IS NULL OR a.did > ?1 COLLATE BINARY)
  AND (?3 IS NULL
       OR length(a.oauth_refresh_token_encrypted) > 0 AND coalesce(s.state, 'active') <> 'ended'
          AND coalesce(strftime('%Y-%m-%d %H:%M:%f', a.oauth_token_expires_at), '')
              <= strftime('%Y-%m-%d %H:%M:%f', ?3))
  AND (?4 IS NULL OR substr(CAST(coalesce(CASE WHEN length(a.oauth_access_token_encrypted) > 0 THEN a.oauth_access_token_encrypted END, ?4) AS TEXT), 1, length(?4)) <> ?4
       OR substr(CAST(coalesce(CASE WHEN length(a.oauth_refresh_token_encrypted) > 0 THEN a.oauth_refresh_token_encrypted END, ?4) AS TEXT), 1, length(?4)) <> ?4 OR substr(CAST(coalesce(CASE WHEN length(a.oauth_dpop_private_key_encrypted) > 0 THEN a.oauth_dpop_private_key_encrypted END, ?4) AS TEXT), 1, length(?4)) <> ?4)
ORDER BY a.did COLLATE BINARY LIMIT ?5;

-- aggregator_credentials, in bytes being taken over: adopt (PostgreSQL)
INSERT INTO keyward.credential_states AS k (owner, pair, subject, client_id, scopes, session_id, version, generation)
SELECT a.did::text, pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), a.did::text, $2::text, 'atproto'::text, 'apikey'::text,
       coalesce(o.version + 1::bigint, 1::bigint), (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND s.owner IS NULL
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1::bigint, generation = excluded.generation
WHERE k.pair <> excluded.pair
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: adopt (SQLite)
INSERT INTO keyward_credential_states AS k (owner, pair, subject, client_id, scopes, session_id, version, generation)
SELECT a.did, hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32)), a.did, ?2, 'atproto', 'apikey', coalesce(o.version + 1, 1), coalesce(o.generation + 1, 1)
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0 AND s.owner IS NULL
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1, generation = excluded.generation
WHERE k.pair <> excluded.pair
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: claim (PostgreSQL)
UPDATE keyward.credential_states k
SET lease_until = $3::timestamp, state = CASE k.state WHEN 'sent'::text THEN 'uncertain'::text ELSE k.state END,
    end_reason = NULL, version = k.version + 1::bigint
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text) AND pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0
  AND (k.lease_until IS NULL OR k.lease_until <= $2::timestamp OR k.lease_until > $4::timestamp)
  AND (k.state = 'active'::text OR k.version = $5::bigint AND k.state IN ('sent'::text, 'uncertain'::text))
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: claim (SQLite)
UPDATE keyward_credential_states AS k
SET lease_until = ?3, state = CASE k.state WHEN 'sent' THEN 'uncertain' ELSE k.state END, end_reason = NULL,
    version = k.version + 1
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32)) AND length(a.oauth_refresh_token_encrypted) > 0
  AND (k.lease_until IS NULL OR k.lease_until <= ?2 OR k.lease_until > ?4)
  AND (k.state = 'active' OR k.version = ?5 AND k.state IN ('sent', 'uncertain'))
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: mark (PostgreSQL)
UPDATE keyward.credential_states k SET state = 'sent', state_since = $3::timestamp, lease_until = $5::timestamp
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
  AND k.version = $2::bigint AND k.state IN ('active'::text, 'uncertain'::text) AND k.lease_until > $3::timestamp
  AND k.lease_until <= $4::timestamp
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: mark (SQLite)
UPDATE keyward_credential_states AS k SET state = 'sent', state_since = ?3, lease_until = ?5
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
  AND k.version = ?2 AND k.state IN ('active', 'uncertain') AND k.lease_until > ?3 AND k.lease_until <= ?4
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: save, state (PostgreSQL)
UPDATE keyward.credential_states k SET scopes = coalesce($3::text, k.scopes), refreshed_at = $4::timestamp, state = 'active',
    state_since = NULL, lease_until = NULL, version = k.version + 1::bigint,
    generation = k.generation + 1::bigint
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
  AND k.generation = $2::bigint
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: save, state (SQLite)
UPDATE keyward_credential_states AS k SET scopes = coalesce(?3, k.scopes), refreshed_at = ?4, state = 'active', state_since = NULL,
    lease_until = NULL, version = k.version + 1, generation = k.generation + 1
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
  AND k.generation = ?2
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: save, pair (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = pg_catalog.convert_to($2::text, 'UTF8'::name),
    oauth_refresh_token_encrypted = pg_catalog.convert_to($3::text, 'UTF8'::name),
    oauth_token_expires_at = CASE
        WHEN EXISTS (SELECT 1 FROM keyward.credential_states k WHERE k.owner = $1::text AND k.end_reason IS NOT NULL)
        THEN $7::timestamp ELSE $4::timestamp END AT TIME ZONE 'UTC',
    oauth_dpop_authserver_nonce = coalesce($5::text, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce($6::text, a.oauth_dpop_pds_nonce)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: save, pair (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = CAST(?2 AS BLOB), oauth_refresh_token_encrypted = CAST(?3 AS BLOB),
    oauth_token_expires_at = CASE
        WHEN EXISTS (SELECT 1 FROM keyward_credential_states k WHERE k.owner = ?1 AND k.end_reason IS NOT NULL)
        THEN ?7 ELSE ?4 END,
    oauth_dpop_authserver_nonce = coalesce(?5, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce(?6, a.oauth_dpop_pds_nonce)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: reseal, state (PostgreSQL)
UPDATE keyward.credential_states k SET lease_until = NULL
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
  AND k.version = $2::bigint AND k.generation = $3::bigint
  AND (k.lease_until IS NULL OR k.lease_until <= $4::timestamp OR k.lease_until > $5::timestamp)
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: reseal, state (SQLite)
UPDATE keyward_credential_states AS k SET lease_until = NULL
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
  AND k.version = ?2 AND k.generation = ?3
  AND (k.lease_until IS NULL OR k.lease_until <= ?4 OR k.lease_until > ?5)
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: reseal, secrets (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = pg_catalog.convert_to($2::text, 'UTF8'::name),
    oauth_refresh_token_encrypted = pg_catalog.convert_to($3::text, 'UTF8'::name),
    oauth_dpop_private_key_encrypted = pg_catalog.convert_to($4::text, 'UTF8'::name)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: reseal, secrets (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = CAST(?2 AS BLOB), oauth_refresh_token_encrypted = CAST(?3 AS BLOB),
    oauth_dpop_private_key_encrypted = CAST(?4 AS BLOB)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: put, state (PostgreSQL)
INSERT INTO keyward.credential_states AS k (
    owner, pair, subject, client_id, client_key_id, revocation_endpoint, scopes, session_id, session_started_at,
    session_ends_at, refreshed_at, version, generation)
SELECT $1::text, ''::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::timestamp,
       $11::timestamp, $12::timestamp, $13::bigint, $13::bigint
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND ($2::bigint = 2::bigint
       OR $2::bigint = 0::bigint AND (pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0) IS NOT TRUE
       OR $2::bigint = 1::bigint AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND s.generation = $3::bigint)
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1::bigint, generation = k.generation + 1::bigint
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: put, state (SQLite)
INSERT INTO keyward_credential_states AS k (
    owner, pair, subject, client_id, client_key_id, revocation_endpoint, scopes, session_id, session_started_at,
    session_ends_at, refreshed_at, version, generation)
SELECT ?1, '', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY
  AND (?2 = 2 OR ?2 = 0 AND (length(a.oauth_access_token_encrypted) > 0) IS NOT TRUE OR ?2 = 1 AND length(a.oauth_access_token_encrypted) > 0 AND s.generation = ?3)
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1, generation = k.generation + 1
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: put, secrets (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = pg_catalog.convert_to($2::text, 'UTF8'::name),
    oauth_refresh_token_encrypted = pg_catalog.convert_to($3::text, 'UTF8'::name),
    oauth_dpop_private_key_encrypted = pg_catalog.convert_to($4::text, 'UTF8'::name),
    oauth_token_expires_at = $5::timestamp AT TIME ZONE 'UTC', oauth_pds_url = $6::text,
    oauth_auth_server_iss = $7::text, oauth_auth_server_token_endpoint = $8::text,
    oauth_dpop_authserver_nonce = $9::text, oauth_dpop_pds_nonce = $10::text
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: put, secrets (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = CAST(?2 AS BLOB), oauth_refresh_token_encrypted = CAST(?3 AS BLOB),
    oauth_dpop_private_key_encrypted = CAST(?4 AS BLOB),
    oauth_token_expires_at = ?5, oauth_pds_url = ?6, oauth_auth_server_iss = ?7,
    oauth_auth_server_token_endpoint = ?8, oauth_dpop_authserver_nonce = ?9, oauth_dpop_pds_nonce = ?10
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: settle (PostgreSQL)
UPDATE keyward.credential_states k SET pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND a.oauth_access_token_encrypted IS NOT DISTINCT FROM pg_catalog.convert_to($2::text, 'UTF8'::name)
  AND a.oauth_refresh_token_encrypted IS NOT DISTINCT FROM pg_catalog.convert_to($3::text, 'UTF8'::name)
  AND ($5::bigint = 0::bigint OR a.oauth_dpop_private_key_encrypted IS NOT DISTINCT FROM pg_catalog.convert_to($4::text, 'UTF8'::name))
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: settle (SQLite)
UPDATE keyward_credential_states AS k SET pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND a.oauth_access_token_encrypted IS CAST(?2 AS BLOB)
  AND a.oauth_refresh_token_encrypted IS CAST(?3 AS BLOB) AND (?5 = 0 OR a.oauth_dpop_private_key_encrypted IS CAST(?4 AS BLOB))
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: lock (PostgreSQL)
SELECT 1 FROM aggregators a WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 FOR NO KEY UPDATE;

-- aggregator_credentials, in bytes being taken over: lock (SQLite)
SELECT 1 FROM aggregators a WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, in bytes being taken over: lock_after_revocation (PostgreSQL)
SELECT 1 FROM aggregators a
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0
  AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NOT NULL
  AND ($2::text IS NULL OR a.api_key_hash::text = $2::text)
  AND ($3::text IS NULL OR a.did::text COLLATE pg_catalog."C" = $3::text)
FOR NO KEY UPDATE;

-- aggregator_credentials, in bytes being taken over: lock_after_revocation (SQLite)
SELECT 1 FROM aggregators a
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0
  AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NOT NULL
  AND (?2 IS NULL OR a.api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR a.did = ?3 COLLATE BINARY);

-- aggregator_credentials, in bytes being taken over: has_generation (PostgreSQL)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) = $2::bigint;

-- aggregator_credentials, in bytes being taken over: has_generation (SQLite)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.generation, coalesce(o.generation + 1, 1)) = ?2;

-- aggregator_credentials, in bytes being taken over: is_usable (PostgreSQL)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.state, 'active'::text) <> 'ended'::text;

-- aggregator_credentials, in bytes being taken over: is_usable (SQLite)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.state, 'active') <> 'ended';

-- aggregator_credentials, in bytes being taken over: clear (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = NULL, oauth_refresh_token_encrypted = NULL, oauth_dpop_private_key_encrypted = NULL,
    oauth_token_expires_at = NULL, oauth_pds_url = NULL, oauth_auth_server_iss = NULL,
    oauth_auth_server_token_endpoint = NULL, oauth_dpop_authserver_nonce = NULL, oauth_dpop_pds_nonce = NULL
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: clear (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = NULL, oauth_refresh_token_encrypted = NULL, oauth_dpop_private_key_encrypted = NULL,
    oauth_token_expires_at = NULL, oauth_pds_url = NULL, oauth_auth_server_iss = NULL,
    oauth_auth_server_token_endpoint = NULL, oauth_dpop_authserver_nonce = NULL, oauth_dpop_pds_nonce = NULL
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: lock_owner (PostgreSQL)
SELECT 1 FROM aggregators a WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text FOR NO KEY UPDATE;

-- aggregator_credentials, in bytes being taken over: lock_owner (SQLite)
SELECT 1 FROM aggregators a WHERE a.did = ?1 COLLATE BINARY;

-- aggregator_credentials, in bytes being taken over: release (PostgreSQL)
UPDATE keyward.credential_states k
SET state = $3::text, state_since = $4::timestamp, end_reason = $5::text, lease_until = NULL,
    version = k.version + 1::bigint
WHERE k.owner = $1::text AND k.version = $2::bigint AND k.lease_until IS NOT NULL
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: release (SQLite)
UPDATE keyward_credential_states AS k
SET state = ?3, state_since = ?4, end_reason = ?5, lease_until = NULL, version = k.version + 1
WHERE k.owner = ?1 AND k.version = ?2 AND k.lease_until IS NOT NULL
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: note_nonces (PostgreSQL)
WITH free AS (
    SELECT a.did::text AS did FROM aggregators a
    WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE aggregators a
SET oauth_dpop_authserver_nonce = coalesce($2::text, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce($3::text, a.oauth_dpop_pds_nonce)
FROM free WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: note_nonces (SQLite)
UPDATE aggregators AS a
SET oauth_dpop_authserver_nonce = coalesce(?2, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce(?3, a.oauth_dpop_pds_nonce)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: forget_state (PostgreSQL)
DELETE FROM keyward.credential_states WHERE owner = $1::text RETURNING 1;

-- aggregator_credentials, in bytes being taken over: forget_state (SQLite)
DELETE FROM keyward_credential_states WHERE owner = ?1 RETURNING 1;

-- aggregator_credentials, in bytes being taken over: key (PostgreSQL)
SELECT 1 FROM encryption_keys k WHERE k.id = 1 AND pg_catalog.octet_length(k.key_data) > 0;

-- aggregator_credentials, in bytes being taken over: key (SQLite)
SELECT 1 FROM encryption_keys k WHERE k.id = 1 AND length(k.key_data) > 0;

-- aggregator_credentials, in bytes being taken over: extension (PostgreSQL)
SELECT n.nspname::text AS schema
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pgcrypto'::name;

-- aggregator_credentials, in bytes being taken over: extension (SQLite)
SELECT NULL AS schema WHERE false;

-- aggregator_credentials, in bytes being taken over: sessions (PostgreSQL)
SELECT 1 WHERE pg_catalog.to_regclass('oauth_sessions'::text) IS NOT NULL;

-- aggregator_credentials, in bytes being taken over: sessions (SQLite)
SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'oauth_sessions';

-- aggregator_credentials, in bytes being taken over: delete_session (PostgreSQL)
DELETE FROM oauth_sessions u
WHERE u.did::text = $1::text AND u.did::text COLLATE pg_catalog."C" = $1::text
  AND u.session_id::text = 'apikey'::text
RETURNING 1;

-- aggregator_credentials, in bytes being taken over: delete_session (SQLite)
DELETE FROM oauth_sessions WHERE did = ?1 COLLATE BINARY AND session_id = 'apikey' RETURNING 1;

-- aggregator_credentials, beside upstream: get (PostgreSQL)
SELECT a.did::text AS owner, (pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation,
       CASE WHEN pg_catalog.substring(a.oauth_access_token_encrypted, 1, 10) = 'keyward.1.'::bytea THEN a.oauth_access_token_encrypted ELSE pgcrypto.pgp_sym_decrypt_bytea(nullif(a.oauth_access_token_encrypted, ''::bytea), (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)) END AS access_token,
       CASE WHEN pg_catalog.substring(a.oauth_refresh_token_encrypted, 1, 10) = 'keyward.1.'::bytea THEN a.oauth_refresh_token_encrypted ELSE pgcrypto.pgp_sym_decrypt_bytea(nullif(a.oauth_refresh_token_encrypted, ''::bytea), (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)) END AS refresh_token,
       CASE WHEN pg_catalog.substring(a.oauth_dpop_private_key_encrypted, 1, 10) = 'keyward.1.'::bytea THEN a.oauth_dpop_private_key_encrypted ELSE pgcrypto.pgp_sym_decrypt_bytea(nullif(a.oauth_dpop_private_key_encrypted, ''::bytea), (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)) END AS dpop_key
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, beside upstream: get (SQLite)
SELECT a.did AS owner, (length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation,
       CASE WHEN length(a.oauth_access_token_encrypted) > 0 THEN a.oauth_access_token_encrypted END AS access_token,
       CASE WHEN length(a.oauth_refresh_token_encrypted) > 0 THEN a.oauth_refresh_token_encrypted END AS refresh_token,
       CASE WHEN length(a.oauth_dpop_private_key_encrypted) > 0 THEN a.oauth_dpop_private_key_encrypted END AS dpop_key
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
|| hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, beside upstream: get, without secrets (PostgreSQL)
SELECT a.did::text AS owner, (pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation,
       NULL AS access_token, NULL AS refresh_token, NULL AS dpop_key
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, beside upstream: get, without secrets (SQLite)
SELECT a.did AS owner, (length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation,
       NULL AS access_token, NULL AS refresh_token, NULL AS dpop_key
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
|| hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, beside upstream: list (PostgreSQL)
SELECT a.did::text AS owner, (pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did::text ELSE s.subject END AS subject,
       coalesce(s.client_id, $2::text) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto'::text) AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey'::text ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active'::text) AS state,
       s.state_since, s.end_reason, s.lease_until,
       coalesce(s.version, o.version + 1::bigint, 1::bigint) AS version,
       coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) AS generation
FROM aggregators a
LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
|| coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0
  AND ($1::text IS NULL OR a.did::text COLLATE pg_catalog."C" > $1::text)
  AND ($3::timestamp IS NULL
       OR pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0 AND coalesce(s.state, 'active'::text) <> 'ended'::text
          AND (a.oauth_token_expires_at IS NULL
               OR a.oauth_token_expires_at <= $3::timestamp AT TIME ZONE 'UTC'))
  AND ($4::text IS NULL OR coalesce(pg_catalog.substring(nullif(a.oauth_access_token_encrypted, ''::bytea), 1, pg_catalog.octet_length($4::text)) <> pg_catalog.convert_to($4::text, 'UTF8'::name), false)
       OR coalesce(pg_catalog.substring(nullif(a.oauth_refresh_token_encrypted, ''::bytea), 1, pg_catalog.octet_length($4::text)) <> pg_catalog.convert_to($4::text, 'UTF8'::name), false) OR coalesce(pg_catalog.substring(nullif(a.oauth_dpop_private_key_encrypted, ''::bytea), 1, pg_catalog.octet_length($4::text)) <> pg_catalog.convert_to($4::text, 'UTF8'::name), false))
ORDER BY a.did::text COLLATE pg_catalog."C" LIMIT $5::bigint;

-- aggregator_credentials, beside upstream: list (SQLite)
SELECT a.did AS owner, (length(a.oauth_refresh_token_encrypted) > 0) IS TRUE AS is_refreshable,
       a.oauth_token_expires_at AS expires_at,
       CASE WHEN s.owner IS NULL THEN a.did ELSE s.subject END AS subject,
       coalesce(s.client_id, ?2) AS client_id, s.client_key_id,
       a.oauth_auth_server_iss AS issuer, a.oauth_auth_server_token_endpoint AS token_endpoint,
       s.revocation_endpoint, a.oauth_pds_url AS resource_server, coalesce(s.scopes, 'atproto') AS scopes,
       CASE WHEN s.owner IS NULL THEN 'apikey' ELSE s.session_id END AS session_id,
       s.session_started_at, s.session_ends_at, s.refreshed_at,
       a.oauth_dpop_authserver_nonce AS authorization_server_nonce,
       a.oauth_dpop_pds_nonce AS resource_server_nonce, coalesce(s.state, 'active') AS state,
       s.state_since, s.end_reason, s.lease_until, coalesce(s.version, o.version + 1, 1) AS version,
       coalesce(s.generation, coalesce(o.generation + 1, 1)) AS generation
FROM aggregators a
LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
|| hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE length(a.oauth_access_token_encrypted) > 0
  AND (?1 IS NULL OR a.did > ?1 COLLATE BINARY)
  AND (?3 IS NULL
       OR length(a.oauth_refresh_token_encrypted) > 0 AND coalesce(s.state, 'active') <> 'ended'
          AND coalesce(strftime('%Y-%m-%d %H:%M:%f', a.oauth_token_expires_at), '')
              <= strftime('%Y-%m-%d %H:%M:%f', ?3))
  AND (?4 IS NULL OR substr(CAST(coalesce(CASE WHEN length(a.oauth_access_token_encrypted) > 0 THEN a.oauth_access_token_encrypted END, ?4) AS TEXT), 1, length(?4)) <> ?4
       OR substr(CAST(coalesce(CASE WHEN length(a.oauth_refresh_token_encrypted) > 0 THEN a.oauth_refresh_token_encrypted END, ?4) AS TEXT), 1, length(?4)) <> ?4 OR substr(CAST(coalesce(CASE WHEN length(a.oauth_dpop_private_key_encrypted) > 0 THEN a.oauth_dpop_private_key_encrypted END, ?4) AS TEXT), 1, length(?4)) <> ?4)
ORDER BY a.did COLLATE BINARY LIMIT ?5;

-- aggregator_credentials, beside upstream: adopt (PostgreSQL)
INSERT INTO keyward.credential_states AS k (owner, pair, subject, client_id, scopes, session_id, version, generation)
SELECT a.did::text, pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), a.did::text, $2::text, 'atproto'::text, 'apikey'::text,
       coalesce(o.version + 1::bigint, 1::bigint), (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND s.owner IS NULL
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1::bigint, generation = excluded.generation
WHERE k.pair <> excluded.pair
RETURNING 1;

-- aggregator_credentials, beside upstream: adopt (SQLite)
INSERT INTO keyward_credential_states AS k (owner, pair, subject, client_id, scopes, session_id, version, generation)
SELECT a.did, hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32)), a.did, ?2, 'atproto', 'apikey', coalesce(o.version + 1, 1), coalesce(o.generation + 1, 1)
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0 AND s.owner IS NULL
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1, generation = excluded.generation
WHERE k.pair <> excluded.pair
RETURNING 1;

-- aggregator_credentials, beside upstream: claim (PostgreSQL)
UPDATE keyward.credential_states k
SET lease_until = $3::timestamp, state = CASE k.state WHEN 'sent'::text THEN 'uncertain'::text ELSE k.state END,
    end_reason = NULL, version = k.version + 1::bigint
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text) AND pg_catalog.octet_length(a.oauth_refresh_token_encrypted) > 0
  AND (k.lease_until IS NULL OR k.lease_until <= $2::timestamp OR k.lease_until > $4::timestamp)
  AND (k.state = 'active'::text OR k.version = $5::bigint AND k.state IN ('sent'::text, 'uncertain'::text))
RETURNING 1;

-- aggregator_credentials, beside upstream: claim (SQLite)
UPDATE keyward_credential_states AS k
SET lease_until = ?3, state = CASE k.state WHEN 'sent' THEN 'uncertain' ELSE k.state END, end_reason = NULL,
    version = k.version + 1
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32)) AND length(a.oauth_refresh_token_encrypted) > 0
  AND (k.lease_until IS NULL OR k.lease_until <= ?2 OR k.lease_until > ?4)
  AND (k.state = 'active' OR k.version = ?5 AND k.state IN ('sent', 'uncertain'))
RETURNING 1;

-- aggregator_credentials, beside upstream: mark (PostgreSQL)
UPDATE keyward.credential_states k SET state = 'sent', state_since = $3::timestamp, lease_until = $5::timestamp
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
  AND k.version = $2::bigint AND k.state IN ('active'::text, 'uncertain'::text) AND k.lease_until > $3::timestamp
  AND k.lease_until <= $4::timestamp
RETURNING 1;

-- aggregator_credentials, beside upstream: mark (SQLite)
UPDATE keyward_credential_states AS k SET state = 'sent', state_since = ?3, lease_until = ?5
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
  AND k.version = ?2 AND k.state IN ('active', 'uncertain') AND k.lease_until > ?3 AND k.lease_until <= ?4
RETURNING 1;

-- aggregator_credentials, beside upstream: save, state (PostgreSQL)
UPDATE keyward.credential_states k SET scopes = coalesce($3::text, k.scopes), refreshed_at = $4::timestamp, state = 'active',
    state_since = NULL, lease_until = NULL, version = k.version + 1::bigint,
    generation = k.generation + 1::bigint
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
  AND k.generation = $2::bigint
RETURNING 1;

-- aggregator_credentials, beside upstream: save, state (SQLite)
UPDATE keyward_credential_states AS k SET scopes = coalesce(?3, k.scopes), refreshed_at = ?4, state = 'active', state_since = NULL,
    lease_until = NULL, version = k.version + 1, generation = k.generation + 1
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
  AND k.generation = ?2
RETURNING 1;

-- aggregator_credentials, beside upstream: save, pair (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = pgcrypto.pgp_sym_encrypt($2::text, (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)),
    oauth_refresh_token_encrypted = pgcrypto.pgp_sym_encrypt($3::text, (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)),
    oauth_token_expires_at = CASE
        WHEN EXISTS (SELECT 1 FROM keyward.credential_states k WHERE k.owner = $1::text AND k.end_reason IS NOT NULL)
        THEN $7::timestamp ELSE $4::timestamp END AT TIME ZONE 'UTC',
    oauth_dpop_authserver_nonce = coalesce($5::text, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce($6::text, a.oauth_dpop_pds_nonce)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, beside upstream: save, pair (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = CAST(?2 AS BLOB), oauth_refresh_token_encrypted = CAST(?3 AS BLOB),
    oauth_token_expires_at = CASE
        WHEN EXISTS (SELECT 1 FROM keyward_credential_states k WHERE k.owner = ?1 AND k.end_reason IS NOT NULL)
        THEN ?7 ELSE ?4 END,
    oauth_dpop_authserver_nonce = coalesce(?5, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce(?6, a.oauth_dpop_pds_nonce)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, beside upstream: reseal, state (PostgreSQL)
UPDATE keyward.credential_states k SET lease_until = NULL
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND k.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
  AND k.version = $2::bigint AND k.generation = $3::bigint
  AND (k.lease_until IS NULL OR k.lease_until <= $4::timestamp OR k.lease_until > $5::timestamp)
RETURNING 1;

-- aggregator_credentials, beside upstream: reseal, state (SQLite)
UPDATE keyward_credential_states AS k SET lease_until = NULL
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND k.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
  AND k.version = ?2 AND k.generation = ?3
  AND (k.lease_until IS NULL OR k.lease_until <= ?4 OR k.lease_until > ?5)
RETURNING 1;

-- aggregator_credentials, beside upstream: reseal, secrets (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = pgcrypto.pgp_sym_encrypt($2::text, (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)),
    oauth_refresh_token_encrypted = pgcrypto.pgp_sym_encrypt($3::text, (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)),
    oauth_dpop_private_key_encrypted = pgcrypto.pgp_sym_encrypt($4::text, (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1))
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, beside upstream: reseal, secrets (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = CAST(?2 AS BLOB), oauth_refresh_token_encrypted = CAST(?3 AS BLOB),
    oauth_dpop_private_key_encrypted = CAST(?4 AS BLOB)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, beside upstream: put, state (PostgreSQL)
INSERT INTO keyward.credential_states AS k (
    owner, pair, subject, client_id, client_key_id, revocation_endpoint, scopes, session_id, session_started_at,
    session_ends_at, refreshed_at, version, generation)
SELECT $1::text, ''::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::timestamp,
       $11::timestamp, $12::timestamp, $13::bigint, $13::bigint
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND ($2::bigint = 2::bigint
       OR $2::bigint = 0::bigint AND (pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0) IS NOT TRUE
       OR $2::bigint = 1::bigint AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND s.generation = $3::bigint)
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1::bigint, generation = k.generation + 1::bigint
RETURNING 1;

-- aggregator_credentials, beside upstream: put, state (SQLite)
INSERT INTO keyward_credential_states AS k (
    owner, pair, subject, client_id, client_key_id, revocation_endpoint, scopes, session_id, session_started_at,
    session_ends_at, refreshed_at, version, generation)
SELECT ?1, '', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY
  AND (?2 = 2 OR ?2 = 0 AND (length(a.oauth_access_token_encrypted) > 0) IS NOT TRUE OR ?2 = 1 AND length(a.oauth_access_token_encrypted) > 0 AND s.generation = ?3)
ON CONFLICT (owner) DO UPDATE
SET pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
    client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
    scopes = excluded.scopes, session_id = excluded.session_id,
    session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
    refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
    lease_until = NULL, version = k.version + 1, generation = k.generation + 1
RETURNING 1;

-- aggregator_credentials, beside upstream: put, secrets (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = pgcrypto.pgp_sym_encrypt($2::text, (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)),
    oauth_refresh_token_encrypted = pgcrypto.pgp_sym_encrypt($3::text, (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)),
    oauth_dpop_private_key_encrypted = pgcrypto.pgp_sym_encrypt($4::text, (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)),
    oauth_token_expires_at = $5::timestamp AT TIME ZONE 'UTC', oauth_pds_url = $6::text,
    oauth_auth_server_iss = $7::text, oauth_auth_server_token_endpoint = $8::text,
    oauth_dpop_authserver_nonce = $9::text, oauth_dpop_pds_nonce = $10::text
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, beside upstream: put, secrets (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = CAST(?2 AS BLOB), oauth_refresh_token_encrypted = CAST(?3 AS BLOB),
    oauth_dpop_private_key_encrypted = CAST(?4 AS BLOB),
    oauth_token_expires_at = ?5, oauth_pds_url = ?6, oauth_auth_server_iss = ?7,
    oauth_auth_server_token_endpoint = ?8, oauth_dpop_authserver_nonce = ?9, oauth_dpop_pds_nonce = ?10
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, beside upstream: settle (PostgreSQL)
UPDATE keyward.credential_states k SET pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
FROM aggregators a
WHERE k.owner = $1::text AND a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
  AND (a.oauth_access_token_encrypted IS NULL) = ($2::text IS NULL) AND CASE WHEN pg_catalog.substring(a.oauth_access_token_encrypted, 1, 10) = 'keyward.1.'::bytea THEN a.oauth_access_token_encrypted ELSE pgcrypto.pgp_sym_decrypt_bytea(nullif(a.oauth_access_token_encrypted, ''::bytea), (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)) END IS NOT DISTINCT FROM pg_catalog.convert_to($2::text, 'UTF8'::name)
  AND (a.oauth_refresh_token_encrypted IS NULL) = ($3::text IS NULL) AND CASE WHEN pg_catalog.substring(a.oauth_refresh_token_encrypted, 1, 10) = 'keyward.1.'::bytea THEN a.oauth_refresh_token_encrypted ELSE pgcrypto.pgp_sym_decrypt_bytea(nullif(a.oauth_refresh_token_encrypted, ''::bytea), (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)) END IS NOT DISTINCT FROM pg_catalog.convert_to($3::text, 'UTF8'::name)
  AND ($5::bigint = 0::bigint OR (a.oauth_dpop_private_key_encrypted IS NULL) = ($4::text IS NULL) AND CASE WHEN pg_catalog.substring(a.oauth_dpop_private_key_encrypted, 1, 10) = 'keyward.1.'::bytea THEN a.oauth_dpop_private_key_encrypted ELSE pgcrypto.pgp_sym_decrypt_bytea(nullif(a.oauth_dpop_private_key_encrypted, ''::bytea), (SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)) END IS NOT DISTINCT FROM pg_catalog.convert_to($4::text, 'UTF8'::name))
RETURNING 1;

-- aggregator_credentials, beside upstream: settle (SQLite)
UPDATE keyward_credential_states AS k SET pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
FROM aggregators a
WHERE k.owner = ?1 AND a.did = ?1 COLLATE BINARY AND a.oauth_access_token_encrypted IS CAST(?2 AS BLOB)
  AND a.oauth_refresh_token_encrypted IS CAST(?3 AS BLOB) AND (?5 = 0 OR a.oauth_dpop_private_key_encrypted IS CAST(?4 AS BLOB))
RETURNING 1;

-- aggregator_credentials, beside upstream: lock (PostgreSQL)
SELECT 1 FROM aggregators a WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 FOR NO KEY UPDATE;

-- aggregator_credentials, beside upstream: lock (SQLite)
SELECT 1 FROM aggregators a WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0;

-- aggregator_credentials, beside upstream: lock_after_revocation (PostgreSQL)
SELECT 1 FROM aggregators a
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0
  AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NOT NULL
  AND ($2::text IS NULL OR a.api_key_hash::text = $2::text)
  AND ($3::text IS NULL OR a.did::text COLLATE pg_catalog."C" = $3::text)
FOR NO KEY UPDATE;

-- aggregator_credentials, beside upstream: lock_after_revocation (SQLite)
SELECT 1 FROM aggregators a
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0
  AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NOT NULL
  AND (?2 IS NULL OR a.api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR a.did = ?3 COLLATE BINARY);

-- aggregator_credentials, beside upstream: has_generation (PostgreSQL)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.generation, (pg_catalog.hashtextextended(pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text), 0::bigint) & 4611686018427387903::bigint) + 1::bigint) = $2::bigint;

-- aggregator_credentials, beside upstream: has_generation (SQLite)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.generation, coalesce(o.generation + 1, 1)) = ?2;

-- aggregator_credentials, beside upstream: is_usable (PostgreSQL)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward.credential_states o ON o.owner = a.did::text COLLATE pg_catalog."C"
    LEFT JOIN keyward.credential_states s ON s.owner = o.owner AND s.pair = pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
    || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text AND pg_catalog.octet_length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.state, 'active'::text) <> 'ended'::text;

-- aggregator_credentials, beside upstream: is_usable (SQLite)
SELECT 1
    FROM aggregators a
    LEFT JOIN keyward_credential_states o ON o.owner = a.did COLLATE BINARY
    LEFT JOIN keyward_credential_states s ON s.owner = o.owner AND s.pair = hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
    || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))
WHERE a.did = ?1 COLLATE BINARY AND length(a.oauth_access_token_encrypted) > 0 AND coalesce(s.state, 'active') <> 'ended';

-- aggregator_credentials, beside upstream: clear (PostgreSQL)
UPDATE aggregators a
SET oauth_access_token_encrypted = NULL, oauth_refresh_token_encrypted = NULL, oauth_dpop_private_key_encrypted = NULL,
    oauth_token_expires_at = NULL, oauth_pds_url = NULL, oauth_auth_server_iss = NULL,
    oauth_auth_server_token_endpoint = NULL, oauth_dpop_authserver_nonce = NULL, oauth_dpop_pds_nonce = NULL
WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, beside upstream: clear (SQLite)
UPDATE aggregators AS a
SET oauth_access_token_encrypted = NULL, oauth_refresh_token_encrypted = NULL, oauth_dpop_private_key_encrypted = NULL,
    oauth_token_expires_at = NULL, oauth_pds_url = NULL, oauth_auth_server_iss = NULL,
    oauth_auth_server_token_endpoint = NULL, oauth_dpop_authserver_nonce = NULL, oauth_dpop_pds_nonce = NULL
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, beside upstream: lock_owner (PostgreSQL)
SELECT 1 FROM aggregators a WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text FOR NO KEY UPDATE;

-- aggregator_credentials, beside upstream: lock_owner (SQLite)
SELECT 1 FROM aggregators a WHERE a.did = ?1 COLLATE BINARY;

-- aggregator_credentials, beside upstream: release (PostgreSQL)
UPDATE keyward.credential_states k
SET state = $3::text, state_since = $4::timestamp, end_reason = $5::text, lease_until = NULL,
    version = k.version + 1::bigint
WHERE k.owner = $1::text AND k.version = $2::bigint AND k.lease_until IS NOT NULL
RETURNING 1;

-- aggregator_credentials, beside upstream: release (SQLite)
UPDATE keyward_credential_states AS k
SET state = ?3, state_since = ?4, end_reason = ?5, lease_until = NULL, version = k.version + 1
WHERE k.owner = ?1 AND k.version = ?2 AND k.lease_until IS NOT NULL
RETURNING 1;

-- aggregator_credentials, beside upstream: note_nonces (PostgreSQL)
WITH free AS (
    SELECT a.did::text AS did FROM aggregators a
    WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE aggregators a
SET oauth_dpop_authserver_nonce = coalesce($2::text, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce($3::text, a.oauth_dpop_pds_nonce)
FROM free WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog."C" = $1::text
RETURNING 1;

-- aggregator_credentials, beside upstream: note_nonces (SQLite)
UPDATE aggregators AS a
SET oauth_dpop_authserver_nonce = coalesce(?2, a.oauth_dpop_authserver_nonce),
    oauth_dpop_pds_nonce = coalesce(?3, a.oauth_dpop_pds_nonce)
WHERE a.did = ?1 COLLATE BINARY
RETURNING 1;

-- aggregator_credentials, beside upstream: forget_state (PostgreSQL)
DELETE FROM keyward.credential_states WHERE owner = $1::text RETURNING 1;

-- aggregator_credentials, beside upstream: forget_state (SQLite)
DELETE FROM keyward_credential_states WHERE owner = ?1 RETURNING 1;

-- aggregator_credentials, beside upstream: key (PostgreSQL)
SELECT 1 FROM encryption_keys k WHERE k.id = 1 AND pg_catalog.octet_length(k.key_data) > 0;

-- aggregator_credentials, beside upstream: key (SQLite)
SELECT 1 FROM encryption_keys k WHERE k.id = 1 AND length(k.key_data) > 0;

-- aggregator_credentials, beside upstream: extension (PostgreSQL)
SELECT n.nspname::text AS schema
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pgcrypto'::name;

-- aggregator_credentials, beside upstream: extension (SQLite)
SELECT NULL AS schema WHERE false;

-- aggregator_credentials, beside upstream: put, session (PostgreSQL)
INSERT INTO oauth_sessions AS u (
    did, session_id, handle, pds_url, host_url, access_token, refresh_token, dpop_private_key_multibase,
    auth_server_iss, auth_server_token_endpoint, auth_server_revocation_endpoint, scopes, dpop_authserver_nonce,
    dpop_pds_nonce, expires_at)
VALUES ($1::text, 'apikey', $1::text, $5::text, $5::text, $2::text, $3::text, $4::text, $6::text, $7::text,
        $8::text, pg_catalog.string_to_array(nullif($9::text, ''::text), ' '::text), $10::text, $11::text,
        $12::timestamp AT TIME ZONE 'UTC')
ON CONFLICT (did, session_id) DO UPDATE
SET pds_url = excluded.pds_url, host_url = excluded.host_url, access_token = excluded.access_token,
    refresh_token = excluded.refresh_token, dpop_private_key_multibase = excluded.dpop_private_key_multibase,
    auth_server_iss = excluded.auth_server_iss,
    auth_server_token_endpoint = excluded.auth_server_token_endpoint,
    auth_server_revocation_endpoint = excluded.auth_server_revocation_endpoint, scopes = excluded.scopes,
    dpop_authserver_nonce = excluded.dpop_authserver_nonce, dpop_pds_nonce = excluded.dpop_pds_nonce,
    expires_at = excluded.expires_at
RETURNING 1;

-- aggregator_credentials, beside upstream: put, session (SQLite)
SELECT 1 WHERE false;

-- aggregator_credentials, beside upstream: save, session (PostgreSQL)
UPDATE oauth_sessions u
SET access_token = $2::text, refresh_token = $3::text,
    dpop_authserver_nonce = coalesce($4::text, u.dpop_authserver_nonce),
    dpop_pds_nonce = coalesce($5::text, u.dpop_pds_nonce),
    expires_at = greatest(u.expires_at, $6::timestamp AT TIME ZONE 'UTC')
WHERE u.did::text = $1::text AND u.did::text COLLATE pg_catalog."C" = $1::text
  AND u.session_id::text = 'apikey'::text
RETURNING 1;

-- aggregator_credentials, beside upstream: save, session (SQLite)
SELECT 1 WHERE false;

-- aggregator_credentials, beside upstream: sessions (PostgreSQL)
SELECT 1 WHERE pg_catalog.to_regclass('oauth_sessions'::text) IS NOT NULL;

-- aggregator_credentials, beside upstream: sessions (SQLite)
SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'oauth_sessions';

-- aggregator_credentials, beside upstream: delete_session (PostgreSQL)
DELETE FROM oauth_sessions u
WHERE u.did::text = $1::text AND u.did::text COLLATE pg_catalog."C" = $1::text
  AND u.session_id::text = 'apikey'::text
RETURNING 1;

-- aggregator_credentials, beside upstream: delete_session (SQLite)
DELETE FROM oauth_sessions WHERE did = ?1 COLLATE BINARY AND session_id = 'apikey' RETURNING 1;
