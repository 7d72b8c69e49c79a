//! The random number that makes each envelope another one.

use std::fmt;

use rand::TryCryptoRng;

use crate::random::RandomUnavailable;

/// 192 random bits for one envelope.
///
/// It is made at random, cannot be copied, and goes into [`seal`](crate::seal::SealKeys::seal): nobody seals twice with
/// one. It is no secret.
pub struct SealNonce([u8; Self::LEN]);

impl SealNonce {
    /// 24 bytes.
    pub(super) const LEN: usize = 24;

    /// A new nonce. After 2⁸⁰ of them under one key, the odds that any two are the same are still below 2⁻³².
    ///
    /// # Errors
    /// [`RandomUnavailable`] when `random` fails; there is no weaker fallback.
    pub fn generate<R: TryCryptoRng + ?Sized>(random: &mut R) -> Result<Self, RandomUnavailable> {
        let mut bytes = [0; Self::LEN];
        random.try_fill_bytes(&mut bytes).map_err(|_| RandomUnavailable)?;
        Ok(Self(bytes))
    }

    /// The bytes, once.
    pub(super) const fn into_bytes(self) -> [u8; Self::LEN] {
        self.0
    }

    /// The nonce of a test whose outcome is known beforehand.
    #[cfg(test)]
    pub(super) const fn fixed(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SealNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealNonce(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::key::tests::{Broken, Counting};

    #[test]
    fn a_nonce_is_what_the_generator_gives_and_no_generator_gives_none() {
        let first: [u8; 24] = std::array::from_fn(|at| u8::try_from(at).unwrap() + 1);
        assert_eq!(SealNonce::generate(&mut Counting::default()).unwrap().into_bytes(), first);
        assert_eq!(SealNonce::generate(&mut Broken).unwrap_err(), RandomUnavailable);
        assert_eq!(format!("{:?}", SealNonce::fixed([7; 24])), "SealNonce(…)");
    }
}
