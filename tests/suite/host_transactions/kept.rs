//! A row that the database keeps as it was, inside the host's own transaction.

use keyward::key::RefusalReason;
use keyward::store::StoreError;

use super::host::Host;
use super::{OTHER, OWNER, owner, refusal};
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![every_database: a_suppressed_revocation_is_an_error_and_the_host_goes_on];

/// What makes updates of this schema's rows do nothing.
fn suppression(schema: &str, postgres: bool) -> String {
    let table = match (schema, postgres) {
        ("scraper", _) => "api_keys",
        ("mesh", true) => "mesh.api_key",
        ("mesh", false) => "api_key",
        ("aggregator", _) => "aggregators",
        (_, true) => "keyward.keys",
        (_, false) => "keyward_keys",
    };
    if postgres {
        format!(
            "CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER suppress BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION suppress();"
        )
    } else {
        format!("CREATE TRIGGER suppress BEFORE UPDATE ON {table} BEGIN SELECT RAISE(IGNORE); END;")
    }
}

/// The host may commit what keyward has noted, so that at least keyward refuses the key.
async fn a_suppressed_revocation_is_an_error_and_the_host_goes_on<S: TestSchema>(fixture: Fixture<S>) {
    let mut issued = Vec::new();
    for owner in [OWNER, OTHER] {
        fixture.add_owner(owner).await;
        issued.push(fixture.issue(owner).await);
    }
    let is_postgres = fixture.database().is_postgres();
    fixture.database().run(&suppression(S::NAME, is_postgres)).await;
    let keys = fixture.another_process().await;
    let id = &issued[0].record.head.id;

    let mut host = Host::new(&fixture).await;
    let mut transaction = host.begin().await;
    let error = transaction.revoke(&keys.revocation(id, None)).await.unwrap_err();
    assert!(matches!(error, StoreError::Suppressed { .. }), "{error:?}");
    let receipt = transaction.revoke_all(&keys.revocation_of_all(&owner(), None)).await.unwrap();
    transaction.commit().await;
    assert_eq!(keys.committed(receipt).remaining, std::slice::from_ref(id));
    let is_noted = S::NAME != "standard" && fixture.store().abilities().revocation_reason;
    let expected = is_noted.then_some(RefusalReason::Revoked);
    assert_eq!(refusal(&keys, &issued[0].secret).await, expected);
    assert_eq!(refusal(&keys, &issued[1].secret).await, None);
}
