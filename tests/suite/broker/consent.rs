//! The page on which a person is asked, and who may answer in whose name.

use serde_json::json;

use super::app::{App, COOKIE, FORM, PASSWORD, Setup, USERNAME, encoded, error, parameter, told};
use super::client::{OTHER_VERIFIER, REDIRECT_URI, pair};
use crate::http::server::Answer;

/// What every page for a person says to the browser.
fn is_shut(answer: &Answer) {
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cache-control"), "no-store");
    let policy = answer.header("content-security-policy");
    for directive in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("script"), "{policy}");
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_person_sees_who_asks_for_what_and_where_the_answer_goes() {
    let app = App::start().await;
    let client = app.client().await;
    let page = client.page(&client.query(&[("scope", "notes:read")])).await.answer;
    for seen in [
        "Editor",
        "<strong>app.example</strong>",
        "<li>notes:read</li>",
        "https://as.example/mcp",
        "value=\"approve\"",
        "value=\"deny\"",
        "type=\"password\"",
    ] {
        assert!(page.body.contains(seen), "{seen}: {}", page.body);
    }
    assert!(!page.body.contains("notes:write") && !page.body.contains("<script"), "{}", page.body);
    // Whoever has no name is shown by its identifier, and an app by its scheme.
    let uris = json!({"token_endpoint_auth_method": "none", "redirect_uris": ["com.example.app:/cb"]});
    let app_client = app.client_of(uris).await;
    let page = app_client.page(&app_client.query(&[("redirect_uri", "com.example.app:/cb")])).await.answer;
    assert!(page.body.contains(&app_client.id), "{}", page.body);
    assert!(page.body.contains("the app <strong>com.example.app</strong> on this device"), "{}", page.body);
    let uris = json!({"token_endpoint_auth_method": "none", "redirect_uris": ["http://127.0.0.1:1/cb"]});
    let program = app.client_of(uris).await;
    let page = program.page(&program.query(&[("redirect_uri", "http://127.0.0.1:2/cb")])).await.answer;
    assert!(page.body.contains("a program on <strong>this computer</strong> (127.0.0.1)"), "{}", page.body);
}

/// However often somebody has said yes, and whoever is signed in.
#[tokio::test]
async fn nobody_is_passed_without_being_asked() {
    let app = App::start().await;
    let client = app.client().await;
    let session = [("X-Session", "ada")];
    for prompt in ["", "none", "login", "consent"] {
        let query = client.query(&[("prompt", prompt)]);
        let page = client.page_as(&query, &session).await;
        assert!(
            page.answer.body.contains("signed in as <strong>ada</strong>") && !page.answer.body.contains("password")
        );
        let cookie = format!("{COOKIE}={}", page.cookie);
        let answer = page.submit_as(&app, &[session[0], ("Cookie", &cookie)], &[]).await;
        assert_eq!(answer.status, 303);
    }
}

#[tokio::test]
async fn no_page_can_be_framed_scripted_or_read_by_another_site_and_browsers_are_sent_on_by_303() {
    let app = App::start().await;
    let client = app.client().await;
    let page = client.page(&client.query(&[])).await;
    is_shut(&page.answer);
    is_shut(&client.authorize("").await);
    is_shut(&page.submit(&app, &[("password", "wrong")]).await);
    is_shut(&page.submit(&app, &[("consent", "forged")]).await);
    for decision in ["deny", "approve"] {
        let answer = page.submit(&app, &[("decision", decision)]).await;
        assert_eq!((answer.status, answer.header("cache-control")), (303, "no-store"));
        assert_eq!((answer.header("referrer-policy"), answer.body.as_str()), ("no-referrer", ""));
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let origin = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")];
    let preflight = app.request("OPTIONS", "/authorize", &origin, "").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (405, ""));
}

