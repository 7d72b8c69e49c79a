//! An OAuth credential that somebody else's server issued: how it is refreshed and used, and what the server's answers
//! mean. Pure; no I/O, no clock, no generator of its own.
//!
//! | question | answered by |
//! |---|---|
//! | which key is a session bound to, and in which form? | [`DpopKey`], [`KeyBinding`] |
//! | what is sent to refresh or to revoke? | [`RefreshRequest`], [`RevocationRequest`] → [`TokenRequest`] |
//! | what did the token endpoint say? | [`TokenAnswer`], [`RevocationAnswer`] |
//! | how is a request to the resource server signed? | [`DpopProof`] |
//! | what did the resource server say? | [`ResourceAnswer`] |
//!
//! What is sent is built of values; what comes back is sorted into enums. Whoever does the I/O between the two has to
//! keep three rules: a refresh is never repeated but for [`TokenOutcome::UseNonce`]; redirects are not followed; and no
//! more than [`MAX_ANSWER_LEN`] bytes and one of a body are read.
//!
//! ```
//! use keyward::credential::{
//!     AnswerHeaders, Attempt, ClientId, DpopKey, Endpoint, Expected, OAuthClient, RefreshRequest, ServerAnswer,
//!     TokenAnswer, TokenOutcome, TokenType,
//! };
//! use keyward::{Secret, Timestamp};
//!
//! # let now = Timestamp::from_micros(1_893_456_000_000_000);
//! # let (proof_id, assertion_id) = ([1; 16], [2; 16]);
//! let key = DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D")?;
//! let client = OAuthClient::public(ClientId::new("https://app.example/client-metadata.json")?);
//! let endpoint: Endpoint = "https://pds.example/oauth/token".parse()?;
//! let refresh_token = Secret::new("ref-7a".to_owned());
//!
//! // The session's own access token says in which form its key was sent when it began.
//! let form = key.form_of("an access token that is no JWT");
//! let request = RefreshRequest::new(&client, &endpoint, "https://pds.example", &refresh_token).dpop(&key, form, None);
//! let sent = request.build(Attempt::new(now, proof_id, assertion_id));
//! assert_eq!(sent.url.as_str(), "https://pds.example/oauth/token");
//! assert_eq!(
//!     sent.body.expose_secret(),
//!     "grant_type=refresh_token&refresh_token=ref-7a&client_id=https%3A%2F%2Fapp.example%2Fclient-metadata.json",
//! );
//!
//! // A refusal that only asks for a nonce: nothing was spent, and it is sent once more.
//! let expected = Expected::new(TokenType::Dpop, &refresh_token).subject("did:plc:abc").scope("atproto");
//! let headers: AnswerHeaders = [("DPoP-Nonce", "n-1")].into_iter().collect();
//! let answer = ServerAnswer::new(400, &headers, br#"{"error":"use_dpop_nonce"}"#);
//! let understood = TokenAnswer::understand(answer, &expected);
//! assert!(matches!(understood.outcome, TokenOutcome::UseNonce));
//! assert_eq!(understood.nonce.as_ref().map(|nonce| nonce.as_str()), Some("n-1"));
//!
//! // A new pair; it has to be stored before anybody uses it.
//! let body = br#"{"access_token":"acc-8","refresh_token":"ref-8","token_type":"DPoP","expires_in":3600,
//!     "sub":"did:plc:abc","scope":"atproto transition:generic"}"#;
//! let understood = TokenAnswer::understand(ServerAnswer::new(200, &headers, body), &expected);
//! assert!(matches!(understood.outcome, TokenOutcome::Refreshed(_)));
//!
//! // The end of the session.
//! let body = br#"{"error":"invalid_grant","error_description":"Refresh token replayed"}"#;
//! let understood = TokenAnswer::understand(ServerAnswer::new(400, &headers, body), &expected);
//! assert!(matches!(understood.outcome, TokenOutcome::Ended { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod challenge;
mod client;
mod dpop_key;
mod endpoint;
mod form;
mod headers;
mod jwk;
mod jws;
mod multibase;
mod nonce;
mod proof;
mod record;
mod request;
mod server_error;
mod session;
mod state;
mod token_response;

use serde::Deserialize;

pub use answer::{
    EndCause, Expected, MAX_ANSWER_LEN, RevocationAnswer, RevocationOutcome, ServerAnswer, TokenAnswer, TokenOutcome,
    TokenType, Unacceptable,
};
pub use challenge::{ResourceAnswer, ResourceChallenge};
pub use client::{ClientAuthentication, ClientKey, InvalidClient, OAuthClient};

pub use crate::client_id::{ClientId, InvalidClientId};
pub use dpop_key::{CoordinateForm, DpopKey, InvalidDpopKey, KeyBinding};
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use headers::{AnswerHeaders, RetryAfter};
pub use nonce::{DpopNonce, InvalidNonce};
pub use proof::DpopProof;
pub use record::{CredentialHead, CredentialRecord, LONGEST_LEASE, Nonces, StoredSecrets};
pub use request::{Attempt, RefreshRequest, RevocationRequest, TokenRequest};
pub use server_error::ServerError;
pub use session::{OAuthSession, SessionError};
pub use state::{CredentialState, EndReason, Need};
pub use token_response::{TokenPair, Unreadable};

/// Reads one JSON object. An array would be taken for the members in their order, and is none.
fn object<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Option<T> {
    let is_object = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    serde_json::from_slice(body).ok().filter(|_| is_object)
}
