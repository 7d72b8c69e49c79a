//! What goes into a database comes out again.

use std::borrow::Cow;

use super::{batch, both, on_each};
use crate::sql::engine::{Cell, EngineError, Query, Row, Sql, Statement, Value};
use crate::time::Timestamp;

const INSERT: Sql = Sql {
    postgres: "INSERT INTO things (number, body, raw, at) VALUES ($1, $2, $3, $4)",
    sqlite: "INSERT INTO things (number, body, raw, at) VALUES (?1, ?2, ?3, ?4)",
};

/// The row in which all four values stand; NULL is NULL here.
static FIND: Query = Query::new(
    Sql {
        postgres: "SELECT number, body, raw, at FROM things WHERE number IS NOT DISTINCT FROM $1
                   AND body IS NOT DISTINCT FROM $2 AND raw IS NOT DISTINCT FROM $3 AND at IS NOT DISTINCT FROM $4",
        sqlite: "SELECT number, body, raw, at FROM things WHERE number IS ?1 AND body IS ?2 AND raw IS ?3 AND at IS ?4",
    },
    &["number", "body", "raw", "at"],
);

fn owned(row: &Row<'_>) -> [Value<'static>; 4] {
    let number = match row.cell(0) {
        Cell::Integer(number) => Some(number),
        cell => none(cell),
    };
    let body = row.cell(1).as_text().map(|text| Cow::Owned(text.to_owned())).or_else(|| none(row.cell(1)));
    let raw = match row.cell(2) {
        Cell::Bytes(bytes) => Some(Cow::Owned(bytes.to_vec())),
        cell => none(cell),
    };
    let at = row.cell(3).timestamp().unwrap();
    [Value::Integer(number), Value::Text(body), Value::Bytes(raw), Value::Timestamp(at)]
}

fn none<T>(cell: Cell<'_>) -> Option<T> {
    assert_eq!(cell, Cell::Null);
    None
}

const CREATE: (&str, &str) = (
    "CREATE TABLE things (number bigint, body text, raw bytea, at timestamp)",
    "CREATE TABLE things (number INTEGER, body TEXT, raw BLOB, at TIMESTAMP)",
);

#[tokio::test]
async fn values_of_every_kind_come_back_as_they_were() {
    on_each(|engine| async move {
        batch(&engine, CREATE.0, CREATE.1).await;
        let texts = ["", "a 'quoted' \"text\"", "schlüssel \u{1f511}"];
        let bytes: [&[u8]; 3] = [b"", b"\0\xff\x80'", &[7; 1_000]];
        let instants = [Timestamp::MIN, Timestamp::MAX, Timestamp::from_micros(1_893_585_600_000_001)];
        let mut rows: Vec<[Value<'_>; 4]> =
            vec![[None::<i64>.into(), None::<&str>.into(), Value::Bytes(None), None::<Timestamp>.into()]];
        for (place, number) in [0, i64::MIN, i64::MAX].into_iter().enumerate() {
            rows.push([number.into(), texts[place].into(), bytes[place].into(), instants[place].into()]);
        }
        for row in rows {
            let arguments: Vec<_> = row.iter().cloned().map(Value::into_owned).collect();
            assert_eq!(engine.execute(Statement::new(INSERT, arguments)).await.unwrap(), 1);
            assert_eq!(engine.read(&FIND, &row, owned).await.unwrap(), [row]);
        }
    })
    .await;
}

#[tokio::test]
async fn the_order_of_a_text_does_not_matter_to_its_reader() {
    static FORWARDS: Query = Query::new(both("SELECT number, body FROM things"), &["number", "body"]);
    static BACKWARDS: Query = Query::new(both("SELECT body, 1 AS other, number FROM things"), &["number", "body"]);
    static LACKING: Query = Query::new(both("SELECT body, 1 AS other FROM things"), &["number", "body"]);

    fn pair(row: &Row<'_>) -> (Option<i64>, Option<String>) {
        let Cell::Integer(number) = row.cell(0) else { return (None, None) };
        assert_eq!(row.cell(2), Cell::Unreadable, "there are but two columns");
        (Some(number), row.cell(1).as_text().map(str::to_owned))
    }

    on_each(|engine| async move {
        batch(&engine, CREATE.0, CREATE.1).await;
        let row = [7.into(), "seven".into(), Value::Bytes(None), Value::Timestamp(None)];
        engine.execute(Statement::new(INSERT, row)).await.unwrap();
        for query in [&FORWARDS, &BACKWARDS, &FORWARDS] {
            let read = engine.read(query, &[], pair).await.unwrap();
            assert_eq!(read, [(Some(7), Some("seven".to_owned()))]);
        }
        let error = engine.read(&LACKING, &[], pair).await.unwrap_err();
        let EngineError::Failed { source, .. } = error else { panic!("{error}") };
        assert!(source.to_string().contains("does not return the column number"), "{source}");
    })
    .await;
}

#[tokio::test]
async fn what_is_of_another_type_is_unreadable_and_no_error() {
    static ODD: Query = Query::new(both("SELECT 1.5 AS odd"), &["odd"]);

    on_each(|engine| async move {
        let read = engine.read(&ODD, &[], |row| row.cell(0) == Cell::Unreadable).await.unwrap();
        assert_eq!(read, [true]);
    })
    .await;
}

#[tokio::test]
async fn a_statement_with_too_few_arguments_fails_and_does_not_read_null() {
    static NEEDY: Query =
        Query::new(Sql { postgres: "SELECT 1 WHERE $1::text IS NULL", sqlite: "SELECT 1 WHERE ?1 IS NULL" }, &[]);

    on_each(|engine| async move {
        assert!(engine.read(&NEEDY, &[], |_| ()).await.is_err());
        assert_eq!(engine.read(&NEEDY, &[None::<&str>.into()], |_| ()).await.unwrap().len(), 1);
    })
    .await;
}
