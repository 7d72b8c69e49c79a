//! One lookup for all who wait for the same.
//!
//! Whoever of them is polled drives it, so that it goes on as long as one of them wants it, whichever of the others are
//! dropped or are not polled any more; and it ends with the last of them.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use crate::key::KeyDigest;
use crate::service::cache::fence::Ticket;

type Lookup<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The lookups that are under way.
pub(super) struct Flights<T> {
    // Its hash is seeded: whoever presents keys chooses the digests.
    under_way: Mutex<HashMap<[u8; 32], Weak<Flight<T>>>>,
}

struct Flight<T> {
    ticket: Ticket,
    /// `None` once it has ended.
    lookup: Mutex<Option<Lookup<T>>>,
    /// `None` in it when the lookup panicked.
    outcome: OnceLock<Option<T>>,
    waiting: Arc<Waiting>,
}

impl<T> Flights<T> {
    pub(super) fn new() -> Self {
        Self { under_way: Mutex::default() }
    }

    /// The map is only ever changed by single calls, so a panic elsewhere leaves it whole.
    fn under_way(&self) -> MutexGuard<'_, HashMap<[u8; 32], Weak<Flight<T>>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the lookup of `digest` that is under way, or begins one.
    pub(super) fn join(
        &self,
        digest: &KeyDigest,
        ticket: Ticket,
        begin: impl FnOnce() -> Lookup<T>,
    ) -> Passenger<'_, T> {
        let mut under_way = self.under_way();
        let flight = under_way.get(digest.as_bytes()).and_then(Weak::upgrade).unwrap_or_else(|| {
            let flight = Arc::new(Flight {
                ticket,
                lookup: Mutex::new(Some(begin())),
                outcome: OnceLock::new(),
                waiting: Arc::default(),
            });
            under_way.insert(*digest.as_bytes(), Arc::downgrade(&flight));
            flight
        });
        drop(under_way);
        Passenger { flights: self, digest: *digest, ticket: flight.ticket, flight: Some(flight), seat: None }
    }

    /// Lets nobody join `flight` any more.
    fn leave(&self, digest: &KeyDigest, flight: &Arc<Flight<T>>) {
        let mut under_way = self.under_way();
        if under_way.get(digest.as_bytes()).is_some_and(|other| other.as_ptr() == Arc::as_ptr(flight)) {
            under_way.remove(digest.as_bytes());
        }
    }
}

impl<T> fmt::Debug for Flights<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("under_way", &self.under_way().len()).finish()
    }
}

/// One who waits.
pub(super) struct Passenger<'f, T> {
    flights: &'f Flights<T>,
    digest: KeyDigest,
    /// Until it is dropped.
    flight: Option<Arc<Flight<T>>>,
    ticket: Ticket,
    seat: Option<u64>,
}

impl<T> Passenger<'_, T> {
    /// The ticket of the one who began.
    pub(super) const fn ticket(&self) -> Ticket {
        self.ticket
    }
}

impl<T: Clone> Future for Passenger<'_, T> {
    /// `None` when the lookup panicked while another one drove it.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        let Some(flight) = &this.flight else { return Poll::Ready(None) };
        // Before looking whether there is an outcome: whoever brings one wakes those who have a seat then.
        flight.waiting.take_seat(&mut this.seat, context.waker());
        if let Some(outcome) = flight.outcome.get() {
            return Poll::Ready(outcome.clone());
        }
        // Held for one poll, which waits for nothing. Whoever had to wait here polls once more, as the one before may
        // have been woken and not come.
        let mut lookup = flight.lookup.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = &mut *lookup else {
            return Poll::Ready(flight.outcome.get().cloned().flatten());
        };
        let everybody = Waker::from(Arc::clone(&flight.waiting));
        let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut Context::from_waker(&everybody))));
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(outcome)) => Ok(outcome),
            Err(panic) => Err(panic),
        };
        let ended = lookup.take();
        let _ = flight.outcome.set(outcome.as_ref().ok().cloned());
        drop(lookup);
        this.flights.leave(&this.digest, flight);
        flight.waiting.wake_all();
        drop(ended);
        match outcome {
            Ok(outcome) => Poll::Ready(Some(outcome)),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<T> Drop for Passenger<'_, T> {
    fn drop(&mut self) {
        let Some(flight) = self.flight.take() else { return };
        flight.waiting.leave_seat(self.seat);
        let mut under_way = self.flights.under_way();
        let is_last = Arc::strong_count(&flight) == 1;
        let is_listed =
            under_way.get(self.digest.as_bytes()).is_some_and(|other| other.as_ptr() == Arc::as_ptr(&flight));
        if is_last && is_listed {
            under_way.remove(self.digest.as_bytes());
        }
        // Those who drop theirs at the same time take turns, so that one of them is the last.
        let given_up = Arc::into_inner(flight);
        drop(under_way);
        // What the store has open ends without the lock.
        drop(given_up);
    }
}

/// Those who are to be polled when the lookup can go on.
#[derive(Default)]
struct Waiting {
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    taken: Vec<(u64, Waker)>,
    next: u64,
}

impl Waiting {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_seat(&self, seat: &mut Option<u64>, waker: &Waker) {
        let mut seats = self.seats();
        if let Some((_, old)) = seats.taken.iter_mut().find(|(number, _)| Some(*number) == *seat) {
            old.clone_from(waker);
            return;
        }
        let number = seats.next;
        seats.next += 1;
        seats.taken.push((number, waker.clone()));
        *seat = Some(number);
    }

    fn leave_seat(&self, seat: Option<u64>) {
        self.seats().taken.retain(|(number, _)| Some(*number) != seat);
    }

    fn wake_all(&self) {
        // Each of them takes a seat again where it has to wait on.
        let taken = std::mem::take(&mut self.seats().taken);
        for (_, waker) in taken {
            waker.wake();
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}
