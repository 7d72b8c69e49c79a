//! A key as fields.

use keyward::Timestamp;
use keyward::key::{Actor, KeyHead, KeyRecord, Reason, Status};
use serde_json::{Value, json};

use crate::commands::Session;
use crate::output::Fields;
use crate::schema::CommandSchema;

impl<S: CommandSchema> Session<S> {
    /// Everything about a key that may be shown; neither its plaintext nor its digest.
    pub(super) fn describe(&self, key: &KeyRecord<S>) -> Fields {
        let KeyHead { id, owner, prefix, created_at, created_by, last_used_at, expires_at, .. } = &key.head;
        let KeyHead { status, successor, version, defect, .. } = &key.head;
        let state = key.head.standing(self.keys.now()).map_or_else(|reason| reason.code(), |()| "active");
        let mut fields = vec![
            ("id", json!(id.as_str())),
            ("owner", json!(owner.as_str())),
            ("prefix", json!(prefix.as_str())),
            ("state", json!(state)),
        ];
        fields.extend(S::describe(&key.details));
        fields.push(("created_at", time(*created_at)));
        if S::VERSIONED {
            fields.push(("created_by", text(created_by.as_ref().map(Actor::as_str))));
        }
        fields.extend([("last_used_at", time(*last_used_at)), ("expires_at", time(*expires_at))]);
        match status {
            Status::Revoked(revocation) => {
                fields.push(("revoked_at", time(revocation.at)));
                fields.push(("revocation_reason", text(revocation.reason.as_ref().map(Reason::as_str))));
            }
            Status::Disabled(disabling) if S::VERSIONED => {
                fields.push(("disabled_at", time(disabling.at)));
                fields.push(("disabling_reason", text(disabling.reason.as_ref().map(Reason::as_str))));
            }
            _ => {}
        }
        if let Some(successor) = successor {
            fields.push(("successor", json!(successor.as_str())));
        }
        if S::VERSIONED {
            fields.push(("version", json!(version)));
        }
        if let Some(defect) = defect {
            fields.push(("defect", json!(defect.to_string())));
        }
        if let Some(expected) = S::missing_prefix(&self.settings, key) {
            fields.push(("expected_prefix", json!(expected)));
        }
        fields
    }
}

pub(super) fn time(at: Option<Timestamp>) -> Value {
    json!(at.map(|at| at.to_string()))
}

/// A text as it is: what is printed of it may differ.
pub(super) fn text(value: Option<&str>) -> Value {
    json!(value)
}
