//! The life of an aggregator's key, and everything that is refused in it.

use std::time::Duration;

use keyward::KeysError;
use keyward::key::{
    KeyDigest, KeyFormat, KeyId, KeyPrefix, MalformedKey, PrepareError, Reason, RefusalReason, Revocation, Revoked,
    Status,
};
use keyward::schemas::aggregator::{Aggregator, AggregatorKey, InvalidDid};
use keyward::store::{Reference, RevokeRequest, StoreError};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::host::{DID, Host, OTHER_DID, draft, has_lost, owner, revoked_at, revoked_before};
use crate::support::{Fixture, START, over};

const HOUR: Duration = Duration::from_hours(1);

over![everywhere of Aggregator:
    an_aggregators_first_key_is_accepted_under_its_did,
    issuing_again_replaces_the_key_at_once_and_starts_it_anew,
    a_key_of_another_aggregator_is_never_touched,
    a_revoked_key_is_refused_and_may_be_replaced,
    revoking_again_keeps_the_first_time,
    revoking_hits_the_key_that_was_seen_and_no_other,
    a_revocation_never_hits_a_key_that_another_process_has_issued_since,
    a_prepared_replacement_of_a_key_that_is_gone_loses,
    a_rotation_is_a_replacement_of_a_live_key,
    a_rotation_of_a_key_that_was_revoked_since_loses,
    neither_an_expiry_nor_a_grace_period_is_promised,
    an_aggregator_without_a_key_has_none_to_show_list_or_revoke,
    what_is_known_of_a_key_gives_it_not_away,
    keys_that_share_a_display_prefix_are_distinguished,
];

async fn an_aggregators_first_key_is_accepted_under_its_did(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    assert_eq!(host.only_key().await, None);
    let issued = host.issue().await;
    let key = issued.secret.expose_secret();
    assert!(regex::Regex::new("^ckapi_[0-9a-f]{64}$").unwrap().is_match(key));

    let head = host.keys.verify(key).await.unwrap().record().head.clone();
    assert_eq!((head.id.as_str(), head.owner.as_str()), (DID, DID));
    assert_eq!(head.prefix.as_str(), &key[..12]);
    assert_eq!((head.created_at, head.last_used_at, head.expires_at), (Some(START), None, None));
    assert_eq!((&head.status, head.defect), (&Status::Active, None));
    assert_eq!(host.only_key().await.unwrap().head, head);
    assert_eq!(host.keys.get(&KeyId::new(DID).unwrap()).await.unwrap().unwrap().head, head);
    assert_eq!(host.another_process().await.verify(key).await.unwrap().record().head, head);
}

async fn issuing_again_replaces_the_key_at_once_and_starts_it_anew(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let old = host.issue().await;
    assert_eq!(host.refusal(&old.secret).await, None);
    assert_eq!(host.keys.flush_last_used().await.unwrap(), 1);
    host.keys.revoke_seen(&old.record.head, None).await.unwrap();

    host.clock.advance(HOUR);
    let new = host.issue().await;
    assert_eq!(host.refusal(&old.secret).await, Some(RefusalReason::Unknown));
    assert_eq!(host.refusal(&new.secret).await, None);
    let head = host.only_key().await.unwrap().head;
    assert_eq!(head, new.record.head);
    assert_eq!((head.created_at, head.last_used_at), (Some(START.saturating_add(HOUR)), None));
    assert_eq!(head.status, Status::Active);
    assert_eq!(host.keys.of(&owner(DID)).list(10, None).await.unwrap().keys.len(), 1);
}

async fn a_key_of_another_aggregator_is_never_touched(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    host.add_aggregator(OTHER_DID).await;
    let other = host.keys.issue_only(draft(OTHER_DID)).await.unwrap();
    let key = host.issue().await;
    host.issue().await;
    host.keys.revoke_all(&owner(DID), None).await.unwrap();
    assert_eq!(host.refusal(&key.secret).await, Some(RefusalReason::Unknown));
    assert_eq!(host.refusal(&other.secret).await, None);
    assert_eq!(host.keys.only_key(&owner(OTHER_DID)).await.unwrap().unwrap(), other.record);
}

