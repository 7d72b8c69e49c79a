//! The faults of the system, by their numbers, and that keyward does not have them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward::key::{KeyDigest, KeyFormat, KeyId, Refusal, RefusalReason};
use keyward::mesh::{Access, AccessDenied, Capability, Mesh, MeshKey, MeshKeyError, Topics};
use keyward::service::{DEFAULT_INTERVAL, Revoked};
use keyward::{Keys, KeysError};

use super::{HOUR, Meshes, PATIENCE, ROW, Row, SECRET, Store, accepted, draft, list, mesh, refused, sha256};
use crate::support::START;
use crate::support::systems::{Setting, over_every_database_of};

over_every_database_of![Mesh:
    fault_b1_a_key_is_stored_as_the_plain_sha256_of_the_whole_string,
    fault_b4_a_key_with_topics_opens_nothing_that_spans_them_and_no_other_mesh,
    fault_b6_a_revoked_member_or_an_archived_mesh_can_stop_keys,
    fault_b7_a_long_stream_knows_its_end_and_can_ask_again,
    fault_b8_a_text_that_contains_admin_is_no_capability_and_its_parts_are_no_topics,
    fault_b8_a_digest_is_issued_once,
    fault_b9_no_wildcard_and_no_short_start_revokes_a_key,
    fault_b9_an_identity_that_starts_another_is_revoked_exactly,
    fault_b10_keys_that_cannot_be_listed_are_no_empty_list,
    fault_b11_an_empty_list_of_topics_is_stored_and_shown_as_none,
    fault_b11_a_number_sign_in_front_of_a_topic_is_not_stored,
    fault_b13_last_use_is_there_within_the_interval,
    fault_b13_a_last_use_that_was_not_written_is_counted_and_written_later,
    fault_b13_many_uses_are_one_write,
    fault_b14_expiry_and_the_first_revocation_are_told,
    fault_b15_the_log_tells_reasons_apart_and_the_caller_reads_one_sentence,
    fault_b19_issuing_and_revoking_are_events,
];

async fn fault_b1_a_key_is_stored_as_the_plain_sha256_of_the_whole_string(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    let issued = meshes.issue(draft()).await;
    let secret = issued.secret.expose_secret();
    let stored = meshes.text("SELECT secret_hash FROM mesh.api_key").await.unwrap();
    assert_eq!(stored, sha256(secret));
    assert_eq!(issued.record.head.digest, Some(KeyDigest::of(secret)));
    let body = secret.strip_prefix("cm_").unwrap();
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    assert!(body.len() == 43 && body.bytes().all(is_base64url), "{body}");
    assert_eq!(KeyFormat::MESH.display_length(), 11);
}

/// An operation that spans topics has to say so, and one mesh is all that a key speaks of.
async fn fault_b4_a_key_with_topics_opens_nothing_that_spans_them_and_no_other_mesh(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    let key = MeshKey::new("home", "reader", [Capability::Admin]).unwrap().only_topics(["deploys"]).unwrap();
    let issued = meshes.issue(key.issued_by("ada").unwrap()).await;
    let record = accepted(&meshes.keys, issued.secret.expose_secret()).await;
    for capability in Capability::ALL {
        let permits = |access| record.details.permits(access);
        assert_eq!(permits(Access::to_all_topics(capability)), Err(AccessDenied::Topic));
        assert_eq!(permits(Access::to_topic(capability, "general")), Err(AccessDenied::Topic));
        assert_eq!(permits(Access::to_topic(capability, "deploys")), Ok(()));
    }
    assert_eq!(record.head.owner.as_str(), "home");
}

async fn fault_b6_a_revoked_member_or_an_archived_mesh_can_stop_keys(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    let strict = meshes.strict().await;
    let issued = meshes.issue(draft().issued_by("ada").unwrap()).await;
    let secret = issued.secret.expose_secret();
    for (table, column, id) in [("member", "revoked_at", "ada"), ("mesh", "archived_at", "home")] {
        accepted(&strict, secret).await;
        meshes.run(&format!("UPDATE mesh.{table} SET {column} = '2030-01-01 00:00:00' WHERE id = '{id}'")).await;
        assert_eq!(refused(&strict, secret).await, RefusalReason::TenantDisabled);
        meshes.run(&format!("UPDATE mesh.{table} SET {column} = NULL")).await;
    }
}

