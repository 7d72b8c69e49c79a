//! What holds for every key, text, digest, instant and set of records, not only for the examples that somebody
//! thought of.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use keyward::key::{
    Defect, DisplayPrefix, Encoding, KeyDigest, KeyFormat, KeyHead, KeyId, KeyRecord, MAX_PRESENTED_LENGTH,
    MalformedKey, OwnerId, PrepareError, RefusalReason, Revocation, Status, decide,
};
use keyward::scraper::{Scraper, ScraperKey};
use keyward::store::MemoryKeyStore;
use keyward::{Keys, KeysError, OsRandom, RandomSource, RandomUnavailable, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::LazyJust;
use regex::Regex;

const ENCODINGS: [Encoding; 3] = [Encoding::Hex, Encoding::Base64Url, Encoding::Base62Checked];
const CONSTANTS: [KeyFormat; 3] = [KeyFormat::AGGREGATOR, KeyFormat::MESH, KeyFormat::SCRAPER];

/// The characters of an encoding, written out once more so that the crate's own table is not its only witness.
fn alphabet(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hex => "0123456789abcdef",
        Encoding::Base64Url => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        Encoding::Base62Checked => "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        _ => panic!("an encoding that these tests do not know"),
    }
}

/// A format together with its encoding, which the format itself does not tell.
#[derive(Clone, Copy, Debug)]
struct Form {
    format: KeyFormat,
    encoding: Encoding,
    accepts_any_body: bool,
}

impl Form {
    fn custom(prefix: &'static str, random_bytes: usize, encoding: Encoding, shown: usize) -> Self {
        let format = KeyFormat::new(prefix, random_bytes, encoding, prefix.len() + shown).expect("a sound format");
        Self { format, encoding, accepts_any_body: false }
    }

    /// Whether a text has the shape that this form may accept, leaving the checksum aside.
    fn fits(&self, text: &str) -> bool {
        let Some(body) = text.strip_prefix(self.format.prefix()) else { return false };
        if self.accepts_any_body {
            return !body.is_empty()
                && text.len() <= MAX_PRESENTED_LENGTH
                && body.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
        }
        text.len() == self.format.key_length() && body.chars().all(|letter| alphabet(self.encoding).contains(letter))
    }
}

fn constants() -> [Form; 3] {
    let [aggregator, mesh, scraper] = CONSTANTS;
    [
        Form { format: aggregator, encoding: Encoding::Hex, accepts_any_body: false },
        Form { format: mesh, encoding: Encoding::Base64Url, accepts_any_body: false },
        Form { format: scraper, encoding: Encoding::Base64Url, accepts_any_body: true },
    ]
}

/// The three constants, and every encoding with every number of random bytes.
fn every_form() -> impl Iterator<Item = Form> {
    let custom = ENCODINGS
        .into_iter()
        .flat_map(|encoding| (16..=64).map(move |random_bytes| Form::custom("acme_", random_bytes, encoding, 4)));
    constants().into_iter().chain(custom)
}

/// Any sound format, with prefixes of every allowed character, in front too. At most 5 characters of the body may be
/// shown whatever the encoding and the length.
fn any_form() -> impl Strategy<Value = Form> {
    let custom = ("-?[A-Za-z0-9_-]{2,15}", 16_usize..=64, prop::sample::select(&ENCODINGS), 1_usize..=5)
        .prop_filter_map("the format is not sound", |(prefix, random_bytes, encoding, shown)| {
            let prefix: &'static str = prefix.leak();
            let format = KeyFormat::new(prefix, random_bytes, encoding, prefix.len() + shown).ok()?;
            Some(Form { format, encoding, accepts_any_body: false })
        });
    prop_oneof![1 => prop::sample::select(constants().to_vec()), 4 => custom]
}

/// A source whose bytes the test decides, so that a failure can be repeated and made smaller.
#[derive(Debug)]
struct Given(Vec<u8>);

