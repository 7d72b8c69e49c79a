//! Beside the host's own service, which works on the same columns: each reads what the other has written, and neither
//! overwrites what it has not seen.

use keyward::credential::{CredentialState, EndReason};
use keyward::seal::StoredSecret;
use keyward::store::credentials::{
    Claim, ClaimRequest, CredentialFilter, CredentialListRequest, CredentialStore, MarkRequest, Over, PutRequest,
    ReleaseRequest, SaveRequest, Sealing,
};
use keyward::store::{StoreError, Unfit};
use std::time::Duration;

use super::place::{Form, Place};
use crate::credentials::exchange::CLIENT;
use crate::credentials::service::owner;
use crate::support::{Database, START};

pub(super) const DID: &str = "did:plc:one";
const OTHER: &str = "did:plc:two";

/// What the service runs when it has new tokens, but for its arguments.
pub(super) fn refreshed_by_upstream(did: &str, access: &str, refresh: &str) -> String {
    let key = "(SELECT encode(key_data, 'hex') FROM encryption_keys WHERE id = 1)";
    format!(
        "UPDATE aggregators SET oauth_access_token_encrypted = pgp_sym_encrypt('{access}', {key}),
             oauth_refresh_token_encrypted = pgp_sym_encrypt('{refresh}', {key}),
             oauth_token_expires_at = '2030-01-01 02:00:00Z'
         WHERE did = '{did}';"
    )
}

/// What it runs when it makes a key.
pub(super) fn stored_by_upstream(did: &str) -> String {
    let key = "(SELECT encode(key_data, 'hex') FROM encryption_keys WHERE id = 1)";
    format!(
        "{} UPDATE aggregators SET oauth_dpop_private_key_encrypted = pgp_sym_encrypt('z42t', {key}),
             oauth_pds_url = 'https://pds.example', oauth_auth_server_iss = 'https://issuer.example',
             oauth_auth_server_token_endpoint = 'https://issuer.example/token', oauth_dpop_authserver_nonce = 'a1',
             oauth_dpop_pds_nonce = ''
         WHERE did = '{did}';",
        refreshed_by_upstream(did, "access-1", "refresh-1")
    )
}

async fn beside() -> Place {
    let place = Place::on(Database::postgres().await, Form::BesideUpstream).await;
    place.add(DID).await;
    place
}

fn claim() -> ClaimRequest {
    ClaimRequest::new(owner(DID), START, START.saturating_add(Duration::from_mins(1)))
}

