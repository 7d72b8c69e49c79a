//! Which keys a list is about, and where a fault gets that wrong.

use keyward::Timestamp;
use keyward::key::{KeyHead, KeyRecord, RefusalReason, Schema, Status};
use keyward::store::{KeyFilter, KeyState};

use super::faults::Fault;

pub(super) fn meets<S: Schema>(key: &KeyRecord<S>, filter: &KeyFilter, at: Timestamp, fault: Option<Fault>) -> bool {
    let KeyFilter { owner, starting_with, state, environment, name, expiring_before, unused_since, .. } = filter;
    let (head, labels) = (&key.head, S::labels(&key.details));
    let has = |other| fault == Some(other);
    let is_the_owner = |owner: &str| match head.owner.as_str() {
        stored if has(Fault::ListIgnoresTheCaseOfOwners) => stored.eq_ignore_ascii_case(owner),
        stored => stored == owner,
    };
    let is_the_name = |name: &str| match labels.name {
        Some(stored) if has(Fault::NameIgnoresCase) => stored.eq_ignore_ascii_case(name),
        stored => stored == Some(name),
    };
    let expires_in_time = |before: Timestamp| {
        let is_just_then = has(Fault::ExpiringBeforeIncludesTheInstant) && head.expires_at == Some(before);
        is_just_then || head.expires_at.is_some_and(|expires_at| expires_at < before)
    };
    let is_unused = |since: Timestamp| match head.last_used_at {
        None => !has(Fault::UnusedSinceSkipsKeysThatWereNeverUsed),
        Some(used_at) => used_at < since,
    };
    owner.as_ref().is_none_or(|owner| is_the_owner(owner.as_str()))
        && starting_with.as_ref().is_none_or(|start| has_start(head, start, fault))
        && state.is_none_or(|state| state_of(head, at, fault) == Some(state))
        && (environment.is_none_or(|asked| labels.environment == Some(asked)) || has(Fault::EnvironmentIsIgnored))
        && name.as_ref().is_none_or(|name| is_the_name(name.as_str()))
        && expiring_before.is_none_or(expires_in_time)
        && unused_since.is_none_or(is_unused)
}

fn has_start(head: &KeyHead, start: &str, fault: Option<Fault>) -> bool {
    [head.id.as_str(), head.prefix.as_str()].iter().any(|text| match fault {
        Some(Fault::StartIsIgnored) => true,
        Some(Fault::StartIgnoresCase) => text.to_lowercase().starts_with(&start.to_lowercase()),
        Some(Fault::StartIsAPattern) => text.starts_with(start.trim_end_matches('%')),
        Some(Fault::StartIsFoundAnywhere) => text.contains(start),
        _ => text.starts_with(start),
    })
}

fn state_of(head: &KeyHead, at: Timestamp, fault: Option<Fault>) -> Option<KeyState> {
    match head.standing(at) {
        Err(RefusalReason::Expired) if fault == Some(Fault::StateIgnoresTheExpiry) => Some(KeyState::Active),
        Ok(()) => Some(KeyState::Active),
        Err(RefusalReason::Revoked) => Some(KeyState::Revoked),
        Err(RefusalReason::Disabled) => Some(KeyState::Disabled),
        Err(RefusalReason::Expired) => Some(KeyState::Expired),
        Err(_) => None,
    }
}

pub(super) fn is_dead_before(head: &KeyHead, before: Timestamp) -> bool {
    let revoked_at = match &head.status {
        Status::Revoked(revocation) => revocation.at,
        _ => None,
    };
    [revoked_at, head.expires_at].into_iter().flatten().any(|at| at < before)
}
