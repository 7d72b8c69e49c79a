//! The schema `standard` on the command line.

mod options;

use keyward::Timestamp;
use keyward::key::{
    Actor, Description, Draft, Environment, ForeignFormat, InvalidFormat, KeyFormat, KeyRecord, Metadata, OwnerId,
    RateLimit, Schema as _,
};
use keyward::schemas::standard::{Standard, StandardDetails, StandardKey, StandardKeyError, StandardUpdate};
use keyward::store::{KeyFilter, KeyState};
use serde_json::json;

use crate::commands::ImportLine;
use crate::failure::Failure;
use crate::output::Fields;
use crate::schema::{CommandSchema, NoOptions, NotPermitted, permits_scopes};
use options::{StandardChange, StandardFilter, StandardIssue, StandardSettings, StandardVerify};

/// Stands in where keys are neither made nor verified, so that nothing depends on their prefix.
const ANY_PREFIX: &str = "any";

impl CommandSchema for Standard {
    const ABOUT: &'static str = "keys under the service's own prefix, in tables of keyward's own; an owner is any text";
    const FORMAT: Option<KeyFormat> = None;
    const COLUMNS: &'static [&'static str] =
        &["id", "owner", "prefix", "name", "state", "scopes", "last_used_at", "expires_at"];
    const OWN_TABLES: bool = true;

    type Settings = StandardSettings;
    type Issue = StandardIssue;
    type Verify = StandardVerify;
    type Revoke = NoOptions;
    type Filter = StandardFilter;
    type Update = StandardChange;
    type Change = StandardUpdate;

    fn schema(settings: &StandardSettings, makes_keys: bool) -> Result<Self, Failure> {
        let prefix = match &settings.prefix {
            Some(prefix) => prefix,
            None if makes_keys => return Err(Failure::usage("--prefix is required, such as acme for acme_live_…")),
            None => ANY_PREFIX,
        };
        let environment = settings.environment();
        // The environment comes first, so that each prefix is looked at together with it.
        let mut schema = issuing(prefix, environment).map_err(usage("--prefix", environment))?;
        for older in &settings.older {
            schema = schema.accepting_prefix(older).map_err(usage("--accept-prefix", environment))?;
        }
        match (&settings.foreign_prefix, &settings.foreign_lengths) {
            (None, None) => Ok(schema),
            (Some(prefix), Some(lengths)) => {
                let foreign = ForeignFormat::new(prefix, lengths.clone());
                let foreign = foreign.map_err(|error| match error {
                    InvalidFormat::Prefix => Failure::usage("--foreign-prefix must be at most 32 printable characters"),
                    other => Failure::usage(format!("--foreign-lengths: {other}")),
                });
                Ok(schema.accepting_foreign(foreign?))
            }
            _ => Err(Failure::usage("--foreign-prefix and --foreign-lengths are given together")),
        }
    }

    fn scanned(settings: &StandardSettings) -> Result<Vec<KeyFormat>, Failure> {
        let environment = settings.environment();
        let own = Self::schema(settings, true)?;
        let older = settings.older.iter().map(|older| {
            let schema = issuing(older, environment).map_err(usage("--accept-prefix", environment))?;
            Ok(*schema.formats().issued())
        });
        std::iter::once(Ok(*own.formats().issued())).chain(older).collect()
    }

    fn actor(settings: &StandardSettings) -> Option<Actor> {
        settings.by.clone()
    }

    fn draft(owner: OwnerId, options: StandardIssue) -> Result<Draft<Self>, Failure> {
        let usage = |error: StandardKeyError| Failure::usage(error.to_string());
        let mut key = StandardKey::new(owner.as_str(), options.name).map_err(usage)?.scopes(options.scopes);
        if let Some(description) = options.description {
            key = key.description(description.as_str()).map_err(usage)?;
        }
        if let Some(limit) = options.rpm {
            key = key.requests_per_minute(limit).map_err(usage)?;
        }
        if let Some(metadata) = options.metadata {
            key = key.metadata(metadata.as_str()).map_err(usage)?;
        }
        Ok(key.into())
    }

    fn permits(details: &StandardDetails, options: &StandardVerify) -> Result<(), NotPermitted> {
        permits_scopes(&details.scopes, &options.scopes, options.admin_implies_all)
    }

    fn describe(details: &StandardDetails) -> Fields {
        let StandardDetails { environment, name, description, scopes, rate_limit, metadata, .. } = details;
        let mut fields = vec![
            ("environment", json!(environment.as_str())),
            ("name", json!(name.as_str())),
            ("description", json!(description.as_ref().map(Description::as_str))),
            ("scopes", json!(scopes.iter().collect::<Vec<_>>())),
            ("requests_per_minute", json!(rate_limit.to_stored())),
            // A text, so that it comes back byte for byte.
            ("metadata", json!(metadata.as_ref().map(Metadata::as_str))),
        ];
        if let Some(predecessor) = &details.predecessor {
            fields.push(("predecessor", json!(predecessor.as_str())));
        }
        if let Some(format) = &details.imported_from {
            fields.push(("imported_from", json!(format.as_str())));
        }
        fields
    }

    fn filter(options: &StandardFilter, mut filter: KeyFilter, now: Timestamp) -> KeyFilter {
        filter.state = options.state.map(KeyState::from);
        filter.environment = options.in_environment;
        filter.name.clone_from(&options.name);
        filter.expiring_before = options.expiring_before.map(|when| when.ahead(now));
        filter.unused_since = options.unused_since.map(|when| when.ago(now));
        filter
    }

    fn counts(options: &StandardFilter) -> bool {
        options.count
    }

    fn change(options: StandardChange, now: Timestamp) -> Result<StandardUpdate, Failure> {
        let mut update = StandardUpdate::new();
        if let Some(name) = options.name {
            update = update.rename(name);
        }
        if options.description.is_some() || options.no_description {
            update = update.description(options.description);
        }
        if !options.scopes.is_empty() || options.no_scopes {
            update = update.scopes(options.scopes);
        }
        if options.rpm.is_some() || options.no_rpm {
            let limit = options.rpm.map_or(Ok(RateLimit::ServiceDefault), RateLimit::per_minute);
            let limit = limit.and_then(|limit| update.rate_limit(limit));
            update = limit.map_err(|error| Failure::usage(error.to_string()))?;
        }
        if options.metadata.is_some() || options.no_metadata {
            update = update.metadata(options.metadata);
        }
        if options.expires.is_some() || options.no_expiry {
            update = update.expires_at(options.expires.map(|when| when.ahead(now)));
        }
        Ok(update)
    }

    fn import(settings: &StandardSettings, line: &mut ImportLine) -> Result<Draft<Self>, String> {
        let (Some(foreign), Some(lengths)) = (&settings.foreign_prefix, &settings.foreign_lengths) else {
            return Err("--foreign-prefix and --foreign-lengths are required".to_owned());
        };
        line.check_prefix(foreign, *lengths.start())?;
        let said = |error: StandardKeyError| error.to_string();
        let mut key = StandardKey::new(line.required("owner")?, line.required("name")?).map_err(said)?;
        key = key.imported_from(line.text("format")?.unwrap_or_else(|| "unnamed".to_owned())).map_err(said)?;
        for scope in line.texts("scopes")? {
            key = key.scope(scope).map_err(said)?;
        }
        if let Some(description) = line.text("description")? {
            key = key.description(description).map_err(said)?;
        }
        if let Some(metadata) = line.text("metadata")? {
            key = key.metadata(metadata).map_err(said)?;
        }
        if let Some(limit) = line.number("requests_per_minute")? {
            key = key.requests_per_minute(limit).map_err(said)?;
        }
        Ok(key.into())
    }

    fn missing_prefix(settings: &StandardSettings, key: &KeyRecord<Self>) -> Option<String> {
        settings.missing_prefix(key)
    }

    fn may_rotate(settings: &StandardSettings, key: &KeyRecord<Self>) -> Result<(), Failure> {
        let environment = key.details.environment;
        if environment != settings.environment() {
            return Err(Failure::refused(format!(
                "the key belongs to the environment {environment}: rotate it with --environment {environment}"
            )));
        }
        match settings.missing_prefix(key) {
            None => Ok(()),
            Some(expected) => Err(Failure::refused(format!(
                "the key starts with {} and would be replaced by one that starts with {expected}, which its service \
                 may refuse; if the service accepts both, say so with --accept-prefix, or with --foreign-prefix and \
                 --foreign-lengths for an imported key",
                key.head.prefix
            ))),
        }
    }
}

fn issuing(prefix: &str, environment: Environment) -> Result<Standard, InvalidFormat> {
    Standard::new(prefix)?.environment(environment)
}

/// What is wrong with the prefix that `option` names.
fn usage(option: &'static str, environment: Environment) -> impl Fn(InvalidFormat) -> Failure {
    move |_| {
        Failure::usage(format!(
            "{option} must be of A-Z a-z 0-9 _ -, start with a letter or digit, not end with _, and have at most 16 \
             characters together with _{environment}_"
        ))
    }
}
