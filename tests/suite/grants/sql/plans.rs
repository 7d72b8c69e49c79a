//! What the statements cost where there is a lot: they find their rows by indexes.

use keyward::sql::{BrokerTables, StatementText};
use keyward::store::grants::{GrantStore as _, SweepRequest};

use super::{EPOCH, at, digest, issued, migrated, on_both_engines};
use crate::support::Database;

on_both_engines![with_a_hundred_thousand_rows_indexes_are_used];

/// 100,000 grants with their tokens, of which every tenth has ended.
async fn fill(database: &Database) {
    let numbers = database.dialect(
        "SELECT n FROM generate_series(1, 100000) AS numbers (n)",
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000) SELECT n FROM numbers",
    );
    let own = |name| database.own_table(name);
    let end = format!("{EPOCH} + CASE WHEN n % 10 = 0 THEN 60 ELSE 8640000 END");
    let rows = [
        format!("{} (id, client_id, subject, scopes, created_at, remembered_until)
                 SELECT 'grant-' || n, 'client-1', 'person-' || (n % 1000), 'read', {EPOCH}, {end}", own("grants")),
        format!("access_tokens (token_hash, client_id, forgejo_user_id, forgejo_username, scopes, forgejo_access_token,
                                forgejo_token_expires_at, expires_at, created_at)
                 SELECT 'access-' || n, 'client-1', n, '', 'read', '', 0, {EPOCH} + 60, {EPOCH}"),
        format!("refresh_tokens (token_hash, access_token_hash, client_id, expires_at, created_at)
                 SELECT 'refresh-' || n, 'access-' || n, 'client-1', {end}, {EPOCH}"),
        format!("{} (digest, grant_id) SELECT 'access-' || n, 'grant-' || n", own("grant_access_tokens")),
        format!("{} (digest, grant_id) SELECT 'refresh-' || n, 'grant-' || n", own("grant_refresh_tokens")),
        format!("{} (digest, grant_id, redirect_uri, expires_at)
                 SELECT 'code-' || n, 'grant-' || n, '', {EPOCH}", own("grant_codes")),
        format!("auth_codes (code, client_id, redirect_uri, code_challenge, code_challenge_method, scopes,
                             forgejo_access_token, forgejo_token_expires_at, forgejo_user_id, forgejo_username, expires_at)
                 SELECT 'code-' || n, 'client-1', '', '', 'S256', '', '', 0, n, '', {end}"),
    ];
    let rows: Vec<_> = rows.iter().map(|row| format!("INSERT INTO {row} FROM ({numbers}) AS numbers;")).collect();
    database.run(&format!("BEGIN; {} COMMIT; ANALYZE", rows.concat())).await;
}

async fn with_a_hundred_thousand_rows_indexes_are_used(database: Database) {
    let store = migrated(&database).await;
    fill(&database).await;
    issued(&store, "g", "42").await;
    for statement in BrokerTables::new().statements() {
        // These look at all grants, in their order, or at every token of another program's.
        let goes_through = matches!(statement.name.as_str(), "grants" | "live" | "clients");
        let is_foreign = statement.name.contains("foreign");
        // There is one client, and a scan of one row is the best plan.
        let is_of_clients = statement.name.contains("client") && !statement.name.contains("revoke");
        if goes_through || is_foreign || is_of_clients {
            continue;
        }
        let plan = plan(&database, &statement).await;
        let scans = |line: &&String| {
            let line = line.trim_start().trim_start_matches("->").trim_start();
            let is_small = line.contains(" json_each")
                || line.contains(" clients")
                || line.contains(" k ")
                || line.ends_with(" k")
                || line == "SCAN q";
            (line.starts_with("Seq Scan") || line.starts_with("SCAN "))
                && !line.contains("USING")
                && !is_small
                && !line.starts_with("SCAN CONSTANT")
        };
        let scanned: Vec<_> = plan.iter().filter(scans).collect();
        assert!(scanned.is_empty(), "{statement}: {scanned:?} of {plan:#?}");
    }
    let began = tokio::time::Instant::now();
    for _ in 0..4 {
        let swept = store.sweep(&SweepRequest::new(at(700), 500)).await.unwrap();
        assert_eq!((swept.codes, swept.refresh_tokens, swept.access_tokens), (500, 500, 500));
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(store.access_token(&digest("access-g")).await.unwrap().is_some());
}

/// How the engine would run a statement with arguments that it does not know yet.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "only a server is waited for"))]
async fn plan(database: &Database, statement: &StatementText) -> Vec<String> {
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(database) => {
            let connection = database.connection();
            let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sqlite)).unwrap();
            let mut rows = explained.raw_query();
            let mut plan = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                plan.push(row.get::<_, String>(3).unwrap());
            }
            plan
        }
        #[cfg(feature = "postgres")]
        Database::Postgres(database) => {
            use sqlx::Row as _;

            let postgres = statement.postgres;
            let pool = database.small_pool(1).await;
            let mut connection = pool.acquire().await.unwrap();
            let arguments = (1..100).take_while(|number| postgres.contains(&format!("${number}"))).count();
            let run = format!("EXPLAIN EXECUTE looked_at({})", vec!["NULL"; arguments].join(", "));
            let prepare = format!("SET plan_cache_mode = force_generic_plan; PREPARE looked_at AS {postgres}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
            let run = if arguments == 0 { run.replace("()", "") } else { run };
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(run)).fetch_all(&mut *connection).await.unwrap();
            let lines = rows.iter().map(|row| row.get::<String, _>(0)).collect();
            drop(connection);
            pool.close().await;
            lines
        }
    }
}
