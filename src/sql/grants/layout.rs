//! Which tables hold the clients, grants, codes and tokens of an authorization server, and how.

#[cfg(feature = "postgres")]
use crate::sql::engine::InvalidSchemaName;
use crate::sql::engine::Sql;
use crate::sql::engine::migrate::Migration;
use crate::sql::grants::{statements, tables};
use crate::sql::keys::StatementText;
#[cfg(feature = "postgres")]
use crate::sql::keys::{DatabaseRole, Granted};
use crate::store::grants::Sealing;

/// The tables of forgejo-mcp-broker, `clients`, `auth_codes`, `access_tokens` and `refresh_tokens`, as they are, and beside
/// them tables of keyward's own for what they have no place for.
///
/// The tokens that the host has at a server of its own stand in envelopes, once for each grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerTables {
    shares_upstream_tokens: bool,
}

impl BrokerTables {
    /// The tables, with upstream tokens in envelopes.
    #[must_use]
    pub const fn new() -> Self {
        Self { shares_upstream_tokens: false }
    }

    /// The same tables with upstream tokens **in clear**, in the host's rows as well, for as long as the program that made
    /// the tables works on them too: it reads them there, and refreshes them there.
    ///
    /// Whoever reads the database, or a copy of it, has these tokens then.
    #[must_use]
    pub const fn sharing_upstream_tokens_in_clear(self) -> Self {
        Self { shares_upstream_tokens: true }
    }

    /// What [`SqlGrantStore::migrate`](crate::sql::SqlGrantStore::migrate) runs, for hosts that run it with a tool of their own.
    #[must_use]
    pub const fn migrations(&self) -> &'static [Migration] {
        tables::MIGRATIONS
    }

    /// Every statement that keyward runs on these tables, for review. Where PostgreSQL's schema of keyward's own tables is
    /// not `keyward`, its name stands in its place.
    #[must_use]
    pub fn statements(&self) -> Vec<StatementText> {
        let text =
            |(name, Sql { postgres, sqlite }): (&str, Sql)| StatementText { name: name.to_owned(), postgres, sqlite };
        statements::all().into_iter().map(text).collect()
    }

    /// The statements that give the PostgreSQL role that is called `grantee` the rights of `role` to these tables, as
    /// [`SqlSchema::grants`](crate::sql::SqlSchema::grants) does for keys. A [`Verifier`](DatabaseRole::Verifier) accepts
    /// and introspects access tokens, but cannot write down that one was used; an [`Issuer`](DatabaseRole::Issuer)
    /// registers clients, issues, exchanges and revokes too; an [`Operator`](DatabaseRole::Operator) sweeps, and removes
    /// clients, too.
    ///
    /// # Errors
    /// [`InvalidSchemaName`] when `own_schema` is none.
    #[cfg(feature = "postgres")]
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
    pub fn grants(&self, role: DatabaseRole, grantee: &str, own_schema: &str) -> Result<String, InvalidSchemaName> {
        let what = "the clients, grants, codes and tokens of an authorization server".to_owned();
        Granted { what, tables: &tables::ALL, beside: &[] }.statements(role, grantee, own_schema)
    }

    pub(super) const fn sealing(self) -> Sealing {
        if self.shares_upstream_tokens { Sealing::Store } else { Sealing::Service }
    }
}
