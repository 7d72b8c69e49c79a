//! The server is killed, stands still, or forgets: what the host has decided happens, nobody waits for long, and nobody has
//! to do anything when it is over.

use std::time::Duration;

use keyward::key::{Authenticated, Quota};
use keyward::schemas::standard::Standard;
use keyward::service::{Admitted, Counted, OnOutage, Quotas, RateLimited, RateLimiter};
use keyward::{DEFAULT_REDIS_TIMEOUT, ManualClock};
use tokio::time::Instant;

use super::{admitted, caller, limiter};
use crate::support::START;
use crate::support::log::Log;
use crate::support::redis::{Server, ask, prefix, store, url};

const POLICIES: [OnOutage; 3] = [OnOutage::Refuse, OnOutage::Admit, OnOutage::CountInProcess];

/// Of a key that was not counted in this process yet, while the server is lost.
async fn assert_decided_by(on_outage: OnOutage, limiter: &RateLimiter<Standard>, caller: &Authenticated<Standard>) {
    for request in 0..40 {
        match (on_outage, limiter.check(caller).await) {
            (OnOutage::Refuse, Err(RateLimited::Unavailable { .. }))
            | (OnOutage::Admit, Ok(Admitted { counted: Counted::Nowhere, .. })) => {}
            (OnOutage::CountInProcess, Ok(Admitted { counted: Counted::InProcess, .. })) if request < 20 => {}
            (OnOutage::CountInProcess, Err(RateLimited::Exceeded { .. })) if request >= 20 => {}
            (_, answer) => panic!("{on_outage:?}, request {request}: {answer:?}"),
        }
    }
}

/// Asks until the server is asked again.
async fn shared_again(limiter: &RateLimiter<Standard>, caller: &Authenticated<Standard>) {
    let start = Instant::now();
    loop {
        match limiter.check(caller).await {
            Ok(Admitted { counted: Counted::Shared, .. }) => break,
            answer => assert!(start.elapsed() < Duration::from_secs(30), "still {answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back() {
    let (log, _guard) = Log::listen();
    for on_outage in POLICIES {
        let (mut server, caller) = (Server::start(), caller().await);
        let limiter = limiter(20, store(server.url(), "acme").await, on_outage);
        assert_eq!(limiter.check(&caller).await.unwrap().counted, Counted::Shared);

        server.process().await.signal("-KILL");
        assert_decided_by(on_outage, &limiter, &caller).await;

        server = server.again();
        shared_again(&limiter, &caller).await;
        assert!(admitted(&limiter, &caller).await < 20, "and counts on");
        drop(server);
    }
    let expected = ["limit.not_shared", "limit.shared_again"].repeat(POLICIES.len());
    let mut events = log.events();
    events.retain(|event| event.starts_with("limit."));
    assert_eq!(events, expected, "each is said once an outage");
}

#[tokio::test]
async fn a_server_that_stands_still_and_goes_on() {
    for on_outage in POLICIES {
        let (server, caller) = (Server::start(), caller().await);
        let limiter = limiter(20, store(server.url(), "acme").await, on_outage);
        assert_eq!(limiter.check(&caller).await.unwrap().counted, Counted::Shared);

        let process = server.process().await;
        process.signal("-STOP");
        let start = Instant::now();
        assert_decided_by(on_outage, &limiter, &caller).await;
        // One waited; had all 40, it would have been 10 seconds. A slow machine may let a second one try.
        assert!(start.elapsed() < DEFAULT_REDIS_TIMEOUT * 12, "{:?}", start.elapsed());

        process.signal("-CONT");
        shared_again(&limiter, &caller).await;
        assert!(admitted(&limiter, &caller).await < 20, "what was used before still counts");
    }
}

#[tokio::test]
async fn a_server_that_forgets_its_scripts_goes_on_counting() {
    let (server, caller) = (Server::start(), caller().await);
    let limiter = limiter(5, store(server.url(), "acme").await, OnOutage::Refuse);
    for left in [4, 3, 2] {
        assert_eq!(limiter.check(&caller).await.unwrap().remaining, left);
        server.ask::<()>(&["SCRIPT", "FLUSH"]).await;
    }
    assert_eq!(admitted(&limiter, &caller).await, 2);
    server.ask::<()>(&["FLUSHALL"]).await;
    assert_eq!(admitted(&limiter, &caller).await, 5, "one that forgets everything gives a fresh burst");
}

#[tokio::test]
async fn a_request_takes_one_round_trip_and_no_more() {
    let (server, caller) = (Server::start(), caller().await);
    let limiter = limiter(1_000, store(server.url(), "acme").await, OnOutage::Refuse);
    limiter.check(&caller).await.unwrap();
    server.ask::<()>(&["CONFIG", "RESETSTAT"]).await;
    for _ in 0..10 {
        limiter.check(&caller).await.unwrap();
    }
    let stats: String = server.ask(&["INFO", "commandstats"]).await;
    assert!(stats.contains("cmdstat_evalsha:calls=10,"), "{stats}");
    assert!(!stats.contains("cmdstat_eval:"), "{stats}");
    assert!(!stats.contains("cmdstat_script"), "{stats}");
}

#[tokio::test]
async fn a_role_without_its_rights_is_an_outage_and_with_them_it_needs_no_more() {
    let prefix = prefix();
    let (user, password) = (prefix.as_str(), "reads");
    let (_, rest) = url().split_once("://").unwrap();
    let rest = rest.rsplit('@').next().unwrap();
    let (caller, url_of_user) = (caller().await, format!("redis://{user}:{password}@{rest}"));
    // What the driver sends when it connects.
    let login = [">reads", "on", "+hello", "+client", "+ping"];
    ask::<()>(url(), &[&["ACL", "SETUSER", user, "~*"], &login[..]].concat()).await;
    let redis = store(&url_of_user, &prefix).await;
    let limiter = || limiter(5, redis.clone(), OnOutage::Refuse);
    let quotas = || Quotas::builder(redis.clone()).clock(ManualClock::new(START)).build().unwrap();
    assert!(matches!(limiter().check(&caller).await, Err(RateLimited::Unavailable { .. })));
    assert!(quotas().spend(&caller, Quota::per_month(5)).await.unwrap_err().is_outage());

    let keys = format!("~{prefix}:*");
    let rights = ["+eval", "+evalsha", "+time", "+get", "+set", "+hmget", "+hset", "+pexpire"];
    ask::<()>(url(), &[&["ACL", "SETUSER", user, "resetkeys", &keys], &rights[..]].concat()).await;
    assert_eq!(limiter().check(&caller).await.unwrap().counted, Counted::Shared);
    assert_eq!(quotas().spend(&caller, Quota::per_month(5)).await.unwrap().left, 4);
    ask::<()>(url(), &["ACL", "DELUSER", user]).await;
}
