//! Rows that the service writes and keyward reads, and the other way round.

use keyward::key::{KeyId, Metadata, RateLimit, RefusalReason, Revocation, Revoked, Scope, Scopes, Status};
use keyward::schemas::scraper::{DEFAULT_REQUESTS_PER_MINUTE, Scraper};
use keyward::{KeysError, Timestamp};

use super::{Fixture, HOUR, KEY_HASH, Record, accepted, acme, draft, get, only_key, refused, sha256, write_row};
use crate::support::{START, over, refusal_of_a_revoked_key};

over![every_database of Scraper:
    a_row_of_the_columns_that_have_to_be_there_is_accepted,
    a_row_of_all_columns_is_read_as_it_was_written,
    what_keyward_writes_is_what_the_service_reads,
    what_keyward_changes_is_what_the_service_reads,
    a_key_that_the_service_issued_is_rotated_and_revoked_like_any_other,
    a_digest_in_capitals_belongs_to_no_key,
    a_digest_that_was_cut_belongs_to_no_key,
    an_identity_in_capitals_names_no_key,
    an_identity_that_is_no_uuid_names_no_key,
    metadata_that_is_no_json_document_is_refused_and_nothing_stored,
];

async fn a_row_of_the_columns_that_have_to_be_there_is_accepted(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let Record { head, details, .. } = accepted(&fixture.keys).await;
    assert_eq!(head.owner, acme());
    assert_eq!(head.prefix.as_str(), "riq_abc1");
    assert_eq!(head.status, Status::Active);
    assert!(head.created_at.is_some(), "the column has a default");
    assert_eq!((head.expires_at, head.last_used_at), (None, None));
    let id = fixture.database().text("SELECT CAST(id AS text) FROM api_keys").await.unwrap();
    assert_eq!(head.id.as_str(), id, "the column has a default");
    assert_eq!(KeyId::new(id).unwrap(), head.id);
    assert_eq!((details.name.as_str(), details.metadata), ("Production", None));
    assert!(details.scopes.is_empty());
    assert_eq!(details.rate_limit, RateLimit::PerMinute(DEFAULT_REQUESTS_PER_MINUTE));
}

async fn a_row_of_all_columns_is_read_as_it_was_written(fixture: Fixture) {
    let scopes = fixture.database().dialect("ARRAY['jobs:read', 'admin']", "'[\"jobs:read\", \"admin\"]'");
    let values = format!(
        ", '0f9619ff-8b86-4011-b42d-00c04fc964ff', {scopes}, 7, true, '2029-12-31 23:59:59.5', '2029-06-01 00:00:00',
         '2031-01-01', '{{\"ips\": [\"10.0.0.1\"]}}'"
    );
    let columns = ", id, scopes, rate_limit_rpm, is_active, created_at, last_used_at, expires_at, metadata";
    write_row(&fixture, columns, &values).await;
    let verified = accepted(&fixture.keys).await;
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    // The last use may be left out of a verification.
    for Record { head, details, .. } in [verified.clone(), get(&fixture.keys, &verified.head.id).await] {
        assert_eq!(head.id.as_str(), "0f9619ff-8b86-4011-b42d-00c04fc964ff");
        assert_eq!(head.created_at, at("2029-12-31T23:59:59.5Z"));
        assert_eq!(head.expires_at, at("2031-01-01T00:00:00Z"));
        let held: Scopes = ["jobs:read", "admin"].map(|scope| Scope::new(scope).unwrap()).into_iter().collect();
        assert_eq!(details.scopes, held);
        assert_eq!(details.rate_limit.requests_per_minute(DEFAULT_REQUESTS_PER_MINUTE), 7);
        assert_eq!(details.metadata, Some(Metadata::new("{\"ips\": [\"10.0.0.1\"]}").unwrap()));
    }
    assert_eq!(only_key(&fixture.keys).await.head.last_used_at, at("2029-06-01T00:00:00Z"));
}

