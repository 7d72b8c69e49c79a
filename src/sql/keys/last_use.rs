//! Writing last use: a row that is locked waits for the next time, and one that cannot be written holds up no other.

use std::collections::VecDeque;
use std::time::Duration;

use crate::sql::engine::timestamp::stored_timestamp;
use crate::sql::engine::{Cell, Engine, EngineError, Reading, Row, Script, ScriptError};
use crate::sql::keys::KeyTables;
use crate::store::{KeyUse, Touched};
use crate::time::Stopwatch;

/// How many statements one call takes at most to find the uses that cannot be written. About twice the logarithm of all
/// uses is needed for each of them.
const MOST_STATEMENTS: usize = 1_000;

/// How long one call looks for them: less than the 5 seconds after which a service gives it up, and would not learn what
/// was written.
const MOST_TIME: Duration = Duration::from_secs(3);

/// Writes `uses` in one statement. If the database refuses that, halves of them are tried, until those that it refuses
/// stand alone. What there is no time left for is busy: another call writes it.
pub(super) async fn write<S: KeyTables>(engine: &Engine, uses: &[KeyUse]) -> Result<Touched, EngineError> {
    let began = Stopwatch::start();
    let mut touched = Touched::default();
    let mut batches = VecDeque::from([uses]);
    let (mut statements, mut is_any_accepted, mut first_refusal) = (0, uses.is_empty(), None);
    while let Some(batch) = batches.pop_front().filter(|batch| !batch.is_empty()) {
        if statements == MOST_STATEMENTS || statements > 0 && began.elapsed() >= MOST_TIME {
            touched.busy.extend_from_slice(batch);
            continue;
        }
        statements += 1;
        match write_batch::<S>(engine, batch, &mut touched).await {
            Ok(()) => is_any_accepted = true,
            // One row's trigger or policy can also say that a right is missing.
            Err(error @ (EngineError::Failed { .. } | EngineError::Denied { .. } | EngineError::Violation(_))) => {
                let is_first = first_refusal.is_none();
                first_refusal.get_or_insert(error);
                if let [refused] = batch {
                    touched.refused.push(refused.clone());
                    continue;
                }
                // A statement that fails without any use, as without its table, fails for no row's sake.
                if is_first && write_batch::<S>(engine, &[], &mut touched).await.is_err() {
                    break;
                }
                let (one, other) = batch.split_at(batch.len() / 2);
                batches.extend([one, other]);
            }
            Err(error) => return Err(error),
        }
    }
    match first_refusal {
        // What the database refuses for each of several rows is more likely a fault of the table's.
        Some(error) if !is_any_accepted => Err(error),
        _ => Ok(touched),
    }
}

async fn write_batch<S: KeyTables>(engine: &Engine, uses: &[KeyUse], touched: &mut Touched) -> Result<(), EngineError> {
    // Uses whose caller has gone are pending again.
    let script = Script::<EngineError>::new([]).only_while_awaited();
    let done = engine.run_and_read(script, Reading::new(S::touch(), [stored(uses).into()], busy)).await;
    let (_, rows) = done.map_err(|error| match error {
        ScriptError::Refused(error) | ScriptError::Engine(error) => error,
    })?;
    for row in rows {
        match row {
            None => touched.written += 1,
            Some(place) => touched.busy.extend(place.checked_sub(1).and_then(|place| uses.get(place)).cloned()),
        }
    }
    Ok(())
}

/// The place of a use whose row is locked; `None` for a row that was written.
fn busy(row: &Row<'_>) -> Option<usize> {
    match row.cell(0) {
        Cell::Integer(place) => Some(usize::try_from(place).unwrap_or_default()),
        _ => None,
    }
}

/// Uses of keys as one argument: a JSON array of `[identity, digest, instant]`.
fn stored(uses: &[KeyUse]) -> String {
    let rows = uses.iter().map(|KeyUse { id, digest, at }| {
        serde_json::json!([id.as_str(), digest.to_hex().as_str(), &*stored_timestamp(*at)])
    });
    serde_json::Value::Array(rows.collect()).to_string()
}
