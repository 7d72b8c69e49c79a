//! Revoking all keys of an owner: what can be revoked is, whatever keeps the rest.

use crate::key::{KeyId, OwnerId, RevokedAll};
use crate::sql::engine::{Cell, EngineError, Reading, Row, ScriptError};
use crate::sql::keys::revocation::{PartColumn, remaining};
use crate::sql::keys::schema::Part;
use crate::sql::keys::store::{interpret, interpret_script};
use crate::sql::keys::{Column as _, SqlKeyStore, SqlSchema};
use crate::store::{KeyStore, RevokeAllRequest, RevokeRequest, StoreError};

/// How many keys one transaction revokes where rows can be locked by others: short enough to hold nobody up.
const PART: u64 = 500;

/// After so many parts in a row that the database refuses, the fault is hardly one of their rows.
const MOST_REFUSED: u32 = 4;

/// How often one key after the other is tried, for the sake of those that are added meanwhile.
const MOST_ROUNDS: usize = 4;

/// After so many keys of which none could be revoked, the fault is hardly one of their rows.
const MOST_IN_VAIN: u64 = 200;

/// How often one key after the other may wait for a lock in vain.
const MOST_WAITS: u32 = 3;

/// What a part of an owner's keys has come to.
struct PartDone {
    due: u64,
    revoked: u64,
    first: u64,
}

