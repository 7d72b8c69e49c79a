//! The key ring: one key that seals, and any number that still open.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::{AeadInOut as _, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroize as _;

use crate::seal::{InvalidSealKeys, SealKey, SealKeyId, SealNonce, Sealed, SealedPlace};
use crate::secret::Secret;

/// The longest plaintext that is sealed, in bytes.
pub const MAX_SEALED_PLAINTEXT_LEN: usize = 64 * 1024;

/// How many bytes the tag of Poly1305 has.
pub(super) const TAG_LEN: usize = 16;

/// A ring of keys: the current one seals, and all of them open. It is cheap to clone; clones share the keys.
///
/// A ring always has a current key, so that whoever has one can seal, and whoever has none cannot write a secret at all.
///
/// # A new key
///
/// 1. Add it as a retired one, in every process. Nothing is sealed with it yet, and all can open it.
/// 2. Make it the current one, and the former one retired.
/// 3. Seal again what [is not current](Self::is_current), and then remove the old key.
///
/// Without the first step, a process that still has the old ring meets envelopes that it cannot open
/// ([`OpenError::UnknownKey`]) until it is restarted.
///
/// ```
/// use keyward::seal::{OpenError, SealKey, SealKeys, SealNonce, SealedPlace};
/// # use rand::rngs::SysRng;
///
/// let [old, new] = [SealKey::generate(&mut SysRng)?, SealKey::generate(&mut SysRng)?];
/// let place = SealedPlace { schema: "crm", owner: "customer-1", column: "api_token" };
/// let before = SealKeys::new("2026-01".parse()?, old.clone());
/// let sealed = before.seal(place, "a token", SealNonce::generate(&mut SysRng)?)?;
///
/// let after = SealKeys::new("2026-07".parse()?, new.clone()).with_retired("2026-01".parse()?, old)?;
/// assert!(!after.is_current(&sealed));
/// let opened = after.open(place, &sealed)?;
/// let sealed = after.seal(place, opened.expose_secret(), SealNonce::generate(&mut SysRng)?)?;
/// assert!(after.is_current(&sealed));
///
/// // The old ring does not have the new key; another key of the same name does not open what this one sealed.
/// assert_eq!(before.open(place, &sealed).unwrap_err(), OpenError::UnknownKey { id: "2026-07".parse()? });
/// let stranger = SealKeys::new("2026-07".parse()?, SealKey::generate(&mut SysRng)?);
/// assert_eq!(stranger.open(place, &sealed).unwrap_err(), OpenError::Altered);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SealKeys {
    current: Entry,
    retired: Arc<[Entry]>,
}

#[derive(Clone)]
struct Entry {
    id: SealKeyId,
    key: SealKey,
}

impl SealKeys {
    /// A ring of one key.
    #[must_use]
    pub fn new(id: SealKeyId, key: SealKey) -> Self {
        Self { current: Entry { id, key }, retired: Arc::default() }
    }

    /// The same ring with one key more, which opens and does not seal.
    ///
    /// # Errors
    /// [`InvalidSealKeys::RepeatedId`] when the ring has a key of this name; [`InvalidSealKeys::RepeatedKey`] when it has
    /// this key under another name.
    pub fn with_retired(self, id: SealKeyId, key: SealKey) -> Result<Self, InvalidSealKeys> {
        if self.key(&id).is_some() {
            return Err(InvalidSealKeys::RepeatedId { id });
        }
        if let Some(same) = self.entries().find(|entry| entry.key.is(&key)) {
            return Err(InvalidSealKeys::RepeatedKey { id: same.id, other: id });
        }
        let retired = self.retired.iter().cloned().chain([Entry { id, key }]).collect();
        Ok(Self { current: self.current, retired })
    }

    /// Seals a secret with the current key, for one place. `nonce` makes this envelope another one than all others.
    ///
    /// # Errors
    /// [`PlaintextTooLong`] when `plaintext` has more than [`MAX_SEALED_PLAINTEXT_LEN`] bytes.
    pub fn seal(&self, place: SealedPlace<'_>, plaintext: &str, nonce: SealNonce) -> Result<Sealed, PlaintextTooLong> {
        self.current.seal(place, plaintext, nonce)
    }

