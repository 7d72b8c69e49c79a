//! Where a sealed secret is stored, and so the only place where it opens.

/// The place of one secret. An envelope opens in the place for which it was sealed, and in no other.
///
/// All three parts are compared byte for byte. A table whose rows, columns or owners are renamed has to be sealed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "another part would be another version of the envelope")]
pub struct SealedPlace<'p> {
    /// Which kind of table it is in, such as the name of a schema. Databases that share keys and hold rows of the same
    /// owners can be told apart by it.
    pub schema: &'p str,
    /// Whose row it is: what identifies the row, and not only a customer with several.
    pub owner: &'p str,
    /// Which column of the row it is in.
    pub column: &'p str,
}

impl SealedPlace<'_> {
    /// What the tag of an envelope covers beside the ciphertext: each part is preceded by its length, so that no two
    /// places are written alike.
    pub(super) fn associated_data(&self, key_id: &str) -> Vec<u8> {
        const DOMAIN: &str = "keyward.seal.1";
        let parts = [DOMAIN, key_id, self.schema, self.owner, self.column];
        let mut data = Vec::with_capacity(parts.iter().map(|part| size_of::<u64>() + part.len()).sum());
        for part in parts {
            data.extend((part.len() as u64).to_be_bytes());
            data.extend(part.bytes());
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(key_id: &str, schema: &str, owner: &str, column: &str) -> Vec<u8> {
        SealedPlace { schema, owner, column }.associated_data(key_id)
    }

    #[test]
    fn each_part_is_preceded_by_its_length() {
        let expected = b"\0\0\0\0\0\0\0\x0ekeyward.seal.1\0\0\0\0\0\0\0\x01k\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\xc3\xa9x";
        assert_eq!(data("k", "ab", "", "éx"), expected);
    }

    #[test]
    fn characters_that_move_to_the_next_part_make_another_place() {
        let places = [
            data("k", "a", "bc", "d"),
            data("k", "ab", "c", "d"),
            data("k", "a", "b", "cd"),
            data("k", "abcd", "", ""),
            data("k", "", "abcd", ""),
            data("k", "", "", "abcd"),
            data("ka", "", "bc", "d"),
            data("k", "d", "bc", "a"),
        ];
        for (at, place) in places.iter().enumerate() {
            assert!(places[at + 1..].iter().all(|other| other != place), "{at}");
        }
    }
}
