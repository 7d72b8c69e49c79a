//! A key by itself: its format, its digest, its record, and the one decision about it. Pure; no I/O.

mod bucket;
mod change;
mod digest;
mod encoding;
mod environment;
mod format;
mod formats;
mod issuance;
mod lineage;
mod metadata;
mod parsed;
mod prefix;
mod quota;
mod rate_limit;
mod receipt;
mod record;
mod schema;
mod scope;
mod sha256;
mod text;
mod verdict;

pub use bucket::{Bucket, Rate, Taken};
pub use change::{Action, ChangeError, Changed, FieldChange, HistoryEntry, KeyChange, Update};
pub use digest::{HexDigest, KeyDigest};
pub use encoding::Encoding;
pub use environment::{Environment, InvalidEnvironment};
pub(crate) use format::sound;
pub use format::{InvalidFormat, KeyFormat, MAX_PRESENTED_LEN};
pub use formats::{ForeignFormat, KeyFormats};
pub use issuance::{Draft, Imported, Issued, PrepareError, Prepared, PreparedRotation, Rotated, Rotation};
pub use lineage::Lineage;
pub use metadata::{InvalidMetadata, MAX_METADATA_LEN, Metadata};
pub use parsed::{MalformedKey, ParsedKey};
pub use prefix::{KeyPrefix, MAX_PREFIX_LEN};
pub use quota::{Period, PeriodSpan, Quota};
pub use rate_limit::{InvalidRateLimit, RateLimit};
pub use receipt::{Receipt, Revoked, RevokedAll};
pub use record::{Defect, Disabling, KeyHead, KeyRecord, Revocation, Status};
pub use schema::{IdScheme, Labels, Schema};
#[cfg(feature = "http")]
pub(crate) use scope::is_scope;
pub use scope::{InvalidScope, MissingScope, PermitsScope, Scope, ScopePolicy, Scopes};
pub use text::{Actor, Description, DisplayPrefix, InvalidText, KeyId, KeyName, OwnerId, Reason};
pub(crate) use text::{check_text, text};
pub use verdict::{Authenticated, Refusal, RefusalReason, decide};