impl RandomSource for Given {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        let (given, _) = self.0.split_at(bytes.len());
        bytes.copy_from_slice(given);
        Ok(())
    }
}

fn any_bytes() -> impl Strategy<Value = Given> {
    prop_oneof![1 => Just(vec![0; 64]), 1 => Just(vec![0xff; 64]), 8 => vec(any::<u8>(), 64)].prop_map(Given)
}

/// All that is claimed of a generated key.
fn check_generated(form: Form, key: &str) {
    let format = form.format;
    assert!(form.fits(key), "{format:?} generated a key of another shape");
    assert_eq!(key.len(), format.key_length());

    let parsed = format.parse(key).expect("a generated key parses");
    assert_eq!(parsed.display_prefix(), &key[..format.display_length()]);
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
        let spoiled = format!("{}.{}", &key[..position], &key[position + 1..]);
        assert!(!scanner.is_match(&spoiled), "{expression} finds {spoiled}, which has a foreign character");
    }
}

#[test]
fn keys_of_every_encoding_and_length_parse_and_are_found_by_their_scanner() {
    for form in every_form() {
        for source in [&Given(vec![0; 64]) as &dyn RandomSource, &Given(vec![0xff; 64]), &OsRandom] {
            let secret = form.format.generate(source).expect("random bytes");
            check_generated(form, secret.expose_secret());
        }
        let secret = form.format.generate(&OsRandom).expect("random bytes");
        check_scanner(form, secret.expose_secret());
    }
}

proptest! {
    #[test]
    fn keys_of_any_format_parse_and_have_its_length(form in any_form(), bytes in any_bytes()) {
        let secret = form.format.generate(&bytes).expect("random bytes");
        check_generated(form, secret.expose_secret());
    }

    #[test]
    fn different_random_bytes_are_different_keys(
        form in any_form(),
        one in any_bytes(),
        position in 0_usize..16,
        bit in 0_u8..8,
    ) {
        let mut other = Given(one.0.clone());
        other.0[position] ^= 1 << bit;
        let [one, other] = [one, other].map(|bytes| form.format.generate(&bytes).expect("random bytes"));
        prop_assert_ne!(one.expose_secret(), other.expose_secret());
    }
}

proptest! {
    // Fewer cases, because each compiles a regular expression.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_scanner_of_any_format_finds_its_keys_and_no_mutilated_ones(form in any_form(), bytes in any_bytes()) {
        let secret = form.format.generate(&bytes).expect("random bytes");
        check_scanner(form, secret.expose_secret());
    }
}

