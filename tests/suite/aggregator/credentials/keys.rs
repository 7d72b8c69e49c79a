//! A key and the OAuth session that it stands on: both are written, or neither.

use std::sync::Arc;
use std::time::Duration;

use keyward::credential::{ClientId, CoordinateForm, Endpoint, OAuthClient, OAuthSession, SessionError};
use keyward::key::{Issued, KeyHead, RefusalReason};
use keyward::schemas::aggregator::{Aggregator, AggregatorCredentials, AggregatorKey};
use keyward::service::{CredentialsError, SessionKeys, SessionKeysError};
use keyward::sql::SqlKeyedStore;
use keyward::store::credentials::KeyedCredentialStore;
use keyward::store::{Reference, StoreError};
use keyward::{Keys, KeysError, ManualClock, Secret};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::runtime::Handle;

use super::place::{Place, over_every_form};
use crate::credentials::double::{Client, Double};
use crate::credentials::exchange::{CLIENT, key};
use crate::credentials::service::transport::Tcp;
use crate::credentials::service::{owner, seal_keys};
use crate::support::START;

pub(super) const DID: &str = "did:plc:one";

over_every_form![
    a_key_and_its_session_are_written_together,
    nothing_is_written_for_an_unknown_did_or_a_session_that_will_not_do,
    the_first_field_that_is_missing_is_named,
    fault_a9_a_rotation_that_fails_leaves_the_old_key_and_its_session_working,
    fault_a10_a_revocation_takes_the_session_with_it_and_another_key_takes_a_new_one,
    a_revocation_of_a_key_that_was_replaced_touches_neither_the_new_one_nor_its_session,
    a_session_that_stands_there_already_takes_no_key_as_a_new_one,
    a_session_that_is_ended_with_its_key_is_over_at_its_server,
];

/// Keys on sessions, as one process has them.
pub(super) struct Service {
    pub(super) place: Place,
    pub(super) store: SqlKeyedStore<AggregatorCredentials>,
    pub(super) both: SessionKeys<Aggregator>,
}

pub(super) async fn both_over(
    place: &Place,
    seed: u64,
) -> (SqlKeyedStore<AggregatorCredentials>, SessionKeys<Aggregator>) {
    let engine = place.database.engine().await;
    let store = SqlKeyedStore::open(engine, Aggregator::new(), place.form.layout()).await.unwrap();
    store.migrate(START).await.unwrap();
    let clock = Arc::new(ManualClock::new(START));
    let shared: Arc<dyn KeyedCredentialStore<Schema = Aggregator>> = Arc::new(store.clone());
    let keys = Keys::builder_over(shared.keys()).shared_clock(Arc::<ManualClock>::clone(&clock));
    let keys = keys.random(StdRng::seed_from_u64(seed)).build();
    let credentials =
        keyward::service::Credentials::builder_over(shared.credentials(), Arc::new(Tcp), Handle::current())
            .seal_keys(seal_keys())
            .client(OAuthClient::public(ClientId::new(CLIENT).unwrap()))
            .shared_clock(clock)
            .random(StdRng::seed_from_u64(seed + 1000))
            .build();
    (store, SessionKeys::new(shared, keys, credentials).unwrap())
}

impl Service {
    pub(super) async fn over(place: Place) -> Self {
        place.add(DID).await;
        let (store, both) = both_over(&place, 1).await;
        Self { place, store, both }
    }

    pub(super) async fn issue(&self, name: &str) -> Issued<Aggregator> {
        self.both.issue(draft(), session(DID, name)).await.unwrap()
    }

    pub(super) async fn refusal(&self, secret: &Secret) -> Option<RefusalReason> {
        self.both.keys().verify(secret.expose_secret()).await.err().map(|refusal| refusal.reason())
    }

