//! What can be typed.

use std::error::Error as _;
use std::str::FromStr;
use std::time::Duration;

use clap::error::{ContextKind, ErrorKind};
use clap::{Args, Parser, Subcommand, ValueEnum};
use keyward::Timestamp;
use keyward::key::{KeyId, OwnerId, RevocationReason};
use keyward::mesh::Capability;

use crate::failure::Failure;

/// Issue, verify, list, rotate and revoke API keys.
///
/// Exit status: 0 done or accepted, 1 refused (the reason is on standard error), 2 wrong usage, 3 the database is
/// unavailable, 4 not found.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// The database: sqlite:PATH or postgres://…
    #[arg(long, global = true, env = "KEYWARD_DB", hide_env_values = true, value_name = "URL")]
    pub(crate) db: Option<String>,

    /// The system whose keys are meant
    #[arg(long, global = true, value_enum)]
    pub(crate) schema: Option<SystemName>,

    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The systems.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SystemName {
    /// riq_ keys with scopes and a rate limit, in the table `api_keys`; an owner is a client
    Scraper,
    /// cm_ keys with capabilities and topics, in the table `mesh.api_key`; an owner is a mesh
    Mesh,
    /// ckapi_ keys, one for each row of the table `aggregators`; an owner is a DID
    Aggregator,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make the tables that are missing, and check those that are there
    Migrate,
    /// Name every difference between the tables that are there and those that are expected
    Check,
    /// Issue a key and print it, for the only time
    Issue(IssueArguments),
    /// Accept or refuse the key on standard input; accepting counts as a use
    Verify(VerifyArguments),
    /// List an owner's keys, newest first
    List(ListArguments),
    /// Show one key
    Show {
        /// The key's identity
        id: KeyId,
    },
    /// Say whether an owner has its only key, and since when (aggregator)
    Info {
        /// Whose key
        #[arg(long)]
        owner: OwnerId,
    },
    /// Revoke a key for good
    Revoke(RevokeArguments),
    /// Revoke all keys of an owner
    RevokeAll {
        /// Whose keys
        #[arg(long)]
        owner: OwnerId,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<RevocationReason>,
    },
    /// Replace a key by a new one and print that, for the only time
    Rotate {
        /// The key's identity
        id: KeyId,
        /// For how long the old key stays accepted; 0s for a leaked key. 24h unless set; an aggregator has no second key
        #[arg(long, value_parser = duration, value_name = "DURATION")]
        grace: Option<Duration>,
        /// When the new key dies, such as 90d or 2030-01-31T12:00:00Z; when the old one would have, unless set
        #[arg(long, value_name = "WHEN")]
        expires: Option<Expiry>,
    },
    /// Print regular expressions that find keys, for secret scanners
    ScannerRules,
}

#[derive(Args)]
pub(crate) struct IssueArguments {
    /// Whose key it will be
    #[arg(long)]
    pub(crate) owner: OwnerId,
    /// When it dies, such as 90d or 2030-01-31T12:00:00Z; never, unless set
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<Expiry>,

    /// What people call it
    #[arg(long, help_heading = "Scraper")]
    pub(crate) name: Option<String>,
    /// A scope that it permits; repeatable
    #[arg(long = "scope", value_name = "SCOPE", help_heading = "Scraper")]
    pub(crate) scopes: Vec<String>,
    /// How many requests a minute it permits
    #[arg(long, value_name = "N", help_heading = "Scraper")]
    pub(crate) rpm: Option<u32>,
    /// What to keep with it
    #[arg(long, value_name = "JSON", value_parser = json, help_heading = "Scraper")]
    pub(crate) metadata: Option<serde_json::Value>,

    /// What people call it
    #[arg(long, help_heading = "Mesh")]
    pub(crate) label: Option<String>,
    /// What it may do: `send`, `read`, `state_write` or `admin`; repeatable
    #[arg(long = "capability", value_name = "CAPABILITY", help_heading = "Mesh")]
    pub(crate) capabilities: Vec<Capability>,
    /// A topic that it is limited to; repeatable. All topics, unless set
    #[arg(long = "topic", value_name = "TOPIC", help_heading = "Mesh")]
    pub(crate) topics: Vec<String>,
    /// Limit it to no topic at all
    #[arg(long, conflicts_with = "topics", help_heading = "Mesh")]
    pub(crate) no_topics: bool,
    /// The member who issues it
    #[arg(long, value_name = "MEMBER", help_heading = "Mesh")]
    pub(crate) issuer: Option<String>,
}

impl IssueArguments {
    /// Refuses options of other systems: one that is ignored would be taken for granted.
    pub(crate) fn check_for(&self, system: SystemName) -> Result<(), Failure> {
        let given = [
            ("--name", SystemName::Scraper, self.name.is_some()),
            ("--scope", SystemName::Scraper, !self.scopes.is_empty()),
            ("--rpm", SystemName::Scraper, self.rpm.is_some()),
            ("--metadata", SystemName::Scraper, self.metadata.is_some()),
            ("--label", SystemName::Mesh, self.label.is_some()),
            ("--capability", SystemName::Mesh, !self.capabilities.is_empty()),
            ("--topic", SystemName::Mesh, !self.topics.is_empty()),
            ("--no-topics", SystemName::Mesh, self.no_topics),
            ("--issuer", SystemName::Mesh, self.issuer.is_some()),
        ];
        refuse_foreign(system, &given)
    }
}

