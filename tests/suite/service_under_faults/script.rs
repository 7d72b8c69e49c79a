//! One script: a service, a store that fails by chance, and what the service says compared with what is known.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyward::key::{ChangeError, Changed, Issued, KeyId, KeyName, OwnerId, PrepareError, RefusalReason};
use keyward::schemas::standard::{Standard, StandardKey, StandardUpdate};
use keyward::store::faulty::{Call, Fault, FaultyStore};
use keyward::store::{KeyStore as _, MemoryKeyStore, StoreError};
use keyward::{Clock as _, Keys, KeysError, ManualClock};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::model::{Key, Known};
use crate::support::START;

const FAULTS: &[Fault] = &[
    Fault::Unavailable,
    Fault::Backend,
    Fault::Denied,
    Fault::AnswerLost,
    Fault::Repeated,
    Fault::Unanswered,
    Fault::MadeAndUnanswered,
    Fault::Delayed(Duration::from_secs(1)),
    Fault::Busy,
    Fault::Refused,
];
const STEPS: usize = 24;
const OWNERS: usize = 2;
/// Few, so that there is not always room for another key.
const CAPACITY: usize = 4;
/// The answer of a store in memory is there at the first look, and that of a delayed call at the next.
const LOOKS: usize = 16;

#[derive(Clone, Copy, Debug)]
enum Step {
    Issue { owner: usize },
    Verify { key: usize },
    VerifyAStranger,
    Rotate { key: usize, grace: Duration },
    Revoke { key: usize },
    RevokeAll { owner: usize },
    Disable { key: usize },
    Enable { key: usize },
    Rename { key: usize },
    Flush,
    Restart { flushed: bool },
    Wait { time: Duration },
    SetTheClockBack { by: Duration },
}

pub(super) struct Script {
    random: StdRng,
    memory: MemoryKeyStore<Standard>,
    store: Arc<FaultyStore<Standard>>,
    clock: Arc<ManualClock>,
    keys: Keys<Standard>,
    known: Vec<Key>,
    stranger: String,
    steps: Vec<Step>,
}

/// The answer to a call, `None` when the caller gave it up, and the faults that it met.
struct Answer<T> {
    answer: Option<T>,
    faults: Vec<(Call, Fault)>,
}

impl<T> Answer<T> {
    /// Whether a change may have been made although the answer does not say so.
    fn may_be_made(&self, call: Call) -> bool {
        let is_made = |fault| matches!(fault, Fault::AnswerLost | Fault::Repeated | Fault::MadeAndUnanswered);
        self.faults.iter().any(|&(met, fault)| met == call && is_made(fault))
    }

    fn has_failed(&self) -> bool {
        self.faults.iter().any(|(_, fault)| !matches!(fault, Fault::Delayed(_)))
    }
}

/// Says with what a script failed, so that it can be repeated.
impl Drop for Script {
    #[expect(clippy::print_stderr, reason = "it belongs to the message of the test that fails")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after the steps {:#?}\nwith the faults {:?}", self.steps, self.store.faults_met());
        }
    }
}

