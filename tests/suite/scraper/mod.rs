//! Rows of system C that other programs write and read, odd ones too, and the faults of the system that keyward mends.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::time::Duration;

use keyward::key::{Defect, KeyId, KeyRecord, OwnerId, Refusal, RefusalReason, RevocationReason, Status};
use keyward::scraper::{DEFAULT_REQUESTS_PER_MINUTE, RateLimit, Scope, ScraperDetails};
use keyward::service::Revoked;
use keyward::{Keys, Timestamp};
use serde_json::json;

use crate::support::{Fixture, START, Store, draft, over_every_database, over_every_engine};

/// A key that the system issued itself, and `printf %s riq_abc123xyz | sha256sum`.
const KEY: &str = "riq_abc123xyz";
const KEY_HASH: &str = "9bc1b884d7ad56a2e9b811b20d8fedec4dbf83bcba0273172437242711e7f38c";

/// A shorter one with the same first eight characters, and `printf %s riq_abc1 | sha256sum`.
const OTHER_KEY: &str = "riq_abc1";
const OTHER_KEY_HASH: &str = "6ff1af58760513f26c199608364ab73ac2c9ae49046d4b989dee0cde3bec0db0";

const HOUR: Duration = Duration::from_hours(1);

type Record = KeyRecord<ScraperDetails>;

fn acme() -> OwnerId {
    OwnerId::new("acme").unwrap()
}

/// Writes the row of [`KEY`] as the system does: the columns that have to be there, and `columns` with `values`.
async fn write_row(fixture: &Fixture, columns: &str, values: &str) {
    let insert = format!(
        "INSERT INTO api_keys (key_hash, key_prefix, name, client_id{columns})
         VALUES ('{KEY_HASH}', 'riq_abc1', 'Production', 'acme'{values})"
    );
    fixture.database.run(&insert).await;
}

async fn accepted(keys: &Keys<Store>) -> Record {
    keys.verify(KEY).await.unwrap().into_record()
}

async fn refused(keys: &Keys<Store>) -> RefusalReason {
    keys.verify(KEY).await.map_err(|refusal: Refusal| refusal.reason()).unwrap_err()
}

const fn unusable(column: &'static str) -> RefusalReason {
    RefusalReason::Unusable(Defect { table: "api_keys", column })
}

async fn only_key(keys: &Keys<Store>) -> Record {
    let page = keys.list(&acme(), 10, None).await.unwrap();
    let [key] = <[Record; 1]>::try_from(page.keys).unwrap();
    key
}

over_every_database![
    a_row_of_the_columns_that_have_to_be_there_is_accepted,
    a_row_of_all_columns_is_read_as_it_was_written,
    what_keyward_writes_is_what_the_system_reads,
    what_keyward_changes_is_what_the_system_reads,
    a_key_that_the_system_issued_is_rotated_and_revoked_like_any_other,
    a_digest_in_capitals_belongs_to_no_key,
    a_digest_that_was_cut_belongs_to_no_key,
    fault_c1_a_null_flag_is_inactive,
    fault_c4_null_scopes_permit_nothing_and_a_null_among_them_is_no_scope,
    fault_c4_a_null_rate_limit_is_the_systems_default,
    fault_c4_a_rate_limit_of_zero_or_less_is_refused,
    fault_c5_the_display_prefix_is_exactly_what_the_column_holds,
    fault_c5_keys_are_told_apart_by_more_than_their_display_prefix,
    fault_c6_many_uses_of_a_key_are_one_write,
    fault_c10_the_database_alone_gives_no_key_away,
];

async fn a_row_of_the_columns_that_have_to_be_there_is_accepted(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let Record { head, details } = accepted(&fixture.keys).await;
    assert_eq!(head.owner, acme());
    assert_eq!(head.prefix.as_str(), "riq_abc1");
    assert_eq!(head.status, Status::Active);
    assert!(head.created_at.is_some(), "the column has a default");
    assert_eq!((head.expires_at, head.last_used_at), (None, None));
    let id = fixture.database.text("SELECT CAST(id AS text) FROM api_keys").await.unwrap();
    assert_eq!(head.id.as_str(), id, "the column has a default");
    assert_eq!(KeyId::new(id).unwrap(), head.id);
    assert_eq!((details.name.as_str(), details.metadata), ("Production", None));
    assert_eq!(details.scopes, []);
    assert_eq!(details.rate_limit, RateLimit::PerMinute(DEFAULT_REQUESTS_PER_MINUTE));
}

