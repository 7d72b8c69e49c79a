//! `revoke` and `revoke-all`.

use keyward::KeysError;
use keyward::key::{KeyId, KeyRecord, OwnerId, Reason, Revoked, RevokedAll};
use serde_json::json;

use crate::arguments::RevokeArguments;
use crate::commands::Session;
use crate::commands::describe::{text, time};
use crate::failure::Failure;
use crate::output::Document;
use crate::schema::CommandSchema;

impl<S: CommandSchema> Session<S> {
    /// Revokes the key that was found, and never one that takes its place meanwhile.
    pub(super) async fn revoke(&self, arguments: RevokeArguments) -> Result<Document, Failure> {
        let RevokeArguments { key, owner, reason } = arguments;
        let found = self.find(key, owner).await?;
        Ok(report(&self.keys.revoke_seen(&found.head, reason).await?))
    }

    async fn find(&self, key: Option<String>, owner: Option<OwnerId>) -> Result<KeyRecord<S>, Failure> {
        match (key, owner) {
            (None, Some(owner)) if S::ONLY_KEY => {
                self.keys.only_key(&owner).await?.ok_or_else(|| Failure::not_found("the owner has no key"))
            }
            (Some(key), Some(owner)) => Ok(self.keys.resolve(&owner, &key).await?),
            (Some(key), None) => {
                let id = key.parse().map_err(|error| Failure::usage(format!("the identity {error}")))?;
                match self.keys.get(&id).await? {
                    Some(found) => Ok(found),
                    None if S::ONLY_KEY => Err(KeysError::NotFound.into()),
                    None => Err(Failure::not_found(
                        "no such key; with --owner the start of its identity or display prefix names it too",
                    )),
                }
            }
            (None, _) => Err(Failure::usage("which key to revoke is required")),
        }
    }

    pub(super) async fn revoke_all(&self, owner: &OwnerId, reason: Option<Reason>) -> Result<Document, Failure> {
        let RevokedAll { count, remaining, .. } = self.keys.revoke_all(owner, reason).await?;
        if count == 0 && remaining.is_empty() {
            self.require_owner(owner).await?;
        }
        let json = json!({ "owner": owner.as_str(), "revoked": count, "remaining": names(&remaining) });
        let warning = |id: &KeyId| format!("warning: {id} is NOT revoked: the database kept it as it was");
        let warnings = remaining.iter().map(warning).collect();
        let accepted = remaining.is_empty();
        Ok(Document { warnings, accepted, ..Document::lines(json, [format!("revoked {count}")]) })
    }
}

fn report(revoked: &Revoked) -> Document {
    let Revoked { id, revocation, already, twins, .. } = revoked;
    let line = match (already, revocation.at) {
        (false, _) => format!("revoked {id}"),
        (true, Some(at)) => format!("{id} was already revoked at {at}"),
        (true, None) => format!("{id} was already inactive"),
    };
    let json = json!({
        "id": id.as_str(), "revoked_at": time(revocation.at), "already_revoked": already,
        "revocation_reason": text(revocation.reason.as_ref().map(Reason::as_str)), "twins": names(twins),
    });
    let warning = |twin: &KeyId| {
        format!("warning: {twin} has the same plaintext and is NOT revoked: whoever holds it is still let in")
    };
    Document { warnings: twins.iter().map(warning).collect(), ..Document::lines(json, [line]) }
}

fn names(keys: &[KeyId]) -> Vec<&str> {
    keys.iter().map(KeyId::as_str).collect()
}
