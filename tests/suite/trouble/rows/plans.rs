//! What a lookup costs: a hundred thousand rows with one display prefix reach no client, and indexes are used.

use keyward::key::{KeyDigest, RefusalReason};
use keyward::schemas::mesh::Mesh;
use keyward::sql::SqlSchema;

use super::OWNER;
use crate::support::{Database, Fixture, TestSchema, over, over_every_schema};

over![every_engine of Mesh: of_a_hundred_thousand_rows_with_one_prefix_only_the_right_one_is_read];
over_every_schema![every_engine: one_key_is_found_by_an_index];

/// The text of a statement for the engine of `database`.
fn statement<S: SqlSchema>(database: &Database, name: &str) -> &'static str {
    let found = S::statements().into_iter().find(|statement| statement.name == name).unwrap();
    database.dialect(found.postgres, found.sqlite)
}

async fn of_a_hundred_thousand_rows_with_one_prefix_only_the_right_one_is_read(fixture: Fixture<Mesh>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    let prefix = issued.record.head.prefix.as_str();
    let columns = "(id, mesh_id, label, secret_hash, secret_prefix, capabilities)";
    let postgres = format!(
        "INSERT INTO mesh.api_key {columns}
         SELECT 'id' || n, '{OWNER}', 'twin', encode(sha256(n::text::bytea), 'hex'), '{prefix}', '[\"admin\"]'
         FROM generate_series(1, 100000) n"
    );
    let sqlite = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
         INSERT INTO api_key {columns}
         SELECT 'id' || n, '{OWNER}', 'twin', printf('%064x', n), '{prefix}', '[\"admin\"]' FROM numbers"
    );
    fixture.database().run(fixture.database().dialect(&postgres, &sqlite)).await;

    let key = issued.secret.expose_secret();
    // A guess with the right prefix and another end.
    let guess = format!("{}{}", &key[..key.len() - 4], if key.ends_with("AAAA") { "BBBB" } else { "AAAA" });
    let refusal = fixture.keys.verify(&guess).await.unwrap_err();
    assert!(matches!(refusal.reason(), RefusalReason::Unknown | RefusalReason::Malformed(_)), "{refusal:?}");
    assert_eq!(fixture.keys.verify(key).await.unwrap().record().as_ref(), &issued.record);
    for (presented, expected) in [(key, 1), (guess.as_str(), 0)] {
        let digest = KeyDigest::of(presented).to_hex();
        let rows =
            returned(fixture.database(), statement::<Mesh>(fixture.database(), "find"), [prefix, digest.as_str()]);
        assert_eq!(rows.await, expected, "rows that the database sends");
    }
}

/// How many rows a query sends.
async fn returned(database: &Database, query: &'static str, arguments: [&str; 2]) -> usize {
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(database) => {
            let connection = database.connection();
            let mut query = connection.prepare(query).unwrap();
            query.query_map(arguments, |_| Ok(())).unwrap().count()
        }
        #[cfg(feature = "postgres")]
        Database::Postgres(database) => {
            let query = sqlx::query(query).bind(arguments[0].to_owned()).bind(arguments[1].to_owned());
            query.fetch_all(&database.pool().await).await.unwrap().len()
        }
    }
}

/// Columns that are compared as texts, and letter for letter, are still found by the host's own indexes.
async fn one_key_is_found_by_an_index<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    fixture.issue(OWNER).await;
    let mut looked_at = 0;
    for name in ["find", "get", "retire", "succeed", "replace", "owner", "issuer", "issuer of a key"] {
        let Some(found) = S::statements().into_iter().find(|statement| statement.name == name) else { continue };
        let plan = plan(fixture.database(), found.postgres, found.sqlite).await;
        let scans = plan.iter().any(|line| line.contains("Seq Scan") || line.trim_start().starts_with("SCAN"));
        assert!(!scans, "{name}: {plan:#?}");
        looked_at += 1;
    }
    assert!(looked_at >= 4, "{looked_at}");
}

/// How the engine would run a statement with arguments that it does not know yet.
async fn plan(database: &Database, postgres: &'static str, sqlite: &'static str) -> Vec<String> {
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(database) => {
            let connection = database.connection();
            let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sqlite}")).unwrap();
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

            let pool = database.pool().await;
            let mut connection = pool.acquire().await.unwrap();
            let arguments = (1..100).take_while(|number| postgres.contains(&format!("${number}"))).count();
            let run = format!("EXPLAIN EXECUTE looked_at({})", vec!["NULL"; arguments].join(", "));
            let prepare = format!(
                "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; PREPARE looked_at AS {postgres}"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(run)).fetch_all(&mut *connection).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>(0)).collect()
        }
    }
}
