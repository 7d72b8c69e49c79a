//! `token`, `refresh` and `retry`: the commands that ask the authorization server.

use std::time::Duration;

use keyward::credential::CredentialHead;
use keyward::key::OwnerId;
use keyward::service::{AccessToken, CredentialsError, RefreshReport};
use keyward::store::credentials::{CredentialFilter, CredentialListRequest};
use keyward::{Clock as _, Secret, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::describe::{describe, time};
use super::session::Session;
use crate::database::within;
use crate::failure::Failure;
use crate::output::{Document, Lost, Text, object};
use crate::progress::Progress;

impl Session {
    pub(super) async fn token(&self, owner: &OwnerId, margin: Duration) -> Result<Document, Failure> {
        let credentials = self.ready_for(owner).await?;
        Ok(hand_out(owner, &credentials.access_token_for(owner, margin).await?))
    }

    pub(super) async fn refresh(&self, owner: &OwnerId) -> Result<Document, Failure> {
        self.ready_for(owner).await?.refresh(owner).await?;
        self.refreshed(owner).await
    }

    pub(super) async fn retry(&self, owner: &OwnerId) -> Result<Document, Failure> {
        self.ready_for(owner).await?.retry_uncertain(owner).await?;
        self.refreshed(owner).await
    }

    async fn refreshed(&self, owner: &OwnerId) -> Result<Document, Failure> {
        let fields = describe(&self.head(owner).await?, SystemClock.now());
        let until = fields.iter().find(|(name, _)| *name == "expires_at").and_then(|(_, at)| at.as_str());
        let until = until.map_or_else(String::new, |until| format!(", good until {until}"));
        Ok(Document::lines(object(&fields), [format!("refreshed {owner}{until}")]))
    }

    pub(super) async fn refresh_due(&self, due_within: Duration) -> Result<Document, Failure> {
        let deadline = SystemClock.now().saturating_add(due_within);
        let mut clients = Vec::new();
        for head in within(self.timeout(), self.due(deadline)).await? {
            // One whose client is not named fails by itself, and is reported.
            clients.extend(self.clients_of(&head).unwrap_or_default());
        }
        let progress = Progress::of("refreshed");
        let refreshing = self.opened(clients)?;
        let report = refreshing.refresh_expiring_with(deadline, |at| progress.show(at.done as u64)).await;
        progress.clear();
        Ok(summary(&report?))
    }

    async fn due(&self, deadline: Timestamp) -> Result<Vec<CredentialHead>, CredentialsError> {
        let mut filter = CredentialFilter::default();
        filter.due_by = Some(deadline);
        let mut due: Vec<CredentialHead> = Vec::new();
        loop {
            let after = due.last().map(|head| head.owner.clone());
            let page = self.store().list(&CredentialListRequest::new(filter.clone(), 500).after(after)).await?;
            if page.is_empty() {
                return Ok(due);
            }
            due.extend(page);
        }
    }
}

fn hand_out(owner: &OwnerId, token: &AccessToken) -> Document {
    let (kind, until) = (token.token_type().name(), token.expires_at());
    let json = json!({ "owner": owner.as_str(), "token_type": kind, "expires_at": time(until) });
    let good = until.map_or_else(|| "for how long nobody knows".to_owned(), |until| format!("until {until}"));
    let remarks = vec![format!("an access token of {owner} of the type {kind}, good {good}")];
    let secret = Secret::new(token.expose_secret().to_owned());
    let lost = Lost { what: "the token is stored".to_owned(), then: "nothing is lost: ask again".to_owned() };
    Document::new(json, Text::Secret { name: "access_token", secret, remarks, lost })
}

fn summary(report: &RefreshReport) -> Document {
    let RefreshReport { refreshed, still_valid, needs_authorization, uncertain, failed, ending_soon, .. } = report;
    let mut lines = vec![format!("refreshed {refreshed}, still valid {still_valid}")];
    lines.extend(needs_authorization.iter().map(|(owner, reason)| format!("sign in again: {owner}: {reason}")));
    lines.extend(uncertain.iter().map(|(owner, since)| format!("uncertain: {owner}: sent at {since}")));
    let failures: Vec<(&OwnerId, String)> =
        failed.iter().map(|(owner, error)| (owner, Failure::chain(error))).collect();
    lines.extend(failures.iter().map(|(owner, error)| format!("failed: {owner}: {error}")));
    lines.extend(ending_soon.iter().map(|(owner, at)| format!("ends soon: {owner}: at {at}")));
    let list = |items: Vec<Value>| Value::Array(items);
    let json = json!({
        "refreshed": refreshed,
        "still_valid": still_valid,
        "needs_authorization": list(needs_authorization.iter()
            .map(|(owner, reason)| json!({ "owner": owner.as_str(), "reason": reason.code() })).collect()),
        "uncertain": list(uncertain.iter()
            .map(|(owner, since)| json!({ "owner": owner.as_str(), "since": since.to_string() })).collect()),
        "failed": list(failures.iter()
            .map(|(owner, error)| json!({ "owner": owner.as_str(), "message": error })).collect()),
        "ending_soon": list(ending_soon.iter()
            .map(|(owner, at)| json!({ "owner": owner.as_str(), "ends_at": at.to_string() })).collect()),
    });
    let accepted = needs_authorization.is_empty() && uncertain.is_empty() && failed.is_empty();
    Document { accepted, ..Document::lines(json, lines) }
}
