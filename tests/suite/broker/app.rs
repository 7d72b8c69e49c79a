//! An application with an authorization server and a resource that it protects, on a port of its own.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::any;
use keyward::broker::{Issuer, Principal, Resource, Subject, SubjectId};
use keyward::http::{
    Broker, BrowserRequest, CheckPassword, ConsentPage, Permitted, Protect, RegistrationPolicy, SignIn,
    SignInUnavailable,
};
use keyward::key::{Scope, Scopes};
use keyward::service::{ResourceServer, Tokens, TokensBuilder};
use keyward::store::grants::{GrantStore, MemoryGrantStore};
use keyward::{ManualClock, Secret};
use serde_json::Value;
use tracing::subscriber::DefaultGuard;

use crate::http::server::{Answer, Server};
use crate::support::START;
use crate::support::log::Log;

pub(crate) const ISSUER: &str = "https://as.example";
pub(crate) const RESOURCE: &str = "https://as.example/mcp";
pub(crate) const USERNAME: &str = "ada";
pub(crate) const PASSWORD: &str = "correct-horse+battery staple";
pub(crate) const RESOURCE_SERVER: (&str, &str) = ("notes-server", "the-secret-of-the-server-of-notes");
pub(crate) const COOKIE: &str = "__Host-keyward-consent";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

thread_local! {
    /// The listeners of the applications of this thread, which cannot be sent to another one as those can.
    static LISTENING: RefCell<Vec<DefaultGuard>> = const { RefCell::new(Vec::new()) };
}

/// It serves until it is dropped, and then looks for every secret that it has seen in all that was logged.
pub(crate) struct App {
    pub(crate) server: Server,
    /// What the server serves.
    pub(crate) router: Router,
    pub(crate) tokens: Tokens,
    pub(crate) clock: Arc<ManualClock>,
    secrets: Mutex<BTreeSet<String>>,
    log: Log,
}

pub(crate) struct Setup {
    pub(crate) issuer: &'static str,
    pub(crate) resources: &'static [&'static str],
    pub(crate) registration: RegistrationPolicy,
    pub(crate) store: Arc<dyn GrantStore>,
    pub(crate) tokens: Box<dyn FnOnce(TokensBuilder) -> TokensBuilder + Send>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            issuer: ISSUER,
            resources: &[RESOURCE, "https://as.example/other"],
            registration: RegistrationPolicy::open(),
            store: Arc::new(MemoryGrantStore::new()),
            tokens: Box::new(|builder| builder),
        }
    }
}

/// Ada has a password; whoever sends a header `X-Session` has signed in before.
struct People;

#[async_trait::async_trait]
impl SignIn for People {
    async fn current_subject(&self, request: &BrowserRequest<'_>) -> Result<Option<Subject>, SignInUnavailable> {
        let user = request.headers().get("x-session").and_then(|user| user.to_str().ok());
        Ok(user.and_then(|user| SubjectId::new(user).ok()).map(Subject::new))
    }

    fn passwords(&self) -> Option<&dyn CheckPassword> {
        Some(self)
    }
}

#[async_trait::async_trait]
impl CheckPassword for People {
    async fn check_password(&self, username: &str, password: &Secret) -> Result<Option<Subject>, SignInUnavailable> {
        if username == "nobody knows" {
            return Err(SignInUnavailable);
        }
        let is_ada = username == USERNAME && password.expose_secret() == PASSWORD;
        Ok(is_ada.then(|| Subject::new(SubjectId::new("42").unwrap()).with_name("Ada")))
    }
}

keyward::required_scopes! {
    NotesWrite = ["notes:read", "notes:write"];
}

async fn mcp(caller: Principal) -> String {
    format!("{} for {} may {}", caller.client(), caller.subject().id, caller.scopes())
}

async fn write(caller: Permitted<Principal, NotesWrite>) -> String {
    caller.subject().id.to_string()
}

