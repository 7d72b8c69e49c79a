//! An authorization request: what a client asks a person for, and whom a refusal may be told.

use std::fmt;

use crate::broker::client_metadata::parse_scopes;
use crate::broker::{ClientId, ClientRecord, CodeChallenge, OAuthErrorCode, Parameters, RedirectUri, Resource};
use crate::key::Scopes;
use crate::secret::Secret;

/// The longest `state` that is given back, in bytes.
const LONGEST_STATE: usize = 4096;
/// What rather old clients ask for to have a refresh token. Whether one is issued is not a matter of scopes here.
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

/// What a server grants at most.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerPolicy {
    /// The scopes. Where a client asks for none, it is granted those that it has registered, or all of these.
    pub scopes: Scopes,
    /// The resources. Where a client names none, its tokens are for the first one.
    pub resources: Vec<Resource>,
}

impl ServerPolicy {
    /// These scopes at these resources.
    #[must_use]
    pub const fn new(scopes: Scopes, resources: Vec<Resource>) -> Self {
        Self { scopes, resources }
    }

    fn resource(&self, asked: Option<&str>) -> Result<Option<String>, OAuthErrorCode> {
        match asked {
            None => Ok(self.resources.first().map(|resource| resource.as_str().to_owned())),
            Some(asked) if self.resources.iter().any(|own| own.as_str() == asked) => Ok(Some(asked.to_owned())),
            Some(_) => Err(OAuthErrorCode::InvalidTarget),
        }
    }

    fn scopes(&self, client: &ClientRecord, asked: Option<&str>) -> Result<Scopes, OAuthErrorCode> {
        let permitted = |scope: &str| {
            self.scopes.contains(scope) && client.scopes.as_ref().is_none_or(|registered| registered.contains(scope))
        };
        let asked = asked.map(parse_scopes).transpose().map_err(|_| OAuthErrorCode::InvalidScope)?;
        let named = |scopes: &Scopes| {
            Scopes::from_stored(scopes.iter().filter(|scope| *scope != OFFLINE_ACCESS || self.scopes.contains(scope)))
        };
        match asked.as_ref().map(named).filter(|asked| !asked.is_empty()) {
            None => Ok(Scopes::from_stored(self.scopes.iter().filter(|scope| permitted(scope)))),
            Some(asked) if asked.iter().all(permitted) => Ok(asked),
            Some(_) => Err(OAuthErrorCode::InvalidScope),
        }
    }
}