async fn a_row_of_all_columns_is_read_as_it_was_written(fixture: Fixture) {
    let scopes = fixture.database.dialect("ARRAY['jobs:read', 'admin']", "'[\"jobs:read\", \"admin\"]'");
    let values = format!(
        ", '0f9619ff-8b86-4011-b42d-00c04fc964ff', {scopes}, 7, true, '2029-12-31 23:59:59.5', '2029-06-01 00:00:00',
         '2031-01-01', '{{\"ips\": [\"10.0.0.1\"]}}'"
    );
    let columns = ", id, scopes, rate_limit_rpm, is_active, created_at, last_used_at, expires_at, metadata";
    write_row(&fixture, columns, &values).await;
    let Record { head, details } = accepted(&fixture.keys).await;
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    assert_eq!(head.id.as_str(), "0f9619ff-8b86-4011-b42d-00c04fc964ff");
    assert_eq!(head.created_at, at("2029-12-31T23:59:59.5Z"));
    assert_eq!(head.last_used_at, at("2029-06-01T00:00:00Z"));
    assert_eq!(head.expires_at, at("2031-01-01T00:00:00Z"));
    assert_eq!(details.scopes, [Scope::new("jobs:read").unwrap(), Scope::new("admin").unwrap()]);
    assert_eq!(details.rate_limit.requests_per_minute(DEFAULT_REQUESTS_PER_MINUTE), 7);
    assert_eq!(details.metadata, Some(json!({ "ips": ["10.0.0.1"] })));
}

async fn what_keyward_writes_is_what_the_system_reads(fixture: Fixture) {
    let database = &fixture.database;
    let draft = draft().scope("admin").unwrap().expires_at(START.saturating_add(HOUR));
    let draft = draft.requests_per_minute(120).unwrap().metadata(json!({ "note": "it's \"ü\"" })).unwrap();
    let issued = fixture.keys.issue(draft.into()).await.unwrap();
    let key = issued.secret.expose_secret();

    let read = async |column: &str| {
        // As the system does: by the digest, and only what is active and has not expired.
        let live = "is_active = true AND (expires_at IS NULL OR expires_at > '2030-01-01 00:30:00')";
        let hash = sha256(key);
        let query = format!("SELECT CAST({column} AS text) FROM api_keys WHERE key_hash = '{hash}' AND {live}");
        database.text(&query).await.unwrap()
    };
    assert_eq!(read("id").await, issued.record.head.id.as_str());
    assert_eq!(read("key_hash").await, sha256(key));
    assert_eq!(read("key_prefix").await, key[..8]);
    assert_eq!(read("name").await, "nightly import");
    assert_eq!(read("client_id").await, "acme");
    assert_eq!(read("scopes").await, database.dialect("{jobs:read,admin}", "[\"jobs:read\",\"admin\"]"));
    assert_eq!(read("rate_limit_rpm").await, "120");
    assert_eq!(read("is_active").await, database.dialect("true", "1"));
    assert_eq!(read("created_at").await, "2030-01-01 00:00:00.123456");
    assert_eq!(read("expires_at").await, "2030-01-01 01:00:00.123456");
    assert_eq!(read("coalesce(CAST(last_used_at AS text), 'never')").await, "never");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&read("metadata").await).unwrap(),
        json!({ "note": "it's \"ü\"" })
    );
}

async fn what_keyward_changes_is_what_the_system_reads(fixture: Fixture) {
    write_row(&fixture, ", expires_at", ", '2030-01-05 00:00:00'").await;
    let read = async |column: &str| {
        let query = format!("SELECT CAST({column} AS text) FROM api_keys WHERE key_hash = '{KEY_HASH}'");
        fixture.database.text(&query).await.unwrap()
    };
    let id = accepted(&fixture.keys).await.head.id;
    assert_eq!(fixture.keys.flush_last_used().await.unwrap(), 1);
    assert_eq!(read("last_used_at").await, "2030-01-01 00:00:00.123456");
    fixture.keys.rotate(&id, HOUR, None).await.unwrap();
    assert_eq!(read("expires_at").await, "2030-01-01 01:00:00.123456");
    fixture.keys.revoke(&id, None).await.unwrap();
    assert_eq!(read("is_active").await, fixture.database.dialect("false", "0"));
}

async fn a_key_that_the_system_issued_is_rotated_and_revoked_like_any_other(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let keys = &fixture.keys;
    let id = accepted(keys).await.head.id;
    let rotated = keys.rotate(&id, HOUR, None).await.unwrap();
    accepted(keys).await;
    fixture.clock.advance(HOUR);
    assert_eq!(refused(keys).await, RefusalReason::Expired);
    let successor = keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    assert_eq!(successor.details().name.as_str(), "Production");
    assert_eq!(keys.revoke(&id, None).await.unwrap(), Revoked::Now(keys.now()));
    assert!(matches!(keys.revoke(&id, None).await.unwrap(), Revoked::Before(_)));
    assert!(matches!(refused(keys).await, RefusalReason::Revoked | RefusalReason::Inactive));
}

