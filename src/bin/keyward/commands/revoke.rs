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
    pub(super) async fn revoke(&self, arguments: RevokeArguments<S>) -> Result<Document, Failure> {
        let RevokeArguments { key, owner, reason, .. } = arguments;
        let found = self.find(key, owner).await?;
        Ok(report(&self.keys.revoke_seen(&found.head, reason).await?))
    }

    pub(super) async fn find(&self, key: Option<String>, owner: Option<OwnerId>) -> Result<KeyRecord<S>, Failure> {
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
        let revoked = self.keys.revoke_all(owner, reason).await?;
        if revoked.count == 0 && revoked.remaining.is_empty() {
            self.require_owner(owner).await?;
        }
        Ok(report_all(&revoked))
    }
}

pub(super) fn report(revoked: &Revoked) -> Document {
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

/// A key that is left is a failure: whoever asked for all believes that there is none.
fn report_all(revoked: &RevokedAll) -> Document {
    let RevokedAll { owner, count, remaining, .. } = revoked;
    let json = json!({ "owner": owner.as_str(), "revoked": count, "remaining": names(remaining) });
    let warning =
        |id: &KeyId| format!("warning: {id} is NOT revoked: the database kept it as it was, or somebody else holds it");
    let warnings = remaining.iter().map(warning).collect();
    Document { warnings, accepted: remaining.is_empty(), ..Document::lines(json, [format!("revoked {count}")]) }
}

fn names(keys: &[KeyId]) -> Vec<&str> {
    keys.iter().map(KeyId::as_str).collect()
}

#[cfg(test)]
mod tests {
    use keyward::key::Revocation;

    use super::*;

    fn id(id: &str) -> KeyId {
        KeyId::from_stored(id)
    }

    #[test]
    fn a_twin_that_is_alive_is_a_warning() {
        let revoked = Revoked::now(id("one"), Revocation::new(None, None));
        let alone = report(&revoked);
        assert_eq!((alone.warnings.len(), &alone.json["twins"], alone.accepted), (0, &json!([]), true));
        let document = report(&revoked.with_twins(vec![id("two"), id("th\u{202e}ree")]));
        assert_eq!(document.json["twins"], json!(["two", "th\u{202e}ree"]));
        assert_eq!(document.warnings.len(), 2);
        assert!(document.warnings[1].contains(r"th\u{202e}ree has the same plaintext and is NOT revoked"));
        assert!(document.accepted, "the key that was named is revoked");
    }

    #[test]
    fn a_key_that_is_left_is_a_failure() {
        let owner = OwnerId::from_stored("acme");
        let all = report_all(&RevokedAll::new(owner.clone(), 2));
        assert_eq!((all.warnings.len(), &all.json["remaining"], all.accepted), (0, &json!([]), true));
        let some = report_all(&RevokedAll::new(owner, 2).with_remaining(vec![id("odd")]));
        assert_eq!((&some.json["revoked"], &some.json["remaining"]), (&json!(2), &json!(["odd"])));
        assert_eq!((some.warnings.len(), some.accepted), (1, false));
        assert!(some.warnings[0].starts_with("warning: odd is NOT revoked"), "{:?}", some.warnings);
    }
}
