//! Lists of texts in JSON columns.

use serde_json::Value;
use serde_json::value::RawValue;

/// The reader is not exported.
#[path = "../../../../src/sql/keys/json.rs"]
mod json;

use json::Entry;

/// An array is read as a general reader reads it, as far as that one can, and nothing but an array is read.
pub(crate) fn lists(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let found = json::entries(text, |entries| {
        let texts: Vec<_> = json::texts(entries).map(str::to_owned).collect();
        (entries.iter().map(|entry| matches!(entry, Entry::Text(_))).collect::<Vec<_>>(), texts)
    });
    match serde_json::from_str(text) {
        Ok(Value::Array(entries)) => {
            let is_text = entries.iter().map(Value::is_string).collect::<Vec<_>>();
            let texts = entries.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(found, Some((is_text, texts)), "{text:?}");
        }
        Ok(_) => assert_eq!(found, None, "{text:?}"),
        // A number or a depth that the general reader does not hold, or half of a character; or no JSON at all.
        Err(_) => assert!(found.is_none() || serde_json::from_str::<&RawValue>(text).is_ok(), "{text:?}"),
    }
}
