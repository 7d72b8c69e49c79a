//! Formats: generated keys parse, differ, and are found by their scanner; nothing else parses.

use std::collections::{BTreeSet, HashSet};

use keyward::key::{Encoding, KeyDigest, MAX_PRESENTED_LEN, MalformedKey};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::LazyJust;
#[expect(clippy::disallowed_types, reason = "fresh keys at every run, beside those that repeat")]
use rand::rngs::SysRng;
use regex::Regex;

use crate::support::{Form, Given, alphabet, any_bytes, any_form, constants, every_form};

/// All that is claimed of a generated key.
fn check_generated(form: Form, key: &str) {
    let format = form.format;
    assert!(form.fits(key), "{format:?} generated a key of another shape");
    assert_eq!(key.len(), format.key_len());

    let parsed = format.parse(key).expect("a generated key parses");
    assert_eq!(parsed.display_prefix(), &key[..format.display_len()]);
    assert_eq!(parsed.digest(), KeyDigest::of(key));
}

/// All that is claimed of the regular expression for secret scanners.
fn check_scanner(form: Form, key: &str) {
    let expression = form.format.scanner_regex();
    let scanner = Regex::new(&expression).expect("a regular expression");
    for (before, after) in
        [("", ""), ("api_key = \"", "\""), ("Bearer ", "\n"), ("https://host/?key=", "&x=1"), ("(", ").")]
    {
        let text = format!("{before}{key}{after}");
        assert_eq!(scanner.find(&text).map(|found| found.as_str()), Some(key), "{expression} in {text:?}");
    }
    for position in 0..key.len() {
        let cut = format!("{}{}", &key[..position], &key[position + 1..]);
        assert!(!scanner.is_match(&cut), "{expression} finds {cut}, which has lost a character at {position}");
        let foreign = format!("{}.{}", &key[..position], &key[position + 1..]);
        assert!(!scanner.is_match(&foreign), "{expression} finds {foreign}, which has a foreign character");
    }
}

#[test]
fn keys_of_every_encoding_and_length_parse_and_are_found_by_their_scanner() {
    for form in every_form() {
        for byte in [0, 0xff] {
            let secret = form.format.generate(&mut Given::all(byte)).expect("random bytes");
            check_generated(form, secret.expose_secret());
        }
        let secret = form.format.generate(&mut SysRng).expect("random bytes");
        check_generated(form, secret.expose_secret());
        check_scanner(form, secret.expose_secret());
    }
}

proptest! {
    #[test]
    fn keys_of_any_format_parse_and_have_its_length(form in any_form(), mut bytes in any_bytes()) {
        let secret = form.format.generate(&mut bytes).expect("random bytes");
        check_generated(form, secret.expose_secret());
    }

    #[test]
    fn different_random_bytes_are_different_keys(
        form in any_form(),
        one in any_bytes(),
        position in 0_usize..16,
        bit in 0_u8..8,
    ) {
        let mut other = one.clone();
        other.0[position] ^= 1 << bit;
        let [one, other] = [one, other].map(|mut bytes| form.format.generate(&mut bytes).expect("random bytes"));
        prop_assert_ne!(one.expose_secret(), other.expose_secret());
    }
}

proptest! {
    // Fewer cases, because each compiles a regular expression.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_scanner_of_any_format_finds_its_keys_and_no_damaged_ones(form in any_form(), mut bytes in any_bytes()) {
        let secret = form.format.generate(&mut bytes).expect("random bytes");
        check_scanner(form, secret.expose_secret());
    }
}

