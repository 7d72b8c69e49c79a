//! Lists of texts in JSON columns.

use serde_json::Value;

#[path = "../../../../src/sql/keys/json.rs"]
mod json;

/// What a general reader takes for an array of texts and NULLs is read as that, and nothing else is read.
pub(crate) fn lists(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let found = json::texts(text, |texts| texts.map(|text| text.map(str::to_owned)).collect::<Vec<_>>());
    let expected = serde_json::from_str(text).ok().and_then(|value| {
        let Value::Array(entries) = value else { return None };
        let text = |entry| match entry {
            Value::String(text) => Some(Some(text)),
            Value::Null => Some(None),
            _ => None,
        };
        entries.into_iter().map(text).collect::<Option<Vec<_>>>()
    });
    assert_eq!(found, expected, "{text:?}");
}
