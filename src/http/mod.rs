//! HTTP on behalf of an owner: calls that carry an access token, and the way of refreshes to their server.
//!
//! What stands here translates between keyward and the crates of HTTP, and decides nothing: which token is good, where it may
//! be shown and whether a request is sent again, [`Credentials`](crate::service::Credentials) says.
//!
//! | client | one line |
//! |---|---|
//! | reqwest | `credentials.send(&owner, client.get(url)).await?` |
//! | any [`tower_service::Service`] of [`http::Request`], such as hyper's | [`SignCalls`], a [`tower_layer::Layer`] |
//! | another | `credentials.sign(&owner, &mut request).await?`, and `credentials.answered_by(…)` after it |

mod calls;

pub use calls::{CallError, CloneBody, OnBehalfOf, RepeatBody, SignCalls, SignedCalls};
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "reqwest")))]
pub use calls::{ReqwestTransport, client_builder};
