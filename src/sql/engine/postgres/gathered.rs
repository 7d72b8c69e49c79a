//! Lookups that wait at the same time, made in one round trip on a connection of their own.

use tokio::time::Instant;

use sqlx::postgres::PgConnection;

use crate::sql::engine::postgres::Postgres;
use crate::sql::engine::postgres::caution::Caution;
use crate::sql::engine::postgres::connection;
use crate::sql::engine::postgres::error::classify;
use crate::sql::engine::postgres::limits::given_up_after;
use crate::sql::engine::postgres::text::Prepared;
use crate::sql::engine::postgres::value::bound_together;
use crate::sql::engine::{EngineError, Query, Row, Value};

/// A connection that is kept from one read to the next, made when it is needed.
#[derive(Debug, Default)]
pub(crate) struct GatheredReader(Option<Kept>);

#[derive(Debug)]
struct Kept {
    connection: PgConnection,
    since: Instant,
}

impl Postgres {
    /// The rows that `query` finds for any of these lookups, each with the arguments of one. `None` where each is better read
    /// by itself: behind a pooler, while tables are being changed, and when the statement or the connection is no longer good.
    pub(crate) async fn read_gathered<T: Send>(
        &self,
        reader: &mut GatheredReader,
        query: &'static Query,
        lookups: &[Vec<Value<'_>>],
        decode: impl FnMut(&Row<'_>) -> T + Send,
    ) -> Result<Option<Vec<T>>, EngineError> {
        if self.caution.is_raised() {
            return Ok(None);
        }
        let mut kept = self.kept(reader).await?;
        if self.prepared(&mut kept.connection).await? != Prepared::Named {
            return Ok(None);
        }
        // What is given up, or fails, takes its connection with it.
        let mut under_way = UnderWay { caution: &self.caution, is_finished: false };
        let statement = bound_together(self.texts.gathered(query.sql().postgres, lookups), lookups);
        let found = connection::fetch(statement, &mut kept.connection, query, decode).await;
        under_way.is_finished = true;
        // Whatever has gone wrong: whoever reads by itself finds it out, and repairs what can be.
        let Ok(found) = found else { return Ok(None) };
        reader.0 = Some(kept);
        Ok(Some(found))
    }

    /// A read in several steps, which takes no longer than one.
    pub(crate) async fn within_read_timeout<T>(
        &self,
        read: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        given_up_after(self.limits.read(), read).await
    }

    async fn kept(&self, reader: &mut GatheredReader) -> Result<Kept, EngineError> {
        let lifetime = self.pool.options().get_max_lifetime();
        let is_fresh = |kept: &Kept| lifetime.is_none_or(|lifetime| kept.since.elapsed() < lifetime);
        if let Some(kept) = reader.0.take().filter(is_fresh)
            && !self.pool.is_closed()
        {
            return Ok(kept);
        }
        // As the host makes its connections, hooks and all; taken out of the pool, which can be closed without waiting for it.
        let connection = Box::pin(self.pool.acquire()).await.map_err(classify)?.detach();
        Ok(Kept { connection, since: Instant::now() })
    }
}

/// A read that, when it is dropped, may leave the server waiting for a lock.
struct UnderWay<'c> {
    caution: &'c Caution,
    is_finished: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.caution.raise();
        }
    }
}
