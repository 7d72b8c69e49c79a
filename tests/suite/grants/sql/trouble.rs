//! Trouble on either engine: what the database suppresses is said, odd rows harm only themselves, lost tables are noticed,
//! and calls that are given up leave nothing behind.

use std::time::Duration;

use keyward::broker::{GrantRevocationReason, decide_access};
use keyward::sql::BrokerTables;
use keyward::store::StoreError;
use keyward::store::grants::{
    ExchangeRequest, GrantFilter, GrantStore as _, RedeemRequest, RevokeGrantRequest, RevokeGrantsRequest,
    RevokeTokenRequest, TokenKind, UpstreamRequest,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{
    CLIENT, at, client, digest, exchange, grant, id, issued, migrated, new_code, on_both_engines, open, sealed, tokens,
};
use crate::support::Database;
use crate::support::concurrency::{Abandon, abandon};

on_both_engines![
    t14_a_change_that_a_trigger_keeps_from_happening_is_an_error_and_nothing_of_it_stays,
    t15_an_odd_row_harms_only_itself,
    t9_a_lost_table_is_said_and_made_again,
    t10_tables_of_a_newer_version_are_refused,
    t4_calls_that_are_given_up_leave_nothing_behind,
];

/// A trigger that keeps rows as they are, in each of the ways that the engine has.
fn triggers(database: &Database, table: &str, event: &str) -> Vec<(String, String)> {
    if database.is_postgres() {
        let ways: &[&str] = if event == "UPDATE" { &["NULL", "OLD"] } else { &["NULL"] };
        let trigger = |keeps: &&str| {
            format!(
                "CREATE OR REPLACE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN {keeps}; END';
                 CREATE TRIGGER keep BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION public.keep()"
            )
        };
        return ways.iter().map(|keeps| (trigger(keeps), format!("DROP TRIGGER keep ON {table}"))).collect();
    }
    let trigger = format!("CREATE TRIGGER keep BEFORE {event} ON {table} BEGIN SELECT RAISE(IGNORE); END");
    vec![(trigger, "DROP TRIGGER keep".to_owned())]
}

async fn t14_a_change_that_a_trigger_keeps_from_happening_is_an_error_and_nothing_of_it_stays(database: Database) {
    let store = migrated(&database).await;
    let of = issued(&store, "g", "42").await;
    let pending = grant("p", CLIENT, "42");
    store.add_code(&new_code(pending.clone())).await.unwrap();
    let redeem = RedeemRequest::new(digest("code-p"), tokens(&pending, "p", 1));
    let own = |name: &str| database.own_table(name);
    let host = |name: &str| name.to_owned();
    let is_suppressed = |outcome: Result<bool, StoreError>, what: &str| {
        assert!(matches!(outcome, Err(StoreError::Suppressed { .. })), "{what}: {outcome:?}");
    };
    for (table, event) in [
        (own("grant_codes"), "UPDATE"),
        (host("auth_codes"), "UPDATE"),
        (host("access_tokens"), "INSERT"),
        (host("refresh_tokens"), "INSERT"),
        (own("grant_access_tokens"), "INSERT"),
        (own("grant_refresh_tokens"), "INSERT"),
    ] {
        for (trigger, dropped) in triggers(&database, &table, event) {
            database.run(&trigger).await;
            is_suppressed(store.redeem(&redeem).await, &trigger);
            database.run(&dropped).await;
            assert_eq!(store.code(&digest("code-p")).await.unwrap().unwrap().spent_at, None, "{trigger}");
            assert!(store.access_token(&digest("access-p")).await.unwrap().is_none(), "{trigger}");
        }
    }
    for (table, event) in [
        (own("grant_refresh_tokens"), "UPDATE"),
        (host("refresh_tokens"), "UPDATE"),
        (host("access_tokens"), "UPDATE"),
        (host("access_tokens"), "INSERT"),
    ] {
        for (trigger, dropped) in triggers(&database, &table, event) {
            database.run(&trigger).await;
            is_suppressed(store.exchange(&exchange(&of, "g", "g-2", 2)).await, &trigger);
            database.run(&dropped).await;
            assert_eq!(store.refresh_token(&digest("refresh-g")).await.unwrap().unwrap().spent_at, None, "{trigger}");
        }
    }
    let everything = RevokeGrantsRequest::new(GrantFilter::default(), GrantRevocationReason::Revoked, at(3), 10);
    for table in [own("grants"), host("refresh_tokens"), host("access_tokens")] {
        for (trigger, dropped) in triggers(&database, &table, "UPDATE") {
            let live = "UPDATE access_tokens SET revoked_at = NULL; UPDATE refresh_tokens SET revoked_at = NULL";
            database.run(live).await;
            database.run(&trigger).await;
            let request = RevokeGrantRequest::new(of.id.clone(), GrantRevocationReason::Revoked, at(3));
            is_suppressed(store.revoke_grant(&request).await, &trigger);
            assert!(store.revoke_grants(&everything).await.is_err(), "{trigger}");
            if table == "access_tokens" {
                let request = RevokeTokenRequest::new(TokenKind::Access, digest("access-g"), at(3));
                is_suppressed(store.revoke_token(&request).await, &trigger);
            }
            database.run(&dropped).await;
        }
    }
    for (trigger, dropped) in triggers(&database, &own("grants"), "UPDATE") {
        database.run(&trigger).await;
        let new = keyward::broker::StoredUpstreamTokens::new(sealed("new"), at(9));
        is_suppressed(store.replace_upstream(&UpstreamRequest::new(of.id.clone(), 0, new)).await, &trigger);
        database.run(&dropped).await;
    }
    for (trigger, dropped) in triggers(&database, "clients", "DELETE") {
        database.run(&trigger).await;
        is_suppressed(store.remove_client(&id(CLIENT), at(4)).await, &trigger);
        database.run(&dropped).await;
    }
    for (trigger, dropped) in triggers(&database, "clients", "UPDATE") {
        database.run(&trigger).await;
        let mut says = store.client(&id(CLIENT)).await.unwrap().unwrap();
        says.name = Some("Another".to_owned());
        is_suppressed(store.update_client(&says).await, &trigger);
        assert_eq!(store.client(&id(CLIENT)).await.unwrap().unwrap().name, None, "{trigger}");
        database.run(&dropped).await;
    }
    for (trigger, dropped) in triggers(&database, "clients", "INSERT") {
        database.run(&trigger).await;
        is_suppressed(store.register(&client("other")).await.map(|()| true), &trigger);
        database.run(&dropped).await;
    }
}

async fn t15_an_odd_row_harms_only_itself(database: Database) {
    let store = migrated(&database).await;
    let odd = issued(&store, "odd", "42").await;
    issued(&store, "sound", "42").await;
    let own = |name: &str| database.own_table(name);
    for (table, column, value) in [
        (own("grants"), "upstream_refresh_token", "'keyward.1.first.AAAA'"),
        (own("grants"), "upstream_access_token", "'keyward.2.first.AAAA'"),
        (own("grants"), "client_id", "'somebody else'"),
    ] {
        let key = "id = 'odd'";
        let before = database.text(&format!("SELECT {column} FROM {table} WHERE {key}")).await.unwrap();
        database.run(&format!("UPDATE {table} SET {column} = {value} WHERE {key}")).await;
        let found = store.access_token(&digest("access-odd")).await.unwrap();
        assert!(decide_access(found.clone(), None, at(2)).is_err(), "{column} = {value}");
        let record = found.unwrap();
        let defect = record.defect.or_else(|| record.grant.and_then(|grant| grant.defect)).unwrap();
        assert!(!defect.to_string().contains("AAAA"), "{defect}");
        assert!(store.refresh_token(&digest("refresh-odd")).await.unwrap().is_some());
        assert!(decide_access(store.access_token(&digest("access-sound")).await.unwrap(), None, at(2)).is_ok());
        assert_eq!(
            store
                .grants(&keyward::store::grants::GrantListRequest::new(GrantFilter::default(), 9))
                .await
                .unwrap()
                .len(),
            2
        );
        database.run(&format!("UPDATE {table} SET {column} = '{before}' WHERE {key}")).await;
    }
    // An answer that cannot be understood is not given again, and the token is not exchanged.
    database.run(&format!("UPDATE {} SET response = 'x', response_until = 1", own("grant_refresh_tokens"))).await;
    assert!(store.refresh_token(&digest("refresh-odd")).await.unwrap().unwrap().defect.is_some());
    // A reason that nobody knows revokes as well.
    let request = RevokeGrantRequest::new(odd.id, GrantRevocationReason::Revoked, at(3));
    assert!(store.revoke_grant(&request).await.unwrap());
    database.run(&format!("UPDATE {} SET revoked_reason = 'whatever' WHERE id = 'odd'", own("grants"))).await;
    assert!(decide_access(store.access_token(&digest("access-odd")).await.unwrap(), None, at(4)).is_err());
}

async fn t9_a_lost_table_is_said_and_made_again(database: Database) {
    let store = migrated(&database).await;
    let of = issued(&store, "g", "42").await;
    let request = RevokeGrantRequest::new(of.id, GrantRevocationReason::Revoked, at(3));
    assert!(store.revoke_grant(&request).await.unwrap());
    for table in ["grant_access_tokens", "grant_refresh_tokens", "grant_codes"] {
        let table = database.own_table(table);
        database.run(&format!("DROP TABLE {table}")).await;
        let said = store.check().await.unwrap();
        assert!(said.iter().any(|one| one.object == table && one.breaking), "{said:?}");
    }
    assert!(store.access_token(&digest("access-g")).await.is_err());
    let again = open(&database, BrokerTables::new()).await;
    assert_eq!(again.migrate(at(4)).await.unwrap().len(), 1);
    assert_eq!(again.check().await.unwrap(), []);
    // The host's rows say it too, so that what was revoked is revoked.
    assert!(decide_access(store.access_token(&digest("access-g")).await.unwrap(), None, at(4)).is_err());
    let refresh = store.refresh_token(&digest("refresh-g")).await.unwrap().unwrap();
    assert!(refresh.revoked_at.is_some());
}

async fn t10_tables_of_a_newer_version_are_refused(database: Database) {
    let store = migrated(&database).await;
    let ledger = database.own_table("migrations");
    database
        .run(&format!(
            "INSERT INTO {ledger} (schema, version, name, checksum, applied_at)
             SELECT schema, 99, name, checksum, applied_at FROM {ledger} WHERE schema = 'broker' AND version = 5"
        ))
        .await;
    let refused = keyward::sql::SqlGrantStore::open(database.engine().await, BrokerTables::new()).await;
    assert!(matches!(refused, Err(StoreError::Unfit(keyward::store::Unfit::Newer { found: 99, .. }))), "{refused:?}");
    assert!(store.migrate(at(1)).await.is_err());
    assert!(store.check().await.unwrap().iter().any(|one| one.breaking));
}

const CALLS: u32 = 1_000;

async fn t4_calls_that_are_given_up_leave_nothing_behind(database: Database) {
    let store = migrated(&database).await;
    let mut random = StdRng::seed_from_u64(4);
    let of = issued(&store, "g", "42").await;
    let (mut newest, mut names, mut tried) = ("g".to_owned(), 0, Vec::new());
    for call in 0..CALLS {
        let polls = random.random_range(1..24);
        let when = if random.random() { Abandon::After(polls) } else { Abandon::BeforeNextThan(polls) };
        names += 1;
        let next = format!("n{names}");
        match call % 5 {
            0 => drop(abandon(store.access_token(&digest("access-g")), when).await),
            1 => drop(abandon(store.add_code(&new_code(grant(&next, CLIENT, "42"))), when).await),
            2 => {
                let request: ExchangeRequest = exchange(&of, &newest, &next, 2);
                drop(abandon(store.exchange(&request), when).await);
                // It has happened as a whole, or not at all.
                let old = store.refresh_token(&digest(&format!("refresh-{newest}"))).await.unwrap().unwrap();
                tried.push(next);
                if old.spent_at.is_some() {
                    let mut made = Vec::new();
                    for name in tried.drain(..) {
                        let new = store.refresh_token(&digest(&format!("refresh-{name}"))).await.unwrap();
                        let access = store.access_token(&digest(&format!("access-{name}"))).await.unwrap();
                        assert_eq!(new.is_some(), access.is_some(), "half of an exchange");
                        made.extend(new.map(|_| name));
                    }
                    assert_eq!(made.len(), 1, "{made:?}");
                    newest = made.remove(0);
                }
            }
            3 => {
                let filter = GrantFilter::of_client(id("nobody"));
                let request = RevokeGrantsRequest::new(filter, GrantRevocationReason::Revoked, at(3), 10);
                drop(abandon(store.revoke_grants(&request), when).await);
            }
            _ => drop(abandon(store.note_first_use(&digest("access-g"), at(3)), when).await),
        }
    }
    if database.is_postgres() {
        let busy = "SELECT count(*)::text FROM pg_stat_activity a WHERE datname = current_database()
            AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'";
        let began = tokio::time::Instant::now();
        while database.text(busy).await.as_deref() != Some("0") {
            assert!(began.elapsed() < Duration::from_secs(30), "a transaction is still open");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    database.run("UPDATE clients SET last_used = 9").await;
    let request = RevokeGrantsRequest::new(GrantFilter::default(), GrantRevocationReason::Revoked, at(3), 100_000);
    assert!(store.revoke_grants(&request).await.unwrap() > 0);
}
