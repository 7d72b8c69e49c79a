//! The changes of credentials whose texts depend on the form of the columns, in both dialects.
//!
//! What takes more than one statement locks the host's row first, which is the order in which keys are changed too. Claims
//! and marks write to the side table alone: they wait for nobody who holds the host's row.

/// The other columns of a row of the side table.
macro_rules! take_excluded {
    () => {
        "pair = excluded.pair, subject = excluded.subject, client_id = excluded.client_id,
            client_key_id = excluded.client_key_id, revocation_endpoint = excluded.revocation_endpoint,
            scopes = excluded.scopes, session_id = excluded.session_id,
            session_started_at = excluded.session_started_at, session_ends_at = excluded.session_ends_at,
            refreshed_at = excluded.refreshed_at, state = 'active', state_since = NULL, end_reason = NULL,
            lease_until = NULL"
    };
}

/// A row of the side table for a pair that somebody else has stored, with what [`get!`] says of one: `$1` owner, `$2` the
/// client.
macro_rules! adopt {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        INSERT INTO keyward.credential_states AS k (owner, pair, subject, client_id, scopes, session_id, version, generation)
        SELECT a.did::text, ",
                $form!(postgres pair),
                ", a.did::text, $2::text, 'atproto'::text, 'apikey'::text,
               coalesce(o.version + 1::bigint, 1::bigint), ",
                number_on_postgres!($form),
                from_on_postgres!($form),
                "
        WHERE ",
                row_on_postgres!(),
                " AND ",
                $form!(postgres has access),
                " AND s.owner IS NULL
        ON CONFLICT (owner) DO UPDATE
        SET ",
                take_excluded!(),
                ", version = k.version + 1::bigint, generation = excluded.generation
        WHERE k.pair <> excluded.pair
        RETURNING 1"
            ),
            sqlite: concat!(
                "
        INSERT INTO keyward_credential_states AS k (owner, pair, subject, client_id, scopes, session_id, version, generation)
        SELECT a.did, ",
                $form!(sqlite pair),
                ", a.did, ?2, 'atproto', 'apikey', coalesce(o.version + 1, 1), ",
                number_on_sqlite!(),
                from_on_sqlite!($form),
                "
        WHERE ",
                row_on_sqlite!(),
                " AND ",
                $form!(sqlite has access),
                " AND s.owner IS NULL
        ON CONFLICT (owner) DO UPDATE
        SET ",
                take_excluded!(),
                ", version = k.version + 1, generation = excluded.generation
        WHERE k.pair <> excluded.pair
        RETURNING 1"
            ),
        }
    };
}

/// A change of the side table's row `k`, if it is about the pair that stands in the host's row: `$1` owner, and whatever the
/// change and its further condition name.
macro_rules! change_state {
    ($form:ident, postgres: $set:literal where $condition:literal, sqlite: $sqlite_set:literal where $sqlite_condition:literal) => {
        Sql {
            postgres: concat!(
                "
        UPDATE keyward.credential_states k SET ",
                $set,
                "
        FROM aggregators a
        WHERE k.owner = $1::text AND ",
                row_on_postgres!(),
                " AND k.pair = ",
                $form!(postgres pair),
                "
          AND ",
                $condition,
                "
        RETURNING 1"
            ),
            sqlite: concat!(
                "
        UPDATE keyward_credential_states AS k SET ",
                $sqlite_set,
                "
        FROM aggregators a
        WHERE k.owner = ?1 AND ",
                row_on_sqlite!(),
                " AND k.pair = ",
                $form!(sqlite pair),
                "
          AND ",
                $sqlite_condition,
                "
        RETURNING 1"
            ),
        }
    };
}

