//! The resource server.

use serde_json::json;

use super::super::http::{Delivery, Request, Response};
use super::{Checked, Refused, State};

impl State {
    pub(super) fn call(&mut self, request: &Request) -> Response {
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
