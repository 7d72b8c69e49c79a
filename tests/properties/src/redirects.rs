//! Nothing but the port of a loopback address may differ from a redirect URI, and only its own verifier meets a challenge.

use keyward::broker::{CodeChallenge, RedirectUri, TokenDigest};
use proptest::prelude::*;
use url::Url;

/// What stands before and behind the port of a text that is nearly a redirect URI, or is one.
fn any_parts() -> impl Strategy<Value = (String, String)> {
    let scheme = prop::sample::select(&["http", "https", "HTTP", "com.example.app", "javascript"]);
    let between =
        prop_oneof![6 => Just("://"), 1 => prop::sample::select(&[":", ":///", "://user@", "://127.0.0.1:1@"])];
    let host = prop::sample::select(&["127.0.0.1", "127.0.0.2", "[::1]", "localhost", "app.example", "127.1", ""]);
    let rest = "(/[a-b/.%\\\\]{0,3})?([?][a-b=&]{0,3})?";
    let fragment = prop_oneof![6 => Just(""), 1 => Just("#")];
    (scheme, between, host, rest, fragment).prop_map(|(scheme, between, host, rest, fragment)| {
        (format!("{scheme}{between}{host}"), format!("{rest}{fragment}"))
    })
}

fn any_port() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(String::new()), 6 => ":[0-9]{0,6}", 1 => "[:@a-z0-9]{0,4}"]
}

fn any_uri() -> impl Strategy<Value = String> {
    let built = (any_parts(), any_port()).prop_map(|((before, behind), port)| format!("{before}{port}{behind}"));
    prop_oneof![8 => built, 1 => ".{0,40}"]
}

/// Two texts, many of which differ in one part alone.
fn any_two_uris() -> impl Strategy<Value = (String, String)> {
    let same = || prop::bool::weighted(0.7);
    let alike = (any_parts(), any_parts(), any_port(), any_port(), same(), same()).prop_map(
        |(one, other, port, other_port, same_before, same_behind)| {
            let before = if same_before { &one.0 } else { &other.0 };
            let behind = if same_behind { &one.1 } else { &other.1 };
            (format!("{}{port}{}", one.0, one.1), format!("{before}{other_port}{behind}"))
        },
    );
    prop_oneof![4 => alike, 1 => (any_uri(), any_uri())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_is_admitted_leads_to_the_same_place((registered, presented) in any_two_uris()) {
        let Ok(registered) = RedirectUri::new(registered) else { return Ok(()) };
        prop_assert!(registered.admits(registered.as_str()));
        if !registered.admits(&presented) || registered.as_str() == presented {
            return Ok(());
        }
        prop_assert!(RedirectUri::new(presented.as_str()).is_ok(), "what is admitted could be registered");
        let [mut own, mut other] = [registered.as_str(), &presented].map(|uri| Url::parse(uri).expect("a URL"));
        prop_assert_eq!(own.scheme(), "http");
        for url in [&mut own, &mut other] {
            prop_assert!(url.host_str().is_some_and(|host| host.starts_with("127.") || host == "[::1]"), "{}", url);
            url.set_port(None).expect("a URL with a host");
        }
        prop_assert_eq!(own, other, "nothing differs but the port");
    }

    #[test]
    fn what_may_be_registered_leads_where_it_seems_to(uri in any_uri()) {
        let Ok(registered) = RedirectUri::new(uri.as_str()) else { return Ok(()) };
        prop_assert_eq!(registered.as_str(), &uri, "it is kept letter for letter");
        let url = Url::parse(&uri).expect("a URL");
        prop_assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
        match url.scheme() {
            "https" => {}
            "http" => prop_assert!(["localhost", "127.", "[::1]"].iter().any(|own| registered.host().starts_with(own))),
            private => prop_assert!(private.contains('.')),
        }
        let answer = Url::parse(&registered.with_parameters(&[("code", "a&b#c"), ("state", "ü")])).expect("a URL");
        prop_assert_eq!(last_two(&answer), [("code".to_owned(), "a&b#c".to_owned()), ("state".to_owned(), "ü".to_owned())]);
        prop_assert_eq!((answer.scheme(), answer.host_str(), answer.path()), (url.scheme(), url.host_str(), url.path()));
    }

    #[test]
    fn a_challenge_is_met_by_its_own_verifier_alone(verifier in "[A-Za-z0-9._~-]{43,60}", other in ".{0,60}") {
        let challenge = challenge_of(&verifier);
        prop_assert!(challenge.is_met_by(&verifier));
        prop_assert_eq!(challenge.is_met_by(&other), other == verifier);
        prop_assert!(!challenge.is_met_by(challenge.as_str()), "`plain` is not taken");
        prop_assert!(!challenge.is_met_by(&verifier[1..]));
    }

    #[test]
    fn no_text_makes_a_challenge_panic(text in ".{0,50}") {
        if let Some(challenge) = CodeChallenge::new(text.as_str()) {
            prop_assert_eq!(challenge.as_str(), text);
        }
    }
}

/// The parameters that stand last.
fn last_two(url: &Url) -> Vec<(String, String)> {
    let mut all: Vec<_> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    all.split_off(all.len().saturating_sub(2))
}

/// The challenge of a verifier: the base64url of its SHA-256, written out once more.
fn challenge_of(verifier: &str) -> CodeChallenge {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digest = TokenDigest::of(verifier).to_hex();
    let bits: String = digest
        .as_str()
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| format!("{digit:04b}"))
        .chain(["00".to_owned()])
        .collect();
    let letter = |start: usize| char::from(LETTERS[usize::from_str_radix(&bits[start..start + 6], 2).expect("bits")]);
    CodeChallenge::new((0..bits.len()).step_by(6).map(letter).collect::<String>()).expect("a challenge")
}
