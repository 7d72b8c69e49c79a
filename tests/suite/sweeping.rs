//! Sweeping very many rows that nobody can use any more: in short transactions, and no refresh token that is good is lost.
//!
//! `KEYWARD_SWEPT_ROWS=100000 cargo test --all-features --test suite -- sweeping --nocapture` does it with more rows.

use std::time::Duration;

use keyward::broker::TokenDigest;
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::store::grants::{GrantStore as _, SweepRequest, Swept};
use keyward::{Engine, Timestamp};
use tokio::time::Instant;

use crate::support::Database;

/// 2030-01-01T00:00:00Z, in seconds.
const NOW: i64 = 1_893_456_000;
/// How many rows of each kind are removed at once.
const AT_ONCE: u32 = 1_000;
/// Grants whose access token has expired and whose refresh token is good.
const IDLE: i64 = 2_000;
/// So often one grant was refreshed that is forgotten now.
const REFRESHES: i64 = 10_000;
/// Much longer than a transaction takes that removes so few rows, on a machine that has other things to do.
const BOUND: Duration = Duration::from_secs(5);

const fn now() -> Timestamp {
    Timestamp::from_micros(NOW * 1_000_000)
}

/// The numbers from 1 to `count`, as a table `numbers (n)`.
fn numbers(is_postgres: bool, count: i64) -> String {
    if is_postgres {
        format!("(SELECT generate_series(1, {count}) AS n) AS numbers")
    } else {
        format!(
            "(WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {count})
              SELECT n FROM counted) AS numbers"
        )
    }
}

/// So many grants `<kind>-<n>`, each with an access token that has expired and a refresh token that ends at `refresh_end`.
fn grants(is_postgres: bool, kind: &str, count: i64, refresh_end: i64) -> String {
    let own = if is_postgres { "keyward." } else { "keyward_" };
    let (numbers, past) = (numbers(is_postgres, count), NOW - 10);
    format!(
        "INSERT INTO {own}grants (id, client_id, subject, scopes, created_at, remembered_until)
         SELECT '{kind}-' || n, 'client', 'ada', 'read', 1, {refresh_end} FROM {numbers};
         INSERT INTO {own}grant_codes (digest, grant_id, redirect_uri, expires_at, spent_at)
         SELECT '{kind}-code-' || n, '{kind}-' || n, 'https://app.example', 2, 1 FROM {numbers};
         INSERT INTO {own}grant_access_tokens (digest, grant_id)
         SELECT '{kind}-access-' || n, '{kind}-' || n FROM {numbers};
         INSERT INTO {own}grant_refresh_tokens (digest, grant_id)
         SELECT '{kind}-refresh-' || n, '{kind}-' || n FROM {numbers};
         INSERT INTO auth_codes (code, client_id, redirect_uri, code_challenge, code_challenge_method, scopes,
             forgejo_access_token, forgejo_token_expires_at, forgejo_user_id, forgejo_username, expires_at, used_at)
         SELECT '{kind}-code-' || n, 'client', 'https://app.example', 'c', 'S256', 'read', '', 0, 1, 'ada', 2, 1 FROM {numbers};
         INSERT INTO access_tokens (token_hash, client_id, forgejo_user_id, forgejo_username, scopes, forgejo_access_token,
             forgejo_token_expires_at, expires_at, created_at)
         SELECT '{kind}-access-' || n, 'client', 1, 'ada', 'read', '', 0, {past}, 1 FROM {numbers};
         INSERT INTO refresh_tokens (token_hash, access_token_hash, client_id, expires_at, created_at)
         SELECT '{kind}-refresh-' || n, '{kind}-access-' || n, 'client', {refresh_end}, 1 FROM {numbers};"
    )
}

/// One grant that was refreshed very often, and is good no longer.
fn refreshed_often(is_postgres: bool) -> String {
    let own = if is_postgres { "keyward." } else { "keyward_" };
    let (numbers, past) = (numbers(is_postgres, REFRESHES), NOW - 5);
    format!(
        "INSERT INTO {own}grants (id, client_id, subject, scopes, created_at, remembered_until)
         VALUES ('often', 'client', 'ada', 'read', 1, {past});
         INSERT INTO {own}grant_refresh_tokens (digest, grant_id, spent_at)
         SELECT 'often-' || n, 'often', 1 FROM {numbers};"
    )
}

async fn sweeps_in_short_transactions(database: Database) {
    let rows = std::env::var("KEYWARD_SWEPT_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(10_000);
    let engine: Engine = database.engine().await;
    let store = SqlGrantStore::open(engine, BrokerTables::new()).await.unwrap();
    store.migrate(now()).await.unwrap();
    let is_postgres = database.is_postgres();
    let fill = [
        "INSERT INTO clients (client_id, redirect_uris, created_at) VALUES ('client', '[\"https://app.example\"]', 1);"
            .to_owned(),
        grants(is_postgres, "dead", rows, NOW - 1),
        grants(is_postgres, "idle", IDLE, NOW + 1_000),
        refreshed_often(is_postgres),
        if is_postgres { "ANALYZE".to_owned() } else { String::new() },
    ];
    database.run(&fill.concat()).await;

    let (mut swept, mut longest, mut calls) = (Swept::default(), Duration::ZERO, 0);
    let began = Instant::now();
    loop {
        let start = Instant::now();
        let more = store.sweep(&SweepRequest::new(now(), AT_ONCE)).await.unwrap();
        longest = longest.max(start.elapsed());
        calls += 1;
        swept += more;
        if more.most() < u64::from(AT_ONCE) {
            break;
        }
    }
    #[expect(clippy::print_stdout, reason = "it is a measurement, which `--nocapture` shows")]
    {
        println!(
            "{rows} grants, postgres {is_postgres}: {swept:?} in {:?}, {calls} calls, the longest {longest:?}",
            began.elapsed()
        );
    }
    assert!(longest < BOUND, "{longest:?}");
    let rows = u64::try_from(rows).unwrap();
    assert_eq!(swept.grants, rows + 1);

    // What is good is there, and the access token with it that it refers to.
    for table in ["refresh_tokens", "access_tokens"] {
        let left = database.text(&format!("SELECT CAST(count(*) AS text) FROM {table}")).await;
        assert_eq!(left, Some(IDLE.to_string()), "{table}");
    }
    for table in ["grants", "grant_codes", "grant_refresh_tokens"] {
        let left = database.text(&format!("SELECT CAST(count(*) AS text) FROM {}", database.own_table(table))).await;
        assert_eq!(left, Some(IDLE.to_string()), "{table}");
    }
    assert!(store.refresh_token(&TokenDigest::of("none")).await.unwrap().is_none());
    assert_eq!(store.sweep(&SweepRequest::new(now(), AT_ONCE)).await.unwrap(), Swept::default());
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_rows_are_swept_in_short_transactions_on_sqlite() {
    sweeps_in_short_transactions(Database::sqlite()).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_rows_are_swept_in_short_transactions_on_postgres() {
    sweeps_in_short_transactions(Database::postgres().await).await;
}
