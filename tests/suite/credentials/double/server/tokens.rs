//! The authorization server: refresh tokens are spent, and tokens revoked.

use serde_json::{Value, json};

use super::super::http::{Delivery, Reply, Request, Response};
use super::super::{Client, Fault};
use super::client::form;
use super::{Checked, Refused, Session, State};

const SCOPE: &str = "atproto transition:generic";
/// How long a public client's session lasts from sign-in, in seconds: 14 days.
const PUBLIC_SESSION: i64 = 14 * 24 * 60 * 60;

impl State {
    fn end(&mut self, id: u64) {
        self.sessions.retain(|session| session.id != id);
    }

    pub(super) fn refresh(&mut self, request: &Request) -> Checked<Reply> {
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

    pub(super) fn revoke(&mut self, request: &Request) -> Checked<Response> {
        let form = form(request)?;
        self.proof(request, false)?;
        self.client(request, &form)?;
        let token = form.get("token").ok_or(Refused(400, "invalid_request", "no token"))?;
        self.seen.revocations += 1;
        self.sessions.retain(|session| session.tokens.refresh_token != *token && session.tokens.access_token != *token);
        // Unknown tokens are as good as revoked.
        Ok(self.respond(200, "application/json", "{}".to_owned()))
    }
}

fn content_type(body: &str) -> &'static str {
    if serde_json::from_str::<Value>(body).is_ok() { "application/json" } else { "text/html" }
}
