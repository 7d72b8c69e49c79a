//! What the service gets wrong on its own rows, and keyward does not: a NULL that means "everything", keys that are
//! known by too few characters, a write for each request.

use std::time::Duration;

use keyward::key::{RateLimit, RefusalReason, Scope, Scopes, Status};
use keyward::schemas::scraper::Scraper;

use super::{Fixture, OTHER_KEY, OTHER_KEY_HASH, accepted, acme, draft, only_key, refused, unusable, write_row};
use crate::support::{START, over};

over![every_database of Scraper:
    a_null_flag_disables_the_key_and_a_revocation_of_all_reaches_it,
    null_scopes_permit_nothing_and_a_null_among_them_is_no_scope,
    a_null_rate_limit_is_the_services_default,
    a_rate_limit_of_zero_or_less_is_refused,
    the_display_prefix_is_exactly_what_the_column_holds,
    keys_with_one_display_prefix_are_different_keys,
    many_uses_of_a_key_are_one_write,
    the_database_alone_gives_no_key_away,
];

async fn a_null_flag_disables_the_key_and_a_revocation_of_all_reaches_it(fixture: Fixture) {
    write_row(&fixture, ", is_active", ", NULL").await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Disabled);
    assert!(matches!(only_key(&fixture.keys).await.head.status, Status::Disabled(_)));
    // `NOT is_active` does not find such a key, so a sweep by the flag would leave it alone.
    assert_eq!(fixture.keys.revoke_all(&acme(), None).await.unwrap().count, 1);
    let flag = fixture.database().text("SELECT CAST(is_active AS text) FROM api_keys").await;
    assert_eq!(flag.as_deref(), Some(fixture.database().dialect("false", "0")));
}

async fn null_scopes_permit_nothing_and_a_null_among_them_is_no_scope(fixture: Fixture) {
    write_row(&fixture, ", scopes", ", NULL").await;
    assert!(accepted(&fixture.keys).await.details.scopes.is_empty());
    let sparse = fixture.database().dialect("ARRAY[NULL, 'jobs:read', NULL]", "'[null, \"jobs:read\", null]'");
    fixture.database().run(&format!("UPDATE api_keys SET scopes = {sparse}")).await;
    let held: Scopes = [Scope::new("jobs:read").unwrap()].into_iter().collect();
    assert_eq!(accepted(&fixture.keys).await.details.scopes, held);
}

async fn a_null_rate_limit_is_the_services_default(fixture: Fixture) {
    write_row(&fixture, ", rate_limit_rpm", ", NULL").await;
    assert_eq!(accepted(&fixture.keys).await.details.rate_limit, RateLimit::ServiceDefault);
    let issued = fixture.keys.issue(draft().default_rate_limit()).await.unwrap();
    let id = &issued.record.head.id;
    let query = format!("SELECT CAST(rate_limit_rpm AS text) FROM api_keys WHERE id = '{id}'");
    assert_eq!(fixture.database().text(&query).await, None);
}

async fn a_rate_limit_of_zero_or_less_is_refused(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    for limit in [0, -5, i32::MIN] {
        fixture.database().run(&format!("UPDATE api_keys SET rate_limit_rpm = {limit}")).await;
        assert_eq!(refused(&fixture.keys).await, unusable("rate_limit_rpm"), "{limit}");
        assert_eq!(only_key(&fixture.keys).await.details.rate_limit, RateLimit::DenyAll);
    }
    fixture.database().run("UPDATE api_keys SET rate_limit_rpm = 2147483647").await;
    accepted(&fixture.keys).await;
}

async fn the_display_prefix_is_exactly_what_the_column_holds(fixture: Fixture) {
    let issued = fixture.keys.issue(draft()).await.unwrap();
    let stored = fixture.database().text("SELECT key_prefix FROM api_keys").await.unwrap();
    assert_eq!(stored, issued.secret.expose_secret()[..8]);
    assert_eq!(issued.record.head.prefix.as_str(), stored);
    let longer = "UPDATE api_keys SET key_prefix = key_prefix || 'x'";
    fixture.database().try_run(longer).await.unwrap_err();
}

async fn keys_with_one_display_prefix_are_different_keys(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let values = format!("('{OTHER_KEY_HASH}', 'riq_abc1', 'Twin', 'other')");
    let insert = format!("INSERT INTO api_keys (key_hash, key_prefix, name, client_id) VALUES {values}");
    fixture.database().run(&insert).await;
    assert_eq!(accepted(&fixture.keys).await.head.owner, acme());
    let other = fixture.keys.verify(OTHER_KEY).await.unwrap();
    assert_eq!(other.owner().as_str(), "other");
    fixture.keys.revoke(&other.head().id, None).await.unwrap();
    fixture.keys.verify(OTHER_KEY).await.unwrap_err();
    accepted(&fixture.keys).await;
}

async fn many_uses_of_a_key_are_one_write(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    for _ in 0..100 {
        accepted(&fixture.keys).await;
        fixture.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(only_key(&fixture.keys).await.head.last_used_at, None, "nothing is written on the way");
    assert_eq!(fixture.keys.flush_last_used().await.unwrap(), 1);
    let last = START.saturating_add(Duration::from_millis(99));
    assert_eq!(only_key(&fixture.keys).await.head.last_used_at, Some(last));
    assert_eq!(fixture.keys.flush_last_used().await.unwrap(), 0);
}

async fn the_database_alone_gives_no_key_away(fixture: Fixture) {
    let issued = fixture.keys.issue(draft()).await.unwrap();
    let key = issued.secret.expose_secret();
    let row = fixture.database().dialect(
        "SELECT api_keys::text FROM api_keys",
        "SELECT concat_ws(',', id, key_hash, key_prefix, name, client_id, scopes, metadata) FROM api_keys",
    );
    let row = fixture.database().text(row).await.unwrap();
    assert!(row.contains(&key[..8]), "{row}");
    for start in 1..=key.len() - 8 {
        assert!(!row.contains(&key[start..start + 8]), "more than the display prefix is stored: {row}");
    }
    // What is not shown carries 256 bits less the four characters that are: 39 of 64 symbols each.
    let hidden = &key[8..];
    assert_eq!(hidden.len(), 39);
    assert!(hidden.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'));
}
