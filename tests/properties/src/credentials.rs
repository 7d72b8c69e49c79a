//! What an authorization server answers is sorted whatever it is; keys and endpoints mean what others read in them.

use keyward::Secret;
use keyward::credential::{
    AnswerHeaders, CoordinateForm, DpopKey, Endpoint, Expected, InvalidDpopKey, KeyBinding, ResourceAnswer,
    RevocationAnswer, ServerAnswer, TokenAnswer, TokenOutcome, TokenType,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

const SENT: &str = "ref-the-one-that-was-sent";
const GIVEN: &str = "acc-the-one-that-was-given";
const NEXT: &str = "ref-the-one-that-follows";

fn understand(status: u16, headers: &AnswerHeaders, body: &[u8]) -> TokenAnswer {
    let sent = Secret::new(SENT.to_owned());
    let expected = Expected::new(TokenType::Dpop, &sent).subject("did:plc:a").scope("atproto");
    let answer = ServerAnswer::new(status, headers, body);
    let _ = RevocationAnswer::understand(answer, &sent, true);
    let _ = ResourceAnswer::understand(status, headers);
    TokenAnswer::understand(answer, &expected)
}

fn any_headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name =
        prop::sample::select(vec!["DPoP-Nonce", "dpop-nonce", "Retry-After", "WWW-Authenticate", "Content-Type"]);
    let value = prop_oneof![
        vec(any::<u8>(), 0..80),
        "[ -~]{0,80}".prop_map(String::into_bytes),
        "(DPoP|Bearer|Basic) (error|realm) ?= ?\"?(use_dpop_nonce|invalid_token|.{0,8})\"?,?.{0,20}"
            .prop_map(String::into_bytes),
    ];
    vec((name.prop_map(str::to_owned), value), 0..4)
}

/// A member's value: the right one, or another.
fn any_member(right: Value) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        4 => Just(Some(right)),
        1 => Just(None),
        1 => Just(Some(Value::Null)),
        1 => prop::sample::select(vec![json!(""), json!(5), json!(-1.5), json!([]), json!({}), json!(true), json!("é\n")])
            .prop_map(Some),
    ]
}

