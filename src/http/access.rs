//! Access tokens in requests to a protected resource.

#[cfg(feature = "axum")]
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
#[cfg(feature = "axum")]
use http::request::Parts;

use crate::broker::Principal;
use crate::http::{Bearer, Rejection, VerifyBearer};
#[cfg(feature = "tower")]
use crate::http::{InvalidChallenge, Protect, Rejections};
#[cfg(feature = "axum")]
use crate::http::{optional_principal, principal};
use crate::service::ProtectedResource;

impl VerifyBearer for ProtectedResource {
    type Principal = Principal;

    async fn verify_bearer(&self, bearer: Bearer<'_>) -> Result<Principal, Rejection> {
        self.authenticate(bearer.expose_secret()).await.map_err(Rejection::from)
    }
}

#[cfg(feature = "tower")]
impl Protect<ProtectedResource> {
    /// Lets requests pass whose access token is for this resource. Whoever has none is told where to ask for one, and for
    /// which scopes (RFC 9728 section 5.1).
    ///
    /// ```
    /// # fn routes(tokens: keyward::service::Tokens) -> Result<(), Box<dyn std::error::Error>> {
    /// # #[cfg(feature = "axum")] {
    /// use axum::{Router, routing::post};
    /// use keyward::broker::{Principal, Resource};
    /// use keyward::http::Protect;
    ///
    /// async fn mcp(caller: Principal) -> String {
    ///     format!("{} asks for {}", caller.client(), caller.subject().id)
    /// }
    ///
    /// let resource = tokens.protect(Resource::new("https://api.example/mcp")?)?;
    /// let app: Router = Router::new().route("/mcp", post(mcp)).layer(Protect::resource(resource)?);
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidChallenge`] when a challenge cannot carry the identifier of the resource.
    pub fn resource(resource: ProtectedResource) -> Result<Self, InvalidChallenge> {
        let scopes = resource.tokens().policy().scopes.clone();
        let rejections = Rejections::new().resource_metadata(resource.resource().metadata_url())?.scopes(scopes.iter());
        Ok(Self::new(resource).rejections(rejections))
    }
}

#[cfg(feature = "axum")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "axum")))]
impl<State: Sync> FromRequestParts<State> for Principal {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Rejection> {
        principal(&parts.extensions)
    }
}

#[cfg(feature = "axum")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "axum")))]
impl<State: Sync> OptionalFromRequestParts<State> for Principal {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Option<Self>, Rejection> {
        optional_principal(&parts.extensions)
    }
}