/// Browsers follow the answer to a form only where the policy of the page says so.
#[tokio::test]
async fn the_policy_lets_the_form_lead_to_the_client_and_to_nobody_else() {
    let app = App::start().await;
    for (uri, target) in [
        (REDIRECT_URI, "https://app.example"),
        ("https://app.example:8443/cb", "https://app.example:8443"),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:1"),
        // A policy has no way to write these.
        ("http://[::1]:1/cb", "http:"),
        ("com.example.app:/cb", "com.example.app:"),
    ] {
        let client = app.client_of(json!({"token_endpoint_auth_method": "none", "redirect_uris": [uri]})).await;
        let page = client.page(&client.query(&[("redirect_uri", uri)])).await;
        let policy = page.answer.header("content-security-policy");
        assert!(policy.contains(&format!("form-action 'self' {target};")), "{policy}");
    }
}

#[tokio::test]
async fn the_cookie_is_for_this_host_alone_and_for_no_script() {
    let app = App::start().await;
    let client = app.client().await;
    let page = client.page(&client.query(&[])).await;
    let cookie = page.answer.header("set-cookie");
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(cookie.starts_with("__Host-") && !cookie.contains("Domain"), "{cookie}");
    assert!(!page.answer.body.contains(&page.cookie), "the form does not give it away");

    let local = App::with(Setup { issuer: "http://127.0.0.1:3000", ..Setup::default() }).await;
    let client = local.client().await;
    let page = client.page(&client.query(&[])).await;
    let cookie = page.answer.header("set-cookie");
    assert!(cookie.starts_with("keyward-consent=") && !cookie.contains("Secure"), "{cookie}");
}

