//! An access token in clear, and what it takes to use it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwapOption;

use crate::credential::{CoordinateForm, DpopKey, DpopNonce, TokenType};
use crate::secret::Secret;
use crate::time::Timestamp;

/// An access token in clear.
pub(super) struct Opened {
    pub(super) token: Arc<Secret>,
    pub(super) expires_at: Option<Timestamp>,
    /// The key to which it is bound, and the form in which its server knows that key.
    pub(super) dpop: Option<(DpopKey, CoordinateForm)>,
    /// Where it is used, if that is known.
    pub(super) resource_server: Option<String>,
    /// The newest nonce of the resource server.
    pub(super) nonce: ArcSwapOption<DpopNonce>,
    pub(super) generation: u64,
    /// Whether its server has refused it, and it was refreshed for that.
    pub(super) was_refused: AtomicBool,
}

impl Opened {
    /// Whether it outlives `deadline`, as far as anybody knows.
    pub(super) fn is_good_until(&self, deadline: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at > deadline)
    }

    pub(super) const fn token_type(&self) -> TokenType {
        if self.dpop.is_some() { TokenType::Dpop } else { TokenType::Bearer }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expires_at, generation, .. } = self;
        f.debug_struct("Opened").field("expires_at", expires_at).field("generation", generation).finish_non_exhaustive()
    }
}

/// An access token that is good. Cloning it is a reference count; its memory is wiped with the last clone.
#[derive(Clone)]
pub struct AccessToken(pub(super) Arc<Opened>);

impl AccessToken {
    /// The token. Send it in the header `Authorization` alone; a token of [`TokenType::Dpop`] needs a proof beside it.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.token.expose_secret()
    }

    /// When it expires; `None` where nobody knows.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }

    /// How it is presented.
    #[must_use]
    pub fn token_type(&self) -> TokenType {
        self.0.token_type()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("expires_at", &self.0.expires_at).finish_non_exhaustive()
    }
}
