//! `list`, `get` and `info`.

use keyward::KeysError;
use keyward::key::{KeyId, OwnerId};
use keyward::store::KeyFilter;
use serde_json::json;

use crate::arguments::ListArguments;
use crate::commands::Session;
use crate::failure::Failure;
use crate::output::{self, Document, Fields};
use crate::schema::CommandSchema;

impl<S: CommandSchema> Session<S> {
    pub(super) async fn list(&self, arguments: ListArguments<S>) -> Result<Document, Failure> {
        let ListArguments { owner, limit, after, options } = arguments;
        let filter = owner.iter().cloned().fold(KeyFilter::new(), KeyFilter::of);
        let filter = S::filter(&options, filter, self.keys.now());
        if S::counts(&options) {
            let count = self.keys.count(filter).await?;
            return Ok(Document::lines(json!({ "count": count }), [count.to_string()]));
        }
        let page = self.keys.list(filter, limit, after.as_ref()).await?;
        if page.keys.is_empty()
            && let Some(owner) = &owner
        {
            self.require_owner(owner).await?;
        }
        let rows: Vec<_> = page.keys.iter().map(|key| self.describe(key)).collect();
        let remarks = other_prefixes(&rows).into_iter().collect();
        Ok(output::page("keys", rows, S::COLUMNS, page.next.as_ref().map(KeyId::as_str), remarks))
    }

    /// Nothing found is no answer for an owner that does not exist: its name may be mistyped.
    pub(super) async fn require_owner(&self, owner: &OwnerId) -> Result<(), Failure> {
        if self.keys.store().owner_exists(owner).await? { Ok(()) } else { Err(Failure::not_found("no such owner")) }
    }

    pub(super) async fn get(&self, id: &KeyId) -> Result<Document, Failure> {
        let key = self.keys.get(id).await?.ok_or(KeysError::NotFound)?;
        Ok(Document::fields(self.describe(&key)))
    }

    pub(super) async fn info(&self, owner: &OwnerId) -> Result<Document, Failure> {
        let mut fields = vec![("has_key", json!(false)), ("owner", json!(owner.as_str()))];
        if let Some(key) = self.keys.only_key(owner).await? {
            fields = vec![("has_key", json!(true)), ("is_revoked", json!(key.head.is_revoked()))];
            fields.extend(self.describe(&key));
        }
        Ok(Document::fields(fields))
    }
}

/// What is said of the keys that do not start as `--prefix` says.
fn other_prefixes(rows: &[Fields]) -> Option<String> {
    let differs = |row: &&Fields| row.iter().any(|(name, _)| *name == "expected_prefix");
    let have = match rows.iter().filter(differs).count() {
        0 => return None,
        1 => "1 key has".to_owned(),
        several => format!("{several} keys have"),
    };
    Some(format!(
        "{have} another prefix than --prefix; `keyward get` shows the expected one, and --accept-prefix or \
         --foreign-prefix names others that the service accepts"
    ))
}
