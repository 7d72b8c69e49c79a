//! Limits of keys over HTTP: who passes, and what the others are answered.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::routing::get;
use axum::{Extension, Router};
#[cfg(feature = "tokio")]
use keyward::http::Rejection;
use keyward::http::{Permitted, Protect};
use keyward::key::{Authenticated, Bucket, Lineage, Rate, Taken};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::service::{Admitted, Counted, OnOutage, RateLimiter, RateLimiterBuilder};
use keyward::store::{LimitStore, StoreError};
use keyward::{Clock as _, ManualClock, Timestamp};

use super::server::{Answer, Server};
use super::{key, keys};

keyward::required_scopes! {
    JobsRead = ["jobs:read"];
}

type Caller = Authenticated<Standard>;

fn limiter(per_minute: u32) -> RateLimiterBuilder<Standard> {
    RateLimiter::builder(NonZeroU32::new(per_minute).unwrap())
}

/// What is said of the limit: the policy, what is left, and when to come again.
fn said(answer: &Answer) -> [&str; 3] {
    ["ratelimit-policy", "ratelimit", "retry-after"].map(|name| answer.header(name))
}

#[tokio::test]
async fn what_exceeds_the_limit_is_429_with_a_time_and_no_challenge() {
    let (keys, clock) = (keys(), Arc::new(ManualClock::new(Timestamp::from_seconds(1_893_456_000))));
    let presented = key(&keys, "customer-1", &[]).await;
    let other = key(&keys, "customer-1", &[]).await;
    let limiter = limiter(2).shared_clock(clock.clone()).build();
    let whoami = |caller: Caller| async move { caller.owner().to_string() };
    let app = Router::new().route("/", get(whoami)).layer(Protect::new(keys).limit(limiter));
    let server = Server::start(app).await;

    for (left, whole_after) in [(1, 30), (0, 60)] {
        let answer = server.get_with("/", &presented).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "customer-1"));
        let expected = [r#""key";q=2;w=60"#, &format!(r#""key";r={left};t={whole_after}"#), ""];
        assert_eq!(said(&answer), expected);
    }
    let refused = server.get_with("/", &presented).await;
    assert_eq!(refused.status, 429);
    assert_eq!(said(&refused), [r#""key";q=2;w=60"#, r#""key";r=0;t=30"#, "30"]);
    assert_eq!(refused.header("www-authenticate"), "", "the key is good");
    assert!(refused.body.starts_with(r#"{"error":"too_many_requests""#), "{}", refused.body);

    assert_eq!(server.get_with("/", &other).await.status, 200, "each key has its own limit");
    assert_eq!(server.get_with("/", "hunter2").await.status, 401);
    assert_eq!(said(&server.get("/", b"").await), ["", "", ""]);
    clock.set(clock.now().saturating_add(Duration::from_secs(30)));
    assert_eq!(server.get_with("/", &presented).await.status, 200);
}

#[tokio::test]
async fn a_request_counts_once_and_also_when_it_lacks_a_scope() {
    let keys = keys();
    let draft = StandardKey::new("customer-1", "test").unwrap().requests_per_minute(3).unwrap();
    let issued = keys.issue(draft).await.unwrap();
    let presented = issued.secret.expose_secret();
    let thrice = |_: Caller, _: Option<Caller>, Extension(admitted): Extension<Admitted>| async move {
        format!("{} {}", admitted.remaining, admitted.counted.code())
    };
    let scoped = |_: Permitted<Caller, JobsRead>| async {};
    let app = Router::new().route("/", get(thrice)).route("/scoped", get(scoped));
    let server = Server::start(app.layer(Protect::new(keys).limit(limiter(60).build()))).await;

    assert_eq!(server.get_with("/", presented).await.body, "2 in_process");
    assert_eq!(server.get_with("/scoped", presented).await.status, 403);
    assert_eq!(server.get_with("/", presented).await.body, "0 in_process");
    assert_eq!(server.get_with("/scoped", presented).await.status, 429);
}

/// A store that is lost.
#[derive(Debug, Default)]
struct Shared {
    is_up: AtomicBool,
}

#[async_trait]
impl LimitStore for Shared {
    async fn take(&self, _: Lineage<'_>, rate: Rate) -> Result<Taken, StoreError> {
        if self.is_up.load(Ordering::Relaxed) {
            return Ok(Bucket::new(Timestamp::MIN).take(rate, Timestamp::MIN));
        }
        Err(StoreError::Unavailable { backend: "Redis", source: "connection refused by redis.internal".into() })
    }
}

#[tokio::test]
async fn a_lost_store_is_503_or_admits_as_the_host_has_decided() {
    for on_outage in [OnOutage::Refuse, OnOutage::Admit] {
        let (keys, shared) = (keys(), Arc::<Shared>::default());
        let presented = key(&keys, "customer-1", &[]).await;
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_893_456_000)));
        let limiter = limiter(60).shared_by(shared.clone(), on_outage).shared_clock(clock.clone()).build();
        let counted = |Extension(admitted): Extension<Admitted>| async move { admitted.counted.code() };
        let app = Router::new().route("/", get(counted)).layer(Protect::new(keys).limit(limiter));
        let server = Server::start(app).await;

        let answer = server.get_with("/", &presented).await;
        assert_eq!(answer.header("www-authenticate"), "");
        if on_outage == OnOutage::Refuse {
            assert_eq!((answer.status, said(&answer)), (503, ["", "", "1"]));
            assert!(!answer.body.contains("redis"), "{}", answer.body);
        } else {
            assert_eq!((answer.status, answer.body.as_str()), (200, Counted::Nowhere.code()));
            assert_eq!(said(&answer), ["", "", ""], "nobody knows");
        }

        shared.is_up.store(true, Ordering::Relaxed);
        clock.advance(Duration::from_secs(1));
        let answer = server.get_with("/", &presented).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "shared"));
    }
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_quota_that_is_used_up_is_429_until_the_next_period() {
    use axum::extract::State;
    use keyward::key::{Period, Quota};
    use keyward::service::Quotas;
    use keyward::store::MemoryQuotaStore;

    async fn export(caller: Caller, State(quotas): State<Quotas<Standard>>) -> Result<String, Rejection> {
        let used = quotas.spend(&caller, Quota::new(1, Period::DAY)).await?;
        Ok(format!("{} left", used.left))
    }
    let keys = keys();
    let presented = key(&keys, "customer-1", &[]).await;
    let clock = ManualClock::new("2030-01-31T23:59:50.5Z".parse().unwrap());
    let quotas = Quotas::builder(MemoryQuotaStore::new()).clock(clock).build().unwrap();
    let server =
        Server::start(Router::new().route("/", get(export)).layer(Protect::new(keys)).with_state(quotas)).await;
    assert_eq!(server.get_with("/", &presented).await.body, "0 left");
    let refused = server.get_with("/", &presented).await;
    assert_eq!((refused.status, refused.header("retry-after"), refused.header("www-authenticate")), (429, "10", ""));
    let body =
        r#"{"error":"quota_used_up","error_description":"the quota of 1 is used up until 2030-02-01T00:00:00Z"}"#;
    assert_eq!(refused.body, body);
}
