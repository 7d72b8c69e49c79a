//! The history of a key, as its rows hold it.

use std::borrow::Cow;

use crate::key::{Action, Actor, FieldChange, HistoryEntry, Reason};
use crate::schemas::standard::sql::HistoryColumn;
use crate::sql::keys::RowReader;

/// A changed field, as an entry of the column `changes`.
#[derive(serde::Serialize, serde::Deserialize)]
struct StoredChange<'c> {
    #[serde(borrow)]
    field: Cow<'c, str>,
    #[serde(borrow)]
    before: Option<Cow<'c, str>>,
    #[serde(borrow)]
    after: Option<Cow<'c, str>>,
}

/// The JSON array of the column `changes`.
pub(super) fn stored_changes(changes: &[FieldChange]) -> String {
    let changes = changes.iter().map(|FieldChange { field, before, after }| {
        serde_json::json!(StoredChange {
            field: field.into(),
            before: before.as_deref().map(Cow::Borrowed),
            after: after.as_deref().map(Cow::Borrowed),
        })
    });
    serde_json::Value::Array(changes.collect()).to_string()
}

/// `None` for an entry without a time. Fields that cannot be understood are left out, so that the entry itself is still
/// seen.
pub(super) fn entry(mut row: RowReader<'_>) -> Option<HistoryEntry> {
    let action = row.optional_with(HistoryColumn::Action, Action::from_name).unwrap_or(Action::Unknown);
    let at = row.timestamp(HistoryColumn::At)?;
    let by = row.optional_text(HistoryColumn::Actor).map(Actor::from_stored);
    let reason = row.optional_text(HistoryColumn::Reason).map(Reason::from_stored);
    let mut entry = HistoryEntry::new(action, row.unsigned(HistoryColumn::ToVersion), at).with(by, reason);
    entry.from_version = row.unsigned(HistoryColumn::FromVersion);
    entry.changes = row.optional_with(HistoryColumn::Changes, read_changes).unwrap_or_default();
    Some(entry)
}

fn read_changes(json: &str) -> Vec<FieldChange> {
    let changes: Vec<StoredChange<'_>> = serde_json::from_str(json).unwrap_or_default();
    let change = |StoredChange { field, before, after }: StoredChange<'_>| {
        FieldChange::new(field, before.map(Cow::into_owned), after.map(Cow::into_owned))
    };
    changes.into_iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_fields_are_read_back_as_they_were() {
        let quoted = "a \"b\" \\ \u{e9}\n".to_owned();
        let changes =
            [FieldChange::new("metadata", None, Some(quoted.clone())), FieldChange::new("name", Some(quoted), None)];
        assert_eq!(read_changes(&stored_changes(&changes)), changes);
        assert_eq!(stored_changes(&[]), "[]");
        for odd in ["", "{}", "[1]", r#"[{"field": 1}]"#] {
            assert_eq!(read_changes(odd), [], "{odd}");
        }
    }
}
