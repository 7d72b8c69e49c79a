//! The faults of system A that concern keys and that keyward mends, each by the number under which it is known.

use std::time::Duration;

use keyward::KeysError;
use keyward::aggregator::Aggregator;
use keyward::key::{RefusalReason, Revocation, Status};
use keyward::service::Revoked;
use keyward::store::StoreError;

use super::host::{DID, Host, OTHER_DID, draft, has_lost, owner};
use crate::support::START;
use crate::support::systems::aggregator::over_every_form_of_the_table;
use crate::support::systems::{Setting, is_postgres, over_every_database_of, over_every_store_of};

const HOUR: Duration = Duration::from_hours(1);

over_every_form_of_the_table![
    fault_a6_credentials_that_nobody_can_decrypt_keep_nobody_from_a_key,
    fault_a15_a_key_is_accepted_whatever_has_become_of_the_credentials,
];

impl Host {
    /// Sets every column of OAuth credentials to what `value` says, in a type that fits.
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
}

/// Before, everything but the lookup of the form decrypted three secrets, and one bad row failed for all.
async fn fault_a6_credentials_that_nobody_can_decrypt_keep_nobody_from_a_key(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let garbage = host.database().dialect("decode('00ff', 'hex')", "x'00ff'");
    host.set_credentials("'no multibase'", garbage, "'2029-01-01 00:00:00'").await;
    let first = host.issue().await;
    assert_eq!(host.refusal(&first.secret).await, None);
    assert_eq!(host.only_key().await.unwrap(), first.record);
    assert_eq!(host.keys.revoke_seen(&first.record.head, None).await.unwrap(), Revoked::Now(START));
    assert_eq!(host.refusal(&host.issue().await.secret).await, None);
}

/// Before, a request that never used them was refused when they could not be refreshed.
async fn fault_a15_a_key_is_accepted_whatever_has_become_of_the_credentials(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let issued = host.issue().await;
    for (text, bytes, instant) in [("''", "''", "'2001-01-01 00:00:00'"), ("NULL", "NULL", "NULL")] {
        host.set_credentials(text, bytes, instant).await;
        assert_eq!(host.refusal(&issued.secret).await, None);
    }
}

over_every_database_of![Aggregator:
    fault_a9_a_replacement_that_fails_leaves_the_old_key_working,
    fault_a13_many_uses_of_a_key_are_one_write_and_none_is_lost_at_shutdown,
    fault_a14_an_outage_is_no_verdict_on_a_key,
    fault_a18_the_times_that_are_reported_are_those_that_are_stored,
];

/// Before, the clean-up after a failed step took away what the old key needed.
async fn fault_a9_a_replacement_that_fails_leaves_the_old_key_working(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let old = host.issue().await;
    host.keys.verify(old.secret.expose_secret()).await.unwrap();
    host.keys.flush_last_used().await.unwrap();
    let before = host.row().await;
    let failing = host.database().dialect(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'out of order'; END $$;
         CREATE TRIGGER fail AFTER UPDATE ON aggregators FOR EACH ROW EXECUTE FUNCTION fail();",
        "CREATE TRIGGER fail AFTER UPDATE ON aggregators BEGIN SELECT RAISE(FAIL, 'out of order'); END;",
    );
    host.run(failing).await;
    let replaced = host.keys.issue_only(draft(DID)).await;
    assert!(matches!(replaced, Err(KeysError::Store(StoreError::Backend { .. }))), "{replaced:?}");
    let rotated = host.keys.rotate(&old.record.head.id, Duration::ZERO, None).await;
    assert!(matches!(rotated, Err(KeysError::Store(StoreError::Backend { .. }))), "{rotated:?}");
    assert_eq!(host.row().await, before);
    assert_eq!(host.refusal(&old.secret).await, None);

    host.run(host.database().dialect("DROP TRIGGER fail ON aggregators", "DROP TRIGGER fail")).await;
    assert_eq!(host.refusal(&host.issue().await.secret).await, None);
}

/// Before, each request wrote the wide row once, in a task of its own that a shutdown lost.
async fn fault_a13_many_uses_of_a_key_are_one_write_and_none_is_lost_at_shutdown(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let issued = host.issue().await;
    host.run("CREATE TABLE writes (at text)").await;
    let counting = host.database().dialect(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO writes VALUES (NEW.api_key_last_used_at::text); RETURN NEW; END $$;
         CREATE TRIGGER note AFTER UPDATE ON aggregators FOR EACH ROW EXECUTE FUNCTION note();",
        "CREATE TRIGGER note AFTER UPDATE ON aggregators
             BEGIN INSERT INTO writes VALUES (NEW.api_key_last_used_at); END;",
    );
    host.run(counting).await;
    let writes = async || host.database().text("SELECT CAST(count(*) AS text) FROM writes").await.unwrap();
    for _ in 0..1000 {
        host.clock.advance(Duration::from_millis(1));
        host.keys.verify(issued.secret.expose_secret()).await.unwrap();
    }
    assert_eq!((writes().await.as_str(), host.keys.last_used_metrics().pending), ("0", 1));
    host.keys.record_last_used(std::future::ready(())).await.unwrap();
    assert_eq!((writes().await.as_str(), host.keys.last_used_metrics().pending), ("1", 0));
    let last_used_at = host.only_key().await.unwrap().head.last_used_at;
    assert_eq!(last_used_at, Some(START.saturating_add(Duration::from_secs(1))), "the latest");
}

