//! Triggers of the host's that keep a row as it was, or only its tokens.

use keyward::credential::CredentialState;
use keyward::service::CredentialsError;
use keyward::store::credentials::Over;

use super::{DID, LONG, OTHER, Tcp, another, expired, is_live, is_suppressed, on_both_engines, open, service, spent};
use crate::support::Database;

on_both_engines![
    nothing_is_sent_where_the_lease_or_the_mark_is_suppressed,
    a_pair_whose_storing_is_suppressed_is_kept_until_it_is_stored,
    a_new_session_that_is_suppressed_is_said,
    a_pair_of_which_only_a_part_is_stored_counts_as_not_stored,
];

/// Each of the ways in which this engine's triggers can keep a row as it was, where `when` holds of `new` and `old`.
fn triggers(database: &Database, when: &str) -> Vec<String> {
    let table = database.own_table("credentials");
    if database.is_postgres() {
        let trigger = |keeps: &str| {
            format!(
                "CREATE OR REPLACE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN {keeps}; END';
                 CREATE TRIGGER keep BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION public.keep()"
            )
        };
        return vec![trigger("NULL"), trigger("OLD")];
    }
    let restores = "state = old.state, state_since = old.state_since, lease_until = old.lease_until,
        version = old.version, generation = old.generation, refreshed_at = old.refreshed_at,
        access_token = old.access_token, refresh_token = old.refresh_token";
    vec![
        format!("CREATE TRIGGER keep BEFORE UPDATE ON {table} WHEN {when} BEGIN SELECT RAISE(IGNORE); END"),
        format!(
            "CREATE TRIGGER keep AFTER UPDATE ON {table} WHEN {when}
             BEGIN UPDATE {table} SET {restores} WHERE owner = old.owner; END"
        ),
    ]
}

/// Each of the ways in which a trigger keeps or changes secrets and lets everything else through, the count of the pairs too.
fn triggers_on_secrets(database: &Database) -> Vec<String> {
    let table = database.own_table("credentials");
    let when = "new.generation > old.generation";
    let changes = ["access_token = old.access_token", "refresh_token = old.refresh_token", "refresh_token = NULL"];
    let both = "access_token = old.access_token, refresh_token = old.refresh_token";
    let another = "access_token = new.access_token || 'A'";
    let trigger = |change: &str| {
        if database.is_postgres() {
            let change: String = change.split(", ").map(|one| ["new.", one, ";"].concat()).collect();
            format!(
                "CREATE OR REPLACE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql
                 AS $$BEGIN {change} RETURN new; END$$;
                 CREATE TRIGGER keep BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION public.keep()"
            )
        } else {
            format!(
                "CREATE TRIGGER keep AFTER UPDATE ON {table} WHEN {when}
                 BEGIN UPDATE {table} SET {change} WHERE owner = old.owner; END"
            )
        }
    };
    changes.into_iter().chain([both, another]).map(trigger).collect()
}

fn dropped(database: &Database) -> String {
    let table = database.own_table("credentials");
    database.dialect(&format!("DROP TRIGGER keep ON {table}"), "DROP TRIGGER keep").to_owned()
}

async fn nothing_is_sent_where_the_lease_or_the_mark_is_suppressed(database: Database) {
    let (world, [owner, _]) = expired(&database).await;
    for when in
        ["new.state = 'sent' AND old.state <> 'sent'", "new.version > old.version AND new.lease_until IS NOT NULL"]
    {
        for trigger in triggers(&database, when) {
            database.run(&trigger).await;
            let error = world.credentials.access_token(&owner).await.unwrap_err();
            assert!(is_suppressed(&error), "{trigger}: {error:?}");
            assert_eq!(world.double.seen().token_requests, 0, "{trigger}");
            database.run(&dropped(&database)).await;
            let head = world.credentials.get(&owner).await.unwrap().unwrap();
            assert_eq!((head.state, head.lease_until), (CredentialState::Active, None), "{trigger}");
        }
    }
    assert!(is_live(&world, &world.credentials, &owner).await);
    assert_eq!(spent(&world), (1, 0));
}

async fn a_pair_whose_storing_is_suppressed_is_kept_until_it_is_stored(database: Database) {
    let (world, [owner, _]) = expired(&database).await;
    for (round, trigger) in triggers(&database, "new.generation > old.generation").iter().enumerate() {
        let credentials = service(&world.store, &world.clock, Tcp);
        database.run(trigger).await;
        let error = credentials.access_token(&owner).await.unwrap_err();
        assert!(matches!(error, CredentialsError::Unsaved), "{trigger}: {error:?}");
        database.run(&dropped(&database)).await;
        assert_eq!(credentials.settle(LONG).await, 0);
        assert!(is_live(&world, &another(&world), &owner).await, "{trigger}: it is in the store");
        assert_eq!(spent(&world), (round as u64 + 1, 0), "{trigger}");
        world.clock.pass(3_600);
    }
}

async fn a_new_session_that_is_suppressed_is_said(database: Database) {
    let (world, [owner, _]) = expired(&database).await;
    for trigger in triggers(&database, "new.generation > old.generation") {
        database.run(&trigger).await;
        let session = world.session(DID, &crate::credentials::exchange::key());
        let put = world.credentials.put(&owner, session, Over::Anything).await;
        assert!(put.is_err(), "{trigger}");
        database.run(&dropped(&database)).await;
    }
    let store = open(database.engine().await).await.unwrap();
    let owner = world.sign_in(DID).await;
    assert!(is_live(&world, &world.another_process(&store, 9), &owner).await);
}

async fn a_pair_of_which_only_a_part_is_stored_counts_as_not_stored(database: Database) {
    let (world, [owner, _]) = expired(&database).await;
    for (round, trigger) in triggers_on_secrets(&database).iter().enumerate() {
        let before = world.credentials.get(&owner).await.unwrap().unwrap();
        let credentials = service(&world.store, &world.clock, Tcp);
        database.run(trigger).await;
        let error = credentials.access_token(&owner).await.unwrap_err();
        assert!(matches!(error, CredentialsError::Unsaved), "{trigger}: {error:?}");
        let meanwhile = world.credentials.get(&owner).await.unwrap().unwrap();
        assert_eq!(meanwhile.generation, before.generation, "{trigger}: nothing of it stays");
        let session = world.session(OTHER, &crate::credentials::exchange::key());
        let put = world.credentials.put(&super::super::owner(OTHER), session, Over::Anything).await;
        assert!(is_suppressed(&put.unwrap_err()), "{trigger}");

        database.run(&dropped(&database)).await;
        assert_eq!(credentials.settle(LONG).await, 0);
        assert!(is_live(&world, &another(&world), &owner).await, "{trigger}: it is in the store");
        assert_eq!(spent(&world), (round as u64 + 1, 0), "{trigger}");
        world.clock.pass(3_600);
    }
}
