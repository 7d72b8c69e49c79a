//! Three database roles with the rights that are documented for them, and no more; and roles that lack one.

use std::sync::Arc;
use std::time::Duration;

use keyward::key::{Issued, Schema};
use keyward::sql::DatabaseRole;
use keyward::store::{KeyStore as _, KeyUse, StoreError, Unfit};
use keyward::{Engine, Keys, SqlKeyStore};

use crate::support::roles::Role;
use crate::support::{Fixture, TestSchema, keys, over_schemas};

over_schemas![on_postgres of [standard::Standard, scraper::Scraper, mesh::Mesh, aggregator::Aggregator]:
    each_role_does_what_it_may_and_is_refused_the_rest,
    a_right_to_read_that_is_missing_is_found_when_the_store_is_opened,
    rights_to_write_that_are_missing_are_named_and_not_breaking,
    a_verifier_watches_what_is_noted_when_its_rights_were_given_after_it_was,
];

/// What can be done with keys, and the least that a role has to be for it.
const VERBS: [(&str, DatabaseRole); 11] = [
    ("verify", DatabaseRole::Verifier),
    ("get", DatabaseRole::Verifier),
    ("list", DatabaseRole::Verifier),
    ("touch", DatabaseRole::Issuer),
    ("issue", DatabaseRole::Issuer),
    ("rotate", DatabaseRole::Issuer),
    // That revokes the key before.
    ("rotate at once", DatabaseRole::Operator),
    ("disable", DatabaseRole::Operator),
    ("revoke", DatabaseRole::Operator),
    ("revoke_all", DatabaseRole::Operator),
    ("purge", DatabaseRole::Operator),
];

const ALL: [DatabaseRole; 3] = [DatabaseRole::Verifier, DatabaseRole::Issuer, DatabaseRole::Operator];

async fn role_with<S: TestSchema>(fixture: &Fixture<S>, access: DatabaseRole) -> Role<'_> {
    let role = Role::new(fixture.database(), &access.to_string()).await;
    fixture.database().run(&S::grants(access, &role.name, "keyward").unwrap()).await;
    role
}

/// Does it as the role would, to a key of an owner of its own.
async fn attempt<S: TestSchema>(verb: &str, fixture: &Fixture<S>, keys: &Keys<S>, owner: &str) -> Result<(), String> {
    fixture.add_owner(owner).await;
    let issued: Option<Issued<S>> = if verb == "issue" { None } else { Some(fixture.issue(owner).await) };
    let head = issued.as_ref().map(|issued| issued.record.head.clone());
    let said = |error: &dyn std::fmt::Debug| format!("{error:?}");
    let Some((issued, head)) = issued.zip(head) else {
        return keys.issue(S::draft(owner)).await.map(|_| ()).map_err(|error| said(&error));
    };
    match verb {
        "verify" => keys.verify(issued.secret.expose_secret()).await.map(|_| ()).map_err(|error| said(&error)),
        "get" => keys.get(&head.id).await.map(|_| ()).map_err(|error| said(&error)),
        "list" => keys.of(&head.owner).list(5, None).await.map(|_| ()).map_err(|error| said(&error)),
        "touch" => {
            let used = KeyUse::new(head.id, head.digest.unwrap(), keys.now());
            keys.store().touch(&[used]).await.map(|_| ()).map_err(|error| said(&error))
        }
        "rotate" | "rotate at once" => {
            let grace = Duration::from_hours(u64::from(verb == "rotate" && S::NAME != "aggregator"));
            keys.rotate(&head.id, grace, None).await.map(|_| ()).map_err(|error| said(&error))
        }
        "disable" => keys.disable(&head.id, None).await.map(|_| ()).map_err(|error| said(&error)),
        "revoke" => keys.revoke(&head.id, None).await.map(|_| ()).map_err(|error| said(&error)),
        "revoke_all" => keys.revoke_all(&head.owner, None).await.map(|_| ()).map_err(|error| said(&error)),
        _ => {
            fixture.keys.revoke(&head.id, None).await.unwrap();
            fixture.clock.advance(Duration::from_hours(48));
            keys.purge(Duration::from_hours(1), 10).await.map(|_| ()).map_err(|error| said(&error))
        }
    }
}

async fn each_role_does_what_it_may_and_is_refused_the_rest<S: TestSchema>(fixture: Fixture<S>) {
    let abilities = fixture.store().abilities();
    for access in ALL {
        let role = role_with(&fixture, access).await;
        let store = SqlKeyStore::open(role.postgres().await, S::schema()).await.unwrap();
        let keys = keys(Arc::new(store), &fixture.clock, 10 + access as u64);
        for (number, (verb, least)) in VERBS.into_iter().enumerate() {
            let is_there = match verb {
                "disable" => abilities.changes,
                "purge" => abilities.purge,
                _ => true,
            };
            if !is_there {
                continue;
            }
            let outcome = attempt(verb, &fixture, &keys, &format!("did:plc:{access}{number}")).await;
            // These tables have no other place for the end of a key than the one that issuing writes.
            let is_issuing = verb == "rotate at once" && matches!(S::NAME, "standard" | "aggregator");
            let least = if is_issuing { DatabaseRole::Issuer } else { least };
            if access >= least {
                assert_eq!(outcome, Ok(()), "{access} may {verb}");
            } else {
                let refusal = outcome.expect_err(verb);
                assert!(refusal.contains("42501"), "{access} may not {verb}: {refusal}");
            }
        }
        if access < DatabaseRole::Operator {
            cannot_raise_rights_or_forget_revocations::<S>(&role).await;
        }
        role.drop().await;
    }
}

