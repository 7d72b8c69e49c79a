//! The commands about an authorization server: its clients and grants.

mod arguments;
mod clients;
mod failure;
mod grants;
mod tables;

use std::process::ExitCode;

use keyward::broker::Issuer;
use keyward::service::{Tokens, TokensBuilder};
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::{Clock as _, SystemClock};

pub(crate) use arguments::BrokerArguments;
#[cfg(feature = "postgres")]
pub(crate) use tables::rights;

use crate::arguments::DatabaseArguments;
use crate::database::{connect, within};
use crate::failure::Failure;
use crate::output::{self, Document};
use arguments::BrokerCommand;

/// Runs what was typed and prints what it has to say.
pub(crate) async fn run(
    database: DatabaseArguments,
    json: bool,
    arguments: BrokerArguments,
) -> Result<ExitCode, Failure> {
    let document = carry_out(&database, arguments.command).await.map_err(Failure::about_broker)?;
    output::print(&document, json)
}

async fn carry_out(database: &DatabaseArguments, command: BrokerCommand) -> Result<Document, Failure> {
    let limit = database.timeout;
    match command {
        BrokerCommand::Migrate => tables::migrate(database, SystemClock.now()).await,
        BrokerCommand::Check => within(limit, Box::pin(tables::check(database))).await,
        BrokerCommand::Clients(page) => within(limit, clients::list(&open(database).await?, page)).await,
        BrokerCommand::Register(register) => {
            // What it may ask for is offered, or it would be left out.
            let offered = register.scopes.iter().cloned().collect();
            let tokens = opening(database).await?.scopes(offered).build();
            within(limit, clients::register(&tokens, register)).await
        }
        BrokerCommand::Grants(list) => within(limit, grants::list(&open(database).await?, list)).await,
        // However long it takes, none of their steps does.
        BrokerCommand::Revoke(revoke) => {
            revoke.check()?;
            grants::revoke(&open(database).await?, revoke).await
        }
        BrokerCommand::Sweep { clients_unused_for } => grants::sweep(&open(database).await?, clients_unused_for).await,
    }
}

/// The store in the database that was named.
pub(crate) async fn store(database: &DatabaseArguments, create: bool) -> Result<SqlGrantStore, Failure> {
    let engine = connect(database, create).await?;
    within(database.timeout, SqlGrantStore::open(engine, BrokerTables::new())).await
}

async fn open(database: &DatabaseArguments) -> Result<Tokens, Failure> {
    Ok(opening(database).await?.build())
}

/// The server's state. Nothing is issued here, so that it does not matter under which name.
async fn opening(database: &DatabaseArguments) -> Result<TokensBuilder, Failure> {
    let nobody = Issuer::new("https://localhost").map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Tokens::builder(store(database, false).await?, nobody))
}
