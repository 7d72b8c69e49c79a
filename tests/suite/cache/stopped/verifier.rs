//! One who verifies all the time, and what may be answered to it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::Keys;
use keyward::key::{Authenticated, Evidence, Issued, Refusal, RefusalReason};
use keyward::schemas::standard::Standard;
use keyward::service::OutagePolicy;
use tokio::time::{Instant, sleep, timeout};

use super::{BOUND, LONG, READ_TIMEOUT, SLACK, WITHIN};

const PAUSE: Duration = Duration::from_millis(40);
/// How many keys are presented all the time, and how many at most beside them while the server is stopped.
const ALWAYS: usize = 5;
const LATELY: usize = 3;

/// What the server does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Server {
    Serves,
    /// All this time, it answers nobody.
    StoppedAt(Instant),
}

/// A key as it is presented, and what is known of it.
#[derive(Clone)]
pub(super) struct Presented {
    secret: Arc<str>,
    is: Known,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    Good,
    /// Good, and not seen by any of those who verify before the server was stopped.
    New,
    /// Also if it was seen when it was good, and not since.
    Revoked,
    Unknown,
}

impl Presented {
    pub(super) fn new(issued: &Issued<Standard>, is: Known) -> Self {
        Self { secret: issued.secret.expose_secret().into(), is }
    }
}

/// One who verifies, and what is presented to it.
pub(super) struct Verifier {
    pub(super) keys: Keys<Standard>,
    outage: OutagePolicy,
    pub(super) is_watched: bool,
    readers: u8,
    pub(super) always: Mutex<Vec<Presented>>,
    lately: Mutex<Vec<Presented>>,
    stood_in: AtomicUsize,
    outages: AtomicUsize,
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outage, is_watched, readers, .. } = self;
        write!(f, "{outage:?}, is_watched: {is_watched}, readers: {readers}")
    }
}

impl Verifier {
    pub(super) fn new(keys: Keys<Standard>, outage: OutagePolicy, is_watched: bool, readers: u8) -> Self {
        let (always, lately, stood_in, outages) = Default::default();
        Self { keys, outage, is_watched, readers, always, lately, stood_in, outages }
    }

    /// Where something may be presented, and whether it is to be asked of the store then.
    pub(super) fn lanes() -> impl Iterator<Item = (usize, bool)> {
        (0..ALWAYS + LATELY).flat_map(|place| [(place, false), (place, true)])
    }

    /// Presents these keys from now on beside those of `always`, and counts anew what is answered.
    pub(super) fn is_stopped(&self, lately: Vec<Presented>) {
        self.stood_in.store(0, Ordering::Relaxed);
        self.outages.store(0, Ordering::Relaxed);
        *self.lately.lock().unwrap() = lately;
    }

    /// The outage has shown itself as it is to be.
    pub(super) fn check_what_was_answered(&self) {
        let (stood_in, outages) = (self.stood_in.load(Ordering::Relaxed), self.outages.load(Ordering::Relaxed));
        assert!(outages > 0, "{self}: no outage");
        assert_eq!(stood_in > 0, self.outage != OutagePolicy::Refuse, "{self}: {stood_in} stood in");
    }

    /// Presents what stands at one place all the time.
    pub(super) async fn verify_all_the_time(&self, server: &Mutex<Server>, place: usize, is_fresh: bool) {
        loop {
            let before = *server.lock().unwrap();
            let Some(key) = self.key(place) else {
                sleep(PAUSE).await;
                continue;
            };
            let begun = Instant::now();
            let answer = if is_fresh {
                timeout(LONG, self.keys.verify_fresh(&key.secret)).await
            } else {
                timeout(LONG, self.keys.verify(&key.secret)).await
            };
            let answer = answer.unwrap_or_else(|_| panic!("{self}: no answer for {:?}", key.is));
            let about = || format!("{self}: {:?}, is_fresh: {is_fresh}, after {:?}", key.is, begun.elapsed());
            let state = *server.lock().unwrap();
            if let Server::StoppedAt(at) = before
                && before == state
            {
                assert!(begun.elapsed() <= READ_TIMEOUT + SLACK, "{}", about());
                self.check_while_stopped(&answer, key.is, is_fresh, begun.duration_since(at), &about);
            }
            self.check(&answer, key.is, is_fresh, &about);
            sleep(PAUSE).await;
        }
    }

