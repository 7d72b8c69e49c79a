//! The same traps beside the tables of credentials, in each of the layouts.

use std::sync::Arc;
use std::time::Duration;

use keyward::Engine;
use keyward::credential::{CredentialState, Nonces};
use keyward::schemas::aggregator::Aggregator;
use keyward::sql::{CredentialLayout, Migration, OwnCredentials, SqlCredentialStore};
use keyward::store::credentials::{
    Claim, ClaimRequest, CredentialFilter, CredentialListRequest, CredentialStore, MarkRequest, NonceRequest,
    ReleaseRequest, ResealRequest, SaveRequest,
};
use tokio::task::JoinSet;

use super::{
    Statements, assert_every_function_is_called_by_its_schema, assert_no_trap_was_sprung,
    assert_none_means_anything_of_the_neighbours, lay_traps, texts,
};
use crate::aggregator::credentials::place::Form;
use crate::credentials::service::{World, owner};
use crate::support::{Database, START, TestSchema as _};

const DID: &str = "did:plc:one";

/// A function that the statements of every layout call.
const OF_CREDENTIALS: &str = "starts_with";
/// One that those on columns of bytes call.
const OF_BYTES: &str = "convert_to";

/// Columns as a host has them that did not write `text`, each of which makes an operator of the neighbour's fit better.
const VARCHARS: &str = "
    DO $$ DECLARE c record; BEGIN
        FOR c IN SELECT table_name, column_name FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name IN ('aggregators', 'oauth_sessions') AND data_type = 'text'
        LOOP EXECUTE format('ALTER TABLE public.%I ALTER %I TYPE varchar', c.table_name, c.column_name);
        END LOOP;
    END $$";

/// The host's tables, if there are any; the functions of `pgcrypto` are where the source says that they are.
fn tables(form: Option<Form>) -> String {
    form.map(|form| form.tables(true)).unwrap_or_default().replace(
        "CREATE EXTENSION IF NOT EXISTS pgcrypto",
        "CREATE SCHEMA pgcrypto; CREATE EXTENSION pgcrypto SCHEMA pgcrypto",
    )
}

/// Everything that a store of credentials is asked, once at least.
async fn assert_a_credential_lives<L: CredentialLayout>(store: SqlCredentialStore<L>) {
    let world = World::over(Arc::new(store.clone()));
    let (credentials, of) = (&world.credentials, world.sign_in(DID).await);
    assert!(credentials.get(&owner("did:plc:nobody")).await.unwrap().is_none());
    world.clock.pass(3_600);
    let mut due = CredentialFilter::default();
    due.due_by = Some(world.now());
    due.not_sealed_with = Some("another".parse().unwrap());
    assert_eq!(store.list(&CredentialListRequest::new(due, 10)).await.unwrap().len(), 1);
    // Which claims, marks and saves.
    let token = credentials.access_token(&of).await.unwrap();
    assert!(world.is_live(DID, token.expose_secret()));
    world.sign_in(DID).await;

    let (now, later) = (world.now(), world.now().saturating_add(Duration::from_mins(1)));
    let Claim::Won(claimed) = store.claim(&ClaimRequest::new(of.clone(), now, later)).await.unwrap() else {
        panic!("it can be claimed")
    };
    let (version, generation) = (claimed.head.version, claimed.head.generation);
    assert!(matches!(store.claim(&ClaimRequest::new(of.clone(), now, later)).await.unwrap(), Claim::Lost(_)));
    assert!(!store.mark(&MarkRequest::new(of.clone(), version + 1, now, later)).await.unwrap());
    assert!(store.mark(&MarkRequest::new(of.clone(), version, now, later)).await.unwrap());
    let mut nonces = Nonces::default();
    nonces.authorization_server = Some("another".to_owned());
    assert!(store.note_nonces(&NonceRequest::new(of.clone(), generation, nonces)).await.unwrap());
    assert!(store.release(&ReleaseRequest::new(of.clone(), version, CredentialState::Active)).await.unwrap());
    let other_pair = SaveRequest::new(of.clone(), generation + 1, claimed.secrets.clone(), now);
    assert!(!store.save(&other_pair).await.unwrap());
    let resealed = ResealRequest::new(of.clone(), version + 1, generation, claimed.secrets, now);
    assert!(store.reseal(&resealed).await.unwrap());
    assert!(credentials.wipe(&of).await.unwrap());
    assert!(!credentials.wipe(&of).await.unwrap());
}

async fn assert_nothing_of_the_neighbours_is_called<L: CredentialLayout>(
    layout: L,
    form: Option<Form>,
    well_known: &str,
) {
    let database = Database::postgres().await;
    database.run(&tables(form)).await;
    if form.is_some() {
        database.run(&Aggregator::owner(DID, true)).await;
    }
    lay_traps(&database, &texts(layout.statements()), well_known).await;
    let pool = database.as_postgres().pool().await;
    let engine = Engine::from(keyward::Postgres::new(pool.clone()));
    let store = SqlCredentialStore::open(&engine, layout).await.unwrap();
    store.migrate(START).await.unwrap();
    store.check().await.unwrap();
    // Whatever comes of it, the traps say more.
    let mut lives = JoinSet::new();
    lives.spawn(assert_a_credential_lives(store));
    let outcome = lives.join_next().await.unwrap();
    pool.close().await;
    assert_no_trap_was_sprung(&database).await;
    outcome.unwrap();
}

async fn assert_no_statement_means_anything_of_the_neighbours<L: CredentialLayout>(
    layout: L,
    form: Option<Form>,
    well_known: &str,
) {
    let database = Database::postgres().await;
    database.run(&tables(form)).await;
    database.run(VARCHARS).await;
    let made = layout.migrations().iter().map(Migration::postgres).collect::<Vec<_>>().join(";");
    database.run(&format!("CREATE SCHEMA IF NOT EXISTS keyward; {made}")).await;
    let statements: Statements = texts(layout.statements());
    lay_traps(&database, &statements, well_known).await;
    assert_none_means_anything_of_the_neighbours(&database, statements).await;
}

macro_rules! for_each_layout {
    ($($name:ident $layout:expr, $form:expr, $well_known:ident;)+) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn nothing_of_a_neighbours_is_called() {
                assert_nothing_of_the_neighbours_is_called($layout, $form, $well_known).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn no_statement_means_anything_of_a_neighbours() {
                assert_no_statement_means_anything_of_the_neighbours($layout, $form, $well_known).await;
            }

            #[test]
            fn every_function_is_called_by_its_schema() {
                assert_every_function_is_called_by_its_schema(&texts($layout.statements()));
            }
        }
    )+};
}
for_each_layout! {
    own OwnCredentials::new(), None, OF_CREDENTIALS;
    aggregator_in_text Form::Text.layout(), Some(Form::Text), OF_CREDENTIALS;
    aggregator_in_bytes Form::Bytes.layout(), Some(Form::Bytes), OF_BYTES;
    aggregator_in_bytes_being_taken_over Form::BytesTakingOver.layout(), Some(Form::BytesTakingOver), OF_BYTES;
    aggregator_beside_upstream Form::BesideUpstream.layout(), Some(Form::BesideUpstream), OF_BYTES;
}