async fn fault_b7_a_long_stream_knows_its_end_and_can_ask_again(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    let issued = meshes.issue(draft().expires_at(START.saturating_add(HOUR))).await;
    let secret = issued.secret.expose_secret();
    let elsewhere = meshes.another_process().await;
    let principal = meshes.keys.verify(secret).await.unwrap();
    assert_eq!(principal.head().expires_at, Some(START.saturating_add(HOUR)));
    assert_eq!(principal.head().standing(START.saturating_add(HOUR)), Err(RefusalReason::Expired));
    elsewhere.revoke(&principal.head().id, None).await.unwrap();
    assert_eq!(refused(&meshes.keys, secret).await, RefusalReason::Revoked);
}

async fn fault_b8_a_text_that_contains_admin_is_no_capability_and_its_parts_are_no_topics(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    Row { capabilities: "'\"xadminx\"'", topics: "'[]'", ..ROW }.write(&meshes).await;
    assert_eq!(refused(&meshes.keys, SECRET).await.code(), "unusable");
    meshes.run("UPDATE mesh.api_key SET capabilities = '[\"read\"]', topic_scopes = '\"deploys\"'").await;
    assert_eq!(refused(&meshes.keys, SECRET).await.code(), "unusable");
    let details = list(&meshes.keys, "home").await.remove(0).details;
    for part in ["deploys", "deploy", "d", ""] {
        assert_eq!(details.permits(Access::to_topic(Capability::Read, part)), Err(AccessDenied::Topic), "{part}");
    }
}

async fn fault_b8_a_digest_is_issued_once(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    let record = meshes.keys.prepare(draft().into()).unwrap().record().clone();
    let mut twin = record.clone();
    twin.head.id = "twin".parse().unwrap();
    meshes.keys.store().insert(&record).await.unwrap();
    meshes.keys.store().insert(&twin).await.unwrap_err();
    assert_eq!(list(&meshes.keys, "home").await, [record]);
}

async fn fault_b9_no_wildcard_and_no_short_start_revokes_a_key(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    Row { id: "AbC123xyz", ..ROW }.write(&meshes).await;
    for start in ["%", "_", "", "AbC12", "cm_AA"] {
        let refused = meshes.keys.resolve(&mesh("home"), start).await.unwrap_err();
        assert!(matches!(refused, KeysError::StartTooShort { least: 6 }), "{start}: {refused:?}");
    }
    for pattern in ["%%%%%%", "AbC_23", "AbC123%", "cm_AAEC%", "\\AbC123"] {
        let refused = meshes.keys.resolve(&mesh("home"), pattern).await.unwrap_err();
        assert!(matches!(refused, KeysError::NotFound), "{pattern}: {refused:?}");
    }
    accepted(&meshes.keys, SECRET).await;
}

async fn fault_b9_an_identity_that_starts_another_is_revoked_exactly(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    let longer = format!("{}4", &SECRET[..45]);
    Row { id: "abcdef", ..ROW }.write(&meshes).await;
    Row { id: "abcdef0", secret: &longer, ..ROW }.write(&meshes).await;
    let found = meshes.keys.resolve(&mesh("home"), "abcdef").await.unwrap();
    assert!(matches!(meshes.keys.revoke_seen(&found.head, None).await.unwrap(), Revoked::Now(_)));
    assert_eq!(refused(&meshes.keys, SECRET).await, RefusalReason::Revoked);
    accepted(&meshes.keys, &longer).await;
}

async fn fault_b10_keys_that_cannot_be_listed_are_no_empty_list(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    ROW.write(&meshes).await;
    meshes.run("ALTER TABLE mesh.api_key RENAME TO elsewhere").await;
    meshes.keys.list(&mesh("home"), 10, None).await.unwrap_err();
    let refusal = meshes.keys.verify(SECRET).await.unwrap_err();
    assert!(refusal.is_outage());
}

