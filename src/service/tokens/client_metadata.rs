//! Clients that nobody has registered: what they say of themselves is fetched when a person is to be asked.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::broker::{AuthorizationRefusal, ClientId, ClientMetadata, ClientMetadataUrl, ClientRecord};
use crate::service::Tokens;
use crate::service::tokens::TokensError;
use crate::service::tokens::authorize::{NO_SUCH_CLIENT, refused};
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::visible::Causes;

/// The longest that a document is kept, whatever its answer says.
const LONGEST_KEPT: Duration = Duration::from_hours(24);
/// How many documents are kept at once, of at most 8 KiB each.
const MOST_KEPT: usize = 256;
/// How many documents are fetched at once. Anybody can ask for one.
const MOST_FETCHED: usize = 32;
/// The member by which a record from a document is told from one that somebody has registered, where it is never kept.
const CLIENT_ID: &str = "client_id";

/// Fetches what clients say of themselves, from the URLs that are their identifiers
/// ([OAuth Client ID Metadata Document](https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/)).
///
/// Whoever has a browser chooses the URL, so an implementation
/// - sends one `GET` by HTTPS, with the server's certificate checked, and follows no redirect;
/// - resolves the name itself, and connects to no address that is not public (RFC 6890);
/// - takes nothing but status 200 and a JSON content type, reads at most 8 KiB, and gives up after a few seconds;
/// - limits how often it fetches, and from one host; how many are fetched at once is limited here, to 32.
///
/// A list of hosts that it fetches from is a list of clients that are trusted, and where a client is to be kept out, here is the
/// place: one that is [removed](Tokens::remove_client) comes back with the next yes.
///
/// ```
/// use keyward::broker::{AuthorizationRequest, ClientMetadataUrl, Issuer, Parameters};
/// use keyward::service::{ClientMetadataUnavailable, FetchClientMetadata, FetchedClientMetadata, Tokens};
/// use keyward::store::grants::MemoryGrantStore;
///
/// /// In place of an HTTP client.
/// struct OneClient;
///
/// #[async_trait::async_trait]
/// impl FetchClientMetadata for OneClient {
///     async fn fetch(&self, url: &ClientMetadataUrl) -> Result<FetchedClientMetadata, ClientMetadataUnavailable> {
///         if url.host() != "app.example" {
///             return Err(ClientMetadataUnavailable::new("this host is not on the list"));
///         }
///         let document = r#"{"client_id": "https://app.example/client.json", "redirect_uris": ["https://app.example/cb"]}"#;
///         Ok(FetchedClientMetadata::new(document))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let tokens = Tokens::builder(MemoryGrantStore::new(), Issuer::new("https://as.example")?)
///     .fetch_client_metadata(OneClient)
///     .build();
/// let query = |client: &str| format!("response_type=code&client_id={client}&redirect_uri=https://app.example/cb\
///     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256");
/// assert!(tokens.authorize(&Parameters::parse(&query("https://app.example/client.json"))).await.is_ok());
/// assert!(tokens.authorize(&Parameters::parse(&query("https://other.example/client.json"))).await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[async_trait::async_trait]
pub trait FetchClientMetadata: Send + Sync + 'static {
    /// The document at `url`.
    ///
    /// # Errors
    /// [`ClientMetadataUnavailable`] when there is none, or it is not to be fetched: no person is asked then.
    async fn fetch(&self, url: &ClientMetadataUrl) -> Result<FetchedClientMetadata, ClientMetadataUnavailable>;
}

/// A document that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchedClientMetadata {
    /// The document.
    pub body: String,
    /// For how long it need not be fetched again, by the answer's `Cache-Control` (RFC 9111 section 4.2); a day at most.
    pub fresh_for: Duration,
}

impl FetchedClientMetadata {
    /// A document that is fetched again each time.
    #[must_use]
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), fresh_for: Duration::ZERO }
    }

    /// The same, which stays fresh for this long.
    #[must_use]
    pub fn with_fresh_for(self, fresh_for: Duration) -> Self {
        Self { fresh_for, ..self }
    }
}

/// What a client says of itself cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("the metadata of the client cannot be had")]
pub struct ClientMetadataUnavailable {
    source: Box<dyn Error + Send + Sync>,
}

impl ClientMetadataUnavailable {
    /// For this reason, which the log is told and nobody else.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: source.into() }
    }
}

/// Who fetches, and what was fetched a short time ago.
pub(super) struct ClientMetadataSource {
    fetcher: Arc<dyn FetchClientMetadata>,
    kept: Mutex<HashMap<ClientId, Kept>>,
    under_way: AtomicUsize,
}

struct Kept {
    metadata: ClientMetadata,
    fetched_at: Timestamp,
    until: Timestamp,
}

impl ClientMetadataSource {
    pub(super) fn new(fetcher: impl FetchClientMetadata) -> Self {
        Self { fetcher: Arc::new(fetcher), kept: Mutex::default(), under_way: AtomicUsize::new(0) }
    }

