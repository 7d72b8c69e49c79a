//! What the two servers remember and decide. Everything happens under one lock, so that of two uses of a token one is
//! the second.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::{Delivery, Reply, Request, Response};
use super::proof::{Proof, access_token, check_assertion};
use super::{Client, Fault, Seen, Tokens};

const SCOPE: &str = "atproto transition:generic";
/// How long a public client's session lasts from sign-in, in seconds: 14 days.
const PUBLIC_SESSION: i64 = 14 * 24 * 60 * 60;

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

    /// Who asks.
    fn client(&mut self, request: &Request, form: &HashMap<String, String>) -> Checked<String> {
        let found = self.authenticated(request, form);
        if found.is_none() {
            self.seen.clients_refused += 1;
        }
        found.ok_or(Refused(401, "invalid_client", "client authentication failed"))
    }

    fn authenticated(&mut self, request: &Request, form: &HashMap<String, String>) -> Option<String> {
        let basic = match request.header("Authorization") {
            None => None,
            Some(header) => {
                let pair = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
                let pair = String::from_utf8(pair).ok()?;
                let (id, secret) = pair.split_once(':')?;
                Some((unescape(id), unescape(secret)))
            }
        };
        let in_body = form.get("client_secret");
        let id = basic.as_ref().map(|(id, _)| id).or_else(|| form.get("client_id"))?.clone();
        let is_good = match self.clients.get(&id)? {
            Client::Public => basic.is_none() && in_body.is_none() && !form.contains_key("client_assertion"),
            Client::Secret(secret) => match (&basic, in_body) {
                (Some((_, given)), None) | (None, Some(given)) => given == secret,
                _ => false,
            },
            Client::Key { kid, x, y } => {
                let is_jwt = form.get("client_assertion_type")?.ends_with(":jwt-bearer");
                let assertion = form.get("client_assertion").filter(|_| is_jwt)?;
                let jti = check_assertion(assertion, (kid, x, y), &id, &self.issuer, (self.now)())?;
                self.identifiers.insert(format!("assertion {jti}"))
            }
        };
        is_good.then_some(id)
    }

    fn end(&mut self, id: u64) {
        self.sessions.retain(|session| session.id != id);
    }

    fn refresh(&mut self, request: &Request) -> Checked<Reply> {
        let form = form(request)?;
        if let Some(Fault::Stall(duration)) = self.faults.front().cloned() {
            self.faults.pop_front();
            return Ok(Reply::Stall(duration));
        }
        let proof = self.proof(request, false)?;
        let client = self.client(request, &form)?;
        if form.get("grant_type").map(String::as_str) != Some("refresh_token") {
            return Err(Refused(400, "unsupported_grant_type", "only refreshes are served"));
        }
        let token = form.get("refresh_token").ok_or(Refused(400, "invalid_request", "no refresh token"))?;
        if let Some(&id) = self.spent.get(token) {
            self.seen.replays += 1;
            self.end(id);
            return Err(Refused(400, "invalid_grant", "Refresh token replayed"));
        }
        let found = self.sessions.iter().position(|session| session.tokens.refresh_token == *token);
        let at = found.ok_or(Refused(400, "invalid_grant", "Invalid refresh token"))?;
        let Session { id, began, .. } = self.sessions[at];
        if self.sessions[at].client != client {
            self.end(id);
            return Err(Refused(400, "invalid_grant", "Token was not issued to this client"));
        }
        match (&self.sessions[at].jkt, &proof) {
            (Some(_), None) => {
                self.seen.proofs_refused += 1;
                return Err(Refused(401, "invalid_dpop_proof", "DPoP proof required"));
            }
            (Some(jkt), Some(proof)) if *jkt != proof.jkt => {
                self.seen.other_keys += 1;
                self.end(id);
                return Err(Refused(400, "invalid_grant", "DPoP proof does not match the expected JKT"));
            }
            _ => {}
        }
        if matches!(self.clients[&client], Client::Public) && (self.now)() >= began + PUBLIC_SESSION {
            self.end(id);
            return Err(Refused(400, "invalid_grant", "Session expired"));
        }
        Ok(Reply::Now(self.spend(at)))
    }

    /// Everything is right; now the plan has its say.
    fn spend(&mut self, at: usize) -> Response {
        let fault = self.faults.pop_front();
        match &fault {
            Some(Fault::DemandNonce) => {
                self.rotate_nonces();
                self.rotate_nonces();
                self.seen.nonces_demanded += 1;
                return self.refusal(&Refused(400, "use_dpop_nonce", "a nonce is required in the proof"));
            }
            Some(Fault::Refuse { status, body }) => return self.respond(*status, content_type(body), body.clone()),
            Some(Fault::LoseRequest) => {
                let mut response = self.respond(500, "text/html", String::new());
                response.delivery = Delivery::Never;
                return response;
            }
            _ => {}
        }
        self.seen.refreshes += 1;
        let (subject, jkt) = (self.sessions[at].subject.clone(), self.sessions[at].jkt.clone());
        let tokens = self.new_tokens(&subject, jkt.as_deref());
        let expires_at = (self.now)() + self.lifetime;
        let session = &mut self.sessions[at];
        self.spent.insert(session.tokens.refresh_token.clone(), session.id);
        session.tokens = tokens.clone();
        session.expires_at = expires_at;
        let body = json!({
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "token_type": if jkt.is_some() { "DPoP" } else { "Bearer" },
            "expires_in": self.lifetime,
            "scope": SCOPE,
            "sub": subject,
        });
        let mut response = self.respond(200, "application/json", body.to_string());
        match fault {
            Some(Fault::LoseAnswer) => response.delivery = Delivery::Never,
            Some(Fault::CutAnswer) => response.delivery = Delivery::Half,
            Some(Fault::Delay(duration)) => response.delivery = Delivery::After(duration),
            Some(Fault::Spend { status, body }) => response = self.respond(status, content_type(&body), body),
            _ => {}
        }
        response
    }

    fn revoke(&mut self, request: &Request) -> Checked<Response> {
        let form = form(request)?;
        self.proof(request, false)?;
        self.client(request, &form)?;
        let token = form.get("token").ok_or(Refused(400, "invalid_request", "no token"))?;
        self.seen.revocations += 1;
        self.sessions.retain(|session| session.tokens.refresh_token != *token && session.tokens.access_token != *token);
        // Unknown tokens are as good as revoked.
        Ok(self.respond(200, "application/json", "{}".to_owned()))
    }

    fn call(&mut self, request: &Request) -> Response {
        let checked = self.admitted(request);
        let nonce = self.resource_nonces.newest();
        let (status, challenge, body) = match checked {
            Ok(subject) => {
                self.seen.calls += 1;
                (200, None, json!({"did": subject}))
            }
            Err(Refused(_, code, description)) => {
                self.seen.calls_refused += 1;
                let challenge = format!(r#"DPoP error="{code}", error_description="{description}""#);
                (401, Some(challenge), json!({"error": code, "message": description}))
            }
        };
        let mut headers = vec![("Content-Type", "application/json".to_owned()), ("DPoP-Nonce", nonce)];
        headers.extend(challenge.map(|challenge| ("WWW-Authenticate", challenge)));
        Response { status, headers, body: body.to_string(), delivery: Delivery::AtOnce }
    }

    fn admitted(&mut self, request: &Request) -> Checked<String> {
        let header = request.header("Authorization").ok_or(Refused(401, "invalid_token", "no token"))?;
        let (scheme, token) = header.split_once(' ').unwrap_or_default();
        let proof = self.proof(request, true)?;
        let now = (self.now)();
        let found =
            self.sessions.iter().find(|session| session.tokens.access_token == token && now < session.expires_at);
        let session = found.ok_or(Refused(401, "invalid_token", "unknown, expired or replaced"))?;
        match (&session.jkt, proof) {
            (None, None) if scheme.eq_ignore_ascii_case("Bearer") => {}
            (Some(jkt), Some(proof)) if scheme.eq_ignore_ascii_case("DPoP") => {
                if !proof.is_for(token) || proof.jkt != *jkt {
                    return Err(Refused(401, "invalid_dpop_proof", "the proof is for another token"));
                }
            }
            _ => return Err(Refused(401, "invalid_token", "not presented in the way that it has to be")),
        }
        Ok(session.subject.clone())
    }
}

fn content_type(body: &str) -> &'static str {
    if serde_json::from_str::<Value>(body).is_ok() { "application/json" } else { "text/html" }
}

/// The parameters, each once.
fn form(request: &Request) -> Checked<HashMap<String, String>> {
    const MALFORMED: Refused = Refused(400, "invalid_request", "malformed form");
    if request.header("Content-Type") != Some("application/x-www-form-urlencoded") {
        return Err(MALFORMED);
    }
    let mut form = HashMap::new();
    for pair in request.body.split('&') {
        let (name, value) = pair.split_once('=').ok_or(MALFORMED)?;
        if value.is_empty() || form.insert(name.to_owned(), unescape(value)).is_some() {
            return Err(MALFORMED);
        }
    }
    Ok(form)
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).unwrap_or_default();
                u8::try_from(digit() * 16 + digit()).unwrap_or_default()
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
