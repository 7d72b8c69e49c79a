//! Rows that the service writes are accepted here, and those that keyward writes are what the service reads.

use keyward::key::{Issued, KeyDigest, KeyFormat, KeyId, Reason, RefusalReason, Revoked, Status};
use keyward::schemas::mesh::{Access, AccessDenied, Capability, Mesh, MeshKey, Topics};
use keyward::store::{KeyLookup, StoreError};
use keyward::{KeysError, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::{HOUR, Meshes, ROW, Row, SECRET, accepted, draft, list, refused, revocation_at, revoked_at, sha256};
use crate::support::{Fixture, START, over};

over![every_database of Mesh:
    a_row_of_the_service_is_read_as_it_was_written,
    keys_that_the_service_made_are_accepted,
    a_key_of_the_service_is_rotated_and_revoked_like_any_other,
    a_key_is_stored_as_the_plain_sha256_of_the_whole_text,
    what_keyward_issues_is_what_the_service_reads,
    what_keyward_changes_is_what_the_service_reads,
    a_digest_in_another_form_belongs_to_no_key,
    of_several_keys_with_one_display_prefix_each_is_itself,
    dead_keys_with_the_same_display_prefix_do_no_harm,
    of_several_rows_with_one_digest_a_live_one_is_enough,
    a_digest_is_issued_once_whatever_the_table_would_take,
    a_key_without_capabilities_is_accepted_and_permits_nothing,
];

/// Keys as another program makes them, and their `sha256sum`.
const VECTORS: [(&str, &str); 3] = [
    (SECRET, "6e87955afdd27e3ab924dd75d364bc07f0b96fc695c1dc163dc744c372f8ff9b"),
    // 32 times 255: underscores all the way.
    (
        "cm___________________________________________8",
        "58cd8125fa8de70edaa9aabbbfa952dd4ea70d0c0961dfe9399d93bf26937dc2",
    ),
    // A display prefix that looks like another kind of token, by which nothing is decided.
    (
        "cm_session_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH0",
        "a2bff33e87520d757717995aaf1ad862938dc457f380cc1529714448e622a423",
    ),
];

async fn a_row_of_the_service_is_read_as_it_was_written(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let row =
        Row { topics: "'[\"deploys\", \"Alerts\"]'", issuer: "'ada'", expires_at: "'2030-06-01 12:00:00.5'", ..ROW };
    row.write(&meshes).await;
    let record = accepted(&meshes.keys, SECRET).await;
    let head = &record.head;
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    assert_eq!((head.id.as_str(), head.owner.as_str(), head.prefix.as_str()), (ROW.id, "home", "cm_AAECAwQF"));
    assert_eq!(head.created_at, at("2029-12-01T08:00:00.25Z"));
    assert_eq!(head.expires_at, at("2030-06-01T12:00:00.5Z"));
    assert_eq!((head.last_used_at, &head.status, head.defect), (None, &Status::Active, None));
    let details = &record.details;
    assert_eq!(details.label.as_str(), "by hand");
    assert_eq!(details.capabilities.iter().collect::<Vec<_>>(), [Capability::Send, Capability::Read]);
    assert_eq!(details.topics.to_string(), "#deploys #Alerts");
    assert_eq!(details.issuer.as_ref().map(ToString::to_string).as_deref(), Some("ada"));
    assert_eq!(list(&meshes.keys, "home").await, [record]);
}

/// A key as the service makes it of 32 random bytes: in base64url without padding (RFC 4648 section 5).
fn made_of(bytes: [u8; 32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: Vec<_> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| usize::from(byte >> bit & 1))).collect();
    let digits = bits.chunks(6).map(|bits| bits.iter().chain(&[0; 6]).take(6).fold(0, |digit, bit| digit << 1 | bit));
    format!("cm_{}", digits.map(|digit| char::from(ALPHABET[digit])).collect::<String>())
}

async fn keys_that_the_service_made_are_accepted(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    for (number, (secret, hash)) in VECTORS.into_iter().enumerate() {
        assert_eq!(sha256(secret), hash, "the vectors are those of another implementation");
        Row { id: &number.to_string(), secret, ..ROW }.write(&meshes).await;
        assert_eq!(accepted(&meshes.keys, secret).await.head.id.as_str(), number.to_string());
    }
    assert_eq!(made_of(std::array::from_fn(|byte| u8::try_from(byte).unwrap())), SECRET);
    let mut random = StdRng::seed_from_u64(0);
    for number in VECTORS.len()..VECTORS.len() + 50 {
        let mut bytes = [0; 32];
        random.fill_bytes(&mut bytes);
        let secret = made_of(bytes);
        Row { id: &number.to_string(), secret: &secret, ..ROW }.write(&meshes).await;
        assert_eq!(accepted(&meshes.keys, &secret).await.head.id.as_str(), number.to_string());
    }
}

