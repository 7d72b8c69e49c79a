//! What a server or a row says is shown with nothing in it that steers a terminal, turns the line around or stays unseen:
//! in errors, in what is behind them, and in events.

use std::error::Error;
use std::sync::Arc;

use keyward::Visible;
use keyward::key::OwnerId;
use keyward::service::{Credentials, CredentialsError};
use keyward::sql::{OwnCredentials, SqlCredentialStore};
use keyward::store::credentials::Over;
use serde_json::json;

use super::another;
use crate::credentials::double::Fault;
use crate::credentials::exchange::key;
use crate::credentials::service::{World, owner};
use crate::support::log::Log;
use crate::support::{Database, START};

/// A colour, a line break, writing from right to left, an isolate, no width at all, a tag, a separator.
const ODD: &str = "a\u{1b}[31m\nb\u{202e}c\u{2066}d\u{200b}e\u{e0041}f\u{2028}";
const SHOWN: &str = r"a\u{1b}[31m\u{a}b\u{202e}c\u{2066}d\u{200b}e\u{e0041}f\u{2028}";

/// The same as an account's name, which has no control characters.
const DID: &str = "did:plc:b\u{202e}c\u{2066}d\u{200b}e\u{e0041}f\u{2028}";
const DID_SHOWN: &str = r"did:plc:b\u{202e}c\u{2066}d\u{200b}e\u{e0041}f\u{2028}";

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn nothing_unseen_is_said_on_sqlite() {
    nothing_unseen_is_said(Database::sqlite()).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn nothing_unseen_is_said_on_postgres() {
    nothing_unseen_is_said(Database::postgres().await).await;
}

async fn nothing_unseen_is_said(database: Database) {
    // Every task runs on the thread of the test, to which it listens.
    let (log, _listening) = Log::listen();
    let store = SqlCredentialStore::open(database.engine().await, OwnCredentials::new()).await.unwrap();
    store.migrate(START).await.unwrap();
    let world = World::over(Arc::new(store));
    of_a_server(&world).await;
    of_rows(&world, &database).await;
    let logged = log.text();
    let hidden = logged.lines().find(|line| line.contains(Visible::writes_out));
    assert_eq!(hidden, None, "an event says what nobody sees");
    for said in [DID_SHOWN, SHOWN, "credential.ended", "credential.uncertain", "credential.unacceptable"] {
        assert!(logged.contains(said), "{said} is missing in {logged}");
    }
}

/// What a person reads of an error, and what a program shows who asks for all of it.
fn said(error: &CredentialsError) -> String {
    let chain = std::iter::successors(Some(error as &dyn Error), |&error| error.source());
    let said: Vec<_> = chain.map(ToString::to_string).chain([format!("{error:?}")]).collect();
    said.join("; ")
}

#[track_caller]
fn is_visible(error: &CredentialsError, because: &str) -> String {
    let said = said(error);
    assert!(!said.contains(Visible::writes_out), "{because}: {said:?}");
    said
}

/// Each kind of answer, in hostile words.
async fn of_a_server(world: &World) {
    let of = world.sign_in(DID).await;
    let refused = |status, code: &str| {
        let body = json!({ "error": code, "error_description": ODD }).to_string();
        (Fault::Refuse { status, body }, true)
    };
    let spent = |member: &str, value: &str| {
        let mut body = json!({ "access_token": "t", "refresh_token": "r", "token_type": "DPoP", "sub": DID });
        body[member] = json!(value);
        (Fault::Spend { status: 200, body: body.to_string() }, false)
    };
    let answers = [
        refused(400, "invalid_grant"),
        refused(401, "invalid_client"),
        refused(401, "invalid_dpop_proof"),
        refused(400, ODD),
        refused(503, ODD),
        refused(504, ODD),
        spent("sub", ODD),
        spent("token_type", ODD),
        spent("refresh_token", ODD),
        spent("access_token", ODD),
        spent("scope", ODD),
        (Fault::Spend { status: 200, body: ODD.to_owned() }, false),
    ];
    for (answer, has_words) in answers {
        let because = format!("{answer:?}");
        let fresh = another(world);
        world.double.plan([answer]);
        let error = fresh.refresh(&of).await.unwrap_err();
        let said = is_visible(&error, &because);
        let is_over = matches!(error, CredentialsError::NeedsAuthorization(_) | CredentialsError::Uncertain { .. });
        assert!(said.contains(SHOWN) || is_over || !has_words, "{because}: {said}");
        world.sign_in(DID).await;
    }
}

/// Each column in turn, and everything that reads it.
async fn of_rows(world: &World, database: &Database) {
    let table = database.own_table("credentials");
    let columns = [
        "access_token",
        "refresh_token",
        "dpop_key",
        "subject",
        "client_id",
        "client_key_id",
        "issuer",
        "token_endpoint",
        "revocation_endpoint",
        "resource_server",
        "scopes",
        "session_id",
        "authorization_server_nonce",
        "resource_server_nonce",
        "end_reason",
    ];
    for column in columns {
        let of = world.sign_in(DID).await;
        world.clock.pass(3_600);
        let ended = if column == "end_reason" { ", state = 'ended'" } else { "" };
        database.run(&format!("UPDATE {table} SET {column} = '{ODD}'{ended}")).await;
        for error in errors(world, &of).await {
            is_visible(&error, column);
        }
        world.credentials.wipe(&of).await.unwrap();
    }
    // Whose name it is also shows where another one may not have it.
    let of = world.sign_in(DID).await;
    let taken = world.credentials.put(&of, world.session(DID, &key()), Over::Nothing).await.unwrap_err();
    is_visible(&taken, "taken");
}

async fn errors(world: &World, of: &OwnerId) -> Vec<CredentialsError> {
    let fresh = || -> Credentials { another(world) };
    let resource = world.double.resource("com.example.method");
    let mut errors = Vec::new();
    errors.extend(fresh().authorize(of, "GET", &resource).await.err());
    errors.extend(fresh().authorize(of, "GET", ODD).await.err());
    errors.extend(fresh().refresh(of).await.err());
    errors.extend(fresh().retry_uncertain(of).await.err());
    errors.extend(fresh().export(of).await.err());
    errors.extend(fresh().authorize(&owner("nobody"), "GET", ODD).await.err());
    let report = fresh().refresh_expiring(world.now()).await.unwrap();
    errors.extend(report.failed.into_iter().map(|(_, error)| error));
    let report = fresh().reseal(|_| ()).await.unwrap();
    errors.extend(report.failed.into_iter().map(|(_, error)| error));
    errors.extend(fresh().revoke(of).await.err());
    errors
}
