//! What the two servers remember and decide. Everything happens under one lock, so that of two uses of a token one is
//! the second.

mod client;
mod resource;
mod tokens;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use serde_json::json;

use super::http::{Delivery, Reply, Request, Response};
use super::proof::{Proof, access_token};
use super::{Client, Fault, Seen, Tokens};

pub(super) struct State {
    issuer: String,
    now: Box<dyn Fn() -> i64 + Send>,
    pub(super) clients: HashMap<String, Client>,
    sessions: Vec<Session>,
    /// Spent refresh tokens, and whose they were.
    spent: HashMap<String, u64>,
    /// Identifiers of proofs and assertions.
    identifiers: HashSet<String>,
    tokens_nonces: Nonces,
    resource_nonces: Nonces,
    pub(super) faults: VecDeque<Fault>,
    pub(super) lifetime: i64,
    pub(super) seen: Seen,
    counter: u64,
}

struct Session {
    id: u64,
    subject: String,
    client: String,
    jkt: Option<String>,
    began: i64,
    expires_at: i64,
    tokens: Tokens,
}

/// The newest nonce, and the one before.
#[derive(Default)]
struct Nonces(VecDeque<String>);

impl Nonces {
    fn rotate(&mut self, nonce: String) {
        self.0.push_front(nonce);
        self.0.truncate(2);
    }

    fn newest(&self) -> String {
        self.0.front().cloned().unwrap_or_default()
    }

    fn knows(&self, nonce: Option<&str>) -> bool {
        self.0.iter().any(|known| Some(known.as_str()) == nonce)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("issuer", &self.issuer).field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// A refusal by an OAuth code.
struct Refused(u16, &'static str, &'static str);

type Checked<T> = Result<T, Refused>;

impl State {
    pub(super) fn new(issuer: String, now: Box<dyn Fn() -> i64 + Send>) -> Self {
        let mut state = Self {
            issuer,
            now,
            clients: HashMap::new(),
            sessions: Vec::new(),
            spent: HashMap::new(),
            identifiers: HashSet::new(),
            tokens_nonces: Nonces::default(),
            resource_nonces: Nonces::default(),
            faults: VecDeque::new(),
            lifetime: 3600,
            seen: Seen::default(),
            counter: 0,
        };
        state.rotate_nonces();
        state
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(super) fn rotate_nonces(&mut self) {
        let number = self.next();
        self.tokens_nonces.rotate(format!("as-nonce-{number}"));
        self.resource_nonces.rotate(format!("rs-nonce-{number}"));
    }

    fn new_tokens(&mut self, subject: &str, jkt: Option<&str>) -> Tokens {
        let (number, now) = (self.next(), (self.now)());
        let mut claims = json!({"sub": subject, "jti": number, "iat": now, "exp": now + self.lifetime});
        if let Some(jkt) = jkt {
            claims["cnf"] = json!({"jkt": jkt});
        }
        Tokens { access_token: access_token(&claims), refresh_token: format!("ref-{number}-{}", "r".repeat(40)) }
    }

    pub(super) fn sign_in(&mut self, subject: &str, client: &str, jkt: Option<&str>) -> Tokens {
        assert!(self.clients.contains_key(client), "{client} is not registered");
        let (tokens, id, now) = (self.new_tokens(subject, jkt), self.next(), (self.now)());
        self.sessions.retain(|session| session.subject != subject);
        self.sessions.push(Session {
            id,
            subject: subject.to_owned(),
            client: client.to_owned(),
            jkt: jkt.map(str::to_owned),
            began: now,
            expires_at: now + self.lifetime,
            tokens: tokens.clone(),
        });
        tokens
    }

    pub(super) fn current(&self, subject: &str) -> Option<Tokens> {
        self.sessions.iter().find(|session| session.subject == subject).map(|session| session.tokens.clone())
    }

    pub(super) fn answer(&mut self, request: &Request) -> Reply {
        let path = request.target.split('?').next().unwrap_or_default();
        match (request.method.as_str(), path) {
            ("POST", "/oauth/token") => {
                self.seen.token_requests += 1;
                let reply = self.refresh(request);
                if matches!(reply, Ok(Reply::Stall(_))) {
                    self.seen.token_requests -= 1;
                }
                reply.unwrap_or_else(|refused| Reply::Now(self.refusal(&refused)))
            }
            ("POST", "/oauth/revoke") => {
                let response = self.revoke(request).unwrap_or_else(|refused| self.refusal(&refused));
                Reply::Now(response)
            }
            (_, path) if path.starts_with("/xrpc/") => Reply::Now(self.call(request)),
            _ => Reply::Now(self.respond(404, "text/html", "<html>Not Found</html>".to_owned())),
        }
    }

    fn respond(&self, status: u16, content_type: &str, body: String) -> Response {
        let headers = vec![
            ("Content-Type", content_type.to_owned()),
            ("Cache-Control", "no-store".to_owned()),
            ("DPoP-Nonce", self.tokens_nonces.newest()),
        ];
        Response { status, headers, body, delivery: Delivery::AtOnce }
    }

    fn refusal(&self, Refused(status, code, description): &Refused) -> Response {
        let body = json!({"error": code, "error_description": description}).to_string();
        self.respond(*status, "application/json", body)
    }

    /// The request's proof, if there is one; all of it is checked but whose key it is.
    fn proof(&mut self, request: &Request, of_resource: bool) -> Checked<Option<Proof>> {
        if request.all("DPoP").next().is_none() {
            return Ok(None);
        }
        let url = format!("{}{}", self.issuer, request.target.split('?').next().unwrap_or_default());
        let text = request.header("DPoP").ok_or("several proofs");
        let proof = text.and_then(|text| Proof::check(text, &request.method, &url, (self.now)())).map_err(|why| {
            self.seen.proofs_refused += 1;
            Refused(401, "invalid_dpop_proof", why)
        })?;
        let nonces = if of_resource { &self.resource_nonces } else { &self.tokens_nonces };
        if !nonces.knows(proof.nonce.as_deref()) {
            self.seen.nonces_demanded += 1;
            return Err(Refused(400, "use_dpop_nonce", "a nonce is required in the proof"));
        }
        if !self.identifiers.insert(format!("proof {}", proof.jti)) {
            self.seen.proofs_refused += 1;
            return Err(Refused(401, "invalid_dpop_proof", "jti reused"));
        }
        Ok(Some(proof))
    }
}
