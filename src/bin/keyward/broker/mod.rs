//! The commands about an authorization server: its clients and grants.

mod arguments;
mod clients;
mod failure;
mod grants;
mod tables;

use std::process::ExitCode;

use keyward::broker::Issuer;
use keyward::service::Tokens;
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::{Clock as _, SystemClock};

pub(crate) use arguments::BrokerArguments;

use crate::arguments::DatabaseArguments;
use crate::database::{connect, within};
use crate::failure::Failure;
use crate::output;
use arguments::BrokerCommand;

/// Runs what was typed and prints what it has to say.
pub(crate) async fn run(
    database: DatabaseArguments,
    json: bool,
    arguments: BrokerArguments,
) -> Result<ExitCode, Failure> {
    let limit = database.timeout;
    let document = match arguments.command {
        BrokerCommand::Migrate => tables::migrate(&database, SystemClock.now()).await?,
        BrokerCommand::Check => within(limit, Box::pin(tables::check(&database))).await?,
        BrokerCommand::Clients(page) => within(limit, clients::list(&open(&database).await?, page)).await?,
        BrokerCommand::Register(register) => {
            within(limit, clients::register(&open(&database).await?, register)).await?
        }
        BrokerCommand::Grants(list) => within(limit, grants::list(&open(&database).await?, list)).await?,
        // However long it takes, none of their steps does.
        BrokerCommand::Revoke(revoke) => grants::revoke(&open(&database).await?, revoke).await?,
        BrokerCommand::Sweep { clients_unused_for } => {
            grants::sweep(&open(&database).await?, clients_unused_for).await?
        }
    };
    output::print(&document, json)
}

/// The store in the database that was named.
pub(crate) async fn store(database: &DatabaseArguments, create: bool) -> Result<SqlGrantStore, Failure> {
    let engine = connect(database, create).await?;
    within(database.timeout, SqlGrantStore::open(engine, BrokerTables::new())).await
}

/// The server's state. Nothing is issued here, so that it does not matter under which name.
async fn open(database: &DatabaseArguments) -> Result<Tokens, Failure> {
    let nobody = Issuer::new("https://localhost").map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Tokens::builder(store(database, false).await?, nobody).build())
}