/// Before, whoever asked during an outage was told that its key was invalid or revoked.
async fn fault_a14_an_outage_is_no_verdict_on_a_key(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let issued = host.issue().await;
    host.keys.verify(issued.secret.expose_secret()).await.unwrap();
    host.run("ALTER TABLE aggregators RENAME TO elsewhere").await;
    let refusal = host.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    assert_eq!((refusal.reason(), refusal.is_outage()), (RefusalReason::StoreUnavailable, true));
    assert_ne!(refusal.to_string(), keyward::key::Refusal::new(RefusalReason::Unknown).to_string());
    host.keys.only_key(&owner(DID)).await.unwrap_err();
    host.keys.revoke_seen(&issued.record.head, None).await.unwrap_err();
    host.keys.flush_last_used().await.unwrap_err();

    host.run("ALTER TABLE elsewhere RENAME TO aggregators").await;
    assert_eq!(host.refusal(&issued.secret).await, None);
    assert_eq!(host.keys.flush_last_used().await.unwrap(), 1, "no use was lost");
}

/// Before, one clock wrote and another one answered.
async fn fault_a18_the_times_that_are_reported_are_those_that_are_stored(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let stored = async |column: &str| {
        let column = if is_postgres(host.database()) { format!("{column} AT TIME ZONE 'UTC'") } else { column.into() };
        let text = host.value(&column).await.unwrap();
        format!("{}Z", text.replace(' ', "T")).parse().unwrap()
    };
    let issued = host.issue().await;
    assert_eq!(issued.record.head.created_at, Some(stored("api_key_created_at").await));
    host.clock.advance(HOUR);
    let Revoked::Now(at) = host.keys.revoke_seen(&issued.record.head, None).await.unwrap() else { panic!("revoked") };
    assert_eq!(at, stored("api_key_revoked_at").await);
    let head = host.another_process().await.only_key(&owner(DID)).await.unwrap().unwrap().head;
    assert_eq!(head.created_at, issued.record.head.created_at);
    assert_eq!(head.status, Status::Revoked(Revocation { at: Some(at), reason: None }));
}

over_every_store_of![Aggregator:
    fault_a11_a_revocation_never_hits_a_key_that_was_created_since,
    fault_a11_a_second_revocation_does_not_move_the_first_ones_time,
    fault_a12_a_late_use_of_the_old_key_is_not_the_new_ones,
    fault_a12_a_new_key_does_not_show_the_last_use_of_the_old_one,
    fault_a21_keys_that_share_a_display_prefix_are_told_apart,
];

async fn fault_a11_a_revocation_never_hits_a_key_that_was_created_since(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let seen = host.issue_and_look().await;
    let new = host.another_process().await.issue_only(draft(DID)).await.unwrap();
    has_lost(&host.keys.revoke_seen(&seen, None).await);
    assert_eq!(host.refusal(&new.secret).await, None);
}

async fn fault_a11_a_second_revocation_does_not_move_the_first_ones_time(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let seen = host.issue_and_look().await;
    host.keys.revoke_seen(&seen, None).await.unwrap();
    host.clock.advance(HOUR);
    let first = Revocation { at: Some(START), reason: None };
    assert_eq!(host.keys.revoke_seen(&seen, None).await.unwrap(), Revoked::Before(first.clone()));
    assert_eq!(host.only_key().await.unwrap().head.status, Status::Revoked(first));
}

async fn fault_a12_a_late_use_of_the_old_key_is_not_the_new_ones(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let old = host.issue().await;
    host.keys.verify(old.secret.expose_secret()).await.unwrap();
    host.issue().await;
    assert_eq!(host.keys.flush_last_used().await.unwrap(), 0);
    assert_eq!(host.only_key().await.unwrap().head.last_used_at, None);
}

async fn fault_a12_a_new_key_does_not_show_the_last_use_of_the_old_one(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    let old = host.issue().await;
    host.keys.verify(old.secret.expose_secret()).await.unwrap();
    assert_eq!(host.keys.flush_last_used().await.unwrap(), 1);
    host.issue().await;
    assert_eq!(host.only_key().await.unwrap().head.last_used_at, None);
}

