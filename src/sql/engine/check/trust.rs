//! Whose the tables are: a table of somebody else's, with triggers, rules or rows of his own, is never taken for ours.

use crate::sql::engine::check::{Difference, Table, TableName, own_names};
use crate::sql::engine::{Cell, Engine, EngineError, Query, Row, Sql, Statement, Value, ledger};

/// A table, or the schema of our own tables, that belongs to a role that is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untrusted {
    /// With its schema.
    pub(crate) object: String,
    pub(crate) owner: String,
}

/// Whom what belongs to, and whether that role is trusted: our own tables, their schema, and every table of the name of
/// the host's that is on the search path, in its order. `$1` the schema of our own tables, `$2` the names of those, `$3`
/// the schema of the host's table or NULL, `$4` its name, `$5` the names of the roles that the host trusts; the lists are
/// JSON. With `$6` = 1, only what is our own and not to be trusted: made by another role, or no ordinary table.
///
/// Trusted are the role itself and those whose rights it has, superusers, the owner of the database, and whom the host
/// names; for what is our own also the owner of the host's table, who decides about the keys anyway. A superuser has the
/// rights of every role, which says nothing about whom it trusts.
static OWNERS: Query = Query::new(
    Sql {
        postgres: "
            WITH me AS (SELECT oid, rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER),
            trusted AS (
                SELECT r.oid FROM pg_catalog.pg_roles r CROSS JOIN me
                WHERE r.rolsuper OR r.oid = me.oid
                  OR (NOT me.rolsuper AND pg_catalog.pg_has_role(r.oid, 'USAGE'::text))
                  OR r.rolname = 'pg_database_owner'::name
                  OR r.oid = (SELECT d.datdba FROM pg_catalog.pg_database d
                              WHERE d.datname = pg_catalog.current_database())
                  OR r.rolname::text IN (SELECT pg_catalog.jsonb_array_elements_text($5::text::jsonb))
            ),
            host AS (
                SELECT n.nspname::text || '.'::text || c.relname::text AS object, c.relowner AS owner, p.position,
                       n.nspowner IN (SELECT oid FROM trusted)
                           AND NOT pg_catalog.has_schema_privilege('public'::name, n.oid, 'CREATE'::text) AS is_guarded
                FROM pg_catalog.unnest(
                    CASE WHEN $3::text IS NULL THEN pg_catalog.current_schemas(false) ELSE ARRAY[$3::text::name] END
                ) WITH ORDINALITY AS p (name, position)
                JOIN pg_catalog.pg_namespace n ON n.nspname = p.name
                JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
                WHERE c.relname = $4::text::name AND c.relkind::text IN ('r', 'p', 'v', 'm', 'f')
            ),
            own AS (
                SELECT n.nspname::text || '.'::text || c.relname::text AS object, c.relowner AS owner,
                       c.relkind::text AS kind
                FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = $1::text::name
                  AND c.relname::text IN (SELECT pg_catalog.jsonb_array_elements_text($2::text::jsonb))
                UNION ALL
                SELECT n.nspname::text, n.nspowner, 'schema'::text
                FROM pg_catalog.pg_namespace n WHERE n.nspname = $1::text::name
            ),
            found AS (
                SELECT own.object, own.owner, 0::bigint AS position, true AS is_guarded,
                       own.kind IN ('r'::text, 'schema'::text)
                           AND (own.owner IN (SELECT oid FROM trusted)
                                OR own.owner IN (SELECT host.owner FROM host ORDER BY host.position LIMIT 1)) AS is_trusted
                FROM own
                UNION ALL
                SELECT host.object, host.owner, host.position, host.is_guarded, host.owner IN (SELECT oid FROM trusted)
                FROM host WHERE $3::text IS NULL
            )
            SELECT found.object AS object, r.rolname::text AS owner, found.position AS position,
                   found.is_trusted::int AS is_trusted, found.is_guarded::int AS is_guarded
            FROM found JOIN pg_catalog.pg_roles r ON r.oid = found.owner
            WHERE $6::bigint = 0::bigint OR found.position = 0::bigint AND NOT found.is_trusted
            ORDER BY found.position, found.object",
        // Whoever can write the file has every right to it.
        sqlite: "
            SELECT NULL AS object, NULL AS owner, 0 AS position, 1 AS is_trusted, 1 AS is_guarded
            WHERE ?1 IS NULL AND ?2 IS NULL AND ?3 IS NULL AND ?4 IS NULL AND ?5 IS NULL AND ?6 IS NULL",
    },
    &["object", "owner", "position", "is_trusted", "is_guarded"],
);

/// What [`OWNERS`] says of one object.
struct Owned {
    object: String,
    owner: String,
    /// Whether it is our own, and not a table of the host's name.
    is_own: bool,
    is_trusted: bool,
    /// Whether its schema belongs to a trusted role, and not everybody may make tables in it.
    is_guarded: bool,
}

impl Owned {
    fn read(row: &Row<'_>) -> Self {
        let is = |column, number| row.cell(column) == Cell::Integer(number);
        let [object, owner] = [0, 1].map(|column| super::text(row, column));
        Self { object, owner, is_own: is(2, 0), is_trusted: is(3, 1), is_guarded: is(4, 1) }
    }