/// An authorization request that is in order (RFC 6749 section 4.1.1, with PKCE): a person may be asked.
#[derive(Clone)]
#[non_exhaustive]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client: ClientRecord,
    /// Where the answer goes, letter for letter as it was asked for.
    pub redirect_uri: RedirectUri,
    /// What the client wants to see again.
    pub state: Option<String>,
    /// What is asked for.
    pub scopes: Scopes,
    /// For which resource (RFC 8707).
    pub resource: Option<String>,
    /// What the code is bound to (RFC 7636).
    pub challenge: CodeChallenge,
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest")
            .field("client", &self.client.id)
            .field("redirect_uri", &self.redirect_uri)
            .field("scopes", &self.scopes)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl AuthorizationRequest {
    /// The client that the parameters name, to be looked up.
    ///
    /// # Errors
    /// [`AuthorizationRefusal::Shown`] when they name none.
    pub fn client_id(parameters: &Parameters<'_>) -> Result<ClientId, AuthorizationRefusal> {
        let id = parameters.get("client_id").ok_or(AuthorizationRefusal::Shown("client_id is missing or repeated"))?;
        ClientId::new(id).map_err(|_| AuthorizationRefusal::Shown("there is no such client"))
    }

    /// Checks a request: first where an answer may go, then all the rest.
    ///
    /// # Errors
    /// [`AuthorizationRefusal`].
    pub fn check(
        client: Option<ClientRecord>,
        parameters: &Parameters<'_>,
        policy: &ServerPolicy,
    ) -> Result<Self, AuthorizationRefusal> {
        let known = client.filter(|client| client.defect.is_none());
        let client = known.ok_or(AuthorizationRefusal::Shown("there is no such client"))?;
        let redirect_uri = parameters
            .get("redirect_uri")
            .filter(|uri| client.redirect_uri(uri).is_some())
            .and_then(|uri| RedirectUri::new(uri).ok())
            .ok_or(AuthorizationRefusal::Shown("redirect_uri is not one that the client has registered"))?;
        // What is no UTF-8 cannot be given back exactly, so it is not given back at all.
        let sent_state = parameters.get("state");
        let state = sent_state.filter(|state| !state.contains(char::REPLACEMENT_CHARACTER)).map(str::to_owned);
        let refuse = |code, description| {
            let (redirect_uri, state) = (redirect_uri.clone(), state.clone());
            AuthorizationRefusal::Redirected(RedirectedRefusal { redirect_uri, state, code, description })
        };
        if parameters.repeated().is_some() {
            return Err(refuse(OAuthErrorCode::InvalidRequest, "a parameter is repeated"));
        }
        if sent_state.is_some() && state.is_none() {
            return Err(refuse(OAuthErrorCode::InvalidRequest, "state is not encoded in UTF-8"));
        }
        if state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err(refuse(OAuthErrorCode::InvalidRequest, "state is too long"));
        }
        match parameters.get("response_type") {
            Some("code") => {}
            Some(_) => return Err(refuse(OAuthErrorCode::UnsupportedResponseType, "response_type must be code")),
            None => return Err(refuse(OAuthErrorCode::InvalidRequest, "response_type is missing")),
        }
        if matches!(parameters.get("response_mode"), Some(mode) if mode != "query") {
            return Err(refuse(OAuthErrorCode::InvalidRequest, "response_mode must be query"));
        }
        if parameters.get("code_challenge_method") != Some(CodeChallenge::METHOD) {
            return Err(refuse(OAuthErrorCode::InvalidRequest, "code_challenge_method must be S256"));
        }
        let challenge = parameters.get("code_challenge").and_then(CodeChallenge::new);
        let challenge = challenge.ok_or_else(|| refuse(OAuthErrorCode::InvalidRequest, "code_challenge is missing"))?;
        let resource = policy.resource(parameters.get("resource"));
        let resource = resource.map_err(|code| refuse(code, "resource is not one of this server's"))?;
        let scopes = policy.scopes(&client, parameters.get("scope"));
        let scopes = scopes.map_err(|code| refuse(code, "scope is not one that the client may ask for"))?;
        Ok(Self { client, redirect_uri, state, scopes, resource, challenge })
    }

    /// Where the browser goes with a code (RFC 6749 section 4.1.2, RFC 9207 section 2).
    pub(crate) fn answered(&self, code: &Secret, issuer: &str) -> Secret {
        let mut parameters = vec![("code", code.expose_secret())];
        parameters.extend(self.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", issuer));
        Secret::new(self.redirect_uri.with_parameters(&parameters))
    }

    /// What the client is told when the person refuses, or the server cannot go on.
    #[must_use]
    pub fn refused(&self, code: OAuthErrorCode, description: &'static str) -> RedirectedRefusal {
        let (redirect_uri, state) = (self.redirect_uri.clone(), self.state.clone());
        RedirectedRefusal { redirect_uri, state, code, description }
    }
}

/// Why a person is not asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationRefusal {
    /// Nobody knows where an answer may go: the person is shown it, and nobody is redirected (RFC 6749 section 4.1.2.1).
    #[error("{0}")]
    Shown(&'static str),
    /// The client is told.
    #[error("{}", .0.description)]
    Redirected(RedirectedRefusal),
}

/// A refusal that the client is told, by way of the browser (RFC 6749 section 4.1.2.1).
#[derive(Clone)]
#[non_exhaustive]
pub struct RedirectedRefusal {
    redirect_uri: RedirectUri,
    state: Option<String>,
    /// The code.
    pub code: OAuthErrorCode,
    /// What is wrong, in one sentence that repeats nothing of the request.
    pub description: &'static str,
}

