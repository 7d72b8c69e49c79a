//! A key and its session stay together when several callers are at work, when one gives up, and in the host's transaction.

use std::time::Duration;

use keyward::store::credentials::{Over, Standing};

use super::keys::{DID, Service, both_over, draft, session};
use super::place::{Place, over_every_form};
use crate::credentials::service::owner;
use crate::support::concurrency::{Abandon, abandon, race};
use crate::support::{Database, START};

over_every_form![
    of_many_issues_at_once_one_stands_with_its_own_session,
    an_issue_and_a_revocation_at_once_leave_a_key_with_a_session_or_neither,
    a_call_that_is_given_up_leaves_both_or_neither,
    inside_the_hosts_transaction_both_live_and_die_with_it,
];

/// One of several calls of different kinds.
type Racer = std::pin::Pin<Box<dyn Future<Output = bool> + Send>>;

async fn of_many_issues_at_once_one_stands_with_its_own_session(place: Place) {
    let service = Service::over(place).await;
    service.issue("zero").await;
    let mut racers = Vec::new();
    for number in 0..8_u32 {
        let (_, both) = both_over(&service.place, u64::from(number) + 10).await;
        racers.push(move || async move { both.issue(draft(), session(DID, &format!("racer-{number}"))).await.ok() });
    }
    let issued = race(racers).await;
    let mut standing = Vec::new();
    for (number, issued) in issued.into_iter().enumerate() {
        if let Some(issued) = issued
            && service.refusal(&issued.secret).await.is_none()
        {
            standing.push(number);
        }
    }
    assert_eq!(standing.len(), 1, "{standing:?}");
    service.both.credentials().forget(&owner(DID));
    assert_eq!(service.session().await, Some(format!("racer-{}", standing[0])));
}

async fn an_issue_and_a_revocation_at_once_leave_a_key_with_a_session_or_neither(place: Place) {
    let service = Service::over(place).await;
    for round in 0..6_u64 {
        let first = service.issue("before").await;
        let (_, one) = both_over(&service.place, 100 + round).await;
        let (_, other) = both_over(&service.place, 200 + round).await;
        let head = first.record.head.clone();
        let issue: Box<dyn FnOnce() -> Racer + Send> =
            Box::new(move || Box::pin(async move { one.issue(draft(), session(DID, "after")).await.is_ok() }));
        let revoke: Box<dyn FnOnce() -> Racer + Send> =
            Box::new(move || Box::pin(async move { other.revoke_and_wipe(&head, None).await.is_ok() }));
        let done = race([issue, revoke]).await;
        service.both.credentials().forget(&owner(DID));
        let is_live = service.key().await.is_some_and(|key| key.standing(START).is_ok());
        assert_eq!(is_live, done[0], "round {round}: {done:?}");
        assert_eq!(service.session().await.as_deref(), done[0].then_some("after"), "round {round}: {done:?}");
    }
}

async fn a_call_that_is_given_up_leaves_both_or_neither(place: Place) {
    let service = Service::over(place).await;
    for polls in 1..16 {
        for when in Abandon::at(polls) {
            let [earlier, later] = ["before", "after"].map(|name| format!("{name} {when:?}"));
            service.issue(&earlier).await;
            let before = service.key().await.unwrap().digest;
            drop(abandon(service.both.issue(draft(), session(DID, &later)), when).await);
            // A change that was given up may still be on its way.
            for _ in 0..40 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                if service.key().await.unwrap().digest != before {
                    break;
                }
            }
            service.both.credentials().forget(&owner(DID));
            let is_new = service.key().await.unwrap().digest != before;
            let session = service.session().await;
            assert_eq!(session, Some(if is_new { later } else { earlier }), "{when:?}");
        }
    }
}

async fn inside_the_hosts_transaction_both_live_and_die_with_it(place: Place) {
    let service = Service::over(place).await;
    let (keys, credentials) = (service.both.keys(), service.both.credentials());
    for commit in [false, true] {
        let prepared = keys.prepare(draft()).unwrap();
        let put = credentials.prepare(&owner(DID), session(DID, "one"), Over::Anything).unwrap();
        let on = Standing::New(&put);
        let (key_store, credential_store) = (service.store.key_store(), service.store.credential_store());
        let receipt = match &service.place.database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(database) => {
                let mut connection = database.connection();
                let transaction = connection.transaction().unwrap();
                let receipt = key_store.within(&transaction).issue_on(prepared, credential_store, on).unwrap();
                if commit {
                    transaction.commit().unwrap();
                } else {
                    transaction.rollback().unwrap();
                }
                receipt
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(database) => {
                let pool = database.pool().await;
                let mut transaction = pool.begin().await.unwrap();
                let within = key_store.within(&mut transaction).issue_on(prepared, credential_store, on).await;
                let receipt = within.unwrap();
                if commit {
                    transaction.commit().await.unwrap();
                } else {
                    transaction.rollback().await.unwrap();
                }
                receipt
            }
        };
        if commit {
            let issued = keys.committed(receipt);
            assert_eq!(service.refusal(&issued.secret).await, None);
        } else {
            assert!(service.key().await.is_none());
        }
        assert_eq!(service.session().await.is_some(), commit);
    }

    let seen = service.key().await.unwrap();
    let request = keys.revocation(&seen.id, None).seen(seen.digest);
    for commit in [false, true] {
        let (key_store, credential_store) = (service.store.key_store(), service.store.credential_store());
        let (_, wiped) = match &service.place.database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(database) => {
                let mut connection = database.connection();
                let transaction = connection.transaction().unwrap();
                let done = key_store.within(&transaction).revoke_and_wipe(&request, credential_store).unwrap();
                if commit {
                    transaction.commit().unwrap();
                } else {
                    transaction.rollback().unwrap();
                }
                done.unwrap()
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(database) => {
                let pool = database.pool().await;
                let mut transaction = pool.begin().await.unwrap();
                let done = key_store.within(&mut transaction).revoke_and_wipe(&request, credential_store).await;
                if commit {
                    transaction.commit().await.unwrap();
                } else {
                    transaction.rollback().await.unwrap();
                }
                done.unwrap().unwrap()
            }
        };
        assert!(wiped);
        credentials.forget(&owner(DID));
        assert_eq!(service.session().await.is_none(), commit);
        assert_eq!(service.key().await.unwrap().standing(START).is_err(), commit);
    }
}
