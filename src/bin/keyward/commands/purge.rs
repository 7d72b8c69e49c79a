//! `purge`: removing keys that have been dead for long.

use std::time::Duration;

use serde_json::json;

use crate::commands::Session;
use crate::database::within;
use crate::failure::Failure;
use crate::output::Document;
use crate::progress::Progress;
use crate::schema::CommandSchema;

/// How many keys are removed at once, so that nobody waits long for the tables.
const BATCH: u32 = 1_000;

impl<S: CommandSchema> Session<S> {
    pub(super) async fn purge(&self, older_than: Duration) -> Result<Document, Failure> {
        let progress = Progress::of("purged");
        let mut purged: u64 = 0;
        loop {
            let batch = within(self.timeout, self.keys.purge(older_than, BATCH)).await.map_err(|failure| {
                progress.clear();
                failure.after(&format!("{purged} were purged before"))
            })?;
            if batch == 0 {
                break;
            }
            purged = purged.saturating_add(batch);
            progress.show(purged);
        }
        progress.clear();
        Ok(Document::lines(json!({ "purged": purged }), [format!("purged {purged}")]))
    }
}
