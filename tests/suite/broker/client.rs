//! A client, and the browser of the person who uses it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::app::{App, COOKIE, FORM, PASSWORD, USERNAME, encoded, json, parameter};
use crate::http::server::Answer;

pub(crate) const REDIRECT_URI: &str = "https://app.example/cb";
/// The example of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const OTHER_VERIFIER: &str = "another-verifier-of-forty-three-characters-x";

pub(crate) struct Client<'a> {
    pub(crate) app: &'a App,
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) method: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// The page that asks, in a browser.
pub(crate) struct Page {
    pub(crate) query: String,
    pub(crate) cookie: String,
    pub(crate) proof: String,
    pub(crate) answer: Answer,
}

impl App {
    pub(crate) async fn register(&self, metadata: &Value) -> Answer {
        self.post(&self.path("/register"), "application/json", &[], &metadata.to_string()).await
    }

    /// A client with this metadata beside a redirect URI and refresh tokens.
    pub(crate) async fn client_of(&self, metadata: Value) -> Client<'_> {
        let mut all = json!({
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
        });
        if let (Some(all), Value::Object(metadata)) = (all.as_object_mut(), metadata) {
            all.extend(metadata);
        }
        let answer = self.register(&all).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let members = json(&answer);
        let text = |name: &str| members[name].as_str().map(str::to_owned);
        let (id, method) = (text("client_id").unwrap(), text("token_endpoint_auth_method").unwrap());
        Client { app: self, id, secret: text("client_secret"), method }
    }

    /// A public client.
    pub(crate) async fn client(&self) -> Client<'_> {
        self.client_of(json!({"token_endpoint_auth_method": "none", "client_name": "Editor"})).await
    }

    /// A client with a secret, by HTTP Basic authentication.
    pub(crate) async fn confidential(&self) -> Client<'_> {
        self.client_of(json!({})).await
    }

    /// What a token means to the resource server.
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        let (id, secret) = super::app::RESOURCE_SERVER;
        let headers = [("Authorization", &*basic(id, secret))];
        let answer = self.post("/introspect", FORM, &headers, &encoded(&[("token", token)])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        json(&answer)
    }

    /// Calls the resource with a token.
    pub(crate) async fn call(&self, token: &str) -> Answer {
        self.get("/mcp", &[("Authorization", &format!("Bearer {token}"))]).await
    }
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// `pairs`, with `changes` in their place; one that is changed to nothing is left out.
pub(crate) fn changed<'p>(pairs: &[(&'p str, &'p str)], changes: &[(&'p str, &'p str)]) -> Vec<(&'p str, &'p str)> {
    let kept = pairs.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    kept.chain(changes.iter().filter(|(_, value)| !value.is_empty())).copied().collect()
}

impl Page {
    /// What the browser sends when a button is pressed, with these changes.
    pub(crate) async fn submit(&self, app: &App, changes: &[(&str, &str)]) -> Answer {
        let cookie = format!("{COOKIE}={}", self.cookie);
        self.submit_as(app, &[("Cookie", &cookie)], changes).await
    }

    pub(crate) async fn submit_as(&self, app: &App, headers: &[(&str, &str)], changes: &[(&str, &str)]) -> Answer {
        let own = [("consent", &*self.proof), ("username", USERNAME), ("password", PASSWORD), ("decision", "approve")];
        let target = format!("{}?{}", app.path("/authorize"), self.query);
        app.post(&target, FORM, headers, &encoded(&changed(&own, changes))).await
    }
}

impl Client<'_> {
    /// An authorization request, with these changes.
    pub(crate) fn query(&self, changes: &[(&str, &str)]) -> String {
        encoded(&changed(
            &[
                ("response_type", "code"),
                ("client_id", &self.id),
                ("redirect_uri", REDIRECT_URI),
                ("state", "a state"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ],
            changes,
        ))
    }

    pub(crate) async fn authorize(&self, query: &str) -> Answer {
        self.app.get(&format!("{}?{query}", self.app.path("/authorize")), &[]).await
    }

    pub(crate) async fn page(&self, query: &str) -> Page {
        self.page_as(query, &[]).await
    }

    pub(crate) async fn page_as(&self, query: &str, headers: &[(&str, &str)]) -> Page {
        let answer = self.app.get(&format!("{}?{query}", self.app.path("/authorize")), headers).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let (_, rest) = answer.body.split_once("name=\"consent\" value=\"").unwrap();
        let proof = rest.split('"').next().unwrap().to_owned();
        let (_, cookie) = answer.header("set-cookie").split_once('=').unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        self.app.is_secret(&proof);
        Page { query: query.to_owned(), cookie, proof, answer }
    }

    /// Where the browser goes when the person has said yes.
    pub(crate) async fn location(&self, query: &str) -> String {
        let answer = self.page(query).await.submit(self.app, &[]).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        answer.header("location").to_owned()
    }

    pub(crate) async fn code_for(&self, query: &str) -> String {
        parameter(&self.location(query).await, "code").unwrap()
    }

    pub(crate) async fn code(&self) -> String {
        self.code_for(&self.query(&[])).await
    }

    /// A request to an endpoint for programs, with the client's own way to say who it is.
    pub(crate) async fn send(&self, endpoint: &str, pairs: &[(&str, &str)]) -> Answer {
        let secret = self.secret.as_deref().unwrap_or_default();
        let own = match self.method.as_str() {
            "client_secret_basic" => {
                let headers = [("Authorization", &*basic(&self.id, secret))];
                return self.app.post(&self.app.path(endpoint), FORM, &headers, &encoded(pairs)).await;
            }
            "client_secret_post" => vec![("client_id", &*self.id), ("client_secret", secret)],
            _ => vec![("client_id", &*self.id)],
        };
        self.app.form(&self.app.path(endpoint), &changed(&own, pairs)).await
    }

    pub(crate) async fn redeem_with(&self, code: &str, changes: &[(&str, &str)]) -> Answer {
        let own = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        self.send("/token", &changed(&own, changes)).await
    }

    pub(crate) async fn redeem(&self, code: &str) -> Answer {
        self.redeem_with(code, &[]).await
    }

    pub(crate) async fn refresh_with(&self, token: &str, changes: &[(&str, &str)]) -> Answer {
        let own = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.send("/token", &changed(&own, changes)).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.refresh_with(token, &[]).await
    }

    /// The tokens of a new grant.
    pub(crate) async fn tokens(&self) -> Pair {
        pair(&self.redeem(&self.code().await).await)
    }

    pub(crate) async fn revoke(&self, token: &str) -> Answer {
        self.send("/revoke", &[("token", token)]).await
    }
}

pub(crate) fn pair(answer: &Answer) -> Pair {
    assert_eq!(answer.status, 200, "{answer:?}");
    let members = json(answer);
    let text = |name: &str| members[name].as_str().unwrap().to_owned();
    Pair { access: text("access_token"), refresh: text("refresh_token") }
}
