//! The events that the thread of a test logs.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;

/// What the thread of a test logs, on which everything that it waits for is polled.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn listen() -> (Self, DefaultGuard) {
        Self::listen_to(tracing::Level::INFO)
    }

    /// As [`listen`](Self::listen), to whatever is at least as severe as this.
    pub(crate) fn listen_to(level: tracing::Level) -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// What was logged since the last call.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }

    /// The names of the events since the last call.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = self.text();
        let name = |line: &str| Some(line.split_once("event=\"")?.1.split_once('"')?.0.to_owned());
        text.lines().filter_map(name).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
