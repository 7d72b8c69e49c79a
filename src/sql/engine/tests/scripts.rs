//! Scripts: together or not at all, one after the other, with the caller's own error.

use tokio::task::JoinSet;

use super::{batch, both, count, on_each, statement};
use crate::sql::engine::{
    Cell, EngineError, Query, Reading, Row, Script, ScriptError, Sql, Statement, Step, ViolationKind,
};

static ALL: Query = Query::new(both("SELECT id FROM parents ORDER BY id"), &["id"]);

const TABLES: (&str, &str) = (
    "CREATE TABLE parents (id bigint PRIMARY KEY, name text NOT NULL, CONSTRAINT parents_name_check CHECK (name <> ''));
     CREATE UNIQUE INDEX parents_name ON parents (name);
     CREATE TABLE children (id bigint PRIMARY KEY, parent bigint CONSTRAINT children_parent REFERENCES parents (id));
     INSERT INTO parents VALUES (1, 'one');",
    "CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT NOT NULL, CONSTRAINT parents_name_check CHECK (name <> ''));
     CREATE UNIQUE INDEX parents_name ON parents (name);
     CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents (id));
     INSERT INTO parents VALUES (1, 'one');",
);

#[derive(Debug, PartialEq)]
enum Mine {
    Gone,
    Taken,
}

fn id(row: &Row<'_>) -> i64 {
    match row.cell(0) {
        Cell::Integer(id) => id,
        cell => panic!("{cell:?}"),
    }
}

const ADD_TWO: &str = "INSERT INTO parents (id, name) VALUES (2, 'two')";

#[tokio::test]
async fn a_step_that_ends_its_script_gives_back_the_callers_error_and_undoes_the_rest() {
    on_each(|engine| async move {
        batch(&engine, TABLES.0, TABLES.1).await;
        let none = || statement("SELECT id FROM parents WHERE id = 99");
        let one = || statement("SELECT id FROM parents WHERE id = 1");

        let missing = [Step::run(statement(ADD_TWO)), Step::require(none(), Mine::Gone)];
        let error = engine.run(Script::new(missing)).await.unwrap_err();
        assert!(matches!(error, ScriptError::Refused(Mine::Gone)), "{error:?}");

        let taken = [Step::run(statement(ADD_TWO)), Step::refuse(one(), Mine::Taken)];
        let error = engine.run(Script::locked("a", taken)).await.unwrap_err();
        assert!(matches!(error, ScriptError::Refused(Mine::Taken)), "{error:?}");
        assert_eq!(count(&engine, &ALL).await, 1);

        let fine = [
            Step::count("added", statement(ADD_TWO)),
            Step::batch(both("INSERT INTO parents (id, name) VALUES (3, 'three')")),
            Step::require(one(), Mine::Gone),
            Step::refuse(none(), Mine::Taken),
            Step::count("renamed", statement("UPDATE parents SET name = 'was ' || name RETURNING id")),
            Step::count("renamed", one()),
        ];
        let (returned, read) = engine.run_and_read(Script::new(fine), Reading::new(&ALL, [], id)).await.unwrap();
        assert_eq!(["added", "renamed", "removed"].map(|name| returned.of(name)), [0, 4, 0]);
        assert_eq!(read, [1, 2, 3]);
    })
    .await;
}

