//! Nothing stands in the clear, and keys are changed while the service runs.

use std::sync::Arc;

use keyward::seal::{SealKey, SealKeys, StoredSecret};
use keyward::service::{Credentials, CredentialsError};
use keyward::store::credentials::{CredentialStore, MemoryCredentialStore, Over, PutRequest};
use tokio::runtime::Handle;

use super::{World, builder, owner, seal_keys};
use crate::credentials::exchange::key;

const DID: &str = "did:plc:one";

fn rotated() -> SealKeys {
    let keys = SealKeys::new("second".parse().unwrap(), SealKey::from_bytes(&[9; 32]).unwrap());
    keys.with_retired("first".parse().unwrap(), SealKey::from_bytes(&[7; 32]).unwrap()).unwrap()
}

#[tokio::test]
async fn without_keys_nothing_is_stored_and_nothing_is_read() {
    let world = World::in_memory();
    let stored = world.sign_in(DID).await;
    let without =
        Credentials::builder_over(Arc::clone(&world.store), Arc::new(super::transport::Tcp), Handle::current());
    let without = without.clock(world.clock.clone()).build();
    let other = owner("did:plc:two");
    let error = without.put(&other, world.session("did:plc:two", &key()), Over::Nothing).await.unwrap_err();
    assert!(matches!(error, CredentialsError::NoSealKeys), "{error}");
    assert!(world.store.get(&other).await.unwrap().is_none());
    let error = without.access_token(&stored).await.unwrap_err();
    assert!(matches!(error, CredentialsError::NoSealKeys), "{error}");
    world.clock.pass(3_600);
    let error = without.access_token(&stored).await.unwrap_err();
    assert!(matches!(error, CredentialsError::NoSealKeys), "{error}");
    assert_eq!(world.double.seen().token_requests, 0);
}

#[tokio::test]
async fn an_envelope_that_was_moved_does_not_open() {
    let world = World::in_memory();
    let (one, two) = (world.sign_in(DID).await, world.sign_in("did:plc:two").await);
    let mut moved = world.store.get(&two).await.unwrap().unwrap();
    moved.head.owner = one.clone();
    world.store.put(&PutRequest::new(moved, world.now()).over(Over::Anything)).await.unwrap();
    let error = world.credentials.access_token(&one).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Open { .. }), "to another row: {error}");

    let mut swapped = world.store.get(&two).await.unwrap().unwrap();
    let secrets = &mut swapped.secrets;
    std::mem::swap(&mut secrets.access_token, &mut secrets.refresh_token);
    world.store.put(&PutRequest::new(swapped, world.now()).over(Over::Anything)).await.unwrap();
    let error = world.credentials.access_token(&two).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Open { .. }), "to another column: {error}");
    world.clock.pass(3_600);
    assert!(world.credentials.access_token(&two).await.is_err());
    assert_eq!(world.double.seen().token_requests, 0, "nothing of it is sent");
}

#[tokio::test]
async fn everything_is_sealed_anew_while_it_is_refreshed_and_the_old_key_can_go() {
    let store: Arc<dyn CredentialStore> = Arc::new(MemoryCredentialStore::new());
    let world = World::over(Arc::clone(&store));
    let mut owners = Vec::new();
    for number in 0..20 {
        owners.push(world.sign_in(&format!("did:plc:{number:02}")).await);
    }
    let next = builder(&store, &world.clock, 3).seal_keys(rotated()).build();
    let refreshers = owners.iter().take(10).cloned().map(|owner| {
        let next = next.clone();
        Handle::current().spawn(async move { next.refresh(&owner).await })
    });
    let refreshers: Vec<_> = refreshers.collect();
    let mut seen = 0;
    let first = next.reseal(|progress| seen = progress.done).await.unwrap();
    for refresher in refreshers {
        refresher.await.unwrap().unwrap();
    }
    let second = next.reseal(|_| ()).await.unwrap();
    assert_eq!(first.failed.len() + second.failed.len(), 0);
    assert!(seen >= 10, "{seen}");
    assert_eq!(next.reseal(|_| ()).await.unwrap().resealed, 0, "nothing is left");

    let alone = SealKeys::new("second".parse().unwrap(), SealKey::from_bytes(&[9; 32]).unwrap());
    let alone = builder(&store, &world.clock, 4).seal_keys(alone).build();
    for owner in &owners {
        let token = alone.access_token(owner).await.unwrap();
        assert!(world.is_live(owner.as_str(), token.expose_secret()));
    }
}

#[tokio::test]
async fn a_credential_in_an_old_envelope_is_put_in_a_new_one_when_it_is_read() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let next = builder(&world.store, &world.clock, 3).seal_keys(rotated()).build();
    next.access_token(&owner).await.unwrap();
    assert_eq!(next.settle(std::time::Duration::from_secs(10)).await, 0);
    let record = world.store.get(&owner).await.unwrap().unwrap();
    for secret in [record.secrets.access_token, record.secrets.refresh_token, record.secrets.dpop_key] {
        let Some(StoredSecret::Sealed(sealed)) = secret else { panic!("an envelope") };
        assert_eq!(sealed.key_id().as_str(), "second");
    }
}

#[tokio::test]
async fn one_that_does_not_open_keeps_no_other_from_being_sealed_anew() {
    let store: Arc<dyn CredentialStore> = Arc::new(MemoryCredentialStore::new());
    let world = World::over(Arc::clone(&store));
    let (one, two) = (world.sign_in("did:plc:a").await, world.sign_in("did:plc:b").await);
    let mut moved = store.get(&two).await.unwrap().unwrap();
    moved.head.owner = one.clone();
    store.put(&PutRequest::new(moved, world.now()).over(Over::Anything)).await.unwrap();
    let next = builder(&store, &world.clock, 3).seal_keys(rotated()).build();
    let report = next.reseal(|_| ()).await.unwrap();
    assert_eq!((report.resealed, report.failed.len()), (1, 1));
    assert_eq!(report.failed[0].0, one);
    assert!(seal_keys().ids().count() == 1);
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod in_a_database {
    use keyward::sql::{OwnCredentials, SqlCredentialStore};

    use super::*;
    use crate::support::{Database, START};

    async fn a_dump_shows_no_token(database: Database) {
        let store = SqlCredentialStore::open(database.engine().await, OwnCredentials::new()).await.unwrap();
        store.migrate(START).await.unwrap();
        let world = World::over(Arc::new(store));
        let owner = world.sign_in(DID).await;
        let before = world.double.current(DID).unwrap();
        world.credentials.refresh(&owner).await.unwrap();
        let after = world.double.current(DID).unwrap();
        let table = database.own_table("credentials");
        let all = if database.is_postgres() {
            format!("SELECT string_agg(c::text, ' ') FROM {table} c")
        } else {
            format!(
                "SELECT group_concat(owner || access_token || refresh_token || dpop_key || coalesce(scopes, '')) FROM {table}"
            )
        };
        let dump = database.text(&all).await.unwrap();
        assert!(dump.contains(DID), "{dump}");
        let secret = key().to_multibase();
        for tokens in [before, after] {
            for text in [tokens.access_token.as_str(), tokens.refresh_token.as_str(), secret.expose_secret()] {
                assert!(!dump.contains(text));
            }
        }
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn a_dump_of_a_sqlite_file_shows_no_token() {
        let database = Database::sqlite();
        a_dump_shows_no_token(database).await;
    }

    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn a_dump_of_postgres_shows_no_token() {
        a_dump_shows_no_token(Database::postgres().await).await;
    }
}
