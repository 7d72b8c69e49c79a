//! Odd rows, the rules of the tables, and the list of statements.

use std::sync::Arc;

use super::{Subject, named, on_engines};
use crate::schemas::standard::Standard;
use crate::sql::engine::{Script, Sql, Step};
use crate::sql::{SqlKeyStore, SqlSchema};
use crate::store::KeyFilter;

/// Runs statements without arguments, in both dialects.
async fn batch(store: &SqlKeyStore<Standard>, postgres: &'static str, sqlite: &'static str) -> bool {
    store.engine().run(Script::<()>::new([Step::batch(Sql { postgres, sqlite })])).await.is_ok()
}

#[tokio::test]
async fn the_tables_refuse_what_no_key_can_have() {
    on_engines(|store| async move {
        Subject::new(Arc::new(store.clone())).issue(named("import")).await;
        for (postgres, sqlite) in [
            ("UPDATE keyward.keys SET digest = '\\x00'", "UPDATE keyward_keys SET digest = x'00'"),
            (
                "UPDATE keyward.keys SET digest = NULL",
                "UPDATE keyward_keys SET digest = 'a text of thirty-two characters.'",
            ),
            ("UPDATE keyward.keys SET requests_per_minute = 0", "UPDATE keyward_keys SET requests_per_minute = 0"),
            ("UPDATE keyward.keys SET environment = 'Live'", "UPDATE keyward_keys SET environment = 'Live'"),
            ("UPDATE keyward.keys SET environment = ''", "UPDATE keyward_keys SET environment = ''"),
            ("UPDATE keyward.keys SET version = 0", "UPDATE keyward_keys SET version = 0"),
            ("UPDATE keyward.keys SET scopes = NULL", "UPDATE keyward_keys SET is_disabled = 2"),
        ] {
            assert!(!batch(&store, postgres, sqlite).await, "{postgres} or {sqlite}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_row_that_was_changed_by_hand_harms_only_itself() {
    on_engines(|store| async move {
        let subject = Subject::new(Arc::new(store.clone()));
        let odd = subject.issue(named("odd")).await;
        let fine = subject.issue(named("fine")).await;
        let done = batch(
            &store,
            "ALTER TABLE keyward.keys DROP CONSTRAINT keys_requests_per_minute_check;
             UPDATE keyward.keys SET requests_per_minute = -1 WHERE name = 'odd'",
            "PRAGMA ignore_check_constraints = ON;
             UPDATE keyward_keys SET requests_per_minute = -1 WHERE name = 'odd';
             PRAGMA ignore_check_constraints = OFF",
        );
        assert!(done.await);
        assert_eq!(subject.verdict(&odd).await, "unusable");
        assert_eq!(subject.verdict(&fine).await, "accepted");
        let defect = subject.get(&odd.record.head.id).await.head.defect.unwrap();
        assert_eq!(defect.to_string(), "keys.requests_per_minute");
        assert_eq!(subject.keys.list(KeyFilter::new(), 10, None).await.unwrap().keys.len(), 2);
        subject.keys.revoke(&odd.record.head.id, None).await.unwrap();
        assert_eq!(subject.verdict(&odd).await, "revoked");
    })
    .await;
}

#[test]
fn every_statement_has_a_name_of_its_own_and_stands_on_our_own_tables() {
    let statements = <Standard as SqlSchema>::statements();
    let names: std::collections::BTreeSet<_> = statements.iter().map(|statement| &statement.name).collect();
    assert_eq!(names.len(), statements.len());
    for statement in &statements {
        assert!(statement.postgres.contains("keyward.key"), "{statement}");
        let is_on_postgres_alone = statement.sqlite.is_empty();
        assert!(is_on_postgres_alone || statement.sqlite.contains("keyward_key"), "{statement}");
        assert!(!statement.sqlite.contains('$'), "{statement}");
    }
}