async fn what_keyward_writes_is_what_the_service_reads(fixture: Fixture) {
    let database = fixture.database();
    let metadata = "{\"note\": \"it's \\\"ü\\\"\"}";
    let draft = draft().scope("admin").unwrap().expires_at(START.saturating_add(HOUR));
    let draft = draft.requests_per_minute(120).unwrap().metadata(metadata).unwrap();
    let issued = fixture.keys.issue(draft).await.unwrap();
    let key = issued.secret.expose_secret();

    let read = async |column: &str| {
        // As the service does: by the digest, and only what is active and has not expired.
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
    assert_eq!(read("metadata").await, metadata);
}

async fn what_keyward_changes_is_what_the_service_reads(fixture: Fixture) {
    write_row(&fixture, ", expires_at", ", '2030-01-05 00:00:00'").await;
    let read = async |column: &str| {
        let query = format!("SELECT CAST({column} AS text) FROM api_keys WHERE key_hash = '{KEY_HASH}'");
        fixture.database().text(&query).await.unwrap()
    };
    let id = accepted(&fixture.keys).await.head.id;
    assert_eq!(fixture.keys.flush_last_used().await.unwrap(), 1);
    assert_eq!(read("last_used_at").await, "2030-01-01 00:00:00.123456");
    fixture.keys.rotate(&id, HOUR, None).await.unwrap();
    assert_eq!(read("expires_at").await, "2030-01-01 01:00:00.123456");
    fixture.keys.revoke(&id, None).await.unwrap();
    assert_eq!(read("is_active").await, fixture.database().dialect("false", "0"));
}

async fn a_key_that_the_service_issued_is_rotated_and_revoked_like_any_other(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let keys = &fixture.keys;
    let id = accepted(keys).await.head.id;
    let rotated = keys.rotate(&id, HOUR, None).await.unwrap();
    assert_eq!((&rotated.predecessor, rotated.accepted_until), (&id, START.saturating_add(HOUR)));
    accepted(keys).await;
    fixture.clock.advance(HOUR);
    assert_eq!(refused(keys).await, RefusalReason::Expired);
    let successor = keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    assert_eq!(successor.details().name.as_str(), "Production");
    let now = Revoked::now(id.clone(), Revocation::new(Some(keys.now()), None));
    assert_eq!(keys.revoke(&id, None).await.unwrap(), now);
    assert!(keys.revoke(&id, None).await.unwrap().already);
    assert_eq!(refused(keys).await, refusal_of_a_revoked_key(&fixture));
}

async fn a_digest_in_capitals_belongs_to_no_key(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    fixture.database().run("UPDATE api_keys SET key_hash = upper(key_hash)").await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Unknown);
    assert_eq!(only_key(&fixture.keys).await.head.digest, None);
}

async fn a_digest_that_was_cut_belongs_to_no_key(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    fixture.database().run("UPDATE api_keys SET key_hash = substr(key_hash, 1, 63)").await;
    assert_eq!(refused(&fixture.keys).await, RefusalReason::Unknown);
    let listed = only_key(&fixture.keys).await;
    assert_eq!(listed.head.digest, None);
    assert!(!fixture.keys.revoke(&listed.head.id, None).await.unwrap().already);
}

/// PostgreSQL reads a UUID in any spelling, SQLite compares texts; an identity means the same on both.
async fn an_identity_in_capitals_names_no_key(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    let id = accepted(&fixture.keys).await.head.id;
    let capitals = id.as_str().to_uppercase();
    assert_ne!(capitals, id.as_str(), "a UUID without any letter");
    for other in [capitals, id.as_str().replace('-', ""), format!("{{{id}}}")] {
        assert_names_no_key(&fixture, &other).await;
    }
}

async fn an_identity_that_is_no_uuid_names_no_key(fixture: Fixture) {
    write_row(&fixture, "", "").await;
    for other in ["1", "no uuid", "0f9619ff-8b86-4011-b42d-00c04fc964fg", "'; --"] {
        assert_names_no_key(&fixture, other).await;
    }
}

async fn assert_names_no_key(fixture: &Fixture, id: &str) {
    let keys = &fixture.keys;
    let id = KeyId::new(id).unwrap();
    assert_eq!(keys.get(&id).await.unwrap(), None, "{id}");
    let rotated = keys.rotate(&id, HOUR, None).await.map(|_| ());
    assert!(matches!(rotated, Err(KeysError::NotFound)), "{id}: {rotated:?}");
    let revoked = keys.revoke(&id, None).await;
    assert!(matches!(revoked, Err(KeysError::NotFound)), "{id}: {revoked:?}");
    assert_eq!(accepted(keys).await.head.status, Status::Active, "{id}");
}

/// The column is `jsonb`; SQLite is held to the same.
async fn metadata_that_is_no_json_document_is_refused_and_nothing_stored(fixture: Fixture) {
    for metadata in ["", "{", "no JSON", "\"\\u0000\"", "{} {}"] {
        let refused = fixture.keys.issue(draft().metadata(metadata).unwrap()).await.map(|_| ());
        assert!(
            matches!(refused, Err(KeysError::Store(keyward::store::StoreError::Unsupported(_)))),
            "{metadata:?}: {refused:?}"
        );
    }
    assert_eq!(fixture.keys.of(&acme()).list(10, None).await.unwrap().keys, []);
}
