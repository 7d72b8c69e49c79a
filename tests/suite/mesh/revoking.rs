//! Naming a key by its identity, or by the start of either that or its display prefix, within one mesh.

use keyward::KeysError;
use keyward::key::{KeyDigest, KeyId, Reason, RefusalReason, Revoked, Status};
use keyward::schemas::mesh::{Capability, Mesh, MeshKey};
use keyward::service::MIN_PREFIX_LEN;
use keyward::store::StoreError;

use super::{HOUR, Meshes, ROW, Record, Row, SECRET, accepted, draft, list, mesh, refused, revocation_at, revoked_at};
use crate::support::{Fixture, START, over};

over![everywhere of Mesh:
    a_key_is_named_by_its_identity_or_by_the_start_of_either,
    an_exact_identity_wins_over_the_start_of_others,
    an_exact_identity_may_be_short_and_a_start_may_not,
    of_several_keys_that_start_alike_none_is_named,
    dead_keys_count_among_those_that_start_alike,
    every_character_of_a_start_matches_itself_alone,
    a_start_with_a_control_character_names_no_key,
    a_start_matches_in_its_own_case,
    keys_of_another_mesh_are_never_named,
    a_list_is_newest_first_and_has_the_dead_ones_too,
    revoking_again_reports_the_first_time,
    revoking_all_keys_of_a_mesh_leaves_other_meshes_alone,
    a_key_that_took_the_same_identity_later_is_not_revoked,
];

over![every_database of Mesh:
    no_wildcard_and_no_short_start_names_a_row_of_the_service,
    an_identity_that_starts_another_is_revoked_exactly,
];

/// Adds a key with this identity and display prefix.
async fn add(meshes: &Meshes, name: &str, id: &str, prefix: &str) -> Record {
    let key = MeshKey::new(name, "deploy bot", [Capability::Send]).unwrap();
    let mut record = meshes.keys.prepare(key).unwrap().record().clone();
    record.head.id = id.parse().unwrap();
    record.head.prefix = prefix.parse().unwrap();
    meshes.keys.store().insert(&record).await.unwrap();
    record
}

/// Whom a start names in the mesh `home`: an identity, or why none.
async fn named(meshes: &Meshes, start: &str) -> Result<String, KeysError> {
    Ok(meshes.keys.resolve(&mesh("home"), start).await?.head.id.to_string())
}

macro_rules! assert_named {
    ($meshes:expr, $start:expr, $expected:pat) => {
        let found = named(&$meshes, $start).await;
        assert!(matches!(found.as_deref(), $expected), "{:?} names {found:?}", $start);
    };
}

async fn a_key_is_named_by_its_identity_or_by_the_start_of_either(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    add(&meshes, "home", "k1xyzxyzxyz", "cm_AbCdEfGh").await;
    add(&meshes, "home", "k2xyzxyzxyz", "cm_ZyXwVuTs").await;
    for start in ["k1xyzxyzxyz", "k1xyzx", "k1xyzxyzxy", "cm_AbCdEfGh", "cm_AbC"] {
        assert_named!(meshes, start, Ok("k1xyzxyzxyz"));
    }
    for stranger in ["k3xyzxyzxyz", "xyzxyz", "k1xyzxyzxyz ", "cm_AbCdEfGhI", "AbCdEfGh", "cm_QQQQQQQQ"] {
        assert_named!(meshes, stranger, Err(KeysError::NotFound));
    }
}

