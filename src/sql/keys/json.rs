//! Lists of texts in JSON columns, read without a copy of each text, whatever else stands among the texts.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What stands in a list of texts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry<'t> {
    /// Borrowed where it has no escapes.
    Text(Cow<'t, str>),
    Null,
    /// A number, a list and the like, of whatever size and depth: nobody looks into it.
    Other,
}

/// What `read` makes of the entries of a JSON array; `None` when `json` is anything else than an array.
pub(crate) fn entries<T>(json: &str, read: impl FnOnce(&[Entry<'_>]) -> T) -> Option<T> {
    let Entries(entries) = serde_json::from_str(json).ok()?;
    Some(read(&entries))
}

/// The texts among the entries.
pub(crate) fn texts<'e>(entries: &'e [Entry<'_>]) -> impl Iterator<Item = &'e str> {
    entries.iter().filter_map(|entry| match entry {
        Entry::Text(text) => Some(&**text),
        Entry::Null | Entry::Other => None,
    })
}

struct Entries<'t>(Vec<Entry<'t>>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;

        impl<'de> Visitor<'de> for Array {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                // The parser passes over an entry without a limit to its numbers and its depth, and without recursion.
                while let Some(entry) = array.next_element::<&RawValue>()? {
                    entries.push(match serde_json::from_str::<Option<Text<'de>>>(entry.get()) {
                        Ok(Some(Text(text))) => Entry::Text(text),
                        Ok(None) => Entry::Null,
                        Err(_) => Entry::Other,
                    });
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_seq(Array)
    }
}

/// A text that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts as they are, NULL as `-`, everything else as `?`.
    fn read(json: &str) -> Option<Vec<String>> {
        let shown = |entry: &Entry<'_>| match entry {
            Entry::Text(text) => text.to_string(),
            Entry::Null => "-".to_owned(),
            Entry::Other => "?".to_owned(),
        };
        entries(json, |entries| entries.iter().map(shown).collect())
    }

    #[test]
    fn entries_that_are_no_texts_stand_beside_texts_and_only_arrays_are_read() {
        assert_eq!(read(r#"["a", null, "b\u00e9\n"]"#).unwrap(), ["a", "-", "b\u{e9}\n"]);
        let odd = r#"[1, 1e400, 12345678901234567890123, true, {"a": "a"}, ["a"], "\ud800", "a"]"#;
        assert_eq!(read(odd).unwrap(), ["?", "?", "?", "?", "?", "?", "?", "a"]);
        assert_eq!(read("[]").unwrap(), [""; 0]);
        for other in [r#""admin""#, "{}", "null", "1", "", "[", r#"["a"] x"#, r#"["a",]"#, r#"["a" "b"]"#] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn depth_neither_spoils_a_list_nor_overflows_the_stack() {
        let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for depth in [2, 200, 1_000_000] {
            assert_eq!(read(&format!(r#"["a", {}]"#, deep(depth))).unwrap(), ["a", "?"], "{depth}");
            assert_eq!(read(&deep(depth)).unwrap(), ["?"], "{depth}");
        }
    }
}
