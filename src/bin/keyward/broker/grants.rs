//! `grants`, `revoke` and `sweep`.

use std::time::Duration;

use keyward::Timestamp;
use keyward::broker::Grant;
use keyward::service::Tokens;
use keyward::store::grants::GrantFilter;
use serde_json::json;

use super::arguments::{GrantListArguments, RevokeArguments};
use crate::failure::Failure;
use crate::output::{Document, Fields, cut, page};

const COLUMNS: &[&str] = &["grant", "state", "client_id", "subject", "scopes", "resource", "created_at"];

pub(super) async fn list(tokens: &Tokens, arguments: GrantListArguments) -> Result<Document, Failure> {
    let GrantListArguments { client, subject, limit, after } = arguments;
    let mut filter = GrantFilter::default();
    (filter.client, filter.subject) = (client, subject);
    // One more than is shown says whether there are more.
    let mut grants = tokens.grants(filter, after, limit + 1).await?;
    let next = cut(&mut grants, limit, |grant| grant.id.as_str());
    let rows = grants.iter().map(|grant| describe(grant, tokens.now())).collect();
    Ok(page("grants", rows, COLUMNS, next.as_deref(), Vec::new()))
}

/// Everything about a grant that may be shown: no token.
fn describe(grant: &Grant, now: Timestamp) -> Fields {
    let time = |at: Option<Timestamp>| json!(at.map(|at| at.to_string()));
    let state = match &grant.revoked {
        Some(_) => "revoked",
        None if grant.defect.is_some() => "defective",
        None if !grant.is_live(now) => "ended",
        None => "granted",
    };
    let mut fields = vec![
        ("grant", json!(grant.id.as_str())),
        ("state", json!(state)),
        ("client_id", json!(grant.client.as_str())),
        ("subject", json!(grant.subject.id.as_str())),
        ("subject_name", json!(grant.subject.name)),
        ("scopes", json!(grant.scopes.iter().collect::<Vec<_>>())),
        ("resource", json!(grant.resource)),
        ("created_at", json!(grant.created_at.to_string())),
        ("expires_at", time(grant.expires_at)),
        ("has_upstream_tokens", json!(grant.upstream.is_some())),
    ];
    if let Some((at, reason)) = &grant.revoked {
        fields.push(("revoked_at", json!(at.to_string())));
        fields.push(("reason", json!(reason.code())));
    }
    if let Some(defect) = &grant.defect {
        fields.push(("defect", json!(defect.to_string())));
    }
    fields
}

pub(super) async fn revoke(tokens: &Tokens, arguments: RevokeArguments) -> Result<Document, Failure> {
    let RevokeArguments { grant, client, subject, remove } = arguments;
    if let Some(grant) = grant {
        let revoked = tokens.revoke_grant(&grant).await?;
        return if revoked {
            Ok(report(1, false))
        } else {
            Err(Failure::not_found("there is no such grant, or it was revoked before"))
        };
    }
    let mut filter = GrantFilter::default();
    (filter.client, filter.subject) = (client.clone(), subject);
    let revoked = tokens.revoke_grants(filter).await?;
    let Some(client) = client else { return Ok(report(revoked, false)) };
    // Whoever has mistyped it must not believe that it is done.
    let no_client = || Failure::not_found("there is no such client").after(&said(revoked));
    if remove {
        return if tokens.remove_client(&client).await? { Ok(report(revoked, true)) } else { Err(no_client()) };
    }
    if revoked == 0 && tokens.client(&client).await?.is_none() {
        return Err(no_client());
    }
    Ok(report(revoked, false))
}

fn said(revoked: u64) -> String {
    format!("revoked {revoked} {}", if revoked == 1 { "grant" } else { "grants" })
}

fn report(revoked: u64, removed: bool) -> Document {
    let mut lines = vec![said(revoked)];
    lines.extend(removed.then(|| "removed the client".to_owned()));
    Document::lines(json!({ "revoked": revoked, "removed": removed }), lines)
}

pub(super) async fn sweep(tokens: &Tokens, clients_unused_for: Option<Duration>) -> Result<Document, Failure> {
    let swept = tokens.sweep(clients_unused_for).await?;
    let fields = vec![
        ("codes", json!(swept.codes)),
        ("access_tokens", json!(swept.access_tokens)),
        ("refresh_tokens", json!(swept.refresh_tokens)),
        ("grants", json!(swept.grants)),
        ("clients", json!(swept.clients)),
    ];
    Ok(Document::fields(fields))
}
