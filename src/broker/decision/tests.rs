//! What is redeemed, exchanged and accepted, and in which order refusals come.

use std::time::Duration;

use super::*;
use crate::broker::{
    AccessTokenRecord, ClientId, CodeChallenge, CodeRecord, Grant, GrantId, GrantRevocationReason, RefreshTokenRecord,
    SealedResponse, Subject, SubjectId, TokenDigest,
};
use crate::key::{Defect, Scopes};
use crate::seal::Sealed;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const DEFECT: Defect = Defect::new("grants", "scopes");
const REVOKED: Option<(Timestamp, GrantRevocationReason)> = Some((NOW, GrantRevocationReason::Revoked));
const URI: &str = "https://app.example/callback";
const RESOURCE: &str = "https://api.example/mcp";
// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn later() -> Timestamp {
    NOW.saturating_add(SECOND)
}

fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

fn scopes(names: &[&str]) -> Scopes {
    Scopes::from_stored(names.iter().copied())
}

fn grant() -> Grant {
    let subject = Subject::new(SubjectId::new("ada").unwrap());
    let id = GrantId::new("grant").unwrap();
    let grant = Grant::new(id, client("app"), subject, scopes(&["read", "write"]), NOW);
    Grant { resource: Some(RESOURCE.to_owned()), ..grant }
}

fn id() -> GrantId {
    grant().id
}

fn code() -> CodeRecord {
    let challenge = CodeChallenge::new(CHALLENGE).unwrap();
    CodeRecord::new(TokenDigest::of("code"), grant(), URI.to_owned(), challenge, later())
}

fn refresh() -> RefreshTokenRecord {
    RefreshTokenRecord::new(TokenDigest::of("refresh"), grant(), later())
}

fn access() -> AccessTokenRecord {
    AccessTokenRecord::new(TokenDigest::of("access"), grant(), NOW, later())
}

