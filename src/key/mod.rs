//! A key by itself: its format, its digest, its record, and the one decision about it. Pure; no I/O.

mod digest;
mod encoding;
mod format;
mod issuance;
mod record;
mod verdict;

pub use digest::{HexDigest, KeyDigest};
pub use encoding::Encoding;
pub use format::{InvalidFormat, KeyFormat, MAX_PRESENTED_LENGTH, MalformedKey, ParsedKey};
pub use issuance::{Draft, IdScheme, Issued, PrepareError, Prepared, PreparedRotation, Profile, Rotated, Rotation};
pub use record::{
    Defect, DisplayPrefix, InvalidText, KeyHead, KeyId, KeyRecord, OwnerId, Revocation, RevocationReason, Status,
};
pub(crate) use record::{check_text, text};
pub use verdict::{Authenticated, Refusal, RefusalReason, decide};
