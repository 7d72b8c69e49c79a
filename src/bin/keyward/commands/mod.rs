//! The commands, over whichever schema and engine.

mod change;
mod describe;
#[cfg(feature = "postgres")]
mod grants;
mod import;
mod issue;
mod list;
#[cfg(feature = "reqwest")]
mod on_session;
mod purge;
mod revoke;
mod tables;
mod verify;
mod without_database;

use std::process::ExitCode;
use std::time::Duration;

use keyward::{Clock as _, Keys, SqlKeyStore, SystemClock, Timestamp};

pub(crate) use import::ImportLine;
#[cfg(any(feature = "broker", feature = "reqwest"))]
pub(crate) use tables::report;

use crate::arguments::{Arguments, Command, DatabaseArguments};
use crate::database::{connect, within};
use crate::failure::Failure;
use crate::output::{self, Document};
use crate::schema::{CommandSchema, not_for};

/// The keys of a schema in a database, and what was said about the schema.
struct Session<S: CommandSchema> {
    keys: Keys<S>,
    settings: S::Settings,
    json: bool,
    /// How long to wait for the database.
    timeout: Duration,
}

/// Runs what was typed and prints what it has to say.
pub(crate) async fn run<S: CommandSchema>(arguments: Arguments<S>) -> Result<ExitCode, Failure> {
    let json = arguments.json;
    if let Some(command) = misplaced::<S>(&arguments.command) {
        return Err(not_for::<S>(command));
    }
    if lacks_owner(&arguments.command) {
        return Err(Failure::usage("--owner is required"));
    }
    let Arguments { database, schema: named, settings, command, .. } = arguments;
    // These are not about keys, and their tables are others.
    let command = match command {
        #[cfg(feature = "reqwest")]
        Command::Credential(arguments) => return Box::pin(crate::credential::run(database, json, arguments)).await,
        #[cfg(feature = "broker")]
        Command::Broker(arguments) => return Box::pin(crate::broker::run(database, json, arguments)).await,
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => return Box::pin(crate::serve::run(database, json, *arguments)).await,
        command => command,
    };
    // What was typed is looked at before a database is.
    let makes_keys = matches!(command, Command::Issue(_) | Command::Rotate(_) | Command::Verify(_));
    let schema = S::schema(&settings, makes_keys)?;
    let schema = if let Command::Verify(verify) = &command { schema.verifying(&verify.options) } else { schema };
    if matches!(command, Command::Import) && schema.formats().foreign().is_empty() {
        return Err(Failure::usage("--foreign-prefix and --foreign-lengths are required: they say what is imported"));
    }
    let (is_named, now) = (named.is_some(), SystemClock.now());
    let closed = Closed { database, schema, settings, json };
    let document = match command {
        // It prints before it is done, and it may wait for a person.
        Command::Verify(verify) => return closed.open().await?.verify(&verify).await,
        // These may wait for a session on standard input, and for its server.
        #[cfg(feature = "reqwest")]
        Command::Issue(issue) if S::standing(&issue.options).is_some() => closed.issue_on_session(issue, now).await?,
        #[cfg(feature = "reqwest")]
        Command::Revoke(revoke) if S::ending(&revoke.options).is_some() => closed.revoke_with_session(revoke).await?,
        // However long it takes, none of its steps does.
        Command::Migrate { .. } | Command::Import | Command::Purge { .. } => {
            closed.carry_out(command, is_named, now).await?
        }
        command => within(closed.database.timeout, closed.carry_out(command, is_named, now)).await?,
    };
    output::print(&document, json)
}

/// What was said of the keys, before the database is opened.
struct Closed<S: CommandSchema> {
    database: DatabaseArguments,
    schema: S,
    settings: S::Settings,
    json: bool,
}

