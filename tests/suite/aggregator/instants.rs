//! The instants that are reported are those that are stored, in UTC.

use std::time::Duration;

use keyward::key::{Revocation, Status};
use keyward::schemas::aggregator::Aggregator;

use super::host::{DID, Host, owner, revoked_at};
use crate::support::{Fixture, START, over};

const HOUR: Duration = Duration::from_hours(1);

over![every_database of Aggregator: the_instants_that_are_reported_are_those_that_are_stored];

async fn the_instants_that_are_reported_are_those_that_are_stored(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let stored = async |column: &str| {
        let column = if host.database().is_postgres() { format!("{column} AT TIME ZONE 'UTC'") } else { column.into() };
        let text = host.value(&column).await.unwrap();
        format!("{}Z", text.replace(' ', "T")).parse().unwrap()
    };
    let issued = host.issue().await;
    assert_eq!(issued.record.head.created_at, Some(stored("api_key_created_at").await));
    host.clock.advance(HOUR);
    let revoked = host.keys.revoke_seen(&issued.record.head, None).await.unwrap();
    let at = START.saturating_add(HOUR);
    assert_eq!(revoked, revoked_at(at));
    assert_eq!(at, stored("api_key_revoked_at").await);
    let head = host.another_process().await.only_key(&owner(DID)).await.unwrap().unwrap().head;
    assert_eq!(head.created_at, issued.record.head.created_at);
    assert_eq!(head.status, Status::Revoked(Revocation::new(Some(at), None)));
}

/// What only PostgreSQL has: a time zone of each session.
#[cfg(feature = "postgres")]
mod postgres {
    use keyward::key::RefusalReason;

    use super::super::host::{draft, keys_in_zone};
    use super::{DID, Duration, Fixture, HOUR, Host, START, Status, owner};

    #[tokio::test(flavor = "multi_thread")]
    async fn instants_are_written_and_read_in_utc_whatever_the_time_zone_of_the_session() {
        for bare in [false, true] {
            let fixture = if bare { Fixture::bare_postgres().await } else { Fixture::postgres().await };
            let host = Host::over(fixture).await;
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
            assert_eq!(newfoundland.revoke_all(&owner(DID), None).await.unwrap().count, 1);
            assert_eq!(stored("api_key_revoked_at").await, "2030-01-01 01:00:00.123456");
            newfoundland.rotate(&all.record.head.id, Duration::ZERO, None).await.unwrap_err();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_instant_that_the_service_wrote_with_an_offset_is_reported_in_utc() {
        let host = Host::over(Fixture::postgres().await).await;
        host.issue().await;
        host.set("api_key_created_at = '2029-06-01 09:00:00+09', api_key_revoked_at = '2029-06-01 08:00:00-05'").await;
        for zone in ["Asia/Tokyo", "UTC"] {
            let keys = keys_in_zone(&host, zone, 1).await;
            let head = keys.only_key(&owner(DID)).await.unwrap().unwrap().head;
            assert_eq!(head.created_at, "2029-06-01T00:00:00Z".parse().ok());
            let Status::Revoked(revocation) = head.status else { panic!("{zone}") };
            assert_eq!(revocation.at, "2029-06-01T13:00:00Z".parse().ok());
        }
    }
}
