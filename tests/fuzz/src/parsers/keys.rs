//! Presented texts: a key of an accepted form is accepted, and nothing else is.

use std::sync::LazyLock;

use keyward::key::{
    Encoding, Environment, ForeignFormat, KeyDigest, KeyFormat, KeyFormats, MAX_PRESENTED_LEN, MalformedKey, ParsedKey,
    Refusal, Schema as _,
};
use keyward::schemas::aggregator::Aggregator;
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;

/// The form of a key, said once more in other words.
struct Form {
    prefix: &'static str,
    random: usize,
    encoding: Encoding,
}

const AGGREGATOR: Form = Form { prefix: "ckapi_", random: 64, encoding: Encoding::Hex };
const MESH: Form = Form { prefix: "cm_", random: 43, encoding: Encoding::Base64Url };
const SCRAPER: Form = Form { prefix: "riq_", random: 43, encoding: Encoding::Base64Url };
const LIVE: Form = Form { prefix: "acme_live_", ..CHECKED };
const OLD: Form = Form { prefix: "old_live_", ..CHECKED };
const CHECKED: Form = Form { prefix: "", random: 33, encoding: Encoding::Base62Checked };

impl Form {
    fn takes(&self, text: &str) -> bool {
        text.strip_prefix(self.prefix).is_some_and(|body| self.takes_body(body))
    }

    fn takes_body(&self, body: &str) -> bool {
        let letter = |letter: char| match self.encoding {
            Encoding::Hex => matches!(letter, '0'..='9' | 'a'..='f'),
            Encoding::Base64Url => letter.is_ascii_alphanumeric() || letter == '-' || letter == '_',
            _ => letter.is_ascii_alphanumeric(),
        };
        let Some((random, checksum)) = body.split_at_checked(self.random) else { return false };
        let is_checked = match self.encoding {
            Encoding::Base62Checked => checksum == checksum_of(random),
            _ => checksum.is_empty(),
        };
        is_checked && body.chars().all(letter)
    }
}

/// CRC-32 in six digits of base62, by strings.
fn checksum_of(random: &str) -> String {
    let mut rest = crc32fast::hash(random.as_bytes());
    let mut digits = String::new();
    while digits.len() < 6 {
        let digit = u8::try_from(rest % 62).unwrap_or_default();
        let letter = match digit {
            0..10 => b'0' + digit,
            10..36 => b'A' + digit - 10,
            _ => b'a' + digit - 36,
        };
        digits.insert(0, letter.into());
        rest /= 62;
    }
    digits
}

/// A key of `acme` as it looks in another environment than live.
fn is_of_another_environment(text: &str) -> bool {
    let Some((environment, body)) = text.strip_prefix("acme_").and_then(|behind| behind.split_once('_')) else {
        return false;
    };
    Environment::new(environment).is_ok() && environment != "live" && CHECKED.takes_body(body)
}

fn is_foreign(prefix: &str, lengths: std::ops::RangeInclusive<usize>, text: &str) -> bool {
    let printable = |body: &str| body.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
    lengths.contains(&text.len()) && text.strip_prefix(prefix).is_some_and(printable)
}

static STANDARD: LazyLock<Standard> = LazyLock::new(|| {
    let foreign = |prefix, lengths| ForeignFormat::new(prefix, lengths).expect("a sound format");
    let standard = Standard::new("acme").and_then(|standard| standard.accepting_prefix("old")).expect("sound prefixes");
    standard.accepting_foreign(foreign("sk_", 20..=64)).accepting_foreign(foreign("", 32..=80))
});
static FORMATS: LazyLock<[KeyFormats; 3]> = LazyLock::new(|| {
    [Aggregator::new().formats().clone(), Mesh::new().formats().clone(), Scraper::new().formats().clone()]
});

/// The first byte says whether the checksum is put right, which no fuzzer finds by itself.
pub(crate) fn presented(data: &[u8]) {
    let Some((mode, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut text = text.to_owned();
    if mode & 1 == 1
        && let Some(start) = text.rfind('_').map(|end| end + 1)
        && let Some(random) = text[start..].get(..33)
    {
        text = format!("{}{random}{}", &text[..start], checksum_of(random));
    }
    let text = text.as_str();

    let anything = |prefix: &str| is_foreign(prefix, prefix.len() + 1..=MAX_PRESENTED_LEN, text);
    let [aggregator, mesh, scraper] = &*FORMATS;
    check(text, AGGREGATOR.takes(text), KeyFormat::AGGREGATOR.parse(text), 12);
    check(text, MESH.takes(text), KeyFormat::MESH.parse(text), 11);
    check(text, SCRAPER.takes(text), KeyFormat::SCRAPER.parse(text), 8);
    check(text, AGGREGATOR.takes(text), aggregator.parse(text), 12);
    check(text, MESH.takes(text), mesh.parse(text), 11);
    check(text, SCRAPER.takes(text) || anything("riq_"), scraper.parse(text), 8);

    let other = is_of_another_environment(text);
    let foreign = is_foreign("sk_", 20..=64, text) || is_foreign("", 32..=80, text);
    let is_taken = LIVE.takes(text) || !other && (OLD.takes(text) || foreign);
    let parsed = STANDARD.formats().parse(text);
    assert!(!other || matches!(parsed, Err(MalformedKey::OtherEnvironment)), "another environment: {parsed:?}");
    check(text, is_taken, parsed, 14);
}

/// A foreign format that the bytes describe, and a text for it.
pub(crate) fn foreign(data: &[u8]) {
    let [prefix_len, shortest, longest, rest @ ..] = data else { return };
    let Ok(rest) = std::str::from_utf8(rest) else { return };
    let Some((prefix, text)) = rest.split_at_checked(usize::from(prefix_len % 40)) else { return };
    let lengths = usize::from(*shortest)..=usize::from(*longest) * 3;
    let is_sound = prefix.len() <= 32
        && prefix.bytes().all(|byte| byte.is_ascii_graphic())
        && lengths.start() <= lengths.end()
        && *lengths.end() <= 512
        && *lengths.start() >= prefix.len() + 8;
    match ForeignFormat::new(prefix, lengths.clone()) {
        Ok(format) => {
            assert!(is_sound, "{prefix:?} {lengths:?}");
            for text in [text, rest] {
                check(text, is_foreign(prefix, lengths.clone(), text), format.parse(text), prefix.len() + 4);
            }
        }
        Err(_) => assert!(!is_sound, "{prefix:?} {lengths:?}"),
    }
}

fn check(text: &str, is_taken: bool, parsed: Result<ParsedKey<'_>, MalformedKey>, shown: usize) {
    match parsed {
        Ok(key) => {
            assert!(is_taken, "accepted {text:?}");
            assert_eq!(key.digest(), KeyDigest::of(text));
            assert!(text.starts_with(key.display_prefix()) && key.display_prefix().len() <= shown.max(14));
            let shown = format!("{key:?}");
            assert!(shown.strip_prefix("ParsedKey(").is_some_and(|shown| !shown.contains(text)), "shown whole");
        }
        Err(malformed) => {
            assert!(!is_taken, "refused {text:?}: {malformed}");
            assert_eq!(Refusal::from(malformed).to_string(), "the API key is not valid");
            // No sentence of ours is as long.
            assert!(text.len() < 80 || !format!("{malformed} {malformed:?}").contains(text), "repeated");
        }
    }
}
