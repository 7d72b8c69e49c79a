//! Digests survive the way through hexadecimal, and nothing else is one.

use keyward::key::{Encoding, KeyDigest};
use proptest::prelude::*;

use crate::support::alphabet;

fn is_hex_digest(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|letter| alphabet(Encoding::Hex).contains(letter))
}

proptest! {
    #[test]
    fn digests_survive_the_way_through_hexadecimal_and_bytes(key in any::<String>(), other in any::<String>()) {
        let digest = KeyDigest::of(&key);
        let hex = digest.to_hex();
        prop_assert!(is_hex_digest(hex.as_str()));
        prop_assert_eq!(KeyDigest::from_hex(hex.as_str()), Some(digest));
        prop_assert_eq!(KeyDigest::from_bytes(*digest.as_bytes()), digest);
        prop_assert_eq!(digest == KeyDigest::of(&other), key == other);
    }

    #[test]
    fn sixty_four_lowercase_hexadecimal_characters_are_a_digest(hex in "[0-9a-f]{64}") {
        let digest = KeyDigest::from_hex(&hex).expect("a digest");
        let read_back = digest.to_hex();
        prop_assert_eq!(read_back.as_str(), hex.as_str());
    }

    #[test]
    fn nothing_else_is_a_digest(text in prop_oneof![
        "[0-9a-f]{60,68}",
        "[0-9a-fA-F]{64}",
        "[0-9a-f]{31}[^0-9a-f][0-9a-f]{32}",
        any::<String>(),
    ]) {
        prop_assert_eq!(KeyDigest::from_hex(&text).is_some(), is_hex_digest(&text), "{:?}", text);
    }
}
