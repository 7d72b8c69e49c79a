//! The texts of the source as they are sent: with the right schema, and prepared under a name or not.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::sql::engine::Value;
use crate::sql::engine::postgres::value::bound;
use crate::sql::engine::schema_name::SchemaName;

/// How the source names a function of `pgcrypto`.
const PGCRYPTO: &str = "pgcrypto.";

/// How statements are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Prepared {
    /// Under a name, once for each session of the server's, where the session is the connection's own.
    Named,
    /// Each time anew. The server forgets them with the next one, so that a transaction has to hold the session meanwhile;
    /// it also holds the tables as they are.
    Unnamed,
}

/// In which form a text is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    /// As it is written.
    Single(Prepared),
    /// For several lookups at once, prepared under a name.
    Gathered,
}

/// The statements of the source, with the name of the schema of our own tables in them.
#[derive(Default)]
pub(super) struct Texts {
    /// Unless it is the one that stands in the source.
    schema: Option<SchemaName>,
    /// Where the functions of `pgcrypto` are, once somebody has looked: the source knows that schema by this name too.
    pgcrypto: OnceLock<Arc<str>>,
    /// By where the text in the source stands, how long it is, and in which form it is sent.
    rewritten: RwLock<HashMap<(usize, usize, Form), Arc<str>>>,
}

impl Texts {
    pub(super) fn with_schema(schema: Option<SchemaName>) -> Self {
        Self { schema, ..Self::default() }
    }

    pub(super) const fn schema(&self) -> Option<&SchemaName> {
        self.schema.as_ref()
    }

    /// Says in which schema the functions of `pgcrypto` are, so that they are called there and nowhere else on the search
    /// path. It is the catalogue that says so; the first word counts.
    #[cfg(feature = "credentials")]
    pub(super) fn find_pgcrypto_in(&self, schema: &str) {
        let quoted = format!("\"{}\".", schema.replace('"', "\"\""));
        let _ = self.pgcrypto.set(quoted.into());
    }

    /// A text of the source. Each is rewritten once.
    pub(super) fn get(&self, text: &'static str, prepared: Prepared) -> SqlStr {
        let is_as_written = self.schema.is_none() && self.pgcrypto.get().is_none_or(|_| !text.contains(PGCRYPTO));
        if is_as_written && prepared == Prepared::Named {
            return text.into_sql_str();
        }
        self.rewritten(text, Form::Single(prepared), || self.rewrite(text, prepared))
    }

    /// A lookup of the source, made for each of `lookups` in one statement: their arguments come as arrays.
    pub(super) fn gathered(&self, text: &'static str, lookups: &[Vec<Value<'_>>]) -> SqlStr {
        let arguments = lookups.first().map_or(0, Vec::len);
        self.rewritten(text, Form::Gathered, || gathered(&self.rewrite(text, Prepared::Named), arguments))
    }

    fn rewritten(&self, text: &'static str, form: Form, rewrite: impl FnOnce() -> String) -> SqlStr {
        let place = (text.as_ptr().addr(), text.len(), form);
        let known = self.rewritten.read().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        let rewritten = known.unwrap_or_else(|| {
            let rewritten = Arc::from(rewrite());
            let mut texts = self.rewritten.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(texts.entry(place).or_insert(rewritten))
        });
        // The name in it has no character that ends a quoted identifier.
        AssertSqlSafe(rewritten).into_sql_str()
    }

    fn rewrite(&self, text: &'static str, prepared: Prepared) -> String {
        let mut rewritten = self.schema.as_ref().map_or_else(|| text.to_owned(), |schema| schema.renamed(text));
        if let Some(schema) = self.pgcrypto.get() {
            rewritten = rewritten.replace(PGCRYPTO, schema);
        }
        if prepared == Prepared::Unnamed {
            // sqlx looks among its named statements even where none is wanted, by the text.
            rewritten.push('\n');
        }
        rewritten
    }

    /// A statement with its arguments, which are copied into the message to the server here.
    pub(super) fn bound(
        &self,
        text: &'static str,
        arguments: &[Value<'_>],
        prepared: Prepared,
    ) -> Query<'static, sqlx::Postgres, PgArguments> {
        bound(self.get(text, prepared), arguments).persistent(prepared == Prepared::Named)
    }
}

/// A lookup inside a join with all that is looked up. The planner looks each up by the index, however many there are: of
/// `= ANY` with an array that it does not know, it assumes ten.
fn gathered(text: &str, arguments: usize) -> String {
    let mut lookup = text.to_owned();
    let mut arrays = Vec::with_capacity(arguments);
    for number in 1..=arguments {
        let kind = if text.contains(&format!("${number}::bytea")) { "bytea" } else { "text" };
        lookup = lookup.replace(&format!("${number}::{kind}"), &format!("asked.a{number}"));
        arrays.push(format!("pg_catalog.unnest(${number}::{kind}[])"));
    }
    let names: Vec<_> = (1..=arguments).map(|number| format!("a{number}")).collect();
    let (arrays, names) = (arrays.join(", "), names.join(", "));
    format!("SELECT found.* FROM ROWS FROM ({arrays}) AS asked ({names}) CROSS JOIN LATERAL ({lookup}) AS found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gathered_lookup_asks_for_the_same_of_each_element() {
        assert_eq!(
            gathered("SELECT k.id FROM keys k WHERE k.prefix = $1::text AND k.digest = $2::bytea ORDER BY k.id", 2),
            "SELECT found.* FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::bytea[])) AS asked (a1, a2) \
             CROSS JOIN LATERAL (SELECT k.id FROM keys k WHERE k.prefix = asked.a1 AND k.digest = asked.a2 ORDER BY k.id) \
             AS found"
        );
    }
}
