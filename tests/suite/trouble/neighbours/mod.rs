//! A neighbour on the search path, whose functions, operators, types and tables have the names of those that keyward
//! means: none of them is ever called.

#[cfg(feature = "credentials")]
mod credentials;

use std::collections::BTreeSet;

use keyward::sql::{SqlSchema, StatementText};
use keyward::{Engine, SqlKeyStore};
use regex::Regex;
use tokio::task::JoinSet;

use crate::migrations::assert_a_key_lives;
use crate::support::{Database, START, TestSchema};

/// The types that stand in the hosts' tables and in ours, in arguments, and in between.
const TYPES: &str = "text varchar bpchar name uuid bytea timestamp timestamptz date bool int2 int4 int8 numeric json \
                     jsonb text[] varchar[] oid anyelement";

const OPERATORS: &str = "= <> < <= > >= || ~ !~ ->> -> - + & ~~";

/// What looks like a call and is SQL's own.
const SYNTAX: &str = "all and any array as case cast coalesce conflict distinct else except exists extract filter from \
                      greatest in into join key least not nullif on or over partition returning row select set some \
                      then update using values when where with interval varchar due used keys api_key api_keys \
                      aggregators revocations rotations key_uses key_history";

/// Statements, each with its name.
type Statements = Vec<(String, &'static str)>;

fn texts(statements: Vec<StatementText>) -> Statements {
    statements.into_iter().map(|statement| (statement.name, statement.postgres)).collect()
}

fn statements<S: SqlSchema>() -> Statements {
    texts(S::statements())
}

/// A function that statements on keys call.
const OF_KEYS: &str = "jsonb_array_elements";

/// The functions that are called, each with what stands in front of it.
fn calls(text: &str) -> Vec<(bool, String)> {
    let call = Regex::new(r"(?i)(pg_catalog\.|[\w\.]*\.)?\b([a-z_][a-z0-9_]*)\s*\(").unwrap();
    let syntax: BTreeSet<_> = SYNTAX.split_whitespace().collect();
    // What stands in quotes calls nothing, and the columns of an INSERT or an alias are none either.
    let text = Regex::new(r"'[^']*'|--[^\n]*").unwrap().replace_all(text, " ");
    let text = Regex::new(r"(?i)INSERT INTO [\w\.]+( AS \w+)? \(|\be \([a-z_, ]+\)|AS \w+ \(")
        .unwrap()
        .replace_all(&text, " ");
    let found = call.captures_iter(&text);
    let named = found.map(|found| (found.get(1).is_some(), found[2].to_lowercase()));
    named.filter(|(_, name)| !syntax.contains(name.as_str())).collect()
}

/// Traps: an overload for all types of every function that is called and every operator, as far as PostgreSQL has none
/// of just these types, which would be taken first; and a type and a table of every name. `well_known` is one of the
/// functions, so that it is known that they are found.
async fn lay_traps(database: &Database, statements: &Statements, well_known: &str) {
    let functions: BTreeSet<_> = statements.iter().flat_map(|(_, text)| calls(text)).map(|(_, name)| name).collect();
    let functions: Vec<_> = functions.into_iter().collect();
    assert!(functions.iter().any(|name| name == well_known), "{functions:?}");
    let name = database.text("SELECT current_database()::text").await.unwrap();
    let traps = format!(
        "CREATE SCHEMA neighbour;
         ALTER DATABASE {name} SET track_functions = 'all';
         DO $do$
         DECLARE
             types text[] := string_to_array('{TYPES}', ' ');
             l text; r text; o text; f text; result text; harm text;
         BEGIN
             FOREACH l IN ARRAY types LOOP FOREACH r IN ARRAY types LOOP
                 FOREACH o IN ARRAY string_to_array('{OPERATORS}', ' ') LOOP
                     CONTINUE WHEN EXISTS (SELECT FROM pg_operator WHERE oprname = o AND oprleft = l::regtype
                                           AND oprright = r::regtype);
                     result := CASE WHEN o IN ('||', '->>', '->', '-', '+', '&') THEN 'text' ELSE 'bool' END;
                     harm := CASE result WHEN 'bool' THEN 'true' ELSE 'NULL' END;
                     EXECUTE format('CREATE FUNCTION neighbour.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L',
                                    l || ' ' || o || ' ' || r, l, r, result, 'BEGIN RETURN ' || harm || '; END');
                     EXECUTE format('CREATE OPERATOR neighbour.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = neighbour.%I)',
                                    o, l, r, l || ' ' || o || ' ' || r);
                 END LOOP;
                 FOREACH f IN ARRAY string_to_array('{functions}', ' ') LOOP
                     CONTINUE WHEN EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
                                           AND proname = f AND proargtypes::oid[] = ARRAY[l::regtype, r::regtype]::oid[]);
                     EXECUTE format('CREATE FUNCTION neighbour.%I(%s, %s) RETURNS text LANGUAGE plpgsql AS %L',
                                    f, l, r, 'BEGIN RETURN NULL; END');
                 END LOOP;
             END LOOP;
                 FOREACH f IN ARRAY string_to_array('{functions}', ' ') LOOP
                     CONTINUE WHEN EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
                                           AND proname = f AND proargtypes::oid[] = ARRAY[l::regtype]::oid[]);
                     EXECUTE format('CREATE FUNCTION neighbour.%I(%s) RETURNS text LANGUAGE plpgsql AS %L',
                                    f, l, 'BEGIN RETURN NULL; END');
                 END LOOP;
                 IF l !~ '^any|\\[' THEN
                     EXECUTE format('CREATE DOMAIN neighbour.%I AS text CHECK (false)', l);
                 END IF;
             END LOOP;
         END $do$;
         CREATE TABLE neighbour.keys (); CREATE TABLE neighbour.key_uses (); CREATE TABLE neighbour.key_history ();
         CREATE TABLE neighbour.revocations (); CREATE TABLE neighbour.rotations ();
         CREATE TABLE neighbour.migrations ();
         CREATE TABLE neighbour.credentials (); CREATE TABLE neighbour.credential_states ();
         ALTER DATABASE {name} SET search_path = neighbour, public",
        functions = functions.join(" "),
    );
    database.run(&traps).await;
}

