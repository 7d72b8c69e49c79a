//! System A on the command line.

use keyward::aggregator::{Aggregator, AggregatorDetails, AggregatorKey};
use keyward::key::Draft;

use crate::arguments::{IssueArguments, SystemName, VerifyArguments};
use crate::failure::Failure;
use crate::output::Fields;
use crate::system::{NotPermitted, System};

impl System for Aggregator {
    const SYSTEM: SystemName = SystemName::Aggregator;
    const ONLY_KEY: bool = true;
    const COLUMNS: &'static [&'static str] = &["owner", "prefix", "state", "created_at", "last_used_at", "revoked_at"];

    fn draft(arguments: &IssueArguments) -> Result<Draft<AggregatorDetails>, Failure> {
        let key = AggregatorKey::of(arguments.owner.as_str());
        Ok(key.map_err(|error| Failure::usage(error.to_string()))?.into())
    }

    /// What an aggregator may do is decided elsewhere.
    fn permits(_details: &AggregatorDetails, _arguments: &VerifyArguments) -> Result<(), NotPermitted> {
        Ok(())
    }

    fn describe(_details: &AggregatorDetails) -> Fields {
        Vec::new()
    }
}
