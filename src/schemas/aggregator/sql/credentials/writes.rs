//! The statements that write secrets to the host's row, in both dialects, and those that see to what stands there then.

/// What may stand there before: `$2` is 0 for nothing, 1 for the pair of the generation `$3`, 2 for anything. Into the side
/// table: `$1` owner, `$4` subject, `$5` client, `$6` its key, `$7` revocation endpoint, `$8` scopes, `$9` session, `$10` when
/// it began and `$11` when it ends, `$12` when, `$13` the version and generation where nothing stands. Behind [`adopt!`], and followed by [`settle!`].
macro_rules! put_state {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        INSERT INTO keyward.credential_states AS k (
            owner, pair, subject, client_id, client_key_id, revocation_endpoint, scopes, session_id, session_started_at,
            session_ends_at, refreshed_at, version, generation)
        SELECT $1::text, ''::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::timestamp,
               $11::timestamp, $12::timestamp, $13::bigint, $13::bigint",
                from_on_postgres!($form),
                "
        WHERE ",
                row_on_postgres!(),
                "
          AND ($2::bigint = 2::bigint
               OR $2::bigint = 0::bigint AND (",
                $form!(postgres has access),
                ") IS NOT TRUE
               OR $2::bigint = 1::bigint AND ",
                $form!(postgres has access),
                " AND s.generation = $3::bigint)
        ON CONFLICT (owner) DO UPDATE
        SET ",
                take_excluded!(),
                ", version = k.version + 1::bigint, generation = k.generation + 1::bigint
        RETURNING 1"
            ),
            sqlite: concat!(
                "
        INSERT INTO keyward_credential_states AS k (
            owner, pair, subject, client_id, client_key_id, revocation_endpoint, scopes, session_id, session_started_at,
            session_ends_at, refreshed_at, version, generation)
        SELECT ?1, '', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13",
                from_on_sqlite!($form),
                "
        WHERE ",
                row_on_sqlite!(),
                "
          AND (?2 = 2 OR ?2 = 0 AND (",
                $form!(sqlite has access),
                ") IS NOT TRUE OR ?2 = 1 AND ",
                $form!(sqlite has access),
                " AND s.generation = ?3)
        ON CONFLICT (owner) DO UPDATE
        SET ",
                take_excluded!(),
                ", version = k.version + 1, generation = k.generation + 1
        RETURNING 1"
            ),
        }
    };
}

/// `$1` owner, `$2` access token, `$3` refresh token, `$4` DPoP key, `$5` expiry, `$6` resource server, `$7` issuer, `$8` token
/// endpoint, `$9` and `$10` nonces.
macro_rules! put_secrets {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        UPDATE aggregators a
        SET ", $form!(name access), " = ", $form!(postgres put "$2"), ",
            ", $form!(name refresh), " = ", $form!(postgres put "$3"), ",
            ", $form!(name key), " = ", $form!(postgres put "$4"), ",
            oauth_token_expires_at = $5::timestamp AT TIME ZONE 'UTC', oauth_pds_url = $6::text,
            oauth_auth_server_iss = $7::text, oauth_auth_server_token_endpoint = $8::text,
            oauth_dpop_authserver_nonce = $9::text, oauth_dpop_pds_nonce = $10::text
        WHERE ", row_on_postgres!(), "
        RETURNING 1"
            ),
            sqlite: concat!(
                "
        UPDATE aggregators AS a
        SET ", $form!(name access), " = ", $form!(sqlite put "?2"), ", ",
                $form!(name refresh), " = ", $form!(sqlite put "?3"), ",
            ", $form!(name key), " = ", $form!(sqlite put "?4"), ",
            oauth_token_expires_at = ?5, oauth_pds_url = ?6, oauth_auth_server_iss = ?7,
            oauth_auth_server_token_endpoint = ?8, oauth_dpop_authserver_nonce = ?9, oauth_dpop_pds_nonce = ?10
        WHERE ", row_on_sqlite!(), "
        RETURNING 1"
            ),
        }
    };
}

