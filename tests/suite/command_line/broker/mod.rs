//! `keyward broker` and `keyward serve`: an authorization server as those who run it have it.

mod life;
mod lists;
#[cfg(feature = "postgres")]
mod roles;
#[cfg(all(feature = "serve", unix))]
mod serve;
mod tables;
mod trouble;
mod usage;

use keyward::broker::{Issuer, Parameters, PresentedClient, Subject, SubjectId};
use keyward::key::Scopes;
use keyward::service::{Approval, PresentedGrant, Tokens};
use keyward::sql::{BrokerTables, SqlGrantStore};
use serde_json::Value;

use super::terminal::{Terminal, over_new_databases, wait_for};

const REDIRECT: &str = "https://app.example/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A terminal where commands about an authorization server are typed, and the database behind it.
struct Desk<'t> {
    /// What is printed here differs from run to run.
    terminal: Terminal,
    host: &'t Terminal,
}

/// Over the tables of an authorization server in a new database of each engine.
fn over_each_engine(script: impl Fn(&mut Desk<'_>)) {
    over_new_databases("standard", |terminal| {
        let mut desk = Desk { terminal: terminal.apart(), host: terminal };
        assert_eq!(desk.terminal.run(&["broker", "migrate"], "").status, 0);
        script(&mut desk);
    });
}

/// What a person has allowed a client.
struct Granted {
    grant: String,
    access_token: String,
    refresh_token: String,
}

impl Desk<'_> {
    fn document(&mut self, arguments: &[&str]) -> Value {
        self.terminal.document(&[&["broker"], arguments].concat())
    }

    fn sql(&self, sql: &str) {
        self.host.sql(sql);
    }

    /// Runs `script` with the server, as a program that uses the library has it.
    fn with_tokens<T>(&self, script: impl AsyncFnOnce(Tokens) -> T) -> T {
        let url = self.terminal.db.clone().unwrap();
        wait_for(async {
            let engine = keyward::Engine::connect(&url).await.unwrap();
            let store = SqlGrantStore::open(engine, BrokerTables::new()).await.unwrap();
            let issuer = Issuer::new("https://as.example").unwrap();
            script(Tokens::builder(store, issuer).scopes(Scopes::from_stored(["read", "write"])).build()).await
        })
    }

    /// Registers a public client, and says under which identifier.
    fn client(&mut self) -> String {
        let client = self.document(&["register", "--redirect-uri", REDIRECT, "--name", "Editor"]);
        client["client_id"].as_str().unwrap().to_owned()
    }

    /// What `subject` allows this client.
    fn grant(&self, client: &str, subject: &str) -> Granted {
        self.with_tokens(async |tokens| {
            let query = format!(
                "response_type=code&client_id={client}&redirect_uri={REDIRECT}&code_challenge={CHALLENGE}\
                 &code_challenge_method=S256"
            );
            let request = tokens.authorize(&Parameters::parse(&query)).await.unwrap();
            let approval = Approval::new(Subject::new(SubjectId::new(subject).unwrap()).with_name(subject));
            let location = tokens.approve(&request, approval).await.unwrap();
            let query = location.expose_secret().split_once('?').unwrap().1;
            let code = Parameters::parse(query).get("code").unwrap().to_owned();
            let presented = PresentedGrant::code(&code, REDIRECT, VERIFIER);
            let issued = tokens.exchange(PresentedClient::Named(client), presented).await.unwrap();
            let access_token = issued.access_token.expose_secret().to_owned();
            let caller = tokens.authenticate(&access_token).await.unwrap();
            Granted {
                grant: caller.record().grant.as_ref().unwrap().id.as_str().to_owned(),
                access_token,
                refresh_token: issued.refresh_token.unwrap().expose_secret().to_owned(),
            }
        })
    }

    /// Whether the access token is good.
    fn is_good(&self, granted: &Granted) -> bool {
        self.with_tokens(async |tokens| tokens.authenticate(&granted.access_token).await.is_ok())
    }

    fn table(&self, name: &str) -> String {
        self.host.own_table(name)
    }
}
