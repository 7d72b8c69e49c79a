//! Revoking grants: what can be revoked is, whatever keeps the rest.

use crate::broker::{GrantId, GrantRevocationReason, SubjectId};
use crate::sql::engine::{Query, Reading, Row, Script, ScriptError, Sql, Statement, Step, Value};
use crate::sql::grants::SqlGrantStore;
use crate::sql::grants::arguments::{limit, list, subject_number, time};
use crate::sql::grants::scripts::Refusal;
use crate::sql::grants::statements::{answers, foreign, revocations};
use crate::sql::grants::store::interpret;
use crate::store::StoreError;
use crate::store::grants::{GrantFilter, RevokeGrantRequest, RevokeGrantsRequest};
use crate::time::Timestamp;

/// What the rows of a step are: grants that are revoked by it.
const REVOKED: &str = "revoked";

/// How many grants one transaction revokes at most: short enough to hold nobody up.
const PART: u32 = 500;

/// Whether a change passes over rows that somebody else holds, or waits for them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    PassedOver,
    WaitedFor,
}

impl Held {
    const fn of_grants(self) -> [Sql; 3] {
        match self {
            Self::PassedOver => {
                [revocations::REVOKE_UNHELD, revocations::REVOKE_REFRESH_UNHELD, revocations::REVOKE_ACCESS_UNHELD]
            }
            Self::WaitedFor => [revocations::REVOKE, revocations::REVOKE_REFRESH, revocations::REVOKE_ACCESS],
        }
    }

    const fn of_foreign_tokens(self) -> [Sql; 2] {
        match self {
            Self::PassedOver => [foreign::REVOKE_FOREIGN_REFRESH_UNHELD, foreign::REVOKE_FOREIGN_ACCESS_UNHELD],
            Self::WaitedFor => [foreign::REVOKE_FOREIGN_REFRESH, foreign::REVOKE_FOREIGN_ACCESS],
        }
    }
}

impl SqlGrantStore {
    /// Revokes a grant, and whatever of its tokens the host's rows say is good, also where the grant was revoked before.
    pub(super) async fn revoke_one(&self, request: &RevokeGrantRequest) -> Result<bool, StoreError> {
        let RevokeGrantRequest { grant, reason, at } = request;
        let (revoked, left) = self.revoke(std::slice::from_ref(grant), *reason, *at, Held::WaitedFor).await?;
        if left.is_empty() { Ok(revoked > 0) } else { Err(StoreError::Suppressed { table: "grants" }) }
    }

    /// How many of these grants were revoked, and which of them are not, or have a token that is not.
    async fn revoke(
        &self,
        grants: &[GrantId],
        reason: GrantRevocationReason,
        at: Timestamp,
        held: Held,
    ) -> Result<(u64, Vec<GrantId>), StoreError> {
        let grants = list(grants.iter().map(GrantId::as_str));
        let [revoke, refresh, access] = held.of_grants();
        let tokens = [grants.clone(), time(at)];
        let script = Script::<Refusal>::new([
            Step::count(REVOKED, Statement::new(revoke, [grants.clone(), time(at), reason.code().into()])),
            Step::run(Statement::new(answers::BLANK_REVOKED, [grants.clone()])),
            Step::run(Statement::new(refresh, tokens.clone())),
            Step::run(Statement::new(access, tokens)),
        ]);
        match self.engine.run_and_read(script, Reading::new(&revocations::NOT_REVOKED, [grants], id)).await {
            Ok((counts, left)) => Ok((counts.of(REVOKED), left)),
            Err(ScriptError::Engine(error)) => Err(interpret(error)),
            // No step of it has an error of its own.
            Err(ScriptError::Refused(_)) => Ok((0, Vec::new())),
        }
    }

    /// Revokes at most so many grants: first all that nobody holds, so that a row of somebody else's keeps no other grant
    /// alive, and then, when there are no more of them, those that are held.
    pub(super) async fn revoke_many(&self, request: &RevokeGrantsRequest) -> Result<u64, StoreError> {
        let mut count = 0;
        match self.revoke_what_can_be(request, &mut count).await {
            Ok(()) => Ok(count),
            Err(error) if count > 0 => Err(StoreError::Interrupted { revoked: count, source: error.into() }),
            Err(error) => Err(error),
        }
    }

