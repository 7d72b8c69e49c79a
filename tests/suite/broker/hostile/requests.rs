//! Requests that are no requests of a client, each byte for byte.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::broker::app::{App, FORM, encoded, error, json, told};
use crate::broker::client::{REDIRECT_URI, pair};

const ENDPOINTS: [&str; 8] = [
    "/authorize",
    "/token",
    "/revoke",
    "/introspect",
    "/register",
    "/mcp",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource/mcp",
];
/// More than anything here takes, on a machine that does something else as well.
const A_LONG_TIME: Duration = Duration::from_secs(10);

/// The status of the first answer; `None` where the connection was closed without one.
async fn status(app: &App, request: &[u8]) -> Option<u16> {
    let answer = timeout(A_LONG_TIME, async {
        let mut stream = app.server.connect().await;
        // Whoever is refused in the middle of it does not read the rest.
        let _ = stream.write_all(request).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    });
    let answer = answer.await.expect("an answer within its time");
    let line = answer.split(|byte| *byte == b'\r').next().unwrap();
    Some(std::str::from_utf8(line).unwrap().split(' ').nth(1)?.parse().unwrap())
}

async fn is_no_fault(app: &App, request: &[u8]) {
    let status = status(app, request).await;
    let shown = String::from_utf8_lossy(&request[..request.len().min(200)]);
    assert!(status.is_none_or(|status| status < 500), "{status:?}: {shown}");
}

fn posted(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn no_method_and_no_media_type_is_a_fault() {
    let app = App::start().await;
    for path in ENDPOINTS {
        for method in
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "\u{1}"]
        {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            is_no_fault(&app, request.as_bytes()).await;
        }
        for media_type in [
            "",
            "text/html",
            "application/json",
            FORM,
            "multipart/form-data",
            "*/*",
            ";;;",
            "\u{fffd}",
            "a/b; charset=utf-16",
        ] {
            is_no_fault(&app, &posted(path, media_type, b"{}")).await;
        }
        for line in [
            format!("GET {path}"),
            format!("GET {path} HTTP/1.0\r\n\r\n"),
            format!("GET {path} HTTP/9.9\r\n\r\n"),
            format!("GET https://evil.example{path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
            format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n"),
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"),
            format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
            ),
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde"),
            format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: {FORM}\r\nConnection: close\r\n\r\nFFFFFFFFFFFFFFFF\r\n"
            ),
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        ] {
            is_no_fault(&app, line.as_bytes()).await;
        }
    }
}

