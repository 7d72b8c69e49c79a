//! Secrets at rest: authenticated encryption of what has to be read back, bound to the place where it is stored. Pure;
//! no I/O.
//!
//! Keys that keyward issues are stored as digests. A secret that a service has to *present* to somebody else, such as a
//! refresh token, cannot be: it is sealed. [`SealKeys`] is the key ring that seals and opens, [`Sealed`] the envelope
//! that a column holds, and [`SealedPlace`] the schema, owner and column to which an envelope is bound: moved to
//! another row or column, it does not open.
//!
//! ```
//! use keyward::seal::{OpenError, SealKey, SealKeys, SealNonce, Sealed, SealedPlace};
//! # use rand::rngs::SysRng;
//!
//! let keys = SealKeys::new("2026-07".parse()?, SealKey::generate(&mut SysRng)?);
//! let place = SealedPlace { schema: "aggregator", owner: "did:plc:alice", column: "oauth_refresh_token" };
//! let sealed = keys.seal(place, "a refresh token", SealNonce::generate(&mut SysRng)?)?;
//!
//! // This is what the column holds.
//! let stored: &str = sealed.as_str();
//! assert!(stored.starts_with("keyward.1.2026-07.") && !stored.contains("refresh"));
//!
//! // Read back in its place, it opens; in another, it does not.
//! let sealed: Sealed = stored.parse()?;
//! assert_eq!(keys.open(place, &sealed)?.expose_secret(), "a refresh token");
//! let elsewhere = SealedPlace { owner: "did:plc:mallory", ..place };
//! assert_eq!(keys.open(elsewhere, &sealed).unwrap_err(), OpenError::Altered);
//!
//! // A column that holds the plaintext is no envelope, and nothing takes it for one.
//! assert!("a refresh token".parse::<Sealed>().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The keys come from the environment, from a file or from a key management service: see
//! [`SealKeys::from_environment`], [`SealKeys::from_file`] and [`SealKeys::from_provider`].
//!
//! # The envelope
//!
//! `keyward.1.<key id>.<payload>`, where the payload is base64url without padding of nonce (24 bytes), ciphertext and
//! tag (16 bytes) of XChaCha20-Poly1305 ([draft-irtf-cfrg-xchacha-03]). Its nonces are long enough to be drawn at
//! random, so that processes that share a key need not agree on a counter. Associated data are, each preceded by its
//! length as eight bytes, the most significant first: `keyward.seal.1`, the key id, the schema, the owner and the
//! column.
//!
//! An envelope shows which key sealed it and how long the plaintext is. It does not show what the plaintext is, nor
//! whether two envelopes hold the same one. What it cannot prevent is that somebody who writes to the database puts an
//! *older* envelope of the same place back.
//!
//! [draft-irtf-cfrg-xchacha-03]: https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03

mod envelope;
mod id;
mod key;
mod nonce;
mod place;
mod ring;
mod stored;
mod text;

pub use envelope::{InvalidSealed, MAX_SEALED_LEN, Sealed};
pub use id::{InvalidSealKeyId, MAX_SEAL_KEY_ID_LEN, SealKeyId};
pub use key::{InvalidSealKey, SealKey};
pub use nonce::SealNonce;
pub use place::SealedPlace;
pub use ring::{MAX_SEALED_PLAINTEXT_LEN, OpenError, PlaintextTooLong, SealKeys};
pub use stored::StoredSecret;
pub use text::InvalidSealKeys;
