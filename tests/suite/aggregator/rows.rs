//! The row as other programs write and read it: the service itself, its indexer, and whoever keeps the OAuth columns.

use std::collections::BTreeSet;
use std::time::Duration;

use keyward::key::{KeyDigest, RefusalReason, Status};
use keyward::schemas::aggregator::Aggregator;
use keyward::store::{Reference, StoreError};
use keyward::{KeysError, Secret, Timestamp};

use super::host::{DID, Host, OTHER_DID, draft, has_lost, owner, revoked_at};
use crate::support::schemas::aggregator::over_every_form_of_the_table;
use crate::support::{Fixture, START, over};

const HOUR: Duration = Duration::from_hours(1);

/// A key as the service computes it from the bytes 0 to 31, and `printf %s ckapi_0001… | sha256sum`.
const KEY: &str = "ckapi_000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const KEY_HASH: &str = "3f0c58b5bfbaaafc9f0a3e9b9a75a1585c40bdee8c5d6e0db07800ab2583656a";

impl Host {
    /// Fills every column in the row of [`DID`] that is no key's, as the indexer and the OAuth flow do.
    async fn fill_the_others_columns(&self) {
        self.set(
            "description = 'All the news', config_schema = '{\"b\": [1, null],  \"a\": {}}', avatar_url = 'https://a',
             source_url = 'https://s', maintainer_did = 'did:plc:ada', communities_using = 3,
             posts_created = 7000000000,
             created_at = '2029-01-01 00:00:00', indexed_at = '2029-06-01 12:00:00'",
        )
        .await;
        for column in self.row().await.columns().filter(|column| column.starts_with("oauth_")) {
            let value = match column {
                _ if column.ends_with("_at") => "'2029-12-31 23:00:00'".to_owned(),
                _ if column.ends_with("_encrypted") => {
                    self.database().dialect("decode('c30d0407', 'hex')", "x'c30d0407'").to_owned()
                }
                _ => format!("'the {column}'"),
            };
            self.set(&format!("{column} = {value}")).await;
        }
        let row = self.row().await;
        let nulls = row.nulls();
        assert!(nulls.iter().all(|column| column.starts_with("api_key_")), "{nulls:?}");
    }

    /// Sets every column of OAuth credentials to what a value says, in a type that fits.
    async fn set_credentials(&self, text: &str, bytes: &str, instant: &str) {
        for column in self.row().await.columns().filter(|column| column.starts_with("oauth_")) {
            let value = match column {
                _ if column.ends_with("_at") => instant,
                _ if column.ends_with("_encrypted") => bytes,
                _ => text,
            };
            self.set(&format!("{column} = {value}")).await;
        }
    }

    /// As the service's indexer does whenever the aggregator's record changes.
    async fn index(&self, name: &str) {
        self.run(&format!(
            "INSERT INTO aggregators (did, display_name, description, record_uri, record_cid, indexed_at)
             VALUES ('{DID}', '{name}', 'New', 'at://{name}', 'bafy {name}', CURRENT_TIMESTAMP)
             ON CONFLICT (did) DO UPDATE SET
                 display_name = excluded.display_name, description = excluded.description,
                 record_uri = excluded.record_uri, record_cid = excluded.record_cid, indexed_at = excluded.indexed_at"
        ))
        .await;
    }
}

over_every_form_of_the_table![
    every_operation_changes_the_keys_own_columns_and_nothing_else,
    no_operation_so_much_as_names_a_column_of_somebody_else_or_adds_or_deletes_rows,
    a_key_that_the_service_made_is_accepted_described_and_revoked,
    what_keyward_writes_is_what_the_service_reads,
    credentials_that_nobody_can_decrypt_keep_nobody_from_a_key,
    a_key_is_accepted_whatever_has_become_of_the_credentials,
];