    fn key(&self, place: usize) -> Option<Presented> {
        match place.checked_sub(ALWAYS) {
            None => self.always.lock().unwrap().get(place).cloned(),
            Some(place) => self.lately.lock().unwrap().get(place).cloned(),
        }
    }

    /// Whether the server serves or not.
    fn check(
        &self,
        answer: &Result<Authenticated<Standard>, Refusal>,
        is: Known,
        is_fresh: bool,
        about: &impl Fn() -> String,
    ) {
        match answer {
            Err(refusal) if refusal.is_outage() => {}
            Ok(accepted) => {
                assert!(matches!(is, Known::Good | Known::New), "accepted: {}", about());
                let evidence = accepted.evidence();
                assert!(evidence.is_fresh() || !is_fresh, "{evidence:?}: {}", about());
                match (evidence, self.outage) {
                    (Evidence::Fresh, _) => {}
                    (Evidence::Cached { .. }, _) => assert!(self.is_watched, "{evidence:?}: {}", about()),
                    (Evidence::StaleOnOutage { age }, OutagePolicy::AcceptWithin(within)) => {
                        assert!(age <= within, "{evidence:?}: {}", about());
                    }
                    _ => panic!("{evidence:?}: {}", about()),
                }
            }
            Err(refusal) => {
                let expected = match is {
                    Known::Revoked => RefusalReason::Revoked,
                    Known::Unknown => RefusalReason::Unknown,
                    Known::Good | Known::New => panic!("{:?}: {}", refusal.reason(), about()),
                };
                assert_eq!(refusal.reason(), expected, "{}", about());
            }
        }
    }

    /// Of what was asked so long `after` the server had been stopped, and answered before it came back.
    fn check_while_stopped(
        &self,
        answer: &Result<Authenticated<Standard>, Refusal>,
        is: Known,
        is_fresh: bool,
        after: Duration,
        about: &impl Fn() -> String,
    ) {
        let is_in_step = self.is_watched && after <= BOUND && !is_fresh;
        match answer {
            Err(refusal) if refusal.is_outage() => {
                self.outages.fetch_add(1, Ordering::Relaxed);
            }
            Err(refusal) => assert!(is_in_step, "{:?} {after:?} after the stop: {}", refusal.reason(), about()),
            Ok(accepted) => {
                assert_eq!(is, Known::Good, "accepted: {}", about());
                match accepted.evidence() {
                    Evidence::Cached { .. } if is_in_step => {}
                    Evidence::StaleOnOutage { age } => {
                        assert!(after <= WITHIN && age >= after, "{age:?} old {after:?} after the stop: {}", about());
                        self.stood_in.fetch_add(1, Ordering::Relaxed);
                    }
                    evidence => panic!("{evidence:?} {after:?} after the stop: {}", about()),
                }
            }
        }
    }

    /// Returns when each key is answered as the store answers it.
    pub(super) async fn until_answered(&self) {
        for key in (0..ALWAYS + LATELY).filter_map(|place| self.key(place)) {
            let answered = async {
                loop {
                    match self.keys.verify_fresh(&key.secret).await {
                        Err(refusal) if refusal.is_outage() => sleep(Duration::from_millis(10)).await,
                        answer => break assert_eq!(answer.is_ok(), matches!(key.is, Known::Good | Known::New)),
                    }
                }
            };
            timeout(LONG, answered).await.unwrap_or_else(|_| panic!("{self}: {:?} is not answered again", key.is));
        }
        if self.is_watched {
            self.until_in_step().await;
        }
    }

    pub(super) async fn until_in_step(&self) {
        let cached = async { while !self.answers_from_the_cache().await {} };
        timeout(LONG, cached).await.unwrap_or_else(|_| panic!("{self}: never in step again"));
    }

    async fn answers_from_the_cache(&self) -> bool {
        sleep(Duration::from_millis(10)).await;
        let good = self.key(0).unwrap();
        self.keys
            .verify(&good.secret)
            .await
            .is_ok_and(|accepted| matches!(accepted.evidence(), Evidence::Cached { .. }))
    }
}
