//! Everything that is logged in this process at any level, while somebody listens.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

static LOGGED: Mutex<String> = Mutex::new(String::new());
static LISTENING: AtomicBool = AtomicBool::new(false);
static LISTENER: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn logged() -> MutexGuard<'static, String> {
    LOGGED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log since somebody began to listen. One test listens at a time, so that the log stays short, and hears all others.
pub(super) struct Log(tokio::sync::MutexGuard<'static, ()>);

impl Log {
    /// Listens from now on, to all threads: those of the drivers log, too.
    pub(super) async fn listen() -> Self {
        static INSTALLED: OnceLock<()> = OnceLock::new();
        let listener = LISTENER.lock().await;
        INSTALLED.get_or_init(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_span_events(FmtSpan::FULL)
                .with_ansi(false)
                .with_writer(Sink)
                .finish();
            tracing::subscriber::set_global_default(subscriber)
                .expect("nobody else in these tests installs a subscriber");
        });
        logged().clear();
        LISTENING.store(true, Ordering::SeqCst);
        Self(listener)
    }

    pub(super) fn text(&self) -> String {
        // Only who listens may read.
        let Self(_listener) = self;
        logged().clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        LISTENING.store(false, Ordering::SeqCst);
    }
}

#[derive(Clone, Copy)]
struct Sink;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if LISTENING.load(Ordering::SeqCst) {
            logged().push_str(&String::from_utf8_lossy(bytes));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Sink {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        *self
    }
}
