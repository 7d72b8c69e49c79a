//! The names of keys in Redis.

use std::fmt::Write as _;

use crate::key::Lineage;

/// The longest prefix, in bytes.
const MAX_PREFIX_LEN: usize = 64;

/// What the names of all keys of one service start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prefix(String);

impl Prefix {
    pub(super) fn new(prefix: String) -> Result<Self, InvalidRedisPrefix> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        let is_good = (1..=MAX_PREFIX_LEN).contains(&prefix.len()) && prefix.bytes().all(is_plain);
        if is_good { Ok(Self(prefix)) } else { Err(InvalidRedisPrefix) }
    }

    /// `acme:limit:standard:{0198…}`: what is counted for one lineage. In a cluster, all of it lies in one slot, and the
    /// lineages in all slots, as the identity stands in braces. Identities that a store holds may be any text: every byte
    /// of one that is not plain is written `%XX`, so that no two of them share a name and none breaks out of its braces.
    pub(super) fn name(&self, what: &str, Lineage { schema, id, .. }: Lineage<'_>) -> String {
        let Self(prefix) = self;
        let mut name = format!("{prefix}:{what}:{schema}:{{");
        for byte in id.as_str().bytes() {
            if byte.is_ascii_alphanumeric() || b"_-.:~".contains(&byte) {
                name.push(char::from(byte));
            } else {
                // Writing to a `String` cannot fail.
                let _ = write!(name, "%{byte:02X}");
            }
        }
        name.push('}');
        name
    }
}

/// The prefix of keys in Redis is not 1 to 64 characters of `A–Z a–z 0–9 _ - . :`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the prefix of keys in Redis must be 1 to 64 characters of A-Z a-z 0-9 _ - . :")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidRedisPrefix;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyId;

    fn name(id: &str) -> String {
        let prefix = Prefix::new("acme".to_owned()).unwrap();
        prefix.name("limit", Lineage { schema: "standard", id: &KeyId::from_stored(id) })
    }

    #[test]
    fn every_identity_has_a_name_of_its_own_with_one_hash_tag() {
        assert_eq!(name("0198-ab"), "acme:limit:standard:{0198-ab}");
        assert_eq!(name("did:plc:x"), "acme:limit:standard:{did:plc:x}");
        assert_eq!(name("a}{b"), "acme:limit:standard:{a%7D%7Bb}");
        assert_eq!(name("a%7D"), "acme:limit:standard:{a%257D}");
        assert_eq!(name("é\0\n "), "acme:limit:standard:{%C3%A9%00%0A%20}");
        assert_eq!(name(""), "acme:limit:standard:{}");
    }

    #[test]
    fn a_prefix_cannot_hold_a_hash_tag_of_its_own() {
        let long = "a".repeat(MAX_PREFIX_LEN + 1);
        for prefix in ["", "a{b}", "a b", "acmé", "a\n", &long] {
            assert_eq!(Prefix::new(prefix.to_owned()), Err(InvalidRedisPrefix), "{prefix}");
        }
        for prefix in ["a", "acme:eu-1", &long[1..]] {
            assert!(Prefix::new(prefix.to_owned()).is_ok(), "{prefix}");
        }
    }
}
