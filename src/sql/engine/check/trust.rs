//! Whose the tables are: a table of somebody else's, with triggers, rules or rows of his own, is never taken for ours.

use crate::sql::engine::check::{Difference, Table, TableName};
use crate::sql::engine::{Engine, EngineError, Query, Row, Sql, Statement, Value, ledger};

/// A table, or the schema of our own tables, that belongs to a role that is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untrusted {
    /// With its schema.
    pub(crate) table: String,
    pub(crate) owner: String,
}

/// `$1` the schema of our own tables, `$2` the names of those, `$3` the schema and `$4` the name of the host's table,
/// `$5` the names of the roles that the host trusts; the lists are JSON. Returns a row for each that is not to be
/// trusted: made by another role, or no ordinary table.
///
/// Trusted are the role itself and those whose rights it has, superusers, the owner of the database, the owner of the
/// host's table, who decides about the keys anyway, and whom the host names. A superuser has the rights of every role,
/// which says nothing about whom it trusts.
static UNTRUSTED: Query = Query::new(
    Sql {
        postgres: "
            WITH me AS (SELECT oid, rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER),
            found AS (
                SELECT n.nspname::text || '.'::text || c.relname::text AS object, c.relowner AS owner,
                       c.relkind::text AS kind
                FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = $1::text::name
                  AND c.relname::text IN (SELECT pg_catalog.jsonb_array_elements_text($2::text::jsonb))
                UNION ALL
                SELECT n.nspname::text, n.nspowner, 'schema'::text
                FROM pg_catalog.pg_namespace n WHERE n.nspname = $1::text::name
            )
            SELECT found.object AS object, r.rolname::text AS owner
            FROM found JOIN pg_catalog.pg_roles r ON r.oid = found.owner CROSS JOIN me
            WHERE found.kind NOT IN ('r'::text, 'schema'::text) OR NOT (
                r.rolsuper OR r.oid = me.oid
                OR (NOT me.rolsuper AND pg_catalog.pg_has_role(r.oid, 'USAGE'::text))
                OR r.rolname = 'pg_database_owner'::name
                OR r.oid = (SELECT d.datdba FROM pg_catalog.pg_database d
                            WHERE d.datname = pg_catalog.current_database())
                OR r.oid IN (
                    SELECT c.relowner
                    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    WHERE c.relname = $4::text::name
                      AND (n.nspname = $3::text::name OR $3::text IS NULL AND pg_catalog.pg_table_is_visible(c.oid)))
                OR r.rolname::text IN (SELECT pg_catalog.jsonb_array_elements_text($5::text::jsonb)))
            ORDER BY 1",
        // Whoever can write the file has every right to it.
        sqlite: "
            SELECT NULL AS object, NULL AS owner
            WHERE ?1 IS NULL AND ?2 IS NULL AND ?3 IS NULL AND ?4 IS NULL AND ?5 IS NULL",
    },
    &["object", "owner"],
);

/// `$1` the name of a table that is looked for on the search path, `$2` the roles that the host trusts. Returns every
/// table of that name on the path, in its order.
static ON_THE_PATH: Query = Query::new(
    Sql {
        postgres: "
            WITH me AS (SELECT oid, rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER)
            SELECT n.nspname::text || '.'::text || c.relname::text AS object, r.rolname::text AS owner,
                   (r.rolsuper OR r.oid = me.oid
                    OR (NOT me.rolsuper AND pg_catalog.pg_has_role(r.oid, 'USAGE'::text))
                    OR r.oid = (SELECT d.datdba FROM pg_catalog.pg_database d
                                WHERE d.datname = pg_catalog.current_database())
                    OR r.rolname::text IN (SELECT pg_catalog.jsonb_array_elements_text($2::text::jsonb)))::int
                       AS is_trusted
            FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS p (name, position)
            JOIN pg_catalog.pg_namespace n ON n.nspname = p.name
            JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
            JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
            CROSS JOIN me
            WHERE c.relname = $1::text::name AND c.relkind::text IN ('r', 'p', 'v', 'm', 'f')
            ORDER BY p.position",
        sqlite: "SELECT NULL AS object, NULL AS owner, 1 AS is_trusted WHERE ?1 IS NULL AND ?2 IS NULL",
    },
    &["object", "owner", "is_trusted"],
);