/// Not by keyward's statements alone is it refused: whoever takes the service over has no other rights either.
async fn cannot_raise_rights_or_forget_revocations<S: TestSchema>(role: &Role<'_>) {
    let (raise, forget) = match S::NAME {
        "standard" => ("UPDATE keyward.keys SET scopes = 'admin'", "DELETE FROM keyward.key_history"),
        "mesh" => ("UPDATE mesh.api_key SET capabilities = '[]'", "UPDATE keyward.revocations SET reason = NULL"),
        "scraper" => ("UPDATE api_keys SET scopes = '{admin}'", "DELETE FROM keyward.revocations"),
        _ => ("UPDATE aggregators SET display_name = ''", "UPDATE keyward.revocations SET reason = NULL"),
    };
    for statement in [raise, forget, "DELETE FROM keyward.migrations", "CREATE TABLE keyward.mine ()"] {
        role.try_run(statement).await.expect_err(statement);
    }
    if S::NAME == "aggregator" {
        role.try_run("SELECT oauth_access_token_encrypted FROM aggregators").await.unwrap_err();
    }
}

async fn a_right_to_read_that_is_missing_is_found_when_the_store_is_opened<S: TestSchema>(fixture: Fixture<S>) {
    let database = fixture.database();
    let role = role_with(&fixture, DatabaseRole::Verifier).await;
    let tables: &[&str] = match S::NAME {
        "standard" => &["keyward.keys", "keyward.key_uses", "keyward.migrations"],
        "mesh" => &["mesh.api_key", "keyward.revocations", "keyward.rotations", "keyward.migrations"],
        "scraper" => &["api_keys", "keyward.revocations", "keyward.rotations", "keyward.migrations"],
        _ => &["aggregators", "keyward.revocations", "keyward.migrations"],
    };
    for table in tables {
        database.run(&format!("REVOKE ALL ON {table} FROM {}", role.name)).await;
        refused_for_lack_of::<S>(&role, table, "SELECT").await;
        database.run(&S::grants(DatabaseRole::Verifier, &role.name, "keyward").unwrap()).await;
        SqlKeyStore::open(role.postgres().await, S::schema()).await.unwrap();
    }
    database.run(&format!("REVOKE USAGE ON SCHEMA keyward FROM {}", role.name)).await;
    refused_for_lack_of::<S>(&role, "keyward", "USAGE").await;
    role.drop().await;
}

async fn refused_for_lack_of<S: TestSchema>(role: &Role<'_>, table: &str, lacking: &str) {
    let refused = SqlKeyStore::open(role.postgres().await, S::schema()).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unfit(Unfit::Denied { object, right })
                 if object.starts_with(table) && *right == lacking),
        "{table}: {refused:?}"
    );
    let shown = refused.to_string();
    assert!(shown.contains(table) && shown.contains(lacking) && refused.is_outage(), "{shown}");
    let found = Engine::from(role.postgres().await).check::<S>().await.unwrap();
    let is_it =
        |one: &keyward::sql::Difference| one.breaking && one.object == table && one.expected.starts_with(lacking);
    assert!(found.iter().any(is_it), "{table}: {found:?}");
}

async fn rights_to_write_that_are_missing_are_named_and_not_breaking<S: TestSchema>(fixture: Fixture<S>) {
    for access in ALL {
        let role = role_with(&fixture, access).await;
        let found = Engine::from(role.postgres().await).check::<S>().await.unwrap();
        assert!(found.iter().all(|one| !one.breaking), "{access}: {found:?}");
        let says = |what: &str| found.iter().any(|one| one.found.contains(what));
        assert_eq!(says("last use cannot be written"), access < DatabaseRole::Issuer, "{access}: {found:?}");
        assert_eq!(says("no key can be issued"), access < DatabaseRole::Issuer, "{access}: {found:?}");
        assert_eq!(says("no key can be revoked"), access < DatabaseRole::Operator, "{access}: {found:?}");
        role.drop().await;
    }
}

async fn a_verifier_watches_what_is_noted_when_its_rights_were_given_after_it_was<S: TestSchema>(fixture: Fixture<S>) {
    let role = role_with(&fixture, DatabaseRole::Verifier).await;
    let store = SqlKeyStore::open(role.postgres().await, S::schema()).await.unwrap();
    fixture.sql().note_changes().await.unwrap();
    let refused = store.watch().await;
    assert!(matches!(refused, Err(StoreError::Denied { .. })), "{refused:?}");
    fixture.database().run(&S::grants(DatabaseRole::Verifier, &role.name, "keyward").unwrap()).await;
    store.watch().await.unwrap();
    role.drop().await;
}

/// A name that needs quotes stays one name.
#[test]
fn names_are_quoted_and_a_schema_that_needs_it_is_refused() {
    use keyward::schemas::scraper::Scraper;
    use keyward::sql::SqlSchema as _;

    let script = Scraper::grants(DatabaseRole::Verifier, "a\"; DROP TABLE x; --", "keys_of_acme").unwrap();
    assert!(script.contains("GRANT SELECT ON TABLE \"keys_of_acme\".\"revocations\" TO \"a\"\"; DROP TABLE x; --\";"));
    assert!(!script.contains("\"keyward\""), "{script}");
    Scraper::grants(DatabaseRole::Verifier, "a", "keyward; DROP TABLE x").unwrap_err();
    assert_eq!(Scraper::NAME, "scraper");
}
