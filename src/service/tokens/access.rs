//! Accepting access tokens.

use std::time::Duration;

use crate::broker::{AccessRefusal, Principal, Resource, TokenDigest, decide_access};
use crate::service::Tokens;
use crate::service::tokens::AccessError;
use crate::visible::Causes;

/// For how long after the grace the first use of a token is noted: other processes may have another clock and another grace.
const NOTED_FOR: Duration = Duration::from_mins(1);

/// The longest access token that is looked up, in bytes. Ours have 43.
const LONGEST_TOKEN: usize = 512;

/// One of the resources that an authorization server protects, where it is served by the same program: accepts the tokens
/// that are for it.
#[derive(Clone, Debug)]
pub struct ProtectedResource {
    tokens: Tokens,
    resource: Resource,
}

/// No token is ever for this resource: it is none of those that were set, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no token is for {0}: set it as a resource, byte for byte")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct UnknownResource(pub Resource);

impl ProtectedResource {
    /// The resource.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The tokens.
    #[must_use]
    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Accepts or refuses a presented access token. One for another resource is refused (RFC 8707).
    ///
    /// # Errors
    /// [`AccessError`]. Answer 503 when it [`is_outage`](AccessError::is_outage) and 401 otherwise.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, AccessError> {
        self.tokens.accept(token, Some(self.resource.as_str())).await
    }
}

impl Tokens {
    /// Accepts the tokens that are for this resource.
    ///
    /// ```
    /// use keyward::broker::{Issuer, Resource};
    /// use keyward::service::Tokens;
    /// use keyward::store::grants::MemoryGrantStore;
    ///
    /// let tokens = Tokens::builder(MemoryGrantStore::new(), Issuer::new("https://as.example")?)
    ///     .resource(Resource::new("https://api.example/mcp")?)
    ///     .build();
    /// assert!(tokens.protect(Resource::new("https://api.example/mcp")?).is_ok());
    /// assert!(tokens.protect(Resource::new("https://api.example/MCP")?).is_err()); // no token could be for it
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`UnknownResource`] when no token can be for it, because it is none of the
    /// [resources](crate::service::TokensBuilder::resource) that were set, byte for byte.
    pub fn protect(&self, resource: Resource) -> Result<ProtectedResource, UnknownResource> {
        if self.policy().resources.contains(&resource) {
            Ok(ProtectedResource { tokens: self.clone(), resource })
        } else {
            Err(UnknownResource(resource))
        }
    }

    /// Accepts or refuses a presented access token, whatever resource it is for.
    ///
    /// The store is asked every time, so that a revocation anywhere takes effect on the next call. The first use of a token
    /// is written down within the first seconds, for as long as the answer that it came in could be had again.
    ///
    /// # Errors
    /// [`AccessError`]. Answer 503 when it [`is_outage`](AccessError::is_outage) and 401 otherwise.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, AccessError> {
        self.accept(token, None).await
    }

    async fn accept(&self, token: &str, resource: Option<&str>) -> Result<Principal, AccessError> {
        let accepted = self.look_up(token, resource).await?;
        self.note_first_use(&accepted).await;
        Ok(accepted)
    }

    /// Accepts or refuses, and notes nothing.
    pub(super) async fn look_up(&self, token: &str, resource: Option<&str>) -> Result<Principal, AccessError> {
        if token.is_empty() || token.len() > LONGEST_TOKEN {
            return Err(refused(AccessRefusal::Unknown, None));
        }
        let digest = TokenDigest::of(token);
        let found = self.shared.store.access_token(&digest).await.map_err(|error| {
            tracing::error!(event = "access_token.unverified", reason = "store_unavailable", error = %Causes(&error));
            AccessError::Unavailable(error)
        })?;
        decide_access(found, resource, self.now()).map_err(|refusal| refused(refusal, Some(&digest)))
    }

    /// Writes down that a token was used, so that the response which it came in is not given again. A token that is older than
    /// any such response can be is left alone.
    pub(super) async fn note_first_use(&self, caller: &Principal) {
        let record = caller.record();
        let noted_until = record.created_at.saturating_add(self.shared.refresh_grace).saturating_add(NOTED_FOR);
        if record.used_at.is_some() || record.grant.is_none() || self.now() >= noted_until {
            return;
        }
        if let Err(error) = self.shared.store.note_first_use(&record.digest, self.second()).await {
            tracing::warn!(event = "access_token.use_not_noted", error = %Causes(&error));
        }
    }
}

fn refused(refusal: AccessRefusal, digest: Option<&TokenDigest>) -> AccessError {
    let digest = digest.map(|digest| digest.to_hex().as_str()[..8].to_owned());
    tracing::warn!(event = "access_token.refused", reason = refusal.code(), digest);
    AccessError::Refused(refusal)
}
