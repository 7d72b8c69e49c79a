//! A thread that owns a connection, and the calls that wait for it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::sql::engine::EngineError;
use crate::sql::engine::sqlite::connection::BACKEND;
use crate::time::Stopwatch;

/// How many changes, and how many reads, may wait before further ones are refused, so that a database that stands still
/// does not fill memory.
const MOST_WAITING: usize = 4_096;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Is not begun once its caller has gone, and has its turn after every change.
    Read,
    /// A change that is not begun once its caller has gone.
    AwaitedChange,
    /// A change that is carried out even if nobody waits for it any more.
    Change,
}

/// Runs calls one after the other on a connection, on a thread of its own, so that waiting for other processes holds up
/// nobody's runtime. Changes go first: no number of reads keeps a revocation from its turn.
pub(super) struct Worker {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    changes: VecDeque<Box<dyn Job>>,
    reads: VecDeque<Box<dyn Job>>,
    is_closed: bool,
}

trait Job: Send {
    fn is_wanted(&self) -> bool;
    /// How much longer the database may be waited for. Nothing is left to a call that has waited here for as long.
    fn patience(&self) -> Duration;
    fn run(self: Box<Self>, connection: &mut Connection);
}

struct Call<T, E, W> {
    purpose: Purpose,
    sent: Stopwatch,
    lock_timeout: Duration,
    work: W,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<T: Send, E: Send, W: FnOnce(&mut Connection) -> Result<T, E> + Send> Job for Call<T, E, W> {
    fn is_wanted(&self) -> bool {
        self.purpose == Purpose::Change || !self.answer.is_closed()
    }

    fn patience(&self) -> Duration {
        self.lock_timeout.saturating_sub(self.sent.elapsed())
    }

    fn run(self: Box<Self>, connection: &mut Connection) {
        // Nobody may wait any more; a revocation is carried out all the same.
        let _ = self.answer.send((self.work)(connection));
    }
}

impl Worker {
    pub(super) fn start(name: &str, mut connection: Connection) -> std::io::Result<Self> {
        let queue = Arc::<Queue>::default();
        let waiting = Arc::clone(&queue);
        let work = move || {
            while let Some(job) = waiting.next() {
                carry_out(job, &mut connection);
            }
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Has `work` done on the connection. From now on, a busy database is waited for up to `lock_timeout`; the time for
    /// which the call itself waits for its turn counts.
    pub(super) async fn call<T: Send + 'static, E: From<EngineError> + Send + 'static>(
        &self,
        purpose: Purpose,
        lock_timeout: Duration,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (answer, answered) = oneshot::channel();
        let call = Call { purpose, sent: Stopwatch::start(), lock_timeout, work, answer };
        self.queue.push(purpose, Box::new(call))?;
        answered.await.unwrap_or_else(|_| Err(panicked().into()))
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, purpose: Purpose, job: Box<dyn Job>) -> Result<(), EngineError> {
        let mut waiting = self.lock();
        let queue = if purpose == Purpose::Read { &mut waiting.reads } else { &mut waiting.changes };
        if queue.len() >= MOST_WAITING {
            // Those whose callers have gone make room.
            queue.retain(|waiting| waiting.is_wanted());
        }
        if queue.len() >= MOST_WAITING {
            return Err(EngineError::Unavailable {
                backend: BACKEND,
                source: "too many calls wait for the database".into(),
            });
        }
        queue.push_back(job);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next call whose outcome somebody wants; waits for one. `None` once there will be no other.
    fn next(&self) -> Option<Box<dyn Job>> {
        let mut waiting = self.lock();
        loop {
            let next = waiting.changes.pop_front().or_else(|| waiting.reads.pop_front());
            match next {
                Some(job) if job.is_wanted() => return Some(job),
                Some(_) => {}
                None if waiting.is_closed => return None,
                None => waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

fn carry_out(job: Box<dyn Job>, connection: &mut Connection) {
    // One caller's mistake must not take the database from all others. Its caller learns of it from the answer that does
    // not come.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let _ = connection.busy_timeout(job.patience());
        job.run(connection);
    }));
    // A script has rolled back by itself, unless that failed: no other could begin a transaction then.
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
}

impl Drop for Worker {
    /// Waits for the changes that were sent and closes the connection, so that nothing is lost at the end of a program.
    /// Since each of them has had its time-out from when it was sent, a busy database holds this up for the longest of
    /// these time-outs, however many they are.
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.arrived.notify_one();
        if let Some(thread) = self.thread.take()
            // A job may hold the last handle, and its thread cannot wait for itself.
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

fn panicked() -> EngineError {
    EngineError::Failed { backend: BACKEND, source: "a panic ended the call, and nothing of it stays".into() }
}
