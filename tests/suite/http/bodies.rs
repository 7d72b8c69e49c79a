//! Nobody reads the body of a request that does not pass: first the key, then its scopes, then the body.

use axum::routing::post;
use axum::{Json, Router};
use keyward::http::{Permitted, Protect};
use keyward::key::Authenticated;
use keyward::schemas::standard::Standard;
use serde_json::Value;

use super::server::{Answer, Server};

keyward::required_scopes! {
    Write = ["jobs:write"];
}

async fn create(_: Permitted<Authenticated<Standard>, Write>, Json(job): Json<Value>) -> String {
    job.to_string()
}

async fn post_to(server: &Server, key: &str, length: usize, body: &str) -> Answer {
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nContent-Type: \
         application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    server.send(request.as_bytes()).await
}

#[tokio::test]
async fn the_key_comes_before_the_scope_and_the_scope_before_the_body() {
    let keys = super::keys();
    let (good, poor) = (super::key(&keys, "a", &["jobs:write"]).await, super::key(&keys, "a", &[]).await);
    let server = Server::start(Router::new().route("/", post(create)).layer(Protect::new(keys))).await;
    for (key, status) in [("hunter2", 401), (poor.as_str(), 403), (good.as_str(), 400)] {
        assert_eq!(post_to(&server, key, 3, "no{").await.status, status);
    }
    assert_eq!(post_to(&server, &good, 2, "{}").await.body, "{}");
    // It is announced and never comes: whoever waited for it would wait for ever.
    for (key, status) in [("hunter2", 401), (poor.as_str(), 403)] {
        assert_eq!(post_to(&server, key, 1_000_000, "").await.status, status);
    }
}
