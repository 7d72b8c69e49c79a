//! Rows in which somebody has left something odd: they grant nothing, harm nobody else, and can be put right.

use std::slice;

use keyward::key::{Defect, RefusalReason, Status};
use keyward::schemas::aggregator::Aggregator;

use super::host::{DID, Host, OTHER_DID, draft, has_lost, owner, revoked_at};
use crate::support::{Fixture, START, over};

/// What is odd about a digest.
const ODD_DIGESTS: [&str; 6] = [
    "api_key_hash = upper(api_key_hash)",
    "api_key_hash = substr(api_key_hash, 1, 63)",
    "api_key_hash = substr(api_key_hash, 1, 63) || ' '",
    "api_key_hash = substr(api_key_hash, 1, 63) || 'g'",
    "api_key_hash = replace(api_key_hash, substr(api_key_hash, 1, 1), 'é')",
    "api_key_hash = ''",
];

const fn unusable(column: &'static str) -> RefusalReason {
    RefusalReason::Unusable(Defect::new("aggregators", column))
}

/// The key of a row that was made odd is refused; it is listed, revoked and replaced like any other, and its neighbour
/// notices nothing.
async fn grants_nothing_and_can_be_put_right(host: &Host, odd: &str, reason: RefusalReason) {
    let neighbour = host.keys.issue_only(draft(OTHER_DID)).await.unwrap();
    for revoked_first in [false, true] {
        let old = host.issue().await;
        host.set(odd).await;
        assert_eq!(host.refusal(&old.secret).await, Some(reason), "{odd}");

        let seen = host.only_key().await.unwrap();
        assert_eq!(host.keys.of(&owner(DID)).list(10, None).await.unwrap().keys, slice::from_ref(&seen), "{odd}");
        assert_eq!(host.keys.get(&seen.head.id).await.unwrap(), Some(seen.clone()), "{odd}");
        assert_eq!(host.keys.resolve(&owner(DID), DID).await.unwrap(), seen, "{odd}");
        if revoked_first && seen.head.defect.is_none_or(|defect| defect.column != "api_key_revoked_at") {
            assert_eq!(host.keys.revoke_seen(&seen.head, None).await.unwrap(), revoked_at(START), "{odd}");
            assert!(matches!(host.only_key().await.unwrap().head.status, Status::Revoked(_)), "{odd}");
            assert!(host.refusal(&old.secret).await.is_some(), "{odd}");
        }

        let new = host.keys.issue_only(draft(DID)).await;
        let new = new.unwrap_or_else(|error| panic!("{odd}: {error}"));
        assert_eq!(host.refusal(&new.secret).await, None, "{odd}");
        assert_eq!(host.refusal(&old.secret).await, Some(RefusalReason::Unknown), "{odd}");
        assert_eq!(host.only_key().await.unwrap(), new.record, "{odd}");
        assert_eq!(host.refusal(&neighbour.secret).await, None, "{odd}");
    }
}

async fn host_with_a_neighbour(fixture: Fixture<Aggregator>) -> Host {
    let host = Host::over(fixture).await;
    host.add_aggregator(OTHER_DID).await;
    host
}

over![every_database of Aggregator:
    a_digest_that_is_none_belongs_to_no_key_and_can_be_replaced,
    a_key_without_a_display_prefix_grants_nothing_and_can_be_replaced,
    a_display_prefix_of_other_characters_is_shown_and_never_trusted,
    leftovers_of_a_key_without_a_digest_are_no_key,
    a_key_with_an_odd_digest_that_was_replaced_since_is_not_revoked_in_its_successors_place,
    of_two_replacements_of_a_key_with_an_odd_digest_one_wins,
];

async fn a_digest_that_is_none_belongs_to_no_key_and_can_be_replaced(fixture: Fixture<Aggregator>) {
    let host = host_with_a_neighbour(fixture).await;
    for odd in ODD_DIGESTS {
        grants_nothing_and_can_be_put_right(&host, odd, RefusalReason::Unknown).await;
    }
}

async fn a_key_without_a_display_prefix_grants_nothing_and_can_be_replaced(fixture: Fixture<Aggregator>) {
    let host = host_with_a_neighbour(fixture).await;
    grants_nothing_and_can_be_put_right(&host, "api_key_prefix = NULL", unusable("api_key_prefix")).await;
}

async fn a_display_prefix_of_other_characters_is_shown_and_never_trusted(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let issued = host.issue().await;
    host.set("api_key_prefix = '%_'").await;
    assert_eq!(host.refusal(&issued.secret).await, None, "the digest alone decides");
    assert_eq!(host.only_key().await.unwrap().head.prefix.as_str(), "%_");
}

async fn leftovers_of_a_key_without_a_digest_are_no_key(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let old = host.issue().await;
    host.set("api_key_revoked_at = '2029-01-01 00:00:00', api_key_last_used_at = '2029-01-01 00:00:00'").await;
    host.set("api_key_hash = NULL").await;
    assert_eq!(host.only_key().await, None);
    assert_eq!(host.keys.of(&owner(DID)).list(10, None).await.unwrap().keys, []);
    assert_eq!(host.keys.revoke_all(&owner(DID), None).await.unwrap().count, 0);
    assert_eq!(host.refusal(&old.secret).await, Some(RefusalReason::Unknown));
    let new = host.issue().await;
    assert_eq!(host.only_key().await.unwrap(), new.record, "nothing is left of the old one");
}

