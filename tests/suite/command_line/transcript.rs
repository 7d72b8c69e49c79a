//! What was typed and printed, made comparable: identities, plaintexts and times become numbers.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::terminal::Output;

/// What differs from one run to the next, in every schema: plaintexts, their first characters, instants, and
/// identities (UUIDs and 32 alphanumerics).
static CHANGING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        (?P<secret> \b (?:riq|cm|ckapi|(?:acme|old)_(?:live|test))_ [0-9A-Za-z_-]{24,} )
        | (?P<prefix> \b (?:riq|cm|ckapi|(?:acme|old)_(?:live|test))_ [0-9A-Za-z_-]{3,8} )
        | (?P<time> \d{4}-\d\d-\d\d T \d\d:\d\d:\d\d (?: \.\d+ )? Z )
        | (?P<id> \b [0-9a-f]{8} (?: -[0-9a-f]{4} ){3} -[0-9a-f]{12} \b | \b [0-9A-Za-z]{32} \b )",
    )
    .unwrap()
});

/// What is between columns, which are as wide as what stands in them.
static COLUMNS: LazyLock<Regex> = LazyLock::new(|| Regex::new(" {2,}").unwrap());

const KINDS: [&str; 4] = ["secret", "prefix", "time", "id"];

/// The plaintext keys in a text.
pub(super) fn secrets(text: &str) -> Vec<String> {
    CHANGING.captures_iter(text).filter_map(|found| Some(found.name("secret")?.as_str().to_owned())).collect()
}

/// Everything that one terminal has shown.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    text: String,
    names: HashMap<String, String>,
    counts: HashMap<&'static str, usize>,
}

impl Transcript {
    pub(super) fn record(&mut self, arguments: &[&str], output: &Output) {
        let Output { status, stdout, stderr } = output;
        let shown = format!("$ keyward {}\n{stdout}stderr:\n{stderr}status: {status}\n\n", arguments.join(" "));
        // PostgreSQL keeps keyward's own tables in a schema, and SQLite under a prefix.
        let shown = self.normalise(&shown.replace("keyward.", "keyward_"));
        self.text.write_str(&shown).unwrap();
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// The same value gets the same number all along, so that what was equal stays equal.
    fn normalise(&mut self, shown: &str) -> String {
        let Self { names, counts, .. } = self;
        let numbered = CHANGING.replace_all(shown, |found: &Captures<'_>| {
            let kind = KINDS.into_iter().find(|kind| found.name(kind).is_some()).unwrap();
            let name = names.entry(found[0].to_owned()).or_insert_with(|| {
                let count = counts.entry(kind).or_default();
                *count += 1;
                format!("<{kind} {count}>")
            });
            name.clone()
        });
        COLUMNS.replace_all(&numbered, "  ").into_owned()
    }
}

#[test]
fn what_changes_from_run_to_run_is_numbered_and_nothing_else() {
    let mut transcript = Transcript::default();
    let mut normalise = |text: &str| transcript.normalise(text);
    let uuid = "01234567-89ab-4cde-8f01-23456789abcd";
    assert_eq!(normalise(&format!("{uuid} {uuid} 0{uuid}")), format!("<id 1> <id 1> 0{uuid}"));
    assert_eq!(normalise("2030-01-01T00:00:00Z 2030-01-01T00:00:00.5Z"), "<time 1> <time 2>");
    assert_eq!(normalise(&format!("riq_{} riq_abcd", "x".repeat(43))), "<secret 1> <prefix 1>");
    assert_eq!(
        normalise("name     2030-01-01T00:00:00Z  riq_[A-Za-z0-9_-]{43}"),
        "name  <time 1>  riq_[A-Za-z0-9_-]{43}"
    );
}