pub(crate) fn scopes(scopes: &str) -> Scopes {
    scopes.split(' ').map(|scope| Scope::new(scope).unwrap()).collect()
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let Setup { issuer, resources, registration, store, tokens } = setup;
        let (log, listening) = Log::listen_to(tracing::Level::TRACE);
        LISTENING.with_borrow_mut(|all| all.push(listening));
        let clock = Arc::new(ManualClock::new(START));
        let (id, secret) = RESOURCE_SERVER;
        let server = ResourceServer::new(id, &Secret::new(secret.to_owned())).unwrap();
        let mut builder = Tokens::builder_over(store, Issuer::new(issuer).unwrap())
            .scopes(scopes("notes:read notes:write"))
            .resource_server(server.of_resource(Resource::new(RESOURCE).unwrap()))
            .shared_clock(clock.clone());
        for resource in resources {
            builder = builder.resource(Resource::new(*resource).unwrap());
        }
        let tokens = tokens(builder).build();
        // What no token is for, is not served.
        let protected = |routes: Router, resource| match tokens.protect(Resource::new(resource).unwrap()) {
            Ok(resource) => routes.layer(Protect::resource(resource).unwrap()),
            Err(_) => Router::new(),
        };
        let notes = Router::new().route("/mcp", any(mcp)).route("/mcp/write", any(write));
        let app = protected(notes, RESOURCE)
            .merge(protected(Router::new().route("/other", any(mcp)), "https://as.example/other"))
            .merge(Broker::new(tokens.clone(), ConsentPage::new(People)).registration(registration).router());
        let secrets = [PASSWORD, secret, super::client::VERIFIER].map(str::to_owned).into();
        Self { server: Server::start(app.clone()).await, router: app, tokens, clock, secrets: Mutex::new(secrets), log }
    }

    /// The path of an endpoint of the issuer.
    pub(crate) fn path(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.tokens.issuer().path())
    }

    pub(crate) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.request("GET", target, headers, "").await
    }

    pub(crate) async fn post(&self, target: &str, content_type: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.request("POST", target, &[&[("Content-Type", content_type)], headers].concat(), body).await
    }

    pub(crate) async fn form(&self, target: &str, pairs: &[(&str, &str)]) -> Answer {
        self.post(target, FORM, &[], &encoded(pairs)).await
    }

    pub(crate) async fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        use std::fmt::Write as _;

        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n");
        for (name, value) in headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        if !body.is_empty() || method == "POST" {
            let _ = write!(request, "Content-Length: {}\r\n", body.len());
        }
        let answer = self.server.send(format!("{request}\r\n{body}").as_bytes()).await;
        self.remember_secrets(&answer);
        answer
    }

    /// That this must never be logged.
    pub(crate) fn is_secret(&self, secret: &str) {
        self.secrets.lock().unwrap().insert(secret.to_owned());
    }

    fn remember_secrets(&self, answer: &Answer) {
        if let Ok(Value::Object(members)) = serde_json::from_str(&answer.body) {
            let secrets = ["access_token", "refresh_token", "client_secret"].map(|name| members.get(name));
            secrets.iter().flatten().filter_map(|secret| secret.as_str()).for_each(|secret| self.is_secret(secret));
        }
        if let Some(code) = parameter(answer.header("location"), "code") {
            self.is_secret(&code);
        }
        for cookie in answer.headers("set-cookie") {
            let (_, value) = cookie.split_once('=').unwrap();
            self.is_secret(value.split(';').next().unwrap());
        }
    }

    /// What was logged since the last call, in which there is no secret.
    pub(crate) fn log(&self) -> String {
        let text = self.log.text();
        for secret in &*self.secrets.lock().unwrap() {
            assert!(!text.contains(secret.as_str()), "the log has {secret}:\n{text}");
        }
        text
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let listening = LISTENING.with_borrow_mut(Vec::pop);
        if !std::thread::panicking() {
            self.log();
        }
        drop(listening);
    }
}

/// As `application/x-www-form-urlencoded`.
pub(crate) fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A parameter of the query of a URL.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(found, _)| found == name);
    let value = values.next()?.1.into_owned();
    assert!(values.next().is_none(), "{name} is there twice in {url}");
    Some(value)
}

pub(crate) fn json(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), "application/json", "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// The status and the error code of an answer that says no.
pub(crate) fn error(answer: &Answer) -> (u16, String) {
    let members = json(answer);
    assert!(members["error_description"].is_string(), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    (answer.status, members["error"].as_str().unwrap().to_owned())
}

/// As [`error`] gives it.
pub(crate) fn told(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
