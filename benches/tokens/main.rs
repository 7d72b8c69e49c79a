//! Accepting and introspecting access tokens, against the one statement that they cannot do without: the row of the token
//! alone, and on PostgreSQL the same with its grant, as it is looked up.

mod postgres;
mod sqlite;

use std::error::Error;
use std::fmt::Write as _;

use keyward::Secret;
use keyward::broker::{Issuer, PresentedClient, Resource, TokenDigest};
use keyward::service::{ResourceServer, Tokens};
use keyward::sql::SqlGrantStore;
use keyward::sql::{BrokerTables, StatementText};

use keyward_benches::keys::{MANY, PRESENTED};
use keyward_benches::suite::Suite;

const RESOURCE: &str = "https://api.example/notes";
const RESOURCE_SERVER: (&str, &str) = ("notes", "b4e3f0f1c6a94a2d8a54f3b0c7b1d9e2");
/// What tokens are compared with.
const ALONE: &str = "the prepared SELECT of its row";
const JOINED: &str = "the prepared SELECT with its grant";

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new("tokens");
    sqlite::accept(&mut suite)?;
    postgres::accept(&mut suite)?;
    suite.finish()
}

fn server(store: SqlGrantStore) -> Result<Tokens, Box<dyn Error>> {
    let (id, secret) = RESOURCE_SERVER;
    Ok(Tokens::builder(store, Issuer::new("https://as.example")?)
        .resource(Resource::new(RESOURCE)?)
        .resource_server(ResourceServer::new(id, &Secret::new(secret.to_owned()))?)
        .build())
}

/// Who asks what a token means.
const fn asker() -> PresentedClient<'static> {
    PresentedClient::Basic(RESOURCE_SERVER.0, RESOURCE_SERVER.1)
}

/// The tokens that are presented.
fn presented() -> Vec<Secret> {
    (0..PRESENTED).map(|number| Secret::new(format!("an-access-token-of-43-characters-{number:011}"))).collect()
}

fn digest(token: &Secret) -> String {
    TokenDigest::of(token.expose_secret()).to_hex().as_str().to_owned()
}

/// The statement by which an access token is looked up.
fn lookup() -> Result<StatementText, Box<dyn Error>> {
    let mut statements = BrokerTables::new().statements().into_iter();
    statements.find(|statement| statement.name == "find_access").ok_or_else(|| "the statement is gone".into())
}

/// Puts the tokens that are presented, and very many of nobody, each with a grant. `own` stands in front of tables of
/// keyward's own.
fn fill(own: &str) -> String {
    let others = (0..MANY - PRESENTED).map(|number| format!("{number:064}"));
    let digests: Vec<_> = presented().iter().map(digest).chain(others).collect();
    let mut script =
        "INSERT INTO clients (client_id, redirect_uris, created_at) VALUES ('client', '[]', 1);".to_owned();
    let mut insert = |into: &str, row: &dyn Fn(usize, &str) -> String| {
        for (start, chunk) in (0..).step_by(1_000).zip(digests.chunks(1_000)) {
            let rows: Vec<_> = (start..).zip(chunk).map(|(number, digest)| row(number, digest)).collect();
            // Writing to a text does not fail.
            let _ = write!(script, "INSERT INTO {into} VALUES {};", rows.join(","));
        }
    };
    insert(
        &format!("{own}grants (id, client_id, subject, subject_name, scopes, resource, created_at, remembered_until)"),
        &|number, _| {
            format!("('grant-{number}', 'client', 'user-{number}', 'ada', 'read write', '{RESOURCE}', 1, 4000000000)")
        },
    );
    insert(&format!("{own}grant_access_tokens (digest, grant_id, used_at)"), &|number, digest| {
        format!("('{digest}', 'grant-{number}', 2)")
    });
    insert(
        "access_tokens (token_hash, client_id, forgejo_user_id, forgejo_username, scopes, forgejo_access_token, \
         forgejo_token_expires_at, expires_at, created_at)",
        &|_, digest| format!("('{digest}', 'client', 0, 'ada', 'read write', '', 0, 4000000000, 1)"),
    );
    script
}
