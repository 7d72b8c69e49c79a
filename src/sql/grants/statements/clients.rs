//! Clients in both dialects.

use crate::sql::engine::{Query, Sql};
use crate::sql::grants::client::ClientColumn;

/// `$1` the identifier.
pub(in crate::sql::grants) static CLIENT: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.client_id, k.client_secret, k.redirect_uris, k.metadata_json, k.created_at, k.last_used
            FROM clients k
            WHERE k.client_id::text = $1::text",
        sqlite: "
            SELECT k.client_id, k.client_secret, k.redirect_uris, k.metadata_json, k.created_at, k.last_used
            FROM clients k
            WHERE k.client_id = ?1",
    },
    ClientColumn::NAMES,
);

/// `$1` the last one of the page before or NULL, `$2` how many.
pub(in crate::sql::grants) static CLIENTS: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.client_id, k.client_secret, k.redirect_uris, k.metadata_json, k.created_at, k.last_used
            FROM clients k
            WHERE k.client_id IS NOT NULL AND ($1::text IS NULL OR k.client_id::text COLLATE pg_catalog.\"C\" > $1::text)
            ORDER BY k.client_id::text COLLATE pg_catalog.\"C\" LIMIT $2::bigint",
        sqlite: "
            SELECT k.client_id, k.client_secret, k.redirect_uris, k.metadata_json, k.created_at, k.last_used
            FROM clients k
            WHERE k.client_id >= coalesce(?1, '') AND (?1 IS NULL OR k.client_id > ?1)
            ORDER BY k.client_id LIMIT ?2",
    },
    ClientColumn::NAMES,
);

/// `$1` the identifier, `$2` the mark and digest of the secret or NULL, `$3` the redirect URIs as JSON, `$4` the
/// metadata as JSON or NULL, `$5` when, `$6` the last use or NULL.
pub(in crate::sql::grants) const REGISTER: Sql = Sql {
    postgres: "
        INSERT INTO clients (client_id, client_secret, redirect_uris, metadata_json, created_at, last_used)
        VALUES ($1::text, $2::text, $3::text, $4::text, $5::bigint, $6::bigint)
        RETURNING 1",
    sqlite: "
        INSERT INTO clients (client_id, client_secret, redirect_uris, metadata_json, created_at, last_used)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        RETURNING 1",
};

/// `$1` the identifier, `$2` the redirect URIs as JSON, `$3` the metadata as JSON.
pub(in crate::sql::grants) const UPDATE_CLIENT: Sql = Sql {
    postgres: "
        UPDATE clients SET redirect_uris = $2::text, metadata_json = $3::text
        WHERE client_id::text = $1::text
        RETURNING 1",
    sqlite: "
        UPDATE clients SET redirect_uris = ?2, metadata_json = ?3
        WHERE client_id = ?1
        RETURNING 1",
};

/// As [`UPDATE_CLIENT`]: a trigger may have kept what was there.
pub(in crate::sql::grants) const CLIENT_SAYS: Sql = Sql {
    postgres: "
        SELECT 1 FROM clients
        WHERE client_id::text = $1::text AND redirect_uris::text = $2::text AND metadata_json::text = $3::text",
    sqlite: "
        SELECT 1 FROM clients WHERE client_id = ?1 AND redirect_uris = ?2 AND metadata_json = ?3",
};

/// `$1` the identifier, `$2` when. A row that somebody holds is passed over: the next use is noted again.
pub(in crate::sql::grants) const NOTE_CLIENT_USE: Sql = Sql {
    postgres: "
        UPDATE clients SET last_used = $2::bigint
        WHERE client_id::text = ANY (ARRAY(SELECT k.client_id::text FROM clients k
                                  WHERE k.client_id::text = $1::text AND (k.last_used IS NULL OR k.last_used < $2::bigint)
                                  FOR NO KEY UPDATE SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE clients SET last_used = ?2
        WHERE client_id = ?1 AND (last_used IS NULL OR last_used < ?2 OR typeof(last_used) <> 'integer')
        RETURNING 1",
};

/// `$1` the identifier. It is held first of all, so that whoever removes it waits with everything else.
pub(in crate::sql::grants) const HOLD_CLIENT: Sql = Sql {
    postgres: "
        SELECT 1 FROM clients WHERE client_id::text = $1::text FOR KEY SHARE",
    sqlite: "
        SELECT 1 FROM clients WHERE client_id = ?1",
};

/// `$1` the identifier, `$2` the mark and digest of the secret or NULL, `$3` when it was registered.
pub(in crate::sql::grants) const HOLD_CLIENT_TO_UPDATE: Sql = Sql {
    postgres: "
        SELECT 1 FROM clients
        WHERE client_id::text = $1::text AND client_secret::text IS NOT DISTINCT FROM $2::text AND created_at = $3::bigint
        FOR NO KEY UPDATE",
    sqlite: "
        SELECT 1 FROM clients WHERE client_id = ?1 AND client_secret IS ?2 AND created_at = ?3",
};

/// `$1` the identifier.
pub(in crate::sql::grants) const HOLD_CLIENT_TO_REMOVE: Sql = Sql {
    postgres: "
        SELECT 1 FROM clients WHERE client_id::text = $1::text FOR UPDATE",
    sqlite: "
        SELECT 1 FROM clients WHERE client_id = ?1",
};

/// `$1` the client, `$2` when, `$3` why.
pub(in crate::sql::grants) const REVOKE_OF_CLIENT: Sql = Sql {
    postgres: "
        UPDATE keyward.grants SET revoked_at = $2::bigint, revoked_reason = $3::text
        WHERE id = ANY (ARRAY(SELECT g.id FROM keyward.grants g
                     WHERE g.client_id = $1::text AND g.revoked_at IS NULL ORDER BY g.id FOR NO KEY UPDATE))
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grants SET revoked_at = ?2, revoked_reason = ?3
        WHERE id IN (SELECT g.id FROM keyward_grants g
                     WHERE g.client_id = ?1 AND g.revoked_at IS NULL ORDER BY g.id)
        RETURNING 1",
};

/// `$1` the identifier. Its rows in the other tables of the host's go with it.
pub(in crate::sql::grants) const REMOVE_CLIENT: Sql = Sql {
    postgres: "
        DELETE FROM clients WHERE client_id::text = $1::text RETURNING 1",
    sqlite: "
        DELETE FROM clients WHERE client_id = ?1 RETURNING 1",
};

/// `$1` the identifier.
pub(in crate::sql::grants) static CLIENT_IS_THERE: Query = Query::new(
    Sql {
        postgres: "
            SELECT 1 FROM clients WHERE client_id::text = $1::text",
        sqlite: "
            SELECT 1 FROM clients WHERE client_id = ?1",
    },
    &[],
);

/// Every statement here, by its name.
pub(super) fn all() -> Vec<(&'static str, Sql)> {
    vec![
        ("client", CLIENT.sql()),
        ("clients", CLIENTS.sql()),
        ("register", REGISTER),
        ("update_client", UPDATE_CLIENT),
        ("client_says", CLIENT_SAYS),
        ("note_client_use", NOTE_CLIENT_USE),
        ("hold_client", HOLD_CLIENT),
        ("hold_client_to_update", HOLD_CLIENT_TO_UPDATE),
        ("hold_client_to_remove", HOLD_CLIENT_TO_REMOVE),
        ("revoke_of_client", REVOKE_OF_CLIENT),
        ("remove_client", REMOVE_CLIENT),
        ("client_is_there", CLIENT_IS_THERE.sql()),
    ]
}