/// Forged forms, each with all else as it should be.
#[tokio::test]
async fn a_form_is_good_in_one_browser_for_one_request_and_one_person() {
    let app = App::start().await;
    let client = app.client().await;
    let page = client.page(&client.query(&[])).await;
    let other = client.page(&client.query(&[("state", "other")])).await;
    assert_ne!((&page.cookie, &page.proof), (&other.cookie, &other.proof));
    let own = format!("{COOKIE}={}", page.cookie);
    let foreign = format!("{COOKIE}={}", other.cookie);
    let both = format!("{own}; {foreign}");
    let cookies: [&[(&str, &str)]; 7] = [
        &[],
        &[("Cookie", &foreign)],
        &[("Cookie", &both)],
        &[("Cookie", &own), ("Cookie", &foreign)],
        &[("Cookie", "__Host-keyward-consent=")],
        &[("Cookie", &own.replace("__Host-", ""))],
        // Somebody has signed in since.
        &[("Cookie", &own), ("X-Session", "eve")],
    ];
    for headers in cookies {
        let answer = page.submit_as(&app, headers, &[]).await;
        assert_eq!((answer.status, answer.header("location")), (403, ""), "{headers:?}");
    }
    for changes in [&[("consent", "")][..], &[("consent", "x")], &[("consent", &other.proof)]] {
        assert_eq!(page.submit(&app, changes).await.status, 403);
    }
    // The same form for another request, such as one that an attacker has begun.
    for (name, value) in [("state", "evil"), ("code_challenge", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] {
        let target = format!("/authorize?{}", client.query(&[(name, value)]));
        let body = encoded(&[
            ("consent", &page.proof),
            ("username", USERNAME),
            ("password", PASSWORD),
            ("decision", "approve"),
        ]);
        assert_eq!(app.post(&target, FORM, &[("Cookie", &own)], &body).await.status, 403, "{name}");
    }
    // A parameter twice is no form of ours.
    let target = format!("/authorize?{}", page.query);
    let twice = format!("{}&decision=deny", encoded(&[("consent", &page.proof), ("decision", "approve")]));
    assert_eq!(app.post(&target, FORM, &[("Cookie", &own)], &twice).await.status, 403);
    assert_eq!(page.submit(&app, &[]).await.status, 303, "the page itself is still good");
}

/// What a page shows to one person is not answered in the name of another, in either direction.
#[tokio::test]
async fn a_page_that_was_shown_to_one_person_is_not_answered_by_another() {
    let app = App::start().await;
    let client = app.client().await;
    let page = client.page_as(&client.query(&[]), &[("X-Session", "ada")]).await;
    let cookie = format!("{COOKIE}={}", page.cookie);
    for headers in [&[("Cookie", &*cookie), ("X-Session", "eve")][..], &[("Cookie", &*cookie)]] {
        assert_eq!(page.submit_as(&app, headers, &[]).await.status, 403, "{headers:?}");
    }
    let answer = page.submit_as(&app, &[("Cookie", &cookie), ("X-Session", "ada")], &[]).await;
    let tokens = pair(&client.redeem(&parameter(answer.header("location"), "code").unwrap()).await);
    assert!(app.call(&tokens.access).await.body.contains("for ada may"));
}

#[tokio::test]
async fn a_wrong_password_shows_the_page_again_and_says_no_more() {
    let app = App::start().await;
    let client = app.client().await;
    let page = client.page(&client.query(&[])).await;
    let mut bodies = Vec::new();
    for changes in [&[("password", "wrong")][..], &[("password", "")], &[("username", "eve")], &[("username", "")]] {
        let answer = page.submit(&app, changes).await;
        assert_eq!((answer.status, answer.header("location")), (403, ""));
        assert!(!answer.body.contains("wrong\"") && !answer.body.contains(PASSWORD));
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "nobody learns which of them was wrong");
    for decision in ["", "maybe"] {
        assert_eq!(page.submit(&app, &[("decision", decision)]).await.status, 400);
    }
}

/// A form that is sent again, such as by the button that goes back, is a consent of the same person to the same request:
/// another code, for the same client at the same address, bound to the same challenge.
#[tokio::test]
async fn a_form_that_is_sent_again_gives_nobody_else_anything() {
    let app = App::start().await;
    let client = app.client().await;
    let page = client.page(&client.query(&[])).await;
    let codes = [page.submit(&app, &[]).await, page.submit(&app, &[]).await].map(|answer| {
        assert!(answer.header("location").starts_with(REDIRECT_URI));
        parameter(answer.header("location"), "code").unwrap()
    });
    assert_ne!(codes[0], codes[1]);
    let stolen = client.redeem_with(&codes[1], &[("code_verifier", OTHER_VERIFIER)]).await;
    assert_eq!(error(&stolen), told(400, "invalid_grant"));
    let tokens = pair(&client.redeem(&codes[0]).await);
    assert_eq!(app.call(&tokens.access).await.status, 200, "the two are two grants");
}

/// Whatever a client or a request says of itself is text on the page.
#[tokio::test]
async fn nothing_on_the_page_is_markup_of_somebody_elses() {
    let app = App::start().await;
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "</h1></main><form action=https://evil.example>",
        "' onmouseover='x",
        "&lt;b&gt;",
        "Bank\u{202e}rotidE",
        "\u{200b}Bank",
    ] {
        let client = app.client_of(json!({"token_endpoint_auth_method": "none", "client_name": name})).await;
        let page = client.page(&client.query(&[("state", name), ("x", name), (name, "x")])).await.answer;
        assert!(!page.body.contains(name), "{}", page.body);
        let tags: Vec<_> = page.body.split('<').skip(1).map(|tag| tag.split([' ', '>']).next().unwrap()).collect();
        for tag in ["script", "img", "b", "iframe"] {
            assert!(!tags.contains(&tag), "{tag}: {}", page.body);
        }
        assert_eq!(tags.iter().filter(|tag| **tag == "form").count(), 1, "{}", page.body);
        assert!(!page.body.contains(['\u{202e}', '\u{200b}']), "{}", page.body);
    }
    let odd = "com.example.app:/cb?<script>";
    let client = app.client_of(json!({"token_endpoint_auth_method": "none", "redirect_uris": [odd]})).await;
    let page = client.page(&client.query(&[("redirect_uri", odd)])).await.answer;
    assert!(!page.body.contains("<script"), "{}", page.body);
}

/// Between the page and the answer, a client may have gone: nobody is sent anywhere.
#[tokio::test]
async fn a_form_for_a_client_that_is_gone_leads_nowhere() {
    let app = App::start().await;
    let client = app.client().await;
    let page = client.page(&client.query(&[])).await;
    app.tokens.remove_client(&keyward::broker::ClientId::new(&*client.id).unwrap()).await.unwrap();
    for decision in ["approve", "deny"] {
        let answer = page.submit(&app, &[("decision", decision)]).await;
        assert_eq!((answer.status, answer.header("location")), (400, ""));
        is_shut(&answer);
    }
}