/// The traps into which somebody fell. The server counts calls, also those that were rolled back.
async fn sprung(database: &Database) -> String {
    let called = "SELECT coalesce(string_agg(pg_catalog.format('%s(%s)', s.funcname,
                      pg_catalog.pg_get_function_identity_arguments(s.funcid)), ', '), '')
                  FROM pg_catalog.pg_stat_user_functions s WHERE s.schemaname OPERATOR(pg_catalog.=) 'neighbour'::name";
    // A session tells what it has counted when it ends.
    let others = "SELECT pg_catalog.count(*)::text FROM pg_catalog.pg_stat_activity a
                  WHERE a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
                    AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
                    AND a.backend_type OPERATOR(pg_catalog.=) 'client backend'::text";
    while database.text(others).await.as_deref() != Some("0") {
        tokio::task::yield_now().await;
    }
    database.text(called).await.unwrap()
}

async fn assert_nothing_of_the_neighbours_is_called<S: TestSchema>(bare: bool) {
    let database = Database::postgres().await;
    database.run(S::parents(true)).await;
    lay_traps(&database, &statements::<S>(), OF_KEYS).await;
    let pool = database.as_postgres().pool().await;
    let engine = Engine::from(keyward::Postgres::new(pool.clone()));
    engine.migrate::<S>(START).await.unwrap();
    if bare {
        database.drop_side_tables().await;
    }
    let owner = S::owner("did:plc:acme", true);
    if !owner.is_empty() {
        database.run(&owner).await;
    }
    let store = SqlKeyStore::open(&engine, S::schema()).await.unwrap();
    store.check().await.unwrap();
    // Whatever comes of it, the traps say more.
    let mut lives = JoinSet::new();
    lives.spawn(async move { assert_a_key_lives(&store, "did:plc:acme").await });
    let outcome = lives.join_next().await.unwrap();
    pool.close().await;
    assert_no_trap_was_sprung(&database).await;
    outcome.unwrap();
}

