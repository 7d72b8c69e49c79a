//! What is sealed opens, unless anything about it was changed; rings are read as they were written.

use keyward::seal::{
    InvalidSealKeys, MAX_SEALED_LEN, OpenError, SealKey, SealKeyId, SealKeys, SealNonce, Sealed, SealedPlace,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::any_bytes;

const IDS: &str = "[A-Za-z0-9_-]{1,32}";

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    schema: String,
    owner: String,
    column: String,
}

impl Place {
    fn get(&self) -> SealedPlace<'_> {
        SealedPlace { schema: &self.schema, owner: &self.owner, column: &self.column }
    }
}

/// Short ones of few letters, so that characters often move from one part to the next, and any others.
fn any_place() -> impl Strategy<Value = Place> {
    let text = || prop_oneof![2 => "[ab]{0,3}", 1 => any::<String>()];
    (text(), text(), text()).prop_map(|(schema, owner, column)| Place { schema, owner, column })
}

fn any_key() -> impl Strategy<Value = SealKey> {
    any::<[u8; 32]>().prop_filter_map("a key of zeros", |bytes| SealKey::from_bytes(&bytes).ok())
}

fn any_id() -> impl Strategy<Value = SealKeyId> {
    IDS.prop_map(|id| id.parse().expect("a name"))
}

/// Different names and keys, at least one of each.
fn any_entries() -> impl Strategy<Value = Vec<(SealKeyId, SealKey)>> {
    let keys = |ids: &[SealKeyId]| btree_set(any::<[u8; 32]>(), ids.len());
    btree_set(any_id(), 1..5)
        .prop_map(Vec::from_iter)
        .prop_flat_map(move |ids| (Just(ids.clone()), keys(&ids)))
        .prop_filter_map("a key of zeros", |(ids, keys)| {
            ids.into_iter().zip(keys).map(|(id, key)| Some((id, SealKey::from_bytes(&key).ok()?))).collect()
        })
}

fn ring(entries: &[(SealKeyId, SealKey)]) -> SealKeys {
    let (id, key) = entries[0].clone();
    entries[1..]
        .iter()
        .cloned()
        .fold(SealKeys::new(id, key), |keys, (id, key)| keys.with_retired(id, key).expect("a key of its own"))
}

