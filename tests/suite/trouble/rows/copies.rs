//! A rotation takes over what the row says when it happens, and not what its caller read before.

use keyward::KeysError;
use keyward::key::{KeyId, PreparedRotation, RateLimit, RefusalReason};
use keyward::schemas::mesh::{Capability, Mesh, MeshKey, Topics};
use keyward::schemas::scraper::{Scraper, ScraperKey};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::store::StoreError;

use super::{HOUR, OWNER, Rows, get, read, set};
use crate::support::{Fixture, over, over_schemas};

over![every_database of Scraper: what_was_cut_from_a_scrapers_key_stays_cut];
over![every_database of Mesh: what_was_cut_from_a_meshs_key_stays_cut, an_issuer_who_left_issues_no_successor];
over![every_engine of Standard: what_was_cut_by_hand_from_a_standard_key_stays_cut];
over![every_engine of Scraper: a_key_that_was_revoked_is_not_rotated_although_its_flag_is_set_again];

over_schemas![
    every_database of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    what_nobody_understands_survives_a_rotation_byte_for_byte,
];
over_schemas![
    every_database of [scraper::Scraper, mesh::Mesh]:
    a_key_that_went_to_another_owner_meanwhile_is_not_rotated,
];

fn prepared<S: Rows>(fixture: &Fixture<S>, seen: &keyward::key::KeyRecord<S>) -> PreparedRotation<S> {
    fixture.keys.prepare_rotation(seen.clone(), HOUR, None).unwrap()
}

async fn what_was_cut_from_a_scrapers_key_stays_cut(fixture: Fixture<Scraper>) {
    let draft = ScraperKey::named(OWNER, "import").unwrap().scope("admin").unwrap().scope("jobs:read").unwrap();
    let draft = draft.requests_per_minute(600).unwrap().metadata("{\"plan\": \"pro\"}").unwrap();
    let issued = fixture.keys.issue(draft).await.unwrap();
    let rotation = prepared(&fixture, &issued.record);
    let scopes = fixture.database().dialect("ARRAY['jobs:read']", "'[\"jobs:read\"]'");
    let cut = format!("scopes = {scopes}, rate_limit_rpm = 5, name = 'renamed', metadata = '{{\"plan\": \"free\"}}'");
    set(&fixture, &issued.record.head.id, &cut).await;

    let stored = fixture.store().rotate(rotation.rotation()).await.unwrap();
    assert_eq!(stored.details.scopes.to_string(), "jobs:read");
    assert_eq!(stored.details.rate_limit, RateLimit::per_minute(5).unwrap());
    assert_eq!(stored.details.name.as_str(), "renamed");
    assert_eq!(stored.details.metadata.as_ref().unwrap().as_str(), "{\"plan\": \"free\"}");
    assert_eq!(get(&fixture, &stored.head.id).await, stored);
    let rotated = fixture.keys.committed(rotation.stored(stored));
    let accepted = fixture.keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    assert_eq!(accepted.details().scopes.to_string(), "jobs:read");
}

async fn what_was_cut_from_a_meshs_key_stays_cut(fixture: Fixture<Mesh>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.keys.issue(MeshKey::new(OWNER, "bot", [Capability::Admin]).unwrap()).await.unwrap();
    let rotation = prepared(&fixture, &issued.record);
    let cut = "capabilities = '[\"read\"]', topic_scopes = '[\"deploys\"]', label = 'renamed'";
    set(&fixture, &issued.record.head.id, cut).await;

    let stored = fixture.store().rotate(rotation.rotation()).await.unwrap();
    assert_eq!(stored.details.capabilities.iter().collect::<Vec<_>>(), [Capability::Read]);
    assert_eq!(stored.details.topics.to_string(), "#deploys");
    assert_eq!(stored.details.label.as_str(), "renamed");
    assert_ne!(rotation.rotation().successor.details.topics, stored.details.topics);
    assert_eq!(rotation.rotation().successor.details.topics, Topics::All);
}

/// What the host changes in our own table by hand counts no version up, and is taken over all the same.
async fn what_was_cut_by_hand_from_a_standard_key_stays_cut(fixture: Fixture<Standard>) {
    let draft = StandardKey::new(OWNER, "import").unwrap().scope("admin").unwrap().requests_per_minute(600).unwrap();
    let issued = fixture.keys.issue(draft).await.unwrap();
    let rotation = prepared(&fixture, &issued.record);
    set(&fixture, &issued.record.head.id, "scopes = 'jobs:read', requests_per_minute = 5").await;
    let stored = fixture.store().rotate(rotation.rotation()).await.unwrap();
    assert_eq!(stored.details.scopes.to_string(), "jobs:read");
    assert_eq!(stored.details.rate_limit, RateLimit::per_minute(5).unwrap());
    assert_eq!(stored.details.predecessor.as_ref(), Some(&issued.record.head.id));
    assert_eq!(stored.details.lineage, issued.record.head.id);
}