/// `$1` owner, `$2` access token, `$3` refresh token, `$4` expiry, `$5` and `$6` nonces or NULL, `$7` when. Over a session that
/// has ended meanwhile the access token counts as expired.
macro_rules! save_pair {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        UPDATE aggregators a
        SET ", $form!(name access), " = ", $form!(postgres put "$2"), ",
            ", $form!(name refresh), " = ", $form!(postgres put "$3"), ",
            oauth_token_expires_at = CASE
                WHEN EXISTS (SELECT 1 FROM keyward.credential_states k WHERE k.owner = $1::text AND k.end_reason IS NOT NULL)
                THEN $7::timestamp ELSE $4::timestamp END AT TIME ZONE 'UTC',
            oauth_dpop_authserver_nonce = coalesce($5::text, a.oauth_dpop_authserver_nonce),
            oauth_dpop_pds_nonce = coalesce($6::text, a.oauth_dpop_pds_nonce)
        WHERE ", row_on_postgres!(), "
        RETURNING 1"
            ),
            sqlite: concat!(
                "
        UPDATE aggregators AS a
        SET ", $form!(name access), " = ", $form!(sqlite put "?2"), ", ",
                $form!(name refresh), " = ", $form!(sqlite put "?3"), ",
            oauth_token_expires_at = CASE
                WHEN EXISTS (SELECT 1 FROM keyward_credential_states k WHERE k.owner = ?1 AND k.end_reason IS NOT NULL)
                THEN ?7 ELSE ?4 END,
            oauth_dpop_authserver_nonce = coalesce(?5, a.oauth_dpop_authserver_nonce),
            oauth_dpop_pds_nonce = coalesce(?6, a.oauth_dpop_pds_nonce)
        WHERE ", row_on_sqlite!(), "
        RETURNING 1"
            ),
        }
    };
}

/// `$1` owner, `$2` access token, `$3` refresh token, `$4` DPoP key.
macro_rules! reseal_secrets {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        UPDATE aggregators a
        SET ", $form!(name access), " = ", $form!(postgres put "$2"), ",
            ", $form!(name refresh), " = ", $form!(postgres put "$3"), ",
            ", $form!(name key), " = ", $form!(postgres put "$4"), "
        WHERE ", row_on_postgres!(), "
        RETURNING 1"
            ),
            sqlite: concat!(
                "
        UPDATE aggregators AS a
        SET ", $form!(name access), " = ", $form!(sqlite put "?2"), ", ",
                $form!(name refresh), " = ", $form!(sqlite put "?3"), ",
            ", $form!(name key), " = ", $form!(sqlite put "?4"), "
        WHERE ", row_on_sqlite!(), "
        RETURNING 1"
            ),
        }
    };
}

/// The side table's row is about what stands in the host's row now, if that is what was written: `$1` owner, `$2` access
/// token, `$3` refresh token, `$4` DPoP key, `$5` 1 if that was written too.
macro_rules! settle {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        UPDATE keyward.credential_states k SET pair = ", $form!(postgres pair), "
        FROM aggregators a
        WHERE k.owner = $1::text AND ", row_on_postgres!(), "
          AND ", $form!(postgres stands access "$2"), "
          AND ", $form!(postgres stands refresh "$3"), "
          AND ($5::bigint = 0::bigint OR ", $form!(postgres stands key "$4"), ")
        RETURNING 1"
            ),
            sqlite: concat!(
                "
        UPDATE keyward_credential_states AS k SET pair = ", $form!(sqlite pair), "
        FROM aggregators a
        WHERE k.owner = ?1 AND ", row_on_sqlite!(), " AND ", $form!(sqlite stands access "?2"), "
          AND ", $form!(sqlite stands refresh "?3"), " AND (?5 = 0 OR ", $form!(sqlite stands key "?4"), ")
        RETURNING 1"
            ),
        }
    };
}

/// Takes everything of a credential out of the host's row: `$1` owner.
macro_rules! clear {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        UPDATE aggregators a
        SET ", $form!(name access), " = NULL, ", $form!(name refresh), " = NULL, ", $form!(name key), " = NULL,
            oauth_token_expires_at = NULL, oauth_pds_url = NULL, oauth_auth_server_iss = NULL,
            oauth_auth_server_token_endpoint = NULL, oauth_dpop_authserver_nonce = NULL, oauth_dpop_pds_nonce = NULL
        WHERE ", row_on_postgres!(), "
        RETURNING 1"
            ),
            sqlite: concat!(
                "
        UPDATE aggregators AS a
        SET ", $form!(name access), " = NULL, ", $form!(name refresh), " = NULL, ", $form!(name key), " = NULL,
            oauth_token_expires_at = NULL, oauth_pds_url = NULL, oauth_auth_server_iss = NULL,
            oauth_auth_server_token_endpoint = NULL, oauth_dpop_authserver_nonce = NULL, oauth_dpop_pds_nonce = NULL
        WHERE ", row_on_sqlite!(), "
        RETURNING 1"
            ),
        }
    };
}
