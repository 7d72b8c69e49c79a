//! What can be typed.

mod parse;
mod values;

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use keyward::Timestamp;
use keyward::key::{Draft, KeyId, OwnerId, Reason};

pub(crate) use parse::{explain, parse, whole};
pub(crate) use values::{When, duration, json, lengths};

use crate::failure::Failure;
use crate::schema::{CommandSchema, names};

/// Issue, verify, list, change, rotate and revoke API keys.
///
/// Which commands and options there are depends on --schema: `keyward --schema mesh issue --help` shows those of
/// another schema than the default one.
///
/// Exit status: 0 done or accepted, 1 refused (the reason is on standard error), 2 wrong usage, 3 the database is
/// unavailable or answered with an error, 4 not found.
#[derive(Parser)]
#[command(name = "keyward", version, max_term_width = 100)]
pub(crate) struct Arguments<S: CommandSchema> {
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,

    /// The schema of the keys [default: standard]
    #[arg(long, global = true, env = "KEYWARD_SCHEMA", hide_env_values = true, value_parser = names())]
    pub(crate) schema: Option<String>,

    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) settings: S::Settings,

    #[command(subcommand)]
    pub(crate) command: Command<S>,
}

/// Where the keys are.
#[derive(Args)]
pub(crate) struct DatabaseArguments {
    /// The database: sqlite:PATH or postgres://…
    #[arg(long = "db", global = true, env = "KEYWARD_DB", hide_env_values = true, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// How long to wait for the database; `import` and `purge` wait so long for each step, `migrate` for the connection
    #[arg(long, global = true, value_parser = duration, value_name = "DURATION", default_value = "30s")]
    pub(crate) timeout: Duration,

    /// The PostgreSQL schema of keyward's own tables [default: keyward]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) postgres_schema: Option<String>,

    /// A PostgreSQL role whose tables are taken for keyward's own, such as one that migrates; repeatable
    #[arg(long = "trust", global = true, value_name = "ROLE")]
    pub(crate) trusted: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum Command<S: CommandSchema> {
    /// Make the tables that are missing, and check those that are there
    Migrate {
        /// Have PostgreSQL note changes of keys too, by triggers on their table, so that caches can watch for them
        #[arg(long)]
        note_changes: bool,
    },
    /// Name every difference between the tables that are there and those that are expected
    Check,
    /// Issue a key and print it, for the only time
    Issue(IssueArguments<S>),
    /// Take over keys that another service made, from JSON lines on standard input
    ///
    /// Each line is an object with `owner`, `name`, `digest` (SHA-256 of the whole key, 64 hexadecimal digits) and
    /// `prefix` (the first characters, which may be shown); `format` (a name for where the keys come from),
    /// `description`, `scopes`, `requests_per_minute`, `metadata` (a text) and `expires_at` may follow. A line that
    /// cannot be imported is reported with its number, and the others are imported.
    Import,
    /// Accept or refuse the key on standard input; accepting counts as a use
    Verify(VerifyArguments<S>),
    /// List keys, newest first
    List(ListArguments<S>),
    /// Show one key
    #[command(visible_alias = "show")]
    Get {
        /// The key's identity
        id: KeyId,
    },
    /// Say whether an owner has its only key, and since when (schema aggregator)
    Info {
        /// Whose key
        #[arg(long)]
        owner: OwnerId,
    },
    /// Give a key another name, other scopes, another expiry and so on
    Update(UpdateArguments<S>),
    /// Switch a key off until it is enabled again
    Disable(SwitchArguments),
    /// Switch a disabled key on again
    Enable(SwitchArguments),
    /// Show what was done to a key, oldest first
    History {
        /// The key's identity
        id: KeyId,
    },
    /// Replace a key by a new one and print that, for the only time
    Rotate(RotateArguments),
    /// Revoke a key for good
    Revoke(RevokeArguments<S>),
    /// Revoke all keys of an owner
    RevokeAll {
        /// Whose keys
        #[arg(long)]
        owner: OwnerId,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
    },
    /// Remove keys that have been revoked or expired for long, with their history
    Purge {
        /// For how long they have to be dead, such as 90d
        #[arg(long, value_parser = duration, value_name = "DURATION")]
        older_than: Duration,
    },
    /// Keep, use and refresh the OAuth credentials of owners at other servers, whatever the schema of the keys
    #[cfg(feature = "reqwest")]
    Credential(crate::credential::CredentialArguments),
    /// Manage the clients and grants of an authorization server
    #[cfg(feature = "broker")]
    Broker(crate::broker::BrokerArguments),
    /// Serve as an OAuth 2.1 authorization server, until SIGTERM
    #[cfg(feature = "serve")]
    Serve(Box<crate::serve::ServeArguments>),
    /// Make a key that seals secrets at rest, and print it
    #[cfg(feature = "reqwest")]
    SealKey {
        /// What it is called; the date of today, unless set
        #[arg(long)]
        id: Option<keyward::seal::SealKeyId>,
    },
    /// Print the statements that give a PostgreSQL role the rights that it needs
    #[cfg(feature = "postgres")]
    Grants(GrantsArguments),
    /// Print regular expressions that find keys, for secret scanners
    ScannerRules,
    /// Print a script that completes commands and options in a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the program's manual page; `man COMMAND` prints that command's page
    Man {
        /// The command that it describes, such as `issue` or `credential token`; the whole program, unless set
        command: Vec<String>,
    },
}

#[cfg(feature = "postgres")]
#[derive(Args)]
pub(crate) struct GrantsArguments {
    /// What the role is for
    #[arg(long)]
    pub(crate) role: Role,
    /// What it is called in the database; after what it is for, such as `keyward_verifier`, unless set
    #[arg(long, value_name = "NAME")]
    pub(crate) to: Option<String>,
    /// Its rights to OAuth credentials too: a verifier reads them, an issuer stores and refreshes them, an operator wipes them
    #[cfg(feature = "reqwest")]
    #[arg(long)]
    pub(crate) credentials: bool,
    /// Its rights to the tables of an authorization server, and not to keys: a verifier accepts access tokens, an issuer
    /// serves without sweeping, an operator sweeps and removes clients too
    #[cfg(feature = "broker")]
    #[cfg_attr(feature = "reqwest", arg(long, conflicts_with = "credentials"))]
    #[cfg_attr(not(feature = "reqwest"), arg(long))]
    pub(crate) broker: bool,
    #[cfg(feature = "reqwest")]
    #[command(flatten)]
    pub(crate) layout: crate::credential::LayoutArguments,
}

/// What a PostgreSQL role is for.
#[cfg(feature = "postgres")]
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Role {
    /// Verifies, shows and lists keys; it does not write when they were used
    Verifier,
    /// Issues and rotates keys too, and writes their last use
    Issuer,
    /// Revokes, changes and removes keys too
    Operator,
}

#[cfg(feature = "postgres")]
impl From<Role> for keyward::sql::DatabaseRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Verifier => Self::Verifier,
            Role::Issuer => Self::Issuer,
            Role::Operator => Self::Operator,
        }
    }
}

