//! A service on axum whose customers manage their own keys, in a SQLite file. Run it with
//! `cargo run --example axum_keys --features axum,sqlite`; it prints a first key, and calls to try with it.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;
use std::num::NonZeroU32;

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::routing::{delete, get};
use axum::{Json, Router};
use keyward::http::{Permitted, Protect, Rejection, Rejections};
use keyward::key::{Authenticated, KeyId};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::service::RateLimiter;
use keyward::{Clock, Engine, Keys, SqlKeyStore, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpListener;

keyward::required_scopes! {
    ManageKeys = ["keys:manage"];
    ReadJobs = ["jobs:read"];
    RunJobs = ["jobs:read", "jobs:run"];
}

/// Of a key that is issued without a limit.
const REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();

type Caller<R> = Permitted<Authenticated<Standard>, R>;
type Answer = Result<Json<Value>, Rejection>;

/// `{"name": "nightly import", "scopes": ["jobs:read"]}`: a key can be given no scope that its maker does not hold.
async fn issue(
    caller: Caller<ManageKeys>,
    State(keys): State<Keys<Standard>>,
    Json(wanted): Json<Value>,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), Rejection> {
    let name = wanted["name"].as_str().unwrap_or_default();
    let mut draft = StandardKey::new(caller.owner().as_str(), name).map_err(Rejection::unprocessable)?;
    for scope in wanted["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        caller.permits(scope).map_err(|_| Rejection::insufficient_scope([scope]))?;
        draft = draft.scope(scope).map_err(Rejection::unprocessable)?;
    }
    let issued = keys.issue(draft).await?;
    let answer = json!({ "id": issued.record.head.id.as_str(), "key": issued.secret.expose_secret() });
    Ok(([(CACHE_CONTROL, "no-store")], Json(answer)))
}

async fn list(caller: Caller<ManageKeys>, State(keys): State<Keys<Standard>>) -> Answer {
    let page = keys.of(caller.owner()).list(100, None).await?;
    let keys = page.keys.iter().map(|key| {
        let scopes: Vec<_> = key.details.scopes.iter().collect();
        json!({ "id": key.head.id.as_str(), "prefix": key.head.prefix.as_str(), "scopes": scopes })
    });
    Ok(Json(keys.collect()))
}

/// A key of somebody else is not found.
async fn revoke(caller: Caller<ManageKeys>, State(keys): State<Keys<Standard>>, Path(id): Path<String>) -> Answer {
    let revoked = keys.of(caller.owner()).revoke(&id.parse::<KeyId>()?, None).await?;
    Ok(Json(json!({ "id": revoked.id.as_str(), "already": revoked.already })))
}

async fn jobs(caller: Caller<ReadJobs>) -> String {
    format!("the jobs of {}\n", caller.owner())
}

async fn run(caller: Caller<RunJobs>) -> String {
    format!("a job of {} runs\n", caller.owner())
}

fn app(keys: Keys<Standard>, rejections: Rejections) -> Router {
    // For keys without a limit of their own; `shared_by` makes several processes keep one.
    let limiter = RateLimiter::builder(REQUESTS_PER_MINUTE).build();
    Router::new()
        .route("/keys", get(list).post(issue))
        .route("/keys/{id}", delete(revoke))
        .route("/jobs", get(jobs).post(run))
        .layer(Protect::new(keys.clone()).rejections(rejections).limit(limiter))
        .with_state(keys)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let engine = Engine::connect(&format!("sqlite:{}?mode=rwc", directory.path().join("service.db").display())).await?;
    let store = SqlKeyStore::open(&engine, Standard::new("acme")?).await?;
    store.migrate(SystemClock.now()).await?;
    let keys = Keys::builder(store).build();

    let first = StandardKey::new("customer-1", "first key")?.scope("keys:manage")?.scope("jobs:read")?;
    let first = keys.issue(first).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("KEY={}", first.secret.expose_secret());
    println!("curl -i {url}/jobs                                            # 401");
    println!("curl -i {url}/jobs -H \"Authorization: Bearer $KEY\"            # 200");
    println!("curl -i {url}/jobs -H \"Authorization: Bearer $KEY\" -X POST    # 403, and which scopes it takes");
    println!("curl {url}/keys -H \"Authorization: Bearer $KEY\"");
    println!(
        "curl {url}/keys -H \"Authorization: Bearer $KEY\" --json '{{\"name\":\"nightly import\",\"scopes\":[\"jobs:read\"]}}'"
    );
    println!("curl {url}/keys/$ID -H \"Authorization: Bearer $KEY\" -X DELETE");
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    let (serve, record) = (
        axum::serve(listener, app(keys.clone(), Rejections::new().realm("acme")?)),
        keys.record_last_used(async { drop(tokio::signal::ctrl_c().await) }),
    );
    let (served, ()) = tokio::join!(serve.with_graceful_shutdown(stop), record);
    Ok(served?)
}
