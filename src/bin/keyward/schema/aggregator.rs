//! The schema `aggregator` on the command line.

use keyward::key::{Draft, KeyFormat, KeyRecord, OwnerId};
use keyward::schemas::aggregator::{Aggregator, AggregatorDetails, AggregatorKey};

use crate::failure::Failure;
use crate::output::Fields;
use crate::schema::{CommandSchema, NoChange, NoOptions, NotPermitted};

impl CommandSchema for Aggregator {
    const ABOUT: &'static str = "ckapi_ keys, one for each row of the table `aggregators`; an owner is a DID";
    const FORMAT: Option<KeyFormat> = Some(KeyFormat::AGGREGATOR);
    const COLUMNS: &'static [&'static str] = &["owner", "prefix", "state", "created_at", "last_used_at", "revoked_at"];
    const ONLY_KEY: bool = true;

    type Settings = NoOptions;
    type Issue = NoOptions;
    type Verify = NoOptions;
    type Filter = NoOptions;
    type Update = NoOptions;
    type Change = NoChange;

    fn schema(_settings: &NoOptions, _makes_keys: bool) -> Result<Self, Failure> {
        Ok(Self::new())
    }

    fn draft(owner: OwnerId, _options: NoOptions) -> Result<Draft<Self>, Failure> {
        let key = AggregatorKey::of(owner.as_str());
        Ok(key.map_err(|error| Failure::usage(error.to_string()))?.into())
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
