//! The task that writes last use, over a store that fails on purpose. The time is tokio's own, which stands still but
//! for whoever waits for it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::key::Issued;
use keyward::schemas::standard::Standard;
use keyward::service::LastUsedMetrics;
use keyward::store::MemoryKeyStore;
use keyward::store::faulty::{Call, Fault, FaultyStore};
use keyward::{Clock as _, Keys, ManualClock};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tracing::subscriber::DefaultGuard;

use crate::support::{START, TestSchema};

const INTERVAL: Duration = Duration::from_secs(20);
/// Longer than four attempts, the pauses between which grow.
const LONG: Duration = Duration::from_secs(400);
const MOMENT: Duration = Duration::from_millis(1);
/// How long a write may take.
const WRITE: Duration = Duration::from_secs(5);

struct Recorded {
    keys: Keys<Standard>,
    store: Arc<FaultyStore<Standard>>,
    memory: MemoryKeyStore<Standard>,
    clock: Arc<ManualClock>,
    issued: Issued<Standard>,
    log: Log,
}

impl Recorded {
    async fn new() -> Self {
        let memory = MemoryKeyStore::new(Standard::schema());
        let store = Arc::new(FaultyStore::new(memory.clone()));
        let clock = Arc::new(ManualClock::new(START));
        let shared = Arc::<ManualClock>::clone(&clock);
        let keys = Keys::builder_over(store.clone()).shared_clock(shared).last_used_interval(INTERVAL).build();
        let issued = keys.issue(Standard::draft("acme")).await.unwrap();
        Self { keys, store, memory, clock, issued, log: Log::listen() }
    }

    /// The key is accepted, a second after the last time.
    async fn use_once(&self) {
        self.clock.advance(Duration::from_secs(1));
        self.keys.verify(self.issued.secret.expose_secret()).await.unwrap();
    }

    fn next(&self, faults: &[Fault]) {
        for fault in faults {
            self.store.fail_next(Call::Touch, *fault);
        }
    }

    /// Runs `host` beside the recorder, which is shut down when `host` has ended; says how long that took.
    async fn beside_the_recorder(&self, host: impl AsyncFnOnce()) -> Duration {
        let (running, shutdown) = oneshot::channel::<()>();
        let recorder = self.keys.record_last_used(async {
            let _ = shutdown.await;
        });
        let host = async {
            host().await;
            drop(running);
            Instant::now()
        };
        let ((), ended) = tokio::join!(recorder, host);
        ended.elapsed()
    }

    /// How many keys wait, and how many uses were dropped and refused.
    fn accounts(&self) -> (usize, u64, u64) {
        let LastUsedMetrics { pending, dropped, refused, .. } = self.keys.last_used_metrics();
        (pending, dropped, refused)
    }

    async fn is_written(&self) -> bool {
        use keyward::store::KeyStore as _;

        let key = self.memory.get(&self.issued.record.head.id).await.unwrap().unwrap();
        key.head.last_used_at == Some(self.clock.now())
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_of_several_is_said_once_and_so_is_their_end() {
    let test = Recorded::new().await;
    test.next(&[Fault::Unavailable, Fault::Backend, Fault::AnswerLost]);
    test.beside_the_recorder(async || {
        test.use_once().await;
        sleep(LONG).await;
        assert_eq!(test.log.count("last_used.unwritten"), 1, "three failures are one line");
        assert_eq!(test.log.count("last_used.resumed"), 1);
        assert_eq!(test.log.count("failures=3"), 1);
        assert!(test.is_written().await);

        test.next(&[Fault::Unavailable]);
        test.use_once().await;
        sleep(LONG).await;
        assert_eq!(test.log.count("last_used.unwritten"), 2, "what begins anew is said anew");
        assert_eq!(test.log.count("last_used.resumed"), 2);
    })
    .await;
    assert_eq!(test.accounts(), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_write_is_said_once_and_its_uses_are_counted_as_refused() {
    let test = Recorded::new().await;
    test.beside_the_recorder(async || {
        for refused in 1..=4 {
            test.next(&[Fault::Denied]);
            test.use_once().await;
            sleep(LONG).await;
            assert_eq!(test.accounts(), (0, 0, refused), "another attempt would be denied too");
        }
    })
    .await;
    assert_eq!(test.log.count("last_used.unwritten"), 1, "{}", test.log.text());
    assert_eq!(test.log.count("last_used.resumed"), 0, "the end of the service is not the end of the trouble");
}

#[tokio::test(start_paused = true)]
async fn uses_of_rows_that_are_locked_wait_for_the_next_write() {
    let test = Recorded::new().await;
    test.next(&[Fault::Busy, Fault::Busy]);
    test.beside_the_recorder(async || {
        test.use_once().await;
        for _ in 0..2 {
            sleep(INTERVAL + MOMENT).await;
            assert_eq!(test.accounts(), (1, 0, 0));
            assert!(!test.is_written().await);
        }
        sleep(INTERVAL + MOMENT).await;
        assert_eq!(test.accounts(), (0, 0, 0));
        assert!(test.is_written().await, "the time is that of the use");
    })
    .await;
    assert_eq!(test.log.count("last_used.unwritten"), 0, "a locked row is no failure of the store");
    assert_eq!(test.log.count("last_used.resumed"), 0, "what never failed has no end to tell of");
}

#[tokio::test(start_paused = true)]
async fn uses_of_rows_that_cannot_be_written_are_counted_and_not_tried_again() {
    let test = Recorded::new().await;
    test.next(&[Fault::Refused]);
    test.beside_the_recorder(async || {
        test.use_once().await;
        sleep(INTERVAL + MOMENT).await;
        assert_eq!(test.accounts(), (0, 0, 1));
        sleep(LONG).await;
        assert!(!test.is_written().await);
        test.use_once().await;
        sleep(INTERVAL + MOMENT).await;
        assert!(test.is_written().await, "a later use is tried");
    })
    .await;
    assert_eq!(test.accounts(), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn shutdown_is_bounded_while_the_store_stands_still() {
    let test = Recorded::new().await;
    test.next(&[Fault::Unanswered]);
    let took = test.beside_the_recorder(async || test.use_once().await).await;
    assert!(took <= WRITE + MOMENT, "{took:?}");
    assert_eq!(test.accounts(), (1, 0, 0), "the use is kept, should somebody flush once more");

    test.next(&[Fault::Unanswered, Fault::MadeAndUnanswered]);
    let took = test.beside_the_recorder(async || sleep(INTERVAL + MOMENT).await).await;
    assert!(took <= WRITE * 2 + MOMENT, "a write that hangs already, and the last one: {took:?}");
    assert_eq!(test.accounts(), (1, 0, 0));
    assert_eq!(test.keys.flush_last_used().await.unwrap(), 0, "it was written, and only the answer was missing");
    assert_eq!(test.accounts(), (0, 0, 0));
}

/// What is logged on this thread, while this exists.
struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    _installed: DefaultGuard,
}

impl Log {
    fn listen() -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = Sink(Arc::clone(&text));
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || sink.clone()).finish();
        Self { text, _installed: tracing::subscriber::set_default(subscriber) }
    }

    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }

    fn count(&self, words: &str) -> usize {
        self.text().matches(words).count()
    }
}

#[derive(Clone)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
