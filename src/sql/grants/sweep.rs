//! Removing what nobody can use any more.

use crate::sql::engine::{Counts, Row, Script, ScriptError, Sql, Statement, Step, Value};
use crate::sql::grants::SqlGrantStore;
use crate::sql::grants::arguments::{count, limit, list, time};
use crate::sql::grants::scripts::Refusal;
use crate::sql::grants::statements::{answers, sweep};
use crate::sql::grants::store::interpret;
use crate::store::StoreError;
use crate::store::grants::{CODES_STAY, SweepRequest, Swept};

const CODES: &str = "codes";
const REFRESH: &str = "refresh tokens";
const ACCESS: &str = "access tokens";
const GRANTS: &str = "grants";
const CLIENTS: &str = "clients";

impl SqlGrantStore {
    /// Removes a part of what is due: first the host's rows, and what is remembered beside them once they are gone, so that
    /// no token of ours is ever taken for one of another program's. Each kind of row is counted, also those of our own.
    pub(super) async fn sweep_once(&self, request: &SweepRequest) -> Result<Swept, StoreError> {
        let SweepRequest { at, limit: most, clients_unused_since } = *request;
        let all = limit(most);
        let due = [time(at), all.clone()];
        let mut swept = Swept::default();
        self.run_sweep(
            vec![
                Step::run(Statement::new(answers::BLANK_EXPIRED, due.clone())),
                step(CODES, sweep::SWEEP_CODES, [time(at.saturating_sub(CODES_STAY)), all.clone()]),
                step(REFRESH, sweep::SWEEP_REFRESH, due.clone()),
            ],
            &mut swept,
        )
        .await?;

        // It is the same access tokens that are removed from the host's table and from ours.
        let access = self.read(&sweep::SWEEPABLE_ACCESS, &due, id).await?;
        if !access.is_empty() {
            let access = list(access.iter().map(String::as_str));
            let refresh = [access.clone(), time(at), left(most, swept.refresh_tokens)];
            let steps = vec![
                step(REFRESH, sweep::SWEEP_REFRESH_OF_ACCESS, refresh),
                step(ACCESS, sweep::SWEEP_ACCESS, [access.clone(), time(at)]),
                Step::run(Statement::new(sweep::SWEEP_GRANT_ACCESS, [access])),
            ];
            self.run_sweep(steps, &mut swept).await?;
        }

        let grants = self.read(&sweep::FORGETTABLE, &due, id).await?;
        if !grants.is_empty() {
            let grants = list(grants.iter().map(String::as_str));
            let of_kind = |left| [grants.clone(), time(at), left];
            let steps = vec![
                step(CODES, sweep::FORGET_CODES, of_kind(left(most, swept.codes))),
                step(REFRESH, sweep::FORGET_REFRESH, of_kind(left(most, swept.refresh_tokens))),
                step(ACCESS, sweep::FORGET_ACCESS, of_kind(left(most, swept.access_tokens))),
                step(GRANTS, sweep::FORGET_GRANTS, [grants.clone(), time(at)]),
            ];
            self.run_sweep(steps, &mut swept).await?;
        }

        if let Some(since) = clients_unused_since {
            self.run_sweep(vec![step(CLIENTS, sweep::SWEEP_CLIENTS, [time(since), all])], &mut swept).await?;
        }
        Ok(swept)
    }

    /// One transaction of a sweep.
    async fn run_sweep(&self, steps: Vec<Step<Refusal>>, swept: &mut Swept) -> Result<(), StoreError> {
        match self.engine.run(Script::new(steps)).await {
            Ok(counts) => *swept += counted(&counts),
            Err(ScriptError::Engine(error)) => return Err(interpret(error)),
            // No step of it has an error of its own.
            Err(ScriptError::Refused(_)) => {}
        }
        Ok(())
    }
}

fn step(name: &'static str, sql: Sql, arguments: impl Into<Vec<Value<'static>>>) -> Step<Refusal> {
    Step::count(name, Statement::new(sql, arguments))
}

/// How many rows of a kind may still be removed.
fn left(most: u32, removed: u64) -> Value<'static> {
    count(u64::from(most).saturating_sub(removed))
}

fn counted(counts: &Counts) -> Swept {
    Swept {
        codes: counts.of(CODES),
        access_tokens: counts.of(ACCESS),
        refresh_tokens: counts.of(REFRESH),
        grants: counts.of(GRANTS),
        clients: counts.of(CLIENTS),
    }
}

fn id(row: &Row<'_>) -> String {
    row.cell(0).as_text().unwrap_or_default().to_owned()
}