async fn a_key_of_the_service_is_rotated_and_revoked_like_any_other(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    Row { topics: "'[\"deploys\"]'", issuer: "'ada'", ..ROW }.write(&meshes).await;
    let old = accepted(&meshes.keys, SECRET).await;
    let rotated = meshes.keys.rotate(&old.head.id, HOUR, None).await.unwrap();
    let new = accepted(&meshes.keys, rotated.successor.secret.expose_secret()).await;
    assert_eq!(new.details, old.details);
    if meshes.keys.store().abilities().rotation_memory {
        let again = meshes.keys.rotate(&old.head.id, HOUR, None).await;
        assert!(
            matches!(&again, Err(KeysError::AlreadyRotated { successor }) if *successor == new.head.id),
            "{again:?}"
        );
    }
    accepted(&meshes.keys, SECRET).await;
    meshes.clock.advance(HOUR);
    assert_eq!(refused(&meshes.keys, SECRET).await, RefusalReason::Expired);
    assert_eq!(meshes.keys.revoke(&old.head.id, None).await.unwrap(), revoked_at(&old.head.id, meshes.keys.now()));
    assert_eq!(refused(&meshes.keys, SECRET).await, RefusalReason::Revoked);
}

async fn a_key_is_stored_as_the_plain_sha256_of_the_whole_text(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let issued = meshes.issue(draft()).await;
    let secret = issued.secret.expose_secret();
    let stored = meshes.text("SELECT secret_hash FROM mesh.api_key").await.unwrap();
    assert_eq!(stored, sha256(secret));
    assert_eq!(issued.record.head.digest, Some(KeyDigest::of(secret)));
    let body = secret.strip_prefix("cm_").unwrap();
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    assert!(body.len() == 43 && body.bytes().all(is_base64url), "{body}");
    assert_eq!(KeyFormat::MESH.display_len(), 11);
}

/// The service's own reader, written in the words of its database, which also computes the digest by itself.
async fn what_keyward_issues_is_what_the_service_reads(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let everywhere = meshes.issue(draft()).await;
    let [deploys, nowhere] = [draft().only_topics(["#deploys", "ünï \"c\" \\"]).unwrap(), draft().no_topics()];
    let expiring = deploys.issued_by("ada").unwrap().expires_at(START.saturating_add(HOUR));
    let (expiring, nowhere) = (meshes.issue(expiring).await, meshes.issue(nowhere).await);
    let all = MeshKey::new("home", "all", Capability::ALL).unwrap();
    let all = meshes.issue(all).await;

    for issued in [&everywhere, &expiring, &nowhere, &all] {
        let secret = issued.secret.expose_secret();
        let (hash, prefix) = (sha256(secret), &secret[..11]);
        let row = format!(
            "SELECT id FROM mesh.api_key WHERE secret_prefix = '{prefix}' AND secret_hash = '{hash}'
             AND length(secret_prefix) = 11 AND length(secret_hash) = 64 AND length(id) = 32 AND mesh_id = 'home'
             AND revoked_at IS NULL AND last_used_at IS NULL
             AND CAST(created_at AS text) = '2030-01-01 00:00:00.123456'"
        );
        assert_eq!(meshes.text(&row).await.as_deref(), Some(issued.record.head.id.as_str()));
    }

    let read = async |issued: &Issued<Mesh>, what: &str| {
        let id = &issued.record.head.id;
        meshes.text(&format!("SELECT CAST({what} AS text) FROM mesh.api_key WHERE id = '{id}'")).await
    };
    assert_eq!(read(&everywhere, "label").await.as_deref(), Some("deploy bot"));
    assert_eq!(read(&everywhere, "topic_scopes").await, None, "NULL of SQL, and not that of JSON");
    assert_eq!(read(&everywhere, "expires_at").await, None);
    assert_eq!(read(&everywhere, "issued_by_member_id").await, None);
    assert_eq!(read(&expiring, "issued_by_member_id").await.as_deref(), Some("ada"));
    assert_eq!(read(&expiring, "expires_at").await.as_deref(), Some("2030-01-01 01:00:00.123456"));
    let [type_of, elements, capabilities, topics, hexadecimal] = if meshes.database().is_postgres() {
        [
            "jsonb_typeof(capabilities)",
            "jsonb_typeof(topic_scopes) || jsonb_array_length(topic_scopes)",
            // The service's enumeration knows them all.
            "(SELECT string_agg(c::mesh.api_key_capability::text, ' ') FROM jsonb_array_elements_text(capabilities) c)",
            "(SELECT string_agg(t, ' ') FROM jsonb_array_elements_text(topic_scopes) t)",
            "secret_hash ~ '^[0-9a-f]{64}$' AND id ~ '^[0-9A-Za-z]{32}$'",
        ]
    } else {
        [
            "json_type(capabilities)",
            "json_type(topic_scopes) || json_array_length(topic_scopes)",
            "(SELECT group_concat(value, ' ') FROM json_each(capabilities))",
            "(SELECT group_concat(value, ' ') FROM json_each(topic_scopes))",
            "CASE WHEN secret_hash NOT GLOB '*[^0-9a-f]*' AND id NOT GLOB '*[^0-9A-Za-z]*' THEN 'true' END",
        ]
    };
    for issued in [&everywhere, &expiring, &nowhere, &all] {
        assert_eq!(read(issued, type_of).await.as_deref(), Some("array"));
        assert_eq!(read(issued, hexadecimal).await.as_deref(), Some("true"));
    }
    assert_eq!(read(&everywhere, capabilities).await.as_deref(), Some("send"));
    assert_eq!(read(&all, capabilities).await.as_deref(), Some("send read state_write admin"));
    assert_eq!(read(&expiring, elements).await.as_deref(), Some("array2"));
    assert_eq!(read(&expiring, topics).await.as_deref(), Some("deploys ünï \"c\" \\"));
    assert_eq!(read(&nowhere, elements).await.as_deref(), Some("array0"));
}

