//! Refusals as answers: a status, headers and a body.

mod answer;
mod body;
mod form;
mod from;
mod kind;
#[cfg(test)]
mod tests;
#[cfg(feature = "broker")]
mod tokens;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use crate::http::{Challenge, OAuthErrorCode};
use crate::key::RefusalReason;
pub(super) use answer::whole_seconds;
use body::Body;
pub use body::BodyForm;
pub use form::Rejections;
pub use kind::RejectionKind;

/// Why a request is not served, and what its sender is answered: a status, headers and a body.
///
/// It is made from whatever refuses: a [`Refusal`](crate::key::Refusal), a [`BearerError`](crate::http::BearerError), a
/// [`MissingScope`](crate::key::MissingScope), a [`KeysError`](crate::KeysError), a
/// [`StoreError`](crate::store::StoreError). So `?` turns what a handler meets into its answer. An outage is 503 and
/// never 401, or clients would throw good keys away. What it says is meant for the sender: it names no reason why
/// a key was refused, and nothing that a database reported; that is in the log.
///
/// ```
/// use http::StatusCode;
/// use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
/// use keyward::http::{BodyForm, Rejection};
/// use keyward::key::{Refusal, RefusalReason};
///
/// // A key that is not accepted.
/// let rejection = Rejection::from(Refusal::new(RefusalReason::Expired));
/// assert_eq!(rejection.refusal_reason(), Some(RefusalReason::Expired)); // for you alone
/// let response = rejection.into_response::<String>();
/// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
/// assert_eq!(
///     response.headers()[WWW_AUTHENTICATE],
///     r#"Bearer error="invalid_token", error_description="the API key is not valid""#,
/// );
/// assert_eq!(response.body(), r#"{"error":"invalid_token","error_description":"the API key is not valid"}"#);
///
/// // A store that could not answer is no verdict on the key.
/// let outage = Refusal::unavailable(std::io::Error::other("connection refused"));
/// let response = Rejection::from(outage).into_response::<String>();
/// assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
/// assert!(response.headers().contains_key(RETRY_AFTER) && !response.headers().contains_key(WWW_AUTHENTICATE));
///
/// // A good key that lacks a scope: all that are needed are named at once.
/// let rejection = Rejection::insufficient_scope(["jobs:read", "jobs:write"]).with_form(BodyForm::Problem);
/// let response = rejection.into_response::<String>();
/// assert_eq!(response.status(), StatusCode::FORBIDDEN);
/// assert!(response.headers()[WWW_AUTHENTICATE].to_str()?.ends_with(r#"scope="jobs:read jobs:write""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a rejection is the answer to a request"]
pub struct Rejection(Box<Parts>);

#[derive(Clone)]
struct Parts {
    kind: RejectionKind,
    status: StatusCode,
    error: Cow<'static, str>,
    description: Cow<'static, str>,
    scopes: Vec<String>,
    challenges: Vec<Challenge>,
    retry_after: Option<Duration>,
    headers: HeaderMap,
    form: Option<BodyForm>,
    body: Option<Body>,
    refusal: Option<RefusalReason>,
    is_formed: bool,
}

impl Rejection {
    /// When to try again after an outage, unless something else is known.
    pub const RETRY_AFTER: Duration = Duration::from_secs(5);

    /// A rejection of this kind, with its status and challenge.
    pub fn new(kind: RejectionKind) -> Self {
        let error = match kind {
            RejectionKind::InvalidRequest => Some(OAuthErrorCode::InvalidRequest),
            RejectionKind::InvalidToken => Some(OAuthErrorCode::InvalidToken),
            RejectionKind::InsufficientScope => Some(OAuthErrorCode::InsufficientScope),
            _ => None,
        };
        let challenge = match (kind, error) {
            (RejectionKind::NoCredentials, _) => Some(Challenge::bearer()),
            (_, error) => error.map(|error| Challenge::bearer().error(error).error_description(kind.description())),
        };
        Self(Box::new(Parts {
            kind,
            status: kind.status(),
            error: kind.code().into(),
            description: kind.description().into(),
            scopes: Vec::new(),
            challenges: challenge.into_iter().collect(),
            retry_after: (kind == RejectionKind::Unavailable).then_some(Self::RETRY_AFTER),
            headers: HeaderMap::new(),
            form: None,
            body: None,
            refusal: None,
            is_formed: false,
        }))
    }