/// Of an odd digest the caller has seen nothing that distinguishes its key from the next one.
async fn a_key_with_an_odd_digest_that_was_replaced_since_is_not_revoked_in_its_successors_place(
    fixture: Fixture<Aggregator>,
) {
    let host = Host::over(fixture).await;
    host.issue().await;
    host.set("api_key_hash = 'odd'").await;
    let seen = host.only_key().await.unwrap().head;
    let new = host.issue().await;
    has_lost(&host.keys.revoke_seen(&seen, None).await);
    assert_eq!(host.refusal(&new.secret).await, None);
}

async fn of_two_replacements_of_a_key_with_an_odd_digest_one_wins(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    host.issue().await;
    host.set("api_key_hash = 'odd'").await;
    let seen = host.only_key().await.unwrap().head;
    let prepare = || host.keys.prepare_replacement(seen.clone(), draft(DID)).unwrap();
    let [first, second] = [prepare(), prepare()];
    host.keys.store().rotate(first.rotation()).await.unwrap();
    let second = host.keys.store().rotate(second.rotation()).await;
    has_lost(&second.map_err(Into::into));
    assert_eq!(host.only_key().await.unwrap(), first.rotation().successor);
}

/// What only SQLite's columns can hold: anything, where no `CHECK` forbids it.
#[cfg(feature = "sqlite")]
mod sqlite {
    use keyward::key::Revocation;

    use super::super::host::revoked_before;
    use super::{
        Fixture, Host, RefusalReason, Status, grants_nothing_and_can_be_put_right, host_with_a_neighbour, unusable,
    };

    async fn host() -> Host {
        host_with_a_neighbour(Fixture::sqlite().await).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_instant_that_is_none_grants_nothing_and_can_be_replaced() {
        let host = host().await;
        for column in ["api_key_created_at", "api_key_revoked_at", "api_key_last_used_at"] {
            for value in ["'soon'", "''", "'2031-13-01 00:00:00'", "1893456000", "2462502.5", "x'32303330'"] {
                let odd = format!("{column} = {value}");
                grants_nothing_and_can_be_put_right(&host, &odd, unusable(column)).await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_key_whose_revocation_has_an_odd_time_counts_as_stopped() {
        let host = host().await;
        let issued = host.issue().await;
        host.set("api_key_revoked_at = 'yesterday'").await;
        assert_eq!(host.refusal(&issued.secret).await, Some(unusable("api_key_revoked_at")));
        let again = host.keys.revoke_seen(&issued.record.head, None).await.unwrap();
        assert_eq!(again, revoked_before(&Revocation::new(None, None)));
        assert_eq!(host.value("api_key_revoked_at").await.as_deref(), Some("yesterday"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_revocation_in_any_form_of_time_is_one() {
        let host = host().await;
        for (written, meant) in [
            ("2029-06-01", "2029-06-01T00:00:00Z"),
            ("2029-06-01 12:30", "2029-06-01T12:30:00Z"),
            ("2029-06-01T12:30:15Z", "2029-06-01T12:30:15Z"),
            ("2029-06-01 12:30:15+02:00", "2029-06-01T10:30:15Z"),
            ("2099-01-01 00:00:00", "2099-01-01T00:00:00Z"),
        ] {
            let issued = host.issue().await;
            host.set(&format!("api_key_revoked_at = '{written}'")).await;
            assert_eq!(host.refusal(&issued.secret).await, Some(RefusalReason::Revoked), "{written}");
            let Status::Revoked(revocation) = host.only_key().await.unwrap().head.status else { panic!("{written}") };
            assert_eq!(revocation.at, meant.parse().ok(), "{written}");
        }
    }

    /// A blob with the characters of a digest is none to `decode`, so it must be none to a replacement either.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_digest_that_is_a_blob_belongs_to_no_key_and_can_be_replaced() {
        let host = host().await;
        let odd = "api_key_hash = CAST(api_key_hash AS BLOB)";
        grants_nothing_and_can_be_put_right(&host, odd, RefusalReason::Unknown).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_display_prefix_that_is_no_text_grants_nothing() {
        let host = host().await;
        for value in ["x'636b6170695f'", "CAST(x'ff' AS TEXT)"] {
            let odd = format!("api_key_prefix = {value}");
            grants_nothing_and_can_be_put_right(&host, &odd, unusable("api_key_prefix")).await;
        }
    }
}

/// What only PostgreSQL's columns can hold.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_revoked_before_or_after_all_time_is_revoked() {
    let host = Host::over(Fixture::postgres().await).await;
    for at in ["infinity", "-infinity", "4000-01-01 BC", "20000-01-01"] {
        let issued = host.issue().await;
        host.set(&format!("api_key_revoked_at = '{at}'")).await;
        assert_eq!(host.refusal(&issued.secret).await, Some(RefusalReason::Revoked), "{at}");
        let again = host.keys.revoke_seen(&issued.record.head, None).await.unwrap();
        assert!(again.already, "{at}: {again:?}");
    }
}