async fn what_keyward_changes_is_what_the_service_reads(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    ROW.write(&meshes).await;
    let read = async |column: &str| {
        let row = format!("SELECT CAST({column} AS text) FROM mesh.api_key WHERE id = '{}'", ROW.id);
        meshes.text(&row).await
    };
    let id = accepted(&meshes.keys, SECRET).await.head.id;
    assert_eq!(meshes.keys.flush_last_used().await.unwrap(), 1);
    assert_eq!(read("last_used_at").await.as_deref(), Some("2030-01-01 00:00:00.123456"));
    meshes.keys.rotate(&id, HOUR, None).await.unwrap();
    assert_eq!(read("expires_at").await.as_deref(), Some("2030-01-01 01:00:00.123456"));
    assert_eq!(read("revoked_at").await, None);
    meshes.clock.advance(HOUR / 2);
    meshes.keys.revoke(&id, None).await.unwrap();
    assert_eq!(read("revoked_at").await.as_deref(), Some("2030-01-01 00:30:00.123456"));
    assert_eq!(read("created_at").await, read("'2029-12-01 08:00:00.25'").await, "it is left alone");
}

async fn a_digest_in_another_form_belongs_to_no_key(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    ROW.write(&meshes).await;
    for other in ["upper(secret_hash)", "substr(secret_hash, 1, 63)", "secret_hash || '0'", "''", "secret_prefix"] {
        meshes.run(&format!("UPDATE mesh.api_key SET secret_hash = {other}")).await;
        assert_eq!(refused(&meshes.keys, SECRET).await, RefusalReason::Unknown, "{other}");
        assert_eq!(list(&meshes.keys, "home").await[0].head.digest, None);
        meshes.run(&format!("UPDATE mesh.api_key SET secret_hash = '{}'", sha256(SECRET))).await;
        accepted(&meshes.keys, SECRET).await;
    }
}

/// Keys of 46 characters that differ from one another in the last one only, and so share the display prefix.
fn twins() -> Vec<String> {
    "048AEIMQUYcgkosw".chars().map(|last| format!("{}{last}", &SECRET[..45])).collect()
}

async fn of_several_keys_with_one_display_prefix_each_is_itself(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let twins = twins();
    for (number, secret) in twins.iter().enumerate() {
        let mesh = if number % 2 == 0 { "home" } else { "work" };
        Row { id: &format!("twin {number:02}"), mesh, secret, ..ROW }.write(&meshes).await;
    }
    for (number, secret) in twins.iter().enumerate() {
        let id = format!("twin {number:02}");
        assert_eq!(accepted(&meshes.keys, secret).await.head.id.as_str(), id);
        let digest = KeyDigest::of(secret);
        let found = meshes.keys.store().find(KeyLookup::new(&digest, &secret[..11])).await.unwrap();
        assert_eq!(found.iter().map(|key| key.head.id.as_str()).collect::<Vec<_>>(), [id], "the others are not read");
    }
    let stranger = format!("{}1", &SECRET[..45]);
    assert_eq!(refused(&meshes.keys, &stranger).await, RefusalReason::Unknown);
}

