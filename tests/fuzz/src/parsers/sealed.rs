//! Envelopes and rings of keys, read once more in other words.

use std::sync::LazyLock;

use keyward::seal::{MAX_SEALED_PLAINTEXT_LEN, OpenError, SealKey, SealKeyId, SealKeys, Sealed, SealedPlace};

const PLACE: SealedPlace<'_> =
    SealedPlace { schema: "aggregator", owner: "did:plc:example", column: "oauth_refresh_token" };

/// The one envelope that was sealed, with the key below. It is in the corpus, and so are its neighbours.
const GENUINE: &str = "keyward.1.2026-07.ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7HVOL1Zlc7PHvEOlQzQrT6bk7wVGTRb7YrDQKh-j3-reYn4xl8\
                       htDhEZpW2QyZg";

static KEYS: LazyLock<SealKeys> = LazyLock::new(|| {
    let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap_or_default());
    let key = |first: u8| {
        let mut bytes = bytes;
        bytes[0] = first;
        SealKey::from_bytes(&bytes).expect("a key")
    };
    let id = |id: &str| id.parse().expect("a name");
    SealKeys::new(id("2026-07"), key(0)).with_retired(id("2026-01"), key(1)).expect("two keys")
});

/// An envelope has one text, and none opens that was not sealed.
pub(crate) fn sealed(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Sealed::parse(text) {
        Ok(sealed) => {
            let (id, payload) = envelope(text).expect("accepted, and has not the form of an envelope");
            assert_eq!((sealed.as_str(), sealed.key_id().as_str()), (text, id));
            assert!((40..=MAX_SEALED_PLAINTEXT_LEN + 40).contains(&payload.len()));
            match KEYS.open(PLACE, &sealed) {
                Ok(_) => assert_eq!(text, GENUINE, "it opens, and was never sealed"),
                Err(OpenError::UnknownKey { id }) => assert_eq!(&id, sealed.key_id()),
                Err(OpenError::Altered) => assert!(KEYS.ids().any(|id| id == sealed.key_id())),
                Err(other) => panic!("{other}"),
            }
        }
        Err(error) => {
            let is_sound = envelope(text).is_some_and(|(_, payload)| (40..=65_576).contains(&payload.len()));
            assert!(!is_sound, "refused {text:?}: {error}");
            // No sentence of ours is as long.
            assert!(text.len() < 120 || !format!("{error} {error:?}").contains(text), "repeated");
        }
    }
}

/// The name and the payload of an envelope.
fn envelope(text: &str) -> Option<(&str, Vec<u8>)> {
    let parts: Vec<_> = text.split('.').collect();
    let ["keyward", "1", id, payload] = parts[..] else { return None };
    let payload = base64(payload, ['-', '_'])?;
    is_id(id).then_some((id, payload))
}

fn is_id(id: &str) -> bool {
    matches!(id.len(), 1..=32)
        && id.chars().all(|letter| matches!(letter, 'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_'))
}

/// Base64 without padding and without bits to spare, bit by bit.
fn base64(text: &str, last: [char; 2]) -> Option<Vec<u8>> {
    let mut bits = Vec::new();
    for letter in text.chars() {
        let offset = |start: char| u32::from(letter) - u32::from(start);
        let value = match letter {
            'A'..='Z' => offset('A'),
            'a'..='z' => offset('a') + 26,
            '0'..='9' => offset('0') + 52,
            _ => 62 + u32::try_from(last.iter().position(|known| *known == letter)?).ok()?,
        };
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let whole = bits.chunks_exact(8);
    let rest = whole.remainder();
    let bytes = whole.map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::try_from(*bit).unwrap_or_default()));
    let bytes: Vec<u8> = bytes.collect();
    (rest.len() < 6 && rest.iter().all(|bit| *bit == 0)).then_some(bytes)
}

/// A ring is what its text says, and no error shows any of it.
pub(crate) fn seal_keys(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let expected = entries(text);
    match text.parse::<SealKeys>() {
        Ok(keys) => {
            let expected = expected.expect("accepted, and is no ring");
            let ids: Vec<_> = keys.ids().map(SealKeyId::as_str).collect();
            assert_eq!(ids, expected.iter().map(|(id, _)| *id).collect::<Vec<_>>());
            assert_eq!(keys.current_id().as_str(), ids[0]);
            // A key that is in the ring is refused under another name, and by nothing else is it known here.
            for (_, key) in &expected {
                let key = SealKey::from_bytes(key).expect("a key");
                assert!(keys.clone().with_retired("not-in-the-ring_".parse().expect("a name"), key).is_err());
            }
        }
        Err(error) => {
            assert!(expected.is_none(), "refused {text:?}: {error}");
            let shown = format!("{error} {error:?}");
            // No word of ours is as long.
            let is_in_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/-_=".contains(letter);
            for piece in text.split(|letter| !is_in_base64(letter)).filter(|piece| piece.len() > 32) {
                assert!(!shown.contains(piece), "{shown:?} shows {piece:?}");
            }
        }
    }
}

/// The names and keys of a ring, if it is one.
fn entries(text: &str) -> Option<Vec<(&str, Vec<u8>)>> {
    let blank = |letter: char| letter == ' ' || letter == '\t';
    let mut found: Vec<(&str, Vec<u8>)> = Vec::new();
    for line in text.split_inclusive('\n') {
        // A carriage return alone ends no line.
        let line = line.strip_suffix("\r\n").or_else(|| line.strip_suffix('\n')).unwrap_or(line);
        if line.chars().all(blank) {
            continue;
        }
        for entry in line.split(',') {
            let (id, key) = entry.trim_matches(blank).split_once(':')?;
            let key = key_of(key)?;
            if !is_id(id) || found.iter().any(|(other, same)| *other == id || *same == key) {
                return None;
            }
            found.push((id, key));
        }
    }
    (!found.is_empty()).then_some(found)
}

fn key_of(text: &str) -> Option<Vec<u8>> {
    let bare = if text.len() == 44 { text.strip_suffix('=')? } else { text };
    let key = base64(bare, ['+', '/']).or_else(|| base64(bare, ['-', '_']))?;
    (key.len() == 32 && key.iter().any(|byte| *byte != 0)).then_some(key)
}
