//! `keyward serve`: an authorization server as a program of its own.

mod arguments;
mod resource_servers;
mod sign_in;
mod stop;
mod values;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use keyward::http::{Broker, ConsentPage, RegistrationPolicy};
use keyward::service::{ResourceServer, Tokens};
use keyward::sql::SqlGrantStore;
use keyward::store::grants::{ClientListRequest, GrantStore};
use keyward::{Clock as _, SystemClock};
use tokio::net::TcpListener;

pub(crate) use arguments::ServeArguments;

use crate::arguments::DatabaseArguments;
use crate::broker::store;
use crate::database::within;
use crate::failure::Failure;
use crate::output::{print_json, print_lines};
use sign_in::UserHeader;
use stop::Stop;

/// How long requests that have begun may take after the signal to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or an interrupt.
pub(crate) async fn run(
    database: DatabaseArguments,
    json: bool,
    arguments: ServeArguments,
) -> Result<ExitCode, Failure> {
    let resource_servers = resource_servers::read(arguments.resource_servers.as_deref(), &arguments.resources)?;
    // Before anything is waited for, so that it can be stopped while it starts, too.
    let stop = Stop::on_signals().map_err(|error| Failure::unavailable(&error))?;
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let started = tokio::select! {
        started = start(&database, json, &arguments, resource_servers) => started.map_err(Failure::about_broker)?,
        () = stop.asked() => return Ok(ExitCode::SUCCESS),
    };
    let Started { listener, tokens, app } = started;
    let sweeping = tokens.keep_swept(arguments.sweep_every, Some(arguments.clients_unused_for), stop.asked());
    let serving = axum::serve(listener, app).with_graceful_shutdown(stop.asked()).into_future();
    let cut_off = async {
        stop.asked().await;
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    tokio::select! {
        _ = async { tokio::join!(sweeping, serving) } => {}
        () = cut_off => tracing::warn!(event = "server.cut_off"),
    }
    Ok(ExitCode::SUCCESS)
}

/// A server that has its port, and has said so.
struct Started {
    listener: TcpListener,
    tokens: Tokens,
    app: Router,
}

async fn start(
    database: &DatabaseArguments,
    json: bool,
    arguments: &ServeArguments,
    resource_servers: Vec<ResourceServer>,
) -> Result<Started, Failure> {
    let store = store(database, !arguments.no_migrate).await?;
    if !arguments.no_migrate {
        store.migrate(SystemClock.now()).await?;
    }
    require_sound(&store, database.timeout).await?;
    let tokens = tokens(Arc::new(store), arguments, resource_servers);
    let registration = match arguments.registrations_per_minute.try_into() {
        Ok(per_minute) => RegistrationPolicy::open_at_most(per_minute),
        Err(_) => RegistrationPolicy::closed(),
    };
    let page = ConsentPage::new(UserHeader::new(arguments.user_header.clone()));
    let health = {
        let (tokens, limit) = (tokens.clone(), database.timeout);
        move || healthy(tokens.clone(), limit)
    };
    let app = Router::new()
        .route("/healthz", get(health))
        .merge(Broker::new(tokens.clone(), page).registration(registration).router());

    let wanted = arguments.listen;
    let refused = |error: std::io::Error| Failure::refused(format!("--listen: {wanted}: {error}"));
    let listener = TcpListener::bind(wanted).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    if !address.ip().is_loopback() {
        tracing::warn!(
            event = "server.trusts_header",
            %address,
            header = %arguments.user_header,
            "whoever reaches this address without the proxy can say in this header that they are anybody"
        );
    }
    let said = if json {
        print_json(&serde_json::json!({ "listening": format!("http://{address}") }))
    } else {
        print_lines([format!("listening on http://{address}")])
    };
    said.map_err(|error| Failure::unavailable(&error))?;
    Ok(Started { listener, tokens, app })
}

/// Refuses tables on which half of the requests would fail.
async fn require_sound(store: &SqlGrantStore, limit: Duration) -> Result<(), Failure> {
    let differences = within(limit, store.check()).await?;
    match differences.iter().find(|difference| difference.breaking) {
        Some(breaking) => Err(Failure::refused(format!(
            "the tables will not do: {breaking}; `keyward check` names every difference, `keyward migrate` makes what is \
             missing"
        ))),
        None => Ok(()),
    }
}

fn tokens(store: Arc<dyn GrantStore>, arguments: &ServeArguments, resource_servers: Vec<ResourceServer>) -> Tokens {
    let mut builder = Tokens::builder_over(store, arguments.issuer.clone())
        .scopes(arguments.scopes.iter().cloned().collect())
        .code_lifetime(arguments.code_lifetime)
        .access_token_lifetime(arguments.access_token_lifetime)
        .refresh_token_lifetime(arguments.refresh_token_lifetime)
        .refresh_grace(arguments.refresh_grace)
        // It calls nobody on behalf of anybody.
        .without_upstream_tokens();
    for resource in &arguments.resources {
        builder = builder.resource(resource.clone());
    }
    if let Some(lifetime) = arguments.grant_lifetime {
        builder = builder.grant_lifetime(lifetime);
    }
    for server in resource_servers {
        builder = builder.resource_server(server);
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
