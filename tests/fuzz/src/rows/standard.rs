//! Rows of the schema `standard`, and of its history.

use keyward::key::{Action, Metadata};
use keyward::schemas::standard::{Standard, StandardKey};

use super::{Cell, Row, Table, check_scopes};

fn schema() -> Standard {
    Standard::new("acme").expect("a prefix")
}

fn draft() -> StandardKey {
    let key = StandardKey::new("customer", "import").and_then(|key| key.scope("jobs:read")?.metadata("{}"));
    key.and_then(|key| key.requests_per_minute(60)).expect("a key")
}

thread_local! {
    static KEYS: Table<Standard> = Table::new(schema, draft(), "", "keyward_keys", "owner = 'customer'");
    static HISTORY: Table<Standard> = Table::new(schema, draft(), "", "keyward_key_history", "to_version = 1");
}

/// Anything in any column.
pub(crate) fn row(data: &[u8]) {
    KEYS.with(|table| check(table, &table.edit(data)));
}

/// Any text as the end of the key.
pub(crate) fn instant(data: &[u8]) {
    KEYS.with(|table| check(table, &table.edit_one("expires_at", Cell::Text(data.into()))));
}

fn check(table: &Table<Standard>, row: &Row<'_, '_>) {
    let Some(accepted) = table.verify() else { return };
    let (head, details) = (accepted.head(), accepted.details());
    let digest = table.issued.record.head.digest.expect("a digest");
    assert_eq!(row.cell("digest"), &Cell::Blob(digest.as_bytes().as_slice().into()));
    assert!(row.is_null("revoked_at"));
    assert_eq!(row.cell("is_disabled"), &Cell::Integer(0));
    assert_eq!(row.text("environment"), Some("live"));
    assert_eq!(row.text("id"), Some(head.id.as_str()));
    assert_eq!(row.text("owner"), Some(head.owner.as_str()));
    assert_eq!(row.text("name"), Some(details.name.as_str()));
    assert_eq!(row.text("metadata"), details.metadata.as_ref().map(Metadata::as_str));
    row.check_expiry("expires_at", &table.connection, head.expires_at);
    row.check_limit("requests_per_minute", details.rate_limit);
    let named: Vec<_> = row.text("scopes").expect("scopes").split(' ').map(str::to_owned).collect();
    check_scopes(&named, &details.scopes);
}

/// Anything in any column of an entry.
pub(crate) fn history(data: &[u8]) {
    HISTORY.with(|table| {
        let row = table.edit(data);
        let id = &table.issued.record.head.id;
        let history = table.runtime.block_on(table.keys.history(id)).expect("an answer");
        assert!(history.len() <= 1);
        for entry in history {
            let is_named = row.text("action") == Some(entry.action.as_str());
            assert!(is_named || entry.action == Action::Unknown, "{entry:?}");
            assert!(
                entry.changes.is_empty()
                    || row.text("changes").is_some_and(
                        |changes| changes.starts_with(|first: char| { first == '[' || first.is_whitespace() })
                    )
            );
        }
    });
}