/// Texts of all sorts: arbitrary ones, such as start well, such as have nearly the right length, and keys in which
/// one character was replaced, added or taken away.
fn any_text(form: Form) -> impl Strategy<Value = String> {
    let prefix = form.format.prefix();
    let length = form.format.key_length() - prefix.len();
    let letters: Vec<_> = alphabet(form.encoding).chars().chain(['é', '\0', ' ', '\n', '.', 'G', 'g', '-']).collect();
    let key = any_bytes().prop_map(move |bytes| form.format.generate(&bytes).expect("random bytes"));
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
        any::<String>().prop_map(move |body| format!("{prefix}{body}")),
        vec(prop::sample::select(letters), length.saturating_sub(1)..=length + 1)
            .prop_map(move |body| format!("{prefix}{}", String::from_iter(body))),
        vec(prop::sample::select(alphabet(form.encoding).as_bytes()), length)
            .prop_map(move |body| format!("{prefix}{}", String::from_utf8(body).expect("ASCII"))),
        (490_usize..530).prop_map(move |length| format!("{prefix}{}", "a".repeat(length))),
        LazyJust::new(move || format!("{prefix}{}", "a".repeat(1 << 20))),
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
                prop_assert!(text.is_ascii() && !text.contains('\0') && text.len() <= MAX_PRESENTED_LENGTH);
                let shown = form.format.display_length().min(text.len());
                prop_assert_eq!(parsed.display_prefix(), &text[..shown]);
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
    for random_bytes in [16, 31, 32, 64] {
        let format = KeyFormat::new("acme_", random_bytes, Encoding::Base62Checked, 9).expect("a sound format");
        for source in [&Given(vec![0; 64]) as &dyn RandomSource, &Given(vec![0xff; 64]), &OsRandom, &OsRandom] {
            let secret = format.generate(source).expect("random bytes");
            let key = secret.expose_secret();
            for position in 0..key.len() {
                for letter in
                    alphabet(Encoding::Base62Checked).chars().filter(|letter| !key[position..].starts_with(*letter))
                {
                    let mistyped = format!("{}{letter}{}", &key[..position], &key[position + 1..]);
                    let malformed = format.parse(&mistyped).expect_err("a mistyped key");
                    let expected = if position < format.prefix().len() {
                        MalformedKey::WrongPrefix { expected: "acme_" }
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
    let checked = Form::custom("acme_", 32, Encoding::Base62Checked, 4);
    for form in constants().into_iter().chain([checked]) {
        let mut seen = HashSet::new();
        let mut letters = BTreeSet::new();
        for _ in 0..20_000 {
            let secret = form.format.generate(&OsRandom).expect("random bytes");
            letters.extend(secret.expose_secret()[form.format.prefix().len()..].chars());
            assert!(seen.insert(secret.expose_secret().to_owned()), "{:?} made a key twice", form.format);
        }
        assert_eq!(letters, alphabet(form.encoding).chars().collect(), "{:?}", form.format);
    }
}

/// A source that supplies bytes a few times and then fails, leaving some behind as a source that fails midway does.
#[derive(Debug)]
struct Failing {
    good_fills: AtomicUsize,
}

impl Failing {
    fn after(good_fills: usize) -> Self {
        Self { good_fills: AtomicUsize::new(good_fills) }
    }
}

impl RandomSource for Failing {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        bytes.fill(7);
        let good = self.good_fills.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        good.map(|_| ()).map_err(|_| RandomUnavailable)
    }
}

#[test]
fn a_source_that_fails_makes_no_key_of_any_format() {
    for form in every_form() {
        assert_eq!(form.format.generate(&Failing::after(0)).expect_err("no key"), RandomUnavailable);
    }
}

/// A key takes two draws, one for itself and one for its identity; rotating takes two more.
#[tokio::test]
async fn a_source_that_fails_leaves_nothing_behind_in_the_store() {
    for good_fills in 0..4 {
        let keys = Keys::builder(Scraper, MemoryKeyStore::new()).random(Failing::after(good_fills)).build();
        let owner = OwnerId::new("acme").expect("an owner");
        let draft = ScraperKey::named("acme", "nightly import").expect("a draft");
        let issued = keys.issue(draft.into()).await;
        let failed = match issued {
            Err(error) => {
                assert!(good_fills < 2, "the key needs two draws: {error}");
                error
            }
            Ok(issued) => {
                assert!(good_fills >= 2, "a key was made of {good_fills} draws");
                let failed = keys.rotate(&issued.record.head.id, Duration::ZERO, None).await.expect_err("no successor");
                assert!(keys.verify(issued.secret.expose_secret()).await.is_ok(), "the old key died for nothing");
                failed
            }
        };
        assert!(matches!(failed, KeysError::Prepare(PrepareError::RandomUnavailable(_))), "{failed}");
        let stored = keys.list(&owner, 10, None).await.expect("a list").keys;
        assert_eq!(stored.len(), usize::from(good_fills >= 2));
    }
}

fn is_hex_digest(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|letter| alphabet(Encoding::Hex).contains(letter))
}

proptest! {
    #[test]
    fn digests_survive_the_way_through_hexadecimal(key in any::<String>(), other in any::<String>()) {
        let digest = KeyDigest::of(&key);
        let hex = digest.to_hex();
        prop_assert!(is_hex_digest(hex.as_str()));
        prop_assert_eq!(KeyDigest::from_hex(hex.as_str()), Some(digest));
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

/// Instants near and far, the outermost ones included.
fn any_micros() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros(),
        Timestamp::MAX.as_micros() - 5..Timestamp::MAX.as_micros() + 5,
        Timestamp::MIN.as_micros() - 5..Timestamp::MIN.as_micros() + 5,
        (-62_135_596_800_i64..253_402_300_800).prop_map(|seconds| seconds * 1_000_000),
    ]
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (any::<u64>(), 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
        (0_u64..1_000_000_000_000).prop_map(Duration::from_micros),
        Just(Duration::MAX),
    ]
}

/// The instant that is nearest to `micros`, computed where nothing overflows.
fn nearest(micros: i128) -> Timestamp {
    let clamped = micros.clamp(Timestamp::MIN.as_micros().into(), Timestamp::MAX.as_micros().into());
    Timestamp::from_micros(i64::try_from(clamped).expect("within the range"))
}

proptest! {
    #[test]
    fn instants_print_and_parse_back(micros in any_micros()) {
        let at = Timestamp::from_micros(micros);
        let text = at.to_string();
        prop_assert_eq!(text.parse(), Ok(at), "{}", text);
        prop_assert!(text.ends_with('Z') && text.as_bytes()[10] == b'T', "{}", text);
        prop_assert_eq!(format!("{at:?}"), text);
    }

    #[test]
    fn an_offset_names_the_same_instant(micros in any_micros(), quarters in -56_i32..=56) {
        let whole_second = micros / 1_000_000 * 1_000_000;
        let local = Timestamp::from_micros(whole_second.saturating_add(i64::from(quarters) * 900_000_000));
        let utc = nearest(i128::from(local.as_micros()) - i128::from(quarters) * 900_000_000);
        let (sign, minutes) = (if quarters < 0 { '-' } else { '+' }, quarters.abs() * 15);
        let local = local.to_string();
        let text = format!("{}{sign}{:02}:{:02}", local.trim_end_matches('Z'), minutes / 60, minutes % 60);
        prop_assert_eq!(text.parse(), Ok(utc), "{}", text);
    }

    #[test]
    fn what_lies_outside_of_the_calendar_becomes_its_end(micros in any_micros(), duration in any_duration()) {
        let at = Timestamp::from_micros(micros);
        prop_assert_eq!(at, nearest(micros.into()));
        let long = i128::try_from(duration.as_micros()).expect("a duration fits");
        prop_assert_eq!(at.saturating_add(duration), nearest(i128::from(at.as_micros()) + long));
        prop_assert_eq!(at.saturating_sub(duration), nearest(i128::from(at.as_micros()) - long));
    }

    #[test]
    fn any_time_of_the_system_becomes_the_nearest_instant(duration in any_duration(), before in any::<bool>()) {
        let (time, sign) = if before {
            (SystemTime::UNIX_EPOCH.checked_sub(duration), -1)
        } else {
            (SystemTime::UNIX_EPOCH.checked_add(duration), 1)
        };
        // What the system itself cannot express cannot arrive either.
        prop_assume!(time.is_some());
        // Whole microseconds, for which way the rest of one is rounded is nobody's business.
        let whole = Duration::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        prop_assume!(whole == duration || duration > Duration::from_secs(1 << 40));
        let micros = i128::try_from(duration.as_micros()).expect("a duration fits") * sign;
        prop_assert_eq!(time.map(Timestamp::from), Some(nearest(micros)));
    }

    #[test]
    fn arbitrary_text_never_panics_as_an_instant(text in prop_oneof![
        any::<String>(),
        "[0-9]{1,5}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,12})?(Z|[+-][0-9]{2}:[0-9]{2})",
    ]) {
        if let Ok(at) = text.parse::<Timestamp>() {
            prop_assert!((Timestamp::MIN..=Timestamp::MAX).contains(&at));
            prop_assert_eq!(at.to_string().parse(), Ok(at));
        }
    }
}

const NOW: Timestamp = Timestamp::from_micros(1_893_456_000_000_000);
const DEFECT: Defect = Defect { table: "api_keys", column: "scopes" };

fn any_status() -> impl Strategy<Value = Status> {
    let revoked = |at| Status::Revoked(Revocation { at, reason: None });
    prop_oneof![Just(Status::Active), Just(Status::Inactive), Just(revoked(None)), Just(revoked(Some(NOW)))]
}

/// Few different digests and instants close to now, so that the interesting meetings are frequent.
fn any_record() -> impl Strategy<Value = KeyRecord<u32>> {
    let digest = prop::option::weighted(0.9, (0_u8..3).prop_map(|key| KeyDigest::of(&key.to_string())));
    let expires_at = prop::option::of((-2_i64..=2).prop_map(|micros| Timestamp::from_micros(NOW.as_micros() + micros)));
    let defect = prop::option::weighted(0.2, Just(DEFECT));
    (digest, any_status(), expires_at, defect).prop_map(|(digest, status, expires_at, defect)| {
        let head = KeyHead {
            id: KeyId::new("key").expect("an identity"),
            owner: OwnerId::new("acme").expect("an owner"),
            prefix: DisplayPrefix::new("riq_same").expect("a prefix"),
            digest,
            created_at: None,
            last_used_at: None,
            expires_at,
            status,
            defect,
        };
        KeyRecord { head, details: 0 }
    })
}

/// Numbers the records, so that it is known which one was chosen.
fn any_records() -> impl Strategy<Value = Vec<KeyRecord<u32>>> {
    vec(any_record(), 0..8).prop_map(|records| {
        let number = |(details, mut record): (u32, KeyRecord<u32>)| {
            record.head.id = KeyId::new(format!("key {details}")).expect("an identity");
            KeyRecord { details, ..record }
        };
        (0..).zip(records).map(number).collect()
    })
}

/// The rule, said once more in other words: what a key needs to be accepted.
fn is_acceptable(head: &KeyHead) -> bool {
    head.status == Status::Active && head.defect.is_none() && head.expires_at.is_none_or(|end| NOW < end)
}

/// Whether the reason is true of the key.
fn explains(reason: RefusalReason, head: &KeyHead) -> bool {
    match reason {
        RefusalReason::Revoked => matches!(head.status, Status::Revoked(_)),
        RefusalReason::Inactive => head.status == Status::Inactive,
        RefusalReason::Expired => head.expires_at.is_some_and(|end| end <= NOW),
        RefusalReason::Unusable(defect) => head.defect == Some(defect),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_key_is_accepted_exactly_when_a_live_record_has_its_digest(records in any_records()) {
        let digest = KeyDigest::of("0");
        let matching: Vec<_> = records.iter().filter(|record| record.head.digest == Some(digest)).collect();
        match decide(records.clone(), &digest, NOW) {
            Ok(accepted) => {
                prop_assert_eq!(accepted.head().digest, Some(digest));
                prop_assert!(is_acceptable(accepted.head()));
                let number = *accepted.details() as usize;
                prop_assert_eq!(&accepted.into_record(), &records[number]);
            }
            Err(refusal) => {
                prop_assert!(matching.iter().all(|record| !is_acceptable(&record.head)));
                prop_assert!(!refusal.is_outage() && refusal.outage().is_none());
                if let Some(record) = matching.iter().find(|record| Some(&record.head.id) == refusal.key_id()) {
                    prop_assert!(explains(refusal.reason(), &record.head), "{:?}", refusal);
                } else {
                    prop_assert!(matching.is_empty() && refusal.key_id().is_none());
                    prop_assert_eq!(refusal.reason(), RefusalReason::Unknown);
                }
            }
        }
    }
}
