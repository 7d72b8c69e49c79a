//! Rows of the schema `scraper` in tables of a host's own making, where SQLite keeps a value of any type in any column.

use keyward::key::{Metadata, RefusalReason};

use super::{Fixture, HOUR, KEY, KEY_HASH, accepted, acme, draft, only_key, refused, unusable};

/// A table as somebody may have made it by hand, with one good row.
async fn loose_table() -> Fixture {
    let fixture = Fixture::sqlite().await;
    let table = format!(
        "DROP TABLE api_keys;
         CREATE TABLE api_keys (id TEXT PRIMARY KEY, key_hash UNIQUE, key_prefix, name, client_id, scopes,
             rate_limit_rpm, is_active, created_at, last_used_at, expires_at, metadata);
         INSERT INTO api_keys VALUES ('0f9619ff-8b86-4011-b42d-00c04fc964ff', '{KEY_HASH}', 'riq_abc1',
             'Production', 'acme', '[]', 60, 1, '2029-01-01 00:00:00', NULL, NULL, NULL)"
    );
    fixture.database().run(&table).await;
    accepted(&fixture.keys).await;
    fixture
}

/// Every odd value, the column that holds it, and why its key is refused.
const ODD: &[(&str, &str, RefusalReason)] = &[
    ("expires_at", "'soon'", unusable("expires_at")),
    ("expires_at", "''", unusable("expires_at")),
    ("expires_at", "'2031-13-01 00:00:00'", unusable("expires_at")),
    ("expires_at", "4102444800", unusable("expires_at")),
    ("expires_at", "2462502.5", unusable("expires_at")),
    ("expires_at", "x'323033312d30312d3031'", unusable("expires_at")),
    ("created_at", "'once'", unusable("created_at")),
    ("created_at", "0", unusable("created_at")),
    ("last_used_at", "'yesterday'", unusable("last_used_at")),
    ("last_used_at", "1.5", unusable("last_used_at")),
    ("is_active", "'true'", RefusalReason::Disabled),
    ("is_active", "'1'", RefusalReason::Disabled),
    ("is_active", "1.0", RefusalReason::Disabled),
    ("is_active", "2", RefusalReason::Disabled),
    ("is_active", "-1", RefusalReason::Disabled),
    ("is_active", "x'01'", RefusalReason::Disabled),
    ("scopes", "'jobs:read'", unusable("scopes")),
    ("scopes", "'{\"jobs:read\": true}'", unusable("scopes")),
    ("scopes", "'[1]'", unusable("scopes")),
    ("scopes", "'[[\"admin\"]]'", unusable("scopes")),
    ("scopes", "'[\"admin\"'", unusable("scopes")),
    ("scopes", "''", unusable("scopes")),
    ("scopes", "1", unusable("scopes")),
    ("scopes", "x'5b5d'", unusable("scopes")),
    ("rate_limit_rpm", "'60'", unusable("rate_limit_rpm")),
    ("rate_limit_rpm", "60.5", unusable("rate_limit_rpm")),
    ("rate_limit_rpm", "9999999999", unusable("rate_limit_rpm")),
    ("rate_limit_rpm", "x'3c'", unusable("rate_limit_rpm")),
    ("name", "NULL", unusable("name")),
    ("name", "7", unusable("name")),
    ("name", "CAST(x'ff' AS TEXT)", unusable("name")),
    ("key_prefix", "NULL", unusable("key_prefix")),
    ("client_id", "NULL", unusable("client_id")),
    ("client_id", "x'61636d65'", unusable("client_id")),
    ("id", "NULL", unusable("id")),
    ("key_hash", "x'00'", RefusalReason::Unknown),
    ("key_hash", "NULL", RefusalReason::Unknown),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_odd_value_is_refused_under_the_name_of_its_column() {
    let fixture = loose_table().await;
    for (column, value, reason) in ODD {
        fixture.database().run(&format!("UPDATE api_keys SET {column} = {value}")).await;
        let refusal = fixture.keys.verify(KEY).await.err().map(|refusal| refusal.reason());
        assert_eq!(refusal, Some(*reason), "{column} = {value}");
        fixture.database().run("DELETE FROM api_keys").await;
        let again = format!(
            "INSERT INTO api_keys VALUES ('0f9619ff-8b86-4011-b42d-00c04fc964ff', '{KEY_HASH}', 'riq_abc1',
                 'Production', 'acme', '[]', 60, 1, '2029-01-01 00:00:00', NULL, NULL, NULL)"
        );
        fixture.database().run(&again).await;
        accepted(&fixture.keys).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_rows_stand_in_a_list_beside_the_others_and_on_one_page_each() {
    let fixture = loose_table().await;
    let listed = || ODD.iter().enumerate().filter(|(_, (column, ..))| !matches!(*column, "client_id" | "id"));
    for (number, (column, value, _)) in listed() {
        let row = format!(
            "INSERT INTO api_keys SELECT '0f9619ff-8b86-4011-b42d-{number:012x}', 'hash {number}', key_prefix, name,
                 client_id, scopes, rate_limit_rpm, is_active, created_at, last_used_at, expires_at, metadata
             FROM api_keys WHERE key_hash = '{KEY_HASH}';
             UPDATE api_keys SET {column} = {value} WHERE key_hash = 'hash {number}'"
        );
        fixture.database().run(&row).await;
    }
    let all = fixture.keys.of(&acme()).list(1000, None).await.unwrap().keys;
    assert_eq!(all.len(), listed().count() + 1);
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = fixture.keys.of(&acme()).list(3, after.as_ref()).await.unwrap();
        paged.extend(page.keys);
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(paged, all);
    accepted(&fixture.keys).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_row_hinders_nobody_who_issues_or_revokes() {
    let fixture = loose_table().await;
    fixture.database().run("UPDATE api_keys SET expires_at = 'soon', scopes = 1").await;
    let issued = fixture.keys.issue(draft()).await.unwrap();
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
    let rotated = fixture.keys.rotate(&issued.record.head.id, HOUR, None).await.unwrap();
    assert_eq!(fixture.keys.revoke_all(&acme(), None).await.unwrap().count, 3);
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Revoked);
    fixture.keys.verify(rotated.successor.secret.expose_secret()).await.unwrap_err();
}

/// People and SQLite's own functions write an instant in several forms; a rotation has to recognise what it read.
#[tokio::test(flavor = "multi_thread")]
async fn an_expiry_in_any_form_is_read_and_a_rotation_recognises_it() {
    for (written, meant) in [
        ("2030-06-01", "2030-06-01T00:00:00Z"),
        ("2030-06-01 12:30", "2030-06-01T12:30:00Z"),
        ("2030-06-01 12:30:15", "2030-06-01T12:30:15Z"),
        ("2030-06-01T12:30:15Z", "2030-06-01T12:30:15Z"),
        ("2030-06-01 12:30:15.250", "2030-06-01T12:30:15.25Z"),
        ("2030-06-01T12:30:15.123456789Z", "2030-06-01T12:30:15.123456Z"),
        ("2030-06-01 12:30:15+02:00", "2030-06-01T10:30:15Z"),
    ] {
        let fixture = loose_table().await;
        fixture.database().run(&format!("UPDATE api_keys SET expires_at = '{written}'")).await;
        let key = accepted(&fixture.keys).await;
        assert_eq!(key.head.expires_at, Some(meant.parse().unwrap()), "{written}");
        let rotated = fixture.keys.rotate(&key.head.id, HOUR, None).await;
        assert!(rotated.is_ok(), "{written}: {rotated:?}");
        fixture.clock.advance(HOUR);
        assert_eq!(refused(&fixture.keys).await, RefusalReason::Expired);
        assert_eq!(count(&fixture).await, 2);
    }
}

async fn count(fixture: &Fixture) -> usize {
    fixture.keys.of(&acme()).list(10, None).await.unwrap().keys.len()
}

/// Metadata is a text that nobody reads on the way.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_is_no_json_is_handed_out_as_it_is() {
    let fixture = loose_table().await;
    for text in ["{", "", " no JSON "] {
        fixture.database().run(&format!("UPDATE api_keys SET metadata = '{text}'")).await;
        assert_eq!(accepted(&fixture.keys).await.details.metadata, Some(Metadata::new(text).unwrap()));
    }
}

/// The checks of our own table keep such values out from the start.
#[tokio::test(flavor = "multi_thread")]
async fn our_own_table_refuses_what_postgresql_would() {
    let fixture = Fixture::sqlite().await;
    super::write_row(&fixture, "", "").await;
    for (column, value) in [
        ("key_hash", "key_hash || '0'"),
        ("key_prefix", "'riq_abc12'"),
        ("name", "NULL"),
        ("name", "replace(hex(zeroblob(128)), '00', 'xx')"),
        ("client_id", "NULL"),
        ("scopes", "'{}'"),
        ("scopes", "'jobs:read'"),
        ("rate_limit_rpm", "'many'"),
        ("rate_limit_rpm", "1.5"),
        ("is_active", "'yes'"),
        ("is_active", "2"),
        ("metadata", "'{'"),
        ("id", "NULL"),
    ] {
        let update = format!("UPDATE api_keys SET {column} = {value}");
        let refused = fixture.database().try_run(&update).await;
        assert!(refused.is_err(), "{update}");
    }
    assert_eq!(only_key(&fixture.keys).await.head.defect, None);
}
