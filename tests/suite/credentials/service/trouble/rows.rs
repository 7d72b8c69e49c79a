//! Odd rows, as a host or another program may have left them.

use keyward::service::CredentialsError;
use keyward::store::credentials::{CredentialFilter, CredentialListRequest};

use super::{another, expired, is_live, on_both_engines, spent};
use crate::support::Database;

on_both_engines![an_odd_row_harms_only_itself, a_lease_of_the_year_2099_keeps_nobody_away];

/// Takes away from the table what keeps values out that we never write.
async fn anything_goes(database: &Database) {
    let table = database.own_table("credentials");
    if database.is_postgres() {
        let columns =
            ["access_token", "client_id", "issuer", "token_endpoint", "scopes", "state", "version", "generation"];
        for column in columns {
            database.run(&format!("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")).await;
        }
        for column in ["state", "version", "generation"] {
            let check = format!("credentials_{column}_check");
            database.run(&format!("ALTER TABLE {table} DROP CONSTRAINT {check}")).await;
        }
    } else {
        // A table as it was, without what it asks of its columns.
        database
            .run(&format!(
                "CREATE TABLE odd AS SELECT * FROM {table}; DROP TABLE {table}; ALTER TABLE odd RENAME TO {table};
                 CREATE UNIQUE INDEX odd_owner ON {table} (owner)"
            ))
            .await;
    }
}

/// What a row can have in it, as the rest of an `UPDATE`.
const ODD: [&str; 12] = [
    "access_token = 'a token in the clear'",
    "access_token = NULL",
    "refresh_token = 'keyward.1.first.AAAA'",
    "dpop_key = 'keyward.1.first.'",
    "state = 'weird'",
    "state = NULL",
    "version = -5",
    "generation = NULL",
    "client_id = NULL",
    "token_endpoint = 'ftp://issuer.example/token'",
    "token_endpoint = NULL",
    "issuer = NULL, scopes = NULL",
];

async fn an_odd_row_harms_only_itself(database: Database) {
    let (world, [odd, sound]) = expired(&database).await;
    let table = database.own_table("credentials");
    anything_goes(&database).await;
    for (number, oddity) in ODD.iter().enumerate() {
        database.run(&format!("UPDATE {table} SET {oddity} WHERE owner = '{odd}'")).await;
        let fresh = another(&world);
        for error in [fresh.access_token(&odd).await, fresh.refresh(&odd).await, fresh.retry_uncertain(&odd).await] {
            let error = error.unwrap_err();
            let is_said = matches!(error, CredentialsError::Defect(_) | CredentialsError::Open { .. });
            assert!(is_said, "{oddity}: {error:?}");
            assert!(!error.to_string().contains("in the clear"), "{error}");
        }
        assert_eq!(spent(&world), (number as u64, 0), "{oddity}: nothing of it is sent");
        let listed = fresh.list(&CredentialListRequest::new(CredentialFilter::default(), 10)).await.unwrap();
        assert_eq!(listed.len(), 2, "{oddity}: lists go on");
        let report = fresh.reseal(|_| ()).await.unwrap();
        assert!(report.failed.iter().all(|(owner, _)| *owner == odd), "{oddity}: {report:?}");
        let due = fresh.refresh_expiring(world.now()).await.unwrap();
        assert!(due.failed.iter().all(|(owner, _)| *owner == odd), "{oddity}: {due:?}");
        assert_eq!((due.refreshed, spent(&world)), (1, (number as u64 + 1, 0)), "{oddity}: the other one is refreshed");
        assert!(is_live(&world, &another(&world), &sound).await, "{oddity}");

        // A new session makes it good, whatever stood there.
        fresh.wipe(&odd).await.unwrap();
        world.sign_in(odd.as_str()).await;
        world.clock.pass(3_600);
    }
}

async fn a_lease_of_the_year_2099_keeps_nobody_away(database: Database) {
    let (world, [leased, sent]) = expired(&database).await;
    let table = database.own_table("credentials");
    let until = database.dialect("timestamp '2099-01-01'", "'2099-01-01 00:00:00'");
    database.run(&format!("UPDATE {table} SET lease_until = {until} WHERE owner = '{leased}'")).await;
    assert!(is_live(&world, &another(&world), &leased).await);
    let mark = format!(
        "UPDATE {table} SET state = 'sent', state_since = lease_until, lease_until = {until} WHERE owner = '{sent}'"
    );
    database.run(&mark).await;
    let error = another(&world).access_token(&sent).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Uncertain { .. }), "{error:?}");
    assert_eq!(spent(&world), (1, 0), "what was sent is not sent again by itself");
    assert!(another(&world).retry_uncertain(&sent).await.is_ok(), "somebody decides");
    assert_eq!(spent(&world), (2, 0));
}
