//! A connection of the host's pool while a transaction of ours is open on it.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;

/// A connection that goes back to its pool once its work is [finished](Self::finish). One whose work was given up is
/// closed: it may be in the middle of a transaction of which neither sqlx nor its next user would know.
pub(super) struct Held {
    connection: PoolConnection<sqlx::Postgres>,
    is_finished: bool,
}

impl Held {
    pub(super) const fn new(connection: PoolConnection<sqlx::Postgres>) -> Self {
        Self { connection, is_finished: false }
    }

    pub(super) fn finish(mut self) {
        self.is_finished = true;
    }
}

impl Deref for Held {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.is_finished {
            self.connection.close_on_drop();
        }
    }
}