#[tokio::test]
async fn head_is_as_get_without_a_body_and_options_says_which_methods_there_are() {
    let app = App::start().await;
    for path in ["/authorize", "/.well-known/oauth-authorization-server"] {
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = String::from_utf8(app.server.bytes(request.as_bytes()).await).unwrap();
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
    let answer = app.request("OPTIONS", "/token", &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn what_is_no_text_and_no_percent_encoding_is_refused_or_means_nothing() {
    let app = App::start().await;
    let client = app.client().await;
    for body in [
        &b"\xff\xfe"[..],
        b"grant_type=\xff",
        b"grant_type=refresh_token&refresh_token=\xc3\x28",
        b"grant_type=%FF&refresh_token=%",
        b"%67rant_type=refresh_token&refresh_token=%zz%0",
        b"&&&===&;&a&=b",
        b"\0\0\0",
        b"grant_type=refresh_token\r\n&refresh_token=x",
        b"grant_type[]=refresh_token&grant_type[0]=x",
        b"\xef\xbb\xbfgrant_type=refresh_token",
    ] {
        for path in ["/token", "/revoke", "/introspect", "/authorize", "/register"] {
            is_no_fault(&app, &posted(path, FORM, body)).await;
            is_no_fault(&app, &posted(path, "application/json; charset=utf-16", body)).await;
        }
    }
    for query in [
        "%",
        "%FF",
        "client_id=%FF%00",
        "client_id=\u{1}",
        "client_id=%0d%0aSet-Cookie:%20a=b",
        "?????",
        "&=&=&",
        "client_id[]=x",
    ] {
        is_no_fault(
            &app,
            format!("GET /authorize?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes(),
        )
        .await;
    }
    // An escaped name is that name.
    let tokens = client.tokens().await;
    let body = format!("%67rant_type=refresh%5Ftoken&client_id={}&refresh_token={}", client.id, tokens.refresh);
    pair(&app.post("/token", FORM, &[], &body).await);
}

#[tokio::test]
async fn what_is_longer_than_anything_needs_to_be_is_refused() {
    let app = App::start().await;
    let client = app.client().await;
    let long = "x".repeat(70_000);
    for pairs in [[("token", &*long)], [("grant_type", &*long)]] {
        for path in ["/token", "/revoke", "/introspect"] {
            is_no_fault(&app, &posted(path, FORM, encoded(&pairs).as_bytes())).await;
        }
    }
    let body = encoded(&[("grant_type", "refresh_token"), ("refresh_token", &long), ("client_id", &client.id)]);
    assert_eq!(status(&app, &posted("/token", FORM, body.as_bytes())).await, Some(400));
    assert_eq!(status(&app, &posted("/register", "application/json", long.as_bytes())).await, Some(400));
    let query = client.query(&[("state", &long[..20_000])]);
    assert_eq!(client.authorize(&query).await.status, 400);
    is_no_fault(&app, format!("GET /authorize?{long} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await;
    for name in ["Authorization", "Cookie", "Content-Type", "X-Session", "Origin"] {
        for value in [&long[..], &long[..9_000], "Basic Og==", "Basic ////", "\u{e4}", ""] {
            for path in ["/token", "/authorize", "/mcp", "/introspect"] {
                let request =
                    format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{name}: {value}\r\n\r\n");
                is_no_fault(&app, request.as_bytes()).await;
            }
        }
    }
    let many = "X-Header: a\r\n".repeat(5_000);
    is_no_fault(&app, format!("GET /authorize HTTP/1.1\r\nHost: a\r\n{many}\r\n").as_bytes()).await;
}

/// What costs time must grow with the length of a request, and no faster.
#[tokio::test]
async fn thousands_of_parameters_or_scopes_cost_no_more_than_their_length() {
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    let numbers = |count: usize, before: &str, behind: &str| -> String {
        (0..count).map(|number| format!("{before}{number:x}{behind}")).collect::<Vec<_>>().concat()
    };
    let parameters = numbers(10_000, "", "&");
    let scopes = numbers(10_000, "", "+");
    let scope =
        format!("grant_type=refresh_token&client_id={}&refresh_token={}&scope={scopes}", client.id, tokens.refresh);
    let start = Instant::now();
    for body in [&parameters, &scope] {
        assert_eq!(app.post("/token", FORM, &[], body).await.status, 400);
        assert_eq!(app.post("/introspect", FORM, &[], body).await.status, 401);
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let query = client.query(&[]) + "&scope=" + &scopes[..12_000];
    assert!(client.authorize(&query).await.header("location").contains("invalid_scope"));
}

#[tokio::test]
async fn documents_that_are_made_to_hurt_a_reader_are_refused() {
    let app = App::start().await;
    let uris = format!("\"redirect_uris\": [\"{REDIRECT_URI}\"]");
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000));
    for body in [
        deep("[", "]"),
        format!("{{{uris}, \"x\": {}}}", deep("[", "]")),
        format!("{{{uris}, \"x\": {}}}", deep("{\"a\":", "}").replace(":}", ":1}")),
        format!("{{{uris}, \"x\": 1e999999999}}"),
        format!("{{{uris}, \"client_name\": \"\\ud800\"}}"),
        format!("{{{uris}, \"client_name\": {}}}", "9".repeat(50_000)),
        format!("{{{uris}, \"client_name\": [{}]}}", "1,".repeat(20_000)),
        format!("{{{uris}"),
        "\u{feff}{}".to_owned(),
    ] {
        let answer = app.post("/register", "application/json", &[], &body).await;
        assert_eq!(error(&answer), told(400, "invalid_client_metadata"), "{}", &body[..body.len().min(80)]);
    }
    let many = (0..400).map(|number| format!(",\"m{number}\":{number}")).collect::<Vec<_>>().concat();
    let answer = app.post("/register", "application/json", &[], &format!("{{{uris}{many}}}")).await;
    assert_eq!((answer.status, json(&answer).as_object().unwrap().len()), (201, 8), "what is unknown is not kept");
    let longest = format!("{{{uris}, \"x\": \"{}\"}}", "x".repeat(8 * 1024));
    let answer = app.post("/register", "application/json", &[], &longest).await;
    assert_eq!(error(&answer), told(400, "invalid_client_metadata"));
    // Of two members of one name, one counts, and it is checked.
    let twice = format!("{{{uris}, \"redirect_uris\": [\"javascript:alert(1)\"]}}");
    assert_eq!(error(&app.post("/register", "application/json", &[], &twice).await), told(400, "invalid_redirect_uri"));
}

#[tokio::test]
async fn a_body_that_is_cut_off_does_nothing() {
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    let body = encoded(&[("client_id", &client.id), ("token", &tokens.refresh)]);
    let whole = posted("/revoke", FORM, body.as_bytes());
    for missing in [1, 10, body.len()] {
        is_no_fault(&app, &whole[..whole.len() - missing]).await;
    }
    pair(&client.refresh(&tokens.refresh).await);
}

#[tokio::test]
async fn requests_behind_each_other_on_one_connection_are_answered_each_by_itself() {
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    let one = posted("/token", FORM, b"grant_type=x");
    let one = String::from_utf8(one).unwrap().replace("Connection: close\r\n", "");
    let call = format!("GET /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n", tokens.access);
    let anonymous = "GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = app.server.bytes(format!("{one}{call}{one}{anonymous}").as_bytes()).await;
    let answer = String::from_utf8(answer).unwrap();
    let statuses: Vec<_> = answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["400", "200", "400", "401"], "{answer}");
}

/// Nothing that is sent becomes a header, or leads away from what was registered.
#[tokio::test]
async fn no_value_becomes_a_header_or_another_address() {
    let app = App::start().await;
    let evil = "https://app.example/cb?next=//evil.example/%0d%0aSet-Cookie:%20a=b";
    let client = app.client_of(json!({"token_endpoint_auth_method": "none", "redirect_uris": [evil]})).await;
    for state in ["\r\nSet-Cookie: a=b", "\u{85}\u{2028}", "https://evil.example", "#@evil.example", "%0d%0a"] {
        let query = client.query(&[("redirect_uri", evil), ("state", state)]);
        for location in [
            client.location(&query).await,
            client.authorize(&format!("{query}&scope=x")).await.header("location").to_owned(),
        ] {
            assert!(location.starts_with(&format!("{evil}&")), "{location}");
            assert!(location.bytes().all(|byte| byte.is_ascii_graphic()) && !location.contains('#'), "{location}");
        }
    }
    for host in ["evil.example", "as.example:1", "as.example\"><script>"] {
        let request = format!(
            "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: {host}\r\nConnection: close\r\n\r\n"
        );
        let answer = String::from_utf8(app.server.bytes(request.as_bytes()).await).unwrap();
        assert!(!answer.contains(host), "{answer}");
    }
}
