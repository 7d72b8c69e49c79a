//! What a copy of the database has of answers: nobody gets from an old refresh token to a new one with it.

use keyward::broker::{GrantRevocationReason, SealedResponse};
use keyward::seal::StoredSecret;
use keyward::sql::SqlGrantStore;
use keyward::store::grants::{GrantStore as _, RevokeGrantRequest, SweepRequest};

use super::{CLIENT, at, digest, exchange, id, issued, migrated, on_both_engines, scopes, sealed};
use crate::support::Database;

on_both_engines![
    of_a_chain_of_exchanges_the_last_answer_alone_stands_there,
    an_answer_is_blank_after_its_use_its_revocation_and_its_time,
];

/// The exchange of the refresh token `<from>` for the tokens `<to>`, with an answer for a minute.
async fn answered(store: &SqlGrantStore, grant: &keyward::broker::Grant, from: &str, to: &str, now: i64) {
    let mut request = exchange(grant, from, to, now);
    let StoredSecret::Sealed(envelope) = sealed("response") else { unreachable!() };
    request.response = Some(SealedResponse::new(envelope, at(now + 60), at(now + 3_600), scopes("read write")));
    assert!(store.exchange(&request).await.unwrap());
}

/// The names of those of `names` whose refresh token has an answer, or a part of one.
async fn with_answer(database: &Database, names: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for name in names {
        let parts = format!(
            "SELECT CAST(count(*) AS text) FROM {} WHERE digest = '{}'
             AND coalesce(response, CAST(response_until AS text), CAST(response_access_expires_at AS text),
                          response_scopes) IS NOT NULL",
            database.own_table("grant_refresh_tokens"),
            digest(&format!("refresh-{name}")).to_hex().as_str()
        );
        if database.text(&parts).await.as_deref() == Some("1") {
            found.push((*name).to_owned());
        }
    }
    found
}

async fn of_a_chain_of_exchanges_the_last_answer_alone_stands_there(database: Database) {
    let store = migrated(&database).await;
    let of = issued(&store, "g", "42").await;
    let names = ["g", "g-1", "g-2", "g-3", "g-4"];
    for pair in names.windows(2) {
        answered(&store, &of, pair[0], pair[1], 2).await;
        assert_eq!(with_answer(&database, &names).await, [pair[0]]);
    }
}

async fn an_answer_is_blank_after_its_use_its_revocation_and_its_time(database: Database) {
    let store = migrated(&database).await;
    let names = ["used", "revoked", "late", "early"];
    for name in names {
        let of = issued(&store, name, "42").await;
        let now = if name == "early" { 62 } else { 2 };
        answered(&store, &of, name, &format!("{name}-2"), now).await;
    }
    store.note_first_use(&digest("access-used"), at(3)).await.unwrap();
    store.sweep(&SweepRequest::new(at(61), 100)).await.unwrap();
    assert_eq!(with_answer(&database, &names).await, names);
    store.note_first_use(&digest("access-used-2"), at(3)).await.unwrap();
    assert_eq!(with_answer(&database, &names).await, names[1..]);
    let revoked = keyward::broker::GrantId::new("revoked").unwrap();
    let request = RevokeGrantRequest::new(revoked, GrantRevocationReason::Revoked, at(3));
    assert!(store.revoke_grant(&request).await.unwrap());
    assert_eq!(with_answer(&database, &names).await, names[2..]);
    store.sweep(&SweepRequest::new(at(62), 100)).await.unwrap();
    assert_eq!(with_answer(&database, &names).await, ["early"]);
    assert!(store.remove_client(&id(CLIENT), at(63)).await.unwrap());
    assert_eq!(with_answer(&database, &names).await, [""; 0]);
}
