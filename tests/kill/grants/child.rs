//! A process of the authorization server. Requests come line by line on its standard input, answers go to its standard output.

use std::io::BufRead as _;
use std::process::ExitCode;
use std::time::Duration;

use keyward::broker::{Issuer, PresentedClient};
use keyward::service::{Introspection, IssuedTokens, PresentedGrant, ResourceServer, Tokens, TokensError};
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::sqlx::postgres::PgPoolOptions;
use keyward::{Engine, Postgres, Secret};
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use crate::place::Address;
use crate::world::{REDIRECT, VERIFIER, scopes};

/// How many connections a process has to PostgreSQL.
const CONNECTIONS: u32 = 10;

const RESOURCE_SERVER: (&str, &str) = ("api", "a secret of the resource server, long enough");

/// An answer that was lost has to be had again for longer than a process is away.
const REFRESH_GRACE: Duration = Duration::from_mins(2);

/// The server over the database, with access tokens that are good for so many seconds.
pub(crate) async fn server(address: &Address, lifetime: u64) -> Tokens {
    let engine: Engine = match address {
        Address::Url(url) => {
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await;
            Postgres::new(pool.expect("a PostgreSQL server")).into()
        }
        Address::File(_) => address.open().await,
    };
    let store = SqlGrantStore::open(engine, BrokerTables::new()).await.expect("a store");
    let (id, secret) = RESOURCE_SERVER;
    Tokens::builder(store, Issuer::new("https://as.example").expect("an issuer"))
        .scopes(scopes())
        .access_token_lifetime(Duration::from_secs(lifetime))
        .refresh_grace(REFRESH_GRACE)
        .resource_server(
            ResourceServer::new(id, &Secret::new(secret.to_owned())).expect("a secret that is long enough"),
        )
        .build()
}

/// What a child is told: where the database is, for how many seconds access tokens are good, and after how many
/// milliseconds what nobody can use is swept again; 0 for never.
pub(crate) fn child(order: &[String]) -> ExitCode {
    let [address, lifetime, sweep_every] = order else { return ExitCode::from(2) };
    let (Ok(lifetime), Ok(sweep_every)) = (lifetime.parse(), sweep_every.parse()) else { return ExitCode::from(2) };
    let address = Address::read(address);
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let tokens = server(&address, lifetime).await;
        println!("ready");
        let (requests, mut request) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if requests.send(line).is_err() {
                    return;
                }
            }
        });
        let answering = async {
            while let Some(line) = request.recv().await {
                let tokens = tokens.clone();
                runtime.spawn(async move { println!("{}", answer(&tokens, &line).await) });
            }
        };
        if sweep_every == 0 {
            answering.await;
        } else {
            tokens.keep_swept(Duration::from_millis(sweep_every), None, answering).await;
        }
    });
    ExitCode::SUCCESS
}

async fn answer(tokens: &Tokens, line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    let (number, told) = match words[..] {
        [number, "code", client, code] => {
            let request = PresentedGrant::code(code, REDIRECT, VERIFIER);
            (number, exchanged(tokens.exchange(PresentedClient::Named(client), request).await))
        }
        [number, "refresh", client, refresh] => {
            let request = PresentedGrant::refresh(refresh);
            (number, exchanged(tokens.exchange(PresentedClient::Named(client), request).await))
        }
        [number, "introspect", token] => {
            let (id, secret) = RESOURCE_SERVER;
            (
                number,
                match tokens.introspect(PresentedClient::Basic(id, secret), token).await {
                    Ok(Introspection::Inactive) => "inactive".to_owned(),
                    Ok(_) => "active".to_owned(),
                    Err(error) => refused(&error),
                },
            )
        }
        _ => panic!("{line}"),
    };
    format!("{number} {told}")
}

fn exchanged(done: Result<IssuedTokens, TokensError>) -> String {
    match done {
        Ok(IssuedTokens { access_token, refresh_token: Some(refresh_token), .. }) => {
            format!("tokens {} {}", access_token.expose_secret(), refresh_token.expose_secret())
        }
        Ok(_) => "refused no_refresh_token".to_owned(),
        Err(error) => refused(&error),
    }
}

fn refused(error: &TokensError) -> String {
    match error {
        TokensError::Code(refusal) => format!("refused {}", refusal.code()),
        TokensError::Refresh(refusal) => format!("refused {}", refusal.code()),
        TokensError::Store(error) => {
            eprintln!("{error:?}");
            "unavailable".to_owned()
        }
        error => format!("refused {error:?}").replace(' ', "_").replacen("refused_", "refused ", 1),
    }
}
