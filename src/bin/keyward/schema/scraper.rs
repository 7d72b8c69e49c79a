//! The schema `scraper` on the command line.

use clap::Args;
use keyward::key::{Draft, KeyFormat, Metadata, OwnerId, Scope};
use keyward::schemas::scraper::{DEFAULT_REQUESTS_PER_MINUTE, Scraper, ScraperDetails, ScraperKey, ScraperKeyError};
use serde_json::{Value, json};

use crate::arguments::json as json_document;
use crate::failure::Failure;
use crate::output::Fields;
use crate::schema::{CommandSchema, NoChange, NoOptions, NotPermitted, permits_scopes};

const HEADING: &str = "Options of --schema scraper";

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct ScraperIssue {
    /// What people call it
    #[arg(long)]
    name: String,
    /// A scope that it permits; repeatable
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// How many requests a minute it permits
    #[arg(long, value_name = "N")]
    rpm: Option<u32>,
    /// What to keep with it
    #[arg(long, value_name = "JSON", value_parser = json_document)]
    metadata: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct ScraperVerify {
    /// A scope that the key has to permit; repeatable
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The scope `admin` permits every scope
    #[arg(long)]
    admin_implies_all: bool,
}

impl CommandSchema for Scraper {
    const ABOUT: &'static str = "riq_ keys with scopes and a rate limit, in the table `api_keys`; an owner is a client";
    const FORMAT: Option<KeyFormat> = Some(KeyFormat::SCRAPER);
    const COLUMNS: &'static [&'static str] =
        &["id", "prefix", "name", "state", "scopes", "rate_limit_rpm", "last_used_at", "expires_at"];

    type Settings = NoOptions;
    type Issue = ScraperIssue;
    type Verify = ScraperVerify;
    type Revoke = NoOptions;
    type Filter = NoOptions;
    type Update = NoOptions;
    type Change = NoChange;

    fn schema(_settings: &NoOptions, _makes_keys: bool) -> Result<Self, Failure> {
        Ok(Self::new())
    }

    fn draft(owner: OwnerId, options: ScraperIssue) -> Result<Draft<Self>, Failure> {
        let usage = |error: ScraperKeyError| Failure::usage(error.to_string());
        let mut key = ScraperKey::named(owner.as_str(), options.name).map_err(usage)?;
        for scope in options.scopes {
            key = key.scope(scope.as_str()).map_err(usage)?;
        }
        if let Some(limit) = options.rpm {
            key = key.requests_per_minute(limit).map_err(usage)?;
        }
        if let Some(metadata) = options.metadata {
            key = key.metadata(metadata).map_err(usage)?;
        }
        Ok(key.into())
    }

    fn permits(details: &ScraperDetails, options: &ScraperVerify) -> Result<(), NotPermitted> {
        permits_scopes(&details.scopes, &options.scopes, options.admin_implies_all)
    }

    fn describe(details: &ScraperDetails) -> Fields {
        vec![
            ("name", json!(details.name.as_str())),
            ("scopes", json!(details.scopes.iter().collect::<Vec<_>>())),
            ("rate_limit_rpm", json!(details.rate_limit.requests_per_minute(DEFAULT_REQUESTS_PER_MINUTE))),
            ("metadata", details.metadata.as_ref().map_or(Value::Null, document)),
        ]
    }
}

/// The column holds a JSON document; what is none is shown as a text.
fn document(metadata: &Metadata) -> Value {
    let text = metadata.as_str();
    match serde_json::from_str(text) {
        Ok(document) if has_exact_numbers(text) => document,
        _ => json!(text),
    }
}

/// Whether all numbers of a JSON document are printed as they are: integers of 64 bits, and decimals that 64 bits hold.
fn has_exact_numbers(document: &str) -> bool {
    let mut outside_of_texts = String::new();
    let mut characters = document.chars();
    while let Some(character) = characters.next() {
        if character == '"' {
            while let Some(character) = characters.next() {
                match character {
                    '"' => break,
                    '\\' => drop(characters.next()),
                    _ => {}
                }
            }
        } else {
            outside_of_texts.push(character);
        }
    }
    let is_exact = |number: &str| {
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        let is_short = digits == 0 || digits <= 15 && !number.contains(['e', 'E']);
        is_short || number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok()
    };
    outside_of_texts.split([',', ':', '[', ']', '{', '}', ' ', '\n', '\r', '\t']).all(is_exact)
}
