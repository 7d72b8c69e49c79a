//! An MCP server with its own OAuth 2.1 authorization server beside it.
//!
//! ```text
//! cargo run --example mcp_broker --features axum,broker,sqlite -- --listen 127.0.0.1:8080 --db sqlite:broker.db
//! ```
//!
//! An MCP client that is pointed at `http://127.0.0.1:8080/mcp` is answered with 401, finds the authorization server,
//! registers, sends you to the page that asks, and comes back with a token. Without `--db`, everything is forgotten at the
//! end.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Router, serve};
use keyward::broker::{Issuer, Principal, Resource, Subject, SubjectId};
use keyward::http::{Broker, CheckPassword, ConsentPage, Permitted, Protect, SignIn, SignInUnavailable};
use keyward::key::Scope;
use keyward::service::Tokens;
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::store::grants::{GrantStore, MemoryGrantStore};
use keyward::{Clock, Engine, Secret, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tracing_subscriber::filter::LevelFilter;

keyward::required_scopes! {
    /// Uses the tools.
    ToolsUse = ["tools:use"];
}

/// Takes everybody at their word. A service asks for more than a name.
struct AnyName;

impl SignIn for AnyName {
    fn passwords(&self) -> Option<&dyn CheckPassword> {
        Some(self)
    }
}

#[async_trait::async_trait]
impl CheckPassword for AnyName {
    async fn check_password(&self, username: &str, _: &Secret) -> Result<Option<Subject>, SignInUnavailable> {
        Ok(SubjectId::new(username).ok().map(|id| Subject::new(id).with_name(username)))
    }

    fn suggested_username(&self) -> Option<String> {
        Some("alice".to_owned())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let level = std::env::var("RUST_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level).init();

    let [listen, issuer, database] = options(["--listen", "--issuer", "--db"])?;
    let listener = TcpListener::bind(listen.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    let origin = format!("http://{}", listener.local_addr()?);

    // What clients see, which is another address behind a proxy.
    let issuer = Issuer::new(issuer.unwrap_or_else(|| origin.clone()))?;
    let path = format!("{}/mcp", issuer.path());
    let resource = Resource::new(issuer.endpoint("/mcp"))?;
    let tokens = Tokens::builder_over(store(database).await?, issuer)
        .resource(resource.clone())
        .scopes([Scope::new("tools:use")?].into_iter().collect())
        .build();
    let app = Router::new()
        .route(&path, post(mcp))
        .layer(Protect::resource(tokens.protect(resource)?)?)
        .merge(Broker::new(tokens.clone(), ConsentPage::new(AnyName)).router());

    println!("listening on {origin}");
    let (minute, month) = (Duration::from_mins(1), Duration::from_hours(30 * 24));
    tokio::select! {
        served = serve(listener, app).with_graceful_shutdown(asked_to_stop()) => served?,
        () = tokens.keep_swept(minute, Some(month), pending()) => {}
        // A connection that says nothing is not waited for.
        () = async { asked_to_stop().await; sleep(Duration::from_millis(500)).await } => {}
    }
    Ok(())
}

async fn asked_to_stop() {
    let mut terminated = signal(SignalKind::terminate()).expect("signals can be listened to");
    tokio::select! {
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

async fn store(database: Option<String>) -> Result<Arc<dyn GrantStore>, Box<dyn Error>> {
    let Some(url) = database else { return Ok(Arc::new(MemoryGrantStore::new())) };
    // A file that is not there yet is made.
    let url = if url.starts_with("sqlite:") && !url.contains('?') { format!("{url}?mode=rwc") } else { url };
    let store = SqlGrantStore::open(Engine::connect(&url).await?, BrokerTables::new()).await?;
    store.migrate(SystemClock.now()).await?;
    Ok(Arc::new(store))
}

/// The one tool: says who uses it. JSON-RPC as MCP's transport "Streamable HTTP" has it, without streams.
async fn mcp(caller: Permitted<Principal, ToolsUse>, Json(message): Json<Value>) -> Response {
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "mcp_broker", "version": env!("CARGO_PKG_VERSION")},
        }),
        "ping" => json!({}),
        "tools/list" => json!({"tools": [{
            "name": "whoami",
            "description": "Says on whose behalf it is called.",
            "inputSchema": {"type": "object", "properties": {}},
        }]}),
        "tools/call" => json!({"content": [{"type": "text", "text": caller.subject().id.as_str()}]}),
        notification if notification.starts_with("notifications/") => return StatusCode::ACCEPTED.into_response(),
        _ => {
            let error = json!({"code": -32601, "message": "there is no such method"});
            return Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": error})).into_response();
        }
    };
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}

/// The values of these options, each of which may be left out.
fn options<const N: usize>(names: [&str; N]) -> Result<[Option<String>; N], Box<dyn Error>> {
    let mut values = [const { None }; N];
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let place =
            names.iter().position(|name| *name == word).ok_or_else(|| format!("{word} is none of {names:?}"))?;
        values[place] = Some(words.next().ok_or_else(|| format!("{word} takes a value"))?);
    }
    Ok(values)
}
