//! System C on the command line.

use keyward::key::Draft;
use keyward::scraper::{
    DEFAULT_REQUESTS_PER_MINUTE, MissingScope, ScopePolicy, Scraper, ScraperDetails, ScraperKey, ScraperKeyError,
};
use serde_json::json;

use crate::arguments::{IssueArguments, SystemName, VerifyArguments};
use crate::failure::Failure;
use crate::output::Fields;
use crate::system::{NotPermitted, System};

impl System for Scraper {
    const SYSTEM: SystemName = SystemName::Scraper;
    const COLUMNS: &'static [&'static str] =
        &["id", "prefix", "name", "state", "scopes", "rate_limit_rpm", "last_used_at", "expires_at"];

    fn draft(arguments: &IssueArguments) -> Result<Draft<ScraperDetails>, Failure> {
        let usage = |error: ScraperKeyError| Failure::usage(error.to_string());
        let name =
            arguments.name.as_deref().ok_or_else(|| Failure::usage("--name is required for --schema scraper"))?;
        let mut key = ScraperKey::named(arguments.owner.as_str(), name).map_err(usage)?;
        for scope in &arguments.scopes {
            key = key.scope(scope.as_str()).map_err(usage)?;
        }
        if let Some(limit) = arguments.rpm {
            key = key.requests_per_minute(limit).map_err(usage)?;
        }
        if let Some(metadata) = &arguments.metadata {
            key = key.metadata(metadata.clone()).map_err(usage)?;
        }
        Ok(key.into())
    }

    fn permits(details: &ScraperDetails, arguments: &VerifyArguments) -> Result<(), NotPermitted> {
        let policy = if arguments.admin_implies_all { ScopePolicy::admin_implies_all() } else { ScopePolicy::exact() };
        let not_permitted =
            |missing: MissingScope| NotPermitted { code: "insufficient_scope", explanation: missing.to_string() };
        arguments.scopes.iter().try_for_each(|scope| details.permits(scope, policy).map_err(not_permitted))
    }

    fn describe(details: &ScraperDetails) -> Fields {
        let scopes: Vec<_> = details.scopes.iter().map(ToString::to_string).collect();
        vec![
            ("name", json!(details.name.as_str())),
            ("scopes", json!(scopes)),
            ("rate_limit_rpm", json!(details.rate_limit.requests_per_minute(DEFAULT_REQUESTS_PER_MINUTE))),
            ("metadata", details.metadata.clone().unwrap_or_default()),
        ]
    }
}