async fn a_digest_in_capitals_belongs_to_no_key(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    fixture.database.run("UPDATE api_keys SET key_hash = upper(key_hash)").await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Unknown);
    assert_eq!(only_key(&fixture.keys).await.head.digest, None);
}

async fn a_digest_that_was_cut_belongs_to_no_key(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    fixture.database.run("UPDATE api_keys SET key_hash = substr(key_hash, 1, 63)").await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Unknown);
    let listed = only_key(&fixture.keys).await;
    assert_eq!(listed.head.digest, None);
    assert!(matches!(fixture.keys.revoke(&listed.head.id, None).await.unwrap(), Revoked::Now(_)));
}

async fn fault_c1_a_null_flag_is_inactive(fixture: Fixture) {
    write_row(&fixture, ", is_active", ", NULL").await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Inactive);
    assert_eq!(only_key(&fixture.keys).await.head.status, Status::Inactive);
    // `NOT is_active` does not find such a key, so a sweep by the flag would leave it alone.
    assert_eq!(fixture.keys.revoke_all(&acme(), None).await.unwrap(), 1);
    let flag = fixture.database.text("SELECT CAST(is_active AS text) FROM api_keys").await;
    assert_eq!(flag.as_deref(), Some(fixture.database.dialect("false", "0")));
}

async fn fault_c4_null_scopes_permit_nothing_and_a_null_among_them_is_no_scope(fixture: Fixture) {
    write_row(&fixture, ", scopes", ", NULL").await;
    assert_eq!(accepted(&fixture.keys).await.details.scopes, []);
    let sparse = fixture.database.dialect("ARRAY[NULL, 'jobs:read', NULL]", "'[null, \"jobs:read\", null]'");
    fixture.database.run(&format!("UPDATE api_keys SET scopes = {sparse}")).await;
    assert_eq!(accepted(&fixture.keys).await.details.scopes, [Scope::new("jobs:read").unwrap()]);
}

async fn fault_c4_a_null_rate_limit_is_the_systems_default(fixture: Fixture) {
    write_row(&fixture, ", rate_limit_rpm", ", NULL").await;
    assert_eq!(accepted(&fixture.keys).await.details.rate_limit, RateLimit::SystemDefault);
    let issued = fixture.keys.issue(draft().system_rate_limit().into()).await.unwrap();
    let id = &issued.record.head.id;
    let query = format!("SELECT CAST(rate_limit_rpm AS text) FROM api_keys WHERE id = '{id}'");
    assert_eq!(fixture.database.text(&query).await, None);
}

async fn fault_c4_a_rate_limit_of_zero_or_less_is_refused(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    for limit in [0, -5, i32::MIN] {
        fixture.database.run(&format!("UPDATE api_keys SET rate_limit_rpm = {limit}")).await;
        assert_eq!(refused(&fixture.keys).await, unusable("rate_limit_rpm"), "{limit}");
        assert_eq!(only_key(&fixture.keys).await.details.rate_limit, RateLimit::Nothing);
    }
    fixture.database.run("UPDATE api_keys SET rate_limit_rpm = 2147483647").await;
    accepted(&fixture.keys).await;
}

async fn fault_c5_the_display_prefix_is_exactly_what_the_column_holds(fixture: Fixture) {
    let issued = fixture.keys.issue(draft().into()).await.unwrap();
    let stored = fixture.database.text("SELECT key_prefix FROM api_keys").await.unwrap();
    assert_eq!(stored, issued.secret.expose_secret()[..8]);
    assert_eq!(issued.record.head.prefix.as_str(), stored);
    let longer = "UPDATE api_keys SET key_prefix = key_prefix || 'x'";
    fixture.database.try_run(longer).await.unwrap_err();
}

async fn fault_c5_keys_are_told_apart_by_more_than_their_display_prefix(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let values = format!("('{OTHER_KEY_HASH}', 'riq_abc1', 'Twin', 'other')");
    let insert = format!("INSERT INTO api_keys (key_hash, key_prefix, name, client_id) VALUES {values}");
    fixture.database.run(&insert).await;
    assert_eq!(accepted(&fixture.keys).await.head.owner, acme());
    let other = fixture.keys.verify(OTHER_KEY).await.unwrap();
    assert_eq!(other.head().owner.as_str(), "other");
    fixture.keys.revoke(&other.head().id, None).await.unwrap();
    accepted(&fixture.keys).await;
}