async fn fault_b11_an_empty_list_of_topics_is_stored_and_shown_as_none(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    assert!(matches!(draft().only_topics([]), Err(MeshKeyError::NoTopics)));
    let issued = meshes.issue(draft().no_topics()).await;
    assert_eq!(meshes.text("SELECT CAST(topic_scopes AS text) FROM mesh.api_key").await.as_deref(), Some("[]"));
    for shown in [issued.record, list(&meshes.keys, "home").await.remove(0)] {
        assert_eq!(shown.details.topics, Topics::Only(Vec::new()));
        assert_eq!(shown.details.topics.to_string(), "none");
    }
}

async fn fault_b11_a_number_sign_in_front_of_a_topic_is_not_stored(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    let issued = meshes.issue(draft().only_topics(["#deploys", "deploys"]).unwrap()).await;
    let stored = meshes.text("SELECT CAST(topic_scopes AS text) FROM mesh.api_key").await;
    assert_eq!(stored.as_deref(), Some("[\"deploys\"]"));
    let details = accepted(&meshes.keys, issued.secret.expose_secret()).await.details;
    assert_eq!(details.permits(Access::to_topic(Capability::Send, "deploys")), Ok(()));
    for ambiguous in ["##deploys", "#", ""] {
        assert_eq!(draft().only_topics([ambiguous]).unwrap_err(), MeshKeyError::Topic);
    }
}

#[test]
fn fault_b11_a_misspelt_capability_is_refused_and_not_dropped() {
    for misspelt in ["raed", "Send", "send ", "", "send,read", "state-write"] {
        assert_eq!(misspelt.parse::<Capability>(), Err(MeshKeyError::UnknownCapability), "{misspelt}");
    }
    for capability in Capability::ALL {
        assert_eq!(capability.as_str().parse(), Ok(capability));
    }
}

/// What the system takes for somebody who is here: an unrevoked key that was used in the last five minutes.
async fn present(meshes: &Meshes) -> bool {
    let present = "SELECT CAST(count(*) AS text) FROM mesh.api_key
                   WHERE revoked_at IS NULL AND last_used_at > '2029-12-31 23:55:00.123456'";
    meshes.text(present).await.unwrap() == "1"
}

async fn fault_b13_last_use_is_there_within_the_interval(setting: Setting<Mesh>) {
    assert!(DEFAULT_INTERVAL <= Duration::from_mins(1));
    let meshes = Meshes::over(setting).await;
    let interval = Duration::from_millis(50);
    let clock: Arc<dyn keyward::Clock> = Arc::<keyward::ManualClock>::clone(&meshes.clock);
    let store: Store = meshes.setting.another_process::<Mesh>().await;
    let keys = Keys::builder(Mesh, store).shared_clock(clock).last_used_interval(interval).build();
    ROW.write(&meshes).await;
    assert!(!present(&meshes).await);

    let (end, shutdown) = tokio::sync::oneshot::channel::<()>();
    let recorder = keys.record_last_used(async {
        let _ = shutdown.await;
    });
    let host = async {
        accepted(&keys, SECRET).await;
        let arrival = async {
            while !present(&meshes).await {
                tokio::time::sleep(interval / 5).await;
            }
        };
        tokio::time::timeout(PATIENCE, arrival).await.expect("the use is written long before the end");
        drop(end);
    };
    tokio::join!(recorder, host).0.unwrap();
}

async fn fault_b13_a_last_use_that_was_not_written_is_counted_and_written_later(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    ROW.write(&meshes).await;
    accepted(&meshes.keys, SECRET).await;
    meshes.run("ALTER TABLE mesh.api_key RENAME TO elsewhere").await;
    meshes.keys.flush_last_used().await.unwrap_err();
    let metrics = meshes.keys.last_used_metrics();
    assert_eq!((metrics.pending, metrics.failed_flushes), (1, 1));
    meshes.run("ALTER TABLE mesh.elsewhere RENAME TO api_key").await;
    assert!(!present(&meshes).await);
    assert_eq!(meshes.keys.flush_last_used().await.unwrap(), 1);
    assert!(present(&meshes).await);
}