    /// Opens an envelope with the key that it names, in the place in which it was found.
    ///
    /// # Errors
    /// [`OpenError::UnknownKey`] when the ring does not have the key; [`OpenError::Altered`] when the envelope was sealed
    /// for another place or with another key of that name, or is not what was sealed; [`OpenError::NotText`].
    pub fn open(&self, place: SealedPlace<'_>, sealed: &Sealed) -> Result<Secret, OpenError> {
        let id = sealed.key_id();
        self.key(id).ok_or(OpenError::UnknownKey { id: *id })?.open(place, sealed)
    }

    /// Whether the current key sealed it, so that there is no need to seal it again.
    #[must_use]
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        sealed.key_id() == self.current_id()
    }

    /// The name of the key that seals.
    #[must_use]
    pub const fn current_id(&self) -> &SealKeyId {
        &self.current.id
    }

    /// The names of all keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = &SealKeyId> {
        self.entries().map(|entry| &entry.id)
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        std::iter::once(&self.current).chain(self.retired.iter())
    }

    fn key(&self, id: &SealKeyId) -> Option<&Entry> {
        self.entries().find(|entry| entry.id == *id)
    }
}

impl Entry {
    /// It wipes its own copy of the key when it is dropped.
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.as_bytes().into())
    }

    fn associated_data(&self, place: SealedPlace<'_>) -> Vec<u8> {
        place.associated_data(self.id.as_str())
    }

    fn seal(&self, place: SealedPlace<'_>, plaintext: &str, nonce: SealNonce) -> Result<Sealed, PlaintextTooLong> {
        let too_long = PlaintextTooLong { limit: MAX_SEALED_PLAINTEXT_LEN };
        if plaintext.len() > MAX_SEALED_PLAINTEXT_LEN {
            return Err(too_long);
        }
        let nonce = nonce.into_bytes();
        // The plaintext is encrypted where it is copied to, and the buffer never grows: no other copy is made.
        let mut payload = Vec::with_capacity(SealNonce::LEN + plaintext.len() + TAG_LEN);
        payload.extend_from_slice(&nonce);
        payload.extend_from_slice(plaintext.as_bytes());
        let message = payload[SealNonce::LEN..].as_mut().into();
        let tag = self.cipher().encrypt_inout_detached((&nonce).into(), &self.associated_data(place), message);
        // The one thing that the cipher refuses is a message of 256 GiB.
        let Ok(tag) = tag else {
            payload.zeroize();
            return Err(too_long);
        };
        payload.extend_from_slice(&tag);
        Ok(Sealed::new(self.id, &payload))
    }

    fn open(&self, place: SealedPlace<'_>, sealed: &Sealed) -> Result<Secret, OpenError> {
        let payload = sealed.payload();
        let parts = payload.split_first_chunk().and_then(|(nonce, rest)| Some((nonce, rest.split_last_chunk()?)));
        let Some((nonce, (ciphertext, tag))) = parts else { return Err(OpenError::Altered) };
        let (nonce, tag): (&XNonce, &Tag) = (nonce.into(), tag.into());
        let mut message = ciphertext.to_vec();
        // Nothing is decrypted unless the tag is right.
        self.cipher()
            .decrypt_inout_detached(nonce, &self.associated_data(place), message.as_mut_slice().into(), tag)
            .map_err(|_| OpenError::Altered)?;
        match String::from_utf8(message) {
            Ok(plaintext) => Ok(Secret::new(plaintext)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(OpenError::NotText)
            }
        }
    }
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retired: Vec<_> = self.retired.iter().map(|entry| entry.id).collect();
        f.debug_struct("SealKeys").field("current", self.current_id()).field("retired", &retired).finish()
    }
}

/// A plaintext is longer than what is sealed. Nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret of more than {limit} bytes is not sealed")]
#[non_exhaustive]
pub struct PlaintextTooLong {
    /// The most bytes that are taken.
    pub limit: usize,
}