/// `$1` owner, `$2` when, `$3` until when, `$4` the latest end of a lease that is believed, `$5` the version of which it was
/// decided to send the refresh token once more, or NULL. Behind [`adopt!`].
macro_rules! claim {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        UPDATE keyward.credential_states k
        SET lease_until = $3::timestamp, state = CASE k.state WHEN 'sent'::text THEN 'uncertain'::text ELSE k.state END,
            end_reason = NULL, version = k.version + 1::bigint
        FROM aggregators a
        WHERE k.owner = $1::text AND ",
                row_on_postgres!(),
                " AND k.pair = ",
                $form!(postgres pair),
                " AND ",
                $form!(postgres has refresh),
                "
          AND (k.lease_until IS NULL OR k.lease_until <= $2::timestamp OR k.lease_until > $4::timestamp)
          AND (k.state = 'active'::text OR k.version = $5::bigint AND k.state IN ('sent'::text, 'uncertain'::text))
        RETURNING 1"
            ),
            sqlite: concat!(
                "
        UPDATE keyward_credential_states AS k
        SET lease_until = ?3, state = CASE k.state WHEN 'sent' THEN 'uncertain' ELSE k.state END, end_reason = NULL,
            version = k.version + 1
        FROM aggregators a
        WHERE k.owner = ?1 AND ",
                row_on_sqlite!(),
                " AND k.pair = ",
                $form!(sqlite pair),
                " AND ",
                $form!(sqlite has refresh),
                "
          AND (k.lease_until IS NULL OR k.lease_until <= ?2 OR k.lease_until > ?4)
          AND (k.state = 'active' OR k.version = ?5 AND k.state IN ('sent', 'uncertain'))
        RETURNING 1"
            ),
        }
    };
}

/// The host's row, locked, if there is a credential in it: `$1` owner.
macro_rules! lock {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        SELECT 1 FROM aggregators a WHERE ",
                row_on_postgres!(),
                " AND ",
                $form!(postgres has access),
                " FOR NO KEY UPDATE"
            ),
            sqlite: concat!("SELECT 1 FROM aggregators a WHERE ", row_on_sqlite!(), " AND ", $form!(sqlite has access)),
        }
    };
}

/// As [`lock!`], if the key that was seen has been revoked: `$2` its digest or NULL, `$3` whose it has to be or NULL.
macro_rules! lock_after_revocation {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        SELECT 1 FROM aggregators a
        WHERE ",
                row_on_postgres!(),
                " AND ",
                $form!(postgres has access),
                "
          AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NOT NULL
          AND ($2::text IS NULL OR a.api_key_hash::text = $2::text)
          AND ($3::text IS NULL OR a.did::text COLLATE pg_catalog.\"C\" = $3::text)
        FOR NO KEY UPDATE"
            ),
            sqlite: concat!(
                "
        SELECT 1 FROM aggregators a
        WHERE ",
                row_on_sqlite!(),
                " AND ",
                $form!(sqlite has access),
                "
          AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NOT NULL
          AND (?2 IS NULL OR a.api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR a.did = ?3 COLLATE BINARY)"
            ),
        }
    };
}

/// `$1` owner, `$2` the generation that nonces came with.
macro_rules! has_generation {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        SELECT 1",
                from_on_postgres!($form),
                "
        WHERE ",
                row_on_postgres!(),
                " AND ",
                $form!(postgres has access),
                " AND coalesce(s.generation, ",
                number_on_postgres!($form),
                ") = $2::bigint"
            ),
            sqlite: concat!(
                "
        SELECT 1",
                from_on_sqlite!($form),
                "
        WHERE ",
                row_on_sqlite!(),
                " AND ",
                $form!(sqlite has access),
                " AND coalesce(s.generation, ",
                number_on_sqlite!(),
                ") = ?2"
            ),
        }
    };
}

/// Whether a key can stand on the credential: `$1` owner.
macro_rules! is_usable {
    ($form:ident) => {
        Sql {
            postgres: concat!(
                "
        SELECT 1",
                from_on_postgres!($form),
                "
        WHERE ",
                row_on_postgres!(),
                " AND ",
                $form!(postgres has access),
                " AND coalesce(s.state, 'active'::text) <> 'ended'::text"
            ),
            sqlite: concat!(
                "
        SELECT 1",
                from_on_sqlite!($form),
                "
        WHERE ",
                row_on_sqlite!(),
                " AND ",
                $form!(sqlite has access),
                " AND coalesce(s.state, 'active') <> 'ended'"
            ),
        }
    };
}
