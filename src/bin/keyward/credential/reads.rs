//! `show` and `list`.

use keyward::key::OwnerId;
use keyward::store::credentials::{CredentialFilter, CredentialListRequest};
use keyward::{Clock as _, SystemClock};

use super::arguments::ListArguments;
use super::describe::describe;
use super::session::Session;
use crate::failure::Failure;
use crate::output::{Document, cut, page};

const COLUMNS: &[&str] = &["owner", "state", "expires_at", "session_ends_at", "subject", "client_id"];

impl Session {
    pub(super) async fn show(&self, owner: &OwnerId) -> Result<Document, Failure> {
        let head = self.head(owner).await?;
        let mut document = Document::fields(describe(&head, SystemClock.now()));
        if head.defect.is_some() {
            document.warnings.push("it has a value that cannot be understood, and is not used".to_owned());
        }
        Ok(document)
    }

    pub(super) async fn list(&self, arguments: ListArguments) -> Result<Document, Failure> {
        let ListArguments { due_within, limit, after } = arguments;
        let now = SystemClock.now();
        let mut filter = CredentialFilter::default();
        filter.due_by = due_within.map(|within| now.saturating_add(within));
        // One more than is shown says whether there are more.
        let request = CredentialListRequest::new(filter, limit + 1).after(after);
        let mut heads = self.closed()?.list(&request).await?;
        let next = cut(&mut heads, limit, |head| head.owner.as_str());
        let rows = heads.iter().map(|head| describe(head, now)).collect();
        Ok(page("credentials", rows, COLUMNS, next.as_deref(), Vec::new()))
    }
}
