//! A transaction of somebody else's that holds rows, forgotten in some shell.

#![cfg(feature = "postgres")]

use std::time::Duration;

use keyward::Clock as _;
use keyward::key::KeyChange;
use keyward::schemas::standard::{Standard, StandardUpdate};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Postgres, Transaction};
use tokio::time::timeout;

use super::{Table, issue, owner, refusal, table, used, uses};
use crate::support::{Fixture, TestSchema};

/// Longer than anything takes that is not held up.
const LIMIT: Duration = Duration::from_secs(20);

/// Another session, in the middle of a transaction that has run `sql`.
pub(super) async fn open<S: TestSchema>(fixture: &Fixture<S>, sql: &str) -> (PgPool, Transaction<'static, Postgres>) {
    let pool = fixture.database().as_postgres().pool().await;
    let mut transaction = pool.begin().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *transaction).await.unwrap();
    (pool, transaction)
}

/// Runs the test for each of these schemas.
macro_rules! over_postgres {
    ($($test:ident: $($name:ident = $schema:ident :: $place:ident),+;)+) => {$(
        mod $test {
            use crate::support::Fixture;
            use keyward::schemas::{aggregator::Aggregator, mesh::Mesh, scraper::Scraper, standard::Standard};

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$test(Fixture::<$schema>::$place().await).await;
            })+
        }
    )+};
}

over_postgres![
    a_locked_row_stays_pending_and_every_other_one_is_written:
        standard = Standard::postgres, scraper = Scraper::postgres, mesh = Mesh::postgres,
        aggregator = Aggregator::postgres;
    an_insert_that_refers_to_a_key_holds_nothing_up:
        standard = Standard::postgres, scraper = Scraper::postgres, bare_scraper = Scraper::bare_postgres,
        mesh = Mesh::postgres, bare_mesh = Mesh::bare_postgres, aggregator = Aggregator::postgres,
        bare_aggregator = Aggregator::bare_postgres;
];

const OWNERS: [&str; 5] = ["did:plc:a", "did:plc:b", "did:plc:c", "did:plc:d", "did:plc:e"];

/// First with the first use of each key, then with another one.
async fn a_locked_row_stays_pending_and_every_other_one_is_written<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &OWNERS).await;
    let locked = &issued[2];
    let id = &locked.record.head.id;
    let Table { name, id: column, .. } = table(&fixture);
    let (name_of_uses, column_of_uses) = uses(&fixture);
    for (name, column) in [(name, column), (name_of_uses, column_of_uses)] {
        fixture.clock.advance(Duration::from_mins(1));
        let lock = format!("SELECT 1 FROM {name} WHERE {column} = '{id}' FOR UPDATE");
        let (_pool, host) = open(&fixture, &lock).await;
        for key in &issued {
            assert_eq!(refusal(&fixture.keys, key).await, None, "a locked row keeps nobody out");
        }
        let uses: Vec<_> = issued.iter().map(|key| used(&fixture, key)).collect();
        let touched = timeout(LIMIT, fixture.store().touch(&uses)).await.expect("it does not wait").unwrap();
        assert_eq!((touched.written, &touched.busy[..], &touched.refused[..]), (4, &uses[2..=2], &[][..]), "{name}");
        assert_eq!(timeout(LIMIT, fixture.keys.flush_last_used()).await.unwrap().unwrap(), 0);
        assert_eq!(fixture.keys.last_used_metrics().pending, 1, "the locked one waits");
        host.rollback().await.unwrap();
        assert_eq!(fixture.keys.flush_last_used().await.unwrap(), 1);
        let head = fixture.keys.get(id).await.unwrap().unwrap().head;
        assert_eq!(head.last_used_at, Some(fixture.clock.now()));
    }
}

async fn an_insert_that_refers_to_a_key_holds_nothing_up<S: TestSchema>(fixture: Fixture<S>) {
    let several = fixture.store().abilities().several_keys_per_owner;
    let owners = if several { ["did:plc:a"; 5] } else { OWNERS };
    let issued = issue(&fixture, &owners).await;
    let Table { name, id, .. } = table(&fixture);
    let parent = if S::NAME == "mesh" { "REFERENCES mesh.mesh (id)" } else { "" };
    fixture
        .database()
        .run(&format!(
            "CREATE TABLE calls AS SELECT {id} AS key_id, text 'x' AS parent FROM {name} WHERE false;
             ALTER TABLE calls ADD FOREIGN KEY (key_id) REFERENCES {name} ({id}) ON UPDATE CASCADE ON DELETE CASCADE"
        ))
        .await;
    if !parent.is_empty() {
        fixture.database().run(&format!("ALTER TABLE calls ADD FOREIGN KEY (parent) {parent}")).await;
    }
    let insert = format!("INSERT INTO calls SELECT {id}, 'did:plc:a' FROM {name}");
    let (_pool, host) = open(&fixture, &insert).await;

    let held_up = "an insert that only refers to it holds it up";
    let [used_key, rotated, revoked, ..] = &issued[..] else { panic!("five keys") };
    let written = timeout(LIMIT, fixture.store().touch(&[used(&fixture, used_key)])).await.expect(held_up).unwrap();
    assert_eq!(written.written, 1);
    // A replaced digest changes a column to which other tables could refer, and so locks the row as a deletion does.
    if several {
        let rotation = fixture.keys.rotate(&rotated.record.head.id, Duration::from_secs(9), None);
        timeout(LIMIT, rotation).await.expect(held_up).unwrap();
    }
    timeout(LIMIT, fixture.keys.revoke(&revoked.record.head.id, None)).await.expect(held_up).unwrap();
    for name in OWNERS {
        timeout(LIMIT, fixture.keys.revoke_all(&owner(name), None)).await.expect(held_up).unwrap();
    }
    for key in &issued {
        assert!(refusal(&fixture.keys, key).await.is_some());
    }
    host.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_that_refers_to_a_key_holds_no_change_up() {
    let fixture = Fixture::<Standard>::postgres().await;
    let [issued] = &issue(&fixture, &["acme"]).await[..] else { panic!("one key") };
    fixture.database().run("CREATE TABLE calls (key_id text REFERENCES keyward.keys (id))").await;
    let (_pool, host) = open(&fixture, "INSERT INTO calls SELECT id FROM keyward.keys").await;
    let update = StandardUpdate::new().scopes([]);
    let change = KeyChange::update(&issued.record, update, None, fixture.clock.now()).unwrap().unwrap();
    timeout(LIMIT, fixture.store().change(&change)).await.expect("it is held up").unwrap();
    host.commit().await.unwrap();
}