/// Nobody fell into one, although they work.
async fn assert_no_trap_was_sprung(database: &Database) {
    assert_eq!(sprung(database).await, "");
    // The traps work: this is how a `varchar` that is compared with a text falls into one.
    database.run("SELECT 'a'::varchar = 'b'::text").await;
    assert_eq!(sprung(database).await, "varchar = text(character varying, text)");
}

/// A function whose body is understood once, when it is made, depends on every operator and function in it.
async fn assert_no_statement_means_anything_of_the_neighbours<S: TestSchema>() {
    let database = Database::postgres().await;
    database.run(S::parents(true)).await;
    Engine::from(keyward::Postgres::new(database.as_postgres().pool().await)).migrate::<S>(START).await.unwrap();
    let statements = statements::<S>();
    lay_traps(&database, &statements, OF_KEYS).await;
    assert_none_means_anything_of_the_neighbours(&database, statements).await;
}

async fn assert_none_means_anything_of_the_neighbours(database: &Database, statements: Statements) {
    let mut found = Vec::new();
    for (name, text) in statements {
        let arguments = arguments(text).join(", ");
        let body =
            format!("CREATE FUNCTION public.probe({arguments}) RETURNS void LANGUAGE sql BEGIN ATOMIC {text}; END");
        if let Err(error) = database.try_run(&body).await {
            found.push(format!("{name}: {error}"));
            continue;
        }
        let meant = "SELECT coalesce(string_agg(pg_describe_object(d.refclassid, d.refobjid, 0), ', '), '')
                     FROM pg_depend d
                     WHERE d.objid OPERATOR(pg_catalog.=) (SELECT oid FROM pg_proc
                                                           WHERE proname OPERATOR(pg_catalog.=) 'probe'::name)
                       AND pg_describe_object(d.refclassid, d.refobjid, 0) OPERATOR(pg_catalog.~) 'neighbour|(^(operator|function) [^.]*\\()'";
        let meant = database.text(meant).await.unwrap();
        if !meant.is_empty() {
            found.push(format!("{name}: {meant}"));
        }
        database.run("DROP FUNCTION public.probe").await;
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn assert_every_function_is_called_by_its_schema(statements: &Statements) {
    for (name, text) in statements {
        for (is_qualified, function) in calls(text) {
            assert!(is_qualified, "{name} calls {function}");
        }
    }
}

/// The types of a statement's arguments, as it is given them: a cast says what it expects.
fn arguments(text: &str) -> Vec<String> {
    let cast = |number: usize| {
        let cast = Regex::new(&format!(r"\${number}::(\w+)")).unwrap();
        let limit = Regex::new(&format!(r"LIMIT \${number}\b")).unwrap();
        match cast.captures(text) {
            Some(found) => found[1].to_owned(),
            None if limit.is_match(text) => "bigint".to_owned(),
            None => "text".to_owned(),
        }
    };
    let most = Regex::new(r"\$(\d+)").unwrap().captures_iter(text).map(|found| found[1].parse().unwrap()).max();
    (1..=most.unwrap_or(0)).map(cast).collect()
}

macro_rules! for_each_schema {
    ($($name:ident $schema:ident),+) => {$(
        mod $name {
            use keyward::schemas::$name::$schema;

            #[tokio::test(flavor = "multi_thread")]
            async fn nothing_of_a_neighbours_is_called() {
                super::assert_nothing_of_the_neighbours_is_called::<$schema>(false).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn nothing_of_a_neighbours_is_called_without_side_tables() {
                super::assert_nothing_of_the_neighbours_is_called::<$schema>(true).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn no_statement_means_anything_of_a_neighbours() {
                super::assert_no_statement_means_anything_of_the_neighbours::<$schema>().await;
            }

            #[test]
            fn every_function_is_called_by_its_schema() {
                super::assert_every_function_is_called_by_its_schema(&super::statements::<$schema>());
            }
        }
    )+};
}
for_each_schema!(standard Standard, scraper Scraper, mesh Mesh, aggregator Aggregator);
