//! Names that look like others: stored and found letter for letter, and written out in the log.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use keyward::Visible;
use keyward::key::{Actor, KeyName, OwnerId, Reason, Status};
use keyward::schemas::standard::{Standard, StandardUpdate};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Fixture, TestSchema, over, over_schemas};

const ODD: &str = "a\u{202e}b\u{200b}c\u{2066}d\u{2028}e";
const SHOWN: &str = r"a\u{202e}b\u{200b}c\u{2066}d\u{2028}e";

over_schemas![every_store of [standard::Standard, scraper::Scraper, mesh::Mesh]: odd_names_are_kept_and_compared_exactly];
over!(every_store of Standard: every_text_of_our_own_tables_is_kept_exactly);

fn owner(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

/// Everything that this thread logs while `script` runs.
async fn logged<T>(script: impl Future<Output = T>) -> (T, String) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let listening = tracing::subscriber::set_default(subscriber);
    let output = script.await;
    drop(listening);
    let text = String::from_utf8(log.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap();
    (output, text)
}

async fn odd_names_are_kept_and_compared_exactly<S: TestSchema>(fixture: Fixture<S>) {
    for name in [ODD, SHOWN, "abcde"] {
        fixture.add_owner(name).await;
    }
    let keys = &fixture.keys;
    let (issued, log) = logged(fixture.issue(ODD)).await;
    assert!(log.contains(SHOWN) && !log.trim_end().contains(Visible::writes_out), "{log}");
    assert_eq!(issued.record.head.owner.as_str(), ODD);
    for (name, count) in [(ODD, 1), (SHOWN, 0), ("abcde", 0)] {
        assert_eq!(keys.of(&owner(name)).list(10, None).await.unwrap().keys.len(), count, "{name}");
    }
    assert_eq!(keys.revoke_all(&owner(SHOWN), None).await.unwrap().count, 0);
    let reason = Reason::new(ODD).unwrap();
    let (revoked, log) = logged(keys.revoke(&issued.record.head.id, Some(reason.clone()))).await;
    assert_eq!(revoked.unwrap().revocation.reason, Some(reason.clone()));
    assert!(log.contains(SHOWN) && !log.trim_end().contains(Visible::writes_out), "{log}");
    let Status::Revoked(revocation) = keys.get(&issued.record.head.id).await.unwrap().unwrap().head.status else {
        panic!("not revoked");
    };
    assert_eq!(revocation.reason, Some(reason));
}

async fn every_text_of_our_own_tables_is_kept_exactly(fixture: Fixture<Standard>) {
    let keys = fixture.keys.by(Actor::new(ODD).unwrap());
    let id = fixture.issue(ODD).await.record.head.id;
    let update = StandardUpdate::new().rename(KeyName::new(ODD).unwrap()).description(Some(ODD.parse().unwrap()));
    let changed = keys.update(&id, 1, update).await.unwrap().key;
    keys.disable(&id, Some(Reason::new(ODD).unwrap())).await.unwrap();
    let stored = keys.get(&id).await.unwrap().unwrap();
    assert_eq!((stored.details.name.as_str(), changed.details.name.as_str()), (ODD, ODD));
    assert_eq!(stored.details.description.as_ref().map(keyward::key::Description::as_str), Some(ODD));
    let history = keys.history(&id).await.unwrap();
    let (update, disabling) = (&history[1], &history[2]);
    assert_eq!(update.by.as_ref().map(Actor::as_str), Some(ODD));
    assert_eq!(disabling.reason.as_ref().map(Reason::as_str), Some(ODD));
    let after: Vec<_> = update.changes.iter().map(|change| change.after.as_deref()).collect();
    assert_eq!(after, [Some(ODD), Some(ODD)]);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
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
