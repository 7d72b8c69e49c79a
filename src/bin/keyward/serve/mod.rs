//! `keyward serve`: an authorization server as a program of its own.

mod arguments;
mod resource_servers;
mod sign_in;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use keyward::http::{Broker, ConsentPage, Registration};
use keyward::service::Tokens;
use keyward::store::grants::{ClientListRequest, GrantStore};
use keyward::{Clock as _, SystemClock};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

pub(crate) use arguments::ServeArguments;

use crate::arguments::DatabaseArguments;
use crate::broker::store;
use crate::database::within;
use crate::failure::Failure;
use crate::output::{print_json, print_lines};
use sign_in::UserHeader;

/// How long requests that have begun may take after the signal to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or an interrupt.
pub(crate) async fn run(
    database: DatabaseArguments,
    json: bool,
    arguments: ServeArguments,
) -> Result<ExitCode, Failure> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let resource_servers = resource_servers::read(arguments.resource_servers.as_deref())?;
    let store = Arc::new(store(&database, true).await?);
    if !arguments.no_migrate {
        store.migrate(SystemClock.now()).await?;
    }
    let tokens = tokens(store, &arguments, resource_servers);
    let registration = match arguments.registrations_per_minute.try_into() {
        Ok(per_minute) => Registration::open_at_most(per_minute),
        Err(_) => Registration::closed(),
    };
    let page = ConsentPage::new(UserHeader::new(arguments.user_header));
    let health = {
        let (tokens, limit) = (tokens.clone(), database.timeout);
        move || healthy(tokens.clone(), limit)
    };
    let app = Router::new()
        .route("/healthz", get(health))
        .merge(Broker::new(tokens.clone(), page).registration(registration).router());

    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| Failure::unavailable(&error))?;
    let address = listener.local_addr().map_err(|error| Failure::unavailable(&error))?;
    say(address, json)?;
    let (stop, stopped) = watch::channel(false);
    let asked = async {
        let asked = until_asked_to_stop().await;
        stop.send_replace(true);
        asked
    };
    let sweeping = tokens.keep_swept(arguments.sweep_every, arguments.forget_clients_after, until(stopped.clone()));
    let serving = axum::serve(listener, app).with_graceful_shutdown(until(stopped.clone())).into_future();
    let cut_off = async {
        until(stopped).await;
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    let running = async {
        tokio::select! {
            _ = async { tokio::join!(sweeping, serving) } => {}
            () = cut_off => tracing::warn!(event = "server.cut_off"),
        }
    };
    let (asked, ()) = tokio::join!(asked, running);
    asked.map(|()| ExitCode::SUCCESS)
}

fn tokens(
    store: Arc<dyn GrantStore>,
    arguments: &ServeArguments,
    resource_servers: Vec<resource_servers::ResourceServer>,
) -> Tokens {
    let mut builder = Tokens::builder_over(store, arguments.issuer.clone())
        .scopes(arguments.scopes.iter().cloned().collect())
        .code_lifetime(arguments.code_lifetime)
        .access_token_lifetime(arguments.access_token_lifetime)
        .refresh_token_lifetime(arguments.refresh_token_lifetime)
        .reply_window(arguments.reply_window);
    for resource in &arguments.resources {
        builder = builder.resource(resource.clone());
    }
    if let Some(lifetime) = arguments.grant_lifetime {
        builder = builder.grant_lifetime(lifetime);
    }
    for server in resource_servers {
        builder = builder.resource_server(server.id, &server.secret, server.resource);
    }
    builder.build()
}

/// Whether the database answers.
async fn healthy(tokens: Tokens, limit: Duration) -> StatusCode {
    let request = ClientListRequest::new(1);
    match within(limit, tokens.store().clients(&request)).await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn say(address: SocketAddr, json: bool) -> Result<(), Failure> {
    let said = if json {
        print_json(&serde_json::json!({ "listening": format!("http://{address}") }))
    } else {
        print_lines([format!("listening on http://{address}")])
    };
    said.map_err(|error| Failure::unavailable(&error))
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // Whoever could stop it is gone: it stops as well.
    drop(stopped.wait_for(|stop| *stop).await);
}

async fn until_asked_to_stop() -> Result<(), Failure> {
    let mut terminated = signal(SignalKind::terminate()).map_err(|error| Failure::unavailable(&error))?;
    tokio::select! {
        _ = terminated.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(|error| Failure::unavailable(&error)),
    }
}
