//! Calling a resource server with an access token.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::credential::{
    AnswerHeaders, DpopNonce, DpopProof, Endpoint, Nonces, ResourceAnswer, ResourceChallenge, TokenType,
};
use crate::key::OwnerId;
use crate::secret::Secret;
use crate::service::credentials::opened::Opened;
use crate::service::credentials::{AccessToken, Credentials, CredentialsError};
use crate::store::credentials::NonceRequest;
use crate::visible::Causes;

/// The headers that sign one request to a resource server. They are good for that request alone.
#[derive(Debug)]
#[non_exhaustive]
pub struct Authorization {
    /// The value of `Authorization`.
    pub authorization: Secret,
    /// The value of `DPoP`, for a token that is bound to a key.
    pub proof: Option<Secret>,
    /// The token that is in it.
    pub token: AccessToken,
}

/// What an answer to a signed request asks of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterAnswer {
    /// Nothing: the answer is the answer.
    Done,
    /// The same request, signed anew, may be sent once more: the server wants a nonce that it has given now, or the token was
    /// replaced while the request was under way.
    SendAgain,
}

impl Credentials {
    /// Signs a request to the resource server on behalf of `owner`: with an access token that is good, and a proof where the
    /// token is bound to a key (RFC 9449 section 7).
    ///
    /// `url` is the whole URL of the request, of which query and fragment do not count. It must be at the server that the
    /// credential is for, where that is known, so that a token is never shown to another one.
    ///
    /// # Errors
    /// [`CredentialsError::OtherServer`]; otherwise as [`access_token`](Self::access_token).
    pub async fn authorize(&self, owner: &OwnerId, method: &str, url: &str) -> Result<Authorization, CredentialsError> {
        let token = self.access_token(owner).await?;
        let opened = &token.0;
        if !is_at(url, opened.resource_server.as_deref()) {
            return Err(CredentialsError::OtherServer);
        }
        let proof = match &opened.dpop {
            None => None,
            Some((key, form)) => {
                let mut id = [0; 16];
                self.shared.random.with(|random| rand::TryRng::try_fill_bytes(random, &mut id))?;
                let nonce = opened.nonce.load_full();
                let proof = DpopProof::new(method, url, self.now(), id);
                let proof = proof.nonce(nonce.as_deref()).access_token(&opened.token);
                Some(Secret::new(proof.sign(key, *form)))
            }
        };
        let authorization = Secret::new(format!("{} {}", opened.token_type().name(), token.expose_secret()));
        Ok(Authorization { authorization, proof, token })
    }

    /// Takes from an answer what it says about the token: its server's newest nonce, and whether the request may be sent once
    /// more. Call it with every answer, and follow [`AfterAnswer::SendAgain`] once for each request.
    pub async fn answered(
        &self,
        owner: &OwnerId,
        authorization: &Authorization,
        status: u16,
        headers: &AnswerHeaders,
    ) -> AfterAnswer {
        let opened = &authorization.token.0;
        let ResourceAnswer { challenge, nonce, .. } = ResourceAnswer::understand(status, headers);
        if let Some(nonce) = nonce {
            self.note_nonce(owner, opened, nonce).await;
        }
        match challenge {
            Some(ResourceChallenge::UseNonce) if opened.token_type() == TokenType::Dpop => AfterAnswer::SendAgain,
            Some(ResourceChallenge::InvalidToken) => self.replace(owner, opened).await,
            _ => AfterAnswer::Done,
        }
    }

    /// A token that its server no longer takes: the old one dies at once when it is refreshed, by this process or another
    /// one, and after a refresh whose answer was lost. It is refreshed once, lest a server that takes no token has one after
    /// the other.
    async fn replace(&self, owner: &OwnerId, refused: &Opened) -> AfterAnswer {
        self.shared.slots.forget_generation(owner, refused.generation);
        let found = self.access_token(owner).await;
        let found = match found {
            Ok(found) if found.0.generation == refused.generation && !refused.was_refused.swap(true, Relaxed) => {
                self.refresh(owner).await
            }
            found => found,
        };
        match found {
            Ok(newer) if newer.0.generation != refused.generation => AfterAnswer::SendAgain,
            Ok(_) => AfterAnswer::Done,
            Err(error) => {
                tracing::warn!(event = "credential.not_replaced", %owner, error = %Causes(&error));
                AfterAnswer::Done
            }
        }
    }

    /// Keeps the newest nonce of the resource server. That it could not be stored fails no call.
    async fn note_nonce(&self, owner: &OwnerId, opened: &Opened, nonce: DpopNonce) {
        if opened.dpop.is_none() || opened.nonce.load().as_deref() == Some(&nonce) {
            return;
        }
        let nonces = Nonces { resource_server: Some(nonce.as_str().to_owned()), authorization_server: None };
        opened.nonce.store(Some(Arc::new(nonce)));
        let request = NonceRequest::new(owner.clone(), opened.generation, nonces);
        if let Err(error) = self.shared.store.note_nonces(&request).await {
            self.shared.counters.failed_nonce_updates.add_one();
            tracing::warn!(event = "credential.nonce_not_stored", %owner, error = %Causes(&error));
        }
    }
}

/// Whether `url` is at `server`, by scheme, host and port; where no server is known, whether a token may be shown there.
fn is_at(url: &str, server: Option<&str>) -> bool {
    let origin = |url: &str| {
        let url = url.split(['?', '#']).next().unwrap_or_default();
        Endpoint::new(url).ok().map(|endpoint| endpoint.origin())
    };
    match (origin(url), server) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(origin_of_request), Some(server)) => origin(server).is_some_and(|server| server == origin_of_request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_to_its_own_server_alone() {
        let server = Some("https://pds.example");
        for url in ["https://pds.example/xrpc/a?b=c#d", "https://PDS.example:443/", "https://pds.example"] {
            assert!(is_at(url, server), "{url}");
        }
        for url in [
            "https://pds.example.evil.example/",
            "https://pds.example@evil.example/",
            "https://evil.example/?https://pds.example",
            "http://pds.example/",
            "https://pds.example:444/",
            "pds.example",
            "",
        ] {
            assert!(!is_at(url, server), "{url}");
        }
        assert!(is_at("https://anywhere.example/", None));
        assert!(!is_at("http://anywhere.example/", None));
        assert!(is_at("http://127.0.0.1:8080/x", Some("http://127.0.0.1:8080")));
    }
}
