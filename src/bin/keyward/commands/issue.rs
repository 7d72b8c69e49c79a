//! `issue` and `rotate`: the two commands that show a plaintext.

use std::time::Duration;

use keyward::KeysError;
use keyward::key::{Draft, Issued, KeyRecord, Status};
use serde_json::json;

use crate::arguments::RotateArguments;
use crate::commands::Session;
use crate::commands::describe::time;
use crate::failure::Failure;
use crate::output::{Document, Fields, Lost, Text, object};
use crate::schema::CommandSchema;

/// For how long a rotated key stays accepted unless the operator says otherwise.
const DEFAULT_GRACE: Duration = Duration::from_hours(24);

/// Why a key that was revoked is not replaced just so.
const AFTER_REVOCATION: &str = if cfg!(feature = "reqwest") {
    "the key before was revoked, and whoever had it may have had its OAuth session too: --session issues one on a new \
     session, and --after-revocation on the one that stands"
} else {
    "the key before was revoked, and whoever had it may have had its OAuth session too: --after-revocation issues \
     another one on that session all the same"
};

impl<S: CommandSchema> Session<S> {
    pub(super) async fn issue(&self, draft: Draft<S>, replaces_revoked: bool) -> Result<Document, Failure> {
        let issued = match (S::ONLY_KEY, replaces_revoked) {
            (false, _) => self.keys.issue(draft).await?,
            (true, true) => self.keys.issue_only(draft).await?,
            (true, false) => self.issue_over_live(draft).await?,
        };
        let fields = self.describe(&issued.record);
        let notes = S::notes(&issued.record).iter().map(|note| (*note).to_owned()).collect();
        Ok(hand_out(issued, &fields, notes))
    }

    /// Issues an owner's only key, in the place of a live one or of none.
    async fn issue_over_live(&self, draft: Draft<S>) -> Result<Issued<S>, Failure> {
        let Some(before) = self.keys.only_key(&draft.owner).await? else { return Ok(self.keys.issue(draft).await?) };
        if matches!(before.head.status, Status::Revoked(_)) {
            return Err(Failure::refused(AFTER_REVOCATION));
        }
        let prepared = self.keys.prepare_replacement(before.head, draft).map_err(KeysError::from)?.while_live();
        let successor = self.keys.store().rotate(prepared.rotation()).await?;
        Ok(self.keys.committed(prepared.stored(successor)).successor)
    }

    pub(super) async fn rotate(&self, arguments: RotateArguments) -> Result<Document, Failure> {
        let RotateArguments { id, grace, expires } = arguments;
        let grace = grace.unwrap_or(if S::ONLY_KEY { Duration::ZERO } else { DEFAULT_GRACE });
        let expires_at = expires.map(|when| when.ahead(self.keys.now()));
        let key = self.keys.get(&id).await?.ok_or(KeysError::NotFound)?;
        S::may_rotate(&self.settings, &key)?;
        let rotated = self.keys.rotate(&id, grace, expires_at).await?;
        let (id, accepted_until) = (&rotated.predecessor, rotated.accepted_until);
        let remark = format!("{id} is accepted until {accepted_until}");
        let mut fields = self.describe(&rotated.successor.record);
        fields.retain(|(name, _)| *name != "predecessor");
        fields.splice(0..0, [("predecessor", json!(id.as_str())), ("accepted_until", time(Some(accepted_until)))]);
        Ok(hand_out(rotated.successor, &fields, vec![remark]))
    }
}

/// The one place where a plaintext leaves the program.
pub(super) fn hand_out<S: CommandSchema>(issued: Issued<S>, fields: &Fields, more: Vec<String>) -> Document {
    let Issued { record, secret, .. } = issued;
    let mut remarks = vec![format!("issued {} for {}", record.head.id, record.head.owner)];
    remarks.extend(more);
    remarks.push("this is the only time that the key is shown".to_owned());
    let lost = Lost {
        what: format!("the key {} was made", record.head.id),
        then: format!("nobody has it: `{}` stops it", revoking(&record)),
    };
    Document::new(object(fields), Text::Secret { name: "secret", secret, remarks, lost })
}

/// The command that revokes this key.
fn revoking<S: CommandSchema>(key: &KeyRecord<S>) -> String {
    let (id, owner) = (key.head.id.as_str(), key.head.owner.as_str());
    let owner = format!(" --owner '{}'", owner.replace('\'', r"'\''"));
    let id = format!(" {id}");
    let (id, owner) = match (S::ONLY_KEY, S::REVOKED_WITHIN_OWNER) {
        (true, _) => ("", owner.as_str()),
        (false, true) => (id.as_str(), owner.as_str()),
        (false, false) => (id.as_str(), ""),
    };
    format!("keyward --schema {} revoke{id}{owner}", S::NAME)
}
