//! One code, one refresh token, many at once: one wins.

use std::sync::Arc;

use keyward::broker::GrantEnd;
use keyward::sql::BrokerTables;
use keyward::store::grants::{GrantStore as _, RedeemRequest, RevokeGrantRequest};

use super::{CLIENT, at, digest, exchange, grant, issued, migrated, new_code, on_both_engines, open, tokens};
use crate::support::Database;
use crate::support::concurrency::race;

on_both_engines![
    of_many_that_redeem_a_code_one_wins,
    of_many_that_exchange_a_refresh_token_one_wins,
    no_token_is_left_of_a_grant_that_is_revoked_while_it_is_exchanged,
];

const MANY: usize = 64;

async fn of_many_that_redeem_a_code_one_wins(database: Database) {
    let store = migrated(&database).await;
    let of = grant("g", CLIENT, "42");
    store.add_code(&new_code(of.clone())).await.unwrap();
    let stores = [store.clone(), open(&database, BrokerTables::new()).await];
    let racers = (0..MANY).map(|racer| {
        let (store, of) = (stores[racer % 2].clone(), of.clone());
        move || async move {
            let request = RedeemRequest::new(digest("code-g"), tokens(&of, &format!("g-{racer}"), 1));
            store.redeem(&request).await.unwrap()
        }
    });
    let won = race(racers).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    for (racer, won) in won.into_iter().enumerate() {
        let access = store.access_token(&digest(&format!("access-g-{racer}"))).await.unwrap();
        let refresh = store.refresh_token(&digest(&format!("refresh-g-{racer}"))).await.unwrap();
        assert_eq!((access.is_some(), refresh.is_some()), (won, won));
    }
}

async fn of_many_that_exchange_a_refresh_token_one_wins(database: Database) {
    let store = migrated(&database).await;
    let of = issued(&store, "g", "42").await;
    let stores = [store.clone(), open(&database, BrokerTables::new()).await];
    let racers = (0..MANY).map(|racer| {
        let (store, of) = (stores[racer % 2].clone(), of.clone());
        move || async move { store.exchange(&exchange(&of, "g", &format!("g-{racer}"), 2)).await.unwrap() }
    });
    let won = race(racers).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    for (racer, won) in won.into_iter().enumerate() {
        assert_eq!(store.access_token(&digest(&format!("access-g-{racer}"))).await.unwrap().is_some(), won);
    }
}

async fn no_token_is_left_of_a_grant_that_is_revoked_while_it_is_exchanged(database: Database) {
    let store = migrated(&database).await;
    for round in 0..12 {
        let name = format!("g{round}");
        let of = Arc::new(issued(&store, &name, "42").await);
        let racers = (0..4).map(|racer| {
            let (store, of, name) = (store.clone(), Arc::clone(&of), name.clone());
            move || async move {
                if racer == 0 {
                    let request = RevokeGrantRequest::new(of.id.clone(), GrantEnd::Revoked, at(2));
                    assert!(store.revoke_grant(&request).await.unwrap());
                } else {
                    let _won = store.exchange(&exchange(&of, &name, &format!("{name}-{racer}"), 2)).await.unwrap();
                }
            }
        });
        race(racers).await;
    }
    let live = |table: &str| format!("SELECT CAST(count(*) AS text) FROM {table} WHERE revoked_at IS NULL");
    for table in ["access_tokens", "refresh_tokens"] {
        assert_eq!(database.text(&live(table)).await.as_deref(), Some("0"), "{table}");
    }
}
