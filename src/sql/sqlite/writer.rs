//! The thread that owns the writing connection.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::sql::sqlite::connection::BACKEND;
use crate::store::StoreError;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Runs jobs one after the other on the connection, on a thread of its own, so that waiting for other writers holds
/// up nobody's runtime. A job that was sent is carried out even if nobody waits for it any more.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(mut connection: Connection) -> Self {
        let (jobs, received) = mpsc::channel::<Job>();
        let thread = thread::spawn(move || {
            for job in received {
                job(&mut connection);
            }
        });
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody may wait any more; the work is done all the same.
            let _ = answer.send(work(connection));
        });
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !sent {
            return Err(gone());
        }
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Writer {
    /// Waits for the jobs that were sent and closes the connection, so that nothing is lost at the end of a program.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A job that panicked has told its caller; there is nothing to add here.
            let _ = thread.join();
        }
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable { backend: BACKEND, source: "the writing thread has ended".into() }
}
