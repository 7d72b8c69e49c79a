//! JSON that is no list of known names, and values that belong into no column: each makes only its own key unusable and no other.

use keyward::key::{Defect, RefusalReason};
use keyward::schemas::mesh::{Access, AccessDenied, Capability, Mesh, MeshDetails, Topics};

use super::{HOUR, Meshes, ROW, Row, SECRET, accepted, draft, list, mesh, refused, revoked_at};
use crate::support::{Fixture, START, over};

over![every_database of Mesh:
    odd_capabilities_grant_nothing_and_name_the_column,
    odd_topics_grant_nothing_and_name_the_column,
    of_two_odd_columns_the_first_is_named,
    odd_names_of_topics_match_nothing_but_themselves,
    a_text_that_contains_admin_is_no_capability_and_its_parts_are_no_topics,
    odd_rows_stand_in_lists_and_on_pages_beside_the_others,
    an_odd_row_is_shown_and_revoked_like_any_other,
    an_odd_row_is_not_rotated,
];

const ODD_CAPABILITIES: [&str; 10] = [
    "\"admin\"",
    "\"xadminx\"",
    "\"\"",
    "\"[\\\"admin\\\"]\"",
    "null",
    "true",
    "1",
    "{}",
    "{\"admin\": true}",
    "{\"0\": \"admin\", \"length\": 1}",
];

const ODD_TOPICS: [&str; 8] =
    ["null", "\"deploys\"", "\"\"", "\"[\\\"deploys\\\"]\"", "true", "0", "{}", "{\"deploys\": true}"];

const fn unusable(column: &'static str) -> RefusalReason {
    RefusalReason::Unusable(Defect::new("mesh.api_key", column))
}

/// What is shown of an odd row must not permit anything either, should somebody ask it.
fn permits_nothing_on_topics(details: &MeshDetails) {
    for capability in Capability::ALL {
        assert!(details.permits(Access::to_topic(capability, "deploys")).is_err());
        assert!(details.permits(Access::to_all_topics(capability)).is_err());
    }
}

async fn odd_capabilities_grant_nothing_and_name_the_column(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    ROW.write(&meshes).await;
    for odd in ODD_CAPABILITIES {
        meshes.run(&format!("UPDATE mesh.api_key SET capabilities = '{odd}'")).await;
        assert_eq!(refused(&meshes.keys, SECRET).await, unusable("capabilities"), "{odd}");
        let key = list(&meshes.keys, "home").await.remove(0);
        assert_eq!(key.head.defect.unwrap().to_string(), "mesh.api_key.capabilities");
        assert_eq!(key.details.capabilities.iter().count(), 0, "{odd}");
        permits_nothing_on_topics(&key.details);
    }
    meshes.run("UPDATE mesh.api_key SET capabilities = '[\"send\", \"send\"]'").await;
    assert_eq!(accepted(&meshes.keys, SECRET).await.details.capabilities.iter().count(), 1);
}

async fn odd_topics_grant_nothing_and_name_the_column(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    Row { capabilities: "'[\"admin\"]'", ..ROW }.write(&meshes).await;
    for odd in ODD_TOPICS {
        meshes.run(&format!("UPDATE mesh.api_key SET topic_scopes = '{odd}'")).await;
        assert_eq!(refused(&meshes.keys, SECRET).await, unusable("topic_scopes"), "{odd}");
        let key = list(&meshes.keys, "home").await.remove(0);
        assert_eq!(key.head.defect.unwrap().to_string(), "mesh.api_key.topic_scopes");
        assert_eq!(key.details.topics, Topics::Only(Vec::new()), "{odd}");
        permits_nothing_on_topics(&key.details);
    }
    meshes.run("UPDATE mesh.api_key SET topic_scopes = '[]'").await;
    let details = accepted(&meshes.keys, SECRET).await.details;
    assert_eq!(details.topics.to_string(), "none");
    permits_nothing_on_topics(&details);
    assert_eq!(details.permits(Access::without_topic(Capability::Read)), Ok(()));
}

async fn of_two_odd_columns_the_first_is_named(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    Row { capabilities: "'\"admin\"'", topics: "'\"deploys\"'", ..ROW }.write(&meshes).await;
    assert_eq!(refused(&meshes.keys, SECRET).await, unusable("capabilities"));
    let details = list(&meshes.keys, "home").await.remove(0).details;
    assert_eq!((details.capabilities.iter().count(), details.topics), (0, Topics::Only(Vec::new())));
}

/// The service compares names letter for letter, and so a name with a `#` or a space has never matched.
async fn odd_names_of_topics_match_nothing_but_themselves(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    Row { topics: "'[\"#deploys\", \"\", \" general\", \"a,b\", \"%\"]'", ..ROW }.write(&meshes).await;
    let details = accepted(&meshes.keys, SECRET).await.details;
    for topic in ["deploys", "general", "a", "b", "anything", "[]"] {
        assert!(details.permits(Access::to_topic(Capability::Send, topic)).is_err(), "{topic}");
    }
    assert_eq!(details.permits(Access::to_topic(Capability::Send, "a,b")), Ok(()));
}

