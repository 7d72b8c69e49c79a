//! What can be typed behind `keyward credential`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use keyward::credential::ClientId;
use keyward::key::OwnerId;
use keyward::seal::SealKeys;

use super::seal_keys;
use super::tables::LayoutArguments;
use crate::arguments::duration;
use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct CredentialArguments {
    #[command(flatten)]
    pub(super) means: Means,

    #[command(subcommand)]
    pub(super) command: CredentialCommand,
}

/// What it takes to read and to refresh credentials.
#[derive(Args)]
pub(crate) struct Means {
    #[command(flatten)]
    pub(super) layout: LayoutArguments,

    /// The client that obtained sessions that do not say so, such as those that an aggregator's own service has stored
    #[arg(long, global = true, value_name = "ID")]
    pub(super) client_id: Option<ClientId>,

    /// A file with the keys that seal secrets, as in `KEYWARD_SEAL_KEYS`: id:base64,… with the current key first
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) seal_keys: Option<PathBuf>,

    /// A JSON file with the OAuth clients that have a secret or a key, one object or an array of them
    ///
    /// The members are `client_id`; `token_endpoint_auth_method` (`private_key_jwt`, `client_secret_basic` or
    /// `client_secret_post`); `client_secret`; or `kid` and a P-256 key as `private_key_multibase` or `jwk`. A client that
    /// is in no file is a public one.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) clients: Option<PathBuf>,
}

impl Means {
    /// The keys that seal, where the database does not encrypt by itself.
    pub(super) fn seal_keys(&self) -> Result<Option<SealKeys>, Failure> {
        if !self.layout.is_sealed() {
            return Ok(None);
        }
        seal_keys::read(self.seal_keys.as_deref()).map(Some)
    }

    /// Whose sessions those are that an aggregator's own service has stored.
    pub(super) fn require_client(&self) -> Result<ClientId, Failure> {
        let said = "--client-id is required with --layout: sessions that the host's service has stored do not say it";
        self.client_id.clone().ok_or_else(|| Failure::usage(said))
    }

    /// Whether anything was said here.
    fn are_given(&self) -> bool {
        let Self { layout, client_id, seal_keys, clients } = self;
        layout.is_given() || client_id.is_some() || seal_keys.is_some() || clients.is_some()
    }
}

/// What `issue` is told of the OAuth session that the key is to stand on.
#[derive(Args)]
pub(crate) struct StandingArguments {
    /// Store this OAuth session with the key, both or neither: a file that nobody else can read, or - for standard input
    ///
    /// It is what `credential import` takes: JSON as indigo writes it, with `expires_in` and `oauth_client` beside that. From
    /// then on the session is refreshed here alone: whoever else does so ends it for both.
    #[arg(long, value_name = "FILE")]
    pub(super) session: Option<PathBuf>,
    /// Which of the client's keys the session began with, where it has several
    #[arg(long, value_name = "KID", requires = "session")]
    pub(super) client_key_id: Option<String>,
    #[command(flatten)]
    pub(super) means: Means,
}

impl StandingArguments {
    /// Whether the key is to stand on a session as far as this program is concerned.
    pub(crate) fn are_given(&self) -> bool {
        self.session.is_some() || self.means.are_given()
    }
}

/// What `revoke` is told of the OAuth session that the key stood on.
#[derive(Args)]
pub(crate) struct EndingArguments {
    /// Wipe the owner's OAuth credential in the same transaction, and leave the session as it is at its server
    #[arg(long)]
    pub(super) wipe_credential: bool,
    /// Wipe the owner's OAuth credential in the same transaction, and then end the session at its server
    #[arg(long, conflicts_with = "wipe_credential")]
    pub(super) revoke_credential: bool,
    #[command(flatten)]
    pub(super) means: Means,
}

impl EndingArguments {
    /// Whether anything was said of the session.
    pub(crate) fn are_given(&self) -> bool {
        self.wipe_credential || self.revoke_credential || self.means.are_given()
    }
}

#[derive(Subcommand)]
pub(super) enum CredentialCommand {
    /// Make the table that is missing, and check what is there
    Migrate,
    /// Name every difference between what is there and what is expected
    Check,
    /// Store the OAuth session on standard input, as indigo writes it in JSON
    ///
    /// Beside indigo's members there may be `expires_in` (seconds from now) and `oauth_client`. From then on the session is
    /// refreshed here alone: whoever else does so ends it for both.
    Import(ImportArguments),
    /// Show what is known of an owner's credential, without its secrets
    Show {
        /// Whose credential
        #[arg(long)]
        owner: OwnerId,
    },
    /// List credentials in the order of their owners
    List(ListArguments),
    /// Print an access token that is good, refreshed if need be
    Token {
        /// On whose behalf
        #[arg(long)]
        owner: OwnerId,
        /// For how long it has to be good
        #[arg(long, value_parser = duration, value_name = "DURATION", default_value = "1m")]
        margin: Duration,
    },
    /// Refresh one credential now, or all that are due
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Refresh {
        /// Whose credential
        #[arg(long, group = "which")]
        owner: Option<OwnerId>,
        /// All whose access token expires within this time, or at a time that nobody knows
        #[arg(long, group = "which", value_parser = duration, value_name = "DURATION")]
        due_within: Option<Duration>,
    },
    /// Send a refresh token once more of which nobody knows whether it was spent
    ///
    /// If the server had received it, it ends the session, and the owner has to sign in again. Do it once whoever sent it
    /// first is certainly gone.
    Retry {
        /// Whose credential
        #[arg(long)]
        owner: OwnerId,
    },
    /// Print a session with all its secrets, as indigo writes it in JSON, for moving it to another service
    Export {
        /// Whose credential
        #[arg(long)]
        owner: OwnerId,
        /// Say that the secrets are to be shown
        #[arg(long, required = true)]
        show_secrets: bool,
    },
    /// Seal everything with the current key that is sealed with an older one; it goes on where it stopped
    Reseal,
    /// Remove a credential, and leave the session as it is at its server
    Wipe {
        /// Whose credential
        #[arg(long)]
        owner: OwnerId,
    },
    /// End a session at its server, and remove the credential
    Revoke {
        /// Whose credential
        #[arg(long)]
        owner: OwnerId,
    },
}

#[derive(Args)]
pub(super) struct ImportArguments {
    /// Whose credential it will be; a DID has to be the session's own
    #[arg(long)]
    pub(super) owner: OwnerId,
    /// Which of the client's keys it began with, where it has several
    #[arg(long, value_name = "KID")]
    pub(super) client_key_id: Option<String>,
    /// Replace the credential that the owner has
    #[arg(long)]
    pub(super) replace: bool,
}

#[derive(Args)]
pub(super) struct ListArguments {
    /// Only those whose access token expires within this time
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(super) due_within: Option<Duration>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) limit: u32,
    /// Where the page before ended, as that page said
    #[arg(long, value_name = "OWNER")]
    pub(super) after: Option<OwnerId>,
}
