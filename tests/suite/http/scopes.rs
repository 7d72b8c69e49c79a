//! Scopes that a route needs.

use axum::Router;
use axum::routing::get;
use keyward::Keys;
use keyward::http::{Permitted, Protect, RequiredScopes};
use keyward::key::{Authenticated, ScopePolicy};
use keyward::schemas::scraper::{Scraper, ScraperKey};
use keyward::schemas::standard::Standard;
use keyward::store::MemoryKeyStore;

use super::server::Server;

keyward::required_scopes! {
    Read = ["jobs:read"];
    /// Every one of them.
    Run = ["jobs:read", "jobs:run", "billing"];
}

/// As the scraper's own routes read it: `admin` implies all.
enum OrAdmin {}

impl RequiredScopes for OrAdmin {
    const SCOPES: &'static [&'static str] = &["jobs:read"];
    const POLICY: ScopePolicy = ScopePolicy::admin_implies_all();
}

#[tokio::test]
async fn a_lack_of_scopes_names_all_that_are_needed() {
    type Caller<R> = Permitted<Authenticated<Standard>, R>;
    let keys = super::keys();
    let app = Router::new()
        .route("/read", get(|_: Caller<Read>| async {}))
        .route("/run", get(|caller: Caller<Run>| async move { format!("{caller:?}").len().to_string() }))
        .layer(Protect::new(keys.clone()));
    let server = Server::start(app).await;
    for (held, read, run) in [
        (&[][..], 403, 403),
        (&["jobs:read"], 200, 403),
        (&["jobs:run", "billing"], 403, 403),
        (&["admin"], 403, 403),
        (&["jobs:read", "jobs:run", "billing"], 200, 200),
    ] {
        let key = super::key(&keys, "customer-1", held).await;
        for (path, status, needed) in [("/read", read, "jobs:read"), ("/run", run, "jobs:read jobs:run billing")] {
            let answer = server.get_with(path, &key).await;
            assert_eq!(answer.status, status, "{path} with {held:?}");
            if status == 403 {
                assert_eq!(
                    answer.header("www-authenticate"),
                    format!(
                        "Bearer error=\"insufficient_scope\", error_description=\"the credentials do not hold the \
                         required scope\", scope=\"{needed}\""
                    )
                );
                assert!(answer.body.contains(&format!("\"scope\":\"{needed}\"")), "{}", answer.body);
            }
        }
    }
    assert_eq!(server.get("/run", b"").await.status, 401, "first the key, then its scopes");
}

#[tokio::test]
async fn a_policy_belongs_to_the_scopes() {
    type Caller<R> = Permitted<Authenticated<Scraper>, R>;
    let keys = Keys::builder(MemoryKeyStore::new(Scraper::new())).build();
    let app = Router::new()
        .route("/read", get(|_: Caller<Read>| async {}))
        .route("/admin", get(|_: Caller<OrAdmin>| async {}))
        .layer(Protect::new(keys.clone()));
    let server = Server::start(app).await;
    let admin = keys.issue(ScraperKey::named("client-1", "admin").unwrap().scope("admin").unwrap()).await.unwrap();
    let key = admin.secret.expose_secret();
    assert_eq!((server.get_with("/read", key).await.status, server.get_with("/admin", key).await.status), (403, 200));
}
