//! Who asks, and what is in a form.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::Client;
use super::super::http::Request;
use super::super::proof::check_assertion;
use super::{Checked, Refused, State};

impl State {
    /// Who asks.
    pub(super) fn client(&mut self, request: &Request, form: &HashMap<String, String>) -> Checked<String> {
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
}

/// The parameters, each once.
pub(super) fn form(request: &Request) -> Checked<HashMap<String, String>> {
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