async fn an_exact_identity_wins_over_the_start_of_others(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    add(&meshes, "home", "abcdef", "cm_11111111").await;
    add(&meshes, "home", "abcdefgh", "cm_22222222").await;
    // An identity that is the display prefix of another.
    add(&meshes, "home", "cm_22222222", "cm_33333333").await;
    assert_named!(meshes, "abcdef", Ok("abcdef"));
    assert_named!(meshes, "abcdefg", Ok("abcdefgh"));
    assert_named!(meshes, "cm_22222222", Ok("cm_22222222"));
    assert_named!(meshes, "cm_2222222", Err(KeysError::NotUnique));

    meshes.keys.revoke(&"abcdef".parse().unwrap(), None).await.unwrap();
    let longer = meshes.keys.get(&"abcdefgh".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(longer.head.status, Status::Active);
}

async fn an_exact_identity_may_be_short_and_a_start_may_not(fixture: Fixture<Mesh>) {
    assert_eq!(MIN_PREFIX_LEN, 6);
    let meshes = Meshes::over(fixture).await;
    add(&meshes, "home", "k", "cm_AbCdEfGh").await;
    assert_named!(meshes, "k", Ok("k"));
    for start in ["", "c", "cm_", "cm_A", "cm_Ab", "%", "_____", "ünïöö"] {
        assert_named!(meshes, start, Err(KeysError::PrefixTooShort { least: 6 }));
    }
    assert_named!(meshes, "cm_AbC", Ok("k"));
}

async fn of_several_keys_that_start_alike_none_is_named(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    for number in 0..5 {
        add(&meshes, "home", &format!("k{number}"), "cm_AbCdEfGh").await;
    }
    assert_named!(meshes, "cm_AbCdEfGh", Err(KeysError::NotUnique));
    assert_named!(meshes, "cm_AbC", Err(KeysError::NotUnique));
    assert_named!(meshes, "k3", Ok("k3"));
    assert!(list(&meshes.keys, "home").await.iter().all(|key| key.head.status == Status::Active));
}

async fn dead_keys_count_among_those_that_start_alike(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    add(&meshes, "home", "dead", "cm_AbCdEfGh").await;
    add(&meshes, "home", "live", "cm_AbCdEfGh").await;
    meshes.keys.revoke(&"dead".parse().unwrap(), None).await.unwrap();
    assert_named!(meshes, "cm_AbCdEfGh", Err(KeysError::NotUnique));
    add(&meshes, "home", "other", "cm_ZyXwVuTs").await;
    meshes.keys.revoke(&"other".parse().unwrap(), None).await.unwrap();
    assert_named!(meshes, "cm_ZyXwVuTs", Ok("other"));
}

async fn every_character_of_a_start_matches_itself_alone(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    add(&meshes, "home", "only", "cm_AbC123xx").await;
    for pattern in [
        "%%%%%%",
        "______",
        "cm_AbC%",
        "cm_%%%",
        "cm_AbC_23",
        "cm-AbC",
        "cm_AbC\\",
        "\\cm_AbC",
        "cm\\_AbC",
        "*cm_AbC",
        "cm_AbC*",
        "cm_AbC?",
        "cm_Ab[C]",
        "cm_AbC' OR ''='",
        "^cm_AbC",
        "cm_.*.*",
    ] {
        assert_named!(meshes, pattern, Err(KeysError::NotFound));
    }
    for (id, prefix) in [("a_c%e\\g", "cm_________"), ("a-cde%g", "cm_-_-_-_-_"), ("abcd'f", "cm_-------_")] {
        add(&meshes, "home", id, prefix).await;
    }
    assert_named!(meshes, "a_c%e\\", Ok("a_c%e\\g"));
    assert_named!(meshes, "cm____", Ok("a_c%e\\g"));
    assert_named!(meshes, "cm_-_-", Ok("a-cde%g"));
    assert_named!(meshes, "a_cde%", Err(KeysError::NotFound));
    assert_named!(meshes, "cm_---", Ok("abcd'f"));
    assert_named!(meshes, "abcd'f", Ok("abcd'f"));
}

/// No column can hold NUL, and PostgreSQL does not even take it for a text.
async fn a_start_with_a_control_character_names_no_key(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    add(&meshes, "home", "abcdefgh", "cm_AbCdEfGh").await;
    for start in ["cm_AbC\n", "abcdefgh\n", "\tabcdefgh", "cm_AbC\0", "abcdef\0", "abcdefgh\0", "\0\0\0\0\0\0"] {
        assert_named!(meshes, start, Err(KeysError::NotFound));
    }
}

async fn a_start_matches_in_its_own_case(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    add(&meshes, "home", "AbCdEfGh", "cm_AbCdEfGh").await;
    add(&meshes, "home", "abcdefgh", "cm_abcdefgh").await;
    assert_named!(meshes, "AbCdEf", Ok("AbCdEfGh"));
    assert_named!(meshes, "cm_abc", Ok("abcdefgh"));
    assert_named!(meshes, "CM_ABC", Err(KeysError::NotFound));
    assert_named!(meshes, "ABCDEFGH", Err(KeysError::NotFound));
}

async fn keys_of_another_mesh_are_never_named(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    add(&meshes, "work", "abcdefgh", "cm_AbCdEfGh").await;
    for start in ["abcdefgh", "abcdef", "cm_AbCdEfGh", "cm_AbC"] {
        assert_named!(meshes, start, Err(KeysError::NotFound));
    }
    // It neither hides a key of the mesh nor makes its start ambiguous.
    add(&meshes, "home", "abcdefghi", "cm_AbCdEfGh").await;
    for start in ["abcdefgh", "abcdef", "cm_AbCdEfGh", "cm_AbC"] {
        assert_named!(meshes, start, Ok("abcdefghi"));
    }
}

async fn a_list_is_newest_first_and_has_the_dead_ones_too(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let mut expected = Vec::new();
    for number in 0..6 {
        let key = if number == 1 { draft().expires_at(START.saturating_add(HOUR)) } else { draft() };
        expected.push(meshes.issue(key).await.record.head.id);
        // Two keys a moment, which are then ordered by identity.
        if number % 2 == 1 {
            expected[number - 1..].sort();
            meshes.clock.advance(HOUR);
        }
    }
    meshes.issue(MeshKey::new("work", "deploy bot", [Capability::Send]).unwrap()).await;
    meshes.keys.revoke(&expected[2], None).await.unwrap();
    expected.reverse();
    let listed: Vec<KeyId> = list(&meshes.keys, "home").await.into_iter().map(|key| key.head.id).collect();
    assert_eq!(listed, expected);
}

async fn revoking_again_reports_the_first_time(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let id = meshes.issue(draft()).await.record.head.id;
    let found = meshes.keys.resolve(&mesh("home"), &id.as_str()[..6]).await.unwrap().head;
    assert_eq!(meshes.keys.revoke_seen(&found, None).await.unwrap(), revoked_at(&id, START));
    meshes.clock.advance(HOUR);
    for _ in 0..2 {
        let again = meshes.keys.revoke_seen(&found, None).await.unwrap();
        assert_eq!(again, Revoked::before(id.clone(), revocation_at(START)));
    }
}

async fn revoking_all_keys_of_a_mesh_leaves_other_meshes_alone(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let [first, _] = [meshes.issue(draft()).await, meshes.issue(draft()).await];
    let work = meshes.issue(MeshKey::new("work", "deploy bot", [Capability::Admin]).unwrap()).await;
    meshes.keys.revoke(&first.record.head.id, None).await.unwrap();
    let reason = meshes.keys.store().abilities().revocation_reason.then(|| Reason::new("moved").unwrap());
    assert_eq!(meshes.keys.revoke_all(&mesh("home"), reason).await.unwrap().count, 1);
    assert_eq!(meshes.keys.revoke_all(&mesh("home"), None).await.unwrap().count, 0);
    accepted(&meshes.keys, work.secret.expose_secret()).await;
}

async fn a_key_that_took_the_same_identity_later_is_not_revoked(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let seen = add(&meshes, "home", "reused", "cm_AbCdEfGh").await;
    let mut older = seen.head.clone();
    older.digest = Some(KeyDigest::of("the key that had this identity before"));
    let refused = meshes.keys.revoke_seen(&older, None).await.unwrap_err();
    assert!(matches!(refused, KeysError::Store(StoreError::Conflict)), "{refused:?}");
    assert_eq!(meshes.keys.get(&seen.head.id).await.unwrap(), Some(seen));
}

async fn no_wildcard_and_no_short_start_names_a_row_of_the_service(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    Row { id: "AbC123xyz", ..ROW }.write(&meshes).await;
    for start in ["%", "_", "", "AbC12", "cm_AA"] {
        assert_named!(meshes, start, Err(KeysError::PrefixTooShort { least: 6 }));
    }
    for pattern in ["%%%%%%", "AbC_23", "AbC123%", "cm_AAEC%", "\\AbC123"] {
        assert_named!(meshes, pattern, Err(KeysError::NotFound));
    }
    assert_named!(meshes, "AbC123", Ok("AbC123xyz"));
    accepted(&meshes.keys, SECRET).await;
}

async fn an_identity_that_starts_another_is_revoked_exactly(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let longer = format!("{}4", &SECRET[..45]);
    Row { id: "abcdef", ..ROW }.write(&meshes).await;
    Row { id: "abcdef0", secret: &longer, ..ROW }.write(&meshes).await;
    let found = meshes.keys.resolve(&mesh("home"), "abcdef").await.unwrap().head;
    assert_eq!(meshes.keys.revoke_seen(&found, None).await.unwrap(), revoked_at(&"abcdef".parse().unwrap(), START));
    assert_eq!(refused(&meshes.keys, SECRET).await, RefusalReason::Revoked);
    accepted(&meshes.keys, &longer).await;
}
