//! Who passes the layer, over every schema and store, and what happens when the store cannot answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use keyward::Keys;
use keyward::http::{Bearer, FreshKeys, Permitted, Protect, Rejection, RejectionKind, VerifyBearer, principal};
use keyward::key::{Authenticated, MissingScope, OwnerId, PermitsScope, ScopePolicy};
use keyward::schemas::standard::Standard;
use keyward::service::CachePolicy;
use keyward::store::MemoryKeyStore;
use keyward::store::faulty::{Call, Fault, FaultyStore};

use super::server::Server;
use crate::support::log::Log;
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![every_store: keys_pass_until_they_are_revoked];

async fn keys_pass_until_they_are_revoked<S: TestSchema>(fixture: Fixture<S>) {
    let whoami = |caller: Authenticated<S>| async move { caller.owner().to_string() };
    let app = Router::new().route("/", get(whoami)).layer(Protect::new(fixture.keys.clone()));
    let server = Server::start(app).await;
    fixture.add_owner("did:plc:one").await;
    let issued = fixture.issue("did:plc:one").await;
    let key = issued.secret.expose_secret();

    let answer = server.get_with("/", key).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "did:plc:one"));
    assert_eq!(server.get("/", b"").await.status, 401);

    fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
    let refused = server.get_with("/", key).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
    let unknown = server.get_with("/", "hunter2").await;
    assert_eq!((refused.status, refused.body), (unknown.status, unknown.body), "nobody can tell which it was");
}

/// A key that another process has revoked, on routes that differ in what they ask for.
#[tokio::test]
async fn a_route_can_demand_fresh_evidence() {
    let store = MemoryKeyStore::new(Standard::new("acme").unwrap());
    let elsewhere = Keys::builder(store.clone()).build();
    let policy = CachePolicy::new().unwatched_max_age(Duration::from_hours(1));
    let keys = Keys::builder(store).cache(policy).build();
    let key = super::key(&keys, "customer-1", &[]).await;
    let evidence = |caller: Authenticated<Standard>| async move { caller.evidence().is_fresh().to_string() };
    let sensitive = Router::new().route("/pay", get(evidence)).layer(Protect::new(FreshKeys::new(keys.clone())));
    let app = Router::new().route("/look", get(evidence)).merge(sensitive).layer(Protect::new(keys));
    let server = Server::start(app).await;
    for (path, fresh) in [("/look", "true"), ("/look", "false"), ("/pay", "true"), ("/look", "false")] {
        assert_eq!(server.get_with(path, &key).await.body, fresh, "{path}");
    }
    elsewhere.revoke_all(&OwnerId::new("customer-1").unwrap(), None).await.unwrap();
    assert_eq!(server.get_with("/look", &key).await.status, 200, "nobody watches for changes");
    assert_eq!(server.get_with("/pay", &key).await.status, 401);
    assert_eq!(server.get_with("/look", &key).await.status, 401, "what one route has learnt, all know");
}

#[tokio::test]
async fn an_outage_is_503_and_never_401() {
    let store = Arc::new(FaultyStore::new(MemoryKeyStore::new(Standard::new("acme").unwrap())));
    let keys = Keys::builder_over(store.clone()).build();
    let key = super::key(&keys, "customer-1", &[]).await;
    let server = Server::start(Router::new().route("/", get(|| async {})).layer(Protect::new(keys))).await;
    for fault in [Fault::Unavailable, Fault::Backend, Fault::Denied] {
        store.fail_next(Call::Find, fault);
        let answer = server.get_with("/", &key).await;
        assert_eq!(answer.status, 503, "{fault:?}");
        assert_eq!((answer.header("retry-after"), answer.header("www-authenticate")), ("5", ""), "{fault:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(
            answer.body,
            r#"{"error":"temporarily_unavailable","error_description":"API keys cannot be checked at the moment"}"#
        );
        assert_eq!(server.get_with("/", &key).await.status, 200, "{fault:?} is over");
    }
}

/// Verifies as the keys do, and counts.
#[derive(Clone)]
struct Counting(Keys<Standard>, Arc<AtomicUsize>);

impl VerifyBearer for Counting {
    type Principal = Authenticated<Standard>;

    async fn verify_bearer(&self, bearer: Bearer<'_>) -> Result<Authenticated<Standard>, Rejection> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.verify_bearer(bearer).await
    }
}

keyward::required_scopes! {
    JobsRead = ["jobs:read"];
}