/// Texts of all sorts: arbitrary ones, such as start well, such as have nearly the right length, and keys in which
/// one character was replaced, added or taken away.
fn any_text(form: Form) -> impl Strategy<Value = String> {
    let prefix = form.prefix().to_owned();
    let behind = move |body: &str| format!("{prefix}{body}");
    let length = form.format.key_len() - form.prefix().len();
    let letters: Vec<_> = alphabet(form.encoding).chars().chain(['é', '\0', ' ', '\n', '.', 'G', 'g', '-']).collect();
    let key = any_bytes().prop_map(move |mut bytes| form.format.generate(&mut bytes).expect("random bytes"));
    let edited = (key, any::<prop::sample::Index>(), any::<Option<char>>(), any::<bool>()).prop_map(
        |(key, position, letter, replaces)| {
            let key = key.expose_secret();
            let position = position.index(key.len());
            let rest = &key[position + usize::from(replaces)..];
            format!("{}{}{rest}", &key[..position], letter.map(String::from).unwrap_or_default())
        },
    );
    prop_oneof![
        any::<String>(),
        vec(any::<u8>(), 0..80).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        any::<String>().prop_map({
            let behind = behind.clone();
            move |body| behind(&body)
        }),
        vec(prop::sample::select(letters), length.saturating_sub(1)..=length + 1).prop_map({
            let behind = behind.clone();
            move |body| behind(&String::from_iter(body))
        }),
        vec(prop::sample::select(alphabet(form.encoding).as_bytes()), length).prop_map({
            let behind = behind.clone();
            move |body| behind(&String::from_utf8(body).expect("ASCII"))
        }),
        (490_usize..530).prop_map({
            let behind = behind.clone();
            move |length| behind(&"a".repeat(length))
        }),
        LazyJust::new(move || behind(&"a".repeat(1 << 20))),
        LazyJust::new(|| "é".repeat(1 << 20)),
        edited,
    ]
}

fn any_form_and_text() -> impl Strategy<Value = (Form, String)> {
    any_form().prop_flat_map(|form| (Just(form), any_text(form)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn parsing_never_panics_and_accepts_the_right_shape_only((form, text) in any_form_and_text()) {
        match form.format.parse(&text) {
            Ok(parsed) => {
                prop_assert!(form.fits(&text), "accepted {text:?}");
                prop_assert!(text.is_ascii() && text.len() <= MAX_PRESENTED_LEN);
                prop_assert_eq!(parsed.display_prefix(), &text[..form.format.display_len()]);
            }
            // Only a checksum can turn away what has the right shape.
            Err(MalformedKey::WrongChecksum) => prop_assert_eq!(form.encoding, Encoding::Base62Checked),
            Err(malformed) => {
                prop_assert!(!form.fits(&text), "refused {text:?}: {malformed}");
                prop_assert_eq!(malformed == MalformedKey::Empty, text.is_empty());
            }
        }
    }
}

#[test]
fn the_checksum_detects_every_single_substitution() {
    for random_bytes in [16, 24, 31, 32, 64] {
        let form = Form::custom("acme_", random_bytes, Encoding::Base62Checked, 4);
        let format = form.format;
        let keys = [
            format.generate(&mut Given::all(0)).expect("random bytes"),
            format.generate(&mut Given::all(0xff)).expect("random bytes"),
            format.generate(&mut SysRng).expect("random bytes"),
            format.generate(&mut SysRng).expect("random bytes"),
        ];
        for key in &keys {
            let key = key.expose_secret();
            for position in 0..key.len() {
                let others = alphabet(form.encoding).chars().filter(|letter| !key[position..].starts_with(*letter));
                for letter in others {
                    let mistyped = format!("{}{letter}{}", &key[..position], &key[position + 1..]);
                    let malformed = format.parse(&mistyped).expect_err("a mistyped key");
                    let expected = if position < form.prefix().len() {
                        MalformedKey::WrongPrefix { expected: *format.prefix() }
                    } else {
                        MalformedKey::WrongChecksum
                    };
                    assert_eq!(malformed, expected, "{key} with {letter} at {position}");
                }
            }
        }
    }
}

#[test]
fn twenty_thousand_keys_all_differ_and_use_the_whole_alphabet() {
    let checked = Form::custom("acme_", 24, Encoding::Base62Checked, 4);
    for form in constants().into_iter().chain([checked]) {
        let mut seen = HashSet::new();
        let mut letters = BTreeSet::new();
        for _ in 0..20_000 {
            let secret = form.format.generate(&mut SysRng).expect("random bytes");
            letters.extend(secret.expose_secret()[form.prefix().len()..].chars());
            assert!(seen.insert(secret.expose_secret().to_owned()), "{:?} made a key twice", form.format);
        }
        assert_eq!(letters, alphabet(form.encoding).chars().collect(), "{:?}", form.format);
    }
}
