//! SHA-256 of a text as short as a key, where buffering costs half as much again as the hash itself.
//!
//! The compression function is that of `sha2`. Only the padding around it is laid out here: in words of 16 bytes, which
//! is how they are read again, and both blocks before either is hashed.

use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

/// FIPS 180-4, section 5.3.3.
const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const BLOCK: usize = 64;
const WORD: usize = 16;
/// What the end mark and the number of bits take at least.
const PADDING: usize = 9;

/// The digest of any text.
#[inline]
pub(super) fn sha256(text: &[u8]) -> [u8; 32] {
    let blocks = (text.len() + PADDING).div_ceil(BLOCK);
    match text.last_chunk() {
        Some(end) if blocks <= 2 => of_two_blocks(text, end, blocks),
        _ => Sha256::digest(text).into(),
    }
}

/// The digest of a text of which `end` is the end, and which takes one or two blocks together with its padding.
fn of_two_blocks(text: &[u8], end: &[u8; WORD], blocks: usize) -> [u8; 32] {
    let mut padded = [[0; BLOCK]; 2];
    let (words, _) = padded.as_flattened_mut().as_chunks_mut::<WORD>();
    let (whole, rest) = text.as_chunks();
    for (word, whole) in words.iter_mut().zip(whole) {
        *word = *whole;
    }
    // Of the end, only the last `rest` bytes are not in a whole word. Then comes a one bit, as FIPS 180-4 has it.
    let bits = 8 * rest.len();
    let rest = u128::from_le_bytes(*end) >> (120 - bits) >> 8;
    words[whole.len()] = (rest | 0x80 << bits).to_le_bytes();
    let last = &mut words[blocks * BLOCK / WORD - 1];
    *last = (u128::from_be_bytes(*last) | (8 * text.len() as u128)).to_be_bytes();

    let mut state = INITIAL_STATE;
    compress256(&mut state, &padded[..blocks]);
    let mut digest = [0; 32];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_have_the_digest_that_sha2_gives_them() {
        let text: Vec<u8> = (0..=u8::MAX).cycle().skip(0x7f).take(600).collect();
        for length in 0..text.len() {
            for text in [&text[..length], &vec![0xff; length], &vec![0; length]] {
                assert_eq!(sha256(text), <[u8; 32]>::from(Sha256::digest(text)), "{length} bytes");
            }
        }
    }
}
