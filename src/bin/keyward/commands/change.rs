//! `update`, `disable`, `enable` and `history`.

use keyward::KeysError;
use keyward::key::{Action, Actor, Changed, FieldChange, HistoryEntry, KeyId, Reason};
use serde_json::json;

use crate::commands::Session;
use crate::commands::describe::{text, time};
use crate::failure::Failure;
use crate::output::{Document, Fields, Text};
use crate::schema::CommandSchema;

impl<S: CommandSchema> Session<S> {
    pub(super) async fn update(
        &self,
        id: &KeyId,
        version: Option<u64>,
        change: S::Change,
    ) -> Result<Document, Failure> {
        let version = match version {
            Some(version) => version,
            None => self.keys.get(id).await?.ok_or(KeysError::NotFound)?.head.version,
        };
        Ok(report(&self.keys.update(id, version, change).await?, |id| format!("nothing to change: {id} is")))
    }

    pub(super) async fn disable(&self, id: &KeyId, reason: Option<Reason>) -> Result<Document, Failure> {
        Ok(report(&self.keys.disable(id, reason).await?, |id| format!("{id} is already disabled,")))
    }

    pub(super) async fn enable(&self, id: &KeyId, reason: Option<Reason>) -> Result<Document, Failure> {
        Ok(report(&self.keys.enable(id, reason).await?, |id| format!("{id} is already enabled,")))
    }

    pub(super) async fn history(&self, id: &KeyId) -> Result<Document, Failure> {
        let entries = self.keys.history(id).await?;
        let rows: Vec<Fields> = entries.iter().map(row).collect();
        let json: Vec<_> = entries.iter().map(entry).collect();
        let columns = &["at", "action", "by", "version", "changes", "reason"];
        let document = json!({ "id": id.as_str(), "history": json });
        Ok(Document::new(document, Text::Table { rows, columns, remarks: Vec::new() }))
    }
}

/// What was done; `unchanged` begins the line that says that nothing was.
fn report<S: CommandSchema>(changed: &Changed<S>, unchanged: impl Fn(&KeyId) -> String) -> Document {
    let Changed { action, changes, key, .. } = changed;
    let (id, version) = (&key.head.id, key.head.version);
    let fields: Vec<_> = changes.iter().map(|change| change.field.as_str()).collect();
    let line = match action {
        None => format!("{} at version {version}", unchanged(id)),
        Some(action) if fields.is_empty() => format!("{action} {id}, now at version {version}"),
        Some(action) => format!("{action} {id}, now at version {version}: {}", fields.join(", ")),
    };
    let json = json!({
        "id": id.as_str(), "action": action.map(Action::as_str), "version": version, "changes": changed_fields(changes),
    });
    Document::lines(json, [line])
}

fn changed_fields(changes: &[FieldChange]) -> serde_json::Value {
    let changes = changes
        .iter()
        .map(|FieldChange { field, before, after, .. }| json!({ "field": field, "before": before, "after": after }));
    changes.collect()
}

fn entry(entry: &HistoryEntry) -> serde_json::Value {
    json!({
        "at": time(Some(entry.at)), "action": entry.action.as_str(), "by": text(entry.by.as_ref().map(Actor::as_str)),
        "reason": text(entry.reason.as_ref().map(Reason::as_str)), "from_version": entry.from_version, "to_version": entry.to_version,
        "changes": changed_fields(&entry.changes),
    })
}

fn row(entry: &HistoryEntry) -> Fields {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let change =
        |change: &FieldChange| format!("{}: {} -> {}", change.field, value(&change.before), value(&change.after));
    let changes: Vec<_> = entry.changes.iter().map(change).collect();
    vec![
        ("at", time(Some(entry.at))),
        ("action", json!(entry.action.as_str())),
        ("by", text(entry.by.as_ref().map(Actor::as_str))),
        ("version", json!(entry.to_version)),
        ("changes", if changes.is_empty() { serde_json::Value::Null } else { json!(changes.join("; ")) }),
        ("reason", text(entry.reason.as_ref().map(Reason::as_str))),
    ]
}