#[derive(Args)]
pub(crate) struct VerifyArguments {
    /// Do not record this as a use of the key
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// A scope that the key has to permit; repeatable
    #[arg(long = "scope", value_name = "SCOPE", help_heading = "Scraper")]
    pub(crate) scopes: Vec<String>,
    /// The scope `admin` permits every scope
    #[arg(long, help_heading = "Scraper")]
    pub(crate) admin_implies_all: bool,

    /// What the key has to be allowed to do; repeatable
    #[arg(long = "capability", value_name = "CAPABILITY", help_heading = "Mesh")]
    pub(crate) capabilities: Vec<Capability>,
    /// Where the key has to be allowed to do it, the bare name; repeatable
    #[arg(long = "topic", value_name = "TOPIC", requires = "capabilities", help_heading = "Mesh")]
    pub(crate) topics: Vec<String>,
    /// Refuse keys whose mesh is archived or whose issuer is revoked
    #[arg(long, help_heading = "Mesh")]
    pub(crate) strict: bool,
}

impl VerifyArguments {
    /// See [`IssueArguments::check_for`].
    pub(crate) fn check_for(&self, system: SystemName) -> Result<(), Failure> {
        let given = [
            ("--scope", SystemName::Scraper, !self.scopes.is_empty()),
            ("--admin-implies-all", SystemName::Scraper, self.admin_implies_all),
            ("--capability", SystemName::Mesh, !self.capabilities.is_empty()),
            ("--topic", SystemName::Mesh, !self.topics.is_empty()),
            ("--strict", SystemName::Mesh, self.strict),
        ];
        refuse_foreign(system, &given)
    }
}

fn refuse_foreign(system: SystemName, given: &[(&str, SystemName, bool)]) -> Result<(), Failure> {
    match given.iter().find(|(_, owner, is_given)| *is_given && *owner != system) {
        Some((option, ..)) => Err(Failure::usage(format!("{option} is not for this --schema"))),
        None => Ok(()),
    }
}

#[derive(Args)]
pub(crate) struct RevokeArguments {
    /// The key's identity; with --owner also the start of its identity or display prefix
    #[arg(value_name = "ID-OR-PREFIX")]
    pub(crate) key: Option<String>,
    /// Whose key it is
    #[arg(long)]
    pub(crate) owner: Option<OwnerId>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<RevocationReason>,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Whose keys
    #[arg(long)]
    pub(crate) owner: OwnerId,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = keyward::service::DEFAULT_PAGE, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Where the page before ended, as that page said
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<KeyId>,
}

/// The parsers' errors repeat nothing of what was typed: it may be a key in the wrong place.
fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "not a duration, such as 24h")
}

fn json(text: &str) -> Result<serde_json::Value, &'static str> {
    serde_json::from_str(text).map_err(|_| "not a JSON document")
}

/// Reads the command line. What clap has to say about a mistake is said without what was typed.
pub(crate) fn parse() -> Result<Arguments, Failure> {
    Arguments::try_parse().map_err(|error| {
        if !error.use_stderr() {
            error.exit(); // help and version
        }
        let context = |kind| error.get(kind).map(ToString::to_string);
        let argument = context(ContextKind::InvalidArg).unwrap_or_default();
        Failure::usage(match (error.kind(), error.source()) {
            (ErrorKind::UnknownArgument, _) => {
                "there is an option or argument that this command does not take".to_owned()
            }
            (ErrorKind::InvalidSubcommand, _) => "there is no such command".to_owned(),
            (ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, _) => {
                "which command is required".to_owned()
            }
            (ErrorKind::MissingRequiredArgument, _) => format!("{argument} is required"),
            (ErrorKind::ArgumentConflict, _) => {
                format!("{argument} cannot be used with {}", context(ContextKind::PriorArg).unwrap_or_default())
            }
            (ErrorKind::InvalidValue, _) => match context(ContextKind::ValidValue) {
                Some(values) => format!("{argument} is one of {values}"),
                None => format!("{argument} needs a value"),
            },
            (_, Some(cause)) => format!("{argument}: {cause}"),
            (kind, None) => format!("{argument}: {kind}"),
        })
    })
}

/// A point in time, or a time from now.
#[derive(Clone, Copy)]
pub(crate) enum Expiry {
    At(Timestamp),
    After(Duration),
}

impl Expiry {
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::After(duration) => now.saturating_add(duration),
        }
    }
}

impl FromStr for Expiry {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = || text.parse().map(Self::At);
        let after = || humantime::parse_duration(text).map(Self::After);
        at().or_else(|_| after())
            .map_err(|_| "neither a time from now, such as 90d, nor one such as 2030-01-31T12:00:00Z")
    }
}
