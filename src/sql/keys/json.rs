//! Lists of texts in JSON columns, read without a copy of each text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

/// What `read` makes of the texts in a JSON array, with `None` for a NULL among them; `None` when `json` is anything else
/// than an array of texts and NULLs.
pub(crate) fn texts<T>(json: &str, read: impl FnOnce(&mut dyn Iterator<Item = Option<&str>>) -> T) -> Option<T> {
    let Texts(texts) = serde_json::from_str(json).ok()?;
    Some(read(&mut texts.iter().map(Option::as_deref)))
}

/// The texts of an array; other entries are refused, except NULL.
struct Texts<'t>(Vec<Option<Cow<'t, str>>>);

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;

        impl<'de> Visitor<'de> for Array {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Texts<'de>, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = array.next_element::<Option<Text<'de>>>()? {
                    texts.push(text.map(|Text(text)| text));
                }
                Ok(Texts(texts))
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

    fn read(json: &str) -> Option<Vec<Option<String>>> {
        texts(json, |texts| texts.map(|text| text.map(str::to_owned)).collect())
    }

    #[test]
    fn only_arrays_of_texts_and_nulls_are_read() {
        let found = vec![Some("a".to_owned()), None, Some("b\u{e9}\n".to_owned())];
        assert_eq!(read(r#"["a", null, "b\u00e9\n"]"#), Some(found));
        assert_eq!(read("[]"), Some(Vec::new()));
        for other in [r#""admin""#, "{}", "[1]", r#"["a", ["b"]]"#, "null", "", "[", r#"["a"] x"#] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
