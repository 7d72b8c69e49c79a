//! Scripts inside the host's own transaction.

use std::mem::ManuallyDrop;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Transaction};

use crate::sql::engine::postgres::Postgres;
use crate::sql::engine::postgres::connection::steps;
use crate::sql::engine::postgres::error::{Retries, classify};
use crate::sql::engine::postgres::limits::Limits;
use crate::sql::engine::postgres::text::Prepared;
use crate::sql::engine::postgres::value::cell;
use crate::sql::engine::{Counts, EngineError, Reading, Script, ScriptError};

// Neither is prepared: on a connection of the host's, nothing is known of names.
const ISOLATION: &str = "SELECT pg_catalog.current_setting('transaction_isolation')";
const LOCK_TIMEOUT: &str = "SELECT pg_catalog.current_setting('lock_timeout')";

/// In a transaction that keeps one snapshot, a key that was committed since is not seen, and so not revoked.
pub(super) async fn require_read_committed(connection: &mut PgConnection) -> Result<(), EngineError> {
    if setting(connection, ISOLATION).await?.as_deref() == Some("read committed") {
        return Ok(());
    }
    Err(EngineError::Unsupported("the transaction has to have the isolation level READ COMMITTED"))
}

/// Runs a script in a savepoint: when it fails, the transaction is as it was. So it is when the future is dropped, except
/// while the savepoint is released at the end; the transaction has then failed.
pub(super) async fn run<E: Send, T: Send>(
    postgres: &Postgres,
    connection: &mut PgConnection,
    script: &mut Script<E>,
    mut reading: Option<Reading<T>>,
) -> Result<(Counts, Vec<T>), ScriptError<E>> {
    // Outside of a transaction, the script would begin one of its own, and the host's rollback would not undo it.
    if !connection.is_in_transaction() {
        return Err(EngineError::Unsupported("the connection is not in a transaction begun through sqlx").into());
    }
    // Also the proof that the transaction can go on: sqlx would answer a savepoint that fails with the rollback of
    // everything, and let the host go on outside of any transaction.
    let hosts = setting(connection, LOCK_TIMEOUT).await?.as_deref().and_then(millis);
    let ours = postgres.limits.lock_millis();
    let is_ours_lower = hosts.is_none_or(|hosts| hosts == 0 || hosts > ours);
    let mut retries = Retries::new();
    loop {
        let mut savepoint = savepoint(connection).await.map_err(classify)?;
        let done = async {
            if is_ours_lower {
                sqlx::raw_sql(Limits::set_lock(ours)).execute(&mut *savepoint).await.map_err(classify)?;
            }
            // Without names nothing can be out of date, whatever the host has done to its tables.
            let done = steps(postgres, &mut savepoint, Prepared::Unnamed, script, reading.as_mut()).await?;
            if let Some(hosts) = hosts.filter(|_| is_ours_lower) {
                sqlx::raw_sql(Limits::set_lock(hosts)).execute(&mut *savepoint).await.map_err(classify)?;
            }
            Ok(done)
        };
        let done = done.await;
        if done.is_ok() {
            savepoint.commit().await.map_err(classify)?;
            return done;
        }
        // The setting goes back with the savepoint.
        let _ = savepoint.rollback().await;
        if retries.after(&done).is_none() {
            return done;
        }
    }
}

/// Begins a savepoint. A future that is dropped meanwhile is forgotten, not dropped: sqlx's would queue the rollback of
/// the host's whole transaction, after which the host went on outside of any. An empty savepoint is in nobody's way.
async fn savepoint(connection: &mut PgConnection) -> Result<Transaction<'_, sqlx::Postgres>, sqlx::Error> {
    let mut beginning = ManuallyDrop::new(Box::pin(connection.begin()));
    let begun = (&mut *beginning).await;
    drop(ManuallyDrop::into_inner(beginning));
    begun
}

async fn setting(connection: &mut PgConnection, sql: &'static str) -> Result<Option<String>, EngineError> {
    let row = sqlx::raw_sql(sql).fetch_one(connection).await.map_err(classify)?;
    Ok(cell(&row, 0).as_text().map(str::to_owned))
}

/// A duration as PostgreSQL shows it: a whole number with the largest unit that fits.
fn millis(text: &str) -> Option<u128> {
    let unit = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u128>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn a_duration_reads_as_postgresql_shows_it() {
        let table = [
            ("0", Some(0)),
            ("1ms", Some(1)),
            ("2s", Some(2_000)),
            ("90min", Some(5_400_000)),
            ("1d", Some(86_400_000)),
        ];
        for (text, expected) in table {
            assert_eq!(millis(text), expected);
        }
        for odd in ["", "s", "-1", "2 s", "1us"] {
            assert_eq!(millis(odd), None, "{odd}");
        }
    }
}
