//! Formats and generators that several modules draw from.

use std::convert::Infallible;

use keyward::key::{Encoding, KeyFormat};
use proptest::collection::vec;
use proptest::prelude::*;
use rand::{TryCryptoRng, TryRng};

pub(crate) const ENCODINGS: [Encoding; 3] = [Encoding::Hex, Encoding::Base64Url, Encoding::Base62Checked];

/// The characters of an encoding, written out once more so that the crate's own table is not its only witness.
pub(crate) fn alphabet(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hex => "0123456789abcdef",
        Encoding::Base64Url => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        Encoding::Base62Checked => "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        _ => panic!("an encoding that these tests do not know"),
    }
}

/// A format together with its encoding, which the format does not expose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) format: KeyFormat,
    pub(crate) encoding: Encoding,
}

impl Form {
    pub(crate) fn custom(prefix: &str, random_bytes: usize, encoding: Encoding, shown: usize) -> Self {
        let format = KeyFormat::new(prefix, random_bytes, encoding, prefix.len() + shown).expect("a sound format");
        Self { format, encoding }
    }

    pub(crate) fn prefix(&self) -> &str {
        self.format.prefix().as_str()
    }

    /// Whether a text has the shape of this form's keys, leaving the checksum aside.
    pub(crate) fn fits(&self, text: &str) -> bool {
        text.len() == self.format.key_len()
            && text
                .strip_prefix(self.prefix())
                .is_some_and(|body| body.chars().all(|letter| alphabet(self.encoding).contains(letter)))
    }
}

pub(crate) fn constants() -> [Form; 3] {
    [
        Form { format: KeyFormat::AGGREGATOR, encoding: Encoding::Hex },
        Form { format: KeyFormat::MESH, encoding: Encoding::Base64Url },
        Form { format: KeyFormat::SCRAPER, encoding: Encoding::Base64Url },
    ]
}

/// The three constants, and every encoding with every number of random bytes.
pub(crate) fn every_form() -> impl Iterator<Item = Form> {
    let custom = ENCODINGS
        .into_iter()
        .flat_map(|encoding| (16..=64).map(move |random_bytes| Form::custom("acme_", random_bytes, encoding, 4)));
    constants().into_iter().chain(custom)
}

/// Any sound format, with prefixes of every allowed character. At most 5 characters of the body may be shown whatever
/// the encoding and the length.
pub(crate) fn any_form() -> impl Strategy<Value = Form> {
    let custom = ("[A-Za-z0-9][A-Za-z0-9_-]{1,15}", 16_usize..=64, prop::sample::select(&ENCODINGS), 1_usize..=5)
        .prop_map(|(prefix, random_bytes, encoding, shown)| Form::custom(&prefix, random_bytes, encoding, shown));
    prop_oneof![1 => prop::sample::select(constants().to_vec()), 4 => custom]
}

/// A generator whose bytes the test decides, so that a failure can be repeated and made smaller. It starts anew at
/// every draw.
#[derive(Clone, Debug)]
pub(crate) struct Given(pub(crate) Vec<u8>);

impl Given {
    pub(crate) fn all(byte: u8) -> Self {
        Self(vec![byte; 64])
    }
}

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(*self.0.first_chunk().expect("64 bytes")))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(*self.0.first_chunk().expect("64 bytes")))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0[..bytes.len()]);
        Ok(())
    }
}

impl TryCryptoRng for Given {}

pub(crate) fn any_bytes() -> impl Strategy<Value = Given> {
    prop_oneof![1 => Just(Given::all(0)), 1 => Just(Given::all(0xff)), 8 => vec(any::<u8>(), 64).prop_map(Given)]
}