/// The row names no issuer any more, whatever the caller had read.
async fn an_issuer_who_left_issues_no_successor(fixture: Fixture<Mesh>) {
    fixture.add_owner(OWNER).await;
    let member = fixture.database().dialect("mesh.member", "member");
    let add = format!(
        "INSERT INTO {member} (id, mesh_id, peer_pubkey, display_name) VALUES ('ada', '{OWNER}', 'pub', 'Ada')"
    );
    fixture.database().run(&add).await;
    let draft = MeshKey::new(OWNER, "bot", [Capability::Read]).unwrap().issued_by("ada").unwrap();
    let issued = fixture.keys.issue(draft).await.unwrap();
    let rotation = prepared(&fixture, &issued.record);
    // SQLite tells a connection of the host's nothing of its foreign keys unless it asks.
    let leave = format!("DELETE FROM {member} WHERE id = 'ada'");
    let leave = fixture.database().dialect(&leave, "PRAGMA foreign_keys = ON; DELETE FROM member WHERE id = 'ada'");
    fixture.database().run(leave).await;
    let stored = fixture.store().rotate(rotation.rotation()).await.unwrap();
    assert_eq!(stored.details.issuer, None);
}

/// With the side tables a revocation is final, whoever sets the flag again between the reading and the rotation.
async fn a_key_that_was_revoked_is_not_rotated_although_its_flag_is_set_again(fixture: Fixture<Scraper>) {
    let issued = fixture.issue(OWNER).await;
    let id = &issued.record.head.id;
    let rotation = prepared(&fixture, &issued.record);
    fixture.keys.revoke(id, None).await.unwrap();
    set(&fixture, id, "is_active = true").await;
    let lost = fixture.store().rotate(rotation.rotation()).await;
    assert!(matches!(lost, Err(StoreError::Conflict)), "{lost:?}");
    assert_eq!(fixture.keys.get(&rotation.rotation().successor.head.id).await.unwrap(), None);
    let refusal = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    assert_eq!(refusal.reason(), RefusalReason::Revoked);
}

/// The caller was told to rotate a key of its own, and must not be handed one of somebody else's.
async fn a_key_that_went_to_another_owner_meanwhile_is_not_rotated<S: Rows>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    fixture.add_owner("did:plc:other").await;
    let issued = fixture.issue(OWNER).await;
    let rotation = prepared(&fixture, &issued.record);
    let owner = if S::NAME == "mesh" { "mesh_id" } else { "client_id" };
    set(&fixture, &issued.record.head.id, &format!("{owner} = 'did:plc:other'")).await;
    let lost = fixture.store().rotate(rotation.rotation()).await;
    assert!(matches!(lost, Err(StoreError::Conflict)), "{lost:?}");
    assert_eq!(fixture.keys.get(&rotation.rotation().successor.head.id).await.unwrap(), None);
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
}

/// What stands in the columns of a key that is still good, in both dialects.
fn odd<S: Rows>(postgres: bool) -> String {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    match S::NAME {
        "scraper" => {
            let scopes = if postgres {
                "ARRAY[NULL, 'jobs:read', NULL, 'a  b', '']"
            } else {
                "'[null,  \"jobs:read\", null, \"\"]'"
            };
            format!(
                "scopes = {scopes}, name = '  ünï  ', \
                 metadata = '{{ \"big\" :12345678901234567890123, \"far\": 1e400, \"tiny\": 1.0e-400, \"deep\": {deep} }}'"
            )
        }
        "mesh" => format!(
            "capabilities = '[\"send\",  \"teleport\", null, 7, 1e400, {deep}, \"Admin\"]', label = '  ünï  ', \
             topic_scopes = '[\"deploys\",  null, 12345678901234567890123, {{\"a\": 1}}, \"#x\"]'"
        ),
        _ => format!(
            "scopes = '  jobs:read   b ', name = '  ünï  ', description = 'two' || '\n' || 'lines \u{202e}', \
             metadata = '{{ \"big\" :12345678901234567890123, \"far\": 1e400, \"deep\": {deep}'"
        ),
    }
}

async fn what_nobody_understands_survives_a_rotation_byte_for_byte<S: Rows>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    let mut id: KeyId = issued.record.head.id.clone();
    set(&fixture, &id, &odd::<S>(fixture.database().is_postgres())).await;
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
    let copied = S::copied(fixture.database());
    let written = read(&fixture, &id, copied).await.unwrap();
    assert!(written.len() > 400 && written.contains("ünï"), "{written}");
    for _ in 0..3 {
        let rotated = fixture.keys.rotate(&id, HOUR, None).await.unwrap();
        let successor = rotated.successor;
        fixture.keys.verify(successor.secret.expose_secret()).await.unwrap();
        id = successor.record.head.id;
        assert_eq!(read(&fixture, &id, copied).await.unwrap(), written);
    }
    let unknown = fixture.keys.rotate(&issued.record.head.id, HOUR, None).await;
    let rotated_already = matches!(unknown, Err(KeysError::AlreadyRotated { .. }));
    assert!(rotated_already || !fixture.store().abilities().rotation_memory, "{unknown:?}");
}
