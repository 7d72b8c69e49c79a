//! The page on which a person is asked, for hosts without one of their own.

mod html;

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryCryptoRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub(super) use html::refused;

use super::authorize::redirect;
use super::{BrowserRequest, Consent, ConsentOutcome};
use crate::broker::{AuthorizationRequest, Subject, new_secret};
use crate::random::SharedGenerator;
use crate::secret::Secret;
use crate::service::Approval;

/// Fields of the form.
const PROOF: &str = "consent";
const DECISION: &str = "decision";
const USERNAME: &str = "username";
const PASSWORD: &str = "password";

/// Who is at the browser, as the host knows it.
///
/// A host that keeps sessions of its own says whose one it is, and where people sign in:
///
/// ```
/// use keyward::broker::{Subject, SubjectId};
/// use keyward::http::{BrowserRequest, SignIn, SignInUnavailable};
///
/// struct Sessions;
///
/// #[async_trait::async_trait]
/// impl SignIn for Sessions {
///     async fn current_subject(&self, request: &BrowserRequest<'_>) -> Result<Option<Subject>, SignInUnavailable> {
///         // Look the session up: `Ok(None)` when there is none, an error when the database does not answer.
///         let Some(session) = request.cookie("session") else { return Ok(None) };
///         Ok(SubjectId::new(session).ok().map(Subject::new))
///     }
///
///     fn sign_in_at(&self, request: &BrowserRequest<'_>) -> Option<String> {
///         // Afterwards the browser comes back to `to`: your page must send it nowhere but to paths of your own.
///         let to: String = url::form_urlencoded::byte_serialize(request.uri().to_string().as_bytes()).collect();
///         Some(format!("/login?to={to}"))
///     }
/// }
/// ```
#[async_trait::async_trait]
pub trait SignIn: Send + Sync + 'static {
    /// Who is signed in already, by a session of the host's; nobody, unless overridden.
    ///
    /// # Errors
    /// [`SignInUnavailable`] when that cannot be found out: the client is told to try again later.
    async fn current_subject(&self, request: &BrowserRequest<'_>) -> Result<Option<Subject>, SignInUnavailable> {
        let _ = request;
        Ok(None)
    }

    /// Where the browser goes when nobody is signed in: a page of the host's, which sends it back to the request's
    /// [`uri`](BrowserRequest::uri). Nowhere, unless overridden.
    fn sign_in_at(&self, request: &BrowserRequest<'_>) -> Option<String> {
        let _ = request;
        None
    }

    /// Who checks names and passwords, if they are typed on the page itself; nobody, unless overridden. Where there is neither
    /// this nor a page of the host's, whoever is not signed in is refused.
    fn passwords(&self) -> Option<&dyn CheckPassword> {
        None
    }
}

/// Checks names and passwords that are typed on the page. Limiting how often somebody may try is the host's part.
#[async_trait::async_trait]
pub trait CheckPassword: Send + Sync + 'static {
    /// Whose name and password these are.
    ///
    /// # Errors
    /// [`SignInUnavailable`] when that cannot be found out.
    async fn check_password(&self, username: &str, password: &Secret) -> Result<Option<Subject>, SignInUnavailable>;

    /// What stands in the field of the name at first; nothing, unless overridden.
    fn suggested_username(&self) -> Option<String> {
        None
    }
}

/// Nobody can say at the moment who is at the browser. It is no refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be found out who is signed in")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct SignInUnavailable;

/// The page that is built in: it shows which client asks, where the answer goes and for what, and takes a yes or a no, and a
/// name and a password where nobody is signed in.
///
/// Nobody can frame it, it runs no script, and its form is good only in the browser that was shown the page, and for the
/// same request.
#[derive(Debug)]
pub struct ConsentPage<S> {
    sign_in: S,
    random: SharedGenerator,
}

impl<S: SignIn> ConsentPage<S> {
    /// The page, with `sign_in` to say who is there.
    #[must_use]
    pub fn new(sign_in: S) -> Self {
        Self { sign_in, random: SharedGenerator::system() }
    }

    /// Takes random bytes from `generator` instead of the operating system: any cryptographically secure generator of
    /// the crate `rand`.
    #[must_use]
    pub fn random(self, generator: impl TryCryptoRng + Send + 'static) -> Self {
        Self { random: SharedGenerator::new(generator), ..self }
    }

    /// Nobody is signed in.
    fn ask_to_sign_in(&self, request: &AuthorizationRequest, from: &BrowserRequest<'_>) -> ConsentOutcome {
        if let Some(location) = self.sign_in.sign_in_at(from) {
            return ConsentOutcome::Respond(redirect(&location));
        }
        if self.sign_in.passwords().is_some() {
            return self.show(request, from, None, false);
        }
        tracing::warn!(event = "consent.refused", client = %request.client.id, reason = "not_signed_in");
        ConsentOutcome::Respond(refused(StatusCode::UNAUTHORIZED, "nobody is signed in"))
    }