fn any_success() -> impl Strategy<Value = Value> {
    let members = (
        any_member(json!(GIVEN)),
        any_member(json!(NEXT)),
        any_member(json!("DPoP")),
        any_member(json!("x atproto")),
        any_member(json!("did:plc:a")),
        any_member(json!(3600)),
    );
    members.prop_map(|(access_token, refresh_token, token_type, scope, sub, expires_in)| {
        let mut object = json!({"unknown": [1, {"a": null}]});
        let named = [
            ("access_token", access_token),
            ("refresh_token", refresh_token),
            ("token_type", token_type),
            ("scope", scope),
            ("sub", sub),
            ("expires_in", expires_in),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                object[name] = value;
            }
        }
        object
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_answer_panics(status in any::<u16>(), headers in any_headers(), body in vec(any::<u8>(), 0..300)) {
        let headers: AnswerHeaders = headers.into_iter().collect();
        let answer = understand(status, &headers, &body);
        prop_assert_eq!(answer.nonce.as_ref(), headers.nonce());
        let is_success = matches!(status, 200..=299);
        let is_judged = matches!(answer.outcome, TokenOutcome::Refreshed(_) | TokenOutcome::Unacceptable { .. });
        prop_assert!(is_success || !is_judged);
        prop_assert!(!is_success || !answer.outcome.spent_nothing());
    }

    #[test]
    fn tokens_are_taken_exactly_when_everything_about_them_is_right(body in any_success()) {
        let outcome = understand(200, &AnswerHeaders::default(), body.to_string().as_bytes()).outcome;
        // The rule, said once more in other words.
        let absent = |name: &str| body.get(name).is_none_or(Value::is_null);
        let has_access_token = body.get("access_token") == Some(&json!(GIVEN));
        let is_good = body.get("token_type") == Some(&json!("DPoP"))
            && body.get("sub") == Some(&json!("did:plc:a"))
            && (absent("refresh_token") || body["refresh_token"] == NEXT)
            && (absent("scope") || body["scope"] == "x atproto");
        match &outcome {
            TokenOutcome::Refreshed(pair) => {
                prop_assert!(has_access_token && is_good, "{}", body);
                prop_assert_eq!(pair.refresh_token.is_some(), !absent("refresh_token"));
            }
            TokenOutcome::Unacceptable { .. } => prop_assert!(has_access_token && !is_good, "{}", body),
            TokenOutcome::Uncertain(_) => prop_assert!(!has_access_token, "{}", body),
            other => prop_assert!(false, "{:?} for {}", other, body),
        }
        let printed = format!("{outcome:?}{outcome:#?}");
        prop_assert!(!printed.contains(GIVEN) && !printed.contains(NEXT), "{}", printed);
    }

    #[test]
    fn a_refusal_is_never_shown_with_the_token_that_was_sent(
        status in 300_u16..600, code in ".{0,20}", before in ".{0,400}", behind in ".{0,40}", again in any::<bool>(),
    ) {
        let description = format!("{before}{SENT}{behind}{}", if again { SENT } else { "" });
        let body = json!({"error": format!("{code}{SENT}"), "error_description": description}).to_string();
        let printed = format!("{:?}", understand(status, &AnswerHeaders::default(), body.as_bytes()));
        prop_assert!(!printed.contains(SENT), "{}", printed);
        prop_assert!(printed.chars().count() < 8_000);
    }

    #[test]
    fn headers_are_read_whatever_they_are(text in ".{0,200}", status in any::<u16>()) {
        let headers: AnswerHeaders = [("WWW-Authenticate", text.as_str())].into_iter().collect();
        let _ = understand(status, &headers, b"");
    }

    #[test]
    fn an_endpoint_is_read_as_another_reader_reads_it(
        scheme in "(http|https|HTTPS|ftp)",
        host in r"(localhost|127\.0\.0\.[0-9]{1,3}|\[::1?\]|[a-z0-9.-]{1,9}|[a-z@%\\]{1,9})(:[0-9]{0,5})?",
        path in "(/[ -~]{0,9}|(/[a-z.%2e]{0,4}){0,3})",
        query in "([?#][ -~]{0,5})?",
    ) {
        let url = format!("{scheme}://{host}{path}{query}");
        if let Ok(endpoint) = Endpoint::new(url.clone()) {
            let read = Url::parse(&url);
            // An encoded name that nothing encodes to is read by nobody.
            prop_assume!(!host.contains("xn--"));
            prop_assert!(read.is_ok(), "{}", url);
            let read = read.expect("a URL");
            let host = endpoint.host().to_ascii_lowercase();
            // Of an IPv6 address there are several spellings.
            prop_assert!(host.starts_with('[') || read.host_str() == Some(host.as_str()), "{}", url);
            prop_assert!(read.username().is_empty() && read.password().is_none() && read.fragment().is_none(), "{}", url);
            prop_assert!(read.scheme() == "https" || endpoint.is_loopback(), "{}", url);
            // The path ends at a question mark, wherever it was put.
            let path = path.split('?').next().filter(|path| !path.is_empty()).unwrap_or("/");
            prop_assert_eq!(read.path(), path, "{}", url);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_a_panic(text in "z?[ -~]{0,60}") {
        if let Ok(key) = DpopKey::from_multibase(&text) {
            prop_assert!(key.to_multibase().expose_secret() == text);
        }
    }
}

proptest! {
    // Few cases, because each multiplies on the curve.
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_key_is_written_and_read_back(scalar in any::<[u8; 32]>()) {
        let text = encoded(&scalar);
        match DpopKey::from_multibase(&text) {
            Ok(key) => {
                prop_assert!(key.to_multibase().expose_secret() == text);
                for form in [CoordinateForm::Padded, CoordinateForm::Unpadded] {
                    prop_assert_eq!(key.thumbprint(form).len(), 43);
                }
                prop_assert_eq!(key.binding(&text), KeyBinding::Unknown);
            }
            // One of 2^32.
            Err(error) => prop_assert!(error == InvalidDpopKey::OutOfRange && scalar[..4] == [0xff; 4]),
        }
    }
}

/// Multibase, by long division.
fn encoded(scalar: &[u8; 32]) -> String {
    const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut number = [&[0x86, 0x26][..], scalar].concat();
    let mut digits = Vec::new();
    while number.iter().any(|octet| *octet != 0) {
        let mut rest = 0_u32;
        for octet in &mut number {
            rest = (rest << 8) | u32::from(*octet);
            *octet = u8::try_from(rest / 58).expect("less than 256");
            rest %= 58;
        }
        digits.push(char::from(DIGITS[rest as usize]));
    }
    digits.push('z');
    digits.iter().rev().collect()
}
