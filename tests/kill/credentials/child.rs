//! A process that asks for tokens when it is told to, and says what it was told. Orders come line by line on its standard
//! input, answers go to its standard output.

use std::io::BufRead as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use keyward::credential::{ClientId, OAuthClient};
use keyward::key::OwnerId;
use keyward::seal::{SealKey, SealKeys};
use keyward::service::{AccessToken, Credentials, CredentialsError};
use keyward::sql::{OwnCredentials, SqlCredentialStore};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::place::Address;
use crate::points::{FileClock, HeldStore, Hold, Tcp};

pub(crate) const CLIENT: &str = "https://app.example/client-metadata.json";

/// The ring after so many changes of its key: the last is the current one.
pub(crate) fn seal_keys(changes: u8) -> SealKeys {
    let key = |number: u8| SealKey::from_bytes(&[number + 1; 32]).expect("a key");
    let id = |number: u8| format!("key-{number}").parse().expect("an id");
    (0..changes).fold(SealKeys::new(id(changes), key(changes)), |ring, number| {
        ring.with_retired(id(number), key(number)).expect("an id of its own")
    })
}

pub(crate) async fn service(
    address: &Address,
    clock: &FileClock,
    patience: Duration,
    hold: Hold,
    seal_keys: SealKeys,
) -> Credentials {
    let store = SqlCredentialStore::open(address.open().await, OwnCredentials::new()).await.expect("a store");
    let store = HeldStore { inner: Arc::new(store), hold: hold.clone() };
    Credentials::builder(store, Tcp(hold), Handle::current())
        .seal_keys(seal_keys)
        .client(OAuthClient::public(ClientId::new(CLIENT).expect("a client")))
        .clock(clock.clone())
        .exchange_timeout(patience)
        .build()
}

/// What a child is told: where the database is, where its clock is, its patience in milliseconds, and where to hold.
pub(crate) fn child(order: &[String]) -> ExitCode {
    let [address, clock, patience, hold] = order else { return ExitCode::from(2) };
    let Ok(patience) = patience.parse().map(Duration::from_millis) else { return ExitCode::from(2) };
    let (address, clock) = (Address::read(address), FileClock(clock.into()));
    let hold = Hold::at(hold.parse().ok());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let credentials = service(&address, &clock, patience, hold.clone(), seal_keys(0)).await;
        println!("ready");
        let (orders, mut order) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if line == "go" {
                    hold.go_on();
                } else if orders.send(line).is_err() {
                    return;
                }
            }
        });
        while let Some(line) = order.recv().await {
            obey(&credentials, &line).await;
        }
    });
    ExitCode::SUCCESS
}

async fn obey(credentials: &Credentials, line: &str) {
    let words: Vec<_> = line.split(' ').collect();
    let [what, owner, tasks] = words[..] else { panic!("{line}") };
    let owner = OwnerId::new(owner).expect("an owner");
    let mut asked = JoinSet::new();
    for _ in 0..tasks.parse().expect("a number") {
        let (credentials, owner, what) = (credentials.clone(), owner.clone(), what.to_owned());
        asked.spawn(async move {
            let told = match what.as_str() {
                "ask" => credentials.access_token(&owner).await,
                "refresh" => credentials.refresh(&owner).await,
                "retry" => credentials.retry_uncertain(&owner).await,
                other => panic!("{other}"),
            };
            println!("told {}", word(told));
        });
    }
    asked.join_all().await;
    println!("done");
}

fn word(told: Result<AccessToken, CredentialsError>) -> String {
    match told {
        Ok(token) => format!("token {}", token.expose_secret()),
        Err(CredentialsError::Uncertain { .. }) => "uncertain".to_owned(),
        Err(CredentialsError::Busy { .. } | CredentialsError::Unsaved) => "busy".to_owned(),
        Err(CredentialsError::NeedsAuthorization(_)) => "ended".to_owned(),
        Err(error) => format!("error {error:?}"),
    }
}
