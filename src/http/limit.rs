//! Limits of keys, checked behind their verification.

use std::time::Duration;

#[cfg(feature = "tower")]
use http::HeaderMap;
use http::{Extensions, HeaderName, HeaderValue};

use crate::http::rejection::whole_seconds;
use crate::http::{Bearer, Rejection, RejectionKind, VerifyBearer};
use crate::key::{Authenticated, Rate, Schema};
#[cfg(feature = "tokio")]
use crate::service::QuotaExceeded;
#[cfg(feature = "tower")]
use crate::service::{Admitted, Counted};
use crate::service::{RateLimited, RateLimiter};

/// How the limit is told to the caller (draft-ietf-httpapi-ratelimit-headers-10), and how much of it is left.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Verifies as another verifier does, and then counts the request for the caller's key. The layer
/// [`Protect`](crate::http::Protect) takes the limiter itself: `Protect::new(keys).limit(limiter)`.
///
/// ```
/// use std::num::NonZeroU32;
///
/// use http::{HeaderMap, header::AUTHORIZATION};
/// use keyward::http::{Limited, VerifyBearer as _};
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::{Keys, service::RateLimiter, store::MemoryKeyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
/// let issued = keys.issue(StandardKey::new("customer-1", "import")?.requests_per_minute(1)?).await?;
/// let limited = Limited::new(keys, RateLimiter::builder(NonZeroU32::new(60).unwrap()).build());
///
/// let mut headers = HeaderMap::new();
/// headers.insert(AUTHORIZATION, format!("Bearer {}", issued.secret.expose_secret()).parse()?);
/// assert!(limited.authenticate(&headers).await.is_ok());
/// let rejection = limited.authenticate(&headers).await.unwrap_err();
/// assert_eq!(rejection.status(), 429);
/// assert!(rejection.retry_after().is_some() && rejection.challenges().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Limited<V, S: Schema> {
    verifier: V,
    limiter: RateLimiter<S>,
}

impl<V: VerifyBearer<Principal = Authenticated<S>>, S: Schema> Limited<V, S> {
    /// Verifies by `verifier`, such as [`Keys`](crate::Keys), and counts by `limiter`.
    #[must_use]
    pub const fn new(verifier: V, limiter: RateLimiter<S>) -> Self {
        Self { verifier, limiter }
    }
}

// A derived form would ask the schema too.
impl<V: Clone, S: Schema> Clone for Limited<V, S> {
    fn clone(&self) -> Self {
        Self { verifier: self.verifier.clone(), limiter: self.limiter.clone() }
    }
}

impl<V: VerifyBearer<Principal = Authenticated<S>>, S: Schema> VerifyBearer for Limited<V, S> {
    type Principal = Authenticated<S>;

    async fn verify_bearer(&self, bearer: Bearer<'_>) -> Result<Authenticated<S>, Rejection> {
        self.admit(bearer, &mut Extensions::new()).await
    }

    async fn admit(&self, bearer: Bearer<'_>, extensions: &mut Extensions) -> Result<Authenticated<S>, Rejection> {
        let caller = self.verifier.admit(bearer, extensions).await?;
        extensions.insert(self.limiter.check(&caller).await?);
        Ok(caller)
    }
}

/// | refusal | status |
/// |---|---|
/// | `Exceeded` | 429 with `Retry-After`, and the headers `RateLimit-Policy` and `RateLimit` |
/// | `DenyAll` | 403, as no time helps |
/// | `Unavailable` | 503 with `Retry-After` |
///
/// None of them is a challenge to authenticate: the key is good.
impl From<RateLimited> for Rejection {
    fn from(refused: RateLimited) -> Self {
        let description = refused.to_string();
        let rejection = match refused {
            RateLimited::Exceeded { rate, retry_after } => {
                let rejection = Self::too_many_requests(retry_after);
                rejection.with_header(POLICY, policy(rate)).with_header(LEFT, left(0, retry_after))
            }
            RateLimited::DenyAll => Self::new(RejectionKind::Forbidden),
            RateLimited::Unavailable { retry_after } => {
                Self::new(RejectionKind::Unavailable).with_retry_after(retry_after)
            }
        };
        rejection.with_description(description)
    }
}

/// 429 `quota_used_up` with `Retry-After` where a quota is used up, which may be a month; 503 where it cannot be said.
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "tokio")))]
impl From<QuotaExceeded> for Rejection {
    fn from(exceeded: QuotaExceeded) -> Self {
        let rejection = match exceeded {
            QuotaExceeded::UsedUp { .. } => Self::new(RejectionKind::TooManyRequests).with_error("quota_used_up"),
            QuotaExceeded::Unavailable { .. } => Self::new(RejectionKind::Unavailable),
        };
        rejection.with_retry_after(exceeded.retry_after()).with_description(exceeded.to_string())
    }
}

/// Tells the caller how much is left, unless the handler has said something itself, or nobody knows.
#[cfg(feature = "tower")]
pub(super) fn tell(admitted: &Admitted, headers: &mut HeaderMap) {
    if admitted.counted == Counted::Nowhere {
        return;
    }
    headers.entry(POLICY).or_insert_with(|| policy(admitted.rate));
    headers.entry(LEFT).or_insert_with(|| left(admitted.remaining, admitted.full_after));
}

fn policy(rate: Rate) -> HeaderValue {
    header(format!("\"key\";q={};w=60", rate.requests_per_minute()))
}

fn left(requests: u32, more_after: Duration) -> HeaderValue {
    header(format!("\"key\";r={requests};t={}", whole_seconds(more_after)))
}

fn header(text: String) -> HeaderValue {
    // Digits and signs, which every header takes.
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
