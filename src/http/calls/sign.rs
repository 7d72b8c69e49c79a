//! Signing one request, and learning from its answer.

use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response};

use crate::credential::AnswerHeaders;
use crate::key::OwnerId;
use crate::secret::Secret;
use crate::service::{AfterAnswer, Authorization, Credentials, CredentialsError};

const DPOP: HeaderName = HeaderName::from_static("dpop");

impl Credentials {
    /// Signs `request` on behalf of `owner`: sets the headers `Authorization` and, for a token that is bound to a key,
    /// `DPoP`, whatever stood there. Both are marked as sensitive, so that nothing prints them or keeps them for compression.
    ///
    /// The URI must be absolute, as clients want it. Sign a request right before it is sent, and sign it anew before it is
    /// sent again. A client that follows redirects must not do so with these headers: they are for this URI alone.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize). Nothing has been changed then.
    pub async fn sign<B: Send>(
        &self,
        owner: &OwnerId,
        request: &mut Request<B>,
    ) -> Result<Authorization, CredentialsError> {
        let authorization = self.authorize(owner, request.method().as_str(), &request.uri().to_string()).await?;
        set(request.headers_mut(), &authorization);
        Ok(authorization)
    }

    /// Takes from an answer to a [signed](Self::sign) request what it says about the token; see
    /// [`answered`](Self::answered).
    pub fn answered_by<'a, B>(
        &'a self,
        owner: &'a OwnerId,
        authorization: &'a Authorization,
        response: &Response<B>,
    ) -> impl Future<Output = AfterAnswer> + Send + use<'a, B> {
        let (status, headers) = (response.status().as_u16(), response.headers().iter().collect::<AnswerHeaders>());
        // Without the response, whose body need not be one that tasks can share.
        async move { self.answered(owner, authorization, status, &headers).await }
    }
}

/// Puts an authorization into the headers of a request, in place of any other.
pub(super) fn set(headers: &mut HeaderMap, authorization: &Authorization) {
    headers.remove(AUTHORIZATION);
    headers.remove(DPOP);
    let proof = authorization.proof.as_ref().map(|proof| (DPOP, proof));
    for (name, value) in [(AUTHORIZATION, &authorization.authorization)].into_iter().chain(proof) {
        if let Some(value) = sensitive(value) {
            headers.insert(name, value);
        }
    }
}

/// `None` for what no header can carry: a server that gave such a token refuses the call.
pub(super) fn sensitive(value: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value.expose_secret()).ok()?;
    value.set_sensitive(true);
    Some(value)
}