proptest! {
    #[test]
    fn what_is_sealed_opens_in_its_place(
        entries in any_entries(), place in any_place(), plaintext in any::<String>(), mut random in any_bytes(),
    ) {
        let keys = ring(&entries);
        let sealed = keys.seal(place.get(), &plaintext, SealNonce::generate(&mut random).unwrap()).unwrap();
        prop_assert!(sealed.as_str().len() <= MAX_SEALED_LEN && sealed.as_str().is_ascii());
        prop_assert!(plaintext.len() < 4 || !sealed.as_str().contains(&plaintext));
        prop_assert!(keys.is_current(&sealed));
        let read_back: Sealed = sealed.as_str().parse().unwrap();
        prop_assert_eq!(&read_back, &sealed);
        let opened = keys.open(place.get(), &read_back).unwrap();
        prop_assert_eq!(opened.expose_secret(), plaintext.as_str());
        // Each key opens what it sealed when it was the current one.
        for (id, key) in &entries[1..] {
            let before = SealKeys::new(*id, key.clone());
            let sealed = before.seal(place.get(), &plaintext, SealNonce::generate(&mut random).unwrap()).unwrap();
            prop_assert!(!keys.is_current(&sealed));
            let opened = keys.open(place.get(), &sealed).unwrap();
            prop_assert_eq!(opened.expose_secret(), plaintext.as_str());
        }
    }

    #[test]
    fn in_any_other_place_it_does_not_open(
        id in any_id(), key in any_key(), place in any_place(), other in any_place(), mut random in any_bytes(),
    ) {
        prop_assume!(place != other);
        let keys = SealKeys::new(id, key);
        let sealed = keys.seal(place.get(), "token", SealNonce::generate(&mut random).unwrap()).unwrap();
        prop_assert_eq!(keys.open(other.get(), &sealed).unwrap_err(), OpenError::Altered);
    }

    #[test]
    fn with_any_character_changed_added_or_missing_it_does_not_open(
        entries in any_entries(),
        plaintext in ".{0,40}",
        mut random in any_bytes(),
        (at, with) in (any::<Index>(), prop_oneof![3 => "[A-Za-z0-9_.=+/-]", 1 => any::<char>().prop_map(String::from)]),
    ) {
        let keys = ring(&entries);
        let place = SealedPlace { schema: "s", owner: "o", column: "c" };
        let sealed = keys.seal(place, &plaintext, SealNonce::generate(&mut random).unwrap()).unwrap();
        let text = sealed.as_str();
        let at = at.index(text.len());
        let changed = format!("{}{with}{}", &text[..at], &text[at + 1..]);
        let longer = format!("{}{with}{}", &text[..at], &text[at..]);
        let shorter = format!("{}{}", &text[..at], &text[at + 1..]);
        let appended = format!("{text}{with}");
        for other in [changed, longer, shorter, appended, text[..at].to_owned(), text[at + 1..].to_owned()] {
            if other != text && let Ok(parsed) = Sealed::parse(&other) {
                prop_assert_eq!(parsed.as_str(), &other, "there is one text");
                let opened = keys.open(place, &parsed);
                let named = keys.ids().any(|id| id == parsed.key_id());
                let expected = if named { OpenError::Altered } else { OpenError::UnknownKey { id: *parsed.key_id() } };
                prop_assert_eq!(opened.unwrap_err(), expected, "{}", other);
            }
        }
    }

    #[test]
    fn another_key_of_the_same_name_does_not_open_it(
        id in any_id(), key in any_key(), other in any_key(), place in any_place(), mut random in any_bytes(),
    ) {
        let text = |key: &SealKey| key.to_base64().expose_secret().to_owned();
        prop_assume!(text(&key) != text(&other));
        let sealed =
            SealKeys::new(id, key).seal(place.get(), "token", SealNonce::generate(&mut random).unwrap()).unwrap();
        prop_assert_eq!(SealKeys::new(id, other).open(place.get(), &sealed).unwrap_err(), OpenError::Altered);
    }

    #[test]
    fn no_text_panics_and_what_is_read_is_what_was_written(text in prop_oneof![
        any::<String>(),
        "keyward\\.1\\.[A-Za-z0-9_-]{0,34}\\.[A-Za-z0-9_=-]{0,80}",
        "(keyward|Keyward)\\.[0-9]{0,3}\\.[a-c.]{0,3}\\.[A-Za-z0-9_-]{50,60}",
    ]) {
        if let Ok(sealed) = Sealed::parse(&text) {
            prop_assert_eq!(sealed.as_str(), text);
        }
    }

    #[test]
    fn a_ring_is_read_as_it_was_written(entries in any_entries(), separators in vec("[ \t]{0,2}(,|\r?\n)[ \t]{0,2}", 5), padded in any::<bool>()) {
        let mut text = String::new();
        for ((id, key), separator) in entries.iter().zip(&separators) {
            if !text.is_empty() {
                text.push_str(separator);
            }
            let key = key.to_base64();
            let padding = if padded { "=" } else { "" };
            text.extend([id.as_str(), ":", key.expose_secret(), padding]);
        }
        let keys: SealKeys = text.parse().unwrap();
        let ids: Vec<_> = keys.ids().copied().collect();
        prop_assert_eq!(ids, entries.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        // The keys are the same, as each opens what the other seals.
        let place = SealedPlace { schema: "s", owner: "o", column: "c" };
        for (id, key) in &entries {
            let sealed = SealKeys::new(*id, key.clone())
                .seal(place, "token", SealNonce::generate(&mut rand::rngs::SysRng).unwrap())
                .unwrap();
            prop_assert!(keys.open(place, &sealed).is_ok());
        }
        let (id, key) = &entries[0];
        let again = keys.with_retired(*id, key.clone());
        prop_assert_eq!(again.unwrap_err(), InvalidSealKeys::RepeatedId { id: *id });
    }

    #[test]
    fn no_text_of_keys_panics_or_is_shown(text in prop_oneof![
        any::<String>(),
        "[a-z]{0,34}:?[A-Za-z0-9+/_=-]{40,46}([,\n][a-z]{0,2}:[A-Za-z0-9+/]{43}=?){0,2}",
    ]) {
        if let Err(error) = text.parse::<SealKeys>() {
            let shown = format!("{error} {error:?}");
            let pieces = text.split([',', '\n', ':']).filter(|piece| piece.len() > 32);
            for piece in pieces {
                prop_assert!(!shown.contains(piece), "{} shows {}", shown, piece);
            }
        }
    }
}
