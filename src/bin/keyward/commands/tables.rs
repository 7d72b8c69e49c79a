//! `migrate` and `check`.

use keyward::sql::Difference;
use keyward::{Engine, Timestamp};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Document;
use crate::schema::CommandSchema;

pub(super) async fn migrate<S: CommandSchema>(
    engine: &Engine,
    note_changes: bool,
    now: Timestamp,
) -> Result<Document, Failure> {
    let applied = engine.migrate::<S>(now).await?;
    if note_changes {
        engine.note_changes::<S>().await?;
    }
    let lines = applied.iter().map(|migration| format!("applied {migration}")).collect();
    let mut document = report(&engine.check::<S>().await?, lines);
    let applied: Vec<_> = applied.iter().map(ToString::to_string).collect();
    document.json["applied"] = json!(applied);
    Ok(document)
}

pub(super) async fn check<S: CommandSchema>(engine: &Engine) -> Result<Document, Failure> {
    Ok(report(&engine.check::<S>().await?, Vec::new()))
}

/// Differences that keyward can live with are named, and are no failure.
pub(crate) fn report(differences: &[Difference], mut lines: Vec<String>) -> Document {
    let is_breaking = differences.iter().any(|difference| difference.breaking);
    lines.extend(differences.iter().map(|difference| {
        let weight = if difference.breaking { "breaking" } else { "harmless" };
        format!("{weight}: {difference}")
    }));
    if differences.is_empty() {
        lines.push("the tables are as expected".to_owned());
    }
    let differences: Vec<_> = differences
        .iter()
        .map(|Difference { object, expected, found, breaking, .. }| {
            json!({ "object": object, "expected": expected, "found": found, "breaking": breaking })
        })
        .collect();
    Document { accepted: !is_breaking, ..Document::lines(json!({ "differences": differences }), lines) }
}
