//! A connection of the host's pool while work of ours is under way on it.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;

use crate::sql::engine::postgres::caution::Caution;

/// A connection that goes back to its pool once its work is [finished](Self::finish). One whose work was given up is
/// closed: it may wait for a lock, or be in the middle of a transaction of which neither sqlx nor its next user would
/// know.
pub(super) struct Held<'c> {
    connection: PoolConnection<sqlx::Postgres>,
    caution: &'c Caution,
    is_finished: bool,
    is_unfit: bool,
}

impl<'c> Held<'c> {
    pub(super) const fn new(connection: PoolConnection<sqlx::Postgres>, caution: &'c Caution) -> Self {
        Self { connection, caution, is_finished: false, is_unfit: false }
    }

    /// Closes the connection after its work, however that ends.
    pub(super) const fn close_afterwards(&mut self) {
        self.is_unfit = true;
    }

    pub(super) fn finish(mut self) {
        self.is_finished = true;
    }
}

impl Deref for Held<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.caution.raise();
        }
        if self.is_unfit || !self.is_finished {
            self.connection.close_on_drop();
        }
    }
}