impl RedirectedRefusal {
    /// Where the browser goes.
    #[must_use]
    pub fn location(&self, issuer: &str) -> String {
        let mut parameters = vec![("error", self.code.as_str()), ("error_description", self.description)];
        parameters.extend(self.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", issuer));
        self.redirect_uri.with_parameters(&parameters)
    }
}

impl fmt::Debug for RedirectedRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedirectedRefusal")
            .field("redirect_uri", &self.redirect_uri)
            .field("code", &self.code)
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const GOOD: &str = "response_type=code&client_id=c&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&state=s%20%26\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    fn check(query: &str) -> Result<AuthorizationRequest, AuthorizationRefusal> {
        let scopes = |scopes: &str| Scopes::from_stored(scopes.split(' '));
        let policy = ServerPolicy::new(scopes("a b c"), vec![Resource::new("https://api.example/mcp").unwrap()]);
        let uris =
            vec![RedirectUri::new("https://app.example/cb").unwrap(), RedirectUri::new("http://[::1]/cb").unwrap()];
        let mut client = ClientRecord::new(ClientId::new("c").unwrap(), uris, Timestamp::MIN);
        client.scopes = Some(scopes("a b x"));
        AuthorizationRequest::check(Some(client), &Parameters::parse(query), &policy)
    }

    fn told(query: &str) -> (OAuthErrorCode, String) {
        match check(query) {
            Err(AuthorizationRefusal::Redirected(refusal)) => (refusal.code, refusal.location("https://as.example")),
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn a_request_in_order_is_for_what_client_and_server_both_have() {
        let request = check(GOOD).unwrap();
        assert_eq!((request.scopes.to_string().as_str(), request.state.as_deref()), ("a b", Some("s &")));
        assert_eq!(request.resource.as_deref(), Some("https://api.example/mcp"));
        assert_eq!(check(&format!("{GOOD}&scope=b")).unwrap().scopes.to_string(), "b");
        assert_eq!(
            check(&format!("{GOOD}&scope=b+offline_access&unknown=1&resource=")).unwrap().scopes.to_string(),
            "b"
        );
        let answer = request.answered(&Secret::new("the-code".to_owned()), "https://as.example");
        assert_eq!(
            answer.expose_secret(),
            "https://app.example/cb?code=the-code&state=s+%26&iss=https%3A%2F%2Fas.example"
        );
        assert_eq!(request.redirect_uri.as_str(), "https://app.example/cb");
    }

    #[test]
    fn nobody_is_redirected_where_it_is_not_known_that_the_client_is_there() {
        let encoded = "redirect_uri=https%3A%2F%2Fapp.example%2Fcb";
        for query in [
            GOOD.replace(encoded, ""),
            GOOD.replace(encoded, "redirect_uri=https%3A%2F%2Fevil.example%2Fcb"),
            GOOD.replace(encoded, "redirect_uri=https%3A%2F%2Fapp.example%2Fcb%2F"),
            format!("{GOOD}&{encoded}"),
        ] {
            assert!(matches!(check(&query), Err(AuthorizationRefusal::Shown(_))), "{query}");
        }
        let nobody = AuthorizationRequest::check(None, &Parameters::parse(GOOD), &ServerPolicy::default());
        assert!(matches!(nobody, Err(AuthorizationRefusal::Shown(_))));
        for query in ["", "client_id=", "client_id=a&client_id=a", "client_id=%07"] {
            assert!(AuthorizationRequest::client_id(&Parameters::parse(query)).is_err(), "{query}");
        }
    }

    #[test]
    fn everything_else_is_told_to_the_client_with_its_state_and_who_says_so() {
        use OAuthErrorCode::{InvalidRequest, InvalidScope, InvalidTarget, UnsupportedResponseType};

        for (query, expected) in [
            (GOOD.replace("response_type=code", ""), InvalidRequest),
            (GOOD.replace("response_type=code", "response_type=token"), UnsupportedResponseType),
            (GOOD.replace("=S256", "=plain"), InvalidRequest),
            (GOOD.replace("&code_challenge_method=S256", ""), InvalidRequest),
            (GOOD.replace("code_challenge=E9", "code_challenge=E"), InvalidRequest),
            (format!("{GOOD}&scope=a&scope=b"), InvalidRequest),
            (format!("{GOOD}&response_mode=fragment"), InvalidRequest),
            (format!("{GOOD}&scope=c"), InvalidScope),
            (format!("{GOOD}&scope=x"), InvalidScope),
            (format!("{GOOD}&scope=a%22"), InvalidScope),
            (format!("{GOOD}&resource=https%3A%2F%2Fapi.example%2F"), InvalidTarget),
        ] {
            let (code, location) = told(&query);
            assert_eq!(code, expected, "{query}");
            assert!(location.starts_with(&format!("https://app.example/cb?error={code}&")), "{location}");
            assert!(location.ends_with("&state=s+%26&iss=https%3A%2F%2Fas.example"), "{location}");
        }
        for query in [format!("{GOOD}&scope=a%20").replace("s%20%26", "%FF"), format!("{GOOD}&x=1&x=2&state=again")] {
            let (code, location) = told(&query);
            assert_eq!((code, location.contains("state=")), (InvalidRequest, false), "{location}");
        }
        let (_, location) = told(&format!("{GOOD}&state=again"));
        assert!(!location.contains("state="), "{location}");
    }
}
