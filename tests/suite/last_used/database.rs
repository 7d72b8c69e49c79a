//! What arrives where nobody can pretend, in triggers of the database, and a database that takes no last use.

#![cfg(any(feature = "sqlite", feature = "postgres"))]

use keyward::Clock as _;
use keyward::service::DEFAULT_INTERVAL;

use super::writes::use_a_hundred_times;
use super::{builder, issue, last_used, metrics, use_once};
use crate::support::{Fixture, TestSchema, over_schemas};

over_schemas![
    every_database of [standard::Standard, scraper::Scraper]:
    the_database_itself_sees_one_statement_and_ten_rows,
    a_database_that_cannot_be_written_delays_and_fails_no_verification,
];

/// Where last use is written: the table, and what is done to its rows.
fn target<S: TestSchema>(fixture: &Fixture<S>) -> (String, &'static [&'static str]) {
    match S::NAME {
        "scraper" => ("api_keys".to_owned(), &["UPDATE"]),
        _ => (fixture.database().own_table("key_uses"), &["INSERT", "UPDATE"]),
    }
}

/// Has the database count from now on what is written of last use.
pub(super) async fn count_writes<S: TestSchema>(fixture: &Fixture<S>) {
    let (table, events) = target(fixture);
    // PostgreSQL counts a statement that may do either as both; it is one that begins with the first. SQLite has no
    // triggers for statements.
    let (either, first) = (events.join(" OR "), events[0]);
    let postgres = format!(
        "CREATE TABLE writes (what text NOT NULL);
         CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO writes VALUES (TG_ARGV[0]); RETURN NULL; END $$;
         CREATE TRIGGER count_rows AFTER {either} ON {table} FOR EACH ROW EXECUTE FUNCTION count_write('row');
         CREATE TRIGGER count_statements AFTER {first} ON {table}
             FOR EACH STATEMENT EXECUTE FUNCTION count_write('statement');"
    );
    let trigger = |event| {
        format!("CREATE TRIGGER {event}s AFTER {event} ON {table} BEGIN INSERT INTO writes VALUES ('row'); END;")
    };
    let triggers: String = events.iter().map(trigger).collect();
    let sqlite = format!("CREATE TABLE writes (what TEXT NOT NULL); {triggers}");
    fixture.database().run(fixture.database().dialect(&postgres, &sqlite)).await;
}

/// How many statements the database has counted, zero on SQLite, and how many rows.
pub(super) async fn counted<S: TestSchema>(fixture: &Fixture<S>) -> (u64, u64) {
    let count = async |what| {
        let sql = format!("SELECT CAST(count(*) AS varchar(9)) FROM writes WHERE what = '{what}'");
        fixture.database().text(&sql).await.unwrap().parse().unwrap()
    };
    (count("statement").await, count("row").await)
}

async fn the_database_itself_sees_one_statement_and_ten_rows<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, 10).await;
    count_writes(&fixture).await;
    let keys = builder(&fixture, fixture.store().clone()).build();
    for interval in 1..=3 {
        use_a_hundred_times(&keys, &issued).await;
        assert_eq!(counted(&fixture).await.1, (interval - 1) * 10, "a verification writes nothing");
        assert_eq!(keys.flush_last_used().await.unwrap(), 10);
        assert_eq!(keys.flush_last_used().await.unwrap(), 0);
        let statements = if fixture.database().is_postgres() { interval } else { 0 };
        assert_eq!(counted(&fixture).await, (statements, interval * 10));
        fixture.clock.advance(DEFAULT_INTERVAL);
    }
}

async fn a_database_that_cannot_be_written_delays_and_fails_no_verification<S: TestSchema>(fixture: Fixture<S>) {
    let (table, events) = target(&fixture);
    let event = events[0];
    let postgres = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'no last use today'; END $$;
         CREATE TRIGGER refuse_last_use BEFORE {event} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse();"
    );
    let sqlite = format!(
        "CREATE TRIGGER refuse_last_use BEFORE {event} ON {table}
             BEGIN SELECT RAISE(ABORT, 'no last use today'); END;"
    );
    let keys = builder(&fixture, fixture.store().clone()).build();
    let issued = issue(&fixture, 3).await;
    fixture.database().run(fixture.database().dialect(&postgres, &sqlite)).await;
    for failures in 1..=2 {
        for key in &issued {
            use_once(&keys, key).await;
        }
        keys.flush_last_used().await.unwrap_err();
        assert_eq!(metrics(&keys), (3, 0, failures));
    }
    let allow = format!("DROP TRIGGER refuse_last_use ON {table}");
    fixture.database().run(fixture.database().dialect(&allow, "DROP TRIGGER refuse_last_use")).await;
    assert_eq!(keys.flush_last_used().await.unwrap(), 3);
    assert_eq!(metrics(&keys), (0, 0, 2));
    for key in &issued {
        assert_eq!(last_used(&fixture, key).await, Some(fixture.clock.now()));
    }
}