async fn every_operation_changes_the_keys_own_columns_and_nothing_else(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    host.fill_the_others_columns().await;
    let mut before = host.row().await;
    let mut changed = async || {
        let after = host.row().await;
        let changed: BTreeSet<_> = after.changed_since(&before).into_iter().map(str::to_owned).collect();
        before = after;
        host.clock.advance(HOUR);
        changed.into_iter().map(|column| column.trim_start_matches("api_key_").to_owned()).collect::<Vec<_>>()
    };

    let first = host.issue().await;
    assert_eq!(changed().await, ["created_at", "hash", "prefix"], "issue");
    host.keys.verify(first.secret.expose_secret()).await.unwrap();
    assert!(changed().await.is_empty(), "verify");
    host.keys.flush_last_used().await.unwrap();
    assert_eq!(changed().await, ["last_used_at"], "the record of a use");
    let seen = host.only_key().await.unwrap().head;
    host.keys.of(&owner(DID)).list(10, None).await.unwrap();
    host.keys.get(&seen.id).await.unwrap();
    host.keys.resolve(&owner(DID), &first.secret.expose_secret()[..12]).await.unwrap();
    assert!(changed().await.is_empty(), "info, list, show and resolve");
    host.keys.revoke_seen(&seen, None).await.unwrap();
    assert_eq!(changed().await, ["revoked_at"], "revoke");
    host.keys.revoke_seen(&seen, None).await.unwrap();
    host.keys.revoke(&seen.id, None).await.unwrap();
    assert!(changed().await.is_empty(), "revoke again");
    host.issue().await;
    assert_eq!(changed().await, ["created_at", "hash", "last_used_at", "prefix", "revoked_at"], "replace");
    has_lost(&host.keys.issue(draft(DID)).await);
    has_lost(&host.keys.revoke_seen(&seen, None).await);
    let late = host.keys.prepare_replacement(seen.clone(), draft(DID)).unwrap();
    host.keys.store().rotate(late.rotation()).await.unwrap_err();
    assert!(changed().await.is_empty(), "those who lose");
    host.keys.rotate(&seen.id, Duration::ZERO, None).await.unwrap();
    assert_eq!(changed().await, ["created_at", "hash", "prefix"], "rotate");
    assert_eq!(host.keys.revoke_all(&owner(DID), None).await.unwrap().count, 1);
    assert_eq!(changed().await, ["revoked_at"], "revoke all");
    assert_eq!(host.count_aggregators().await, 1);
}

/// An `UPDATE` that writes back what it has read would undo what somebody else has written meanwhile.
async fn no_operation_so_much_as_names_a_column_of_somebody_else_or_adds_or_deletes_rows(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let row = host.row().await;
    let others: Vec<_> = row.columns().filter(|column| !column.starts_with("api_key_")).collect();
    let others = others.join(", ");
    let guards = host.database().dialect(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
         CREATE TRIGGER others BEFORE UPDATE OF {others} ON aggregators EXECUTE FUNCTION refuse();
         CREATE TRIGGER rows BEFORE INSERT OR DELETE ON aggregators EXECUTE FUNCTION refuse();",
        "CREATE TRIGGER others BEFORE UPDATE OF {others} ON aggregators BEGIN SELECT RAISE(ABORT, 'refused'); END;
         CREATE TRIGGER added BEFORE INSERT ON aggregators BEGIN SELECT RAISE(ABORT, 'refused'); END;
         CREATE TRIGGER deleted BEFORE DELETE ON aggregators BEGIN SELECT RAISE(ABORT, 'refused'); END;",
    );
    host.run(&guards.replace("{others}", &others)).await;
    for forbidden in [
        "UPDATE aggregators SET display_name = display_name",
        "DELETE FROM aggregators",
        "INSERT INTO aggregators (did, display_name, record_uri, record_cid) VALUES ('did:web:a', 'A', 'at://a', 'a')",
    ] {
        assert!(host.database().try_run(forbidden).await.unwrap_err().contains("refused"), "{forbidden}");
    }
    whole_life(&host).await;
}

/// Every operation that writes.
async fn whole_life(host: &Host) {
    let issued = host.issue().await;
    host.keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(host.keys.flush_last_used().await.unwrap(), 1);
    host.keys.revoke_seen(&issued.record.head, None).await.unwrap();
    let replaced = host.issue().await;
    assert_eq!(host.refusal(&replaced.secret).await, None);
    let rotated = host.keys.rotate(&replaced.record.head.id, Duration::ZERO, None).await.unwrap();
    assert_eq!(host.refusal(&rotated.successor.secret).await, None);
    assert_eq!(host.only_key().await.unwrap(), rotated.successor.record);
    assert_eq!(host.keys.revoke_all(&owner(DID), None).await.unwrap().count, 1);
    assert_eq!(host.refusal(&rotated.successor.secret).await, Some(RefusalReason::Revoked));
}

