//! The thread that owns the writing connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::sql::engine::EngineError;
use crate::sql::engine::sqlite::connection::BACKEND;

/// How many calls may wait before further ones are refused, so that a database that stands still does not fill memory.
const MOST_WAITING: usize = 4_096;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Runs jobs one after the other on the connection, on a thread of its own, so that waiting for other writers holds
/// up nobody's runtime. A change that was sent is carried out even if nobody waits for it any more.
pub(super) struct Writer {
    jobs: Option<mpsc::SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(mut connection: Connection) -> std::io::Result<Self> {
        let (jobs, received) = mpsc::sync_channel::<Job>(MOST_WAITING);
        let work = move || {
            for job in received {
                // One caller's mistake must not take the database from all others. Its caller learns of it from the
                // answer that does not come.
                let _ = catch_unwind(AssertUnwindSafe(|| job(&mut connection)));
                // A script has rolled back by itself, unless that failed: no other could begin a transaction then.
                if !connection.is_autocommit() {
                    let _ = connection.execute_batch("ROLLBACK");
                }
            }
        };
        let thread = thread::Builder::new().name("keyward-sqlite".to_owned()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// As [`call`](Self::call), for work that is not worth doing once nobody waits for it any more.
    pub(super) async fn ask<T: Send + 'static, E: From<EngineError> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (answer, answered) = oneshot::channel();
        self.send(Box::new(move |connection| {
            if !answer.is_closed() {
                let _ = answer.send(work(connection));
            }
        }))?;
        answered.await.unwrap_or_else(|_| Err(panicked().into()))
    }

    pub(super) async fn call<T: Send + 'static, E: From<EngineError> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (answer, answered) = oneshot::channel();
        self.send(Box::new(move |connection| {
            // Nobody may wait any more; a revocation is carried out all the same.
            let _ = answer.send(work(connection));
        }))?;
        answered.await.unwrap_or_else(|_| Err(panicked().into()))
    }

    fn send(&self, job: Job) -> Result<(), EngineError> {
        match self.jobs.as_ref().map(|jobs| jobs.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(mpsc::TrySendError::Full(_))) => Err(unavailable("too many calls wait for the database")),
            Some(Err(mpsc::TrySendError::Disconnected(_))) | None => Err(unavailable("the writing thread has ended")),
        }
    }
}

impl Drop for Writer {
    /// Waits for the jobs that were sent and closes the connection, so that nothing is lost at the end of a program.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            // A job may hold the last handle, and its thread cannot wait for itself.
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

fn unavailable(reason: &'static str) -> EngineError {
    EngineError::Unavailable { backend: BACKEND, source: reason.into() }
}

fn panicked() -> EngineError {
    EngineError::Failed { backend: BACKEND, source: "a panic ended the call, and nothing of it stays".into() }
}
