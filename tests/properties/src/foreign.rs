//! Foreign formats accept exactly what they declare: a prefix, a range of lengths, printable ASCII.

use keyward::key::{Encoding, ForeignFormat, KeyDigest, KeyFormat, KeyFormats, MAX_PRESENTED_LEN};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_foreign_format_accepts_exactly_what_it_declares(
        prefix in "[!-~]{0,8}",
        least in 8_usize..40,
        more in 0_usize..500,
        text in prop_oneof!["[!-~]{0,60}", "[ -~é\n]{0,60}", any::<String>()],
        starts_well in any::<bool>(),
    ) {
        let (shortest, longest) = (prefix.len() + least, (prefix.len() + least + more).min(MAX_PRESENTED_LEN));
        let format = ForeignFormat::new(&prefix, shortest..=longest).expect("a sound format");
        let text = if starts_well { format!("{prefix}{text}") } else { text };
        let fits = text.starts_with(&prefix)
            && (shortest..=longest).contains(&text.len())
            && text[prefix.len()..].bytes().all(|byte| (b'!'..=b'~').contains(&byte));
        match format.parse(&text) {
            Ok(parsed) => {
                prop_assert!(fits, "accepted {text:?}");
                prop_assert_eq!(parsed.digest(), KeyDigest::of(&text));
                prop_assert!(text.starts_with(parsed.display_prefix()));
                prop_assert!(parsed.display_prefix().len() < text.len(), "the whole key is shown");
            }
            Err(malformed) => prop_assert!(!fits, "refused {text:?}: {malformed}"),
        }
    }

    #[test]
    fn an_accepted_format_more_takes_no_key_away(text in prop_oneof!["(sk_|acme_)[!-~]{0,60}", any::<String>()]) {
        let own = KeyFormat::new("acme_", 24, Encoding::Base62Checked, 9).expect("a sound format");
        let foreign = ForeignFormat::new("sk_", 24..=64).expect("a sound format");
        let both = KeyFormats::new(own).accepting_foreign(foreign.clone());
        prop_assert_eq!(both.parse(&text).is_ok(), own.parse(&text).is_ok() || foreign.parse(&text).is_ok());
    }
}
