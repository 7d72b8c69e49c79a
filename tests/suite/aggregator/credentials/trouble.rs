//! What a host does to its table meanwhile: locked rows, triggers, changed columns, rows that go and come.

use std::time::Duration;

use keyward::credential::{CredentialState, Nonces};
use keyward::sql::SqlCredentialStore;
use keyward::store::credentials::{
    Claim, ClaimRequest, CredentialStore, MarkRequest, NonceRequest, Over, PutRequest, ReleaseRequest, SaveRequest,
};
use keyward::store::{Reference, StoreError};
use sqlx::Connection as _;

use super::place::{Form, Place};
use super::upstream::{DID, plain, record};
use crate::credentials::service::owner;
use crate::support::{Database, START};

async fn stored() -> (Place, PutRequest) {
    let place = Place::on(Database::postgres().await, Form::BesideUpstream).await;
    place.add(DID).await;
    let put = PutRequest::new(record(&place).await, START);
    place.store.put(&put).await.unwrap();
    (place, put)
}

fn claim() -> ClaimRequest {
    ClaimRequest::new(owner(DID), START, START.saturating_add(Duration::from_mins(1)))
}

#[tokio::test]
async fn a_locked_row_holds_up_nothing_but_a_new_pair_and_that_not_for_ever() {
    let (place, put) = stored().await;
    let pool = place.database.as_postgres().pool().await;
    let impatient = keyward::Postgres::new(pool).lock_timeout(Duration::from_millis(100));
    let store = SqlCredentialStore::open(impatient, place.form.layout()).await.unwrap();
    let mut host = sqlx::PgConnection::connect(&place.database.as_postgres().url()).await.unwrap();
    let mut forgotten = host.begin().await.unwrap();
    sqlx::query("UPDATE aggregators SET display_name = 'x' WHERE did = $1")
        .bind(DID)
        .execute(&mut *forgotten)
        .await
        .unwrap();

    assert!(store.get(&owner(DID)).await.unwrap().is_some());
    let Claim::Won(claimed) = store.claim(&claim()).await.unwrap() else { panic!("it can be claimed") };
    let (version, generation) = (claimed.head.version, claimed.head.generation);
    let until = START.saturating_add(Duration::from_mins(2));
    assert!(store.mark(&MarkRequest::new(owner(DID), version, START, until)).await.unwrap());
    let mut nonces = Nonces::default();
    nonces.authorization_server = Some("a9".to_owned());
    assert!(store.note_nonces(&NonceRequest::new(owner(DID), generation, nonces.clone())).await.unwrap());
    let save = SaveRequest::new(owner(DID), generation, claimed.secrets.clone(), START);
    for error in [
        store.save(&save).await.unwrap_err(),
        store.put(&put.clone().over(Over::Anything)).await.unwrap_err(),
        store.wipe(&owner(DID)).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    }
    let mut release = ReleaseRequest::new(owner(DID), version, CredentialState::Uncertain { since: START });
    release.nonces = nonces;
    assert!(store.release(&release).await.unwrap());
    forgotten.rollback().await.unwrap();
    assert!(store.save(&save).await.unwrap(), "the pair was not lost");
    let found = store.get(&owner(DID)).await.unwrap().unwrap();
    assert_eq!(found.head.state, CredentialState::Active);
    assert_eq!(found.head.nonces.authorization_server.as_deref(), Some("a1"), "nobody waited for a nonce");
}

#[tokio::test]
async fn a_trigger_that_keeps_the_tokens_as_they_were_is_an_error_and_nothing_else_changes() {
    let (place, put) = stored().await;
    let Claim::Won(claimed) = place.store.claim(&claim()).await.unwrap() else { panic!("it can be claimed") };
    let save = SaveRequest::new(owner(DID), claimed.head.generation, claimed.secrets.clone(), START);
    let before = place.state(DID, "version").await;
    for body in [
        "RETURN NULL;",
        "RETURN OLD;",
        "NEW.oauth_access_token_encrypted = NULL; RETURN NEW;",
        "NEW.oauth_refresh_token_encrypted = public.pgp_sym_encrypt('another', 'key'); RETURN NEW;",
    ] {
        place
            .database
            .run(&format!(
                "CREATE OR REPLACE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
                 CREATE OR REPLACE TRIGGER keeps BEFORE UPDATE ON aggregators FOR EACH ROW EXECUTE FUNCTION keeps();"
            ))
            .await;
        let mut changed = save.clone();
        std::mem::swap(&mut changed.secrets.access_token, &mut changed.secrets.refresh_token);
        assert!(place.store.save(&changed).await.is_err(), "{body}");
        let mut changed = put.clone().over(Over::Anything);
        changed.record.secrets.access_token = claimed.secrets.refresh_token.clone();
        assert!(place.store.put(&changed).await.is_err(), "{body}");
        assert_eq!(place.state(DID, "version").await, before, "{body}");
    }
    place.database.run("DROP TRIGGER keeps ON aggregators").await;
    assert!(place.store.save(&save).await.unwrap());
}

#[tokio::test]
async fn a_host_that_alters_its_columns_meanwhile_stops_nothing() {
    let (place, _) = stored().await;
    for ddl in [
        "ALTER TABLE aggregators ADD COLUMN extra text",
        "ALTER TABLE aggregators ALTER COLUMN oauth_pds_url TYPE varchar(300)",
        "ALTER TABLE aggregators ALTER COLUMN did TYPE varchar(300)",
        "ALTER TABLE aggregators DROP COLUMN extra",
    ] {
        assert!(place.store.get(&owner(DID)).await.unwrap().is_some());
        let Claim::Won(claimed) = place.store.claim(&claim()).await.unwrap() else { panic!("it can be claimed") };
        place.database.run(ddl).await;
        assert!(place.store.get(&owner(DID)).await.unwrap().unwrap().head.defect.is_none(), "{ddl}");
        let save = SaveRequest::new(owner(DID), claimed.head.generation, claimed.secrets.clone(), START);
        assert!(place.store.save(&save).await.unwrap(), "{ddl}");
    }
}

#[tokio::test]
async fn a_credential_goes_with_its_row_and_a_row_that_comes_back_has_none() {
    let (place, put) = stored().await;
    let late = place.store.get(&owner(DID)).await.unwrap().unwrap().head.generation;
    place.database.run(&format!("DELETE FROM aggregators WHERE did = '{DID}'")).await;
    assert!(place.store.get(&owner(DID)).await.unwrap().is_none());
    let error = place.store.put(&put).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing(Reference::Owner)), "{error:?}");
    place.add(DID).await;
    assert!(place.store.get(&owner(DID)).await.unwrap().is_none());
    place.store.put(&put).await.unwrap();
    let found = place.store.get(&owner(DID)).await.unwrap().unwrap();
    assert!(found.head.generation > late, "what was bought with the pair before is not stored over this one");
    assert_eq!(plain(found.secrets.access_token.as_ref()), "access-1");
}
