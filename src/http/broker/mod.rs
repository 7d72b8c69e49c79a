//! The router of an authorization server: [`Broker`].
//!
//! | endpoint | standard |
//! |---|---|
//! | `/.well-known/oauth-authorization-server` | RFC 8414 |
//! | `/.well-known/oauth-protected-resource` | RFC 9728, for each resource of the [policy](crate::broker::ServerPolicy) |
//! | `/register` | RFC 7591 |
//! | `/authorize` | RFC 6749 section 4.1, with PKCE (RFC 7636) |
//! | `/token` | RFC 6749 sections 4.1.3 and 6 |
//! | `/revoke` | RFC 7009 |
//! | `/introspect` | RFC 7662 |
//!
//! All of them stand below the path of the issuer, and the well-known documents where the standards put them.

mod authorize;
mod client;
mod consent;
mod cors;
mod form;
mod metadata;
mod page;
mod refusal;
mod register;
mod token;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};

pub use consent::{BrowserRequest, Consent, ConsentOutcome};
pub use page::{CheckPassword, ConsentPage, SignIn, SignInUnavailable};
pub use register::RegistrationPolicy;

use crate::broker::Resource;
use crate::service::Tokens;
use register::RegistrationLimit;

/// An authorization server as routes of axum: discovery, registration, consent, tokens, revocation and introspection.
///
/// ```
/// use axum::Router;
/// use keyward::broker::{Issuer, Resource, Subject, SubjectId};
/// use keyward::http::{Broker, BrowserRequest, ConsentPage, SignIn, SignInUnavailable};
/// use keyward::service::Tokens;
/// use keyward::store::grants::MemoryGrantStore;
/// # use tower_service::Service as _;
///
/// /// Who sits at the browser: your own session says so.
/// struct Sessions;
///
/// #[async_trait::async_trait]
/// impl SignIn for Sessions {
///     async fn current_subject(&self, request: &BrowserRequest<'_>) -> Result<Option<Subject>, SignInUnavailable> {
///         let user = request.headers().get("x-user").and_then(|user| user.to_str().ok());
///         Ok(user.and_then(|user| SubjectId::new(user).ok()).map(Subject::new))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let resource = Resource::new("https://api.example/mcp")?;
/// let tokens = Tokens::builder(MemoryGrantStore::new(), Issuer::new("https://api.example")?)
///     .resource(resource.clone())
///     .build();
/// let mut app: Router = Broker::new(tokens, ConsentPage::new(Sessions)).router();
///
/// # let request = |uri: &str| axum::extract::Request::builder().uri(uri).body(axum::body::Body::empty());
/// assert_eq!(app.call(request("/.well-known/oauth-authorization-server")?).await?.status(), 200);
/// assert_eq!(app.call(request("/authorize?client_id=unknown")?).await?.status(), 400);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Broker {
    shared: Arc<Shared>,
}

struct Shared {
    tokens: Tokens,
    person: Arc<dyn Consent>,
    registration: Option<RegistrationLimit>,
}

impl Broker {
    /// The routes over `tokens`, where `person` asks whoever sits at the browser. Registration is
    /// [open](RegistrationPolicy::open) unless it is [set](Self::registration).
    #[must_use]
    pub fn new(tokens: Tokens, person: impl Consent) -> Self {
        let registration = RegistrationPolicy::open().limit();
        Self { shared: Arc::new(Shared { tokens, person: Arc::new(person), registration }) }
    }

    /// Who may register.
    #[must_use]
    pub fn registration(self, registration: RegistrationPolicy) -> Self {
        let Shared { tokens, person, .. } = &*self.shared;
        let (tokens, person) = (tokens.clone(), Arc::clone(person));
        Self { shared: Arc::new(Shared { tokens, person, registration: registration.limit() }) }
    }

    /// The routes. Merge them into those of the service; they bring no layer for others.
    pub fn router(&self) -> Router {
        let issuer = self.shared.tokens.issuer();
        let at = |path: &str| format!("{}{path}", issuer.path());
        // Pages of other sites may call these: what they may do there, a client without a browser may do as well.
        let mut called = Router::new()
            .without_v07_checks()
            .route(&issuer.well_known("oauth-authorization-server"), get(metadata::server))
            .route(&at("/token"), post(token::token))
            .route(&at("/revoke"), post(token::revoke))
            .route(&at("/introspect"), post(token::introspect));
        let documents = self.shared.tokens.policy().resources.iter().map(Resource::metadata_path);
        let paths: BTreeSet<_> = documents.map(|path| path.split('?').next().unwrap_or_default().to_owned()).collect();
        for path in paths {
            called = called.route(&path, get(metadata::resource));
        }
        if self.shared.registration.is_some() {
            called = called.route(&at("/register"), post(register::register));
        }
        let shown =
            Router::new().without_v07_checks().route(&at("/authorize"), get(authorize::ask).post(authorize::answer));
        called.layer(from_fn(cors::allow)).merge(shown).with_state(Arc::clone(&self.shared))
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("tokens", &self.shared.tokens).finish_non_exhaustive()
    }
}
