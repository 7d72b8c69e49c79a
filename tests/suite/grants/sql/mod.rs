//! Clients, grants, codes and tokens in SQL, on the tables of forgejo-mcp-broker: beside the reference, under contention, next
//! to the program that made the tables, and in trouble.

mod adoption;
mod answers;
mod differential;
mod dump;
mod handover;
mod plans;
#[cfg(feature = "postgres")]
mod postgres;
mod races;
#[cfg(feature = "sqlite")]
mod sqlite;
mod trouble;
mod weaknesses;

use keyward::Timestamp;
use keyward::broker::{
    ClientId, ClientRecord, CodeChallenge, CodeRecord, Grant, GrantId, RedirectUri, StoredUpstreamTokens, Subject,
    SubjectId, TokenDigest,
};
use keyward::key::Scopes;
use keyward::seal::{SealKey, SealKeys, SealNonce, SealedPlace, StoredSecret};
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::store::grants::{ExchangeRequest, GrantStore, NewCode, NewTokens, RedeemRequest};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::support::Database;

/// One test for each engine.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        #[cfg(feature = "sqlite")]
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::support::Database::sqlite()).await;
                }
            )+
        }
        #[cfg(feature = "postgres")]
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::support::Database::postgres().await).await;
                }
            )+
        }
    };
}
use on_both_engines;

/// 2030-01-01T00:00:00Z.
const EPOCH: i64 = 1_893_456_000;

const CLIENT: &str = "client-1";
const REDIRECT: &str = "https://app.example/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// So many seconds after the beginning of every test.
const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((EPOCH + seconds) * 1_000_000)
}

fn digest(token: &str) -> TokenDigest {
    TokenDigest::of(token)
}

fn id(client: &str) -> ClientId {
    ClientId::new(client).unwrap()
}

fn client(name: &str) -> ClientRecord {
    ClientRecord::new(id(name), vec![RedirectUri::new(REDIRECT).unwrap()], at(0))
}

fn scopes(scopes: &str) -> Scopes {
    Scopes::from_stored(scopes.split(' '))
}

/// An envelope, as a service makes it.
fn sealed(plaintext: &str) -> StoredSecret {
    let mut random = StdRng::seed_from_u64(7);
    let keys = SealKeys::new("first".parse().unwrap(), SealKey::from_bytes(&[3; 32]).unwrap());
    let place = SealedPlace { schema: "broker", owner: "grant", column: "upstream_access_token" };
    keys.seal(place, plaintext, SealNonce::generate(&mut random).unwrap()).unwrap().into()
}

fn plain(secret: &str) -> StoredSecret {
    StoredSecret::Plain(std::sync::Arc::new(keyward::Secret::new(secret.to_owned())))
}

fn grant(name: &str, client: &str, subject: &str) -> Grant {
    let subject = Subject::new(SubjectId::new(subject).unwrap()).with_name("alice");
    let mut grant = Grant::new(GrantId::new(name).unwrap(), id(client), subject, scopes("read write"), at(0));
    let mut tokens = StoredUpstreamTokens::new(sealed("upstream-access-token"), at(3_600));
    tokens.refresh_token = Some(sealed("upstream-refresh-token"));
    grant.upstream = Some(tokens);
    grant
}

/// A code `<name>` of the grant `<name>`.
fn new_code(grant: Grant) -> NewCode {
    let name = grant.id.as_str().to_owned();
    let challenge = CodeChallenge::new(CHALLENGE).unwrap();
    NewCode::new(CodeRecord::new(digest(&format!("code-{name}")), grant, REDIRECT.to_owned(), challenge, at(600)))
}

/// The tokens `access-<name>` and `refresh-<name>`, for an hour and for a month.
fn tokens(grant: &Grant, name: &str, now: i64) -> NewTokens {
    let mut tokens = NewTokens::new(grant, digest(&format!("access-{name}")), at(now + 3_600), at(now));
    tokens.refresh = Some((digest(&format!("refresh-{name}")), at(now + 30 * 86_400)));
    tokens
}

async fn open(database: &Database, tables: BrokerTables) -> SqlGrantStore {
    SqlGrantStore::open(database.engine().await, tables).await.unwrap()
}

/// A database whose tables were made by keyward, with a client.
async fn migrated(database: &Database) -> SqlGrantStore {
    let store = open(database, BrokerTables::new()).await;
    store.migrate(at(0)).await.unwrap();
    assert_eq!(store.check().await.unwrap(), []);
    store.register(&client(CLIENT)).await.unwrap();
    store
}

/// A grant `<name>` whose code was redeemed for the tokens `<name>`.
async fn issued(store: &SqlGrantStore, name: &str, subject: &str) -> Grant {
    let grant = grant(name, CLIENT, subject);
    store.add_code(&new_code(grant.clone())).await.unwrap();
    let request = RedeemRequest::new(digest(&format!("code-{name}")), tokens(&grant, name, 1));
    assert!(store.redeem(&request).await.unwrap());
    grant
}

/// The exchange of the refresh token `<from>` for the tokens `<to>`.
fn exchange(grant: &Grant, from: &str, to: &str, now: i64) -> ExchangeRequest {
    ExchangeRequest::new(digest(&format!("refresh-{from}")), tokens(grant, to, now))
}