async fn fault_b13_many_uses_are_one_write(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    ROW.write(&meshes).await;
    for _ in 0..100 {
        accepted(&meshes.keys, SECRET).await;
        meshes.clock.advance(Duration::from_millis(1));
    }
    assert!(!present(&meshes).await, "nothing is written on the way");
    assert_eq!(meshes.keys.flush_last_used().await.unwrap(), 1);
    let last_used_at = list(&meshes.keys, "home").await[0].head.last_used_at;
    assert_eq!(last_used_at, Some(START.saturating_add(Duration::from_millis(99))));
}

async fn fault_b14_expiry_and_the_first_revocation_are_told(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    let expires_at = START.saturating_add(HOUR);
    let issued = meshes.issue(draft().expires_at(expires_at)).await;
    assert_eq!(issued.record.head.expires_at, Some(expires_at));
    assert_eq!(list(&meshes.keys, "home").await[0].head.expires_at, Some(expires_at));
    let id = &issued.record.head.id;
    assert_eq!(meshes.keys.revoke(id, None).await.unwrap(), Revoked::Now(START));
    meshes.clock.advance(HOUR);
    let Revoked::Before(first) = meshes.keys.revoke(id, None).await.unwrap() else { panic!("it was revoked") };
    assert_eq!(first.at, Some(START));
}

async fn fault_b15_the_log_tells_reasons_apart_and_the_caller_reads_one_sentence(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    let verdict = async |secret: &str| meshes.keys.verify(secret).await.unwrap_err();
    let mut refusals = vec![verdict("cm_short").await, verdict(SECRET).await];
    for row in [
        Row { revoked_at: "'2029-12-31 00:00:00'", ..ROW },
        Row { expires_at: "'2029-12-31 00:00:00'", ..ROW },
        Row { capabilities: "'\"admin\"'", ..ROW },
    ] {
        row.write(&meshes).await;
        refusals.push(verdict(SECRET).await);
        meshes.run("DELETE FROM mesh.api_key").await;
    }
    let codes: Vec<_> = refusals.iter().map(|refusal| refusal.reason().code()).collect();
    assert_eq!(codes, ["malformed", "unknown", "revoked", "expired", "unusable"]);
    let known = [None, None, Some(ROW.id), Some(ROW.id), Some(ROW.id)];
    assert_eq!(refusals.iter().map(|refusal| refusal.key_id().map(KeyId::as_str)).collect::<Vec<_>>(), known);
    assert!(refusals.iter().map(Refusal::to_string).all(|told| told == "the API key is not valid"));
}

async fn fault_b19_issuing_and_revoking_are_events(setting: Setting<Mesh>) {
    let meshes = Meshes::over(setting).await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Log(Arc::clone(&log))).finish();
    // Of this thread alone, which is the one that the test's future stays on.
    let listening = tracing::subscriber::set_default(subscriber);
    let issued = meshes.issue(draft()).await;
    let id = &issued.record.head.id;
    meshes.keys.revoke(id, None).await.unwrap();
    meshes.keys.revoke(id, None).await.unwrap();
    drop(listening);
    let log = String::from_utf8(log.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap();
    let events: Vec<_> = log.lines().filter(|line| line.contains(&format!("key_id={id}"))).collect();
    let [issuing, revoking] = events[..] else { panic!("not one event each: {log}") };
    assert!(issuing.contains("event=\"key.issued\"") && issuing.contains("owner=home"), "{issuing}");
    assert!(revoking.contains("event=\"key.revoked\""), "{revoking}");
    assert!(
        !log.contains(&issued.secret.expose_secret()[11..]) && !log.contains(&sha256(issued.secret.expose_secret()))
    );
}

#[derive(Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
