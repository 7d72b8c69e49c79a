//! A key is accepted exactly when a live record has its digest and the schema admits it.

use std::sync::Arc;

use keyward::Timestamp;
use keyward::key::{
    Action, Defect, Disabling, DisplayPrefix, IdScheme, KeyDigest, KeyFormat, KeyFormats, KeyHead, KeyId, KeyRecord,
    Labels, OwnerId, RefusalReason, Revocation, Schema, Status, decide,
};
use proptest::collection::vec;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_micros(1_893_456_000_000_000);
const DEFECT: Defect = Defect::new("api_keys", "scopes");

/// A schema whose records have a number, and which admits only those that are at home.
#[derive(Debug)]
struct Numbered(KeyFormats);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    number: usize,
    at_home: bool,
}

impl Schema for Numbered {
    type Details = Details;

    const NAME: &'static str = "numbered";
    const ID_SCHEME: IdScheme = IdScheme::Uuid;
    const VERSIONED: bool = false;

    fn formats(&self) -> &KeyFormats {
        &self.0
    }

    fn admits(&self, key: &KeyRecord<Self>) -> Result<(), RefusalReason> {
        if key.details.at_home { Ok(()) } else { Err(RefusalReason::OtherEnvironment) }
    }

    fn labels(_details: &Details) -> Labels<'_> {
        Labels::default()
    }

    fn origin(_details: &Details) -> Action {
        Action::Issued
    }

    fn begin(&self, _key: &mut KeyRecord<Self>) {}

    fn succeed(&self, _predecessor: &KeyRecord<Self>, _successor: &mut KeyRecord<Self>) {}
}

fn any_status() -> impl Strategy<Value = Status> {
    prop_oneof![
        4 => Just(Status::Active),
        1 => Just(Status::Disabled(Disabling::new(Some(NOW), None))),
        1 => Just(Status::TenantDisabled),
        1 => Just(Status::Revoked(Revocation::default())),
        1 => Just(Status::Revoked(Revocation::new(Some(NOW), None))),
    ]
}

/// Few different digests and instants close to now, so that the interesting meetings are frequent.
fn any_record() -> impl Strategy<Value = KeyRecord<Numbered>> {
    let digest = prop::option::weighted(0.9, (0_u8..3).prop_map(|key| KeyDigest::of(&key.to_string())));
    let expires_at = prop::option::of((-2_i64..=2).prop_map(|micros| Timestamp::from_micros(NOW.as_micros() + micros)));
    let defect = prop::option::weighted(0.2, Just(DEFECT));
    let at_home = prop::bool::weighted(0.8);
    (digest, any_status(), expires_at, defect, at_home).prop_map(|(digest, status, expires_at, defect, at_home)| {
        let owner = OwnerId::new("acme").expect("an owner");
        let prefix = DisplayPrefix::new("acme_same").expect("a prefix");
        let mut head = KeyHead::new(KeyId::new("key").expect("an identity"), owner, prefix, digest);
        head.expires_at = expires_at;
        head.status = status;
        head.defect = defect;
        KeyRecord::new(head, Details { number: 0, at_home })
    })
}

/// Numbers the records, so that it is known which one was chosen.
fn any_records() -> impl Strategy<Value = Vec<Arc<KeyRecord<Numbered>>>> {
    vec(any_record(), 0..8).prop_map(|records| {
        let number = |(number, mut record): (usize, KeyRecord<Numbered>)| {
            record.head.id = KeyId::new(format!("key {number}")).expect("an identity");
            record.details.number = number;
            Arc::new(record)
        };
        records.into_iter().enumerate().map(number).collect()
    })
}

/// The rule, said once more in other words: what a key needs to be accepted.
fn is_acceptable(record: &KeyRecord<Numbered>) -> bool {
    let head = &record.head;
    head.status == Status::Active
        && head.defect.is_none()
        && head.expires_at.is_none_or(|end| NOW < end)
        && record.details.at_home
}

/// Whether the reason is true of the key.
fn explains(reason: RefusalReason, record: &KeyRecord<Numbered>) -> bool {
    let head = &record.head;
    match reason {
        RefusalReason::Revoked => matches!(head.status, Status::Revoked(_)),
        RefusalReason::Disabled => matches!(head.status, Status::Disabled(_)),
        RefusalReason::TenantDisabled => head.status == Status::TenantDisabled,
        RefusalReason::Expired => head.expires_at.is_some_and(|end| end <= NOW),
        RefusalReason::Unusable(defect) => head.defect == Some(defect),
        RefusalReason::OtherEnvironment => !record.details.at_home,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_key_is_accepted_exactly_when_a_live_record_has_its_digest(records in any_records()) {
        let schema = Numbered(KeyFormats::new(KeyFormat::SCRAPER));
        let digest = KeyDigest::of("0");
        let matching: Vec<_> = records.iter().filter(|record| record.head.digest == Some(digest)).collect();
        match decide(&schema, records.clone(), &digest, NOW) {
            Ok(accepted) => {
                prop_assert_eq!(accepted.head().digest, Some(digest));
                prop_assert!(is_acceptable(accepted.record()));
                // It is the stored record itself and no copy.
                prop_assert!(Arc::ptr_eq(accepted.record(), &records[accepted.details().number]));
            }
            Err(refusal) => {
                prop_assert!(!matching.iter().any(|record| is_acceptable(record)));
                prop_assert!(!refusal.is_outage() && refusal.outage().is_none());
                if let Some(record) = matching.iter().find(|record| Some(&record.head.id) == refusal.key_id()) {
                    prop_assert!(explains(refusal.reason(), record), "{:?}", refusal);
                } else {
                    prop_assert!(matching.is_empty() && refusal.key_id().is_none());
                    prop_assert_eq!(refusal.reason(), RefusalReason::Unknown);
                }
            }
        }
    }
}
