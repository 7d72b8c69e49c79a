//! What the command line has to know of each schema: its options, its fields, and what its keys permit.
//!
//! A schema is a file here, and a line in [`SCHEMAS`].

mod aggregator;
mod mesh;
mod scraper;
mod standard;

use std::pin::Pin;
use std::process::ExitCode;
#[cfg(feature = "reqwest")]
use std::sync::Arc;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{ArgMatches, Args, Command, CommandFactory as _, FromArgMatches as _};
#[cfg(feature = "reqwest")]
use keyward::Engine;
use keyward::Timestamp;
use keyward::key::{
    Actor, ChangeError, Draft, FieldChange, KeyFormat, KeyRecord, MissingScope, OwnerId, ScopePolicy, Scopes, Update,
};
use keyward::schemas::aggregator::Aggregator;
#[cfg(feature = "reqwest")]
use keyward::schemas::aggregator::AggregatorCredentials;
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::sql::SqlSchema;
use keyward::store::KeyFilter;
#[cfg(feature = "reqwest")]
use keyward::store::credentials::KeyedCredentialStore;

use crate::arguments::{Arguments, explain};
use crate::commands::{self, ImportLine};
#[cfg(feature = "reqwest")]
use crate::credential::{EndingArguments, StandingArguments};
use crate::failure::Failure;
use crate::output::Fields;

/// The schemas, the default one first.
pub(crate) static SCHEMAS: [Entry; 4] =
    [Entry::of::<Standard>(), Entry::of::<Scraper>(), Entry::of::<Mesh>(), Entry::of::<Aggregator>()];

/// One schema, as the command line is read and run for it.
pub(crate) struct Entry {
    /// What `--schema` calls it.
    pub(crate) name: &'static str,
    about: &'static str,
    /// The form of its keys, where no option decides it.
    pub(crate) format: Option<KeyFormat>,
    /// All commands, with this schema's options.
    pub(crate) command: fn() -> Command,
    /// Runs what was typed.
    pub(crate) run: fn(&ArgMatches) -> Running,
}

type Running = Pin<Box<dyn Future<Output = Result<ExitCode, Failure>>>>;

impl Entry {
    const fn of<S: CommandSchema>() -> Self {
        Self { name: S::NAME, about: S::ABOUT, format: S::FORMAT, command: command::<S>, run: run::<S> }
    }
}

fn command<S: CommandSchema>() -> Command {
    Arguments::<S>::command()
}

fn run<S: CommandSchema>(matches: &ArgMatches) -> Running {
    let arguments = Arguments::<S>::from_arg_matches(matches).map_err(|error| explain(&error));
    Box::pin(async move { commands::run(arguments?).await })
}

/// What `--schema` takes.
pub(crate) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(SCHEMAS.iter().map(|schema| PossibleValue::new(schema.name).help(schema.about)))
}

/// A good key that does not permit what was asked about.
pub(crate) struct NotPermitted {
    /// One word for JSON.
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) explanation: String,
}

