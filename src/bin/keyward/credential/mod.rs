//! The commands about OAuth credentials of owners at other servers.

mod arguments;
mod clients;
mod describe;
mod exchange;
mod failure;
mod moving;
mod reads;
mod seal_keys;
mod session;
mod tables;

use std::process::ExitCode;

use keyward::{Clock as _, SystemClock};

pub(crate) use arguments::CredentialArguments;
pub(crate) use seal_keys::seal_key;

use crate::arguments::DatabaseArguments;
use crate::database::within;
use crate::failure::Failure;
use crate::output::{self, Document};
use arguments::CredentialCommand;
use session::Session;

/// Runs what was typed and prints what it has to say.
pub(crate) async fn run(
    database: DatabaseArguments,
    json: bool,
    arguments: CredentialArguments,
) -> Result<ExitCode, Failure> {
    let document = Box::pin(carried_out(&database, arguments)).await.map_err(Failure::about_credentials)?;
    output::print(&document, json)
}

async fn carried_out(database: &DatabaseArguments, arguments: CredentialArguments) -> Result<Document, Failure> {
    let limit = database.timeout;
    match arguments.command {
        CredentialCommand::Migrate => tables::migrate(database, SystemClock.now()).await,
        CredentialCommand::Check => within(limit, Box::pin(tables::check(database))).await,
        command => {
            let session = Session::open(database, arguments.means).await?;
            let done = carry_out(&session, command).await;
            // A refresh that has begun is not left alone: the new tokens are nowhere else yet.
            session.settle().await;
            done
        }
    }
}

async fn carry_out(session: &Session, command: CredentialCommand) -> Result<Document, Failure> {
    let limit = session.timeout();
    match command {
        CredentialCommand::Import(import) => session.import(import).await,
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
        CredentialCommand::Migrate | CredentialCommand::Check => {
            Err(Failure::usage("migrate and check are carried out by themselves"))
        }
    }
}
