//! Use cases over any store, with clock and randomness injected: [`Keys`].

#[cfg(any(feature = "broker", feature = "credentials"))]
mod background;
mod cache;
#[cfg(feature = "credentials")]
mod credentials;
mod keys;
mod last_used;
mod limit;
mod outage;
#[cfg(feature = "tokio")]
mod quota;
#[cfg(feature = "seal")]
mod seal_keys;
#[cfg(feature = "credentials")]
mod session_keys;
mod source;
#[cfg(feature = "broker")]
mod tokens;

pub use cache::{CachePolicy, OutagePolicy};
#[cfg(feature = "credentials")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "credentials")))]
pub use credentials::{
    ASSUMED_LIFETIME, AccessToken, AfterAnswer, Authorization, CredentialCounters, Credentials, CredentialsBuilder,
    CredentialsError, DEFAULT_EXCHANGE_TIMEOUT, DEFAULT_MARGIN, RefreshProgress, RefreshReport, ResealProgress,
    Resealed, RevokedCredential, Transport, TransportAnswer, TransportError,
};
pub use keys::{DEFAULT_PAGE, Keys, KeysBuilder, KeysError, MIN_PREFIX_LEN, Outcome, OwnerKeys, Page};
pub use last_used::{DEFAULT_CAPACITY, DEFAULT_INTERVAL, LastUsedMetrics};
pub use limit::{
    Admitted, Counted, DEFAULT_LIMITED_KEYS, OnOutage, RateLimitMetrics, RateLimited, RateLimiter, RateLimiterBuilder,
};
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "tokio")))]
pub use quota::{DEFAULT_QUOTA_BATCH, QuotaExceeded, QuotaMetrics, QuotaUse, Quotas, QuotasBuilder};
#[cfg(feature = "seal")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "seal")))]
pub use seal_keys::{MAX_SEAL_KEYS_LEN, SealKeyProvider, SealKeysError, SealKeysOrigin};
#[cfg(feature = "credentials")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "credentials")))]
pub use session_keys::{SessionKeys, SessionKeysError};
#[cfg(feature = "broker")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "broker")))]
pub use tokens::{
    AccessError, Approval, ClientMetadataUnavailable, DEFAULT_ACCESS_TOKEN_LIFETIME, DEFAULT_CODE_LIFETIME,
    DEFAULT_REFRESH_GRACE, DEFAULT_REFRESH_TOKEN_LIFETIME, FetchClientMetadata, FetchedClientMetadata, Introspection,
    IssuedTokens, PresentedGrant, ProtectedResource, RegisteredClient, ResourceServer, Tokens, TokensBuilder,
    TokensError, UnknownResource, UpstreamTokens, WeakSecret,
};