async fn a_revoked_key_is_refused_and_may_be_replaced(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let key = host.issue().await;
    assert_eq!(host.keys.revoke_seen(&key.record.head, None).await.unwrap(), revoked_at(START));
    // Unlike a key that nobody has issued, for the log; the caller reads the same.
    let revoked = host.keys.verify(key.secret.expose_secret()).await.unwrap_err();
    assert_eq!(revoked.reason(), RefusalReason::Revoked);
    assert_eq!(revoked.key_id().unwrap().as_str(), DID);
    let stranger = KeyFormat::AGGREGATOR.generate(&mut StdRng::seed_from_u64(7)).unwrap();
    let unknown = host.keys.verify(stranger.expose_secret()).await.unwrap_err();
    assert_eq!(unknown.reason(), RefusalReason::Unknown);
    assert_eq!(revoked.to_string(), unknown.to_string());

    let status = host.only_key().await.unwrap().head.status;
    assert_eq!(status, Status::Revoked(Revocation::new(Some(START), None)));
    assert_eq!(host.refusal(&host.issue().await.secret).await, None);
}

async fn revoking_again_keeps_the_first_time(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let head = host.issue().await.record.head;
    let reason = host.keys.store().abilities().revocation_reason.then(|| Reason::new("leaked").unwrap());
    let first = Revocation::new(Some(START), reason.clone());
    let now = Revoked::now(head.id.clone(), first.clone());
    assert_eq!(host.keys.revoke_seen(&head, reason).await.unwrap(), now);
    host.clock.advance(HOUR);
    for keys in [&host.keys, &host.another_process().await] {
        assert_eq!(keys.revoke_seen(&head, None).await.unwrap(), revoked_before(&first));
        assert_eq!(keys.revoke(&head.id, None).await.unwrap(), revoked_before(&first));
        assert_eq!(keys.revoke_all(&owner(DID), None).await.unwrap().count, 0);
    }
    assert_eq!(host.only_key().await.unwrap().head.status, Status::Revoked(first));
}

async fn revoking_hits_the_key_that_was_seen_and_no_other(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let seen = host.issue_and_look().await;
    let new = host.issue().await;
    has_lost(&host.keys.revoke_seen(&seen, None).await);
    assert_eq!(host.refusal(&new.secret).await, None);
    assert_eq!(host.only_key().await.unwrap(), new.record);
}

async fn a_revocation_never_hits_a_key_that_another_process_has_issued_since(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let seen = host.issue_and_look().await;
    let new = host.another_process().await.issue_only(draft(DID)).await.unwrap();
    has_lost(&host.keys.revoke_seen(&seen, None).await);
    assert_eq!(host.refusal(&new.secret).await, None);
}

async fn a_prepared_replacement_of_a_key_that_is_gone_loses(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let seen = host.issue_and_look().await;
    let prepared = host.keys.prepare_replacement(seen, draft(DID)).unwrap();
    let new = host.issue().await;
    assert!(matches!(host.keys.store().rotate(prepared.rotation()).await, Err(StoreError::Conflict)));
    assert_eq!(host.refusal(&new.secret).await, None);

    // The same for a first key, where somebody else's came first.
    let prepared = host.keys.prepare(draft(DID)).unwrap();
    assert!(matches!(host.keys.store().insert(prepared.record()).await, Err(StoreError::Conflict)));
    has_lost(&host.keys.issue(draft(DID)).await);
    assert_eq!(host.refusal(&new.secret).await, None);
}

async fn a_rotation_is_a_replacement_of_a_live_key(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let old = host.issue().await;
    let rotated = host.keys.rotate(&old.record.head.id, Duration::ZERO, None).await.unwrap();
    assert_eq!((&rotated.predecessor, rotated.accepted_until), (&old.record.head.id, START));
    assert_eq!(host.refusal(&old.secret).await, Some(RefusalReason::Unknown));
    assert_eq!(host.refusal(&rotated.successor.secret).await, None);

    host.keys.revoke_seen(&rotated.successor.record.head, None).await.unwrap();
    let refused = host.keys.rotate(&old.record.head.id, Duration::ZERO, None).await;
    assert!(matches!(refused, Err(KeysError::Prepare(PrepareError::NotLive(RefusalReason::Revoked)))), "{refused:?}");
}

