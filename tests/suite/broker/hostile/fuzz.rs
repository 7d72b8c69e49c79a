//! Requests by chance: good ones that are taken apart, changed and mixed, from a seed.
//!
//! `KEYWARD_FUZZ_REQUESTS` is how many there are, 2000 unless set, and `KEYWARD_FUZZ_SEED` the seed of the first.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::broker::app::{App, COOKIE, FORM, encoded};
use crate::broker::client::{REDIRECT_URI, VERIFIER, basic};

const METHODS: [&str; 6] = ["GET", "POST", "POST", "POST", "HEAD", "OPTIONS"];
const TYPES: [&str; 5] = [FORM, FORM, "application/json", "application/json; charset=utf-8", "text/plain"];
/// What readers of requests have stumbled over.
const PIECES: [&str; 24] = [
    "%",
    "%00",
    "%FF",
    "%0d%0a",
    "&",
    "=",
    ";",
    "+",
    "\"",
    "\\",
    "<script>",
    "\u{202e}",
    "null",
    "[]",
    "{}",
    "-1",
    "1e999",
    "javascript:alert(1)",
    "https://evil.example/",
    "http://[::1]:1/",
    "offline_access",
    "client_id=x&",
    "Basic ",
    "../",
];

/// What requests are made of: targets, values of the header `Authorization`, cookies and bodies.
struct Parts {
    targets: Vec<String>,
    credentials: Vec<String>,
    bodies: Vec<String>,
}

impl Parts {
    async fn of(app: &App) -> Self {
        let (public, confidential) = (app.client().await, app.confidential().await);
        let (tokens, spent) = (public.tokens().await, public.tokens().await);
        let _next = public.refresh(&spent.refresh).await;
        let code = public.code().await;
        let page = public.page(&public.query(&[])).await;
        let secret = confidential.secret.clone().unwrap();
        let paths = ["/token", "/revoke", "/introspect", "/register", "/mcp", "/mcp/write"].map(str::to_owned);
        let documents =
            ["authorization-server", "protected-resource/mcp"].map(|name| format!("/.well-known/oauth-{name}"));
        let mut targets = [&paths[..], &documents].concat();
        for query in [page.query.clone(), confidential.query(&[]), public.query(&[("scope", "notes:read")])] {
            targets.push(format!("/authorize?{query}"));
        }
        let credentials = vec![
            String::new(),
            basic(&confidential.id, &secret),
            basic(&public.id, ""),
            format!("Bearer {}", tokens.access),
            format!("{COOKIE}={}", page.cookie),
        ];
        let (id, named) = (&*public.id, ("client_id", &*public.id));
        let bodies = vec![
            encoded(&[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", REDIRECT_URI),
                ("code_verifier", VERIFIER),
                named,
            ]),
            encoded(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh), named]),
            encoded(&[
                ("grant_type", "refresh_token"),
                ("refresh_token", &spent.refresh),
                ("scope", "notes:read"),
                named,
            ]),
            encoded(&[("token", &tokens.access), named]),
            encoded(&[("token", &tokens.refresh), ("client_id", &confidential.id), ("client_secret", &secret)]),
            encoded(&[("consent", &page.proof), ("decision", "approve"), ("username", "ada"), ("password", "guess")]),
            format!(
                r#"{{"redirect_uris":["{REDIRECT_URI}"],"token_endpoint_auth_method":"none","client_name":"{id}"}}"#
            ),
            String::new(),
        ];
        Self { targets, credentials, bodies }
    }

    fn request(&self, random: &mut StdRng) -> Option<Request<Body>> {
        let mut builder = Request::builder()
            .method(*METHODS.choose(random)?)
            .uri(changed(self.targets.choose(random)?, random).replace([' ', '"', '<', '>', '\\'], "+"));
        let body = changed(self.bodies.choose(random)?, random);
        if random.random_range(0..8) > 0 {
            builder = builder.header("content-type", *TYPES.choose(random)?);
        }
        let credentials = changed(self.credentials.choose(random)?, random);
        if !credentials.is_empty() {
            let name = if credentials.contains(COOKIE) { "cookie" } else { "authorization" };
            builder = builder.header(name, credentials.clone());
            if random.random_range(0..8) == 0 {
                builder = builder.header(name, credentials);
            }
        }
        let mut body = body.into_bytes();
        if random.random_range(0..16) == 0 && !body.is_empty() {
            let at = random.random_range(0..body.len());
            body[at] = random.random();
        }
        builder.body(Body::from(body)).ok()
    }
}

/// `text` as it is, half of the time.
fn changed(text: &str, random: &mut StdRng) -> String {
    let mut text = text.to_owned();
    while random.random_range(0..2) == 0 {
        let boundaries: Vec<_> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let (one, two) = (*boundaries.choose(random).unwrap(), *boundaries.choose(random).unwrap());
        let (start, end) = (one.min(two), one.max(two));
        match random.random_range(0..5) {
            0 => text.truncate(start),
            1 => text.replace_range(start..end, ""),
            2 => text.insert_str(start, PIECES.choose(random).unwrap()),
            3 => text = format!("{text}&{}", text.rsplit('&').next().unwrap()),
            _ => text = [&text[..end], &text[start..]].concat(),
        }
        if text.len() > 100_000 {
            text.clear();
        }
    }
    text
}

async fn is_harmless(app: &App, request: Request<Body>) {
    let shown = format!("{request:?}");
    let start = Instant::now();
    let answer: Response<Body> = app.router.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}: {shown}", start.elapsed());
    assert!(parts.status.as_u16() < 500, "{}: {shown}", parts.status);
    if let Some(location) = parts.headers.get("location") {
        assert!(location.as_bytes().starts_with(format!("{REDIRECT_URI}?").as_bytes()), "{location:?}: {shown}");
    }
    let is = |media_type: &str| {
        parts.headers.get("content-type").is_some_and(|found| found.as_bytes().starts_with(media_type.as_bytes()))
    };
    if is("application/json") && !body.is_empty() {
        serde_json::from_slice::<serde_json::Value>(&body).unwrap();
    }
    if is("text/html") {
        let page = String::from_utf8(body.into()).unwrap();
        assert!(!page.contains("<script") && !page.contains("javascript:"), "{page}");
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test]
async fn no_request_by_chance_is_a_fault_takes_long_or_is_led_astray() {
    let (requests, seed) = (number("KEYWARD_FUZZ_REQUESTS", 2_000), number("KEYWARD_FUZZ_SEED", 1));
    for round in 0..requests.div_ceil(500) {
        let app = App::start().await;
        let parts = Parts::of(&app).await;
        let mut random = StdRng::seed_from_u64(seed + round);
        let mut sent = 0;
        while sent < requests.min(500) {
            let Some(request) = parts.request(&mut random) else { continue };
            is_harmless(&app, request).await;
            sent += 1;
            if sent % 50 == 0 {
                app.clock.advance(Duration::from_secs(random.random_range(0..30)));
                app.log();
            }
        }
    }
}