    fn untrusted(&self) -> Untrusted {
        Untrusted { object: self.object.clone(), owner: self.owner.clone() }
    }
}

/// The first of several tables of the host's name, if it may have been put in front of the host's own. It is the host's
/// own itself where it belongs to a trusted role, or where others that are no more trusted stand behind it and not
/// everybody could have made it: whoever can make one behind it must not be able to keep a store from opening.
fn in_front(candidates: &[Owned]) -> Option<&Owned> {
    let (first, behind) = candidates.split_first()?;
    let hides = !first.is_guarded || behind.iter().any(|other| other.is_trusted);
    (!first.is_trusted && !behind.is_empty() && hides).then_some(first)
}

impl Engine {
    /// The first of our own tables among `tables`, their schema, or a table of the host's that hides another one, which
    /// belongs to somebody who is not trusted.
    pub(crate) async fn untrusted(&self, tables: &[&Table]) -> Result<Option<Untrusted>, EngineError> {
        let Owners { own, hosts } = self.owners(tables).await?;
        let own = own.iter().find(|one| !one.is_trusted);
        Ok(own.or_else(|| in_front(&hosts)).map(Owned::untrusted))
    }

    /// The table `name` of the host's, if it belongs neither to the owner of its table `beside` nor to somebody who is
    /// trusted anyway.
    #[cfg(feature = "credentials")]
    pub(crate) async fn untrusted_beside(&self, name: &str, beside: &str) -> Result<Option<Untrusted>, EngineError> {
        let Some(found) = self.on_the_path(name).await?.filter(|found| !found.is_trusted) else { return Ok(None) };
        let beside = self.on_the_path(beside).await?;
        let is_theirs = beside.is_some_and(|table| table.owner == found.owner);
        Ok((!is_theirs).then(|| found.untrusted()))
    }

    /// The first table of this name on the search path.
    #[cfg(feature = "credentials")]
    async fn on_the_path(&self, name: &str) -> Result<Option<Owned>, EngineError> {
        let arguments = [
            self.own_schema().to_owned().into(),
            "[]".into(),
            Value::Text(None),
            name.to_owned().into(),
            self.trusted_roles().into(),
            0.into(),
        ];
        Ok(self.read(&OWNERS, &arguments, Owned::read).await?.into_iter().find(|one| !one.is_own))
    }

    /// Returns a row for each of our own that is not trusted, for use as the last step before a change becomes visible.
    pub(in crate::sql::engine) fn find_untrusted(&self, tables: &[&Table]) -> Statement {
        Statement::new(OWNERS.sql(), self.asked(tables, true))
    }

    async fn owners(&self, tables: &[&Table]) -> Result<Owners, EngineError> {
        let found = self.read(&OWNERS, &self.asked(tables, false), Owned::read).await?;
        let (own, hosts) = found.into_iter().partition(|one| one.is_own);
        Ok(Owners { own, hosts })
    }

    /// The arguments of [`OWNERS`].
    fn asked(&self, tables: &[&Table], only_untrusted: bool) -> [Value<'static>; 6] {
        let own: Vec<_> = own_names(tables).chain([ledger::TABLE]).collect();
        let own = serde_json::json!(own).to_string();
        let (schema, name) = host_name(tables).map_or((None, None), |name| {
            let (schema, name) = name.place(self);
            (schema, Some(name))
        });
        let only_untrusted = i64::from(only_untrusted).into();
        let trusted = self.trusted_roles().into();
        [self.own_schema().to_owned().into(), own.into(), schema.into(), name.into(), trusted, only_untrusted]
    }

    /// The roles that the host trusts beside those that are trusted anyway, as JSON.
    fn trusted_roles(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "[]".to_owned(),
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => serde_json::json!(postgres.trusted()).to_string(),
        }
    }
}

/// Whom our own tables belong to, and those of the host's name.
struct Owners {
    own: Vec<Owned>,
    hosts: Vec<Owned>,
}

/// What is not as it should be about the owners of `tables`.
pub(super) async fn differences(engine: &Engine, tables: &[&Table]) -> Result<Vec<Difference>, EngineError> {
    let Owners { own, hosts } = engine.owners(tables).await?;
    let foreign = |Owned { object, owner, .. }: Owned| Difference {
        object,
        expected: "an ordinary table, or a schema, of a trusted role".to_owned(),
        found: format!("one that belongs to {owner}"),
        breaking: true,
    };
    let mut differences: Vec<_> = own.into_iter().filter(|one| !one.is_trusted).map(foreign).collect();
    let expected = match &hosts[..] {
        [_, _, ..] => "one table of this name on the search path",
        [only] if !only.is_trusted => "a table of a trusted role",
        _ => return Ok(differences),
    };
    let owned = |Owned { object, owner, .. }: &Owned| format!("{object} of {owner}");
    differences.push(Difference {
        object: host_name(tables).map(|name| name.on(engine)).unwrap_or_default(),
        expected: expected.to_owned(),
        found: hosts.iter().map(owned).collect::<Vec<_>>().join(", "),
        breaking: in_front(&hosts).is_some(),
    });
    Ok(differences)
}

/// The table of keys, where it is the host's.
fn host_name(tables: &[&Table]) -> Option<TableName> {
    tables.iter().map(|table| table.name).find(|name| matches!(name, TableName::Host(_)))
}
