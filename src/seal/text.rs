//! A key ring as a text: what stands in the environment and in files.

use std::str::FromStr;

use crate::seal::{InvalidSealKey, InvalidSealKeyId, SealKey, SealKeyId, SealKeys};

/// Reads `id:base64,id:base64`. The first key is the current one, the others are retired.
///
/// Entries are separated by commas or by line breaks (`\n` or `\r\n`). Blank lines do not count. Spaces and tabs around
/// an entry do not count; inside of an entry there are none.
///
/// ```
/// use keyward::seal::{InvalidSealKeys, SealKeys};
///
/// let text = "2026-07:nL1wZTVYJvWXoB4V8SGdqfB3nMH7qmCgHZQ2yJvpV5E,2026-01:AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8";
/// let keys: SealKeys = text.parse()?;
/// assert_eq!(keys.current_id().as_str(), "2026-07");
///
/// let unnamed = &text[8..]; // nothing of it is shown
/// assert_eq!(unnamed.parse::<SealKeys>().unwrap_err(), InvalidSealKeys::Unnamed { entry: 1 });
/// # Ok::<(), InvalidSealKeys>(())
/// ```
impl FromStr for SealKeys {
    type Err = InvalidSealKeys;

    fn from_str(text: &str) -> Result<Self, InvalidSealKeys> {
        let lines = text.lines().filter(|line| !trim(line).is_empty());
        let mut entries = (1..).zip(lines.flat_map(|line| line.split(',')));
        let (_, (id, key)) = match entries.next() {
            Some((entry, text)) => (entry, read(entry, text)?),
            None => return Err(InvalidSealKeys::Empty),
        };
        entries.try_fold(Self::new(id, key), |keys, (entry, text)| {
            let (id, key) = read(entry, text)?;
            keys.with_retired(id, key)
        })
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Reads one entry, the first of which is number 1.
fn read(entry: usize, text: &str) -> Result<(SealKeyId, SealKey), InvalidSealKeys> {
    let (id, key) = trim(text).split_once(':').ok_or(InvalidSealKeys::Unnamed { entry })?;
    let id = SealKeyId::new(id).map_err(|source| InvalidSealKeys::Id { entry, source })?;
    let key = SealKey::from_base64(key).map_err(|source| InvalidSealKeys::Key { entry, source })?;
    Ok((id, key))
}

/// Why keys make no key ring. It counts entries and shows none of them: one that is not understood may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSealKeys {
    /// There is no key at all.
    #[error("there is no key")]
    Empty,
    /// An entry has no colon, or there is nothing between two commas.
    #[error("entry {entry} is not of the form id:base64")]
    Unnamed {
        /// Which entry it is; the first is 1.
        entry: usize,
    },
    /// What stands in front of the colon is no name.
    #[error("entry {entry}: {source}")]
    Id {
        /// Which entry it is; the first is 1.
        entry: usize,
        /// What is wrong with the name.
        source: InvalidSealKeyId,
    },
    /// What stands behind the colon is no key.
    #[error("entry {entry}: {source}")]
    Key {
        /// Which entry it is; the first is 1.
        entry: usize,
        /// What is wrong with the key.
        source: InvalidSealKey,
    },
    /// Two keys have one name.
    #[error("there are two keys with the name {id}")]
    RepeatedId {
        /// The name of both.
        id: SealKeyId,
    },
    /// One key has two names. Sealing anew under the second would change nothing.
    #[error("{id} and {other} are the same key")]
    RepeatedKey {
        /// The name that came first.
        id: SealKeyId,
        /// The name that came later.
        other: SealKeyId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8";
    const B: &str = "Af8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8";

    fn ids(text: &str) -> Result<Vec<String>, InvalidSealKeys> {
        Ok(text.parse::<SealKeys>()?.ids().map(ToString::to_string).collect())
    }

    #[test]
    fn commas_and_line_breaks_part_entries_and_blanks_around_them_do_not_count() {
        for text in [
            format!("a:{A},b:{B}"),
            format!("a:{A}\nb:{B}"),
            format!("a:{A}\nb:{B}\n"),
            format!("a:{A}\r\nb:{B}\r\n"),
            format!("\n\n \t\n a:{A} ,\tb:{B}\n\n"),
            format!("a:{A}=,b:{B}="),
        ] {
            assert_eq!(ids(&text), Ok(vec!["a".to_owned(), "b".to_owned()]), "{text:?}");
        }
        assert_eq!(ids(&format!("b:{B}")), Ok(vec!["b".to_owned()]));
    }

    #[test]
    fn each_mistake_has_its_own_error_and_its_entry() {
        let good = format!("a:{A}");
        let id = |entry, source| Err(InvalidSealKeys::Id { entry, source });
        let key = |entry, source| Err(InvalidSealKeys::Key { entry, source });
        for text in ["", " ", "\n", "\r\n\t\n"] {
            assert_eq!(ids(text), Err(InvalidSealKeys::Empty), "{text:?}");
        }
        for (text, entry) in [(A.to_owned(), 1), (format!("{good},{B}"), 2), (format!("{good}\n\n{B}"), 2)] {
            assert_eq!(ids(&text), Err(InvalidSealKeys::Unnamed { entry }), "{text:?}");
        }
        for (text, entry) in [(format!("{good},"), 2), (format!(",{good}"), 1), (format!("{good},,b:{B}"), 2)] {
            assert_eq!(ids(&text), Err(InvalidSealKeys::Unnamed { entry }), "{text:?}");
        }
        assert_eq!(ids(&format!(":{A}")), id(1, InvalidSealKeyId::Empty));
        // A key in front of the colon is too long for a name.
        assert_eq!(ids(&format!("{good},{B}:b")), id(2, InvalidSealKeyId::TooLong { limit: 32 }));
        for text in [format!("a :{A}"), format!("é:{A}"), format!("#a:{A}"), format!("\u{feff}a:{A}")] {
            assert_eq!(ids(&text), id(1, InvalidSealKeyId::Character), "{text:?}");
        }
        for text in [format!("a: {A}"), format!("a:{A} b:{B}"), format!("a:{A};b:{B}"), format!("a:{A}\u{a0}")] {
            assert_eq!(ids(&text), key(1, InvalidSealKey::NotBase64), "{text:?}");
        }
        assert_eq!(ids(&format!("{good},b:")), key(2, InvalidSealKey::Length { bytes: 0 }));
        assert_eq!(ids(&format!("{good},b:{}", "A".repeat(43))), key(2, InvalidSealKey::AllZero));
        // A carriage return alone is no line break.
        assert_eq!(ids(&format!("{good}\rb:{B}")), key(1, InvalidSealKey::NotBase64));
    }

    #[test]
    fn two_keys_of_one_name_and_one_key_of_two_names_are_refused() {
        let [a, b] = ["a", "b"].map(|id| SealKeyId::new(id).unwrap());
        assert_eq!(ids(&format!("a:{A},a:{B}")), Err(InvalidSealKeys::RepeatedId { id: a }));
        assert_eq!(ids(&format!("a:{A},a:{A}")), Err(InvalidSealKeys::RepeatedId { id: a }));
        let same = InvalidSealKeys::RepeatedKey { id: a, other: b };
        assert_eq!(ids(&format!("a:{A},b:{A}=")), Err(same));
        assert_eq!(same.to_string(), "a and b are the same key");
    }
}
