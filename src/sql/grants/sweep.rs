//! Removing what nobody can use any more.

use crate::sql::engine::{Row, Script, ScriptError, Statement, Step};
use crate::sql::grants::SqlGrantStore;
use crate::sql::grants::arguments::{limit, list, time};
use crate::sql::grants::scripts::Refusal;
use crate::sql::grants::statements::sweep;
use crate::sql::grants::store::interpret;
use crate::store::StoreError;
use crate::store::grants::{SweepRequest, Swept};

const CODES: &str = "codes";
const REFRESH: &str = "refresh tokens";
const ACCESS: &str = "access tokens";
const GRANTS: &str = "grants";
const CLIENTS: &str = "clients";

impl SqlGrantStore {
    /// Removes a part of what is due. What is due is looked up before, and looked at again when it is removed: it is the same
    /// rows that are removed from the host's tables and from ours.
    pub(super) async fn sweep_once(&self, request: &SweepRequest) -> Result<Swept, StoreError> {
        let SweepRequest { at, limit: most, clients_unused_since } = *request;
        let (at, most) = (time(at), limit(most));
        let due = [at.clone(), most.clone()];
        let mut grants = self.read(&sweep::FORGETTABLE, &due, id).await?;
        let spent = self.forget_spent(&grants, request).await?;
        if spent.is_some_left {
            // Somebody else holds them: another time.
            grants.clear();
        }
        let access = self.read(&sweep::SWEEPABLE_ACCESS, &due, id).await?;
        let count = |name, sql, arguments: [_; 2]| Step::<Refusal>::count(name, Statement::new(sql, arguments));
        let mut steps = Vec::new();
        if !grants.is_empty() {
            let grants = list(grants.iter().map(String::as_str));
            for (name, sql) in [
                (CODES, sweep::FORGET_CODES),
                (REFRESH, sweep::FORGET_REFRESH),
                (ACCESS, sweep::FORGET_ACCESS),
                (GRANTS, sweep::FORGET_GRANTS),
            ] {
                steps.push(count(name, sql, [grants.clone(), at.clone()]));
            }
        }
        steps.push(count(CODES, sweep::SWEEP_CODES, due.clone()));
        steps.push(count(REFRESH, sweep::SWEEP_REFRESH, due));
        if !access.is_empty() {
            let access = list(access.iter().map(String::as_str));
            steps.push(count(REFRESH, sweep::SWEEP_REFRESH_OF_ACCESS, [access.clone(), at.clone()]));
            steps.push(count(ACCESS, sweep::SWEEP_ACCESS, [access.clone(), at]));
            steps.push(Step::run(Statement::new(sweep::SWEEP_GRANT_ACCESS, [access])));
        }
        if let Some(since) = clients_unused_since {
            steps.push(count(CLIENTS, sweep::SWEEP_CLIENTS, [time(since), most]));
        }
        match self.engine.run(Script::new(steps)).await {
            Ok(counts) => Ok(Swept {
                codes: counts.of(CODES),
                access_tokens: counts.of(ACCESS),
                refresh_tokens: counts.of(REFRESH) + spent.removed,
                grants: counts.of(GRANTS),
                clients: counts.of(CLIENTS),
            }),
            Err(ScriptError::Engine(error)) => Err(interpret(error)),
            // No step of it has an error of its own.
            Err(ScriptError::Refused(_)) => Ok(Swept::default()),
        }
    }

    /// Removes the spent refresh tokens of grants that are to be forgotten, in transactions of their own, until a few are left
    /// that can go with the grants: a grant that was refreshed for a year has had tens of thousands.
    async fn forget_spent(&self, grants: &[String], request: &SweepRequest) -> Result<Spent, StoreError> {
        let mut removed = 0;
        if grants.is_empty() {
            return Ok(Spent { removed, is_some_left: false });
        }
        let of = [list(grants.iter().map(String::as_str)), limit(request.limit)];
        loop {
            let digests = self.read(&sweep::SPENT_OF_GRANTS, &of, id).await?;
            if u64::try_from(digests.len()).is_ok_and(|found| found < u64::from(request.limit)) {
                return Ok(Spent { removed, is_some_left: false });
            }
            let of_digests = [list(digests.iter().map(String::as_str)), time(request.at)];
            let script = Script::<Refusal>::new([
                Step::count(GRANTS, Statement::new(sweep::FORGET_SPENT, of_digests.clone())),
                Step::count(REFRESH, Statement::new(sweep::FORGET_SPENT_REFRESH, of_digests)),
            ]);
            let counts = match self.engine.run(script).await {
                Ok(counts) => counts,
                Err(ScriptError::Engine(error)) => return Err(interpret(error)),
                // No step of it has an error of its own.
                Err(ScriptError::Refused(_)) => return Ok(Spent { removed, is_some_left: true }),
            };
            removed += counts.of(REFRESH);
            if counts.of(GRANTS) == 0 {
                return Ok(Spent { removed, is_some_left: true });
            }
        }
    }
}

/// What became of the spent refresh tokens of grants that are to be forgotten.
struct Spent {
    /// How many of the host's rows were removed.
    removed: u64,
    /// Whether there are more of them than go with the grants.
    is_some_left: bool,
}

fn id(row: &Row<'_>) -> String {
    row.cell(0).as_text().unwrap_or_default().to_owned()
}
