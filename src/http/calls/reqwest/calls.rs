//! Calls by reqwest.

use ::reqwest::{RequestBuilder, Response};

use crate::credential::AnswerHeaders;
use crate::http::calls::{CallError, sign};
use crate::key::OwnerId;
use crate::service::{AfterAnswer, Credentials};

impl Credentials {
    /// Sends a request of reqwest's on behalf of `owner`: signed with an access token that is good, and a second time where
    /// the server asks for a nonce or the token was replaced under way, unless its body is a stream.
    ///
    /// The client must follow no redirects, as that of [`client_builder`](crate::http::client_builder) does not. One that
    /// follows them takes the token off on the way to another origin, but neither the proof nor a body, and a proof is good
    /// for one URL alone.
    ///
    /// ```no_run
    /// # async fn call(
    /// #     credentials: keyward::service::Credentials,
    /// #     owner: keyward::key::OwnerId,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let client = keyward::http::client_builder().build()?;
    /// let url = "https://pds.example/xrpc/com.atproto.server.getSession";
    /// let response = credentials.send(&owner, client.get(url)).await?;
    /// assert_eq!(response.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError::Credentials`] when there is no token for this call, and nothing was sent; [`CallError::Client`] when
    /// the request could not be built or sent.
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "reqwest")))]
    pub async fn send(
        &self,
        owner: &OwnerId,
        request: RequestBuilder,
    ) -> Result<Response, CallError<::reqwest::Error>> {
        let (client, request) = request.build_split();
        let mut request = request.map_err(CallError::Client)?;
        let mut again = request.try_clone();
        loop {
            let url = request.url().clone();
            let authorization = self.authorize(owner, request.method().as_str(), url.as_str()).await?;
            sign::set(request.headers_mut(), &authorization);
            let response = client.execute(request).await.map_err(CallError::Client)?;
            if response.url().origin() != url.origin() {
                // It comes from another server, whose nonces and challenges are nothing to this credential.
                return Ok(response);
            }
            let headers: AnswerHeaders = response.headers().iter().collect();
            let after = self.answered(owner, &authorization, response.status().as_u16(), &headers).await;
            match (after, again.take()) {
                (AfterAnswer::SendAgain, Some(next)) => request = next,
                _ => return Ok(response),
            }
        }
    }
}