#[tokio::test]
async fn a_constraint_is_named_and_no_value_is_shown() {
    let cases = [
        ("INSERT INTO parents VALUES (8, 'one')", ViolationKind::Unique, Some("parents_name"), Some("parents.name")),
        ("INSERT INTO parents VALUES (1, 'x')", ViolationKind::Unique, Some("parents_pkey"), Some("parents.id")),
        (
            "INSERT INTO parents VALUES (8, '')",
            ViolationKind::Check,
            Some("parents_name_check"),
            Some("parents_name_check"),
        ),
        ("INSERT INTO parents (id) VALUES (8)", ViolationKind::NotNull, Some("parents.name"), Some("parents.name")),
        ("INSERT INTO children VALUES (8, 77)", ViolationKind::ForeignKey, Some("children_parent"), None),
    ];
    on_each(|engine| async move {
        batch(&engine, TABLES.0, TABLES.1).await;
        for (sql, kind, on_postgres, on_sqlite) in cases {
            let error = engine.execute(statement(sql)).await.unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("77") && !shown.contains("'one'"), "{shown}");
            let EngineError::Violation(violation) = error else { panic!("{shown}") };
            let expected = [on_postgres, on_sqlite].contains(&violation.constraint.as_deref());
            assert!(violation.kind == kind && expected, "{violation:?}");
        }
        let error = engine.run(Script::<()>::new([Step::run(statement(cases[0].0))])).await.unwrap_err();
        assert!(matches!(error, ScriptError::Engine(EngineError::Violation(_))), "{error:?}");
        assert!(matches!(engine.execute(statement("SELEKT")).await, Err(EngineError::Failed { .. })));
    })
    .await;
}

#[tokio::test]
async fn scripts_with_the_same_lock_take_turns() {
    const NEXT: Sql = both("INSERT INTO parents (id, name) SELECT max(id) + 1, 'n' || (max(id) + 1) FROM parents");

    on_each(|engine| async move {
        batch(&engine, TABLES.0, TABLES.1).await;
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let engine = engine.clone();
            tasks.spawn(async move {
                let steps = [Step::run(Statement::new(NEXT, [])), Step::run(Statement::new(NEXT, []))];
                engine.run(Script::<Mine>::locked("parents", steps)).await.unwrap();
            });
        }
        tasks.join_all().await;
        assert_eq!(engine.read(&ALL, &[], id).await.unwrap(), (1..=17).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_panic_while_reading_undoes_the_script_and_leaves_the_engine_working() {
    on_each(|engine| async move {
        batch(&engine, TABLES.0, TABLES.1).await;
        let mut tasks = JoinSet::new();
        let same = engine.clone();
        tasks.spawn(async move {
            let script = Script::<Mine>::new([Step::run(statement(ADD_TWO))]);
            let outcome = same.run_and_read(script, Reading::new(&ALL, [], |_| -> () { panic!("on purpose") })).await;
            assert!(matches!(outcome, Err(ScriptError::Engine(EngineError::Failed { .. }))));
        });
        let same = engine.clone();
        tasks.spawn(async move {
            let _ = same.read(&ALL, &[], |_| -> () { panic!("on purpose") }).await;
        });
        // On PostgreSQL the panic reaches the caller; on SQLite's thread it becomes an error.
        while tasks.join_next().await.is_some() {}
        for _ in 0..20 {
            assert_eq!(count(&engine, &ALL).await, 1);
        }
        engine.execute(statement(ADD_TWO)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_condition_that_is_not_met_ends_a_script_quietly_and_what_came_before_stays() {
    on_each(|engine| async move {
        batch(&engine, TABLES.0, TABLES.1).await;
        let steps = |condition| -> [Step<Mine>; 3] {
            [
                Step::run(statement(
                    "INSERT INTO parents (id, name) VALUES (5, 'five') ON CONFLICT DO NOTHING RETURNING 1",
                )),
                Step::only_if(statement(condition)),
                Step::run(statement(ADD_TWO)),
            ]
        };
        let script = Script::new(steps("SELECT id FROM parents WHERE id = 99"));
        let (returned, read) = engine.run_and_read(script, Reading::new(&ALL, [], id)).await.unwrap();
        assert_eq!((returned.is_complete(), read), (false, vec![1, 5]), "it is read after it all the same");
        let (returned, read) = engine
            .run_and_read(Script::new(steps("SELECT id FROM parents WHERE id = 1")), Reading::new(&ALL, [], id))
            .await
            .unwrap();
        assert_eq!((returned.is_complete(), read), (true, vec![1, 2, 5]));
    })
    .await;
}
