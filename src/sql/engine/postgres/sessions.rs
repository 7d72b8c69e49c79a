//! Whether a connection has a session of the server for itself, or a transaction pooler hands sessions around.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::sql::engine::Cell;
use crate::sql::engine::postgres::text::Prepared;
use crate::sql::engine::postgres::value::cell;

/// Sent without preparing it, which would need to know the answer.
const SESSION: &str = "SELECT pg_catalog.pg_backend_pid()::text";

/// How often both connections are asked. A busy pooler with two sessions gives two connections the same ones as if they
/// were their own once in 2^18 times; one with more sessions hardly ever.
const ROUNDS: u32 = 10;

/// How long it may take to find out. A read that needs to know first has to end in time all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often statements may get lost until none is prepared under a name any more.
const LOSSES: u32 = 8;

const UNKNOWN: u8 = 0;
const OWN: u8 = 1;
const SHARED: u8 = 2;

/// What is known of the sessions behind a pool.
///
/// In a pooler, the name of a statement may be another client's for another statement, which would then be run with our
/// arguments. So nothing is prepared under a name before it is known that sessions are not shared.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    kind: AtomicU8,
    is_declared: bool,
    losses: AtomicU32,
}

impl Sessions {
    /// As the host says.
    pub(super) fn declared(prepared: Prepared) -> Self {
        let kind = if prepared == Prepared::Named { OWN } else { SHARED };
        Self { kind: kind.into(), is_declared: true, losses: AtomicU32::new(0) }
    }

    /// Of those behind another pool of the host's, nothing is known but what the host has said of all.
    pub(super) fn of_another_server(&self) -> Arc<Self> {
        let kind = if self.is_declared { self.kind.load(Ordering::Relaxed) } else { UNKNOWN };
        Arc::new(Self { kind: kind.into(), is_declared: self.is_declared, losses: AtomicU32::new(0) })
    }

    pub(super) fn are_known_to_be_shared(&self) -> bool {
        self.kind.load(Ordering::Relaxed) == SHARED
    }

    /// How statements are to be prepared on `connection`, which is one of those that `options` make.
    pub(super) async fn prepared(
        &self,
        connection: &mut PgConnection,
        options: &PgConnectOptions,
    ) -> Result<Prepared, sqlx::Error> {
        match self.kind.load(Ordering::Relaxed) {
            OWN => Ok(Prepared::Named),
            SHARED => Ok(Prepared::Unnamed),
            _ => {
                // Apart, as a connection that is being made takes much room.
                let finding = Box::pin(self.find_out(connection, options));
                tokio::time::timeout(PATIENCE, finding).await.unwrap_or_else(|_| {
                    // To do without names is always right, only slower, and in the end better than to ask each time.
                    self.lost();
                    Ok(Prepared::Unnamed)
                })
            }
        }
    }

    async fn find_out(
        &self,
        connection: &mut PgConnection,
        options: &PgConnectOptions,
    ) -> Result<Prepared, sqlx::Error> {
        let Ok(mut other) = options.connect().await else {
            // No room for another connection, which is no reason to do without this one.
            return Ok(Prepared::Unnamed);
        };
        let kind = if are_shared(connection, &mut other).await? { SHARED } else { OWN };
        // It has told what it was asked; how it ends tells nothing more.
        let _ = other.close().await;
        let _ = self.kind.compare_exchange(UNKNOWN, kind, Ordering::Relaxed, Ordering::Relaxed);
        Ok(if kind == OWN { Prepared::Named } else { Prepared::Unnamed })
    }

    /// The server did not know a statement, or knew another one of its name: the host has discarded them, or there is a
    /// pooler now.
    pub(super) fn lost(&self) {
        if self.is_declared {
            return;
        }
        if self.losses.fetch_add(1, Ordering::Relaxed) >= LOSSES {
            self.kind.store(SHARED, Ordering::Relaxed);
        } else {
            self.kind.store(UNKNOWN, Ordering::Relaxed);
        }
    }
}

/// Whether one of the two connections is ever answered by a session that was the other's, or by a second one.
async fn are_shared(one: &mut PgConnection, other: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let (first, second) = (session(one).await?, session(other).await?);
    if first == second {
        return Ok(true);
    }
    for _ in 1..ROUNDS {
        // The other one first, as a pooler that hands its sessions out in turn would otherwise go undetected.
        if session(other).await? != second || session(one).await? != first {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn session(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::raw_sql(SESSION).fetch_one(connection).await?;
    Ok(match cell(&row, 0) {
        Cell::Text(process) => Some(process.to_owned()),
        _ => None,
    })
}
