//! Every statement on credentials in the host's table: a set for each form of its columns, and those that are the same in
//! all of them.

use crate::sql::credentials::row::{Column, HEAD_COLUMNS};
use crate::sql::engine::{Query, Sql};

/// The statements of one form.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) get: Query,
    pub(super) get_undecrypted: Query,
    pub(super) list: Query,
    pub(super) adopt: Sql,
    pub(super) claim: Sql,
    pub(super) mark: Sql,
    pub(super) save_state: Sql,
    pub(super) reseal_state: Sql,
    pub(super) lock: Sql,
    pub(super) lock_after_revocation: Sql,
    pub(super) has_generation: Sql,
    pub(super) is_usable: Sql,
    pub(super) put_state: Sql,
    pub(super) put_secrets: Sql,
    pub(super) save_pair: Sql,
    pub(super) reseal_secrets: Sql,
    pub(super) settle: Sql,
    pub(super) clear: Sql,
}

macro_rules! statements {
    ($form:ident) => {
        Statements {
            get: get!($form),
            get_undecrypted: get_undecrypted!($form),
            list: list!($form),
            adopt: adopt!($form),
            claim: claim!($form),
            // `$2` the version of the lease, `$3` when, `$4` the latest end of a lease that is believed, `$5` until when it goes
            // from now on.
            mark: change_state!(
                $form,
                postgres: "state = 'sent', state_since = $3::timestamp, lease_until = $5::timestamp"
                    where "k.version = $2::bigint AND k.state IN ('active'::text, 'uncertain'::text) AND k.lease_until > $3::timestamp
          AND k.lease_until <= $4::timestamp",
                sqlite: "state = 'sent', state_since = ?3, lease_until = ?5"
                    where "k.version = ?2 AND k.state IN ('active', 'uncertain') AND k.lease_until > ?3 AND k.lease_until <= ?4"
            ),
            // `$2` the generation that the pair was bought with, `$3` scopes or NULL, `$4` when. Why the session has ended, if it
            // has, stays for [`save_pair!`] to see.
            save_state: change_state!(
                $form,
                postgres: "scopes = coalesce($3::text, k.scopes), refreshed_at = $4::timestamp, state = 'active',
            state_since = NULL, lease_until = NULL, version = k.version + 1::bigint,
            generation = k.generation + 1::bigint"
                    where "k.generation = $2::bigint",
                sqlite: "scopes = coalesce(?3, k.scopes), refreshed_at = ?4, state = 'active', state_since = NULL,
            lease_until = NULL, version = k.version + 1, generation = k.generation + 1"
                    where "k.generation = ?2"
            ),
            // `$2` version and `$3` generation that were read, `$4` when, `$5` the latest end of a lease that is believed.
            reseal_state: change_state!(
                $form,
                postgres: "lease_until = NULL"
                    where "k.version = $2::bigint AND k.generation = $3::bigint
          AND (k.lease_until IS NULL OR k.lease_until <= $4::timestamp OR k.lease_until > $5::timestamp)",
                sqlite: "lease_until = NULL"
                    where "k.version = ?2 AND k.generation = ?3
          AND (k.lease_until IS NULL OR k.lease_until <= ?4 OR k.lease_until > ?5)"
            ),
            lock: lock!($form),
            lock_after_revocation: lock_after_revocation!($form),
            has_generation: has_generation!($form),
            is_usable: is_usable!($form),
            put_state: put_state!($form),
            put_secrets: put_secrets!($form),
            save_pair: save_pair!($form),
            reseal_secrets: reseal_secrets!($form),
            settle: settle!($form),
            clear: clear!($form),
        }
    };
}

pub(super) static ON_TEXT: Statements = statements!(text);
pub(super) static ON_BYTES: Statements = statements!(bytes);
pub(super) static ON_BOTH: Statements = statements!(both);
pub(super) static IN_DATABASE: Statements = statements!(database);

impl Statements {
    pub(super) fn named(&'static self) -> Vec<(&'static str, Sql)> {
        vec![
            ("get", self.get.sql()),
            ("get, without secrets", self.get_undecrypted.sql()),
            ("list", self.list.sql()),
            ("adopt", self.adopt),
            ("claim", self.claim),
            ("mark", self.mark),
            ("save, state", self.save_state),
            ("save, pair", self.save_pair),
            ("reseal, state", self.reseal_state),
            ("reseal, secrets", self.reseal_secrets),
            ("put, state", self.put_state),
            ("put, secrets", self.put_secrets),
            ("settle", self.settle),
            ("lock", self.lock),
            ("lock_after_revocation", self.lock_after_revocation),
            ("has_generation", self.has_generation),
            ("is_usable", self.is_usable),
            ("clear", self.clear),
            ("lock_owner", LOCK_OWNER),
            ("release", RELEASE),
            ("note_nonces", NOTE_NONCES),
            ("forget_state", FORGET_STATE),
        ]
    }
}

/// The host's row, locked, whether or not there is a credential in it: `$1` owner.
pub(super) const LOCK_OWNER: Sql = Sql {
    postgres: concat!(
        "
        SELECT 1 FROM aggregators a WHERE ",
        row_on_postgres!(),
        " FOR NO KEY UPDATE"
    ),
    sqlite: concat!("SELECT 1 FROM aggregators a WHERE ", row_on_sqlite!()),
};

/// `$1` owner, `$2` the version of the lease, `$3` to `$5` the state. Where somebody else has stored another pair meanwhile, it
/// says nothing about that one.
pub(super) const RELEASE: Sql = Sql {
    postgres: "
        UPDATE keyward.credential_states k
        SET state = $3::text, state_since = $4::timestamp, end_reason = $5::text, lease_until = NULL,
            version = k.version + 1::bigint
        WHERE k.owner = $1::text AND k.version = $2::bigint AND k.lease_until IS NOT NULL
        RETURNING 1",
    sqlite: "
        UPDATE keyward_credential_states AS k
        SET state = ?3, state_since = ?4, end_reason = ?5, lease_until = NULL, version = k.version + 1
        WHERE k.owner = ?1 AND k.version = ?2 AND k.lease_until IS NOT NULL
        RETURNING 1",
};

/// `$1` owner, `$2` and `$3` nonces or NULL. A row that somebody holds keeps its nonces: a server that wants another one gives
/// it, and nobody waits for that.
pub(super) const NOTE_NONCES: Sql = Sql {
    postgres: concat!(
        "
        WITH free AS (
            SELECT a.did::text AS did FROM aggregators a
            WHERE ",
        row_on_postgres!(),
        " FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE aggregators a
        SET oauth_dpop_authserver_nonce = coalesce($2::text, a.oauth_dpop_authserver_nonce),
            oauth_dpop_pds_nonce = coalesce($3::text, a.oauth_dpop_pds_nonce)
        FROM free WHERE ",
        row_on_postgres!(),
        "
        RETURNING 1"
    ),
    sqlite: concat!(
        "
        UPDATE aggregators AS a
        SET oauth_dpop_authserver_nonce = coalesce(?2, a.oauth_dpop_authserver_nonce),
            oauth_dpop_pds_nonce = coalesce(?3, a.oauth_dpop_pds_nonce)
        WHERE ",
        row_on_sqlite!(),
        "
        RETURNING 1"
    ),
};

/// `$1` owner.
pub(super) const FORGET_STATE: Sql = Sql {
    postgres: "DELETE FROM keyward.credential_states WHERE owner = $1::text RETURNING 1",
    sqlite: "DELETE FROM keyward_credential_states WHERE owner = ?1 RETURNING 1",
};