async fn a_text_that_contains_admin_is_no_capability_and_its_parts_are_no_topics(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    Row { capabilities: "'\"xadminx\"'", topics: "'[]'", ..ROW }.write(&meshes).await;
    assert_eq!(refused(&meshes.keys, SECRET).await, unusable("capabilities"));
    meshes.run("UPDATE mesh.api_key SET capabilities = '[\"read\"]', topic_scopes = '\"deploys\"'").await;
    assert_eq!(refused(&meshes.keys, SECRET).await, unusable("topic_scopes"));
    let details = list(&meshes.keys, "home").await.remove(0).details;
    for part in ["deploys", "deploy", "d", ""] {
        assert_eq!(details.permits(Access::to_topic(Capability::Read, part)), Err(AccessDenied::Topic), "{part}");
    }
}

async fn odd_rows_stand_in_lists_and_on_pages_beside_the_others(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let quoted = |odd: &&str| format!("'{odd}'");
    let mut number = 0;
    for capabilities in ODD_CAPABILITIES.iter().map(quoted) {
        Row { id: &format!("{number:02}"), capabilities: &capabilities, ..ROW }.write(&meshes).await;
        number += 1;
    }
    for topics in ODD_TOPICS.iter().map(quoted) {
        Row { id: &format!("{number:02}"), topics: &topics, ..ROW }.write(&meshes).await;
        number += 1;
    }
    let good = meshes.issue(draft()).await;

    let all = list(&meshes.keys, "home").await;
    assert_eq!(all.len(), number + 1);
    assert_eq!(all.iter().filter(|key| key.head.defect.is_none()).collect::<Vec<_>>(), [&good.record]);
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = meshes.keys.of(&mesh("home")).list(3, after.as_ref()).await.unwrap();
        paged.extend(page.keys);
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(paged, all);
    // They share digest and display prefix, and not one of them is accepted.
    meshes.keys.verify(SECRET).await.unwrap_err();
    accepted(&meshes.keys, good.secret.expose_secret()).await;
}

async fn an_odd_row_is_shown_and_revoked_like_any_other(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    Row { capabilities: "'\"admin\"'", ..ROW }.write(&meshes).await;
    let shown = meshes.keys.get(&ROW.id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((shown.details.label.as_str(), shown.head.prefix.as_str()), ("by hand", &SECRET[..11]));
    let found = meshes.keys.resolve(&mesh("home"), &SECRET[..11]).await.unwrap();
    assert_eq!(found, shown);
    assert_eq!(meshes.keys.revoke(&found.head.id, None).await.unwrap(), revoked_at(&found.head.id, START));
    assert_eq!(refused(&meshes.keys, SECRET).await, RefusalReason::Revoked);
}

async fn an_odd_row_is_not_rotated(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    Row { capabilities: "'\"admin\"'", ..ROW }.write(&meshes).await;
    let refused = meshes.keys.rotate(&ROW.id.parse().unwrap(), HOUR, None).await.unwrap_err();
    let because = "only a live key can be rotated: the key's row grants nothing because of mesh.api_key.capabilities";
    assert_eq!(refused.to_string(), because);
    assert_eq!(list(&meshes.keys, "home").await.len(), 1);
}

/// What only SQLite's columns can hold, where no CHECK forbids it.
#[cfg(feature = "sqlite")]
mod sqlite {
    use super::super::{Meshes, ROW, SECRET, accepted, list, refused};
    use super::unusable;
    use crate::support::Fixture;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_value_of_a_foreign_type_is_refused_under_the_name_of_its_column() {
        let meshes = Meshes::over(Fixture::sqlite().await).await;
        meshes
            .run(
                "DROP TABLE api_key;
                 CREATE TABLE api_key (id TEXT PRIMARY KEY, mesh_id, label, secret_hash, secret_prefix, capabilities,
                     topic_scopes, issued_by_member_id, created_at, last_used_at, revoked_at, expires_at)",
            )
            .await;
        ROW.write(&meshes).await;
        accepted(&meshes.keys, SECRET).await;
        for (column, value) in [
            ("capabilities", "NULL"),
            ("capabilities", "'admin'"),
            ("capabilities", "'[\"admin\"'"),
            ("capabilities", "x'5b2261646d696e225d'"),
            ("capabilities", "jsonb('[\"admin\"]')"),
            ("capabilities", "7"),
            ("topic_scopes", "''"),
            ("topic_scopes", "'deploys'"),
            ("topic_scopes", "7"),
            ("topic_scopes", "x'00'"),
            ("issued_by_member_id", "7"),
            ("label", "NULL"),
            ("label", "CAST(x'ff' AS TEXT)"),
            ("created_at", "'once'"),
            ("last_used_at", "1.5"),
            ("expires_at", "'soon'"),
            ("expires_at", "4102444800"),
            ("revoked_at", "'never'"),
            ("revoked_at", "0"),
        ] {
            meshes.run("DELETE FROM api_key").await;
            ROW.write(&meshes).await;
            meshes.run(&format!("UPDATE api_key SET {column} = {value}")).await;
            assert_eq!(refused(&meshes.keys, SECRET).await, unusable(column), "{column} = {value}");
            assert_eq!(list(&meshes.keys, "home").await.len(), 1);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn our_own_table_takes_nothing_that_is_no_json() {
        let meshes = Meshes::over(Fixture::sqlite().await).await;
        ROW.write(&meshes).await;
        for (column, value) in
            [("capabilities", "'admin'"), ("capabilities", "NULL"), ("topic_scopes", "''"), ("label", "NULL")]
        {
            let update = format!("UPDATE api_key SET {column} = {value}");
            assert!(meshes.database().try_run(&update).await.is_err(), "{update}");
        }
        accepted(&meshes.keys, SECRET).await;
    }
}