#[derive(Args)]
pub(crate) struct IssueArguments<S: CommandSchema> {
    /// Whose key it will be
    #[arg(long)]
    pub(crate) owner: OwnerId,
    /// When it dies, such as 90d or 2030-01-31T12:00:00Z; never, unless set
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<When>,

    #[command(flatten)]
    pub(crate) options: S::Issue,
}

impl<S: CommandSchema> IssueArguments<S> {
    pub(crate) fn draft(self, now: Timestamp) -> Result<Draft<S>, Failure> {
        let mut draft = S::draft(self.owner, self.options)?;
        draft.expires_at = self.expires.map(|when| when.ahead(now));
        Ok(draft)
    }
}

#[derive(Args)]
pub(crate) struct VerifyArguments<S: CommandSchema> {
    /// Do not record this as a use of the key
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) options: S::Verify,
}

#[derive(Args)]
pub(crate) struct ListArguments<S: CommandSchema> {
    /// Whose keys
    #[arg(long)]
    pub(crate) owner: Option<OwnerId>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = keyward::service::DEFAULT_PAGE, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Where the page before ended, as that page said
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<KeyId>,

    #[command(flatten)]
    pub(crate) options: S::Filter,
}

#[derive(Args)]
pub(crate) struct UpdateArguments<S: CommandSchema> {
    /// The key's identity
    pub(crate) id: KeyId,
    /// The version that the change is based on; the one that the key has now, unless set
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<u64>,

    #[command(flatten)]
    pub(crate) options: S::Update,
}

#[derive(Args)]
pub(crate) struct SwitchArguments {
    /// The key's identity
    pub(crate) id: KeyId,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<Reason>,
}

#[derive(Args)]
pub(crate) struct RotateArguments {
    /// The key's identity
    pub(crate) id: KeyId,
    /// For how long the old key stays accepted; 0s for a leaked key. 24h unless set; an aggregator has no second key
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) grace: Option<Duration>,
    /// When the new key dies, such as 90d or 2030-01-31T12:00:00Z; when the old one would have, unless set
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<When>,
}

#[derive(Args)]
pub(crate) struct RevokeArguments<S: CommandSchema> {
    /// The key's identity; with --owner also the start of its identity or display prefix
    #[arg(value_name = "ID-OR-PREFIX")]
    pub(crate) key: Option<String>,
    /// Whose key it is
    #[arg(long)]
    pub(crate) owner: Option<OwnerId>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<Reason>,

    #[command(flatten)]
    pub(crate) options: S::Revoke,
}
