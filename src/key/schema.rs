//! What a schema is: a table layout, a key format, and what only its keys record.

use std::fmt;

use rand::TryCryptoRng;

use crate::key::{Action, Environment, KeyFormats, KeyId, KeyRecord, OwnerId, RateLimit, RefusalReason};
use crate::random::RandomUnavailable;
use crate::time::Timestamp;

/// A schema: how its keys look, how they get their identity, and what only they record.
///
/// It is a value, whose fields are what a service decides (its prefix, its environment, how strict it is), and the one
/// type parameter of everything that handles its keys. A store holds the value, so that format, identities and
/// strictness always belong to the keys in it.
pub trait Schema: fmt::Debug + Send + Sync + Sized + 'static {
    /// What only this schema records about a key.
    type Details: Clone + fmt::Debug + PartialEq + Send + Sync + 'static;

    /// The schema's name, in one lowercase word.
    const NAME: &'static str;
    /// How its keys get their identity.
    const ID_SCHEME: IdScheme;
    /// Whether its keys can be changed after their issue, each change counting their version up from 1 and leaving an
    /// entry in their history.
    const VERSIONED: bool;

    /// The forms of the keys that are issued and accepted.
    fn formats(&self) -> &KeyFormats;

    /// A condition of this schema's own, beside status and expiry: whether a good key is good **here**.
    ///
    /// # Errors
    /// The reason why it is refused.
    fn admits(&self, key: &KeyRecord<Self>) -> Result<(), RefusalReason>;

    /// By what else than their owner and state its keys are found in lists.
    fn labels(details: &Self::Details) -> Labels<'_>;

    /// How a key came into the store, as the first entry of its history says: issued or imported.
    fn origin(details: &Self::Details) -> Action;

    /// Fills in the details of a new key that follow from its identity or from the schema's own fields.
    fn begin(&self, key: &mut KeyRecord<Self>);

    /// Sets the details of `successor` in which it differs from the rotated key `predecessor`, of which it is a copy.
    fn succeed(&self, predecessor: &KeyRecord<Self>, successor: &mut KeyRecord<Self>);

    /// How many requests a minute a key permits, for [`RateLimiter`](crate::service::RateLimiter). As many as the service
    /// grants by default, unless the schema records a limit.
    #[must_use]
    fn rate_limit(_details: &Self::Details) -> RateLimit {
        RateLimit::ServiceDefault
    }

    /// The identity under which the uses of a key are counted, one for all keys that were rotated one into the other, so
    /// that a rotation resets no limit.
    ///
    /// A schema that records no lineage does what it can: in its grace, a key counts as its successor, so that the two
    /// have one limit between them. Its successor then starts with a full one.
    #[must_use]
    fn lineage(key: &KeyRecord<Self>) -> &KeyId {
        key.head.successor.as_ref().unwrap_or(&key.head.id)
    }
}

/// By what lists of keys are filtered, as far as a schema records it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Labels<'d> {
    /// What people call the key.
    pub name: Option<&'d str>,
    /// The environment that it belongs to.
    pub environment: Option<Environment>,
}

impl<'d> Labels<'d> {
    /// A name, and no environment.
    #[must_use]
    pub const fn named(name: &'d str) -> Self {
        Self { name: Some(name), environment: None }
    }

    /// The same name in an environment.
    #[must_use]
    pub const fn in_environment(self, environment: Environment) -> Self {
        Self { environment: Some(environment), ..self }
    }
}

/// How a new key gets its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdScheme {
    /// A random UUID (version 4, RFC 9562 section 5.4).
    Uuid,
    /// A UUID that starts with the time (version 7, RFC 9562 section 5.7), so that keys sort as they were issued.
    TimeOrderedUuid,
    /// 32 random characters of `0–9 A–Z a–z`.
    Alphanumeric,
    /// The owner's own identity: each owner has one key.
    Owner,
}

impl IdScheme {
    pub(crate) fn assign<R: TryCryptoRng + ?Sized>(
        self,
        owner: &OwnerId,
        random: &mut R,
        now: Timestamp,
    ) -> Result<KeyId, RandomUnavailable> {
        let mut fill = |bytes: &mut [u8]| random.try_fill_bytes(bytes).map_err(|_| RandomUnavailable);
        let id = match self {
            Self::Uuid => {
                let mut bytes = [0; 16];
                fill(&mut bytes)?;
                uuid(bytes, 4)
            }
            Self::TimeOrderedUuid => {
                let mut bytes = [0; 16];
                fill(&mut bytes[6..])?;
                // Instants before 1970 have no place in it; keys are not issued there.
                let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or_default().to_be_bytes();
                bytes[..6].copy_from_slice(&millis[2..]);
                uuid(bytes, 7)
            }
            Self::Alphanumeric => {
                let mut bytes = [0; 32];
                fill(&mut bytes)?;
                // An identity is not secret; the slight bias of the remainder costs it a fraction of a bit.
                let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
                bytes.iter().map(|byte| char::from(alphabet[usize::from(byte % 62)])).collect()
            }
            Self::Owner => owner.as_str().to_owned(),
        };
        Ok(KeyId::from_stored(id))
    }
}

/// The text of a UUID with these bytes, of this version and of the variant of RFC 9562.
fn uuid(mut bytes: [u8; 16], version: u8) -> String {
    bytes[6] = version << 4 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let text = hex::encode(bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use rand::TryRng;

    use super::*;

    /// A generator that counts, from a byte on.
    struct Counting(u8);

    impl TryRng for Counting {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(u32::from(self.0))
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(u64::from(self.0))
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            for byte in bytes {
                *byte = self.0;
                self.0 = self.0.wrapping_add(1);
            }
            Ok(())
        }
    }

    impl TryCryptoRng for Counting {}

    fn assigned(scheme: IdScheme, first: u8) -> String {
        let owner = OwnerId::new("acme").unwrap();
        // 0x017f22e279b0 milliseconds, the example of RFC 9562, and a little more.
        let now = Timestamp::from_micros(1_645_557_742_000_999);
        scheme.assign(&owner, &mut Counting(first), now).unwrap().to_string()
    }

    #[test]
    fn identities_are_uuids_with_their_version_and_variant_or_plain_letters() {
        assert_eq!(assigned(IdScheme::Uuid, 0x00), "00010203-0405-4607-8809-0a0b0c0d0e0f");
        assert_eq!(assigned(IdScheme::Uuid, 0xf0), "f0f1f2f3-f4f5-46f7-b8f9-fafbfcfdfeff");
        assert_eq!(assigned(IdScheme::TimeOrderedUuid, 0xf7), "017f22e2-79b0-77f8-b9fa-fbfcfdfeff00");
        assert_eq!(assigned(IdScheme::Alphanumeric, 0), "0123456789ABCDEFGHIJKLMNOPQRSTUV");
        assert_eq!(assigned(IdScheme::Alphanumeric, 60), "yz0123456789ABCDEFGHIJKLMNOPQRST");
        assert_eq!(assigned(IdScheme::Owner, 0), "acme");
    }
}