    async fn metadata(&self, url: &ClientMetadataUrl, now: Timestamp) -> Result<ClientMetadata, AuthorizationRefusal> {
        if let Some(kept) = self.kept(url, now) {
            return Ok(kept);
        }
        let Some(_fetch) = Fetch::begin(&self.under_way) else {
            tracing::warn!(event = "client.metadata_unavailable", client = %url, "too many are being fetched");
            return Err(AuthorizationRefusal::Shown("too many clients ask at the moment"));
        };
        let fetched = self.fetcher.fetch(url).await.map_err(|unavailable| {
            tracing::warn!(event = "client.metadata_unavailable", client = %url, error = %Causes(&unavailable));
            AuthorizationRefusal::Shown("what the client says of itself cannot be had")
        })?;
        let metadata = ClientMetadata::from_document(url, &fetched.body).map_err(|refusal| {
            tracing::warn!(event = "client.metadata_refused", client = %url, reason = %refusal);
            AuthorizationRefusal::Shown("what the client says of itself is not in order")
        })?;
        self.keep(url, metadata.clone(), now, fetched.fresh_for);
        Ok(metadata)
    }

    /// A clock that was set back keeps nothing alive.
    fn kept(&self, url: &ClientMetadataUrl, now: Timestamp) -> Option<ClientMetadata> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get(url.client_id()).filter(|kept| kept.fetched_at <= now && now < kept.until)?;
        Some(kept.metadata.clone())
    }

    fn keep(&self, url: &ClientMetadataUrl, metadata: ClientMetadata, now: Timestamp, fresh_for: Duration) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(url.client_id());
        if fresh_for.is_zero() {
            return;
        }
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, kept| kept.fetched_at <= now && now < kept.until);
        }
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        let until = now.saturating_add(fresh_for.min(LONGEST_KEPT));
        kept.insert(url.client_id().clone(), Kept { metadata, fetched_at: now, until });
    }
}

impl Tokens {
    /// Whether clients need not register: their identifiers are URLs, from which what they say of themselves is
    /// [fetched](FetchClientMetadata).
    #[must_use]
    pub fn fetches_client_metadata(&self) -> bool {
        self.shared.client_metadata.is_some()
    }

    /// The client that asks. Of one that nobody has registered, its document says what it is, and not the store.
    pub(super) async fn asking_client(&self, id: &ClientId) -> Result<Option<ClientRecord>, TokensError> {
        let stored = self.shared.store.client(id).await?;
        let (Some(source), Some(url)) = (&self.shared.client_metadata, ClientMetadataUrl::of(id)) else {
            return Ok(stored);
        };
        if stored.as_ref().is_some_and(|stored| !is_fetched(stored)) {
            return Ok(stored);
        }
        let metadata = source.metadata(&url, self.now()).await.map_err(refused)?;
        let mut client = self.record(id.clone(), &metadata, None);
        client.metadata.insert(CLIENT_ID.to_owned(), id.as_str().into());
        Ok(Some(client))
    }

    /// A code refers to a client, so the store has to know one that nobody has registered, as it was when the person was asked.
    pub(super) async fn store_asking_client(&self, client: &ClientRecord) -> Result<(), TokensError> {
        if !is_fetched(client) {
            return Ok(());
        }
        let store = &self.shared.store;
        if store.client(&client.id).await?.is_none() {
            match store.register(client).await {
                Ok(()) => {
                    tracing::info!(event = "client.registered", client = %client.id, method = client.auth_method.as_str());
                    return Ok(());
                }
                // Somebody else was first, who need not have said yes to the same.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let stored = store.client(&client.id).await?.filter(is_fetched);
        let Some(stored) = stored else { return Err(refused(AuthorizationRefusal::Shown(NO_SUCH_CLIENT))) };
        let ClientRecord { created_at, last_used_at, .. } = stored;
        let updated = ClientRecord { created_at, last_used_at, ..client.clone() };
        if stored != updated && store.update_client(&updated).await? {
            tracing::info!(event = "client.updated", client = %client.id);
        }
        Ok(())
    }
}

/// Whether a record comes from a document. Every other one is the host's, and its document counts for nothing; so is a row that
/// cannot be understood, which grants nothing.
fn is_fetched(client: &ClientRecord) -> bool {
    let url = client.metadata.get(CLIENT_ID).and_then(|id| id.as_str());
    client.defect.is_none() && client.secret.is_none() && url == Some(client.id.as_str())
}

/// A fetch that is under way.
struct Fetch<'s>(&'s AtomicUsize);

impl<'s> Fetch<'s> {
    /// `None` when there are too many.
    fn begin(under_way: &'s AtomicUsize) -> Option<Self> {
        let more = |count: usize| (count < MOST_FETCHED).then_some(count + 1);
        under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(under_way))
    }
}

impl Drop for Fetch<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for ClientMetadataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientMetadataSource").finish_non_exhaustive()
    }
}