    async fn revoke_what_can_be(&self, request: &RevokeGrantsRequest, count: &mut u64) -> Result<(), StoreError> {
        let RevokeGrantsRequest { filter, at, limit, .. } = request;
        // What waits for a row may fail, and must keep nothing alive that nobody holds.
        let foreign = self.revoke_foreign_tokens(filter, *at, Held::PassedOver).await;
        self.revoke_pages(request, count, Held::PassedOver).await?;
        if *count >= u64::from(*limit) {
            return Ok(());
        }
        let foreign = match foreign {
            Ok(_) => self.revoke_foreign_tokens(filter, *at, Held::WaitedFor).await,
            failed => failed,
        };
        // A refresh token of another program's may have become one of a grant by now. As none of them is good any more, no
        // other will, so that this finds every grant that there is to be.
        let left = self.revoke_pages(request, count, Held::WaitedFor).await?;
        if *count < u64::from(*limit) && (foreign? || left) {
            return Err(StoreError::Suppressed { table: "grants" });
        }
        Ok(())
    }

    /// Revokes the grants that meet the filter, page by page, as far as the limit goes. Whether some are left that it tried.
    async fn revoke_pages(
        &self,
        request: &RevokeGrantsRequest,
        count: &mut u64,
        held: Held,
    ) -> Result<bool, StoreError> {
        let RevokeGrantsRequest { filter, reason, at, limit } = request;
        let (mut is_left, mut after) = (false, None);
        loop {
            let most = u64::from(*limit).saturating_sub(*count);
            let part = PART.min(u32::try_from(most).unwrap_or(PART));
            if part == 0 {
                return Ok(is_left);
            }
            let found = self.live(filter, after.as_ref(), part).await?;
            let (revoked, left) = self.revoke(&found, *reason, *at, held).await?;
            *count += revoked;
            is_left |= !left.is_empty();
            if found.len() < part as usize {
                return Ok(is_left);
            }
            after = found.into_iter().next_back();
        }
    }

    /// The grants that meet a filter and are not revoked, in the order of their identities.
    async fn live(&self, filter: &GrantFilter, after: Option<&GrantId>, most: u32) -> Result<Vec<GrantId>, StoreError> {
        let after: Value<'_> = after.map(GrantId::as_str).into();
        let most = limit(most);
        match filter {
            GrantFilter { client: Some(client), subject } => {
                let subject = subject.as_ref().map(SubjectId::as_str);
                let arguments = [client.as_str().into(), subject.into(), after, most];
                self.read(&revocations::LIVE_OF_CLIENT, &arguments, id).await
            }
            GrantFilter { client: None, subject: Some(subject) } => {
                self.read(&revocations::LIVE_OF_SUBJECT, &[subject.as_str().into(), after, most], id).await
            }
            GrantFilter { client: None, subject: None } => self.read(&revocations::LIVE, &[after, most], id).await,
        }
    }

    /// Revokes the tokens of another program's that meet the filter, which belong to no grant. Whether some are left.
    async fn revoke_foreign_tokens(&self, filter: &GrantFilter, at: Timestamp, held: Held) -> Result<bool, StoreError> {
        let number = match &filter.subject {
            None => None,
            // The other program knows people by numbers.
            Some(subject) => match subject_number(subject.as_str()) {
                Some(number) => Some(number),
                None => return Ok(false),
            },
        };
        let client: Value<'static> = filter.client.as_ref().map(|client| client.as_str().to_owned()).into();
        let left: &'static Query = &foreign::FOREIGN_NOT_REVOKED;
        // Most often there are none, and there is nothing to lock.
        let meeting = [client, number.into()];
        if self.read(left, &meeting, |_| ()).await?.is_empty() {
            return Ok(false);
        }
        let change = |sql| {
            let [client, number] = meeting.clone();
            Step::run(Statement::new(sql, [client, number, time(at)]))
        };
        let script = Script::<Refusal>::new(held.of_foreign_tokens().map(change));
        match self.engine.run_and_read(script, Reading::new(left, meeting.clone(), |_| ())).await {
            Ok((_, left)) => Ok(!left.is_empty()),
            Err(ScriptError::Engine(error)) => Err(interpret(error)),
            Err(ScriptError::Refused(_)) => Ok(false),
        }
    }
}

fn id(row: &Row<'_>) -> GrantId {
    GrantId::from_stored(row.cell(0).as_text().unwrap_or_default())
}
