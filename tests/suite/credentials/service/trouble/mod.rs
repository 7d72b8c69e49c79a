//! Credentials under trouble: somebody else holds a row or a file, the server stands still, tables, rights and rows change
//! under the service, and calls are given up. Whatever happens, nothing is sent that was not written down, and no pair is
//! dropped.

mod changed;
mod given_up;
mod held;
mod rows;
mod shown;
mod standing_still;
mod suppressed;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keyward::Engine;
use keyward::credential::TokenRequest;
use keyward::key::OwnerId;
use keyward::service::{Credentials, CredentialsBuilder, CredentialsError, Transport, TransportAnswer, TransportError};
use keyward::sql::{OwnCredentials, SqlCredentialStore};
use keyward::store::StoreError;
use keyward::store::credentials::CredentialStore;
use tokio::runtime::Handle;

use super::transport::Tcp;
use super::{Seconds, World, builder};
use crate::support::{Database, START};

/// A limit that a test waits for.
const SHORT: Duration = Duration::from_millis(400);

/// What no call takes that has a limit, on a machine that does a lot beside it.
const LONG: Duration = Duration::from_secs(30);

const DID: &str = "did:plc:one";
const OTHER: &str = "did:plc:two";

/// One test for each engine.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        #[cfg(feature = "sqlite")]
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::support::Database::sqlite()).await;
                }
            )+
        }
        #[cfg(feature = "postgres")]
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::support::Database::postgres().await).await;
                }
            )+
        }
    };
}
use on_both_engines;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A transport beside which something happens once the server has answered, and before anything is stored.
struct Meanwhile(Box<dyn Fn() -> Work + Send + Sync>);

impl Meanwhile {
    fn new<F: Future<Output = ()> + Send + 'static>(work: impl Fn() -> F + Send + Sync + 'static) -> Self {
        Self(Box::new(move || Box::pin(work())))
    }
}

#[async_trait]
impl Transport for Meanwhile {
    async fn send(&self, request: &TokenRequest) -> Result<TransportAnswer, TransportError> {
        let answer = Tcp.send(request).await;
        if answer.as_ref().is_ok_and(|answer| answer.status == 200) {
            (self.0)().await;
        }
        answer
    }
}

/// An engine that waits for nothing long.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "only a server is waited for"))]
async fn impatient(database: &Database) -> Engine {
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(database) => keyward::Sqlite::open(database.path()).unwrap().lock_timeout(SHORT).into(),
        #[cfg(feature = "postgres")]
        Database::Postgres(database) => {
            let pool = database.small_pool(3).await;
            keyward::Postgres::new(pool).lock_timeout(SHORT).read_timeout(LONG / 10).into()
        }
    }
}

async fn open(engine: Engine) -> Result<Arc<dyn CredentialStore>, StoreError> {
    Ok(Arc::new(SqlCredentialStore::open(engine, OwnCredentials::new()).await?))
}

/// Two sessions in a database, of which the tokens have expired.
async fn expired(database: &Database) -> (World, [OwnerId; 2]) {
    let store = SqlCredentialStore::open(impatient(database).await, OwnCredentials::new()).await.unwrap();
    store.migrate(START).await.unwrap();
    let world = World::over(Arc::new(store));
    let owners = [world.sign_in(DID).await, world.sign_in(OTHER).await];
    world.clock.pass(3_600);
    (world, owners)
}

/// A service of its own, whose callers are not patient.
fn service(store: &Arc<dyn CredentialStore>, clock: &Seconds, transport: impl Transport) -> Credentials {
    let built: CredentialsBuilder =
        Credentials::builder_over(Arc::clone(store), Arc::new(transport), Handle::current());
    let client = keyward::credential::ClientId::new(crate::credentials::exchange::CLIENT).unwrap();
    built
        .seal_keys(super::seal_keys())
        .client(keyward::credential::OAuthClient::public(client))
        .clock(clock.clone())
        .exchange_timeout(Duration::from_secs(2))
        .build()
}

/// A service as another process has it, which knows nothing yet.
fn another(world: &World) -> Credentials {
    // No two of them give a proof the same identifier.
    static NEXT: AtomicU64 = AtomicU64::new(1_000);

    let seed = NEXT.fetch_add(1, Ordering::Relaxed);
    builder(&world.store, &world.clock, seed).exchange_timeout(Duration::from_secs(2)).build()
}

async fn is_live(world: &World, credentials: &Credentials, owner: &OwnerId) -> bool {
    match credentials.access_token(owner).await {
        Ok(token) => world.is_live(owner.as_str(), token.expose_secret()),
        Err(error) => panic!("{error:?}"),
    }
}

/// How many refresh tokens were spent, and how many of them twice.
fn spent(world: &World) -> (u64, u64) {
    (world.double.seen().refreshes, world.double.seen().replays)
}

fn is_outage(error: &CredentialsError) -> bool {
    matches!(error, CredentialsError::Store(StoreError::Unavailable { .. }))
}

fn is_suppressed(error: &CredentialsError) -> bool {
    matches!(error, CredentialsError::Store(StoreError::Suppressed { .. }))
}