/// Otherwise an operator who stops an aggregator could lose, without a word, to a rotation that began before.
async fn a_rotation_of_a_key_that_was_revoked_since_loses(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let old = host.issue().await;
    let prepared = host.keys.prepare_rotation(old.record.clone(), Duration::ZERO, None).unwrap();
    host.keys.revoke_seen(&old.record.head, None).await.unwrap();
    let rotated = host.keys.store().rotate(prepared.rotation()).await;
    assert!(matches!(rotated, Err(StoreError::Conflict)), "{rotated:?}");
    assert_eq!(host.refusal(&old.secret).await, Some(RefusalReason::Revoked));
}

async fn neither_an_expiry_nor_a_grace_period_is_promised(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let mut expiring = draft(DID);
    expiring.expires_at = Some(START.saturating_add(HOUR));
    let refused = host.keys.issue_only(expiring).await;
    assert!(matches!(refused, Err(KeysError::Prepare(PrepareError::NoExpiry))), "{refused:?}");
    assert_eq!(host.only_key().await, None);

    let issued = host.issue().await;
    for (grace, expires_at) in [(HOUR, None), (Duration::ZERO, Some(START.saturating_add(HOUR)))] {
        let refused = host.keys.rotate(&issued.record.head.id, grace, expires_at).await;
        assert!(matches!(refused, Err(KeysError::Prepare(PrepareError::NoExpiry))), "{refused:?}");
    }
    assert_eq!(host.refusal(&issued.secret).await, None);
}

async fn an_aggregator_without_a_key_has_none_to_show_list_or_revoke(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let id = KeyId::new(DID).unwrap();
    assert_eq!(host.only_key().await, None);
    assert_eq!(host.keys.get(&id).await.unwrap(), None);
    assert_eq!(host.keys.of(&owner(DID)).list(10, None).await.unwrap().keys, []);
    assert!(matches!(host.keys.resolve(&owner(DID), DID).await, Err(KeysError::NotFound)));
    assert!(matches!(host.keys.revoke(&id, None).await, Err(KeysError::NotFound)));
    assert!(matches!(host.keys.rotate(&id, Duration::ZERO, None).await, Err(KeysError::NotFound)));
    assert_eq!(host.keys.revoke_all(&owner(DID), None).await.unwrap().count, 0);
}

async fn what_is_known_of_a_key_gives_it_not_away(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let issued = host.issue().await;
    let known = format!("{issued:?} {:?}", host.only_key().await.unwrap());
    let digest = issued.record.head.digest.unwrap().to_hex();
    assert!(known.contains(&issued.secret.expose_secret()[..12]));
    assert!(!known.contains(&issued.secret.expose_secret()[..13]));
    assert!(!known.contains(&digest.as_str()[..9]));
}

/// Six hexadecimal digits are shown, which several keys can have in common; nothing is decided by them.
async fn keys_that_share_a_display_prefix_are_distinguished(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    host.add_aggregator(OTHER_DID).await;
    let keys = [DID, OTHER_DID].map(|did| {
        let mut record = host.keys.prepare(draft(did)).unwrap().record().clone();
        let key = format!("ckapi_c0ffee{}", format!("{:02x}", did.len()).repeat(29));
        record.head.prefix = key[..12].parse().unwrap();
        record.head.digest = Some(KeyDigest::of(&key));
        (did, key, record)
    });
    for (_, _, record) in &keys {
        host.keys.store().insert(record).await.unwrap();
    }
    for (did, key, _) in &keys {
        assert_eq!(host.keys.verify(key).await.unwrap().owner().as_str(), *did);
        assert_eq!(host.keys.resolve(&owner(did), "ckapi_c0ffee").await.unwrap().head.owner.as_str(), *did);
    }
    let [(_, first, record), (_, second, _)] = &keys;
    host.keys.revoke_seen(&record.head, None).await.unwrap();
    assert_eq!(host.keys.verify(first).await.unwrap_err().reason(), RefusalReason::Revoked);
    assert!(host.keys.verify(second).await.is_ok());
}

over![every_database of Aggregator:
    a_key_for_an_unknown_did_is_not_found_and_writes_nothing,
    no_aggregator_no_key_and_already_revoked_are_distinguished,
    what_has_not_the_form_of_a_key_never_reaches_the_database,
    a_revocation_keeps_its_reason_where_there_is_room,
];

