//! PostgreSQL in trouble: rows that somebody else holds, tables that change, roles that may too little, and neighbours.

use std::collections::BTreeSet;
use std::time::Duration;

use keyward::Postgres;
use keyward::broker::{GrantRevocationReason, decide_access};
use keyward::sql::{BrokerTables, DatabaseRole, SqlGrantStore};
use keyward::store::grants::{GrantFilter, GrantStore as _, RevokeGrantRequest, RevokeGrantsRequest, SweepRequest};
use keyward::store::{StoreError, Unfit};
use regex::Regex;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::adoption::seeded;
use super::{CLIENT, at, digest, exchange, grant, id, issued, migrated, new_code};
use crate::support::Database;
use crate::support::roles::Role;

const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(30);

async fn impatient(database: &Database) -> SqlGrantStore {
    let pool = database.as_postgres().small_pool(3).await;
    let engine = Postgres::new(pool).lock_timeout(SHORT).read_timeout(LONG);
    SqlGrantStore::open(engine, BrokerTables::new()).await.unwrap()
}

async fn session(database: &Database) -> PgConnection {
    PgConnection::connect(&database.as_postgres().url()).await.unwrap()
}

async fn run(session: &mut PgConnection, sql: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(session).await.unwrap();
}

fn revocation(grant: &str) -> RevokeGrantRequest {
    RevokeGrantRequest::new(keyward::broker::GrantId::new(grant).unwrap(), GrantRevocationReason::Revoked, at(3))
}

