//! Connections that are only for reading.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use rusqlite::Connection;

use crate::sql::engine::sqlite::connection;
use crate::sql::engine::{EngineError, Query, Row, Value};

/// Connections that whoever reads takes turns on. None of them waits for another process.
pub(super) struct Readers {
    connections: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
}

impl Readers {
    /// One for each processor, and eight at most.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        let open = |_| connection::open_reader(path).map(Mutex::new);
        Ok(Self { connections: (0..count).map(open).collect::<Result<_, _>>()?, turn: AtomicUsize::new(0) })
    }

    pub(super) const fn count(&self) -> usize {
        self.connections.len()
    }

    /// Reads on a connection that is free, or else the one whose turn it is.
    pub(super) fn read<T>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: impl FnMut(&Row<'_>) -> T,
    ) -> Result<Vec<T>, EngineError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let number = |offset: usize| turn.wrapping_add(offset) % self.connections.len();
        let in_turn = || (0..self.connections.len()).map(|offset| &self.connections[number(offset)]);
        // A reader whose decoding panicked is as good as before: its statement was reset on the way out.
        let free = in_turn().find_map(|reader| match reader.try_lock() {
            Ok(reader) => Some(reader),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        let reader = free.unwrap_or_else(|| self.connections[number(0)].lock().unwrap_or_else(PoisonError::into_inner));
        connection::rows(&reader, query, arguments, decode)
    }
}