#[tokio::test]
async fn a_request_is_verified_once_however_many_ask_whose_it_is() {
    type Caller = Authenticated<Standard>;
    async fn thrice(one: Caller, two: Option<Caller>, three: Permitted<Caller, JobsRead>) -> String {
        assert!(Arc::ptr_eq(one.record(), three.record()));
        two.unwrap().owner().to_string()
    }
    let (keys, count) = (super::keys(), Arc::default());
    let key = super::key(&keys, "customer-1", &["jobs:read"]).await;
    let protect = Protect::new(Counting(keys, Arc::clone(&count)));
    let server = Server::start(Router::new().route("/", get(thrice)).layer(protect)).await;
    assert_eq!(server.get_with("/", &key).await.body, "customer-1");
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert_eq!(server.get("/", b"").await.status, 401);
    assert_eq!(count.load(Ordering::Relaxed), 1, "there was nothing to verify");
}

#[tokio::test]
async fn a_route_without_the_layer_is_a_fault_that_says_which_line_is_missing() {
    type Caller = Authenticated<Standard>;
    let keys = super::keys();
    let key = super::key(&keys, "customer-1", &["jobs:read"]).await;
    let app = Router::new()
        .route("/plain", get(|_: Caller| async {}))
        .route("/optional", get(|_: Option<Caller>| async {}))
        .route("/permitted", get(|_: Permitted<Caller, JobsRead>| async {}));
    let server = Server::start(app).await;
    for path in ["/plain", "/optional", "/permitted"] {
        let (log, _guard) = Log::listen();
        let answer = server.get_with(path, &key).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (500, ""), "{path}");
        assert!(!answer.body.contains("layer"), "{}", answer.body);
        let text = log.text();
        assert!(text.contains("ERROR") && text.contains("event=\"http.not_protected\""), "{text}");
        assert!(text.contains("add `.layer(keyward::http::Protect::new(keys))` behind the route"), "{text}");
        assert!(text.contains("Standard"), "{text}");
    }
    // Nor is a principal of another kind taken for it.
    let other = Router::new().route("/", get(|_: Caller| async {})).layer(Protect::new(Tokens));
    assert_eq!(Server::start(other).await.get_with("/", "token-of-ada").await.status, 500);
}

#[tokio::test]
async fn requests_without_credentials_pass_where_the_host_says_so_and_bad_ones_never() {
    async fn greet(caller: Option<Authenticated<Standard>>) -> String {
        caller.map_or_else(|| "nobody".to_owned(), |caller| caller.owner().to_string())
    }
    let keys = super::keys();
    let key = super::key(&keys, "customer-1", &[]).await;
    let app = Router::new()
        .route("/", get(greet))
        .route("/strict", get(|caller: Authenticated<Standard>| async move { caller.owner().to_string() }))
        .layer(Protect::new(keys).or_anonymous());
    let server = Server::start(app).await;
    assert_eq!(server.get("/", b"").await.body, "nobody");
    assert_eq!(server.get("/", b"Authorization: Basic YTpi\r\n").await.body, "nobody");
    assert_eq!(server.get_with("/", &key).await.body, "customer-1");
    assert_eq!(server.get_with("/strict", &key).await.body, "customer-1");
    for path in ["/", "/strict"] {
        assert_eq!(server.get_with(path, "hunter2").await.status, 401);
        assert_eq!(server.get_with(path, "hunter 2").await.status, 400);
    }
    let answer = server.get("/strict", b"").await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"));
}

/// Tokens that are no keys.
#[derive(Clone)]
struct Tokens;

#[derive(Clone)]
struct User(String);

impl VerifyBearer for Tokens {
    type Principal = User;

    async fn verify_bearer(&self, bearer: Bearer<'_>) -> Result<User, Rejection> {
        let name = bearer.expose_secret().strip_prefix("token-of-");
        name.map(|name| User(name.to_owned())).ok_or_else(|| RejectionKind::InvalidToken.into())
    }
}

impl PermitsScope for User {
    fn permits_scope(&self, _: &str, _: ScopePolicy) -> Result<(), MissingScope> {
        if self.0 == "ada" { Ok(()) } else { Err(MissingScope) }
    }
}

#[tokio::test]
async fn whatever_else_issues_tokens_has_the_same_layer_and_arguments() {
    let app = Router::new()
        .route(
            "/",
            get(
                |request: axum::extract::Request| async move { principal(request.extensions()).map(|User(name)| name) },
            ),
        )
        .route("/jobs", get(|user: Permitted<User, JobsRead>| async move { user.into_principal().0 }))
        .layer(Protect::new(Arc::new(Tokens)));
    let server = Server::start(app).await;
    assert_eq!(server.get_with("/", "token-of-bob").await.body, "bob");
    assert_eq!(server.get_with("/jobs", "token-of-ada").await.body, "ada");
    assert_eq!(server.get_with("/jobs", "token-of-bob").await.status, 403);
    let answer = server.get_with("/", "hunter2").await;
    assert_eq!((answer.status, answer.body.contains("invalid_token")), (401, true));
}