#[tokio::test(flavor = "multi_thread")]
async fn t1_t2_a_row_that_somebody_holds_keeps_no_other_grant_alive() {
    let database = Database::postgres().await;
    let patient = migrated(&database).await;
    for name in ["a", "b", "c", "d", "e"] {
        issued(&patient, name, "42").await;
    }
    let store = impatient(&database).await;
    let mut shell = session(&database).await;
    let held = digest("access-b").to_hex().as_str().to_owned();
    run(
        &mut shell,
        format!(
            "BEGIN; SELECT FROM keyward.grants WHERE id = 'a' FOR UPDATE;
             SELECT FROM access_tokens WHERE token_hash = '{held}' FOR UPDATE"
        ),
    )
    .await;
    let began = tokio::time::Instant::now();
    let is_good = async |name: &str| {
        let found = store.access_token(&digest(&format!("access-{name}"))).await.unwrap();
        decide_access(found, None, at(3)).is_ok()
    };
    assert!(is_good("a").await && is_good("b").await);
    let refused = store.revoke_grant(&revocation("a")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert!(store.revoke_grant(&revocation("c")).await.unwrap());
    store.sweep(&SweepRequest::new(at(700), 100)).await.unwrap();
    // All others are revoked before anything is waited for, also with a small limit, and what is left is said.
    let request =
        RevokeGrantsRequest::new(GrantFilter::of_client(id(CLIENT)), GrantRevocationReason::Revoked, at(3), 2);
    assert_eq!(store.revoke_grants(&request).await.unwrap(), 2);
    let rest = store.revoke_grants(&request).await;
    assert!(matches!(rest, Err(StoreError::Interrupted { revoked: 1, .. })), "{rest:?}");
    assert!(is_good("a").await);
    for name in ["b", "c", "d", "e"] {
        assert!(!is_good(name).await, "{name}");
    }
    assert!(began.elapsed() < LONG);
    run(&mut shell, "ROLLBACK").await;
    assert_eq!(store.revoke_grants(&request).await.unwrap(), 1);
    // That of `b` was held, too.
    let live = "SELECT count(*)::text FROM access_tokens WHERE revoked_at IS NULL";
    assert_eq!(database.text(live).await.as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn t5_whoever_only_refers_to_a_row_holds_up_nothing() {
    let database = Database::postgres().await;
    let patient = migrated(&database).await;
    let of = issued(&patient, "a", "42").await;
    let store = impatient(&database).await;
    let mut shell = session(&database).await;
    run(
        &mut shell,
        "BEGIN; SELECT FROM keyward.grants FOR KEY SHARE; SELECT FROM clients FOR KEY SHARE;
         SELECT FROM access_tokens FOR KEY SHARE; SELECT FROM refresh_tokens FOR KEY SHARE",
    )
    .await;
    assert!(store.exchange(&exchange(&of, "a", "a-2", 2)).await.unwrap());
    store.note_client_use(&id(CLIENT), at(9)).await.unwrap();
    store.add_code(&new_code(grant("b", CLIENT, "42"))).await.unwrap();
    assert!(store.revoke_grant(&revocation("a")).await.unwrap());
    run(&mut shell, "ROLLBACK; BEGIN; SELECT FROM clients FOR UPDATE").await;
    // Whoever holds the client holds up what is issued to it, and no revocation.
    store.note_client_use(&id(CLIENT), at(10)).await.unwrap();
    assert!(store.revoke_grant(&revocation("b")).await.unwrap());
    let refused = store.add_code(&new_code(grant("c", CLIENT, "42"))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t5_the_note_of_a_first_use_waits_for_nobody() {
    let database = Database::postgres().await;
    let patient = migrated(&database).await;
    issued(&patient, "a", "42").await;
    let store = impatient(&database).await;
    let mut shell = session(&database).await;
    run(
        &mut shell,
        "BEGIN; SELECT FROM keyward.grant_access_tokens FOR UPDATE; SELECT FROM keyward.grant_refresh_tokens FOR UPDATE",
    )
    .await;
    let used_at = async || store.access_token(&digest("access-a")).await.unwrap().unwrap().used_at;
    store.note_first_use(&digest("access-a"), at(2)).await.unwrap();
    assert_eq!(used_at().await, None, "it was passed over");
    run(&mut shell, "ROLLBACK").await;
    store.note_first_use(&digest("access-a"), at(3)).await.unwrap();
    assert_eq!(used_at().await, Some(at(3)), "and is noted with the next one");
}

#[tokio::test(flavor = "multi_thread")]
async fn t7_no_lookup_and_no_change_fails_when_the_tables_change() {
    let database = Database::postgres().await;
    migrated(&database).await;
    let store = impatient(&database).await;
    let mut shell = session(&database).await;
    for (round, change) in [
        "SELECT 1",
        "ALTER TABLE access_tokens ALTER COLUMN token_hash TYPE varchar(300), ALTER COLUMN scopes TYPE varchar(300);
         ALTER TABLE refresh_tokens ALTER COLUMN access_token_hash TYPE varchar(300)",
        "ALTER TABLE access_tokens ADD COLUMN added integer DEFAULT 7; ALTER TABLE clients ADD COLUMN note text",
        "ALTER TABLE clients ALTER COLUMN redirect_uris TYPE varchar; REINDEX TABLE access_tokens",
        "ALTER TABLE access_tokens DROP COLUMN added, ALTER COLUMN scopes TYPE text",
        "ALTER TABLE auth_codes ALTER COLUMN redirect_uri TYPE varchar(900); DEALLOCATE ALL",
    ]
    .into_iter()
    .enumerate()
    {
        run(&mut shell, change).await;
        let name = format!("g{round}");
        let of = issued(&store, &name, "42").await;
        assert!(store.exchange(&exchange(&of, &name, &format!("{name}-2"), 2)).await.unwrap(), "{change}");
        let found = store.access_token(&digest(&format!("access-{name}-2"))).await.unwrap();
        assert!(decide_access(found, None, at(3)).is_ok(), "{change}");
        assert!(store.client(&id(CLIENT)).await.unwrap().is_some());
        assert!(store.revoke_grant(&revocation(&name)).await.unwrap(), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t9_tables_that_another_role_has_made_are_refused() {
    for (schema, table) in [("keyward", "keyward.grants"), ("front", "front.refresh_tokens")] {
        let database = Database::postgres().await;
        seeded(&database, BrokerTables::new()).await;
        let mallory = Role::new(&database, "mallory").await;
        let name = database.text("SELECT current_database()::text").await.unwrap();
        database
            .run(&format!(
                "CREATE SCHEMA IF NOT EXISTS {schema}; GRANT ALL ON SCHEMA {schema} TO {role};
                 DROP TABLE IF EXISTS {table} CASCADE; ALTER DATABASE {name} SET search_path = front, public",
                role = mallory.name
            ))
            .await;
        mallory.run(&format!("CREATE TABLE {table} ()")).await;
        let engine = database.engine().await;
        let refused = SqlGrantStore::open(engine, BrokerTables::new()).await;
        assert!(matches!(refused, Err(StoreError::Unfit(Unfit::Untrusted { .. }))), "{table}: {refused:?}");
        mallory.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_a_right_to_read_that_is_lacking_is_found_when_the_store_is_opened() {
    let database = Database::postgres().await;
    migrated(&database).await;
    let reader = Role::new(&database, "reader").await;
    reader.may_use("public").await;
    reader.may_use("keyward").await;
    SqlGrantStore::open(reader.postgres().await, BrokerTables::new()).await.unwrap();
    database.run(&format!("REVOKE ALL ON keyward.grant_codes FROM {}", reader.name)).await;
    let refused = SqlGrantStore::open(reader.postgres().await, BrokerTables::new()).await;
    assert!(
        matches!(&refused, Err(StoreError::Unfit(Unfit::Denied { object, right: "SELECT" }))
                     if object.contains("keyward.grant_codes")),
        "{refused:?}"
    );
    reader.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_each_role_can_do_what_it_is_for_and_no_more() {
    let database = Database::postgres().await;
    let owner = migrated(&database).await;
    let roles = [DatabaseRole::Verifier, DatabaseRole::Issuer, DatabaseRole::Operator];
    for (round, role) in roles.into_iter().enumerate() {
        let grantee = Role::new(&database, &role.to_string()).await;
        database.run(&BrokerTables::new().grants(role, &grantee.name, "keyward").unwrap()).await;
        let store = SqlGrantStore::open(grantee.postgres().await, BrokerTables::new()).await.unwrap();
        let (before, name) = (format!("before-{round}"), format!("g-{round}"));
        issued(&owner, &before, "42").await;
        assert!(store.access_token(&digest(&format!("access-{before}"))).await.unwrap().is_some());
        assert!(store.check().await.is_ok());
        let added = store.add_code(&new_code(grant(&format!("code-{round}"), CLIENT, "42"))).await;
        let removed = store.sweep(&SweepRequest::new(at(1), 10)).await;
        assert_eq!((added.is_ok(), removed.is_ok()), (role > DatabaseRole::Verifier, role > DatabaseRole::Issuer));
        if role > DatabaseRole::Verifier {
            let of = issued(&store, &name, "42").await;
            assert!(store.exchange(&exchange(&of, &name, &format!("{name}-2"), 2)).await.unwrap());
            store.note_first_use(&digest(&format!("access-{name}-2")), at(3)).await.unwrap();
            store.note_client_use(&id(CLIENT), at(3)).await.unwrap();
            store.register(&super::client(&name)).await.unwrap();
            assert!(store.update_client(&super::client(&name)).await.unwrap());
            assert!(store.revoke_grant(&revocation(&name)).await.unwrap());
        }
        let is_removed = store.remove_client(&id(&name), at(3)).await;
        assert_eq!(is_removed.is_ok_and(|removed| removed), role > DatabaseRole::Issuer);
        grantee.drop().await;
    }
}

/// What looks like a call and is SQL's own.
const SYNTAX: &str = "all and any array as case coalesce conflict exists from greatest in into join key not on or set values \
                      where grants clients auth_codes access_tokens refresh_tokens grant_codes grant_access_tokens \
                      grant_refresh_tokens";

#[test]
fn t13_every_function_is_called_by_its_schema() {
    let call = Regex::new(r"(?i)([\w\.]*\.)?\b([a-z_]+)\s*\(").unwrap();
    let syntax: BTreeSet<_> = SYNTAX.split_whitespace().collect();
    for statement in BrokerTables::new().statements() {
        for found in call.captures_iter(statement.postgres) {
            let is_qualified = found.get(1).is_some_and(|schema| schema.as_str() == "pg_catalog.");
            let name = found[2].to_lowercase();
            assert!(is_qualified || syntax.contains(name.as_str()), "{statement} calls {name}");
        }
    }
}

/// A neighbour's operators for every pair of types, where PostgreSQL has none of just these, and types of every name.
const TRAPS: &str = "
    CREATE SCHEMA neighbour;
    DO $do$
    DECLARE
        types text[] := string_to_array('text varchar bpchar name int2 int4 int8 numeric bool json jsonb anyelement', ' ');
        l text; r text; o text; result text;
    BEGIN
        FOREACH l IN ARRAY types LOOP
            FOREACH r IN ARRAY types LOOP
                FOREACH o IN ARRAY string_to_array('= <> < <= > >= || + -', ' ') LOOP
                    CONTINUE WHEN EXISTS (SELECT FROM pg_operator WHERE oprname = o AND oprleft = l::regtype
                                          AND oprright = r::regtype);
                    result := CASE WHEN o IN ('||', '+', '-') THEN 'text' ELSE 'bool' END;
                    EXECUTE format('CREATE FUNCTION neighbour.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L',
                                   l || ' ' || o || ' ' || r, l, r, result, 'BEGIN RETURN NULL; END');
                    EXECUTE format('CREATE OPERATOR neighbour.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = neighbour.%I)',
                                   o, l, r, l || ' ' || o || ' ' || r);
                END LOOP;
            END LOOP;
            IF l !~ '^any' THEN EXECUTE format('CREATE DOMAIN neighbour.%I AS text CHECK (false)', l); END IF;
        END LOOP;
        FOREACH l IN ARRAY string_to_array('grants grant_codes grant_access_tokens grant_refresh_tokens', ' ') LOOP
            EXECUTE format('CREATE TABLE neighbour.%I ()', l);
        END LOOP;
    END $do$;
    CREATE FUNCTION neighbour.jsonb_array_elements_text(jsonb) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL::text';";

#[tokio::test(flavor = "multi_thread")]
async fn t13_no_statement_means_anything_of_a_neighbours() {
    let database = Database::postgres().await;
    migrated(&database).await;
    // Columns as a host has them that did not write `text`.
    database
        .run(
            "DO $$ DECLARE c record; BEGIN
                FOR c IN SELECT table_name, column_name FROM information_schema.columns
                         WHERE table_schema = 'public' AND data_type = 'text'
                LOOP EXECUTE format('ALTER TABLE %I ALTER %I TYPE varchar', c.table_name, c.column_name); END LOOP;
            END $$",
        )
        .await;
    let name = database.text("SELECT current_database()::text").await.unwrap();
    database.run(TRAPS).await;
    database.run(&format!("ALTER DATABASE {name} SET search_path = neighbour, public")).await;
    let cast = Regex::new(r"\$(\d+)::(\w+)").unwrap();
    let mut found = Vec::new();
    for statement in BrokerTables::new().statements() {
        let casts = cast.captures_iter(statement.postgres);
        let casts: std::collections::BTreeMap<u32, &str> = casts
            .map(|cast| (cast[1].parse().unwrap(), if &cast[2] == "bigint" { "bigint" } else { "text" }))
            .collect();
        let arguments: Vec<_> = casts
            .values()
            .map(|kind| format!("pg_catalog.{}", if *kind == "bigint" { "int8" } else { kind }))
            .collect();
        let body = format!(
            "CREATE FUNCTION public.probe({}) RETURNS void LANGUAGE sql BEGIN ATOMIC {}; END",
            arguments.join(", "),
            statement.postgres
        );
        if let Err(error) = database.try_run(&body).await {
            found.push(format!("{statement}: {error}"));
            continue;
        }
        let meant = "SELECT coalesce(string_agg(pg_describe_object(d.refclassid, d.refobjid, 0), ', '), '')
                     FROM pg_depend d
                     WHERE d.objid OPERATOR(pg_catalog.=) (SELECT oid FROM pg_proc
                                                           WHERE proname OPERATOR(pg_catalog.=) 'probe'::pg_catalog.name)
                       AND pg_describe_object(d.refclassid, d.refobjid, 0)
                           OPERATOR(pg_catalog.~) 'neighbour|(^(operator|function) [^.]*\\()'";
        let meant = database.text(meant).await.unwrap();
        if !meant.is_empty() {
            found.push(format!("{statement}: {meant}"));
        }
        database.run("DROP FUNCTION public.probe").await;
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
