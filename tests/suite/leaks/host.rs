//! Changes inside the host's own transactions: a receipt hands out and prints nothing, and nothing is logged before the
//! host says that it has committed.

use std::time::Duration;

use keyward::Keys;
use keyward::key::{Issued, KeyChange, Receipt};
use keyward::schemas::standard::Standard;
use keyward::store::{RevokeAllRequest, RevokeRequest};

use super::evidence::Evidence;
use super::keys_with_secrets;
use super::log::Log;
use crate::support::{Database, Fixture, START, TestSchema as _, over};

over![every_engine of Standard: a_receipt_prints_nothing_and_nothing_is_logged_before_the_commit];

/// Nobody else's, so that the events of this test differ from those of others.
const OWNER: &str = "the owner of receipts";

/// Every kind of change in one transaction of the host's. The calls are the same on both engines, but for the waiting.
macro_rules! change_within {
    ($store:expr, $keys:expr, $issued:expr, $evidence:expr, $transaction:expr $(, $wait:tt)?) => {{
        let (store, keys, evidence) = ($store, $keys, $evidence);
        let head = &$issued.record.head;
        let rotation = keys.prepare_rotation($issued.record.clone(), Duration::from_mins(1), None).unwrap();
        let receipt = store.within($transaction).rotate(rotation)$(.$wait)?.unwrap();
        evidence.print("a receipt of a rotation", &receipt);
        drop(receipt);
        let seen = keys.prepare(Standard::draft(OWNER)).unwrap();
        let record = seen.record().clone();
        let receipt = store.within($transaction).issue(seen)$(.$wait)?.unwrap();
        evidence.print("a receipt of an issue", &receipt);
        let change = KeyChange::disable(&record, None, None, START).unwrap().unwrap();
        let changed = store.within($transaction).change(change)$(.$wait)?.unwrap();
        evidence.print("a receipt of a change", &changed);
        let request = RevokeRequest::new(head.id.clone(), START);
        let revoked = store.within($transaction).revoke(&request)$(.$wait)?.unwrap();
        evidence.print("a receipt of a revocation", &revoked);
        let request = RevokeAllRequest::new(head.owner.clone(), START);
        let all = store.within($transaction).revoke_all(&request)$(.$wait)?.unwrap();
        evidence.print("a receipt of a revocation of all", &all);
        receipt
    }};
}

async fn a_receipt_prints_nothing_and_nothing_is_logged_before_the_commit(fixture: Fixture<Standard>) {
    let log = Log::listen().await;
    let keys = keys_with_secrets(&fixture);
    let mut evidence = Evidence::of(*keys.format());
    let issued = keys.issue(Standard::draft(OWNER)).await.unwrap();
    evidence.plant(&issued.secret);

    let receipt = within_the_host(&fixture, &keys, &issued, &mut evidence).await;
    let own = [OWNER, issued.record.head.id.as_str()];
    assert_eq!(
        events(&log.text(), &own),
        ["key.issued"],
        "only the key that was issued outside of the transaction is logged"
    );
    // The plaintext comes out of the receipt alone, and so does its event.
    let committed = keys.committed(receipt);
    evidence.plant(&committed.secret);
    assert_eq!(events(&log.text(), &own), ["key.issued"; 2]);
    assert!(log.text().contains(committed.record.head.id.as_str()));
    evidence.check(&log.text());
}

/// The names of the events that speak of any of these.
fn events(log: &str, own: &[&str]) -> Vec<&'static str> {
    const EVENTS: [&str; 5] = ["key.issued", "key.rotated", "key.changed", "key.revoked", "keys.revoked"];
    let named = |line: &str| EVENTS.into_iter().find(|event| line.contains(&format!("event=\"{event}\"")));
    log.lines().filter(|line| own.iter().any(|own| line.contains(own))).filter_map(named).collect()
}

#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "SQLite does not wait"))]
async fn within_the_host(
    fixture: &Fixture<Standard>,
    keys: &Keys<Standard>,
    issued: &Issued<Standard>,
    evidence: &mut Evidence,
) -> Receipt<Issued<Standard>> {
    let store = fixture.sql();
    match fixture.database() {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(database) => {
            let mut connection = database.connection();
            let transaction = connection.transaction().unwrap();
            let receipt = change_within!(store, keys, issued, evidence, &transaction);
            transaction.commit().unwrap();
            receipt
        }
        #[cfg(feature = "postgres")]
        Database::Postgres(database) => {
            let mut transaction = database.pool().await.begin().await.unwrap();
            let receipt = change_within!(store, keys, issued, evidence, &mut transaction, await);
            transaction.commit().await.unwrap();
            receipt
        }
    }
}