/// Why an envelope did not open. It shows nothing of what is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The ring has no key of this name. With the right ring the envelope may well open: nothing is lost yet.
    #[error("there is no key with the name {id}")]
    UnknownKey {
        /// The name that the envelope gives.
        id: SealKeyId,
    },
    /// The envelope is not what this key sealed for this place: it was changed, it was moved here from another row or
    /// column, or the ring has another key under this name.
    #[error("the sealed secret was altered, moved here from another place, or sealed with another key of this name")]
    Altered,
    /// What was sealed is genuine and no text. Keyward seals nothing of the kind.
    #[error("the sealed secret is no text")]
    NotText,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: SealedPlace<'_> =
        SealedPlace { schema: "aggregator", owner: "did:plc:example", column: "oauth_refresh_token" };
    const PLAINTEXT: &str = "a refresh token – with an é";

    fn id(id: &str) -> SealKeyId {
        id.parse().unwrap()
    }

    fn key(byte: u8) -> SealKey {
        SealKey::from_bytes(&[byte; 32]).unwrap()
    }

    fn nonce(byte: u8) -> SealNonce {
        SealNonce::fixed([byte; 24])
    }

    #[test]
    fn reproduces_the_vector_of_another_implementation() {
        // PyNaCl 1.6.2 (libsodium), crypto_aead_xchacha20poly1305_ietf_encrypt over
        // b"".join(struct.pack(">Q", len(part)) + part for part in (b"keyward.seal.1", id, schema, owner, column)).
        const ENVELOPE: &str = "keyward.1.2026-07.ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7HVOL1Zlc7PHvEOlQzQrT6bk7wVGTRb7YrDQKh-\
                                j3-reYn4xl8htDhEZpW2QyZg";

        let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let keys = SealKeys::new(id("2026-07"), SealKey::from_bytes(&bytes).unwrap());
        let nonce = SealNonce::fixed(std::array::from_fn(|at| u8::try_from(at).unwrap() + 100));
        let sealed = keys.seal(PLACE, PLAINTEXT, nonce).unwrap();
        assert_eq!(sealed.as_str(), ENVELOPE);
        assert_eq!(keys.open(PLACE, &ENVELOPE.parse().unwrap()).unwrap().expose_secret(), PLAINTEXT);
    }

    #[test]
    fn every_plaintext_up_to_the_limit_is_sealed_and_none_beyond() {
        let keys = SealKeys::new(id("k"), key(1));
        for length in [0, 1, 15, 16, 17, 63, 64, 65, 1000, MAX_SEALED_PLAINTEXT_LEN] {
            let plaintext = "x".repeat(length);
            let sealed = keys.seal(PLACE, &plaintext, nonce(1)).unwrap();
            let read_back = Sealed::parse(sealed.as_str()).unwrap();
            assert_eq!(keys.open(PLACE, &read_back).unwrap().expose_secret(), plaintext);
        }
        let too_long = "x".repeat(MAX_SEALED_PLAINTEXT_LEN + 1);
        let error = keys.seal(PLACE, &too_long, nonce(1)).unwrap_err();
        assert_eq!(error, PlaintextTooLong { limit: 65_536 });
        assert_eq!(error.to_string(), "a secret of more than 65536 bytes is not sealed");
    }

    #[test]
    fn an_envelope_opens_in_its_own_place_alone() {
        let keys = SealKeys::new(id("k"), key(1));
        let place = |schema, owner, column| SealedPlace { schema, owner, column };
        let sealed = keys.seal(place("a", "bc", "d"), PLAINTEXT, nonce(1)).unwrap();
        assert!(keys.open(place("a", "bc", "d"), &sealed).is_ok());
        for elsewhere in [
            place("x", "bc", "d"),
            place("a", "bx", "d"),
            place("a", "bc", "x"),
            place("ab", "c", "d"),
            place("a", "b", "cd"),
            place("", "abc", "d"),
            place("a", "bc", ""),
            place("d", "bc", "a"),
        ] {
            assert_eq!(keys.open(elsewhere, &sealed).unwrap_err(), OpenError::Altered, "{elsewhere:?}");
        }
    }

    #[test]
    fn no_bit_of_the_payload_and_no_name_of_a_key_can_be_changed() {
        let keys = SealKeys::new(id("k"), key(1)).with_retired(id("other"), key(2)).unwrap();
        let sealed = keys.seal(PLACE, "token", nonce(1)).unwrap();
        let payload = sealed.payload();
        for bit in 0..payload.len() * 8 {
            let mut changed = payload.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(keys.open(PLACE, &Sealed::new(id("k"), &changed)).unwrap_err(), OpenError::Altered, "{bit}");
        }
        for shorter in SealNonce::LEN + TAG_LEN..payload.len() {
            let cut = Sealed::new(id("k"), &payload[..shorter]);
            assert_eq!(keys.open(PLACE, &cut).unwrap_err(), OpenError::Altered, "{shorter}");
        }
        assert_eq!(keys.open(PLACE, &Sealed::new(id("other"), &payload)).unwrap_err(), OpenError::Altered);
        // Even one key under two names, which no ring has, keeps to the name.
        let renamed = SealKeys::new(id("renamed"), key(1));
        assert_eq!(renamed.open(PLACE, &Sealed::new(id("renamed"), &payload)).unwrap_err(), OpenError::Altered);
    }

    #[test]
    fn a_key_that_is_missing_is_told_from_one_that_is_wrong() {
        let sealed = SealKeys::new(id("k"), key(1)).seal(PLACE, PLAINTEXT, nonce(1)).unwrap();
        let without = SealKeys::new(id("other"), key(1));
        assert_eq!(without.open(PLACE, &sealed).unwrap_err(), OpenError::UnknownKey { id: id("k") });
        let wrong = SealKeys::new(id("k"), key(2));
        assert_eq!(wrong.open(PLACE, &sealed).unwrap_err(), OpenError::Altered);
    }

    #[test]
    fn the_current_key_seals_and_all_of_them_open() {
        let old = SealKeys::new(id("old"), key(1));
        let ring = SealKeys::new(id("new"), key(3)).with_retired(id("older"), key(2)).unwrap();
        let ring = ring.with_retired(id("old"), key(1)).unwrap();
        let sealed = old.seal(PLACE, PLAINTEXT, nonce(1)).unwrap();
        assert!(old.is_current(&sealed) && !ring.is_current(&sealed));
        assert_eq!(ring.open(PLACE, &sealed).unwrap().expose_secret(), PLAINTEXT);
        let anew = ring.seal(PLACE, PLAINTEXT, nonce(2)).unwrap();
        assert_eq!((anew.key_id(), ring.is_current(&anew)), (&id("new"), true));
        assert_eq!(ring.current_id(), &id("new"));
        assert_eq!(ring.ids().map(SealKeyId::as_str).collect::<Vec<_>>(), ["new", "older", "old"]);
        let shown = "SealKeys { current: SealKeyId(new), retired: [SealKeyId(older), SealKeyId(old)] }";
        assert_eq!(format!("{:?}", ring.clone()), shown);
    }

    #[test]
    fn one_plaintext_is_sealed_differently_each_time() {
        let keys = SealKeys::new(id("k"), key(1));
        let [first, second] = [1, 2].map(|byte| keys.seal(PLACE, PLAINTEXT, nonce(byte)).unwrap());
        assert_ne!(first, second);
        // All of it differs, and not the nonce alone.
        assert_ne!(first.payload()[24..], second.payload()[24..]);
    }

    #[test]
    fn genuine_bytes_that_are_no_text_are_not_called_altered() {
        let entry = Entry { id: id("k"), key: key(1) };
        let nonce = nonce(1).into_bytes();
        let mut message = *b"\xff\xfe";
        let data = entry.associated_data(PLACE);
        let tag = entry.cipher().encrypt_inout_detached((&nonce).into(), &data, message.as_mut_slice().into()).unwrap();
        let sealed = Sealed::new(entry.id, &[&nonce[..], &message, &tag].concat());
        assert_eq!(entry.open(PLACE, &sealed).unwrap_err(), OpenError::NotText);
    }
}
