//! Multibase of P-256 private keys: `z`, and in base58btc two octets that say what it is, and the scalar.

use zeroize::Zeroizing;

use crate::credential::InvalidDpopKey;
use crate::secret::Secret;

/// The length of the text, always.
pub(super) const TEXT_LEN: usize = 48;
/// Of a scalar.
pub(super) const SCALAR_LEN: usize = 32;

/// Multicodec `p256-priv`, 0x1306, as an unsigned varint.
const P256_PRIVATE: [u8; 2] = [0x86, 0x26];
/// Multicodec `secp256k1-priv`, 0x1301.
const SECP256K1_PRIVATE: [u8; 2] = [0x81, 0x26];
/// Both octets and the scalar.
const BINARY_LEN: usize = P256_PRIVATE.len() + SCALAR_LEN;

/// The scalar, whatever its value.
pub(super) fn decode(text: &str) -> Result<Zeroizing<[u8; SCALAR_LEN]>, InvalidDpopKey> {
    let Some(digits) = text.strip_prefix('z') else { return Err(InvalidDpopKey::NotBase58) };
    // 35 octets take one digit more, or none more, so the length of the text is looked at first.
    if text.len() != TEXT_LEN {
        return Err(InvalidDpopKey::Length);
    }
    let mut binary = Zeroizing::new([0_u8; BINARY_LEN]);
    match bs58::decode(digits).onto(binary.as_mut_slice()) {
        Ok(BINARY_LEN) => {}
        Ok(_) | Err(bs58::decode::Error::BufferTooSmall) => return Err(InvalidDpopKey::Length),
        Err(_) => return Err(InvalidDpopKey::NotBase58),
    }
    let (codec, scalar) = binary.split_at(P256_PRIVATE.len());
    if codec == SECP256K1_PRIVATE {
        return Err(InvalidDpopKey::Secp256k1);
    }
    if codec != P256_PRIVATE {
        return Err(InvalidDpopKey::NotP256);
    }
    let mut found = Zeroizing::new([0; SCALAR_LEN]);
    found.copy_from_slice(scalar);
    Ok(found)
}

pub(super) fn encode(scalar: &[u8; SCALAR_LEN]) -> Secret {
    let mut binary = Zeroizing::new([0_u8; BINARY_LEN]);
    binary[..P256_PRIVATE.len()].copy_from_slice(&P256_PRIVATE);
    binary[P256_PRIVATE.len()..].copy_from_slice(scalar);
    let mut digits = Zeroizing::new([0_u8; TEXT_LEN]);
    let length = bs58::encode(binary.as_slice()).onto(digits.as_mut_slice()).unwrap_or_default();
    let mut text = String::with_capacity(TEXT_LEN);
    text.push('z');
    text.extend(digits[..length].iter().copied().map(char::from));
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In base58btc, whatever it is.
    fn text(binary: &[u8]) -> String {
        let mut digits = [0; 128];
        let length = bs58::encode(binary).onto(digits.as_mut_slice()).unwrap();
        format!("z{}", std::str::from_utf8(&digits[..length]).unwrap())
    }

    fn with_codec(codec: [u8; 2], scalar: &[u8]) -> String {
        text(&[&codec, scalar].concat())
    }

    #[test]
    fn every_scalar_has_a_text_of_forty_eight_characters_and_comes_back() {
        for scalar in [[0; 32], [1; 32], [0x7f; 32], [0xff; 32]] {
            let encoded = encode(&scalar);
            assert_eq!(encoded.expose_secret().len(), TEXT_LEN);
            assert!(encoded.expose_secret().starts_with("z42"));
            assert_eq!(*decode(encoded.expose_secret()).unwrap(), scalar);
        }
    }

    #[test]
    fn other_curves_lengths_and_bases_are_refused_by_name() {
        assert_eq!(decode(&with_codec(SECP256K1_PRIVATE, &[7; 32])), Err(InvalidDpopKey::Secp256k1));
        for codec in [[0x80, 0x24], [0x86, 0x27], [0xed, 0x01]] {
            assert_eq!(decode(&with_codec(codec, &[7; 32])), Err(InvalidDpopKey::NotP256));
        }
        for length in [0, 1, 31, 33, 34, 64] {
            assert_eq!(decode(&with_codec(P256_PRIVATE, &vec![7; length])), Err(InvalidDpopKey::Length), "{length}");
        }
        let good = encode(&[7; 32]);
        let good = good.expose_secret();
        for other in [
            good.replacen('z', "m", 1),
            good.replacen('z', "Z", 1),
            good[1..].to_owned(),
            format!(" {good}"),
            format!("{}0", &good[..47]),
            format!("{}l", &good[..47]),
            format!("{}é", &good[..46]),
            String::new(),
        ] {
            assert_eq!(decode(&other), Err(InvalidDpopKey::NotBase58), "{other}");
        }
        for other in ["z".to_owned(), format!("{good}\n"), format!("z1{}", &good[1..])] {
            assert_eq!(decode(&other), Err(InvalidDpopKey::Length), "{other}");
        }
        // As many digits, but a number of 35 octets.
        assert_eq!(decode(&format!("z{}", "z".repeat(47))), Err(InvalidDpopKey::Length));
        // As many digits, but a number of 34 octets only with its zeros in front.
        assert!(decode(&format!("z1{}", &good[1..47])).is_err());
    }
}
