//! What callers read, what long streams know, and what stands in the log.

use std::sync::{Arc, Mutex, PoisonError};

use keyward::key::{KeyId, Refusal, RefusalReason, Revoked};
use keyward::schemas::mesh::Mesh;
use tracing_subscriber::fmt::MakeWriter;

use super::{HOUR, Meshes, ROW, Row, SECRET, draft, list, mesh, refused, revocation_at, revoked_at, sha256};
use crate::support::{Fixture, START, over};

over![every_database of Mesh:
    a_long_stream_knows_its_end_and_can_ask_again,
    keys_that_cannot_be_listed_are_no_empty_list,
    expiry_and_the_first_revocation_are_reported,
    the_log_distinguishes_reasons_and_the_caller_reads_one_sentence,
    issuing_and_revoking_are_events,
];

async fn a_long_stream_knows_its_end_and_can_ask_again(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let issued = meshes.issue(draft().expires_at(START.saturating_add(HOUR))).await;
    let secret = issued.secret.expose_secret();
    let elsewhere = meshes.another_process().await;
    let accepted = meshes.keys.verify(secret).await.unwrap();
    assert_eq!(accepted.head().expires_at, Some(START.saturating_add(HOUR)));
    assert_eq!(accepted.head().standing(START), Ok(()));
    assert_eq!(accepted.head().standing(START.saturating_add(HOUR)), Err(RefusalReason::Expired));
    elsewhere.revoke(&accepted.head().id, None).await.unwrap();
    assert_eq!(refused(&meshes.keys, secret).await, RefusalReason::Revoked);
}

async fn keys_that_cannot_be_listed_are_no_empty_list(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    ROW.write(&meshes).await;
    meshes.run("ALTER TABLE mesh.api_key RENAME TO elsewhere").await;
    meshes.keys.of(&mesh("home")).list(10, None).await.unwrap_err();
    let refusal = meshes.keys.verify(SECRET).await.unwrap_err();
    assert!(refusal.is_outage());
}

async fn expiry_and_the_first_revocation_are_reported(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let expires_at = START.saturating_add(HOUR);
    let issued = meshes.issue(draft().expires_at(expires_at)).await;
    assert_eq!(issued.record.head.expires_at, Some(expires_at));
    assert_eq!(list(&meshes.keys, "home").await[0].head.expires_at, Some(expires_at));
    let id = &issued.record.head.id;
    assert_eq!(meshes.keys.revoke(id, None).await.unwrap(), revoked_at(id, START));
    meshes.clock.advance(HOUR);
    assert_eq!(meshes.keys.revoke(id, None).await.unwrap(), Revoked::before(id.clone(), revocation_at(START)));
}

async fn the_log_distinguishes_reasons_and_the_caller_reads_one_sentence(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
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
    assert!(refusals.iter().map(Refusal::to_string).all(|sentence| sentence == "the API key is not valid"));
}

async fn issuing_and_revoking_are_events(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
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
    let secret = issued.secret.expose_secret();
    assert!(!log.contains(&secret[11..]) && !log.contains(&sha256(secret)));
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

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
