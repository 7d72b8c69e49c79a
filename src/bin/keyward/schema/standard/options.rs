//! The options of the schema `standard`.

use std::ops::RangeInclusive;

use clap::{ArgGroup, Args, ValueEnum};
use keyward::key::{Actor, Description, Environment, KeyName, KeyRecord, Metadata, Scope};
use keyward::schemas::standard::Standard;
use keyward::store::KeyState;

use crate::arguments::{When, lengths};

const HEADING: &str = "Options of --schema standard";

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct StandardSettings {
    /// What keys start with, such as acme for `acme_live_…`; required where keys are made or verified
    #[arg(long, global = true, env = "KEYWARD_PREFIX", hide_env_values = true, value_name = "PREFIX")]
    pub(super) prefix: Option<String>,
    /// The environment of new keys, and the only one that `verify` accepts [default: live]
    #[arg(long, global = true, env = "KEYWARD_ENVIRONMENT", hide_env_values = true, value_name = "NAME")]
    pub(super) environment: Option<Environment>,
    /// A prefix that the service had before and that it goes on accepting; repeatable
    #[arg(long = "accept-prefix", global = true, value_name = "PREFIX")]
    pub(super) older: Vec<String>,
    /// What imported keys start with, which may be nothing; with --foreign-lengths
    #[arg(long, global = true, value_name = "PREFIX")]
    pub(super) foreign_prefix: Option<String>,
    /// How many bytes imported keys have, such as 32 or 24..64; with --foreign-prefix
    #[arg(long, global = true, value_name = "A..B", value_parser = lengths)]
    pub(super) foreign_lengths: Option<RangeInclusive<usize>>,
    /// Who does it, for the history
    #[arg(long, global = true, value_name = "ACTOR")]
    pub(super) by: Option<Actor>,
}

impl StandardSettings {
    pub(super) fn environment(&self) -> Environment {
        self.environment.unwrap_or(Environment::LIVE)
    }

    /// The prefix that a key in `environment` should have: the first that it could have, unless it has one of them.
    pub(super) fn missing_prefix(&self, key: &KeyRecord<Standard>) -> Option<String> {
        let own = self.prefix.as_ref()?;
        let environment = key.details.environment;
        let own = format!("{own}_{environment}_");
        let older = self.older.iter().map(|older| format!("{older}_{environment}_"));
        let is_imported = key.details.imported_from.is_some();
        let foreign = self.foreign_prefix.clone().filter(|_| is_imported);
        let has_one =
            [own.clone()].into_iter().chain(older).chain(foreign).any(|one| key.head.prefix.as_str().starts_with(&one));
        (!has_one).then_some(own)
    }
}

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct StandardIssue {
    /// What people call it
    #[arg(long)]
    pub(super) name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<Description>,
    /// A scope that it permits; repeatable
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(super) scopes: Vec<Scope>,
    /// How many requests a minute it permits; as many as the service grants by default, unless set
    #[arg(long, value_name = "N")]
    pub(super) rpm: Option<u32>,
    /// What to keep with it, any text
    #[arg(long, value_name = "TEXT")]
    pub(super) metadata: Option<Metadata>,
}

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct StandardVerify {
    /// A scope that the key has to permit; repeatable
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(super) scopes: Vec<String>,
    /// The scope `admin` permits every scope
    #[arg(long)]
    pub(super) admin_implies_all: bool,
}

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct StandardFilter {
    /// Keys in this state
    #[arg(long)]
    pub(super) state: Option<State>,
    /// Keys of this environment
    #[arg(long, value_name = "NAME")]
    pub(super) in_environment: Option<Environment>,
    /// Keys with exactly this name
    #[arg(long)]
    pub(super) name: Option<KeyName>,
    /// Keys that expire before this, such as 30d from now or 2030-01-31T12:00:00Z; expired ones too
    #[arg(long, value_name = "WHEN")]
    pub(super) expiring_before: Option<When>,
    /// Keys that were not used since this, such as 90d ago or 2030-01-31T12:00:00Z, or never
    #[arg(long, value_name = "WHEN")]
    pub(super) unused_since: Option<When>,
    /// Say only how many there are
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    pub(super) count: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum State {
    /// Accepted
    Active,
    /// Switched off
    Disabled,
    /// Its expiry has passed
    Expired,
    /// Revoked
    Revoked,
}

impl From<State> for KeyState {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::Disabled => Self::Disabled,
            State::Expired => Self::Expired,
            State::Revoked => Self::Revoked,
        }
    }
}

#[derive(Args)]
#[command(next_help_heading = HEADING, group = ArgGroup::new("changes").multiple(true).required(true))]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
pub(crate) struct StandardChange {
    /// What people call it from now on
    #[arg(long, group = "changes")]
    pub(super) name: Option<KeyName>,
    /// What it is for
    #[arg(long, value_name = "TEXT", group = "changes")]
    pub(super) description: Option<Description>,
    /// Take the description away
    #[arg(long, conflicts_with = "description", group = "changes")]
    pub(super) no_description: bool,
    /// A scope that it permits; repeatable. It permits no other one from now on
    #[arg(long = "scope", value_name = "SCOPE", group = "changes")]
    pub(super) scopes: Vec<Scope>,
    /// Take all scopes away
    #[arg(long, conflicts_with = "scopes", group = "changes")]
    pub(super) no_scopes: bool,
    /// How many requests a minute it permits
    #[arg(long, value_name = "N", group = "changes")]
    pub(super) rpm: Option<u32>,
    /// Permit as many requests as the service grants by default
    #[arg(long, conflicts_with = "rpm", group = "changes")]
    pub(super) no_rpm: bool,
    /// What to keep with it, any text
    #[arg(long, value_name = "TEXT", group = "changes")]
    pub(super) metadata: Option<Metadata>,
    /// Keep nothing with it
    #[arg(long, conflicts_with = "metadata", group = "changes")]
    pub(super) no_metadata: bool,
    /// When it dies, such as 90d or 2030-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN", group = "changes")]
    pub(super) expires: Option<When>,
    /// It never dies
    #[arg(long, conflicts_with = "expires", group = "changes")]
    pub(super) no_expiry: bool,
}