fn redeem(code: &CodeRecord, change: impl FnOnce(&mut Redemption<'_>)) -> Result<(), CodeRefusal> {
    let own = client("app");
    let mut presented =
        Redemption { client: &own, redirect_uri: Some(URI), verifier: Some(VERIFIER), resource: Some(RESOURCE) };
    change(&mut presented);
    decide_redemption(Some(code), presented, NOW)
}

fn exchange(
    token: &RefreshTokenRecord,
    name: &str,
    asked: Option<&[&str]>,
    resource: Option<&str>,
) -> Result<Option<Scopes>, RefreshRefusal> {
    let (own, asked) = (client(name), asked.map(scopes));
    let presented = Refresh { client: &own, scopes: asked.as_ref(), resource };
    decide_refresh(Some(token), presented, NOW).map(|verdict| match verdict {
        RefreshVerdict::Exchange(scopes) => Some(scopes),
        RefreshVerdict::Repeat(_) => None,
    })
}

#[test]
fn what_is_not_there_is_unknown() {
    let own = client("app");
    let presented = Redemption { client: &own, redirect_uri: Some(URI), verifier: Some(VERIFIER), resource: None };
    assert_eq!(decide_redemption(None, presented, NOW), Err(CodeRefusal::Unknown));
    let presented = Refresh { client: &own, scopes: None, resource: None };
    assert_eq!(decide_refresh(None, presented, NOW).err(), Some(RefreshRefusal::Unknown));
    assert_eq!(decide_access(None, None, NOW).err(), Some(AccessRefusal::Unknown));
}

#[test]
fn a_code_is_redeemed_by_its_client_with_its_uri_its_verifier_and_its_resource() {
    assert_eq!(redeem(&code(), |_| ()), Ok(()));
    assert_eq!(redeem(&code(), |presented| presented.resource = None), Ok(()));
    let other = client("App");
    let with_client = Redemption { client: &other, redirect_uri: Some(URI), verifier: Some(VERIFIER), resource: None };
    assert_eq!(decide_redemption(Some(&code()), with_client, NOW), Err(CodeRefusal::OtherClient));
    for uri in [None, Some(""), Some("https://app.example/callback/"), Some("https://APP.example/callback")] {
        assert_eq!(redeem(&code(), |presented| presented.redirect_uri = uri), Err(CodeRefusal::OtherRedirectUri));
    }
    for verifier in [None, Some(""), Some(CHALLENGE), Some(&VERIFIER[..42])] {
        assert_eq!(redeem(&code(), |presented| presented.verifier = verifier), Err(CodeRefusal::WrongVerifier));
    }
    for resource in ["", "https://api.example/mcp/", "https://api.example"] {
        let refusal = redeem(&code(), |presented| presented.resource = Some(resource));
        assert_eq!(refusal, Err(CodeRefusal::OtherResource));
    }
}

#[test]
fn a_loopback_port_that_differs_from_the_one_the_code_was_sent_to_does_not_redeem_it() {
    let code = CodeRecord { redirect_uri: "http://127.0.0.1:4711/cb".to_owned(), ..code() };
    assert_eq!(redeem(&code, |presented| presented.redirect_uri = Some("http://127.0.0.1:4711/cb")), Ok(()));
    let refusal = redeem(&code, |presented| presented.redirect_uri = Some("http://127.0.0.1:4712/cb"));
    assert_eq!(refusal, Err(CodeRefusal::OtherRedirectUri));
}

#[test]
fn a_code_without_a_challenge_is_redeemed_by_nobody() {
    let code = CodeRecord { challenge: None, ..code() };
    for verifier in [None, Some(""), Some(VERIFIER)] {
        assert_eq!(redeem(&code, |presented| presented.verifier = verifier), Err(CodeRefusal::WrongVerifier));
    }
}

#[test]
fn a_grant_that_names_no_resource_is_good_for_each_of_them_at_every_step() {
    let bare = Grant { resource: None, ..grant() };
    for resource in [None, Some(RESOURCE), Some("https://other.example")] {
        let code = CodeRecord { grant: bare.clone(), ..code() };
        assert_eq!(redeem(&code, |presented| presented.resource = resource), Ok(()));
        let token = RefreshTokenRecord { grant: bare.clone(), ..refresh() };
        assert!(exchange(&token, "app", None, resource).is_ok());
        assert!(
            decide_access(Some(AccessTokenRecord { grant: Some(bare.clone()), ..access() }), resource, NOW).is_ok()
        );
    }
}

#[test]
fn each_refusal_of_a_code_comes_before_the_next_one() {
    let mut grant = Grant { defect: Some(DEFECT), revoked: REVOKED, expires_at: Some(NOW), ..grant() };
    let mut code = CodeRecord { expires_at: NOW, spent_at: Some(NOW), defect: Some(DEFECT), ..code() };
    code.grant = grant.clone();
    let (own, other) = (client("app"), client("other"));
    let mut presented = Redemption { client: &other, redirect_uri: None, verifier: None, resource: Some("") };
    let decide = |code: &CodeRecord, presented| decide_redemption(Some(code), presented, NOW);
    assert_eq!(decide(&code, presented), Err(CodeRefusal::OtherClient));
    presented.client = &own;
    assert_eq!(decide(&code, presented), Err(CodeRefusal::Defective));
    code.defect = None;
    assert_eq!(decide(&code, presented), Err(CodeRefusal::Defective), "the grant's defect counts, too");
    grant.defect = None;
    code.grant = grant.clone();
    assert_eq!(decide(&code, presented), Err(CodeRefusal::OtherRedirectUri));
    presented.redirect_uri = Some(URI);
    assert_eq!(decide(&code, presented), Err(CodeRefusal::WrongVerifier));
    presented.verifier = Some(VERIFIER);
    assert_eq!(decide(&code, presented), Err(CodeRefusal::OtherResource));
    presented.resource = None;
    assert_eq!(decide(&code, presented), Err(CodeRefusal::Replayed(id())), "a replay is one however old it is");
    code.spent_at = None;
    assert_eq!(decide(&code, presented), Err(CodeRefusal::Revoked));
    code.grant.revoked = None;
    assert_eq!(decide(&code, presented), Err(CodeRefusal::Expired));
    code.expires_at = later();
    assert_eq!(decide(&code, presented), Err(CodeRefusal::Expired), "the end of the grant counts, too");
    code.grant.expires_at = Some(later());
    assert_eq!(decide(&code, presented), Ok(()));
}

#[test]
fn a_refresh_token_gives_the_scopes_of_the_grant_or_fewer() {
    assert_eq!(exchange(&refresh(), "app", None, None), Ok(Some(scopes(&["read", "write"]))));
    assert_eq!(exchange(&refresh(), "app", Some(&["write"]), Some(RESOURCE)), Ok(Some(scopes(&["write"]))));
    for asked in [&["read", "admin"][..], &["Read"], &["read write"], &["rea"]] {
        assert_eq!(exchange(&refresh(), "app", Some(asked), None), Err(RefreshRefusal::ExcessScope), "{asked:?}");
    }
    let refusal = exchange(&refresh(), "app", None, Some("https://other.example"));
    assert_eq!(refusal, Err(RefreshRefusal::OtherResource));
}

#[test]
fn each_refusal_of_a_refresh_token_comes_before_the_next_one() {
    let grant = Grant { defect: Some(DEFECT), revoked: REVOKED, expires_at: Some(NOW), ..grant() };
    let mut token = RefreshTokenRecord {
        client_exists: false,
        grant,
        expires_at: NOW,
        revoked_at: Some(NOW),
        spent_at: Some(NOW),
        defect: Some(DEFECT),
        ..refresh()
    };
    let (excess, elsewhere) = (Some(&["admin"][..]), Some("https://other.example"));
    assert_eq!(exchange(&token, "other", excess, elsewhere), Err(RefreshRefusal::OtherClient));
    assert_eq!(exchange(&token, "app", excess, elsewhere), Err(RefreshRefusal::Defective));
    token.defect = None;
    assert_eq!(exchange(&token, "app", excess, elsewhere), Err(RefreshRefusal::Defective), "the grant's counts, too");
    token.grant.defect = None;
    assert_eq!(exchange(&token, "app", excess, elsewhere), Err(RefreshRefusal::Revoked));
    token.client_exists = true;
    assert_eq!(exchange(&token, "app", excess, elsewhere), Err(RefreshRefusal::Revoked), "the grant was revoked, too");
    token.grant.revoked = None;
    assert_eq!(exchange(&token, "app", excess, elsewhere), Err(RefreshRefusal::Replayed(id())), "however old it is");
    token.spent_at = None;
    assert_eq!(exchange(&token, "app", excess, elsewhere), Err(RefreshRefusal::Revoked));
    token.revoked_at = None;
    assert_eq!(exchange(&token, "app", excess, elsewhere), Err(RefreshRefusal::Expired));
    token.expires_at = later();
    let refusal = exchange(&token, "app", excess, elsewhere);
    assert_eq!(refusal, Err(RefreshRefusal::Expired), "the end of the grant counts, too");
    token.grant.expires_at = Some(later());
    assert_eq!(exchange(&token, "app", excess, elsewhere), Err(RefreshRefusal::ExcessScope));
    assert_eq!(exchange(&token, "app", None, elsewhere), Err(RefreshRefusal::OtherResource));
    assert!(exchange(&token, "app", None, None).is_ok());
}

#[test]
fn an_answer_is_given_again_to_the_same_question_for_a_while_and_until_somebody_has_used_it() {
    let sealed = Sealed::parse(&format!("keyward.1.first.{}", "A".repeat(60))).unwrap();
    let response = SealedResponse::new(sealed, later(), later(), scopes(&["read"]));
    let spent = RefreshTokenRecord { spent_at: Some(NOW), response: Some(response.clone()), ..refresh() };
    let same = Some(&["read"][..]);
    let replayed = Err(RefreshRefusal::Replayed(id()));
    assert_eq!(exchange(&spent, "app", same, Some(RESOURCE)), Ok(None));

    assert_eq!(exchange(&spent, "app", None, None), replayed, "another question");
    let used = RefreshTokenRecord { successor_is_used: true, ..spent.clone() };
    assert_eq!(exchange(&used, "app", same, None), replayed, "somebody has used it");
    let over = RefreshTokenRecord { response: Some(SealedResponse { until: NOW, ..response }), ..spent.clone() };
    assert_eq!(exchange(&over, "app", same, None), replayed, "its time is over at its very second");
    let none = RefreshTokenRecord { response: None, ..spent.clone() };
    assert_eq!(exchange(&none, "app", same, None), replayed, "it may not be given again at all");

    assert_eq!(exchange(&spent, "app", Some(&["admin"]), None), replayed, "whatever else is asked with it");
    assert_eq!(exchange(&spent, "app", same, Some("")), replayed, "and for whatever resource");

    // Nobody but its client replays it.
    assert_eq!(exchange(&spent, "other", same, None), Err(RefreshRefusal::OtherClient));
    let ended = RefreshTokenRecord { grant: Grant { revoked: REVOKED, ..grant() }, ..spent };
    assert_eq!(exchange(&ended, "app", same, None), Err(RefreshRefusal::Revoked));
}

#[test]
fn each_refusal_of_an_access_token_comes_before_the_next_one() {
    let grant = Grant { defect: Some(DEFECT), revoked: REVOKED, expires_at: Some(NOW), ..grant() };
    let mut token = AccessTokenRecord {
        client_exists: false,
        grant: Some(grant.clone()),
        expires_at: NOW,
        revoked_at: Some(NOW),
        defect: Some(DEFECT),
        ..access()
    };
    let decide = |token: &AccessTokenRecord, resource| decide_access(Some(token.clone()), resource, NOW).map(|_| ());
    let elsewhere = Some("https://other.example");
    assert_eq!(decide(&token, elsewhere), Err(AccessRefusal::Defective));
    token.defect = None;
    assert_eq!(decide(&token, elsewhere), Err(AccessRefusal::Defective), "the grant's defect counts, too");
    let mut grant = Grant { defect: None, ..grant };
    token.grant = Some(grant.clone());
    assert_eq!(decide(&token, elsewhere), Err(AccessRefusal::Revoked));
    token.revoked_at = None;
    assert_eq!(decide(&token, elsewhere), Err(AccessRefusal::Revoked), "its client is gone, too");
    token.client_exists = true;
    assert_eq!(decide(&token, elsewhere), Err(AccessRefusal::Revoked), "its grant was revoked, too");
    grant.revoked = None;
    token.grant = Some(grant.clone());
    assert_eq!(decide(&token, elsewhere), Err(AccessRefusal::Expired));
    token.expires_at = later();
    assert_eq!(decide(&token, elsewhere), Err(AccessRefusal::Expired), "the end of the grant counts, too");
    grant.expires_at = Some(later());
    token.grant = Some(grant);
    assert_eq!(decide(&token, elsewhere), Err(AccessRefusal::OtherResource));
    assert_eq!(decide(&token, None), Ok(()));
    assert_eq!(decide(&token, Some(RESOURCE)), Ok(()));
}

#[test]
fn an_access_token_that_another_program_has_made_is_judged_by_its_own_row() {
    let token = AccessTokenRecord { grant: None, ..access() };
    let principal = decide_access(Some(token.clone()), Some("https://any.example"), NOW).unwrap();
    assert_eq!((principal.client().as_str(), principal.subject().id.as_str()), ("app", "ada"));
    assert_eq!((principal.resource(), principal.expires_at()), (None, later()));
    let decide = |token| decide_access(Some(token), None, NOW).err();
    assert_eq!(decide(AccessTokenRecord { expires_at: NOW, ..token.clone() }), Some(AccessRefusal::Expired));
    assert_eq!(decide(AccessTokenRecord { revoked_at: Some(later()), ..token.clone() }), Some(AccessRefusal::Revoked));
    assert_eq!(decide(AccessTokenRecord { client_exists: false, ..token }), Some(AccessRefusal::Revoked));
}

#[test]
fn a_principal_has_the_scopes_of_its_token_and_not_those_of_the_grant() {
    let token = AccessTokenRecord { scopes: scopes(&["read"]), ..access() };
    assert_eq!(*decide_access(Some(token), None, NOW).unwrap().scopes(), scopes(&["read"]));
}

#[test]
fn one_thing_that_is_wrong_with_a_row_is_enough_and_ends_come_at_their_very_second() {
    let revoked = || Grant { revoked: REVOKED, ..grant() };
    let ended = || Grant { expires_at: Some(NOW), ..grant() };
    let defective = || Grant { defect: Some(DEFECT), ..grant() };
    for (code, promised) in [
        (CodeRecord { defect: Some(DEFECT), ..code() }, CodeRefusal::Defective),
        (CodeRecord { grant: defective(), ..code() }, CodeRefusal::Defective),
        (CodeRecord { spent_at: Some(later()), ..code() }, CodeRefusal::Replayed(id())),
        (CodeRecord { grant: revoked(), ..code() }, CodeRefusal::Revoked),
        (CodeRecord { expires_at: NOW, ..code() }, CodeRefusal::Expired),
        (CodeRecord { grant: ended(), ..code() }, CodeRefusal::Expired),
    ] {
        assert_eq!(redeem(&code, |_| ()), Err(promised));
    }
    for (token, promised) in [
        (RefreshTokenRecord { defect: Some(DEFECT), ..refresh() }, RefreshRefusal::Defective),
        (RefreshTokenRecord { grant: defective(), ..refresh() }, RefreshRefusal::Defective),
        (RefreshTokenRecord { client_exists: false, ..refresh() }, RefreshRefusal::Revoked),
        (RefreshTokenRecord { grant: revoked(), ..refresh() }, RefreshRefusal::Revoked),
        (RefreshTokenRecord { spent_at: Some(later()), ..refresh() }, RefreshRefusal::Replayed(id())),
        (RefreshTokenRecord { revoked_at: Some(later()), ..refresh() }, RefreshRefusal::Revoked),
        (RefreshTokenRecord { expires_at: NOW, ..refresh() }, RefreshRefusal::Expired),
        (RefreshTokenRecord { grant: ended(), ..refresh() }, RefreshRefusal::Expired),
    ] {
        assert_eq!(exchange(&token, "app", None, None), Err(promised));
    }
    for (token, promised) in [
        (AccessTokenRecord { defect: Some(DEFECT), ..access() }, AccessRefusal::Defective),
        (AccessTokenRecord { grant: Some(defective()), ..access() }, AccessRefusal::Defective),
        (AccessTokenRecord { revoked_at: Some(later()), ..access() }, AccessRefusal::Revoked),
        (AccessTokenRecord { client_exists: false, ..access() }, AccessRefusal::Revoked),
        (AccessTokenRecord { grant: Some(revoked()), ..access() }, AccessRefusal::Revoked),
        (AccessTokenRecord { expires_at: NOW, ..access() }, AccessRefusal::Expired),
        (AccessTokenRecord { grant: Some(ended()), ..access() }, AccessRefusal::Expired),
    ] {
        assert_eq!(decide_access(Some(token), None, NOW).err(), Some(promised));
    }
}
