//! Authorization codes (RFC 6749 section 4.1, RFC 7636).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keyward::broker::{
    ClientId, CodeChallenge, CodeRecord, Grant, GrantId, GrantRevocationReason, Subject, SubjectId, TokenDigest,
};
use keyward::store::grants::{GrantFilter, MemoryGrantStore, NewCode};

use super::app::{App, RESOURCE, Setup, error, scopes, told};
use super::client::{CHALLENGE, OTHER_VERIFIER, REDIRECT_URI, VERIFIER, pair};

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_code_has_256_random_bits_and_the_store_has_its_digest_alone() {
    let store = Arc::new(MemoryGrantStore::new());
    let app = App::with(Setup { store: store.clone(), ..Setup::default() }).await;
    let client = app.client().await;
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let code = client.code().await;
        assert!(code.len() == 43 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        let found = app.tokens.store().code(&TokenDigest::of(&code)).await.unwrap().unwrap();
        assert_eq!(found.digest, TokenDigest::of(&code));
        assert!(!format!("{store:?}").contains(&code));
        assert!(seen.insert(code));
    }
}

#[tokio::test]
async fn a_code_lives_for_a_minute_by_the_injected_clock_and_has_ended_at_the_very_second() {
    let app = App::start().await;
    let client = app.client().await;
    let (before, at) = (client.code().await, client.code().await);
    let issued = app.tokens.store().code(&TokenDigest::of(&at)).await.unwrap().unwrap();
    app.clock.set(issued.expires_at.saturating_sub(Duration::from_micros(1)));
    pair(&client.redeem(&before).await);
    app.clock.set(issued.expires_at);
    assert_eq!(error(&client.redeem(&at).await), told(400, "invalid_grant"));
    assert_eq!(issued.expires_at, issued.grant.created_at.saturating_add(Duration::from_mins(1)));
}

/// Ten minutes are the most that a host can set.
#[tokio::test]
async fn no_code_lives_for_longer_than_ten_minutes() {
    let tokens = Box::new(|builder: keyward::service::TokensBuilder| builder.code_lifetime(Duration::from_hours(5)));
    let app = App::with(Setup { tokens, ..Setup::default() }).await;
    let client = app.client().await;
    let code = client.code().await;
    app.clock.advance(Duration::from_mins(10));
    assert_eq!(error(&client.redeem(&code).await), told(400, "invalid_grant"));
}

/// Each is refused, says the same, and neither spends the code nor gives the other side anything.
#[tokio::test]
async fn a_code_is_bound_to_its_client_its_address_its_verifier_and_its_resource() {
    let app = App::start().await;
    let (client, other) = (app.client().await, app.client().await);
    let code = client.code().await;
    let too_long = "a".repeat(129);
    for changes in [
        [("redirect_uri", "https://app.example/other")],
        [("redirect_uri", "")],
        [("code_verifier", OTHER_VERIFIER)],
        [("code_verifier", "")],
        [("code_verifier", CHALLENGE)],
        [("code_verifier", &VERIFIER[..42])],
        [("code_verifier", &too_long)],
        [("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX ")],
        [("code", "unknown")],
    ] {
        let refused = client.redeem_with(&code, &changes).await;
        assert_eq!(error(&refused), told(400, "invalid_grant"), "{changes:?}");
        let unknown = client.redeem("unknown").await;
        assert_eq!(refused.body, unknown.body, "{changes:?}");
    }
    assert_eq!(error(&other.redeem(&code).await), told(400, "invalid_grant"));
    let resource = client.redeem_with(&code, &[("resource", "https://as.example/other")]).await;
    assert_eq!(error(&resource), told(400, "invalid_target"));
    // Scopes are those that were granted: there is nothing to be asked for any more.
    let answer = client.redeem_with(&code, &[("resource", RESOURCE), ("scope", "admin")]).await;
    assert_eq!(super::app::json(&answer)["scope"], "notes:read notes:write");
    pair(&answer);
}

