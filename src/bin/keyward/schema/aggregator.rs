//! The schema `aggregator` on the command line.

#[cfg(feature = "reqwest")]
use std::sync::Arc;

use clap::Args;
#[cfg(feature = "reqwest")]
use keyward::Engine;
use keyward::key::{Draft, KeyFormat, KeyRecord, OwnerId};
#[cfg(feature = "reqwest")]
use keyward::schemas::aggregator::AggregatorCredentials;
use keyward::schemas::aggregator::{Aggregator, AggregatorDetails, AggregatorKey};
#[cfg(feature = "reqwest")]
use keyward::sql::SqlKeyedStore;
#[cfg(feature = "reqwest")]
use keyward::store::credentials::KeyedCredentialStore;

#[cfg(feature = "reqwest")]
use crate::credential::{EndingArguments, StandingArguments};
use crate::failure::Failure;
use crate::output::Fields;
use crate::schema::{CommandSchema, NoChange, NoOptions, NotPermitted};

const HEADING: &str = "Options of --schema aggregator";

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct AggregatorIssue {
    /// Put the key in the place of one that was revoked, on the OAuth session that the owner has
    ///
    /// Whoever had the revoked key may have had the session too. Without this, a new key after a revocation takes a new
    /// session.
    #[arg(long)]
    after_revocation: bool,
    #[cfg(feature = "reqwest")]
    #[command(flatten)]
    standing: StandingArguments,
}

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct AggregatorRevoke {
    #[cfg(feature = "reqwest")]
    #[command(flatten)]
    ending: EndingArguments,
}

impl CommandSchema for Aggregator {
    const ABOUT: &'static str = "ckapi_ keys, one for each row of the table `aggregators`; an owner is a DID";
    const FORMAT: Option<KeyFormat> = Some(KeyFormat::AGGREGATOR);
    const COLUMNS: &'static [&'static str] = &["owner", "prefix", "state", "created_at", "last_used_at", "revoked_at"];
    const ONLY_KEY: bool = true;

    type Settings = NoOptions;
    type Issue = AggregatorIssue;
    type Verify = NoOptions;
    type Revoke = AggregatorRevoke;
    type Filter = NoOptions;
    type Update = NoOptions;
    type Change = NoChange;

    fn schema(_settings: &NoOptions, _makes_keys: bool) -> Result<Self, Failure> {
        Ok(Self::new())
    }

    fn draft(owner: OwnerId, _options: AggregatorIssue) -> Result<Draft<Self>, Failure> {
        let key = AggregatorKey::of(owner.as_str());
        Ok(key.map_err(|error| Failure::usage(error.to_string()))?.into())
    }

    fn replaces_revoked(options: &AggregatorIssue) -> bool {
        options.after_revocation
    }

    #[cfg(feature = "reqwest")]
    fn standing(options: &AggregatorIssue) -> Option<&StandingArguments> {
        Some(&options.standing).filter(|standing| standing.are_given())
    }

    #[cfg(feature = "reqwest")]
    fn ending(options: &AggregatorRevoke) -> Option<&EndingArguments> {
        Some(&options.ending).filter(|ending| ending.are_given())
    }

    #[cfg(feature = "reqwest")]
    async fn keyed(
        self,
        engine: &Engine,
        layout: AggregatorCredentials,
    ) -> Result<Arc<dyn KeyedCredentialStore<Schema = Self>>, Failure> {
        Ok(Arc::new(SqlKeyedStore::open(engine, self, layout).await?))
    }

    fn notes(_key: &KeyRecord<Self>) -> &'static [&'static str] {
        &[
            "note: the service itself accepts this key only if the aggregator's row has an OAuth session",
            "note: if the key before it was revoked, this one makes the OAuth grant of that time usable there again",
        ]
    }

    /// What an aggregator may do is decided elsewhere.
    fn permits(_details: &AggregatorDetails, _options: &NoOptions) -> Result<(), NotPermitted> {
        Ok(())
    }

    fn describe(_details: &AggregatorDetails) -> Fields {
        Vec::new()
    }
}