/// Six hexadecimal digits are shown, which several keys can have in common; nothing is decided by them.
async fn fault_a21_keys_that_share_a_display_prefix_are_told_apart(setting: Setting<Aggregator>) {
    let host = Host::over(setting).await;
    host.add_aggregator(OTHER_DID).await;
    let store = host.keys.store();
    let keys = [DID, OTHER_DID].map(|did| {
        let prepared = host.keys.prepare(draft(did)).unwrap();
        let mut record = prepared.record().clone();
        let key = format!("ckapi_c0ffee{}", format!("{:02x}", did.len()).repeat(29));
        record.head.prefix = key[..12].parse().unwrap();
        record.head.digest = Some(keyward::key::KeyDigest::of(&key));
        (did, key, record)
    });
    for (_, _, record) in &keys {
        keyward::store::KeyStore::insert(store, record).await.unwrap();
    }
    for (did, key, _) in &keys {
        assert_eq!(host.keys.verify(key).await.unwrap().head().owner.as_str(), *did);
        assert_eq!(host.keys.resolve(&owner(did), "ckapi_c0ffee").await.unwrap().head.owner.as_str(), *did);
    }
    let [(_, first, record), (_, second, _)] = &keys;
    host.keys.revoke_seen(&record.head, None).await.unwrap();
    assert_eq!(host.keys.verify(first).await.unwrap_err().reason(), RefusalReason::Revoked);
    assert!(host.keys.verify(second).await.is_ok());
}

/// Before, a session's offset from UTC was printed as if it were none. What only PostgreSQL has: a zone a session.
#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::Arc;

    use keyward::{Keys, PostgresKeyStore};

    use super::{Aggregator, DID, HOUR, Host, RefusalReason, START, Setting, draft, owner};
    use crate::aggregator::host::{Store, keys};
    use crate::support::Database;

    async fn keys_in_zone(host: &Host, zone: &str, seed: u64) -> Keys<Store> {
        let Database::Postgres(database) = host.database() else { panic!("not PostgreSQL") };
        let pool = database.pool_in_zone(zone).await;
        let set: String = sqlx::query_scalar("SHOW TimeZone").fetch_one(&pool).await.unwrap();
        assert_eq!(set, zone);
        keys(Arc::new(PostgresKeyStore::<Aggregator>::open(pool).await.unwrap()), &host.clock, seed)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn fault_a18_instants_are_written_and_read_in_utc_whatever_the_sessions_zone() {
        for bare in [false, true] {
            let host = Host::over(Setting::<Aggregator>::postgres(bare).await).await;
            let tokyo = keys_in_zone(&host, "Asia/Tokyo", 1).await;
            let newfoundland = keys_in_zone(&host, "America/St_Johns", 2).await;
            let stored = async |column: &str| host.value(&format!("{column} AT TIME ZONE 'UTC'")).await.unwrap();
            for _ in 0..2 {
                let issued = tokyo.issue_only(draft(DID)).await.unwrap();
                assert_eq!(stored("api_key_created_at").await, "2030-01-01 00:00:00.123456");
                tokyo.verify(issued.secret.expose_secret()).await.unwrap();
                assert_eq!(tokyo.flush_last_used().await.unwrap(), 1);
                assert_eq!(stored("api_key_last_used_at").await, "2030-01-01 00:00:00.123456");
                tokyo.revoke_seen(&issued.record.head, None).await.unwrap();
                assert_eq!(stored("api_key_revoked_at").await, "2030-01-01 00:00:00.123456");
                let known = host.only_key().await.unwrap();
                assert_eq!((known.head.created_at, known.head.last_used_at), (Some(START), Some(START)));
                for keys in [&tokyo, &newfoundland] {
                    assert_eq!(keys.only_key(&owner(DID)).await.unwrap().as_ref(), Some(&known));
                    let refusal = keys.verify(issued.secret.expose_secret()).await.unwrap_err();
                    assert_eq!(refusal.reason(), RefusalReason::Revoked);
                }
            }
            let all = tokyo.issue_only(draft(DID)).await.unwrap();
            host.clock.advance(HOUR);
            assert_eq!(newfoundland.revoke_all(&owner(DID), None).await.unwrap(), 1);
            assert_eq!(stored("api_key_revoked_at").await, "2030-01-01 01:00:00.123456");
            let rotated = newfoundland.rotate(&all.record.head.id, std::time::Duration::ZERO, None).await;
            rotated.unwrap_err();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn fault_a18_an_instant_that_the_system_wrote_with_an_offset_is_reported_in_utc() {
        let host = Host::over(Setting::<Aggregator>::postgres(false).await).await;
        host.issue().await;
        host.set("api_key_created_at = '2029-06-01 09:00:00+09', api_key_revoked_at = '2029-06-01 08:00:00-05'").await;
        for zone in ["Asia/Tokyo", "UTC"] {
            let keys = keys_in_zone(&host, zone, 1).await;
            let head = keys.only_key(&owner(DID)).await.unwrap().unwrap().head;
            assert_eq!(head.created_at, "2029-06-01T00:00:00Z".parse().ok());
            let keyward::key::Status::Revoked(revocation) = head.status else { panic!("{zone}") };
            assert_eq!(revocation.at, "2029-06-01T13:00:00Z".parse().ok());
        }
    }
}