/// A code whose row has no challenge is met by no verifier, and by none at all.
#[tokio::test]
async fn a_code_without_a_challenge_is_not_redeemed() {
    let app = App::start().await;
    let client = app.client().await;
    let subject = Subject::new(SubjectId::new("42").unwrap());
    let id = ClientId::new(&*client.id).unwrap();
    let now = app.tokens.now();
    let grant = Grant::new(GrantId::new("g").unwrap(), id, subject, scopes("notes:read"), now);
    let challenge = CodeChallenge::new(CHALLENGE).unwrap();
    let end = now.saturating_add(HALF_A_MINUTE);
    let mut code = CodeRecord::new(TokenDigest::of("a-code"), grant, REDIRECT_URI.to_owned(), challenge, end);
    code.challenge = None;
    app.tokens.store().add_code(&NewCode::new(code)).await.unwrap();
    for verifier in ["", VERIFIER, "plain"] {
        let answer = client.redeem_with("a-code", &[("code_verifier", verifier)]).await;
        assert_eq!(error(&answer), told(400, "invalid_grant"), "{verifier}");
    }
}

/// That at most one of many at the same moment succeeds is shown at the service.
#[tokio::test]
async fn a_code_that_is_presented_again_ends_everything_that_came_of_it_and_nothing_else() {
    let app = App::start().await;
    let client = app.client().await;
    let other = client.tokens().await;
    let code = client.code().await;
    let first = pair(&client.redeem(&code).await);
    let second = pair(&client.refresh(&first.refresh).await);
    assert_eq!(app.call(&second.access).await.status, 200);
    assert_eq!(error(&client.redeem(&code).await), told(400, "invalid_grant"));
    for access in [&first.access, &second.access] {
        assert_eq!(error(&app.call(access).await), told(401, "invalid_token"));
    }
    for refresh in [&first.refresh, &second.refresh] {
        assert_eq!(error(&client.refresh(refresh).await), told(400, "invalid_grant"));
    }
    let grants = app.tokens.grants(GrantFilter::default(), None, 10).await.unwrap();
    let ends: Vec<_> = grants.iter().filter_map(|grant| grant.revoked.map(|(_, end)| end)).collect();
    assert_eq!(ends, [GrantRevocationReason::CodeReplayed]);
    assert_eq!(app.call(&other.access).await.status, 200, "another grant of the same client and person");
    pair(&client.refresh(&other.refresh).await);
}

/// A thief without the verifier ends nothing.
#[tokio::test]
async fn whoever_has_a_spent_code_without_what_belongs_to_it_ends_nothing() {
    let app = App::start().await;
    let (client, thief) = (app.client().await, app.client().await);
    let code = client.code().await;
    let tokens = pair(&client.redeem(&code).await);
    let wrong = client.redeem_with(&code, &[("code_verifier", OTHER_VERIFIER)]).await;
    for answer in [wrong, thief.redeem(&code).await] {
        assert_eq!(error(&answer), told(400, "invalid_grant"));
    }
    assert_eq!(app.call(&tokens.access).await.status, 200);
}

/// As long as a token of it is good, a code that comes back is known, however often was swept.
#[tokio::test]
async fn a_spent_code_is_remembered_for_as_long_as_what_came_of_it() {
    let app = App::start().await;
    let client = app.client().await;
    let code = client.code().await;
    let mut tokens = pair(&client.redeem(&code).await);
    for _ in 0..3 {
        app.clock.advance(Duration::from_hours(24 * 20));
        app.tokens.sweep(None).await.unwrap();
        tokens = pair(&client.refresh(&tokens.refresh).await);
    }
    assert_eq!(error(&client.redeem(&code).await), told(400, "invalid_grant"));
    assert_eq!(error(&app.call(&tokens.access).await), told(401, "invalid_token"));
}