async fn fault_c6_many_uses_of_a_key_are_one_write(fixture: Fixture) {
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

async fn fault_c10_the_database_alone_gives_no_key_away(fixture: Fixture) {
    let issued = fixture.keys.issue(draft().into()).await.unwrap();
    let key = issued.secret.expose_secret();
    let row = fixture.database.dialect(
        "SELECT api_keys::text FROM api_keys",
        "SELECT concat_ws(',', id, key_hash, key_prefix, name, client_id, scopes, metadata) FROM api_keys",
    );
    let row = fixture.database.text(row).await.unwrap();
    assert!(row.contains(&key[..8]), "{row}");
    for start in 1..=key.len() - 8 {
        assert!(!row.contains(&key[start..start + 8]), "more than the display prefix is stored: {row}");
    }
    // What is not shown carries 256 bits less the four characters that are: 39 of 64 symbols each.
    let hidden = &key[8..];
    assert_eq!(hidden.len(), 39);
    assert!(hidden.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'));
}

over_every_engine![
    fault_c2_a_revocation_has_a_time_and_a_reason,
    fault_c2_a_revoked_key_stays_revoked_when_somebody_sets_its_flag_again,
    fault_c2_keys_that_were_revoked_together_stay_revoked_when_somebody_sets_their_flags_again,
    fault_c2_revoking_a_key_whose_flag_was_cleared_is_final_too,
    a_revocation_does_not_reach_a_key_that_took_the_same_identity_later,
];

async fn fault_c2_a_revocation_has_a_time_and_a_reason(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let id = accepted(&fixture.keys).await.head.id;
    let reason = RevocationReason::new("seen in a public repository").unwrap();
    fixture.keys.revoke(&id, Some(reason.clone())).await.unwrap();
    fixture.clock.advance(HOUR);
    let again = fixture.keys.revoke(&id, Some(RevocationReason::new("again").unwrap())).await.unwrap();
    let Revoked::Before(first) = again else { panic!("{again:?}") };
    assert_eq!((first.at, first.reason), (Some(START), Some(reason)));
    let row = "SELECT CAST(revoked_at AS text) || ' ' || reason FROM keyward_revocations";
    let row = fixture.database.text(row).await;
    assert_eq!(row.as_deref(), Some("2030-01-01 00:00:00.123456 seen in a public repository"));
}

const SET_FLAGS: &str = "UPDATE api_keys SET is_active = true";

async fn fault_c2_a_revoked_key_stays_revoked_when_somebody_sets_its_flag_again(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let id = accepted(&fixture.keys).await.head.id;
    fixture.keys.revoke(&id, None).await.unwrap();
    fixture.database.run(SET_FLAGS).await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Revoked);
    assert!(matches!(only_key(&fixture.keys).await.head.status, Status::Revoked(_)));
    let shown = fixture.keys.show(&id).await.unwrap().unwrap();
    assert!(matches!(shown.head.status, Status::Revoked(_)));
    fixture.keys.rotate(&id, HOUR, None).await.unwrap_err();
    let again = fixture.keys.revoke(&id, None).await.unwrap();
    assert!(matches!(again, Revoked::Before(_)), "it was revoked all the time: {again:?}");
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Revoked);
}

async fn fault_c2_keys_that_were_revoked_together_stay_revoked_when_somebody_sets_their_flags_again(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let issued = fixture.keys.issue(draft().into()).await.unwrap();
    assert_eq!(fixture.keys.revoke_all(&acme(), None).await.unwrap(), 2);
    fixture.database.run(SET_FLAGS).await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Revoked);
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    assert_eq!(fixture.keys.revoke_all(&acme(), None).await.unwrap(), 0, "they were revoked all the time");
}

/// Who revokes a key means that it never comes back, also where somebody has cleared its flag before.
async fn fault_c2_revoking_a_key_whose_flag_was_cleared_is_final_too(fixture: Fixture) {
    write_row(&fixture, ", is_active", ", false").await;
    let id = only_key(&fixture.keys).await.head.id;
    let revoked = fixture.keys.revoke(&id, None).await.unwrap();
    fixture.database.run(SET_FLAGS).await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Revoked, "revoke said {revoked:?}");
}

async fn a_revocation_does_not_reach_a_key_that_took_the_same_identity_later(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let id = accepted(&fixture.keys).await.head.id;
    fixture.keys.revoke(&id, None).await.unwrap();
    let renewed = format!("UPDATE api_keys SET key_hash = '{OTHER_KEY_HASH}', is_active = true");
    fixture.database.run(&renewed).await;
    assert_eq!(fixture.keys.verify(OTHER_KEY).await.unwrap().head().id, id);
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Unknown);
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};

    hex::encode(Sha256::digest(text))
}

#[test]
fn the_vectors_are_those_of_another_implementation() {
    assert_eq!(sha256(KEY), KEY_HASH);
    assert_eq!(sha256(OTHER_KEY), OTHER_KEY_HASH);
}
