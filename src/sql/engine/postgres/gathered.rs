//! Lookups that wait at the same time, made in one round trip on a connection of their own.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use sqlx::postgres::PgConnection;

use crate::sql::engine::postgres::caution::Caution;
use crate::sql::engine::postgres::connection;
use crate::sql::engine::postgres::limits::{given_up_after, set_statement_timeout};
use crate::sql::engine::postgres::replicas::Taken;
use crate::sql::engine::postgres::text::Prepared;
use crate::sql::engine::postgres::value::bound_together;
use crate::sql::engine::postgres::{CONNECT_TIMEOUT, Postgres};
use crate::sql::engine::{EngineError, Query, Row, Value};
use crate::visible::Causes;

/// A read that is dropped earlier was hardly waiting for a lock.
const SLOW: Duration = Duration::from_millis(100);

/// Otherwise the server plans anew for every few lookups, which takes longer than they do, because it takes the plan for an
/// array of unknown length to be worse.
const PLAN_ONCE: &str = "SET plan_cache_mode = force_generic_plan";

/// A connection that is kept from one read to the next, made when it is needed.
#[derive(Default)]
pub(crate) struct GatheredReader(State);

#[derive(Default)]
enum State {
    #[default]
    None,
    /// To a replica, which may be far away. Whoever reads next goes on with it.
    Connecting(Pin<Box<dyn Future<Output = Option<Kept>> + Send>>),
    Kept(Kept),
}

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) connection: PgConnection,
    since: Instant,
    used: Instant,
    /// Where the server is a replica: everything that was committed before this moment it has, as it has been asked on this
    /// connection.
    pub(super) as_of: Option<Taken>,
}

impl GatheredReader {
    pub(super) fn keep(&mut self, kept: Kept) {
        self.0 = State::Kept(kept);
    }

    /// For a reader of a replica: everything that was committed before this moment the server had at the last read.
    pub(crate) const fn as_of(&self) -> Option<Taken> {
        match &self.0 {
            State::Kept(kept) => kept.as_of,
            _ => None,
        }
    }
}

impl fmt::Debug for GatheredReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatheredReader").field("as_of", &self.as_of()).finish_non_exhaustive()
    }
}

impl Postgres {
    /// The rows that `query` finds for any of these lookups, each with the arguments of one. `None` where each is better read
    /// by itself: behind a pooler, while tables are being changed, and after any failure, which the read by itself meets
    /// again, and reports, or repairs.
    pub(crate) async fn read_gathered<T: Send>(
        &self,
        reader: &mut GatheredReader,
        query: &'static Query,
        lookups: &[Vec<Value<'_>>],
        decode: impl FnMut(&Row<'_>) -> T + Send,
    ) -> Option<Vec<T>> {
        if self.reader_timeout.is_none() && self.caution.is_raised() {
            return None;
        }
        let mut kept = self.kept(reader).await?;
        // What is given up, or fails, takes its connection with it.
        let mut under_way = UnderWay { caution: &self.caution, since: Instant::now(), is_finished: false };
        let text = query.sql().postgres;
        let statement = match lookups {
            [alone] => self.texts.bound(text, alone, Prepared::Named),
            together => bound_together(self.texts.gathered(text, together), together),
        };
        let found = connection::fetch(statement, &mut kept.connection, query, decode).await;
        under_way.is_finished = true;
        match found {
            Ok(found) => {
                reader.keep(Kept { used: Instant::now(), ..kept });
                Some(found)
            }
            Err(error) => {
                tracing::warn!(event = "key.lookups_not_gathered", error = %Causes(&error), "each is made by itself");
                None
            }
        }
    }

    /// A read in several steps, which takes no longer than one.
    pub(crate) async fn within_read_timeout<T>(
        &self,
        read: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        given_up_after(self.limits.read(), read).await
    }

    /// The connection of the reader, or a new one, if its session is its own.
    pub(super) async fn kept(&self, reader: &mut GatheredReader) -> Option<Kept> {
        if self.sessions.are_known_to_be_shared() {
            return None;
        }
        let options = self.pool.options();
        let within = |since: Instant, limit: Option<Duration>| limit.is_none_or(|limit| since.elapsed() < limit);
        let is_good = |kept: &Kept| {
            within(kept.since, options.get_max_lifetime()) && within(kept.used, options.get_idle_timeout())
        };
        if let State::Kept(_) = reader.0
            && let State::Kept(mut kept) = mem::take(&mut reader.0)
            && is_good(&kept)
            && !self.pool.is_closed()
        {
            let is_own = self.prepared(&mut kept.connection).await.is_ok_and(|prepared| prepared == Prepared::Named);
            return is_own.then_some(kept);
        }
        if self.reader_timeout.is_none() {
            // One that nobody goes on with would hold a place in the host's own pool.
            return Box::pin(self.clone().make_kept()).await;
        }
        if !matches!(reader.0, State::Connecting(_)) {
            let making = tokio::time::timeout(CONNECT_TIMEOUT, self.clone().make_kept());
            reader.0 = State::Connecting(Box::pin(async { making.await.ok().flatten() }));
        }
        let State::Connecting(making) = &mut reader.0 else { return None };
        // It stays where it is when this is dropped.
        let made = making.await;
        reader.0 = State::None;
        made
    }

    /// As the host makes its connections, hooks and all.
    async fn make_kept(self) -> Option<Kept> {
        let mut connection = self.pool.acquire().await.ok()?;
        if self.prepared(&mut connection).await.ok()? != Prepared::Named {
            return None;
        }
        // Taken out of the pool, which can so be closed without waiting for it.
        let mut connection = connection.detach();
        sqlx::raw_sql(PLAN_ONCE).execute(&mut connection).await.ok()?;
        if let Some(timeout) = self.reader_timeout {
            sqlx::raw_sql(set_statement_timeout(timeout)).execute(&mut connection).await.ok()?;
        }
        Some(Kept { connection, since: Instant::now(), used: Instant::now(), as_of: None })
    }
}

/// A read that, when it is dropped, may leave the server waiting for a lock.
struct UnderWay<'c> {
    caution: &'c Caution,
    since: Instant,
    is_finished: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.is_finished {
            self.caution.went_well();
        } else if self.since.elapsed() >= SLOW {
            self.caution.raise();
        } else {
            self.caution.raise_if_repeated();
        }
    }
}
