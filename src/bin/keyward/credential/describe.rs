//! A credential as fields.

use keyward::Timestamp;
use keyward::credential::{CredentialHead, CredentialState};
use serde_json::{Value, json};

use crate::output::Fields;

/// Everything about a credential that may be shown: no token, no key, no nonce.
pub(super) fn describe(head: &CredentialHead, now: Timestamp) -> Fields {
    let (state, since) = state(head, now);
    let mut fields = vec![
        ("owner", json!(head.owner.as_str())),
        ("state", json!(state)),
        ("state_since", time(since)),
        ("subject", json!(head.subject)),
        ("client_id", json!(head.client_id)),
        ("client_key_id", json!(head.client_key_id)),
        ("issuer", json!(head.issuer)),
        ("token_endpoint", json!(head.token_endpoint)),
        ("revocation_endpoint", json!(head.revocation_endpoint)),
        ("resource_server", json!(head.resource_server)),
        ("scopes", json!(head.scopes.iter().collect::<Vec<_>>())),
        ("session_id", json!(head.session_id)),
        ("session_started_at", time(head.session_started_at)),
        ("session_ends_at", time(head.session_ends_at)),
        ("expires_at", time(head.expires_at)),
        ("refreshed_at", time(head.refreshed_at)),
        ("is_refreshable", json!(head.is_refreshable)),
    ];
    if let CredentialState::Ended { reason, .. } = head.state {
        fields.push(("end_reason", json!(reason.code())));
    }
    if head.is_leased(now) {
        fields.push(("lease_until", time(head.lease_until)));
    }
    if let Some(defect) = &head.defect {
        fields.push(("defect", json!(defect.to_string())));
    }
    fields
}

/// What was sent, and by somebody who has no lease any more, is uncertain.
fn state(head: &CredentialHead, now: Timestamp) -> (&'static str, Option<Timestamp>) {
    match head.state {
        CredentialState::Active => ("active", None),
        CredentialState::Sent { at } if head.is_leased(now) => ("sent", Some(at)),
        CredentialState::Sent { at: since } | CredentialState::Uncertain { since } => ("uncertain", Some(since)),
        CredentialState::Ended { at, .. } => ("ended", Some(at)),
        _ => ("unknown", None),
    }
}

pub(super) fn time(at: Option<Timestamp>) -> Value {
    json!(at.map(|at| at.to_string()))
}