impl Engine {
    /// The first of our own tables among `tables`, their schema, or a table of the host's that hides another one, which
    /// belongs to somebody who is not trusted.
    pub(crate) async fn untrusted(&self, tables: &[&Table]) -> Result<Option<Untrusted>, EngineError> {
        let arguments = self.trust(tables);
        let found = self.read(&UNTRUSTED, &arguments, untrusted).await?;
        if let Some(first) = found.into_iter().next() {
            return Ok(Some(first));
        }
        for name in unqualified(self, tables) {
            let candidates = self.on_the_path(name).await?;
            if let [(first, false), _, ..] = &candidates[..] {
                return Ok(Some(first.clone()));
            }
        }
        Ok(None)
    }

    /// The table `name` of the host's, if it belongs neither to the owner of its table `beside` nor to somebody who is
    /// trusted anyway.
    #[cfg(feature = "credentials")]
    pub(crate) async fn untrusted_beside(&self, name: &str, beside: &str) -> Result<Option<Untrusted>, EngineError> {
        let Some((found, false)) = self.on_the_path(name).await?.into_iter().next() else { return Ok(None) };
        let beside = self.on_the_path(beside).await?;
        let is_theirs = beside.first().is_some_and(|(table, _)| table.owner == found.owner);
        Ok((!is_theirs).then_some(found))
    }

    /// Returns a row for each that is not trusted, for use as the last step before a change becomes visible.
    pub(in crate::sql::engine) fn find_untrusted(&self, tables: &[&Table]) -> Statement {
        Statement::new(UNTRUSTED.sql(), self.trust(tables))
    }

    /// The arguments of [`UNTRUSTED`].
    fn trust(&self, tables: &[&Table]) -> [Value<'static>; 5] {
        let own = tables.iter().filter_map(|table| match table.name {
            TableName::Own(name) => Some(name),
            TableName::Host(_) => None,
        });
        let own: Vec<_> = own.chain([ledger::TABLE]).collect();
        let host = tables.iter().find_map(|table| match table.name {
            TableName::Host(name) => Some(self.dialect(name)),
            TableName::Own(_) => None,
        });
        let (schema, name) = match host.map(|host| host.split_once('.').ok_or(host)) {
            Some(Ok((schema, name))) => (Some(schema.to_owned()), Some(name.to_owned())),
            Some(Err(name)) => (None, Some(name.to_owned())),
            None => (None, None),
        };
        let own = serde_json::json!(own).to_string();
        [self.own_schema().to_owned().into(), own.into(), schema.into(), name.into(), self.trusted_roles().into()]
    }

    async fn on_the_path(&self, name: &str) -> Result<Vec<(Untrusted, bool)>, EngineError> {
        let candidate = |row: &Row<'_>| (untrusted(row), row.cell(2) == crate::sql::engine::Cell::Integer(1));
        self.read(&ON_THE_PATH, &[name.into(), self.trusted_roles().into()], candidate).await
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

/// What is not as it should be about the owners of `tables`.
pub(super) async fn differences(engine: &Engine, tables: &[&Table]) -> Result<Vec<Difference>, EngineError> {
    let found = engine.read(&UNTRUSTED, &engine.trust(tables), untrusted).await?;
    let foreign = |Untrusted { table, owner }| Difference {
        object: table,
        expected: "an ordinary table, or a schema, of a trusted role".to_owned(),
        found: format!("one that belongs to {owner}"),
        breaking: true,
    };
    let mut differences: Vec<_> = found.into_iter().map(foreign).collect();
    for name in unqualified(engine, tables) {
        let candidates = engine.on_the_path(name).await?;
        let owned = |(Untrusted { table, owner }, _): &(Untrusted, bool)| format!("{table} of {owner}");
        let listed = || candidates.iter().map(owned).collect::<Vec<_>>().join(", ");
        let (expected, breaking) = match &candidates[..] {
            [(_, is_trusted), _, ..] => ("one table of this name on the search path", !is_trusted),
            [(_, false)] => ("a table of a trusted role", false),
            _ => continue,
        };
        let (object, expected) = (name.to_owned(), expected.to_owned());
        differences.push(Difference { object, expected, found: listed(), breaking });
    }
    Ok(differences)
}

/// The names of the host's tables that are looked for on the search path.
fn unqualified<'t>(engine: &'t Engine, tables: &'t [&Table]) -> impl Iterator<Item = &'static str> + 't {
    tables.iter().filter_map(|table| match table.name {
        TableName::Host(name) => Some(engine.dialect(name)).filter(|name| !name.contains('.')),
        TableName::Own(_) => None,
    })
}

fn untrusted(row: &Row<'_>) -> Untrusted {
    Untrusted { table: super::text(row, 0), owner: super::text(row, 1) }
}