    fn show(
        &self,
        request: &AuthorizationRequest,
        from: &BrowserRequest<'_>,
        signed_in: Option<&Subject>,
        has_failed: bool,
    ) -> ConsentOutcome {
        let known = from.cookie(cookie_name(from.is_https())).filter(|value| is_cookie(value)).map(str::to_owned);
        let cookie = match known {
            Some(known) => Secret::new(known),
            None => match self.random.with(|random| new_secret(random)) {
                Ok(new) => new,
                Err(error) => {
                    tracing::error!(event = "broker.unavailable", %error);
                    return ConsentOutcome::Unavailable;
                }
            },
        };
        let proof = proof(cookie.expose_secret(), from.query(), signed_in);
        let suggested = self.sign_in.passwords().and_then(CheckPassword::suggested_username).unwrap_or_default();
        let body = html::question(request, &proof, &html::View { signed_in, suggested: &suggested, has_failed });
        let mut headers = html::headers(&format!("'self' {}", html::form_target(request)));
        let name = cookie_name(from.is_https());
        let secure = if from.is_https() { "; Secure" } else { "" };
        // With `Lax`, it comes along when the client sends the browser here, and not when another site sends a form.
        let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}; Max-Age=600", cookie.expose_secret());
        if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
            cookie.set_sensitive(true);
            headers.insert(SET_COOKIE, cookie);
        }
        let status = if has_failed { StatusCode::FORBIDDEN } else { StatusCode::OK };
        ConsentOutcome::Respond((status, headers, body).into_response())
    }
}

#[async_trait::async_trait]
impl<S: SignIn> Consent for ConsentPage<S> {
    async fn ask(&self, request: &AuthorizationRequest, from: &BrowserRequest<'_>) -> ConsentOutcome {
        let Ok(signed_in) = self.sign_in.current_subject(from).await else { return ConsentOutcome::Unavailable };
        let Some(form) = from.form() else {
            return match &signed_in {
                Some(_) => self.show(request, from, signed_in.as_ref(), false),
                None => self.ask_to_sign_in(request, from),
            };
        };
        if signed_in.is_none() && self.sign_in.passwords().is_none() {
            return self.ask_to_sign_in(request, from);
        }
        let is_own_form =
            from.cookie(cookie_name(from.is_https())).zip(form.get(PROOF)).is_some_and(|(cookie, found)| {
                proof(cookie, from.query(), signed_in.as_ref()).as_bytes().ct_eq(found.as_bytes()).into()
            });
        if !is_own_form || form.repeated().is_some() {
            tracing::warn!(event = "consent.refused", client = %request.client.id, reason = "foreign_form");
            return ConsentOutcome::Respond(refused(
                StatusCode::FORBIDDEN,
                "the form was not sent by the browser to which the page was shown, or somebody else has signed in since: go back to the application and try again",
            ));
        }
        match form.get(DECISION) {
            Some("approve") => {}
            Some("deny") => return ConsentOutcome::Denied,
            _ => return ConsentOutcome::Respond(refused(StatusCode::BAD_REQUEST, "the form has no decision")),
        }
        if let Some(subject) = signed_in {
            return ConsentOutcome::Approved(Box::new(Approval::new(subject)));
        }
        let Some(passwords) = self.sign_in.passwords() else { return self.ask_to_sign_in(request, from) };
        let password = Secret::new(form.get(PASSWORD).unwrap_or_default().to_owned());
        match passwords.check_password(form.get(USERNAME).unwrap_or_default(), &password).await {
            Ok(Some(subject)) => ConsentOutcome::Approved(Box::new(Approval::new(subject))),
            Ok(None) => {
                tracing::warn!(event = "consent.refused", client = %request.client.id, reason = "wrong_password");
                self.show(request, from, None, true)
            }
            Err(SignInUnavailable) => ConsentOutcome::Unavailable,
        }
    }
}

/// The prefix `__Host-` keeps other hosts of the same domain from setting it. Browsers take that by `https` alone.
const fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-keyward-consent" } else { "keyward-consent" }
}

/// Whether a cookie has the form of one of ours, so that it can be set again.
fn is_cookie(value: &str) -> bool {
    value.len() == 43 && URL_SAFE_NO_PAD.decode(value).is_ok()
}

/// What ties a form to the browser, to the request, and to whom the page has named as signed in: nobody says yes for somebody
/// else. Pages of other sites cannot read the cookie from which it follows.
fn proof(cookie: &str, query: &str, signed_in: Option<&Subject>) -> String {
    let mut digest = Sha256::new();
    let subject = signed_in.map_or("", |subject| subject.id.as_str());
    for part in ["keyward.consent.1", cookie, query, subject] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    URL_SAFE_NO_PAD.encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_belongs_to_one_browser_one_request_and_one_person() {
        let ada = Subject::new(crate::broker::SubjectId::new("ada").unwrap());
        let own = proof("cookie", "client_id=a", None);
        assert_eq!(own, proof("cookie", "client_id=a", None));
        for other in [
            proof("other", "client_id=a", None),
            proof("cookie", "client_id=b", None),
            proof("cookiec", "lient_id=a", None),
            proof("cookie", "client_id=a", Some(&ada)),
        ] {
            assert_ne!(own, other);
        }
    }
}