    /// 403 with `insufficient_scope`. Name all the scopes that the request needs, held or not: clients ask for what is
    /// named here, and nothing else (RFC 6750 section 3.1).
    pub fn insufficient_scope<'s>(scopes: impl IntoIterator<Item = &'s str>) -> Self {
        let mut rejection = Self::new(RejectionKind::InsufficientScope);
        rejection.0.scopes = scopes.into_iter().map(str::to_owned).collect();
        let scopes = rejection.0.scopes.clone();
        rejection.on_challenges(|challenge| challenge.scopes(scopes.iter().map(String::as_str)))
    }

    /// 429, to be tried again after `retry_after` (RFC 6585 section 4). It says nothing against the credentials.
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self::new(RejectionKind::TooManyRequests).with_retry_after(retry_after)
    }

    /// 403 for another reason than a scope, such as a topic that is out of a key's reach. `reason` is told to the sender.
    pub fn forbidden(reason: impl fmt::Display) -> Self {
        Self::new(RejectionKind::Forbidden).with_description(reason.to_string())
    }

    /// 422 for what a request asks for and cannot have, such as a name that is too long. `reason` is told to the sender.
    ///
    /// ```
    /// use keyward::http::Rejection;
    /// use keyward::schemas::standard::StandardKey;
    ///
    /// fn draft(name: &str) -> Result<StandardKey, Rejection> {
    ///     StandardKey::new("customer-1", name).map_err(Rejection::unprocessable)
    /// }
    /// assert!(draft("nightly import").is_ok());
    /// assert_eq!(draft("").unwrap_err().status(), 422);
    /// ```
    pub fn unprocessable(reason: impl fmt::Display) -> Self {
        Self::new(RejectionKind::Unprocessable).with_description(reason.to_string())
    }

    /// What the request is rejected for.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        self.0.kind
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code that the body has as `error`: the kind's own, unless another was set.
    #[must_use]
    pub fn error(&self) -> &str {
        &self.0.error
    }

    /// The sentence for the sender.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.0.description
    }

    /// The scopes that the request needs, where it lacks one.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// The challenges, of which each becomes a header `WWW-Authenticate`.
    #[must_use]
    pub fn challenges(&self) -> &[Challenge] {
        &self.0.challenges
    }

    /// When to try again.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Why a presented key was refused. Nobody is told so, unless the host does.
    #[must_use]
    pub const fn refusal_reason(&self) -> Option<RefusalReason> {
        self.0.refusal
    }

    /// Answers with another status.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// Puts another code into the body.
    pub fn with_error(mut self, error: impl Into<Cow<'static, str>>) -> Self {
        self.0.error = error.into();
        self
    }

    /// Says another sentence, in the body and in the challenges that have an error code.
    pub fn with_description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.0.description = description.into();
        let description = self.0.description.clone();
        self.on_challenges(
            |challenge| {
                if challenge.has_error() { challenge.error_description(&description) } else { challenge }
            },
        )
    }

    /// Adds a challenge, which becomes another header `WWW-Authenticate`.
    pub fn with_challenge(mut self, challenge: Challenge) -> Self {
        self.0.challenges.push(challenge);
        self
    }

    /// Takes all challenges away.
    pub fn without_challenges(mut self) -> Self {
        self.0.challenges.clear();
        self
    }

    /// Says when to try again, in whole seconds, rounded up (RFC 9110 section 10.2.3).
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.0.retry_after = Some(retry_after);
        self
    }

    /// Adds a header, instead of any other of that name that was added.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Gives the body this form.
    pub fn with_form(mut self, form: BodyForm) -> Self {
        (self.0.form, self.0.body) = (Some(form), None);
        self
    }

    /// Gives it a body of the host's own.
    pub fn with_body(mut self, content_type: HeaderValue, body: impl Into<String>) -> Self {
        self.0.body = Some(Body { content_type: Some(content_type), text: body.into() });
        self
    }

    /// Gives it a body of the host's own, in JSON.
    pub fn with_json(mut self, body: &Value) -> Self {
        self.0.body = Some(Body::json(body));
        self
    }

    fn on_challenges(mut self, change: impl Fn(Challenge) -> Challenge) -> Self {
        self.0.challenges = self.0.challenges.into_iter().map(change).collect();
        self
    }
}

impl From<RejectionKind> for Rejection {
    fn from(kind: RejectionKind) -> Self {
        Self::new(kind)
    }
}

/// The sentence for the sender.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.description)
    }
}

/// For logs: with the reason that the sender is not told.
impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("kind", &self.0.kind)
            .field("status", &self.0.status)
            .field("error", &self.0.error)
            .field("description", &self.0.description)
            .field("refusal_reason", &self.0.refusal)
            .finish_non_exhaustive()
    }
}

/// The source is withheld on purpose: whoever prints a chain of errors to a caller must not print the reason.
impl Error for Rejection {}