async fn a_key_for_an_unknown_did_is_not_found_and_writes_nothing(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let issued = host.issue().await;
    let before = host.row().await;
    let prepared = host.keys.prepare(draft(OTHER_DID)).unwrap();
    let outcomes = [
        host.keys.issue_only(draft(OTHER_DID)).await.map(drop),
        host.keys.issue(draft(OTHER_DID)).await.map(drop),
        host.keys.store().insert(prepared.record()).await.map_err(KeysError::from),
        host.keys.only_key(&owner(OTHER_DID)).await.map(drop).map_err(KeysError::from),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(KeysError::Store(StoreError::Missing(Reference::Owner)))), "{outcome:?}");
        assert_eq!(outcome.unwrap_err().to_string(), "no such owner");
    }
    assert_eq!((host.count_aggregators().await, host.row().await), (1, before));
    assert_eq!(host.refusal(&issued.secret).await, None);
}

/// An operator has to see which of the three it is.
async fn no_aggregator_no_key_and_already_revoked_are_distinguished(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let unknown = host.keys.only_key(&owner(OTHER_DID)).await;
    assert!(matches!(unknown, Err(StoreError::Missing(Reference::Owner))), "{unknown:?}");
    assert_eq!(host.only_key().await, None);
    let seen = host.issue_and_look().await;
    assert_eq!(host.keys.revoke_seen(&seen, None).await.unwrap(), revoked_at(START));
    let first = Revocation::new(Some(START), None);
    assert_eq!(host.keys.revoke_seen(&seen, None).await.unwrap(), revoked_before(&first));
    host.delete_aggregator(DID).await;
    has_lost(&host.keys.revoke_seen(&seen, None).await);
}

async fn what_has_not_the_form_of_a_key_never_reaches_the_database(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let issued = host.issue().await;
    let key = issued.secret.expose_secret();
    host.run("DROP TABLE aggregators").await;
    let capitals = format!("ckapi_{}", key[6..].to_uppercase());
    let presented = [
        String::new(),
        "ckapi_".to_owned(),
        key[..69].to_owned(),
        format!("{key}0"),
        format!("{key}\n"),
        format!(" {}", &key[..69]),
        format!("CKAPI_{}", &key[6..]),
        format!("ckapi-{}", &key[6..]),
        capitals.replace(|digit: char| digit.is_ascii_digit(), "A"),
        format!("{}g", &key[..69]),
        format!("{}\0", &key[..69]),
        format!("{}é", &key[..68]),
        "ckapi_".repeat(1000),
    ];
    for presented in presented {
        let refusal = host.keys.verify(&presented).await.unwrap_err();
        assert!(matches!(refusal.reason(), RefusalReason::Malformed(_)), "{presented:?}: {:?}", refusal.reason());
    }
    let other_service = host.keys.verify("riq_abc123xyz").await.unwrap_err().reason();
    let expected = KeyPrefix::new("ckapi_").unwrap();
    assert_eq!(other_service, RefusalReason::Malformed(MalformedKey::WrongPrefix { expected }));
    // What has the form does reach it.
    assert_eq!(host.refusal(&issued.secret).await, Some(RefusalReason::StoreUnavailable));
}

async fn a_revocation_keeps_its_reason_where_there_is_room(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let head = host.issue().await.record.head;
    let reason = Reason::new("found in a public repository").unwrap();
    let revoked = host.keys.revoke_seen(&head, Some(reason.clone())).await;
    if !host.keys.store().abilities().revocation_reason {
        assert!(matches!(revoked, Err(KeysError::Store(StoreError::Unsupported(_)))), "{revoked:?}");
        assert_eq!(host.only_key().await.unwrap().head.status, Status::Active);
        return;
    }
    let stands = Revocation::new(Some(START), Some(reason));
    assert_eq!(revoked.unwrap(), Revoked::now(head.id, stands.clone()));
    assert_eq!(host.only_key().await.unwrap().head.status, Status::Revoked(stands));

    // The reason is the old key's: it is no reason against the new one.
    let new = host.issue().await.record.head;
    let request = RevokeRequest::new(new.id.clone(), START).seen(new.digest);
    assert_eq!(host.keys.store().revoke(&request).await.unwrap(), Some(revoked_at(START)));
    let stands = Status::Revoked(Revocation::new(Some(START), None));
    assert_eq!(host.only_key().await.unwrap().head.status, stands);
}

#[test]
fn a_key_belongs_to_a_did() {
    for other in ["news", "did:plc", "did:PLC:abc", "https://example.org", "did:plc:a b", "did:plc:a\n"] {
        assert_eq!(AggregatorKey::of(other).err(), Some(InvalidDid), "{other:?}");
    }
}
