//! What the command line has to know of each system: its options, its fields, and what its keys permit.

mod aggregator;
mod mesh;
mod scraper;

use keyward::key::Draft;
use keyward::sql::SqlProfile;

use crate::arguments::{IssueArguments, SystemName, VerifyArguments};
use crate::failure::Failure;
use crate::output::Fields;

/// A good key that does not permit what was asked about.
pub(crate) struct NotPermitted {
    /// One word for JSON.
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) explanation: String,
}

/// A system on the command line.
pub(crate) trait System: SqlProfile + Copy {
    /// What `--schema` calls it.
    const SYSTEM: SystemName;
    /// An owner has at most one key, and issuing another replaces it.
    const ONLY_KEY: bool = false;
    /// A key is revoked within its owner's keys alone.
    const REVOKED_WITHIN_OWNER: bool = false;
    /// The columns of a list.
    const COLUMNS: &'static [&'static str];

    /// What `issue` was asked for; the expiry is not its business.
    fn draft(arguments: &IssueArguments) -> Result<Draft<Self::Details>, Failure>;

    /// Whether a key permits what `verify` was asked about, or else why not.
    fn permits(details: &Self::Details, arguments: &VerifyArguments) -> Result<(), NotPermitted>;

    /// What only this system records, as fields.
    fn describe(details: &Self::Details) -> Fields;
}
