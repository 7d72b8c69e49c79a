//! `issue` and `revoke` where a key stands on an OAuth session: both are stored in one transaction, and removed in one.

use keyward::Timestamp;

use crate::arguments::{IssueArguments, RevokeArguments};
use crate::commands::issue::hand_out;
use crate::commands::revoke::report;
use crate::commands::{Closed, Session};
use crate::credential::REFRESHED_HERE;
use crate::database::within;
use crate::failure::Failure;
use crate::output::Document;
use crate::schema::{CommandSchema, not_for};

impl<S: CommandSchema> Closed<S> {
    /// Issues a key on a new session, or on the one that its owner has.
    pub(super) async fn issue_on_session(self, issue: IssueArguments<S>, now: Timestamp) -> Result<Document, Failure> {
        let Self { database, schema, settings, json } = self;
        let limit = database.timeout;
        let on = S::standing(&issue.options).ok_or_else(|| not_for::<S>("--session"))?;
        let mut standing = on.read(&issue.owner)?;
        let replaces_revoked = S::replaces_revoked(&issue.options);
        let draft = issue.draft(now)?;
        let (joined, both) = standing.open(schema, &database).await?;
        let session = standing.session.take();
        let is_new = session.is_some();
        let issuing = async {
            match session {
                Some(session) => both.issue(draft, session).await,
                None if replaces_revoked => both.reissue_after_revocation(draft).await,
                None => both.reissue(draft).await,
            }
        };
        let issued = within(limit, issuing).await.map_err(|failure| joined.explain(failure))?;
        let session = Session { keys: joined.keys, settings, json, timeout: limit };
        let fields = session.describe(&issued.record);
        let mut document = hand_out(issued, &fields, Vec::new());
        document.warnings.extend(is_new.then(|| REFRESHED_HERE.to_owned()));
        Ok(document)
    }

    /// Revokes a key with the session that it stood on.
    pub(super) async fn revoke_with_session(self, revoke: RevokeArguments<S>) -> Result<Document, Failure> {
        let Self { database, schema, settings, json } = self;
        let RevokeArguments { key, owner, reason, options } = revoke;
        let ending = S::ending(&options).ok_or_else(|| not_for::<S>("--wipe-credential"))?.read()?;
        let joined = ending.open(schema, &database).await?;
        let session = Session { keys: joined.keys.clone(), settings, json, timeout: database.timeout };
        let found = within(database.timeout, session.find(key, owner)).await?;
        let done = ending.revoke(&joined, &found.head, reason, report).await;
        done.map_err(|failure| joined.explain(failure))
    }
}
