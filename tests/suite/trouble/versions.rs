//! Tables that are gone, older, or in another form: whoever meets them says so, and nothing is weaker than it is said
//! to be.

use keyward::KeysError;
use keyward::key::{Reason, Status};
use keyward::sql::MigrateError;
use keyward::store::StoreError;

use crate::support::{Fixture, START, TestSchema, over_schemas};

over_schemas![every_engine of [scraper::Scraper, mesh::Mesh, aggregator::Aggregator]:
    a_side_table_that_was_dropped_makes_no_revocation_weaker_and_is_made_again,
    tables_of_an_older_version_serve_with_fewer_abilities,
    a_side_table_of_another_form_is_refused_and_not_recorded,
];

over_schemas![every_bare_table of [scraper::Scraper, mesh::Mesh, aggregator::Aggregator]:
    a_store_without_side_tables_goes_on_when_another_process_makes_them,
    a_store_without_side_tables_learns_that_another_process_has_made_them,
    one_side_table_without_a_record_is_not_as_good_as_none,
];

over_schemas![every_engine of [standard::Standard]: tables_of_another_form_are_refused_and_not_recorded];

const OWNER: &str = "did:plc:acme";

fn reason() -> Reason {
    Reason::new("leaked").unwrap()
}

async fn a_side_table_that_was_dropped_makes_no_revocation_weaker_and_is_made_again<S: TestSchema>(
    fixture: Fixture<S>,
) {
    fixture.add_owner(OWNER).await;
    let id = fixture.issue(OWNER).await.record.head.id;
    let revocations = fixture.database().own_table("revocations");
    for lost in ["revocations", "rotations"].map(|table| fixture.database().own_table(table)) {
        fixture.database().run(&format!("DROP TABLE {lost}")).await;
        // Neither a service that runs on nor one that starts again says that it has revoked, and then has not.
        for keys in [&fixture.keys, &fixture.another_process().await] {
            assert!(keys.store().abilities().revocation_reason);
            let outcome = keys.revoke(&id, Some(reason())).await;
            if lost == revocations {
                assert!(matches!(outcome, Err(KeysError::Store(StoreError::Backend { .. }))), "{lost}: {outcome:?}");
            }
        }
        let found = fixture.sql().check().await.unwrap();
        let is_named = found.iter().any(|one| one.object == lost && one.found == "none" && one.breaking);
        assert!(is_named, "{found:?}");
        let applied = fixture.another_process_migrates().await;
        assert_eq!(applied, ["side_tables"]);
        assert_eq!(fixture.sql().check().await.unwrap(), []);
    }
    fixture.keys.revoke(&id, Some(reason())).await.unwrap();
    let revoked = fixture.another_process().await.get(&id).await.unwrap().unwrap();
    assert_ne!(revoked.head.status, Status::Active);
}

/// What the host has before anything of keyward's is there, and a record of the first migration alone.
async fn tables_of_an_older_version_serve_with_fewer_abilities<S: TestSchema>(fixture: Fixture<S>) {
    let database = fixture.database();
    let [revocations, rotations, migrations] =
        ["revocations", "rotations", "migrations"].map(|table| database.own_table(table));
    let older = format!("DROP TABLE {revocations}; DROP TABLE {rotations}; DELETE FROM {migrations} WHERE version > 1");
    database.run(&older).await;
    fixture.add_owner(OWNER).await;
    let keys = fixture.another_process().await;
    assert!(!keys.store().abilities().revocation_reason);
    let issued = keys.issue(S::draft(OWNER)).await.unwrap();
    keys.verify(issued.secret.expose_secret()).await.unwrap();
    let found = fixture.sql().check().await.unwrap();
    assert!(found.iter().all(|difference| !difference.breaking), "{found:?}");
    let says = |version: &str| found.iter().any(|one| one.object == migrations && one.found == version);
    assert!(says("version 1"), "{found:?}");
    assert_eq!(fixture.another_process_migrates().await, ["side_tables"]);
    assert_eq!(fixture.sql().check().await.unwrap(), []);
}

async fn a_store_without_side_tables_goes_on_when_another_process_makes_them<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    fixture.another_process_migrates().await;
    assert!(!fixture.keys.store().abilities().revocation_reason);
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
    fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
    for keys in [&fixture.keys, &fixture.another_process().await] {
        keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    }
}

/// Its next flush of last use is enough; then a reason has a place.
async fn a_store_without_side_tables_learns_that_another_process_has_made_them<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    fixture.another_process_migrates().await;
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert!(!fixture.keys.store().abilities().revocation_reason);
    fixture.keys.flush_last_used().await.unwrap();
    assert!(fixture.keys.store().abilities().revocation_reason);

    let other = fixture.another_process_with(S::schema()).await;
    other.revoke(&issued.record.head.id, Some(reason())).await.unwrap();
    let revoked = fixture.keys.get(&issued.record.head.id).await.unwrap().unwrap();
    let Status::Revoked(revocation) = revoked.head.status else { panic!("{revoked:?}") };
    assert_eq!(revocation.reason, Some(reason()), "it reads what the other process has recorded");
}

async fn one_side_table_without_a_record_is_not_as_good_as_none<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let id = fixture.issue(OWNER).await.record.head.id;
    fixture.another_process_migrates().await;
    let [revocations, migrations] = ["revocations", "migrations"].map(|table| fixture.database().own_table(table));
    fixture.database().run(&format!("DROP TABLE {revocations}; DROP TABLE {migrations}")).await;
    let keys = fixture.another_process().await;
    let outcome = keys.revoke(&id, None).await;
    assert!(matches!(outcome, Err(KeysError::Store(StoreError::Backend { .. }))), "{outcome:?}");
    fixture.another_process_migrates().await;
    keys.revoke(&id, Some(reason())).await.unwrap();
}

/// A table of the host's, or of an attacker's, that happens to have the name of ours.
async fn refuses<S: TestSchema>(fixture: &Fixture<S>, table: &str) {
    let database = fixture.database();
    let (table, migrations) = (database.own_table(table), database.own_table("migrations"));
    database.run(&format!("DROP TABLE {table}; DROP TABLE {migrations}")).await;
    database.run(&format!("CREATE TABLE {table} (of_the_host text)")).await;
    let refused = database.engine().await.migrate::<S>(START).await.unwrap_err();
    let MigrateError::Incompatible { table: named, missing, .. } = refused else { panic!("{refused:?}") };
    assert!(named == table && !missing.is_empty(), "{missing:?}");
    database.try_run(&format!("SELECT 1 FROM {migrations}")).await.expect_err("nothing is recorded");
    let found = database.engine().await.check::<S>().await.unwrap();
    assert!(found.iter().any(|one| one.breaking && one.object.starts_with(&table)), "{found:?}");
}

async fn a_side_table_of_another_form_is_refused_and_not_recorded<S: TestSchema>(fixture: Fixture<S>) {
    refuses(&fixture, "rotations").await;
}

async fn tables_of_another_form_are_refused_and_not_recorded<S: TestSchema>(fixture: Fixture<S>) {
    refuses(&fixture, "key_uses").await;
}

impl<S: TestSchema> Fixture<S> {
    /// Migrates from an engine of its own, and names what was applied.
    async fn another_process_migrates(&self) -> Vec<&'static str> {
        let applied = self.database().engine().await.migrate::<S>(START).await.unwrap();
        applied.into_iter().map(|applied| applied.name).collect()
    }
}