impl<S: CommandSchema> Closed<S> {
    /// Does what was typed; `is_named` says that the schema was.
    async fn carry_out(self, command: Command<S>, is_named: bool, now: Timestamp) -> Result<Document, Failure> {
        Ok(match command {
            Command::Migrate { note_changes } => {
                tables::migrate::<S>(&connect(&self.database, true).await?, note_changes, now).await?
            }
            Command::Check => tables::check::<S>(&connect(&self.database, false).await?).await?,
            #[cfg(feature = "postgres")]
            Command::Grants(grants) => grants::grants::<S>(&grants, self.database.postgres_schema.as_deref())?,
            Command::Issue(issue) => {
                let replaces_revoked = S::replaces_revoked(&issue.options);
                let draft = issue.draft(now)?;
                self.open().await?.issue(draft, replaces_revoked).await?
            }
            Command::Import => self.open().await?.import().await?,
            Command::List(list) => self.open().await?.list(list).await?,
            Command::Get { id } => self.open().await?.get(&id).await?,
            Command::Info { owner } => self.open().await?.info(&owner).await?,
            Command::Update(update) => {
                let change = S::change(update.options, now)?;
                self.open().await?.update(&update.id, update.version, change).await?
            }
            Command::Disable(switch) => self.open().await?.disable(&switch.id, switch.reason).await?,
            Command::Enable(switch) => self.open().await?.enable(&switch.id, switch.reason).await?,
            Command::History { id } => self.open().await?.history(&id).await?,
            Command::Rotate(rotate) => self.open().await?.rotate(rotate).await?,
            Command::Revoke(revoke) => self.open().await?.revoke(revoke).await?,
            Command::RevokeAll { owner, reason } => self.open().await?.revoke_all(&owner, reason).await?,
            Command::Purge { older_than } => self.open().await?.purge(older_than).await?,
            Command::ScannerRules => without_database::scanner_rules::<S>(&self.settings, is_named)?,
            Command::Completions { shell } => without_database::completions(shell),
            Command::Man { command } => without_database::manual(&command)?,
            #[cfg(feature = "reqwest")]
            Command::SealKey { id } => crate::credential::seal_key(id)?,
            #[cfg(feature = "reqwest")]
            Command::Credential(_) => return Err(Failure::usage("credential is carried out by itself")),
            #[cfg(feature = "broker")]
            Command::Broker(_) => return Err(Failure::usage("broker is carried out by itself")),
            #[cfg(feature = "serve")]
            Command::Serve(_) => return Err(Failure::usage("serve is carried out by itself")),
            // It has printed its verdict before it is done.
            Command::Verify(_) => return Err(Failure::usage("verify is carried out by itself")),
        })
    }

    async fn open(self) -> Result<Session<S>, Failure> {
        let Self { database, schema, settings, json } = self;
        let timeout = database.timeout;
        let opening = within(timeout, SqlKeyStore::open(connect(&database, false).await?, schema));
        let keys = Keys::builder(opening.await?).build();
        let keys = match S::actor(&settings) {
            Some(actor) => keys.by(actor),
            None => keys,
        };
        Ok(Session { keys, settings, json, timeout })
    }
}

/// Whether the schema has an answer only within the keys of one owner, and none is named.
fn lacks_owner<S: CommandSchema>(command: &Command<S>) -> bool {
    match command {
        Command::List(list) => list.owner.is_none() && !S::OWN_TABLES,
        Command::Revoke(revoke) => S::REVOKED_WITHIN_OWNER && revoke.key.is_some() && revoke.owner.is_none(),
        _ => false,
    }
}

/// The name of a command that the schema does not have.
fn misplaced<S: CommandSchema>(command: &Command<S>) -> Option<&'static str> {
    let name = match command {
        Command::Import => "import",
        Command::Update(_) => "update",
        Command::Disable(_) => "disable",
        Command::Enable(_) => "enable",
        Command::History { .. } => "history",
        Command::Purge { .. } => "purge",
        Command::Info { .. } if S::ONLY_KEY => return None,
        Command::Info { .. } => return Some("info"),
        _ => return None,
    };
    (!S::OWN_TABLES).then_some(name)
}
