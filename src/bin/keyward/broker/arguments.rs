//! What can be typed behind `keyward broker`.
//!
//! Identifiers are random, and one in 64 begins with a hyphen.

use std::time::Duration;

use clap::{Args, Subcommand};
use keyward::broker::{ClientId, GrantId, RedirectUri, SubjectId};
use keyward::key::Scope;

use crate::arguments::duration;
use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct BrokerArguments {
    #[command(subcommand)]
    pub(super) command: BrokerCommand,
}

#[derive(Subcommand)]
pub(super) enum BrokerCommand {
    /// Make the tables that are missing, and check those that are there
    Migrate,
    /// Name every difference between the tables that are there and those that are expected
    Check,
    /// List clients in the order of their identifiers
    Clients(ClientListArguments),
    /// Register a client, and print its secret, if it has one, for the only time
    Register(RegisterArguments),
    /// List grants in the order of their identities, dead ones too for as long as they are remembered
    Grants(GrantListArguments),
    /// Revoke one grant, everything of a person or of a client, or remove a client
    Revoke(RevokeArguments),
    /// Remove codes, tokens and grants that nobody can use any more
    Sweep {
        /// Clients that were idle for so long and have no grant go too, such as 90d
        #[arg(long, value_parser = duration, value_name = "DURATION")]
        clients_unused_for: Option<Duration>,
    },
}

#[derive(Args)]
pub(super) struct ClientListArguments {
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) limit: u32,
    /// Begin behind this client
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    pub(super) after: Option<ClientId>,
}

#[derive(Args)]
pub(super) struct RegisterArguments {
    /// Where codes may be sent; repeatable
    #[arg(long = "redirect-uri", required = true, value_name = "URI")]
    pub(super) redirect_uris: Vec<RedirectUri>,
    /// What the client is called on the page that asks
    #[arg(long, value_parser = name)]
    pub(super) name: Option<String>,
    /// What it may ask for; repeatable. Everything, unless set
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(super) scopes: Vec<Scope>,
    /// Give it a secret, for a client that can keep one
    #[arg(long)]
    pub(super) confidential: bool,
}

#[derive(Args)]
pub(super) struct GrantListArguments {
    /// Those of this client
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    pub(super) client: Option<ClientId>,
    /// Those of this person
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    pub(super) subject: Option<SubjectId>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) limit: u32,
    /// Begin behind this grant
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    pub(super) after: Option<GrantId>,
}

#[derive(Args)]
pub(super) struct RevokeArguments {
    /// This grant alone
    #[arg(long, allow_hyphen_values = true, value_name = "ID", conflicts_with_all = ["client", "subject"])]
    pub(super) grant: Option<GrantId>,
    /// Everything that was granted to this client
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    pub(super) client: Option<ClientId>,
    /// Everything that this person has granted
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    pub(super) subject: Option<SubjectId>,
    /// Remove the client as well
    #[arg(long, requires = "client", conflicts_with = "subject")]
    pub(super) remove: bool,
}

impl RevokeArguments {
    /// Whoever says nothing does not mean everything.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.grant.is_none() && self.client.is_none() && self.subject.is_none() {
            return Err(Failure::usage("one of --grant, --client, --subject is required"));
        }
        Ok(())
    }
}

/// A name; what else is wrong with it is found where clients are registered.
fn name(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("a name has at least one character") } else { Ok(text.to_owned()) }
}