/// A schema on the command line.
pub(crate) trait CommandSchema: SqlSchema {
    /// What its keys are, in a line.
    const ABOUT: &'static str;
    /// The form of its keys, where no option decides it.
    const FORMAT: Option<KeyFormat>;
    /// The columns of a list.
    const COLUMNS: &'static [&'static str];
    /// An owner has at most one key, and issuing another replaces it.
    const ONLY_KEY: bool = false;
    /// A key is revoked within its owner's keys alone.
    const REVOKED_WITHIN_OWNER: bool = false;
    /// Its tables are keyward's own, so that keys are imported, changed, searched and purged, and have a history.
    const OWN_TABLES: bool = false;

    /// Options of every command: what the service decides about its schema.
    type Settings: Args + Send + Sync;
    /// Options of `issue`.
    type Issue: Args + Send + Sync;
    /// Options of `verify`: what the key has to permit.
    type Verify: Args + Send + Sync;
    /// Options of `revoke`.
    type Revoke: Args + Send + Sync;
    /// Options of `list` beside the owner.
    type Filter: Args + Send + Sync;
    /// Options of `update`.
    type Update: Args + Send + Sync;
    /// What `update` does.
    type Change: Update<Self> + Send;

    /// The schema as these settings describe it. `makes_keys` says that keys will be made or verified.
    fn schema(settings: &Self::Settings, makes_keys: bool) -> Result<Self, Failure>;

    /// The schema as `verify` wants it.
    fn verifying(self, _options: &Self::Verify) -> Self {
        self
    }

    /// The forms in which the service's own keys are found in other people's files.
    fn scanned(settings: &Self::Settings) -> Result<Vec<KeyFormat>, Failure> {
        Ok(vec![*Self::schema(settings, true)?.formats().issued()])
    }

    /// Who does it, for the history.
    fn actor(_settings: &Self::Settings) -> Option<Actor> {
        None
    }

    /// What `issue` was asked for; the expiry is not its business.
    fn draft(owner: OwnerId, options: Self::Issue) -> Result<Draft<Self>, Failure>;

    /// Whether `issue` puts a new key in the place of one that was revoked, where an owner has one key.
    fn replaces_revoked(_options: &Self::Issue) -> bool {
        true
    }

    /// What `issue` was told of the OAuth session that the key is to stand on, if anything.
    #[cfg(feature = "reqwest")]
    fn standing(_options: &Self::Issue) -> Option<&StandingArguments> {
        None
    }

    /// What `revoke` was told of the OAuth session that the key stood on, if anything.
    #[cfg(feature = "reqwest")]
    fn ending(_options: &Self::Revoke) -> Option<&EndingArguments> {
        None
    }

    /// The keys and the OAuth sessions that they stand on, in one database.
    #[cfg(feature = "reqwest")]
    async fn keyed(
        self,
        _engine: &Engine,
        _layout: AggregatorCredentials,
    ) -> Result<Arc<dyn KeyedCredentialStore<Schema = Self>>, Failure> {
        Err(not_for::<Self>("a session"))
    }

    /// What people have to know of a key that was just issued.
    fn notes(_key: &KeyRecord<Self>) -> &'static [&'static str] {
        &[]
    }

    /// Whether a key permits what `verify` was asked about, or else why not.
    fn permits(details: &Self::Details, options: &Self::Verify) -> Result<(), NotPermitted>;

    /// What only this schema records, as fields.
    fn describe(details: &Self::Details) -> Fields;

    /// The conditions of `list`, beside those that `filter` has.
    fn filter(_options: &Self::Filter, filter: KeyFilter, _now: Timestamp) -> KeyFilter {
        filter
    }

    /// Whether `list` is to say how many keys there are, and nothing more.
    fn counts(_options: &Self::Filter) -> bool {
        false
    }

    /// What `update` was asked for.
    fn change(_options: Self::Update, _now: Timestamp) -> Result<Self::Change, Failure> {
        Err(not_for::<Self>("update"))
    }

    /// A key that another service made, as a line of `import` describes it.
    fn import(_settings: &Self::Settings, _line: &mut ImportLine) -> Result<Draft<Self>, String> {
        Err(not_for::<Self>("import").message().to_owned())
    }

    /// The prefix that the key should have and has not, as far as the settings say.
    fn missing_prefix(_settings: &Self::Settings, _key: &KeyRecord<Self>) -> Option<String> {
        None
    }

    /// Refuses a rotation into a key that the service may not accept.
    fn may_rotate(_settings: &Self::Settings, _key: &KeyRecord<Self>) -> Result<(), Failure> {
        Ok(())
    }
}

/// The command is one of another schema.
pub(crate) fn not_for<S: CommandSchema>(command: &str) -> Failure {
    Failure::usage(format!("{command} is not for --schema {}", S::NAME))
}

/// Whether a key holds every scope that `verify` was asked about.
fn permits_scopes(held: &Scopes, required: &[String], admin_implies_all: bool) -> Result<(), NotPermitted> {
    let policy = if admin_implies_all { ScopePolicy::admin_implies_all() } else { ScopePolicy::exact() };
    let not_permitted =
        |missing: MissingScope| NotPermitted { code: "insufficient_scope", explanation: missing.to_string() };
    required.iter().try_for_each(|scope| held.permit(scope, policy).map_err(not_permitted))
}

/// Where a schema has no options of its own.
#[derive(Args)]
pub(crate) struct NoOptions {}

/// Where a schema's keys cannot be changed.
pub(crate) enum NoChange {}

impl<S: CommandSchema> Update<S> for NoChange {
    fn apply(self, _key: &mut KeyRecord<S>, _at: Timestamp) -> Result<Vec<FieldChange>, ChangeError> {
        match self {}
    }
}