async fn dead_keys_with_the_same_display_prefix_do_no_harm(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let twins = twins();
    let past = "'2029-12-31 23:59:59'";
    let [revoked, expired, odd, live, .., last] = &twins[..] else { unreachable!() };
    Row { id: "a", secret: revoked, revoked_at: past, ..ROW }.write(&meshes).await;
    Row { id: "b", secret: expired, expires_at: past, ..ROW }.write(&meshes).await;
    Row { id: "c", secret: odd, capabilities: "'\"admin\"'", ..ROW }.write(&meshes).await;
    Row { id: "d", secret: live, ..ROW }.write(&meshes).await;
    Row { id: "e", secret: last, revoked_at: past, expires_at: past, ..ROW }.write(&meshes).await;

    assert_eq!(accepted(&meshes.keys, live).await.head.id.as_str(), "d");
    for (secret, id, code) in
        [(revoked, "a", "revoked"), (expired, "b", "expired"), (odd, "c", "unusable"), (last, "e", "revoked")]
    {
        let refusal = meshes.keys.verify(secret).await.unwrap_err();
        assert_eq!((refusal.reason().code(), refusal.key_id().map(KeyId::as_str)), (code, Some(id)));
    }
    assert_eq!(list(&meshes.keys, "home").await.len(), 5);
}

async fn of_several_rows_with_one_digest_a_live_one_is_enough(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let past = "'2029-12-31 23:59:59'";
    Row { id: "a", revoked_at: past, ..ROW }.write(&meshes).await;
    Row { id: "b", ..ROW }.write(&meshes).await;
    Row { id: "c", expires_at: past, ..ROW }.write(&meshes).await;
    Row { id: "d", topics: "'\"deploys\"'", ..ROW }.write(&meshes).await;
    let live = accepted(&meshes.keys, SECRET).await;
    assert_eq!(live.head.id.as_str(), "b");

    assert_eq!(meshes.keys.flush_last_used().await.unwrap(), 1);
    for key in list(&meshes.keys, "home").await {
        let used = (key.head.id.as_str() == "b").then_some(START);
        assert_eq!(key.head.last_used_at, used, "the row that was accepted is the one that was used");
    }
    meshes.keys.revoke(&live.head.id, None).await.unwrap();
    meshes.keys.verify(SECRET).await.unwrap_err();
    let first = meshes.keys.revoke(&"a".parse().unwrap(), None).await.unwrap();
    let revocation = revocation_at("2029-12-31T23:59:59Z".parse().unwrap());
    let others = ["c", "d"].map(|id| id.parse().unwrap());
    let before = Revoked::before("a".parse().unwrap(), revocation).with_twins(others.into());
    assert_eq!(first, before, "each row keeps its own time, and those that are not revoked are named");
}

async fn a_digest_is_issued_once_whatever_the_table_would_take(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let prepared = meshes.keys.prepare(draft()).unwrap();
    let first = prepared.record().clone();
    meshes.keys.store().insert(&first).await.unwrap();
    let mut again = first.clone();
    again.head.id = "another identity".parse().unwrap();
    let refused = meshes.keys.store().insert(&again).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(list(&meshes.keys, "home").await, std::slice::from_ref(&first));
    again.head.digest = Some(KeyDigest::of("another key"));
    meshes.keys.store().insert(&again).await.unwrap();
    let reason = meshes.keys.store().abilities().revocation_reason.then(|| Reason::new("twin").unwrap());
    meshes.keys.revoke(&again.head.id, reason).await.unwrap();
    assert_eq!(meshes.keys.get(&first.head.id).await.unwrap(), Some(first), "the twin is another key");
}

/// The column's default is `[]`.
async fn a_key_without_capabilities_is_accepted_and_permits_nothing(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    Row { capabilities: "'[]'", ..ROW }.write(&meshes).await;
    let details = accepted(&meshes.keys, SECRET).await.details;
    assert_eq!(details.topics, Topics::All);
    for capability in Capability::ALL {
        let denied = Err(AccessDenied::Capability(capability));
        assert_eq!(details.permits(Access::without_topic(capability)), denied);
        assert_eq!(details.permits(Access::to_topic(capability, "deploys")), denied);
        assert_eq!(details.permits(Access::to_all_topics(capability)), denied);
    }
}
