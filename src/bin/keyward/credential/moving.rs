//! `import`, `export`, `reseal`, `wipe` and `revoke`: how a credential comes, moves and goes.

use keyward::credential::OAuthSession;
use keyward::key::OwnerId;
use keyward::service::{CredentialsError, RevokedCredential};
use keyward::store::StoreError;
use keyward::store::credentials::Over;
use keyward::{Clock as _, SystemClock};
use serde_json::json;

use super::arguments::ImportArguments;
use super::describe::describe;
use super::incoming::REFRESHED_HERE;
use super::session::Session;
use crate::database::within;
use crate::failure::Failure;
use crate::output::{Document, Lost, Text, object};
use crate::progress::Progress;

impl Session {
    pub(super) async fn import(&self, arguments: ImportArguments, session: OAuthSession) -> Result<Document, Failure> {
        let ImportArguments { owner, replace, .. } = arguments;
        let clients = self.clients().with(session.client_id.as_str(), session.client_key_id.as_deref())?;
        let over = if replace { Over::Anything } else { Over::Nothing };
        let credentials = self.opened(clients)?;
        let stored = within(self.timeout(), async {
            match credentials.put(&owner, session, over).await {
                Err(CredentialsError::Store(StoreError::Conflict)) => {
                    Err(Failure::refused("the owner has a credential already: --replace puts this one in its place"))
                }
                stored => stored.map_err(Failure::from),
            }
        });
        stored.await?;
        let fields = describe(&self.head(&owner).await?, SystemClock.now());
        let mut document = Document::lines(object(&fields), [format!("stored the credential of {owner}")]);
        document.warnings.push(REFRESHED_HERE.to_owned());
        Ok(document)
    }

    pub(super) async fn export(&self, owner: &OwnerId) -> Result<Document, Failure> {
        let session = self.opened(Vec::new())?.export(owner).await?;
        let document = session.to_indigo_json(SystemClock.now()).map_err(CredentialsError::from)?;
        let remarks = vec![format!(
            "refreshed there, it ends here: `keyward credential wipe --owner '{}'{}` before that",
            owner.as_str().replace('\'', r"'\''"),
            self.layout().typed()
        )];
        let lost = Lost { what: "the session stands as it stood".into(), then: "nothing is lost: ask again".into() };
        Ok(Document::new(json!({}), Text::Export { document, remarks, lost }))
    }

    pub(super) async fn reseal(&self) -> Result<Document, Failure> {
        if !self.layout().is_sealed() {
            return Err(Failure::usage("there is nothing to reseal where the database encrypts"));
        }
        let progress = Progress::of("resealed");
        let report = self.opened(Vec::new())?.reseal(|at| progress.show(at.done)).await;
        progress.clear();
        let report = report?;
        let mut lines = vec![format!("resealed {}, skipped {}", report.resealed, report.skipped)];
        let failed: Vec<_> = report.failed.iter().map(|(owner, error)| (owner, Failure::chain(error))).collect();
        lines.extend(failed.iter().map(|(owner, error)| format!("failed: {owner}: {error}")));
        let items = failed.iter().map(|(owner, error)| json!({ "owner": owner.as_str(), "message": error }));
        let items: Vec<_> = items.collect();
        let json = json!({ "resealed": report.resealed, "skipped": report.skipped, "failed": items });
        let mut document = Document { accepted: failed.is_empty(), ..Document::lines(json, lines) };
        if report.skipped > 0 {
            document.warnings.push("those that were skipped are being refreshed: run it once more".to_owned());
        }
        Ok(document)
    }

    pub(super) async fn wipe(&self, owner: &OwnerId) -> Result<Document, Failure> {
        if !self.closed()?.wipe(owner).await? {
            return Err(CredentialsError::NotFound.into());
        }
        Ok(Document::lines(
            json!({ "owner": owner.as_str(), "wiped": true }),
            [format!("wiped the credential of {owner}")],
        ))
    }

    pub(super) async fn revoke(&self, owner: &OwnerId) -> Result<Document, Failure> {
        // Without its client the server would not hear of it, and nobody could tell it any more.
        let RevokedCredential { was_there, server_was_told, .. } = self.ready_for(owner).await?.revoke(owner).await?;
        let json = json!({ "owner": owner.as_str(), "wiped": was_there, "revoked": server_was_told });
        let mut document = Document::lines(json, [format!("removed the credential of {owner}")]);
        if !server_was_told {
            not_told(&mut document);
        }
        Ok(document)
    }
}

/// The command has not done all that it is for: the session can still be used.
pub(super) fn not_told(document: &mut Document) {
    let said = "its server could not be told: the session goes on there until it ends by itself";
    document.warnings.push(said.to_owned());
    document.accepted = false;
}
