//! Who may ask what a token means, beside the clients themselves.

use crate::broker::{Resource, TokenDigest};
use crate::secret::Secret;

/// A resource server that may ask what a token means (RFC 7662), by an identifier and a secret of its own.
///
/// ```
/// use keyward::Secret;
/// use keyward::service::{ResourceServer, WeakSecret};
///
/// let secret = Secret::new("b4e3f0f1c6a94a2d8a54f3b0c7b1d9e2".to_owned()); // `openssl rand -hex 16`
/// assert!(ResourceServer::new("notes", &secret).is_ok());
///
/// let forgotten = Secret::new(std::env::var("NO_SUCH_VARIABLE").unwrap_or_default());
/// assert_eq!(ResourceServer::new("notes", &forgotten).unwrap_err(), WeakSecret);
/// ```
#[derive(Clone, Debug)]
pub struct ResourceServer {
    id: String,
    secret: TokenDigest,
    resource: Option<Resource>,
}

impl ResourceServer {
    /// The shortest secret that is taken, in bytes: 128 random bits in hexadecimal.
    pub const MIN_SECRET_LEN: usize = 32;

    /// One that may see the tokens of every resource. Of the secret, the digest alone is kept.
    ///
    /// # Errors
    /// [`WeakSecret`] when the secret has fewer than [`MIN_SECRET_LEN`](Self::MIN_SECRET_LEN) bytes.
    pub fn new(id: impl Into<String>, secret: &Secret) -> Result<Self, WeakSecret> {
        let secret = secret.expose_secret();
        if secret.len() < Self::MIN_SECRET_LEN {
            return Err(WeakSecret);
        }
        Ok(Self { id: id.into(), secret: TokenDigest::of(secret), resource: None })
    }

    /// The same, to which the tokens of all other resources are inactive.
    #[must_use]
    pub fn of_resource(self, resource: Resource) -> Self {
        Self { resource: Some(resource), ..self }
    }

    /// The identifier.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The resource whose tokens it may see; `None` for all.
    #[must_use]
    pub const fn resource(&self) -> Option<&Resource> {
        self.resource.as_ref()
    }

    pub(super) fn has_secret(&self, presented: TokenDigest) -> bool {
        self.secret == presented
    }
}

/// The secret is too short to keep anybody out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret must have {} or more characters", ResourceServer::MIN_SECRET_LEN)]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct WeakSecret;
