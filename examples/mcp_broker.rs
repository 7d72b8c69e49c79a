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
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Router, serve};
use keyward::broker::{Issuer, Principal, Resource, Subject, SubjectId};
use keyward::http::{Broker, ConsentPage, Permitted, Protect, SignIn};
use keyward::key::Scope;
use keyward::service::Tokens;
use keyward::sql::SqlGrantStore;
use keyward::store::grants::{GrantStore, MemoryGrantStore};
use keyward::{Clock, Engine, Secret, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

keyward::required_scopes! {
    /// Uses the tools.
    ToolsUse = ["tools:use"];
}

/// Takes everybody at their word. A service asks for more than a name.
struct AnyName;

#[async_trait::async_trait]
impl SignIn for AnyName {
    async fn sign_in(&self, username: &str, _: &Secret) -> Option<Subject> {
        Some(Subject::new(SubjectId::new(username).ok()?).named(username))
    }

    fn suggested_username(&self) -> Option<String> {
        Some("alice".to_owned())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments = Arguments::read()?;
    let listener = TcpListener::bind(arguments.listen).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let issuer = Issuer::new(arguments.issuer.unwrap_or_else(|| origin.clone()))?;
    let resource = Resource::new(issuer.endpoint("/mcp"))?;

    let builder = match &arguments.database {
        None => Tokens::builder(MemoryGrantStore::new(), issuer),
        Some(url) => Tokens::builder(open(url).await?, issuer),
    };
    let tokens = builder.resource(resource.clone()).scopes([Scope::new("tools:use")?].into_iter().collect()).build();
    let app = Router::new()
        .route("/mcp", post(mcp))
        .layer(Protect::resource(tokens.protect(resource))?)
        .merge(Broker::new(tokens.clone(), ConsentPage::new(AnyName)).router());

    println!("listening on {origin}");
    let (stop, stopped) = watch::channel(false);
    let until_stopped = |mut stopped: watch::Receiver<bool>| async move { drop(stopped.wait_for(|stop| *stop).await) };
    let asked = async {
        until_asked_to_stop().await?;
        stop.send_replace(true);
        Ok::<_, Box<dyn Error>>(())
    };
    let (minute, month) = (Duration::from_mins(1), Duration::from_hours(30 * 24));
    let sweeping = tokens.keep_swept(minute, Some(month), until_stopped(stopped.clone()));
    let serving = serve(listener, app).with_graceful_shutdown(until_stopped(stopped)).into_future();
    let (asked, (), served) = tokio::join!(asked, sweeping, serving);
    served?;
    asked
}

async fn until_asked_to_stop() -> Result<(), Box<dyn Error>> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminated.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

async fn open(url: &str) -> Result<impl GrantStore, Box<dyn Error>> {
    let store = SqlGrantStore::open(Engine::connect(url).await?, keyward::sql::BrokerTables::new()).await?;
    store.migrate(SystemClock.now()).await?;
    Ok(store)
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

struct Arguments {
    listen: SocketAddr,
    issuer: Option<String>,
    database: Option<String>,
}

impl Arguments {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut arguments = Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)), issuer: None, database: None };
        let mut words = std::env::args().skip(1);
        while let Some(option) = words.next() {
            let value = words.next().ok_or_else(|| format!("{option} takes a value"))?;
            match option.as_str() {
                "--listen" => arguments.listen = value.parse()?,
                "--issuer" => arguments.issuer = Some(value),
                "--db" => arguments.database = Some(value),
                _ => return Err(format!("there is no option {option}: --listen, --issuer and --db are").into()),
            }
        }
        Ok(arguments)
    }
}
