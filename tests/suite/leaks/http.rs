//! Keys in requests: not in an answer, and not in a log of keyward, axum or hyper.

use axum::Router;
use axum::routing::get;
use keyward::http::{BodyForm, Protect, Rejections};
use keyward::key::{Authenticated, Schema as _};
use keyward::schemas::standard::Standard;

use super::evidence::Evidence;
use super::log::Log;
use super::{keys_with_secrets, stranger};
use crate::http::server::Server;
use crate::support::{Fixture, TestSchema as _};

#[tokio::test]
async fn a_key_in_a_request_is_in_no_answer_and_in_no_log() {
    let fixture = Fixture::<Standard>::memory().await;
    let keys = keys_with_secrets(&fixture);
    let mut evidence = Evidence::of(*Standard::schema().formats().issued());
    let [good, revoked] =
        [keys.issue(Standard::draft("a")).await.unwrap(), keys.issue(Standard::draft("a")).await.unwrap()];
    keys.revoke(&revoked.record.head.id, None).await.unwrap();
    let secrets = [good.secret, revoked.secret, stranger::<Standard>()];
    for secret in &secrets {
        evidence.plant(secret);
    }
    let log = Log::listen().await;
    for form in [BodyForm::Empty, BodyForm::Plain, BodyForm::Json, BodyForm::Problem] {
        let app = Router::new()
            .route("/", get(|caller: Authenticated<Standard>| async move { format!("{caller:?}") }))
            .layer(Protect::new(keys.clone()).rejections(Rejections::new().form(form)));
        let server = Server::start(app).await;
        for key in secrets.iter().map(keyward::Secret::expose_secret) {
            for header in [
                format!("Authorization: Bearer {key}\r\n"),
                format!("Authorization: Basic {key}\r\n"),
                format!("Authorization: {key}\r\n"),
                format!("Authorization: Bearer {key} {key}\r\n"),
                format!("Authorization: Bearer {key},\r\n"),
                format!("Authorization: Bearer x{key}\r\n"),
                format!("Authorization: Bearer {key}\r\nAuthorization: Bearer {key}\r\n"),
                format!("Authorization: Bearer \u{e9}{key}\r\n"),
            ] {
                evidence.print("an answer", &server.get("/", header.as_bytes()).await);
            }
        }
    }
    assert_eq!(evidence.counts(), (3, 96));
    evidence.check(&log.text());
}
