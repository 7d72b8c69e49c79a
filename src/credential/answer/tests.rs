//! Each line of what the atproto PDS was seen to answer, and of how answers have to be sorted and checked.

use super::*;
use std::time::Duration;

const DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";

fn refresh_token() -> Secret {
    Secret::new("ref-the-old-one".to_owned())
}

fn understand(status: u16, headers: &[(&str, &str)], body: &str) -> TokenAnswer {
    let (sent, headers) = (refresh_token(), headers.iter().copied().collect());
    let expected = Expected::new(TokenType::Dpop, &sent).subject(DID).scope("atproto");
    TokenAnswer::understand(ServerAnswer::new(status, &headers, body.as_bytes()), &expected)
}

fn outcome(status: u16, body: &str) -> TokenOutcome {
    understand(status, &[("DPoP-Nonce", "n-1"), ("Content-Type", "application/json")], body).outcome
}

fn refused(status: u16, code: &str) -> TokenOutcome {
    outcome(status, &format!(r#"{{"error":"{code}","error_description":"as it is"}}"#))
}

/// A success of the PDS, in which one member is another.
fn success(name: &str, json: Option<&str>) -> String {
    let sub = format!("\"{DID}\"");
    let members = [
        ("access_token", "\"acc-new\""),
        ("refresh_token", "\"ref-new\""),
        ("token_type", "\"DPoP\""),
        ("scope", "\"atproto transition:generic\""),
        ("expires_in", "3599"),
        ("sub", sub.as_str()),
    ];
    let members = members.into_iter().map(|(known, value)| (known, if known == name { json } else { Some(value) }));
    let members: Vec<_> = members.filter_map(|(name, json)| json.map(|json| format!(r#""{name}":{json}"#))).collect();
    format!("{{{}}}", members.join(","))
}

fn judged(name: &str, json: Option<&str>) -> Result<TokenPair, Unacceptable> {
    match outcome(200, &success(name, json)) {
        TokenOutcome::Refreshed(pair) => Ok(pair),
        TokenOutcome::Unacceptable { reason, pair } => {
            assert_eq!(pair.access_token.expose_secret(), "acc-new");
            Err(reason)
        }
        other => panic!("{other:?}"),
    }
}

// What the PDS answers.

#[test]
fn a_proof_without_a_nonce_or_with_a_stale_one_is_sent_again_with_the_new_one() {
    let body = r#"{"error":"use_dpop_nonce","error_description":"Authorization server requires nonce in DPoP proof"}"#;
    let answer = understand(400, &[("dpop-nonce", "n-2")], body);
    assert!(matches!(answer.outcome, TokenOutcome::UseNonce) && answer.outcome.spent_nothing());
    assert_eq!(answer.nonce.as_ref().map(DpopNonce::as_str), Some("n-2"));
    // As a 401, and by the challenge alone.
    assert!(matches!(refused(401, "use_dpop_nonce"), TokenOutcome::UseNonce));
    let challenge = [("WWW-Authenticate", "DPoP error=\"use_dpop_nonce\""), ("DPoP-Nonce", "n-3")];
    assert!(matches!(understand(401, &challenge, "").outcome, TokenOutcome::UseNonce));
}

#[test]
fn a_nonce_that_is_asked_for_and_not_given_is_no_reason_to_try_again() {
    let body = r#"{"error":"use_dpop_nonce"}"#;
    for headers in [&[][..], &[("DPoP-Nonce", "")], &[("DPoP-Nonce", "a b")]] {
        assert!(matches!(understand(400, headers, body).outcome, TokenOutcome::ProofRefused(_)));
    }
    // A refresh without a proof has no nonce to give.
    let (sent, headers) = (refresh_token(), [("DPoP-Nonce", "n")].into_iter().collect());
    let expected = Expected::new(TokenType::Bearer, &sent);
    let answer = TokenAnswer::understand(ServerAnswer::new(400, &headers, body.as_bytes()), &expected);
    assert!(matches!(answer.outcome, TokenOutcome::ProofRefused(_)));
}

#[test]
fn every_answer_gives_its_nonce() {
    for (status, body) in
        [(200, "{}"), (200, ""), (302, ""), (400, "{"), (401, ""), (429, ""), (500, "<html>"), (999, "")]
    {
        let answer = understand(status, &[("DPoP-Nonce", "n-7")], body);
        assert_eq!(answer.nonce.as_ref().map(DpopNonce::as_str), Some("n-7"), "{status}");
        assert_eq!(understand(status, &[], body).nonce, None);
    }
}

#[test]
fn a_refresh_gives_a_new_pair() {
    let pair = judged("", None).unwrap();
    assert_eq!(pair.access_token.expose_secret(), "acc-new");
    assert_eq!(pair.refresh_token.as_ref().map(Secret::expose_secret), Some("ref-new"));
    assert_eq!(pair.expires_in, Some(Duration::from_secs(3599)));
    assert_eq!(pair.scope.map(|scopes| scopes.to_string()).as_deref(), Some("atproto transition:generic"));
    assert_eq!(pair.subject.as_deref(), Some(DID));
}

#[test]
fn the_end_of_a_session_is_told_with_its_cause() {
    for (description, expected) in [
        ("Refresh token replayed", EndCause::Replayed),
        ("DPoP proof does not match the expected JKT", EndCause::OtherKey),
        ("Session expired", EndCause::Expired),
        ("Invalid refresh token", EndCause::Unsaid),
    ] {
        let answer = outcome(400, &format!(r#"{{"error":"invalid_grant","error_description":"{description}"}}"#));
        assert!(!answer.spent_nothing());
        let TokenOutcome::Ended { cause, error } = answer else { panic!("{answer:?}") };
        assert_eq!((cause, error.description()), (expected, Some(description)));
    }
    assert!(matches!(
        outcome(400, r#"{"error":"invalid_grant"}"#),
        TokenOutcome::Ended { cause: EndCause::Unsaid, .. }
    ));
}

#[test]
fn the_loser_of_two_refreshes_at_once_is_no_dead_session() {
    let answer = outcome(500, r#"{"error":"server_error","error_description":"Server error"}"#);
    assert!(matches!(answer, TokenOutcome::Later { .. }) && !answer.spent_nothing());
}

#[test]
fn a_refused_proof_and_a_refused_client_have_spent_nothing() {
    let answer = refused(401, "invalid_dpop_proof");
    assert!(matches!(answer, TokenOutcome::ProofRefused(_)) && answer.spent_nothing());
    for (status, code) in [(400, "invalid_client"), (401, "invalid_client"), (400, "unauthorized_client")] {
        let answer = refused(status, code);
        assert!(matches!(answer, TokenOutcome::ClientRefused(_)) && answer.spent_nothing());
    }
}

// How answers are sorted.

#[test]
fn a_server_that_cannot_answer_now_is_asked_later() {
    for status in [408, 425, 429, 500, 501, 502, 503, 520, 599] {
        for body in ["", "<html>Bad Gateway</html>", r#"{"error":"invalid_grant"}"#, r#"{"error":"use_dpop_nonce"}"#] {
            assert!(matches!(outcome(status, body), TokenOutcome::Later { .. }), "{status} {body}");
        }
    }
    for code in ["server_error", "temporarily_unavailable", "slow_down"] {
        assert!(matches!(refused(400, code), TokenOutcome::Later { .. }));
    }
    let answer = understand(503, &[("Retry-After", "30")], "").outcome;
    let TokenOutcome::Later { retry_after, error } = answer else { panic!("{answer:?}") };
    assert_eq!((retry_after, error.status()), (Some(RetryAfter::In(Duration::from_secs(30))), 503));
}

#[test]
fn a_gateway_that_gave_up_waiting_leaves_it_uncertain() {
    for status in [504, 522, 524] {
        for body in ["", "<html>Gateway Timeout</html>", "{}"] {
            assert!(matches!(outcome(status, body), TokenOutcome::Uncertain(Unreadable::Status)), "{status} {body}");
        }
        let answer = outcome(status, r#"{"error":"temporarily_unavailable"}"#);
        assert!(matches!(answer, TokenOutcome::Later { .. }), "the server itself has answered");
    }
}

#[test]
fn other_refusals_end_nothing() {
    for (status, body) in [
        (400, r#"{"error":"invalid_request"}"#),
        (400, r#"{"error":"INVALID_GRANT"}"#),
        (400, r#"{"error":"invalid_grant "}"#),
        (400, r#"{"error":["invalid_grant"]}"#),
        (400, r#"["invalid_grant"]"#),
        (400, r#"{"error":"invalid_grant","error":"invalid_grant"}"#),
        (400, "invalid_grant"),
        (401, ""),
        (403, "<html>Forbidden: invalid_grant</html>"),
        (404, ""),
        (301, r#"{"error":"invalid_grant"}"#),
        (307, ""),
    ] {
        let answer = outcome(status, body);
        assert!(matches!(answer, TokenOutcome::RequestRefused(_)) && answer.spent_nothing(), "{status} {body}");
    }
    let long = format!(r#"{{"error":"invalid_grant","x":"{}"}}"#, "x".repeat(MAX_ANSWER_LEN));
    assert!(matches!(outcome(400, &long), TokenOutcome::RequestRefused(_)));
}

#[test]
fn a_success_that_cannot_be_read_is_uncertain() {
    for (body, expected) in [
        ("", Unreadable::NotJson),
        ("<html>Welcome to our hotel</html>", Unreadable::NotJson),
        ("{", Unreadable::NotJson),
        ("{}", Unreadable::AccessToken),
    ] {
        let answer = outcome(200, body);
        assert!(matches!(answer, TokenOutcome::Uncertain(found) if found == expected), "{body}");
        assert!(!answer.spent_nothing());
    }
    let long = success("sub", Some(&format!("\"{}\"", "x".repeat(MAX_ANSWER_LEN))));
    assert!(matches!(outcome(200, &long), TokenOutcome::Uncertain(Unreadable::TooLong)));
    for status in [0, 100, 199, 600, 999, u16::MAX] {
        assert!(matches!(outcome(status, "{}"), TokenOutcome::Uncertain(Unreadable::Status)));
    }
}

#[test]
fn tokens_are_not_lost_for_a_wrong_content_type() {
    for content_type in ["text/html", "text/plain; charset=latin1", "application/jwt", ""] {
        let answer = understand(200, &[("Content-Type", content_type)], &success("", None));
        assert!(matches!(answer.outcome, TokenOutcome::Refreshed(_)));
    }
    assert!(matches!(outcome(201, &success("", None)), TokenOutcome::Refreshed(_)));
}

// How tokens are checked.

#[test]
fn the_subject_has_to_be_the_account() {
    for wrong in [Some("\"did:plc:other\""), Some("\"\""), Some("null"), Some("5"), None] {
        assert_eq!(judged("sub", wrong).err(), Some(Unacceptable::Subject));
    }
    let upper = format!("\"{}\"", DID.to_uppercase());
    assert_eq!(judged("sub", Some(&upper)).err(), Some(Unacceptable::Subject));
}

#[test]
fn the_type_is_the_sessions_in_any_case() {
    for right in ["\"DPoP\"", "\"dpop\"", "\"DPOP\""] {
        assert!(judged("token_type", Some(right)).is_ok());
    }
    for wrong in [Some("\"Bearer\""), Some("\"\""), Some("\"DPoP \""), Some("null"), Some("1"), None] {
        assert_eq!(judged("token_type", wrong).err(), Some(Unacceptable::TokenType));
    }
}

#[test]
fn a_refresh_token_that_did_not_come_leaves_the_old_one() {
    for absent in [None, Some("null")] {
        assert!(judged("refresh_token", absent).unwrap().refresh_token.is_none());
    }
    for wrong in ["\"\"", "5", "{}", "\"a\\nb\""] {
        assert_eq!(judged("refresh_token", Some(wrong)).err(), Some(Unacceptable::RefreshToken));
    }
}

#[test]
fn a_scope_that_is_not_named_is_kept_and_one_that_is_lost_is_not() {
    for absent in [None, Some("null")] {
        assert!(judged("scope", absent).unwrap().scope.is_none());
    }
    for lost in ["\"transition:generic\"", "\"\"", "\"atproto:x\"", "\"ATPROTO\"", "[\"atproto\"]", "5"] {
        assert_eq!(judged("scope", Some(lost)).err(), Some(Unacceptable::Scope), "{lost}");
    }
    assert!(judged("scope", Some("\"a  atproto\"")).is_ok());
}

#[test]
fn a_lifetime_that_is_odd_costs_nothing() {
    for (odd, expected) in
        [(Some("-5"), Some(0)), (Some("1e99"), Some(u32::MAX.into())), (Some("\"x\""), None), (None, None)]
    {
        let expires_in = judged("expires_in", odd).unwrap().expires_in;
        assert_eq!(expires_in.map(|duration| duration.as_secs()), expected);
    }
}

#[test]
fn a_bearer_session_expects_what_it_was_told_to_and_no_more() {
    let (sent, headers) = (refresh_token(), AnswerHeaders::default());
    let answer = |body: &str| {
        let expected = Expected::new(TokenType::Bearer, &sent);
        TokenAnswer::understand(ServerAnswer::new(200, &headers, body.as_bytes()), &expected).outcome
    };
    assert!(matches!(answer(r#"{"access_token":"a","token_type":"bearer"}"#), TokenOutcome::Refreshed(_)));
    assert!(matches!(answer(r#"{"access_token":"a","token_type":"bearer","scope":7}"#), TokenOutcome::Refreshed(_)));
    let other = answer(r#"{"access_token":"a","token_type":"DPoP"}"#);
    assert!(matches!(other, TokenOutcome::Unacceptable { reason: Unacceptable::TokenType, .. }));
}

#[test]
fn a_revocation_is_done_or_asked_for_again() {
    let understand = |status, body: &str| {
        let headers = [("DPoP-Nonce", "n-1"), ("Retry-After", "5")].into_iter().collect();
        RevocationAnswer::understand(ServerAnswer::new(status, &headers, body.as_bytes()), &refresh_token(), true)
    };
    assert!(matches!(understand(200, "").outcome, RevocationOutcome::Revoked));
    assert!(matches!(understand(200, "<html>").outcome, RevocationOutcome::Revoked));
    assert!(matches!(understand(400, r#"{"error":"use_dpop_nonce"}"#).outcome, RevocationOutcome::UseNonce));
    assert!(matches!(understand(503, "").outcome, RevocationOutcome::Later { retry_after: Some(_), .. }));
    for (status, body) in [(400, r#"{"error":"unsupported_token_type"}"#), (401, ""), (404, ""), (302, ""), (7, "")] {
        assert!(matches!(understand(status, body).outcome, RevocationOutcome::Refused(_)), "{status}");
    }
    assert_eq!(understand(500, "").nonce.as_ref().map(DpopNonce::as_str), Some("n-1"));
}

#[test]
fn no_token_is_printed_whatever_the_answer() {
    let sent = refresh_token();
    for status in [200, 400, 401, 500] {
        for body in [
            success("", None),
            success("sub", Some("\"another\"")),
            r#"{"error":"invalid_grant","error_description":"ref-the-old-one is spent"}"#.to_owned(),
            r#"{"error":"ref-the-old-one"}"#.to_owned(),
            "ref-the-old-one".to_owned(),
        ] {
            let headers = AnswerHeaders::default();
            let answer = ServerAnswer::new(status, &headers, body.as_bytes());
            let expected = Expected::new(TokenType::Dpop, &sent).subject(DID);
            let revoked = RevocationAnswer::understand(answer, &sent, true);
            let printed =
                format!("{answer:?} {:?} {expected:?} {revoked:?}", TokenAnswer::understand(answer, &expected));
            for hidden in ["acc-new", "ref-new", "ref-the-old-one"] {
                assert!(!printed.contains(hidden), "{printed}");
            }
        }
    }
}
