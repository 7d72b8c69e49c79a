//! What keyward makes of bytes that others made. Each target takes any bytes, and panics where a promise is broken.
//!
//! | targets | promise |
//! |---|---|
//! | `presented`, `foreign` | what has the form of a key is accepted, nothing else is, and nothing of it is repeated |
//! | `texts`, `scopes` | what is accepted is within its bounds and comes back as it was; a key holds no scope but its own |
//! | `instants`, `lists`, `urls`, `arguments` | what is read means what another reader says that it means |
//! | `sealed` | an envelope has one text, and opens only if it was sealed |
//! | `seal_keys` | a ring is read as another reader reads it, and no error shows a key |
//! | `standard`, `scraper`, `mesh`, `aggregator` | no row, whatever stands in it, lets in a key or grants a permission that it does not name |
//! | `stored_instants`, `stored_lists` | the same, for one column that decides |
//! | `answers`, `multibase`, `endpoints` | tokens are taken, keys and URLs read, as another reader does it; no token is shown |
//! | `history` | no entry of a history, whatever stands in it, hides the others |
//!
//! `cargo test -p keyward-fuzz` replays `corpus/`; `tests/fuzz/run` looks for more.

mod parsers;
mod rows;

/// Where the readers of `parsers` that are compiled from the library's own files look for what they use of it.
mod time {
    pub(crate) use keyward::Timestamp;
}

/// As `time`.
mod sql {
    pub(crate) mod engine {
        pub(crate) use keyward::sql::ConnectError;
    }
}

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also the name of its folder in the corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("presented", parsers::keys::presented),
    ("foreign", parsers::keys::foreign),
    ("texts", parsers::texts::texts),
    ("scopes", parsers::texts::scopes),
    ("instants", parsers::instants::instants),
    ("lists", parsers::lists::lists),
    ("urls", parsers::urls::urls),
    ("arguments", parsers::arguments::arguments),
    ("sealed", parsers::sealed::sealed),
    ("seal_keys", parsers::sealed::seal_keys),
    ("answers", parsers::credentials::answers),
    ("multibase", parsers::credentials::multibase),
    ("endpoints", parsers::credentials::endpoints),
    ("standard", rows::standard::row),
    ("scraper", rows::scraper::row),
    ("mesh", rows::mesh::row),
    ("aggregator", rows::aggregator::row),
    ("stored_instants", rows::standard::instant),
    ("stored_lists", rows::mesh::list),
    ("history", rows::standard::history),
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// Each input under its own name, so that one that fails is found again.
    #[test]
    fn the_corpus_breaks_no_promise() {
        let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"));
        for (name, target) in TARGETS {
            let mut inputs: Vec<_> =
                fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(!inputs.is_empty(), "{name} has no corpus");
            inputs.sort();
            for input in inputs {
                let bytes = fs::read(&input).unwrap();
                let done = std::panic::catch_unwind(|| target(&bytes));
                assert!(done.is_ok(), "{}", input.display());
            }
        }
    }

    #[test]
    fn no_bytes_at_all_break_no_promise() {
        for (_, target) in TARGETS {
            target(&[]);
        }
    }
}
