//! How a host wants its rejections to look.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "tower")]
use http::Response;
#[cfg(feature = "tower")]
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::http::{BodyForm, Challenge, InvalidChallenge, Rejection};

type Shape = dyn Fn(Rejection) -> Rejection + Send + Sync;

/// How a host wants its rejections to look: what every challenge says, the form of bodies, and a last word of the host's
/// own for APIs whose clients expect something else.
///
/// ```
/// use http::header::WWW_AUTHENTICATE;
/// use keyward::http::{BodyForm, Rejection, RejectionKind, Rejections};
/// use serde_json::json;
///
/// let rejections = Rejections::new().realm("acme")?.form(BodyForm::Problem);
/// let response = rejections.apply(Rejection::new(RejectionKind::NoCredentials)).into_response::<String>();
/// assert_eq!(response.headers()[WWW_AUTHENTICATE], r#"Bearer realm="acme""#);
/// assert!(response.body().contains(r#""title":"Unauthorized""#));
///
/// // An API that has always said `{"message": …}`, and 401 where others say 400.
/// let rejections = Rejections::new().map(|rejection| match rejection.kind() {
///     RejectionKind::InvalidRequest => rejection.with_status(http::StatusCode::UNAUTHORIZED),
///     _ => rejection,
/// });
/// let rejections = rejections.map(|rejection| {
///     let body = json!({ "message": rejection.description() });
///     rejection.with_json(&body)
/// });
/// let response = rejections.apply(Rejection::new(RejectionKind::InvalidRequest)).into_response::<String>();
/// assert_eq!(response.status(), 401);
/// assert_eq!(response.body(), r#"{"message":"the credentials are not presented as they should be"}"#);
/// # Ok::<(), keyward::http::InvalidChallenge>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Rejections {
    challenge: Challenge,
    form: BodyForm,
    shapes: Vec<Arc<Shape>>,
}

impl Rejections {
    /// Bodies in JSON, and challenges that say no more than they must.
    pub const fn new() -> Self {
        Self { challenge: Challenge::bearer(), form: BodyForm::Json, shapes: Vec::new() }
    }

    /// Says in every bearer challenge what is protected; see [`Challenge::realm`].
    ///
    /// # Errors
    /// [`InvalidChallenge`].
    pub fn realm(self, realm: impl Into<String>) -> Result<Self, InvalidChallenge> {
        Ok(Self { challenge: self.challenge.realm(realm)?, ..self })
    }

    /// Says in every bearer challenge where the metadata of the protected resource are (RFC 9728 section 5.1); see
    /// [`Challenge::resource_metadata`].
    ///
    /// # Errors
    /// [`InvalidChallenge`].
    pub fn resource_metadata(self, url: impl Into<String>) -> Result<Self, InvalidChallenge> {
        Ok(Self { challenge: self.challenge.resource_metadata(url)?, ..self })
    }

    /// Names scopes in every bearer challenge that names none, so that a client without a token knows for what to ask.
    pub fn scopes<'s>(self, scopes: impl IntoIterator<Item = &'s str>) -> Self {
        Self { challenge: self.challenge.scopes(scopes), ..self }
    }

    /// Gives this form to bodies that have none yet.
    pub fn form(self, form: BodyForm) -> Self {
        Self { form, ..self }
    }

    /// Changes every rejection by `shape`, after all else that is said here and after any `shape` before it.
    pub fn map(mut self, shape: impl Fn(Rejection) -> Rejection + Send + Sync + 'static) -> Self {
        self.shapes.push(Arc::new(shape));
        self
    }

    /// Makes `rejection` look so. One that was formed already stays as it is.
    pub fn apply(&self, mut rejection: Rejection) -> Rejection {
        if rejection.0.is_formed {
            return rejection;
        }
        rejection = rejection
            .on_challenges(|challenge| if challenge.is_bearer() { challenge.or(&self.challenge) } else { challenge });
        rejection.0.form.get_or_insert(self.form);
        rejection = self.shapes.iter().fold(rejection, |rejection, shape| shape(rejection));
        rejection.0.is_formed = true;
        rejection
    }

    /// Answers with `rejection` in the place of the response that was made from it, and keeps what others have added to
    /// that response.
    #[cfg(feature = "tower")]
    pub(crate) fn apply_to<B>(&self, rejection: Rejection, response: &mut Response<B>, body: impl FnOnce(String) -> B) {
        if rejection.0.is_formed {
            return;
        }
        // What was said of the body is true of another one, and what the rejection said it says once more.
        let own = [CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE];
        for name in own.iter().chain(rejection.0.headers.keys()) {
            response.headers_mut().remove(name);
        }
        let (parts, body) = self.apply(rejection).into_response_with(body).into_parts();
        *response.status_mut() = parts.status;
        response.headers_mut().extend(parts.headers);
        response.extensions_mut().extend(parts.extensions);
        *response.body_mut() = body;
    }
}

impl Default for Rejections {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejections")
            .field("challenge", &self.challenge)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}
