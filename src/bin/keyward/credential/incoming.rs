//! A session on its way in: read, and looked at before a database is.

use std::io::{Read as _, stdin};
use std::path::Path;

use keyward::credential::{ClientId, OAuthSession, SessionError};
use keyward::key::OwnerId;
use keyward::service::CredentialsError;
use keyward::{Clock as _, SystemClock};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::secret_file;

/// What everybody has to know who brings a session.
pub(crate) const REFRESHED_HERE: &str =
    "from now on the session is refreshed here alone: whoever else does so ends it for both";

/// The longest session, in bytes.
const MAX_SESSION_LEN: u64 = 256 * 1024;

/// Where a session comes from, and what was said of it.
pub(super) struct Incoming<'a> {
    /// A file, or `-` for standard input.
    pub(super) from: &'a Path,
    pub(super) owner: &'a OwnerId,
    pub(super) client_id: Option<&'a ClientId>,
    pub(super) client_key_id: Option<String>,
}

impl Incoming<'_> {
    pub(super) fn read(self) -> Result<OAuthSession, Failure> {
        let Self { from, owner, client_id, client_key_id } = self;
        let json = if from == "-" { from_stdin()? } else { secret_file::read(from, "--session", MAX_SESSION_LEN)? };
        let session = OAuthSession::from_indigo_json(&json, client_id.cloned(), SystemClock.now());
        let mut session = session.map_err(|error| match error {
            SessionError::Missing("oauth_client") => {
                Failure::usage("--client-id is required: the session does not say it")
            }
            error => Failure::refused(error.to_string()),
        })?;
        let is_did = owner.as_str().starts_with("did:");
        if is_did && session.subject.as_deref() != Some(owner.as_str()) {
            return Err(CredentialsError::from(SessionError::Mismatch).into());
        }
        if client_id.is_some_and(|named| *named != session.client_id) {
            return Err(Failure::refused("the session says that another client than --client-id obtained it"));
        }
        session.client_key_id = client_key_id;
        Ok(session)
    }
}

fn from_stdin() -> Result<Zeroizing<String>, Failure> {
    let mut json = Zeroizing::new(String::with_capacity(16 * 1024));
    let read = stdin().lock().take(MAX_SESSION_LEN).read_to_string(&mut json);
    read.map_err(|_| Failure::usage("the session on standard input cannot be read"))?;
    Ok(json)
}
