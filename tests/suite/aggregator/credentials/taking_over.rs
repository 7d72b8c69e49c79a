//! What the host's service has stored is put in envelopes while readers and refreshers go on.

use std::sync::Arc;
use std::time::Duration;

use keyward::credential::CoordinateForm;
use keyward::seal::StoredSecret;
use keyward::store::credentials::CredentialStore;

use super::place::{Form, Place};
use crate::credentials::exchange::{CLIENT, key};
use crate::credentials::service::{World, owner};
use crate::support::Database;

/// A session of `did` as the service has stored it, in whatever form.
async fn store_as_upstream(place: &Place, world: &World, did: &str) {
    place.add(did).await;
    let tokens = world.double.sign_in(did, CLIENT, Some(&key().thumbprint(CoordinateForm::Padded)));
    let key = key().to_multibase();
    let secrets = [tokens.access_token.as_str(), tokens.refresh_token.as_str(), key.expose_secret()];
    let encrypted = matches!(place.form, Form::BytesTakingOver);
    let secrets = secrets.map(|secret| {
        if encrypted {
            format!("pgp_sym_encrypt('{secret}', (SELECT encode(key_data, 'hex') FROM encryption_keys WHERE id = 1))")
        } else {
            format!("'{secret}'")
        }
    });
    let [access, refresh, dpop] = secrets;
    let columns = if encrypted {
        ["oauth_access_token_encrypted", "oauth_refresh_token_encrypted", "oauth_dpop_private_key_encrypted"]
    } else {
        ["oauth_access_token", "oauth_refresh_token", "oauth_dpop_private_key_multibase"]
    };
    let [access_column, refresh_column, dpop_column] = columns;
    let issuer = world.double.issuer();
    place
        .database
        .run(&format!(
            "UPDATE aggregators SET {access_column} = {access}, {refresh_column} = {refresh}, {dpop_column} = {dpop},
                 oauth_token_expires_at = '2030-01-01 01:00:00Z', oauth_pds_url = '{issuer}',
                 oauth_auth_server_iss = '{issuer}', oauth_auth_server_token_endpoint = '{}'
             WHERE did = '{did}'",
            world.double.token_endpoint()
        ))
        .await;
}

fn is_sealed(secret: Option<&StoredSecret>) -> bool {
    matches!(secret, Some(StoredSecret::Sealed(_)))
}

async fn everything_is_in_envelopes_in_the_end(place: Place, strict: Form) {
    let world = World::over(Arc::new(place.another().await));
    let dids: Vec<_> = (0..12).map(|number| format!("did:plc:{number:02}")).collect();
    for did in &dids {
        store_as_upstream(&place, &world, did).await;
    }
    if place.database.is_postgres() {
        place
            .database
            .run(
                "INSERT INTO oauth_sessions (did, session_id, handle, pds_url, access_token, refresh_token, auth_server_iss,
                                             expires_at)
                 SELECT did, 'apikey', did, '', 'copy', 'copy', '', now() FROM aggregators",
            )
            .await;
    }
    let refreshing = dids.iter().take(6).map(|did| {
        let (credentials, owner) = (world.credentials.clone(), owner(did));
        tokio::runtime::Handle::current().spawn(async move { credentials.refresh(&owner).await })
    });
    let refreshing: Vec<_> = refreshing.collect();
    let first = world.credentials.reseal(|_| ()).await.unwrap();
    for refresh in refreshing {
        refresh.await.unwrap().unwrap();
    }
    let second = world.credentials.reseal(|_| ()).await.unwrap();
    assert_eq!(first.failed.len() + second.failed.len(), 0, "{first:?} {second:?}");
    assert_eq!(world.credentials.reseal(|_| ()).await.unwrap().resealed, 0, "nothing is left");

    let strict = place.another_in(strict).await;
    let world_after = World { store: Arc::new(place.another().await), ..world };
    for did in &dids {
        let record = strict.get(&owner(did)).await.unwrap().unwrap();
        assert_eq!(record.head.defect, None);
        let secrets = &record.secrets;
        for secret in [&secrets.access_token, &secrets.refresh_token, &secrets.dpop_key] {
            assert!(is_sealed(secret.as_ref()));
        }
        let token = world_after.credentials.access_token(&owner(did)).await.unwrap();
        assert!(world_after.is_live(did, token.expose_secret()));
    }
    if place.database.is_postgres() {
        let left = place.database.text("SELECT count(*)::text FROM oauth_sessions").await;
        assert_eq!(left.as_deref(), Some("0"), "the copies in clear are gone");
    }
    assert_eq!(world_after.double.seen().replays, 0);
}

async fn what_is_read_is_sealed_on_the_way(place: Place, strict: Form) {
    let world = World::over(Arc::new(place.another().await));
    store_as_upstream(&place, &world, "did:plc:one").await;
    let strict = place.another_in(strict).await;
    let refused = strict.get(&owner("did:plc:one")).await.unwrap().unwrap();
    assert!(
        refused.head.defect.is_some() && refused.secrets.access_token.is_none(),
        "unless it is taken over, it is refused"
    );
    let token = world.credentials.access_token(&owner("did:plc:one")).await.unwrap();
    assert!(world.is_live("did:plc:one", token.expose_secret()));
    assert_eq!(world.credentials.settle(Duration::from_secs(10)).await, 0, "it is sealed beside its reader");
    let record = strict.get(&owner("did:plc:one")).await.unwrap().unwrap();
    assert!(record.head.defect.is_none() && is_sealed(record.secrets.access_token.as_ref()));
}

macro_rules! from {
    ($($name:ident if $feature:literal: $database:expr, $form:ident to $strict:ident;)+) => {$(
        #[cfg(feature = $feature)]
        mod $name {
            use super::{Database, Form, Place};

            #[tokio::test(flavor = "multi_thread")]
            async fn everything_is_in_envelopes_in_the_end() {
                let place = Place::on($database, Form::$form).await;
                super::everything_is_in_envelopes_in_the_end(place, Form::$strict).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_read_is_sealed_on_the_way() {
                super::what_is_read_is_sealed_on_the_way(Place::on($database, Form::$form).await, Form::$strict).await;
            }
        }
    )+};
}

from! {
    from_plaintext_on_sqlite if "sqlite": Database::sqlite(), TextTakingOver to Text;
    from_plaintext_on_postgres if "postgres": Database::postgres().await, TextTakingOver to Text;
    from_pgcrypto if "postgres": Database::postgres().await, BytesTakingOver to Bytes;
}
