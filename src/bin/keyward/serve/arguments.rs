//! What can be typed behind `keyward serve`, or stands in the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderName;
use clap::Args;
use keyward::broker::{Issuer, Resource};
use keyward::key::Scope;

use super::values::{code_lifetime, lifetime, seconds, user_header};
use crate::arguments::duration;

#[derive(Args)]
pub(crate) struct ServeArguments {
    /// Where to listen; port 0 takes one that is free
    #[arg(long, env = "KEYWARD_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub(super) listen: SocketAddr,
    /// The URL by which clients know the server, byte for byte
    #[arg(long, env = "KEYWARD_ISSUER", value_name = "URL")]
    pub(super) issuer: Issuer,
    /// A resource that tokens are for; repeatable, and the first one where a client names none
    #[arg(long = "resource", env = "KEYWARD_RESOURCES", value_delimiter = ',', required = true, value_name = "URL")]
    pub(super) resources: Vec<Resource>,
    /// What clients can ask for; repeatable
    #[arg(long = "scope", env = "KEYWARD_SCOPES", value_delimiter = ',', value_name = "SCOPE")]
    pub(super) scopes: Vec<Scope>,
    /// The request header in which the proxy in front says who is signed in. It is believed, whoever sends it
    ///
    /// Whoever reaches the port can write into this header that they are anybody, and gets tokens in that name. Let nobody
    /// reach it but a proxy that signs people in, sets this header itself, and removes it from what it is sent. keyward
    /// signs nobody in.
    #[arg(long, env = "KEYWARD_USER_HEADER", value_parser = user_header, value_name = "NAME")]
    pub(super) user_header: HeaderName,
    /// A file with the resource servers that may ask what a token means; without it, `KEYWARD_RESOURCE_SERVERS` has them
    ///
    /// Each line is an identifier, a secret of 32 or more characters, and, for a server that may see the tokens of one
    /// resource alone, that resource. In the environment, commas stand between them. Nobody else may be able to read the
    /// file.
    #[arg(long, env = "KEYWARD_RESOURCE_SERVERS_FILE", value_name = "FILE")]
    pub(super) resource_servers: Option<PathBuf>,
    /// How many clients may register in a minute; 0 closes registration
    #[arg(long, env = "KEYWARD_REGISTRATIONS_PER_MINUTE", default_value_t = 60, value_name = "COUNT")]
    pub(super) registrations_per_minute: u32,
    /// How long a code is good for, ten minutes at most
    #[arg(long, env = "KEYWARD_CODE_LIFETIME", default_value = "1m", value_parser = code_lifetime, value_name = "DURATION")]
    pub(super) code_lifetime: Duration,
    /// How long an access token is good for
    #[arg(long, env = "KEYWARD_ACCESS_TOKEN_LIFETIME", default_value = "15m", value_parser = lifetime, value_name = "DURATION")]
    pub(super) access_token_lifetime: Duration,
    /// How long a refresh token is good for that nobody uses
    #[arg(long, env = "KEYWARD_REFRESH_TOKEN_LIFETIME", default_value = "30d", value_parser = lifetime, value_name = "DURATION")]
    pub(super) refresh_token_lifetime: Duration,
    /// When a grant ends, however often it is refreshed; never, unless set
    #[arg(long, env = "KEYWARD_GRANT_LIFETIME", value_parser = lifetime, value_name = "DURATION")]
    pub(super) grant_lifetime: Option<Duration>,
    /// How long the answer to a refresh can be had again; 0s never
    #[arg(long, env = "KEYWARD_REFRESH_GRACE", default_value = "10s", value_parser = seconds, value_name = "DURATION")]
    pub(super) refresh_grace: Duration,
    /// How often what nobody can use any more is removed
    #[arg(long, env = "KEYWARD_SWEEP_EVERY", default_value = "1m", value_parser = duration, value_name = "DURATION")]
    pub(super) sweep_every: Duration,
    /// Remove clients that were idle for so long and have no grant: anybody can register any number of them
    #[arg(long, env = "KEYWARD_CLIENTS_UNUSED_FOR", default_value = "7d", value_parser = lifetime, value_name = "DURATION")]
    pub(super) clients_unused_for: Duration,
    /// Do not make tables that are missing: it does not start without them
    #[arg(long)]
    pub(super) no_migrate: bool,
}