async fn a_key_that_the_service_made_is_accepted_described_and_revoked(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    host.fill_the_others_columns().await;
    host.set(&format!(
        "api_key_prefix = 'ckapi_000102', api_key_hash = '{KEY_HASH}', api_key_created_at = '2029-12-31 10:00:00',
         api_key_last_used_at = '2029-12-31 12:30:00.5'"
    ))
    .await;
    let at = |text: &str| text.parse::<Timestamp>().ok();
    let head = host.keys.verify(KEY).await.unwrap().record().head.clone();
    assert_eq!((head.id.as_str(), head.owner.as_str(), head.prefix.as_str()), (DID, DID, "ckapi_000102"));
    assert_eq!((head.created_at, head.last_used_at), (at("2029-12-31T10:00:00Z"), at("2029-12-31T12:30:00.5Z")));
    assert_eq!((&head.status, head.defect), (&Status::Active, None));
    assert_eq!(host.only_key().await.unwrap().head, head);

    host.set("api_key_revoked_at = '2029-12-31 13:00:00'").await;
    assert_eq!(host.keys.verify(KEY).await.unwrap_err().reason(), RefusalReason::Revoked);
    host.set("api_key_revoked_at = NULL").await;
    host.keys.revoke_seen(&head, None).await.unwrap();
    assert_eq!(host.keys.verify(KEY).await.unwrap_err().reason(), RefusalReason::Revoked);
    let replaced = host.issue().await;
    assert_eq!(host.keys.verify(KEY).await.unwrap_err().reason(), RefusalReason::Unknown);
    assert_eq!(host.refusal(&replaced.secret).await, None);
}

/// As the service validates: by form, then by the digest of the whole key, then by the revocation.
async fn what_keyward_writes_is_what_the_service_reads(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let live = async |secret: &Secret| {
        let hash = KeyDigest::of(secret.expose_secret()).to_hex();
        let query = format!(
            "SELECT CAST(count(*) AS text) FROM aggregators
             WHERE api_key_hash = '{}' AND api_key_revoked_at IS NULL",
            hash.as_str()
        );
        host.database().text(&query).await.unwrap() == "1"
    };
    for _ in 0..2 {
        let issued = host.issue().await;
        let key = issued.secret.expose_secret();
        assert_eq!((key.len(), &key[..6]), (70, "ckapi_"));
        assert!(live(&issued.secret).await);
        assert_eq!(host.value("api_key_prefix").await.as_deref(), Some(&key[..12]));
        assert_eq!(host.value("length(api_key_hash)").await.as_deref(), Some("64"));
        assert_eq!(host.value("api_key_revoked_at").await, None);
        assert_eq!(host.value("api_key_last_used_at").await, None);
        let created_at = host.database().dialect("api_key_created_at AT TIME ZONE 'UTC'", "api_key_created_at");
        assert_eq!(host.value(created_at).await.as_deref(), Some("2030-01-01 00:00:00.123456"));
    }
    let last = host.issue().await;
    host.keys.revoke_seen(&last.record.head, None).await.unwrap();
    assert!(!live(&last.secret).await);
    let revoked_at = host.database().dialect("api_key_revoked_at AT TIME ZONE 'UTC'", "api_key_revoked_at");
    assert_eq!(host.value(revoked_at).await.as_deref(), Some("2030-01-01 00:00:00.123456"));
}

/// Whoever decrypts them along with a key fails for all keys because of one bad row.
async fn credentials_that_nobody_can_decrypt_keep_nobody_from_a_key(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let garbage = host.database().dialect("decode('00ff', 'hex')", "x'00ff'");
    host.set_credentials("'no multibase'", garbage, "'2029-01-01 00:00:00'").await;
    let first = host.issue().await;
    assert_eq!(host.refusal(&first.secret).await, None);
    assert_eq!(host.only_key().await.unwrap(), first.record);
    assert_eq!(host.keys.revoke_seen(&first.record.head, None).await.unwrap(), revoked_at(START));
    assert_eq!(host.refusal(&host.issue().await.secret).await, None);
}

/// A request that never uses them does not depend on their being refreshed.
async fn a_key_is_accepted_whatever_has_become_of_the_credentials(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let issued = host.issue().await;
    for (text, bytes, instant) in [("''", "''", "'2001-01-01 00:00:00'"), ("NULL", "NULL", "NULL")] {
        host.set_credentials(text, bytes, instant).await;
        assert_eq!(host.refusal(&issued.secret).await, None);
    }
}

over![every_database of Aggregator:
    the_indexers_upsert_keeps_the_key_and_its_revocation,
    a_key_is_gone_with_its_row_and_comes_not_back_with_it,
    a_row_that_is_deleted_while_its_key_is_replaced_stays_deleted,
];

