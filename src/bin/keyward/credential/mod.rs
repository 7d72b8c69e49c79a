//! The commands about OAuth credentials of owners at other servers.

mod arguments;
mod clients;
mod describe;
mod exchange;
mod failure;
mod incoming;
mod keyed;
mod moving;
mod reads;
mod seal_keys;
mod session;
mod tables;

use std::path::Path;
use std::process::ExitCode;

use keyward::credential::ClientId;
use keyward::{Clock as _, SystemClock};

pub(crate) use arguments::{CredentialArguments, EndingArguments, StandingArguments};
pub(crate) use incoming::REFRESHED_HERE;
pub(crate) use seal_keys::seal_key;
#[cfg(feature = "postgres")]
pub(crate) use tables::{LayoutArguments, grants};

use crate::arguments::DatabaseArguments;
use crate::database::within;
use crate::failure::Failure;
use crate::output::{self, Document};
use arguments::{CredentialCommand, Means};
use incoming::Incoming;
use session::Session;

/// Runs what was typed and prints what it has to say.
pub(crate) async fn run(
    database: DatabaseArguments,
    json: bool,
    arguments: CredentialArguments,
) -> Result<ExitCode, Failure> {
    let typed = arguments.means.layout.typed();
    let done = Box::pin(carried_out(&database, arguments)).await;
    let document = done.map_err(|failure| failure.about_credentials(&typed))?;
    output::print(&document, json)
}

async fn carried_out(database: &DatabaseArguments, arguments: CredentialArguments) -> Result<Document, Failure> {
    let CredentialArguments { means, command } = arguments;
    match command {
        CredentialCommand::Migrate => tables::migrate(database, means.layout, SystemClock.now()).await,
        CredentialCommand::Check => within(database.timeout, Box::pin(tables::check(database, means.layout))).await,
        CredentialCommand::Import(import) => {
            let incoming = Incoming {
                from: Path::new("-"),
                owner: &import.owner,
                client_id: means.client_id.as_ref(),
                client_key_id: import.client_key_id.clone(),
            };
            let incoming = incoming.read()?;
            let session = Session::open(database, means, Some(incoming.client_id.clone())).await?;
            session.import(import, incoming).await
        }
        command => {
            let client = client_for(&means, &command)?;
            let session = Session::open(database, means, client).await?;
            let done = carry_out(&session, command).await;
            // A refresh that has begun is not left alone: the new tokens are nowhere else yet.
            session.settle().await;
            done
        }
    }
}

/// Whose credentials those are that name no client, which only rows of the host's do. Wiping reads none.
fn client_for(means: &Means, command: &CredentialCommand) -> Result<Option<ClientId>, Failure> {
    let reads = !matches!(command, CredentialCommand::Wipe { .. });
    if reads && means.layout.is_given() { means.require_client().map(Some) } else { Ok(means.client_id.clone()) }
}

async fn carry_out(session: &Session, command: CredentialCommand) -> Result<Document, Failure> {
    let limit = session.timeout();
    match command {
        CredentialCommand::Show { owner } => within(limit, session.show(&owner)).await,
        CredentialCommand::List(list) => within(limit, session.list(list)).await,
        CredentialCommand::Token { owner, margin } => session.token(&owner, margin).await,
        CredentialCommand::Refresh { owner: Some(owner), .. } => session.refresh(&owner).await,
        CredentialCommand::Refresh { due_within, .. } => session.refresh_due(due_within.unwrap_or_default()).await,
        CredentialCommand::Retry { owner } => session.retry(&owner).await,
        CredentialCommand::Export { owner, .. } => within(limit, session.export(&owner)).await,
        CredentialCommand::Reseal => session.reseal().await,
        CredentialCommand::Wipe { owner } => within(limit, session.wipe(&owner)).await,
        CredentialCommand::Revoke { owner } => session.revoke(&owner).await,
        CredentialCommand::Migrate | CredentialCommand::Check | CredentialCommand::Import(_) => {
            Err(Failure::usage("migrate, check and import are carried out by themselves"))
        }
    }
}