    /// Which session stands there.
    pub(super) async fn session(&self) -> Option<String> {
        match self.both.credentials().access_token(&owner(DID)).await {
            Ok(token) => Some(token.expose_secret().to_owned()),
            Err(CredentialsError::NotFound) => None,
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(super) async fn key(&self) -> Option<KeyHead> {
        self.both.keys().only_key(&owner(DID)).await.unwrap().map(|key| key.head)
    }

    /// A trigger that raises an error when tokens are written.
    async fn fail_writes_of_tokens(&self) {
        let column = match self.place.form {
            super::place::Form::Text | super::place::Form::TextTakingOver => "oauth_access_token",
            _ => "oauth_access_token_encrypted",
        };
        let sql = if self.place.database.is_postgres() {
            format!(
                "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
                 CREATE TRIGGER fails BEFORE UPDATE OF {column} ON aggregators FOR EACH ROW EXECUTE FUNCTION fails();"
            )
        } else {
            format!(
                "CREATE TRIGGER fails BEFORE UPDATE OF {column} ON aggregators BEGIN SELECT RAISE(ABORT, 'no'); END;"
            )
        };
        self.place.database.run(&sql).await;
    }
}

pub(super) fn draft() -> AggregatorKey {
    AggregatorKey::of(DID).unwrap()
}

/// A session that has everything, and whose access token is `name`.
pub(super) fn session(did: &str, name: &str) -> OAuthSession {
    let endpoint = Endpoint::new("https://issuer.example/token").unwrap();
    let client = ClientId::new(CLIENT).unwrap();
    let mut session = OAuthSession::new(client, "https://issuer.example", endpoint, Secret::new(name.to_owned()));
    session.subject = Some(did.to_owned());
    session.refresh_token = Some(Secret::new(format!("refresh-{name}")));
    session.dpop_key = Some(key());
    session.resource_server = Some("https://pds.example".to_owned());
    session.expires_at = Some(START.saturating_add(Duration::from_hours(1)));
    session
}

async fn a_key_and_its_session_are_written_together(place: Place) {
    let service = Service::over(place).await;
    let first = service.issue("one").await;
    assert_eq!(service.refusal(&first.secret).await, None);
    assert_eq!(service.session().await.as_deref(), Some("one"));
    let second = service.issue("two").await;
    assert_eq!(service.refusal(&first.secret).await, Some(RefusalReason::Unknown));
    assert_eq!(service.refusal(&second.secret).await, None);
    assert_eq!(service.session().await.as_deref(), Some("two"));
    let third = service.both.reissue(draft()).await.unwrap();
    assert_eq!(service.refusal(&third.secret).await, None);
    assert_eq!(service.session().await.as_deref(), Some("two"), "a live key can be replaced on the same session");
    for column in ["oauth_pds_url", "oauth_auth_server_iss", "oauth_auth_server_token_endpoint"] {
        assert!(service.place.column(DID, column).await.is_some(), "what the host's service looks for is there");
    }
}

async fn nothing_is_written_for_an_unknown_did_or_a_session_that_will_not_do(place: Place) {
    let service = Service::over(place).await;
    let unknown = AggregatorKey::of("did:plc:nobody").unwrap();
    let error = service.both.issue(unknown, session("did:plc:nobody", "one")).await.unwrap_err();
    assert!(
        matches!(error, SessionKeysError::Keys(KeysError::Store(StoreError::Missing(Reference::Owner)))),
        "{error:?}"
    );
    let error = service.both.issue(draft(), session("did:plc:other", "one")).await.unwrap_err();
    assert!(
        matches!(error, SessionKeysError::Credentials(CredentialsError::Session(SessionError::Mismatch))),
        "{error:?}"
    );
    assert!(service.key().await.is_none() && service.session().await.is_none());
    let error = service.both.reissue(draft()).await.unwrap_err();
    assert!(matches!(error, SessionKeysError::NeedsSession), "there is no session: {error:?}");
    assert!(service.key().await.is_none());
    for table in ["credential_states"] {
        let count = format!("SELECT CAST(count(*) AS TEXT) FROM {}", service.place.database.own_table(table));
        assert_eq!(service.place.database.text(&count).await.as_deref(), Some("0"));
    }
}

async fn the_first_field_that_is_missing_is_named(place: Place) {
    type Take = fn(&mut OAuthSession);
    let service = Service::over(place).await;
    let fields: [(&str, Take); 6] = [
        ("access_token", |session| session.access_token = Secret::new(String::new())),
        ("refresh_token", |session| session.refresh_token = None),
        ("expires_at", |session| session.expires_at = None),
        ("resource_server", |session| session.resource_server = None),
        ("issuer", |session| session.issuer = String::new()),
        ("dpop_key", |session| session.dpop_key = None),
    ];
    for from in 0..fields.len() {
        let mut incomplete = session(DID, "one");
        for (_, take) in &fields[from..] {
            take(&mut incomplete);
        }
        let error = service.both.issue(draft(), incomplete).await.unwrap_err();
        let SessionKeysError::Credentials(CredentialsError::Session(SessionError::Missing(name))) = error else {
            panic!("{error:?}")
        };
        assert_eq!(name, fields[from].0);
    }
    assert!(service.key().await.is_none() && service.session().await.is_none());
}

async fn fault_a9_a_rotation_that_fails_leaves_the_old_key_and_its_session_working(place: Place) {
    let service = Service::over(place).await;
    let old = service.issue("one").await;
    service.fail_writes_of_tokens().await;
    assert!(service.both.issue(draft(), session(DID, "two")).await.is_err());
    assert_eq!(service.refusal(&old.secret).await, None);
    service.both.credentials().forget(&owner(DID));
    assert_eq!(service.session().await.as_deref(), Some("one"));
    let error = service.both.revoke_and_wipe(&old.record.head, None).await.unwrap_err();
    assert!(error.is_outage(), "{error:?}");
    assert_eq!(service.refusal(&old.secret).await, None, "all or nothing");
    service.both.keys().revoke_seen(&old.record.head, None).await.unwrap();
    assert_eq!(service.refusal(&old.secret).await, Some(RefusalReason::Revoked), "the key alone can still be revoked");
}

async fn fault_a10_a_revocation_takes_the_session_with_it_and_another_key_takes_a_new_one(place: Place) {
    let service = Service::over(place).await;
    let first = service.issue("one").await;
    let (revoked, wiped) = service.both.revoke_and_wipe(&first.record.head, None).await.unwrap();
    assert!(!revoked.already && wiped);
    assert_eq!(service.refusal(&first.secret).await, Some(RefusalReason::Revoked));
    assert_eq!(service.session().await, None);
    for column in ["oauth_pds_url", "oauth_token_expires_at", "oauth_dpop_authserver_nonce"] {
        assert_eq!(service.place.column(DID, column).await, None, "nothing is left of it");
    }
    assert_eq!(service.place.state(DID, "owner").await, None);
    let (again, wiped) = service.both.revoke_and_wipe(&first.record.head, None).await.unwrap();
    assert!(again.already && !wiped);
    for error in [
        service.both.reissue(draft()).await.unwrap_err(),
        service.both.reissue_after_revocation(draft()).await.unwrap_err(),
    ] {
        assert!(matches!(error, SessionKeysError::NeedsSession), "{error:?}");
    }

    let second = service.issue("two").await;
    service.both.keys().revoke_seen(&second.record.head, None).await.unwrap();
    let error = service.both.reissue(draft()).await.unwrap_err();
    assert!(matches!(error, SessionKeysError::NeedsSession), "after a revocation: {error:?}");
    let third = service.both.reissue_after_revocation(draft()).await.unwrap();
    assert_eq!(service.refusal(&third.secret).await, None, "unless the host says otherwise");
    assert_eq!(service.session().await.as_deref(), Some("two"));
}

async fn a_revocation_of_a_key_that_was_replaced_touches_neither_the_new_one_nor_its_session(place: Place) {
    let service = Service::over(place).await;
    let first = service.issue("one").await;
    let second = service.issue("two").await;
    let error = service.both.revoke_and_wipe(&first.record.head, None).await.unwrap_err();
    assert!(matches!(error, SessionKeysError::Keys(KeysError::Store(StoreError::Conflict))), "{error:?}");
    assert_eq!(service.refusal(&second.secret).await, None);
    service.both.credentials().forget(&owner(DID));
    assert_eq!(service.session().await.as_deref(), Some("two"));
}

async fn a_session_that_stands_there_already_takes_no_key_as_a_new_one(place: Place) {
    let service = Service::over(place).await;
    let first = service.issue("one").await;
    let error = service.both.issue(draft(), session(DID, "one")).await.unwrap_err();
    assert!(
        matches!(error, SessionKeysError::Credentials(CredentialsError::Session(SessionError::AlreadyStored))),
        "{error:?}"
    );
    assert_eq!(service.refusal(&first.secret).await, None, "nothing was written");
    assert!(service.both.reissue(draft()).await.is_ok());
}

async fn a_session_that_is_ended_with_its_key_is_over_at_its_server(place: Place) {
    let service = Service::over(place).await;
    let double = Double::start(|| START.as_micros() / 1_000_000);
    double.register(CLIENT, Client::Public);
    let sign_in = || {
        let tokens = double.sign_in(DID, CLIENT, Some(&key().thumbprint(CoordinateForm::Padded)));
        let mut session = session(DID, &tokens.access_token);
        session.refresh_token = Some(Secret::new(tokens.refresh_token));
        session.revocation_endpoint = Some(Endpoint::new(double.revocation_endpoint()).unwrap());
        session
    };
    let first = service.both.issue(draft(), sign_in()).await.unwrap();
    let second = service.both.issue(draft(), sign_in()).await.unwrap();
    let error = service.both.revoke_and_end(&first.record.head, None).await.unwrap_err();
    assert!(matches!(error, SessionKeysError::Keys(KeysError::Store(StoreError::Conflict))), "{error:?}");
    assert!(double.current(DID).is_some(), "the session of another key goes on");

    let (revoked, session) = service.both.revoke_and_end(&second.record.head, None).await.unwrap();
    assert!(!revoked.already && session.was_there && session.server_was_told);
    assert!(double.current(DID).is_none());
    assert_eq!(service.refusal(&second.secret).await, Some(RefusalReason::Revoked));
    let (again, session) = service.both.revoke_and_end(&second.record.head, None).await.unwrap();
    assert!(again.already && !session.was_there && !session.server_was_told);
}
