//! Lists, counts and the purge.

use std::time::Duration;

use super::{Subject, named, on_each, owner, reason};
use crate::key::{Environment, KeyId};
use crate::schemas::standard::StandardKey;
use crate::store::{KeyFilter, KeyState, KeyUse, ListRequest, PurgeRequest, StoreError};

/// The names of the keys that meet `filter`, newest first; the count has to agree.
async fn names(subject: &Subject, filter: KeyFilter) -> Vec<String> {
    let request = ListRequest::new(filter, 100, subject.keys.now());
    let found = subject.keys.store().list(&request).await.unwrap();
    assert_eq!(subject.keys.store().count(&request).await.unwrap(), found.len() as u64);
    found.into_iter().map(|key| key.details.name.as_str().to_owned()).collect()
}

#[tokio::test]
async fn lists_show_exactly_the_keys_that_meet_the_filter() {
    on_each(|subject| async move {
        let soon = subject.keys.now().saturating_add(Duration::from_secs(100));
        let active = subject.issue(named("active")).await.record;
        let disabled = subject.issue(named("disabled").expires_at(soon)).await.record;
        let revoked = subject.issue(named("revoked").expires_at(soon)).await.record;
        subject.issue(named("expired").expires_at(soon)).await;
        subject.issue(StandardKey::new("Customer", "active").unwrap()).await;
        for key in [&disabled, &revoked] {
            subject.keys.disable(&key.head.id, None).await.unwrap();
        }
        subject.keys.revoke(&revoked.head.id, Some(reason("leaked"))).await.unwrap();
        subject.clock.set(soon);
        let used = KeyUse::new(active.head.id.clone(), active.head.digest.unwrap(), soon);
        subject.keys.store().touch(&[used]).await.unwrap();

        let of = || KeyFilter::new().of(owner("customer"));
        assert_eq!(names(&subject, KeyFilter::new()).await, ["active", "expired", "revoked", "disabled", "active"]);
        assert_eq!(names(&subject, of()).await, ["expired", "revoked", "disabled", "active"]);
        for (state, expected) in [
            (KeyState::Active, "active"),
            (KeyState::Disabled, "disabled"),
            (KeyState::Expired, "expired"),
            (KeyState::Revoked, "revoked"),
        ] {
            assert_eq!(names(&subject, of().in_state(state)).await, [expected]);
            assert_eq!(names(&subject, KeyFilter::new().in_state(state)).await.last().unwrap(), expected);
        }
        assert_eq!(names(&subject, of().in_environment(Environment::TEST)).await, [""; 0]);
        assert_eq!(names(&subject, of().in_environment(Environment::LIVE)).await.len(), 4);
        assert_eq!(names(&subject, KeyFilter::new().named("active".parse().unwrap())).await.len(), 2);
        assert_eq!(names(&subject, of().named("Active".parse().unwrap())).await, [""; 0]);
        assert_eq!(names(&subject, of().expiring_before(soon)).await, [""; 0]);
        let later = soon.saturating_add(Duration::from_micros(1));
        assert_eq!(names(&subject, of().expiring_before(later)).await, ["expired", "revoked", "disabled"]);
        assert_eq!(names(&subject, of().unused_since(soon)).await, ["expired", "revoked", "disabled"]);
        assert_eq!(names(&subject, of().unused_since(later)).await.len(), 4);

        let (id, prefix) = (active.head.id.as_str(), active.head.prefix.as_str());
        for start in [id, &id[..30], prefix] {
            assert!(names(&subject, of().starting_with(start)).await.contains(&"active".to_owned()), "{start}");
        }
        assert_eq!(names(&subject, of().starting_with("acme_live_")).await.len(), 4);
        for start in ["acme%", "ACME_", "_cme", "%", "acme_live_*", "\u{e9}"] {
            assert_eq!(names(&subject, of().starting_with(start)).await, [""; 0], "{start}");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_neither_overlap_nor_skip_even_where_times_are_equal() {
    on_each(|subject| async move {
        for number in 0..7 {
            subject.keys.issue(named(&format!("key {number}"))).await.unwrap();
            if number % 3 == 0 {
                subject.tick();
            }
        }
        for filter in [KeyFilter::new(), KeyFilter::new().of(owner("customer"))] {
            let all = subject.keys.list(filter.clone(), 100, None).await.unwrap();
            let mut paged = Vec::new();
            let mut after: Option<KeyId> = None;
            loop {
                let page = subject.keys.list(filter.clone(), 2, after.as_ref()).await.unwrap();
                paged.extend(page.keys);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!((paged.len(), &paged), (7, &all.keys));
            let order = |key: &crate::key::KeyRecord<_>| (key.head.created_at, key.head.id.clone());
            assert!(paged.is_sorted_by(|a, b| order(a) > order(b)));
        }
        let unknown = KeyId::new("unknown").unwrap();
        let error = subject.keys.list(KeyFilter::new(), 2, Some(&unknown)).await.unwrap_err();
        assert!(matches!(error, StoreError::UnknownCursor), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn the_purge_takes_long_dead_keys_with_all_that_belongs_to_them() {
    on_each(|subject| async move {
        let now = subject.keys.now();
        let in_seconds = |seconds| now.saturating_add(Duration::from_secs(seconds));
        let expired = subject.issue(named("expired").expires_at(in_seconds(50))).await.record;
        let revoked = subject.issue(named("revoked").expires_at(in_seconds(1_000_000))).await.record;
        let recent = subject.issue(named("recent").expires_at(in_seconds(100))).await.record;
        let live = subject.issue(named("live")).await.record;
        for key in [&expired, &live] {
            let used = KeyUse::new(key.head.id.clone(), key.head.digest.unwrap(), now);
            assert_eq!(subject.keys.store().touch(&[used]).await.unwrap().written, 1);
        }
        subject.keys.revoke(&revoked.head.id, None).await.unwrap();
        subject.clock.set(in_seconds(200));

        let purge = async |limit| subject.keys.store().purge(&PurgeRequest::new(in_seconds(100), limit)).await.unwrap();
        assert_eq!([purge(1).await, purge(10).await, purge(10).await], [1, 1, 0]);
        assert_eq!(names(&subject, KeyFilter::new()).await, ["live", "recent"]);
        for gone in [&expired, &revoked] {
            assert_eq!(subject.keys.get(&gone.head.id).await.unwrap(), None);
            assert_eq!(subject.keys.store().history(&gone.head.id).await.unwrap(), []);
        }
        assert_eq!(subject.keys.store().history(&recent.head.id).await.unwrap().len(), 1);
        // The same identity and digest can come again.
        subject.keys.store().insert(&expired).await.unwrap();
        assert_eq!(subject.get(&expired.head.id).await, expired);
    })
    .await;
}