async fn the_indexers_upsert_keeps_the_key_and_its_revocation(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let issued = host.issue().await;
    host.index("Newer News").await;
    assert_eq!(host.value("display_name").await.as_deref(), Some("Newer News"));
    assert_eq!(host.refusal(&issued.secret).await, None);
    assert_eq!(host.only_key().await.unwrap(), issued.record);

    host.keys.revoke_seen(&issued.record.head, None).await.unwrap();
    let revoked = host.only_key().await.unwrap();
    host.index("Newest News").await;
    assert_eq!(host.refusal(&issued.secret).await, Some(RefusalReason::Revoked));
    assert_eq!(host.only_key().await.unwrap(), revoked);
}

async fn a_key_is_gone_with_its_row_and_comes_not_back_with_it(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let old = host.issue().await;
    host.keys.verify(old.secret.expose_secret()).await.unwrap();
    host.keys.revoke_all(&owner(DID), None).await.unwrap();
    host.delete_aggregator(DID).await;
    assert_eq!(host.refusal(&old.secret).await, Some(RefusalReason::Unknown));
    assert!(matches!(host.keys.only_key(&owner(DID)).await, Err(StoreError::Missing(Reference::Owner))));
    let issued = host.keys.issue_only(draft(DID)).await;
    assert!(matches!(issued, Err(KeysError::Store(StoreError::Missing(Reference::Owner)))), "{issued:?}");
    has_lost(&host.keys.revoke_seen(&old.record.head, None).await);
    assert_eq!(host.keys.revoke_all(&owner(DID), None).await.unwrap().count, 0);
    assert_eq!(host.keys.flush_last_used().await.unwrap(), 0, "a use of a key that is gone");

    host.add_aggregator(DID).await;
    assert_eq!(host.only_key().await, None);
    assert_eq!(host.refusal(&old.secret).await, Some(RefusalReason::Unknown));
    let new = host.issue().await;
    assert_eq!(host.refusal(&new.secret).await, None);
    assert_eq!(host.only_key().await.unwrap(), new.record, "nothing is left of the revocation of the old key");
}

async fn a_row_that_is_deleted_while_its_key_is_replaced_stays_deleted(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    host.add_aggregator(OTHER_DID).await;
    let first = host.keys.prepare(draft(OTHER_DID)).unwrap();
    let seen = host.issue_and_look().await;
    let replacement = host.keys.prepare_replacement(seen, draft(DID)).unwrap();
    host.delete_aggregator(DID).await;
    host.delete_aggregator(OTHER_DID).await;
    let replaced = host.keys.store().rotate(replacement.rotation()).await.map(|_| ());
    let outcomes = [replaced, host.keys.store().insert(first.record()).await];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(StoreError::Missing(Reference::Owner))), "{outcome:?}");
    }
    assert_eq!(host.count_aggregators().await, 0);
}

/// What only PostgreSQL can forbid: so much as reading a column.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn rights_to_the_keys_columns_alone_are_enough() {
    use std::sync::Arc;

    use keyward::{Postgres, SqlKeyStore};
    use sqlx::postgres::{PgConnectOptions, PgPool};

    use crate::support::keys;

    // One of the roles that are in every server, so that none has to be made, which would outlive the test.
    const ROLE: &str = "pg_signal_backend";

    for bare in [false, true] {
        let fixture = if bare { Fixture::bare_postgres().await } else { Fixture::postgres().await };
        let mut host = Host::over(fixture).await;
        host.fill_the_others_columns().await;
        let columns = "api_key_prefix, api_key_hash, api_key_created_at, api_key_revoked_at, api_key_last_used_at";
        host.run(&format!("GRANT SELECT (did, {columns}), UPDATE ({columns}) ON aggregators TO {ROLE}")).await;
        if !bare {
            host.run(&format!(
                "GRANT USAGE ON SCHEMA keyward TO {ROLE}; GRANT SELECT ON keyward.migrations TO {ROLE};
                 GRANT SELECT, INSERT, UPDATE ON keyward.revocations TO {ROLE}"
            ))
            .await;
        }
        let options: PgConnectOptions = host.database().as_postgres().url().parse().unwrap();
        let pool = PgPool::connect_with(options.options([("role", ROLE)])).await.unwrap();
        sqlx::query("SELECT oauth_access_token_encrypted FROM aggregators").execute(&pool).await.unwrap_err();
        sqlx::query("UPDATE aggregators SET display_name = ''").execute(&pool).await.unwrap_err();

        let store = SqlKeyStore::open(Postgres::new(pool), Aggregator::new()).await.unwrap();
        host.keys = keys(Arc::new(store), &host.clock, 1);
        assert_eq!(host.keys.store().abilities().revocation_reason, !bare, "the side tables are found");
        whole_life(&host).await;
    }
}
