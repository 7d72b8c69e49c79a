//! rmcp, the MCP SDK for Rust, from the first 401 to the end of a grant. `tests/peers/run broker` starts it with the resource
//! as its argument. What a person, a network or an operator does, it asks for by a line on standard output, and it waits for
//! a line on standard input:
//!
//! | it says | what it waits for |
//! |---|---|
//! | `open URL` | the person has answered; the line is where the browser was sent |
//! | `lose` | the next answer of the token endpoint will be lost |
//! | `revoke CLIENT TOKEN` | the token is revoked |
//! | `secret TEXT` | the text has been noted as one that must not stand in a log |

#![expect(clippy::print_stdout, reason = "the output is how it speaks to its caller")]

use std::error::Error;
use std::io::stdin;

use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{
    AuthClient, AuthError, AuthorizationManager, AuthorizationRequest, AuthorizationSession, OAuthTokenResponse,
};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "there is a provider already")?;
    let resource = std::env::args().nth(1).ok_or("the resource is missing")?;
    let http = reqwest::Client::builder().build()?;
    let client = AuthClient::new(http, authorized(&resource).await?);
    let manager = &client.auth_manager;

    let config = StreamableHttpClientTransportConfig::with_uri(resource.as_str());
    let service = ().serve(StreamableHttpClientTransport::with_client(client.clone(), config)).await?;
    let tools = service.list_all_tools().await?;
    expect(tools.len() == 1 && tools[0].name == "whoami", "there is one tool")?;
    expect(whoami(&service).await? == "alice", "it is Alice")?;

    let first = tokens(&manager.lock().await.refresh_token().await?)?;
    expect(whoami(&service).await? == "alice", "it is Alice after a refresh")?;

    say("lose")?;
    let lost = manager.lock().await.refresh_token().await;
    expect(matches!(lost, Err(AuthError::TokenRefreshFailed(_))), "an answer that was lost is no end")?;
    let second = tokens(&manager.lock().await.refresh_token().await?)?;
    expect(first != second, "the tokens are new")?;
    expect(whoami(&service).await? == "alice", "it is Alice after an answer was lost")?;

    let (client_id, _) = manager.lock().await.get_credentials().await?;
    say(&format!("revoke {client_id} {}", second.1))?;
    let refused = whoami(&service).await;
    expect(refused.is_err(), "a revoked grant is no good")?;
    let refreshed = manager.lock().await.refresh_token().await;
    expect(matches!(refreshed, Err(AuthError::TokenRefreshRejected(_))), "the person has to be asked again")?;
    let again = AuthClient::new(reqwest::Client::builder().build()?, authorized(&resource).await?);
    expect(!again.get_access_token().await?.is_empty(), "there is a new grant")
}

/// Finds the authorization server, registers, has the person asked, and redeems the code.
async fn authorized(resource: &str) -> Result<AuthorizationManager, Failure> {
    let mut manager = AuthorizationManager::new(resource).await?;
    let found = manager.resolve_metadata().await?;
    manager.set_metadata(found.metadata);
    let request = AuthorizationRequest::new("http://127.0.0.1:4711/callback").with_client_name("Peer");
    let session = AuthorizationSession::new(manager, request).await.map_err(|(_, error)| error)?;
    let callback = say(&format!("open {}", session.get_authorization_url()))?;
    tokens(&session.handle_callback_url(&callback).await?)?;
    Ok(session.auth_manager)
}

async fn whoami(service: &RunningService<RoleClient, ()>) -> Result<String, Failure> {
    let called = service.call_tool(CallToolRequestParams::new("whoami")).await?;
    let text = called.content.first().and_then(|content| content.as_text()).ok_or("there is no text")?;
    Ok(text.text.clone())
}

/// The access token and the refresh token, which must not be found in a log.
fn tokens(issued: &OAuthTokenResponse) -> Result<(String, String), Failure> {
    use oauth2::TokenResponse as _;

    let access_token = issued.access_token().secret().clone();
    let refresh_token = issued.refresh_token().ok_or("there is no refresh token")?.secret().clone();
    for token in [&access_token, &refresh_token] {
        say(&format!("secret {token}"))?;
    }
    Ok((access_token, refresh_token))
}

/// Asks for something, and returns what comes back.
fn say(what: &str) -> Result<String, Failure> {
    println!("{what}");
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn expect(is_met: bool, what: &str) -> Result<(), Failure> {
    if is_met { Ok(()) } else { Err(what.into()) }
}
