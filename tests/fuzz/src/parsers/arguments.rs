//! Single values on the command line.

use keyward::Timestamp;

#[path = "../../../../src/bin/keyward/arguments/values.rs"]
mod values;

use values::{When, duration, json, lengths};

const NOW: Timestamp = Timestamp::from_micros(1_893_456_000_000_000);

/// No value panics, and what is read lies where it was asked for.
pub(crate) fn arguments(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(duration) = duration(text) {
        assert!(NOW.saturating_add(duration) >= NOW && NOW.saturating_sub(duration) <= NOW);
    }
    if let Ok(when) = text.parse::<When>() {
        let (ahead, ago) = (when.ahead(NOW), when.ago(NOW));
        match when {
            When::At(at) => assert!(ahead == at && ago == at),
            When::Distance(_) => assert!(ahead >= NOW && ago <= NOW),
        }
    }
    if let Ok(json) = json(text) {
        assert!(json == text && serde_json::from_str::<serde_json::Value>(text).is_ok());
    }
    if let Ok(lengths) = lengths(text) {
        let numbers: Vec<_> = text.split("..").map(|number| number.trim_start_matches('=').parse()).collect();
        assert_eq!(numbers.first(), Some(&Ok(*lengths.start())), "{text:?}");
        assert!(numbers.contains(&Ok(*lengths.end())), "{text:?}");
    }
}