impl Script {
    pub(super) fn new(seed: u64, stranger: &str) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let memory = MemoryKeyStore::new(Standard::new("acme").unwrap());
        let store = Arc::new(FaultyStore::new(memory.clone()));
        store.fail_by_chance(seed, random.random_range(2..9), FAULTS);
        let clock = Arc::new(ManualClock::new(START));
        let keys = service(&store, &clock, seed);
        let stranger = stranger.to_owned();
        Self { random, memory, store, clock, keys, known: Vec::new(), stranger, steps: Vec::new() }
    }

    /// Runs the whole script.
    pub(super) fn run(mut self) {
        for _ in 0..STEPS {
            let step = self.any_step();
            self.steps.push(step);
            self.take(step);
        }
        self.store.heal();
        for key in 0..self.known.len() {
            self.take(Step::Verify { key });
            let stored = look(self.memory.get(&self.known[key].id)).unwrap().unwrap();
            assert!(stored.is_some_and(|stored| stored.head.digest == Some(self.known[key].digest)), "a key is gone");
        }
        self.take(Step::Flush);
        assert_eq!(self.keys.last_used_metrics().pending, 0, "a store that works again takes all uses");
    }

    fn any_step(&mut self) -> Step {
        let owner = self.random.random_range(0..OWNERS);
        if self.known.is_empty() {
            return Step::Issue { owner };
        }
        let key = self.random.random_range(0..self.known.len());
        let seconds = Duration::from_secs(self.random.random_range(0..90));
        match self.random.random_range(0..26) {
            0..4 => Step::Issue { owner },
            4..11 => Step::Verify { key },
            11 => Step::VerifyAStranger,
            12..14 => Step::Rotate { key, grace: if seconds.as_secs() < 45 { Duration::ZERO } else { seconds } },
            14..16 => Step::Revoke { key },
            16 => Step::RevokeAll { owner },
            17 => Step::Disable { key },
            18 => Step::Enable { key },
            19 => Step::Rename { key },
            20..22 => Step::Flush,
            22 => Step::Restart { flushed: seconds.as_secs() < 45 },
            23..25 => Step::Wait { time: seconds },
            _ => Step::SetTheClockBack { by: seconds },
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Issue { owner } => self.issue(owner),
            Step::Verify { key } => self.verify(key),
            Step::VerifyAStranger => self.verify_a_stranger(),
            Step::Rotate { key, grace } => self.rotate(key, grace),
            Step::Revoke { key } => self.revoke(key),
            Step::RevokeAll { owner } => self.revoke_all(owner),
            Step::Disable { key } => {
                let answer = self.call(|keys, id| async move { keys.disable(&id, None).await }, key);
                self.changed(key, answer, Some(Known::Yes));
            }
            Step::Enable { key } => {
                let answer = self.call(|keys, id| async move { keys.enable(&id, None).await }, key);
                self.changed(key, answer, Some(Known::No));
            }
            Step::Rename { key } => {
                let rename = |keys: Keys<Standard>, id| async move {
                    let seen = keys.get(&id).await?.ok_or(KeysError::NotFound)?;
                    let name = KeyName::new(format!("version {}", seen.head.version)).unwrap();
                    keys.update(&id, seen.head.version, StandardUpdate::new().rename(name)).await
                };
                let answer = self.call(rename, key);
                self.changed(key, answer, None);
            }
            Step::Flush => self.flush(),
            Step::Restart { flushed } => {
                if flushed {
                    self.flush();
                }
                // What was not flushed is lost with its process.
                self.known.iter_mut().for_each(|key| key.accepted_at = None);
                let seed = self.random.random();
                self.keys = service(&self.store, &self.clock, seed);
            }
            Step::Wait { time } => self.clock.advance(time),
            Step::SetTheClockBack { by } => self.clock.set(self.clock.now().saturating_sub(by)),
        }
    }

    /// Makes a call about a key that was handed out.
    fn call<F: Future>(&self, call: impl FnOnce(Keys<Standard>, KeyId) -> F, key: usize) -> Answer<F::Output> {
        self.answer(call(self.keys.clone(), self.known[key].id.clone()))
    }

    fn answer<T>(&self, call: impl Future<Output = T>) -> Answer<T> {
        let before = self.store.faults_met().len();
        let answer = look(call);
        let answer = Answer { answer, faults: self.store.faults_met().split_off(before) };
        assert!(answer.answer.is_some() || answer.has_failed(), "a call hangs although the store answers");
        answer
    }

    /// The key that was handed out is in the store.
    fn hand_out(&mut self, issued: &Issued<Standard>, owner: usize) {
        let head = &issued.record.head;
        let stored = look(self.memory.get(&head.id)).unwrap().unwrap();
        assert_eq!(stored.as_ref(), Some(&issued.record), "a key is handed out that is not stored");
        let presented = issued.secret.expose_secret().to_owned();
        self.known.push(Key::new(presented, head.id.clone(), head.digest.unwrap(), owner));
    }

    fn issue(&mut self, owner: usize) {
        let made = self.answer(self.keys.clone().issue(StandardKey::new(owner_name(owner), "a key").unwrap()));
        match &made.answer {
            Some(Ok(issued)) => self.hand_out(issued, owner),
            Some(Err(KeysError::Store(error))) => {
                let is_lost = matches!(error, StoreError::Conflict) && made.may_be_made(Call::Insert);
                assert!(is_lost || error.is_outage() && made.has_failed(), "it is not issued: {error:?}");
            }
            Some(Err(error)) => panic!("it is not issued: {error:?}"),
            None => {}
        }
    }

    fn verify(&mut self, key: usize) {
        let now = self.clock.now();
        let keys = self.keys.clone();
        let verified = self.answer(keys.verify(&self.known[key].presented));
        let has_failed = verified.has_failed();
        let known = &mut self.known[key];
        match verified.answer {
            Some(Ok(caller)) => {
                assert_eq!(caller.head().id, known.id, "another key is accepted");
                known.accepted(now);
            }
            Some(Err(refusal)) if refusal.is_outage() => assert!(has_failed, "an outage, and the store answers"),
            Some(Err(refusal)) => known.refused(refusal.reason(), now),
            None => {}
        }
    }

    fn verify_a_stranger(&self) {
        let verified = self.answer(self.keys.verify(&self.stranger));
        match &verified.answer {
            Some(Ok(_)) => panic!("a key is accepted that nobody issued here"),
            Some(Err(refusal)) if refusal.is_outage() => assert!(verified.has_failed()),
            Some(Err(refusal)) => assert_eq!(refusal.reason(), RefusalReason::Unknown),
            None => {}
        }
    }

    fn rotate(&mut self, key: usize, grace: Duration) {
        let now = self.clock.now();
        let made = self.call(|keys, id| async move { keys.rotate(&id, grace, None).await }, key);
        let may_be_made = made.may_be_made(Call::Rotate);
        let owner = self.known[key].owner;
        let known = &mut self.known[key];
        match &made.answer {
            Some(Ok(rotated)) => {
                assert_ne!(known.rotated, Known::Yes, "a key is rotated twice");
                known.lives(now);
                known.rotated = Known::Yes;
                known.may_die(rotated.accepted_until);
                known.dies_at = Some(rotated.accepted_until);
                if grace.is_zero() {
                    known.reported_revoked(Some(now));
                }
                self.hand_out(&rotated.successor, owner);
                return;
            }
            Some(Err(KeysError::Prepare(PrepareError::NotLive(reason)))) => known.refused(*reason, now),
            Some(Err(KeysError::AlreadyRotated { .. })) if !may_be_made => {
                assert_ne!(known.rotated, Known::No, "a key is said to be rotated, and nobody rotated it");
                known.rotated = Known::Yes;
            }
            Some(Err(error)) => {
                assert!(error.is_outage() && made.has_failed() || may_be_made, "not rotated: {error:?}");
            }
            None => {}
        }
        if may_be_made && known.rotated != Known::Yes {
            known.rotated = Known::Perhaps;
            known.may_die(now.saturating_add(grace));
            if grace.is_zero() {
                known.revoked.lost(Known::Yes);
            }
        }
    }

    fn revoke(&mut self, key: usize) {
        let made = self.call(|keys, id| async move { keys.revoke(&id, None).await }, key);
        let may_be_made = made.may_be_made(Call::Revoke);
        let known = &mut self.known[key];
        match &made.answer {
            Some(Ok(revoked)) => {
                let was_revoked = if revoked.already { Known::No } else { Known::Yes };
                assert!(
                    may_be_made || known.revoked != was_revoked,
                    "it is not so that `already` is {}",
                    revoked.already
                );
                known.reported_revoked(revoked.revocation.at);
            }
            Some(Err(error)) => {
                assert!(error.is_outage() && made.has_failed(), "not revoked: {error:?}");
                if may_be_made {
                    known.revoked.lost(Known::Yes);
                }
            }
            None if may_be_made => known.revoked.lost(Known::Yes),
            None => {}
        }
    }

    fn revoke_all(&mut self, owner: usize) {
        let name = OwnerId::new(owner_name(owner)).unwrap();
        let keys = self.keys.clone();
        let made = self.answer(keys.revoke_all(&name, None));
        let may_be_made = made.may_be_made(Call::RevokeAll);
        if let Some(Err(error)) = &made.answer {
            assert!(error.is_outage() && made.has_failed(), "not revoked: {error:?}");
        }
        for key in self.known.iter_mut().filter(|key| key.owner == owner) {
            if matches!(made.answer, Some(Ok(_))) {
                key.revoked = Known::Yes;
            } else if may_be_made {
                key.revoked.lost(Known::Yes);
            }
        }
    }

    /// A key was switched off or on (`disabled`), or got another name.
    fn changed(&mut self, key: usize, made: Answer<Result<Changed<Standard>, KeysError>>, disabled: Option<Known>) {
        let may_be_made = made.may_be_made(Call::Change);
        let has_failed = made.has_failed();
        let known = &mut self.known[key];
        match made.answer {
            Some(Ok(_)) => {
                assert_ne!(known.revoked, Known::Yes, "a revoked key was changed");
                known.revoked = Known::No;
                known.disabled = disabled.unwrap_or(known.disabled);
                return;
            }
            Some(Err(KeysError::Change(ChangeError::Revoked))) => {
                assert_ne!(known.revoked, Known::No, "a key is said to be revoked, and nobody revoked it");
                known.revoked = Known::Yes;
            }
            Some(Err(KeysError::Changed { .. })) => assert!(may_be_made, "nobody else changes keys here"),
            Some(Err(error)) => assert!(error.is_outage() && has_failed, "not changed: {error:?}"),
            None => {}
        }
        if may_be_made && let Some(disabled) = disabled {
            known.disabled.lost(disabled);
        }
    }

    /// Writes last use, and looks whether any use is missing that nobody has counted.
    fn flush(&self) {
        let flushed = self.answer(self.keys.flush_last_used());
        if let Some(Err(error)) = &flushed.answer {
            assert!(error.is_outage() && flushed.has_failed(), "not written: {error:?}");
        }
        let is_unwritten = |key: &&Key| {
            let stored = look(self.memory.get(&key.id)).unwrap().unwrap().unwrap();
            key.accepted_at > stored.head.last_used_at
        };
        let unwritten = self.known.iter().filter(is_unwritten).count() as u64;
        let metrics = self.keys.last_used_metrics();
        let accounted = metrics.pending as u64 + metrics.dropped + metrics.refused;
        assert!(unwritten <= accounted, "{unwritten} keys have uses that are nowhere: {metrics:?}");
        assert!(metrics.pending <= CAPACITY, "more keys wait than there is room for");
    }
}

fn service(store: &Arc<FaultyStore<Standard>>, clock: &Arc<ManualClock>, seed: u64) -> Keys<Standard> {
    Keys::builder_over(store.clone())
        .shared_clock(Arc::<ManualClock>::clone(clock))
        .random(StdRng::seed_from_u64(seed))
        .last_used_capacity(CAPACITY)
        .build()
}

fn owner_name(owner: usize) -> String {
    format!("customer-{owner}")
}

/// What `call` comes to, or `None` when it has to be given up.
pub(super) fn look<T>(call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut context = Context::from_waker(Waker::noop());
    (0..LOOKS).find_map(|_| match call.as_mut().poll(&mut context) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    })
}