impl<S: SqlSchema> SqlKeyStore<S> {
    pub(super) async fn revoke_every_key(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError> {
        let mut count = 0;
        match self.revoke_what_can_be(request, &mut count).await {
            Ok(remaining) => Ok(RevokedAll::new(request.owner.clone(), count).with_remaining(remaining)),
            Err(error) if count > 0 => Err(StoreError::Interrupted { revoked: count, source: error.into() }),
            Err(error) => Err(error),
        }
    }

    /// Adds to `count` what it has revoked, also where it fails, and names what is left.
    async fn revoke_what_can_be(&self, request: &RevokeAllRequest, count: &mut u64) -> Result<Vec<KeyId>, StoreError> {
        if let Err(error) = self.sweep(request, count).await {
            return self.after_refusal(request, error, count).await;
        }
        // It waits for rows that somebody holds, and leaves no key out that was added since.
        let rest = self.revocation_of_all(request)?.run(&self.shared.engine).await;
        let error = match rest {
            Ok(rest) => {
                *count += rest.count;
                return Ok(rest.remaining);
            }
            Err(ScriptError::Engine(error)) => error,
            Err(error @ ScriptError::Refused(_)) => return Err(interpret_script::<S>(error)),
        };
        if !matches!(error, EngineError::Unavailable { .. }) || !self.shared.engine.locks_rows() {
            return self.after_refusal(request, error, count).await;
        }
        // One row that was not let go of has undone it for all that were. Where it was no row, this fails as well.
        self.sweep(request, count).await.map_err(interpret::<S>)?;
        let remaining = self.read_remaining(&request.owner, 0).await?;
        if *count == 0 && !remaining.is_empty() {
            return Err(interpret::<S>(error));
        }
        Ok(remaining)
    }

    /// Revokes all keys whose rows nobody holds, a part at a time: a row that is locked, or that cannot be revoked, is
    /// passed over. Each part begins with the first live key again, so that none is missed that was added meanwhile.
    async fn sweep(&self, request: &RevokeAllRequest, count: &mut u64) -> Result<(), EngineError> {
        if !self.shared.engine.locks_rows() {
            return Ok(());
        }
        let mut part = Part { limit: PART, left: 0, is_first: true };
        let (mut refused, mut first_refusal) = (0, None);
        while let Some(done) = self.revoke_part(request, part).await {
            match done {
                Ok(done) => {
                    *count += done.first;
                    part.left += done.due.saturating_sub(done.revoked);
                    refused = 0;
                    if done.due < part.limit {
                        break;
                    }
                }
                Err(error) if is_refusal(&error) => {
                    // Its keys are tried one by one in the end.
                    first_refusal.get_or_insert(error);
                    part.left += part.limit;
                    refused += 1;
                    if refused == MOST_REFUSED {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
            part.is_first = false;
        }
        first_refusal.map_or(Ok(()), Err)
    }

    async fn revoke_part(&self, request: &RevokeAllRequest, part: Part) -> Option<Result<PartDone, EngineError>> {
        let schema = &self.shared.schema;
        let (script, (query, arguments)) = schema.revoke_part(request, part, self.has_side_tables())?;
        let done = self.shared.engine.run_and_read(script, Reading::new(query, arguments, part_done)).await;
        let none = PartDone { due: 0, revoked: 0, first: 0 };
        Some(match done {
            Ok((_, rows)) => Ok(rows.into_iter().next().unwrap_or(none)),
            Err(ScriptError::Engine(error)) => Err(error),
            // No step of it has an error of its own.
            Err(ScriptError::Refused(_)) => Ok(none),
        })
    }

    async fn after_refusal(
        &self,
        request: &RevokeAllRequest,
        error: EngineError,
        count: &mut u64,
    ) -> Result<Vec<KeyId>, StoreError> {
        if is_refusal(&error) {
            return self.revoke_one_by_one(request, interpret::<S>(error), count).await;
        }
        Err(interpret::<S>(error))
    }

    /// Revokes one key after the other, where the database refuses to revoke them together for the sake of one of them:
    /// it must not keep the others alive. Keys that are added meanwhile are met by another round.
    async fn revoke_one_by_one(
        &self,
        request: &RevokeAllRequest,
        refused: StoreError,
        count: &mut u64,
    ) -> Result<Vec<KeyId>, StoreError> {
        let RevokeAllRequest { owner, at, reason, by } = request;
        let mut waits = 0;
        for _ in 0..MOST_ROUNDS {
            let (before, mut left) = (*count, 0);
            loop {
                let page = self.read_remaining(owner, left).await?;
                if page.is_empty() {
                    break;
                }
                for id in page {
                    if *count == 0 && left >= MOST_IN_VAIN {
                        return Err(refused);
                    }
                    let key = RevokeRequest::new(id, *at).of(owner.clone()).because(reason.clone()).by(by.clone());
                    match KeyStore::revoke(self, &key).await {
                        // It stands among the live ones no more, and those behind it have moved up.
                        Ok(Some(revoked)) => *count += u64::from(!revoked.already),
                        Err(error @ StoreError::Unavailable { .. }) => {
                            waits += 1;
                            if waits == MOST_WAITS {
                                return Err(error);
                            }
                            left += 1;
                        }
                        // Nor can a row be named whose identity is NULL.
                        Ok(None) | Err(_) => left += 1,
                    }
                }
            }
            if *count == before {
                break;
            }
        }
        // Nothing could be done, so that the fault is not a single row's.
        if *count == 0 {
            return Err(refused);
        }
        self.read_remaining(owner, 0).await
    }

    async fn read_remaining(&self, owner: &OwnerId, left: u64) -> Result<Vec<KeyId>, StoreError> {
        self.shared.engine.read_as(remaining::<S>(owner, left)).await.map_err(interpret::<S>)
    }
}

/// Whether the database refused what it was asked, which one row can be the reason of: its trigger or policy can also say
/// that a right is missing.
fn is_refusal(error: &EngineError) -> bool {
    matches!(error, EngineError::Failed { .. } | EngineError::Denied { .. } | EngineError::Violation(_))
}

fn part_done(row: &Row<'_>) -> PartDone {
    let number = |column: PartColumn| match row.cell(column.place()) {
        Cell::Integer(number) => number.unsigned_abs(),
        _ => 0,
    };
    PartDone { due: number(PartColumn::Due), revoked: number(PartColumn::Revoked), first: number(PartColumn::First) }
}
