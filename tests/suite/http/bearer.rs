//! Headers as nobody should send them.

use axum::Router;
use axum::routing::get;
use keyward::http::Protect;
use keyward::key::Authenticated;
use keyward::schemas::standard::Standard;

use super::server::Server;

async fn whoami(caller: Authenticated<Standard>) -> String {
    caller.owner().to_string()
}

#[tokio::test]
async fn a_key_passes_in_one_header_and_in_no_other_place() {
    let keys = super::keys();
    let key = super::key(&keys, "customer-1", &[]).await;
    let server = Server::start(Router::new().route("/", get(whoami)).layer(Protect::new(keys))).await;
    let long = "k".repeat(10_240);
    let line = |value: &str| format!("Authorization: {value}\r\n").into_bytes();
    for (headers, status) in [
        (line(&format!("Bearer {key}")), 200),
        (line(&format!("bearer {key}")), 200),
        (line(&format!("BEARER    {key}   ")), 200),
        (line(&format!("  \t Bearer {key}\t")), 200),
        (format!("aUTHORIZATION:Bearer {key}\r\n").into_bytes(), 200),
        (Vec::new(), 401),
        (line(&key), 401),
        (line(&format!("Basic {key}")), 401),
        (line(&format!("Bearer{key}")), 401),
        (line(&format!("Bearer {key}x")), 401),
        (line(&format!("Bearer {}", key.to_uppercase())), 401),
        (format!("Cookie: session={key}; authorization=Bearer {key}\r\n").into_bytes(), 401),
        (format!("X-Api-Key: {key}\r\nProxy-Authorization: Bearer {key}\r\n").into_bytes(), 401),
        (line(""), 400),
        (line("Bearer"), 400),
        (line("Bearer   "), 400),
        (line(&format!("Bearer\t{key}")), 400),
        (line(&format!("Bearer {key} {key}")), 400),
        (line(&format!("Bearer {key}, Bearer {key}")), 400),
        (line(&format!("Bearer \"{key}\"")), 400),
        (line(&format!("Bearer {key},")), 400),
        (line(&format!("Bearer {long}")), 400),
        ([&b"Authorization: Bearer \xe9\xff"[..], key.as_bytes(), b"\r\n"].concat(), 400),
        ([line(&format!("Bearer {key}")), line(&format!("Bearer {key}"))].concat(), 400),
        ([line(&format!("Bearer {key}")), line("Basic x")].concat(), 400),
        ([line("Basic x"), line(&format!("Bearer {key}"))].concat(), 400),
    ] {
        let shown = String::from_utf8_lossy(&headers);
        let answer = server.get("/", &headers).await;
        assert_eq!(answer.status, status, "{shown}");
        if status == 200 {
            assert_eq!((answer.body.as_str(), answer.header("www-authenticate")), ("customer-1", ""), "{shown}");
        } else {
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{shown}");
            assert_eq!(answer.header("cache-control"), "no-store", "{shown}");
        }
    }
    assert_eq!(server.get(&format!("/?access_token={key}&key={key}"), b"").await.status, 401);
}

#[tokio::test]
async fn an_error_code_is_there_where_credentials_were() {
    let server = Server::start(Router::new().route("/", get(whoami)).layer(Protect::new(super::keys()))).await;
    for (headers, challenge) in [
        ("", "Bearer"),
        ("Authorization: Basic YTpi\r\n", "Bearer"),
        (
            "Authorization: Bearer a b\r\n",
            "Bearer error=\"invalid_request\", \
             error_description=\"the header Authorization does not have the form 'Bearer <token>'\"",
        ),
        (
            "Authorization: Bearer hunter2\r\n",
            "Bearer error=\"invalid_token\", error_description=\"the API key is not valid\"",
        ),
    ] {
        assert_eq!(server.get("/", headers.as_bytes()).await.header("www-authenticate"), challenge, "{headers}");
    }
}