pub(super) fn plain(secret: Option<&StoredSecret>) -> String {
    match secret {
        Some(StoredSecret::Plain(secret)) => secret.expose_secret().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_service_has_stored_is_read_as_an_active_credential_of_its_client() {
    let place = beside().await;
    place.database.run(&stored_by_upstream(DID)).await;
    let found = place.store.get(&owner(DID)).await.unwrap().unwrap();
    let head = &found.head;
    assert_eq!(
        (head.client_id.as_str(), head.subject.as_deref(), head.session_id.as_deref()),
        (CLIENT, Some(DID), Some("apikey"))
    );
    assert_eq!((head.state, head.lease_until, head.defect), (CredentialState::Active, None, None));
    assert_eq!(head.nonces.authorization_server.as_deref(), Some("a1"));
    assert_eq!(head.nonces.resource_server, None, "an empty nonce is none");
    assert!(head.scopes.contains("atproto") && head.is_refreshable);
    assert_eq!(head.expires_at.unwrap().to_string(), "2030-01-01T02:00:00Z");
    assert_eq!(plain(found.secrets.access_token.as_ref()), "access-1");
    assert_eq!(plain(found.secrets.refresh_token.as_ref()), "refresh-1");
    assert_eq!(plain(found.secrets.dpop_key.as_ref()), "z42t");
    assert_eq!(place.state(DID, "owner").await, None, "reading writes nothing");

    let Claim::Won(claimed) = place.store.claim(&claim()).await.unwrap() else { panic!("it can be claimed") };
    assert_eq!(claimed.head.generation, head.generation, "it is the pair that was read");
    assert_eq!(place.state(DID, "client_id").await.as_deref(), Some(CLIENT), "the claim has written it down");
}

#[tokio::test]
async fn a_pair_that_the_service_has_stored_meanwhile_is_never_overwritten() {
    let place = beside().await;
    place.database.run(&stored_by_upstream(DID)).await;
    let Claim::Won(claimed) = place.store.claim(&claim()).await.unwrap() else { panic!("it can be claimed") };
    let (version, generation) = (claimed.head.version, claimed.head.generation);
    let until = START.saturating_add(Duration::from_mins(2));
    assert!(place.store.mark(&MarkRequest::new(owner(DID), version, START, until)).await.unwrap());
    place.database.run(&refreshed_by_upstream(DID, "access-2", "refresh-2")).await;

    let mut save = SaveRequest::new(owner(DID), generation, claimed.secrets.clone(), START);
    save.expires_at = Some(START);
    assert!(!place.store.save(&save).await.unwrap(), "it was bought with another pair");
    let found = place.store.get(&owner(DID)).await.unwrap().unwrap();
    assert_eq!(plain(found.secrets.refresh_token.as_ref()), "refresh-2");
    assert_eq!((found.head.state, found.head.lease_until), (CredentialState::Active, None), "nobody has sent this one");
    assert_ne!(found.head.generation, generation);
    let ended = CredentialState::Ended { reason: EndReason::InvalidGrant, at: START };
    place.store.release(&ReleaseRequest::new(owner(DID), version, ended)).await.unwrap();
    let found = place.store.get(&owner(DID)).await.unwrap().unwrap();
    assert_eq!(found.head.state, CredentialState::Active, "what became of the pair before says nothing about it");
    assert!(matches!(place.store.claim(&claim()).await.unwrap(), Claim::Won(_)));
}

#[tokio::test]
async fn a_pair_that_was_changed_after_the_claim_is_not_sent() {
    let place = beside().await;
    place.database.run(&stored_by_upstream(DID)).await;
    let Claim::Won(claimed) = place.store.claim(&claim()).await.unwrap() else { panic!("it can be claimed") };
    place.database.run(&refreshed_by_upstream(DID, "access-2", "refresh-2")).await;
    let until = START.saturating_add(Duration::from_mins(2));
    assert!(!place.store.mark(&MarkRequest::new(owner(DID), claimed.head.version, START, until)).await.unwrap());
}

/// A record to be stored, in clear.
pub(super) async fn record(place: &Place) -> keyward::credential::CredentialRecord {
    place.add("did:plc:model").await;
    place.database.run(&stored_by_upstream("did:plc:model")).await;
    let beside = place.another_in(Form::BesideUpstream).await;
    let mut record = beside.get(&owner("did:plc:model")).await.unwrap().unwrap();
    record.head.owner = owner(DID);
    record
}

#[tokio::test]
async fn the_service_decrypts_what_was_stored_and_finds_its_session() {
    let place = beside().await;
    let mut record = record(&place).await;
    record.head.session_ends_at = Some(START.saturating_add(Duration::from_hours(336)));
    assert_eq!(place.store.sealing(), Sealing::Store);
    place.store.put(&PutRequest::new(record.clone(), START)).await.unwrap();
    let decrypted = |column: &str| {
        format!(
            "SELECT pgp_sym_decrypt({column}, (SELECT encode(key_data, 'hex') FROM encryption_keys WHERE id = 1))
             FROM aggregators WHERE did = '{DID}'"
        )
    };
    for (column, secret) in [
        ("oauth_access_token_encrypted", "access-1"),
        ("oauth_refresh_token_encrypted", "refresh-1"),
        ("oauth_dpop_private_key_encrypted", "z42t"),
    ] {
        assert_eq!(place.database.text(&decrypted(column)).await.as_deref(), Some(secret));
    }
    let session =
        "SELECT concat_ws(' ', access_token, refresh_token, dpop_private_key_multibase, pds_url, host_url, handle,
                       auth_server_iss, auth_server_token_endpoint, array_to_string(scopes, ','),
                       to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'))
                   FROM oauth_sessions WHERE session_id = 'apikey'";
    let expected = "access-1 refresh-1 z42t https://pds.example https://pds.example did:plc:one https://issuer.example \
                    https://issuer.example/token atproto 2030-01-15";
    assert_eq!(
        place.database.text(session).await.as_deref(),
        Some(expected),
        "it is kept for as long as the session goes"
    );

    let Claim::Won(claimed) = place.store.claim(&claim()).await.unwrap() else { panic!("it can be claimed") };
    let mut save = SaveRequest::new(owner(DID), claimed.head.generation, claimed.secrets.clone(), START);
    std::mem::swap(&mut save.secrets.access_token, &mut save.secrets.refresh_token);
    assert!(place.store.save(&save).await.unwrap());
    let session = "SELECT access_token || ' ' || refresh_token FROM oauth_sessions WHERE session_id = 'apikey'";
    assert_eq!(place.database.text(session).await.as_deref(), Some("refresh-1 access-1"), "a new pair is copied");
    assert!(place.store.wipe(&owner(DID)).await.unwrap());
    assert_eq!(place.database.text("SELECT count(*)::text FROM oauth_sessions").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn fault_a7_without_the_key_of_the_database_nothing_is_stored_as_null() {
    let place = beside().await;
    let record = record(&place).await;
    place.store.put(&PutRequest::new(record.clone(), START)).await.unwrap();
    let Claim::Won(claimed) = place.store.claim(&claim()).await.unwrap() else { panic!("it can be claimed") };
    place.database.run("CREATE TABLE kept AS SELECT * FROM encryption_keys; DELETE FROM encryption_keys").await;
    let before = place.column(DID, "oauth_refresh_token_encrypted").await;

    let save = SaveRequest::new(owner(DID), claimed.head.generation, claimed.secrets.clone(), START);
    let fails = |error: StoreError| {
        assert!(matches!(error, StoreError::Unfit(Unfit::CannotEncrypt { .. })), "{error:?}");
        assert!(error.is_outage());
    };
    fails(place.store.save(&save).await.unwrap_err());
    fails(place.store.put(&PutRequest::new(record, START).over(Over::Anything)).await.unwrap_err());
    fails(place.store.get(&owner(DID)).await.unwrap_err());
    assert_eq!(place.column(DID, "oauth_refresh_token_encrypted").await, before);
    assert!(place.store.list(&CredentialListRequest::new(CredentialFilter::default(), 9)).await.unwrap().len() > 1);
    let engine = place.database.engine().await;
    fails(keyward::sql::SqlCredentialStore::open(engine, place.form.layout()).await.unwrap_err());

    place.database.run("INSERT INTO encryption_keys SELECT * FROM kept").await;
    assert!(place.store.save(&save).await.unwrap(), "nothing was lost");
    place.database.run("DROP EXTENSION pgcrypto").await;
    let engine = place.database.engine().await;
    fails(keyward::sql::SqlCredentialStore::open(engine, place.form.layout()).await.unwrap_err());
    assert!(place.store.get(&owner(DID)).await.is_err());
}

#[tokio::test]
async fn fault_a6_a_row_that_does_not_decrypt_harms_only_itself() {
    for form in [Form::BesideUpstream, Form::BytesTakingOver] {
        let place = Place::on(Database::postgres().await, form).await;
        for did in [DID, OTHER] {
            place.add(did).await;
            place.database.run(&stored_by_upstream(did)).await;
        }
        place
            .database
            .run(&format!(
                "UPDATE aggregators SET oauth_access_token_encrypted = pgp_sym_encrypt('x', 'another key') WHERE did = '{OTHER}'"
            ))
            .await;
        let mut filter = CredentialFilter::default();
        filter.due_by = Some(START.saturating_add(Duration::from_hours(3)));
        let due = place.store.list(&CredentialListRequest::new(filter, 9)).await.unwrap();
        assert_eq!(due.len(), 2, "both are listed, and neither is decrypted for it");
        let odd = place.store.get(&owner(OTHER)).await.unwrap().unwrap();
        assert_eq!(odd.head.defect.unwrap().to_string(), "aggregators.access_token");
        let lost = place
            .store
            .claim(&ClaimRequest::new(owner(OTHER), START, START.saturating_add(Duration::from_mins(1))))
            .await;
        assert!(matches!(lost.unwrap(), Claim::Lost(record) if record.head.defect.is_some()));
        assert_eq!(place.state(OTHER, "lease_until").await, None, "nobody has a lease of it");
        assert!(matches!(place.store.claim(&claim()).await.unwrap(), Claim::Won(_)), "the other one goes on");
        assert!(place.store.wipe(&owner(OTHER)).await.unwrap(), "and the odd one can be taken away");
    }
}

#[tokio::test]
async fn the_functions_of_a_hostile_neighbour_are_never_given_a_token() {
    let place = beside().await;
    let record = record(&place).await;
    place
        .database
        .run(
            "CREATE SCHEMA extensions; ALTER EXTENSION pgcrypto SET SCHEMA extensions; CREATE SCHEMA evil;
             CREATE TABLE evil.seen (what text);
             CREATE FUNCTION evil.pgp_sym_encrypt(text, text) RETURNS bytea LANGUAGE sql AS
                 $$ INSERT INTO evil.seen VALUES ($1); SELECT extensions.pgp_sym_encrypt($1, $2) $$;
             CREATE FUNCTION evil.pgp_sym_decrypt_bytea(bytea, text) RETURNS bytea LANGUAGE sql AS
                 $$ INSERT INTO evil.seen VALUES ($2); SELECT extensions.pgp_sym_decrypt_bytea($1, $2) $$;
             DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || ' SET search_path = evil, public'; END $$",
        )
        .await;
    let store = place.another().await;
    store.put(&PutRequest::new(record, START)).await.unwrap();
    let found = store.get(&owner(DID)).await.unwrap().unwrap();
    assert_eq!(plain(found.secrets.access_token.as_ref()), "access-1");
    assert_eq!(place.database.text("SELECT count(*)::text FROM evil.seen").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_table_of_a_foreign_owner_is_given_no_token_and_gives_no_key() {
    use crate::support::roles::Role;

    for (table, definition) in [
        ("oauth_sessions", "CREATE TABLE stranger.oauth_sessions (did text, session_id text)"),
        (
            "encryption_keys",
            "CREATE TABLE stranger.encryption_keys (id integer PRIMARY KEY, key_data bytea NOT NULL);
                             INSERT INTO stranger.encryption_keys VALUES (1, 'known')",
        ),
    ] {
        let place = beside().await;
        let stranger = Role::new(&place.database, "stranger").await;
        let name = &stranger.name;
        place
            .database
            .run(&format!(
                "DROP TABLE {table}; CREATE SCHEMA stranger AUTHORIZATION {name};
                 DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database())
                     || ' SET search_path = public, stranger'; END $$"
            ))
            .await;
        stranger.run(definition).await;
        let engine = place.database.engine().await;
        let error = keyward::sql::SqlCredentialStore::open(engine, place.form.layout()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unfit(Unfit::Untrusted { .. })), "{table}: {error:?}");
        stranger.drop().await;
    }
}
