//! A real server is stopped, stands still, and is started again while keys are verified all the time: meanwhile nothing
//! is answered but that it cannot be told, and what the outage policy lets through; and it is over by itself.

mod verifier;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::key::Issued;
use keyward::schemas::standard::Standard;
use keyward::service::{CachePolicy, OutagePolicy};
use keyward::store::MemoryKeyStore;
use keyward::{Keys, Postgres, SqlKeyStore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::draft;
use super::watched::Watching;
use crate::support::TestSchema as _;
use crate::support::own_server::{Mode, OwnServer};
use verifier::{Known, Presented, Server, Verifier};

const BOUND: Duration = Duration::from_millis(400);
const READ_TIMEOUT: Duration = Duration::from_secs(1);
/// Within which a key counts that was good before the server was stopped.
const WITHIN: Duration = Duration::from_secs(4);
/// How late an answer may be on a machine that does much else. Whoever waits for the server waits for longer.
const SLACK: Duration = Duration::from_secs(3);
const STOPPED: Duration = Duration::from_secs(7);
/// Within which everything is answered again.
const LONG: Duration = Duration::from_secs(20);
/// Fewer than those who verify.
const CONNECTIONS: u32 = 2;

async fn store(server: &OwnServer, timeout: Duration, readers: u8) -> SqlKeyStore<Standard> {
    let engine = Postgres::new(server.pool(CONNECTIONS).await).read_timeout(timeout).gathered_readers(readers);
    SqlKeyStore::open(engine, Standard::schema()).await.unwrap()
}

/// On a machine that does much else, the store may not answer in time.
async fn until_verified(keys: &Keys<Standard>, issued: &Issued<Standard>) {
    let presented = issued.secret.expose_secret();
    let verified = async { while keys.verify(presented).await.is_err_and(|refusal| refusal.is_outage()) {} };
    timeout(LONG, verified).await.unwrap();
}

/// Doing it again changes nothing.
async fn until_revoked(keys: &Keys<Standard>, issued: &Issued<Standard>) {
    let id = &issued.record.head.id;
    let revoked = async { while keys.revoke(id, None).await.is_err_and(|error| error.is_outage()) {} };
    timeout(LONG, revoked).await.unwrap();
}

/// All ways to verify, over one server, and another process that issues and revokes.
struct World {
    server: OwnServer,
    state: Arc<Mutex<Server>>,
    elsewhere: Keys<Standard>,
    verifiers: Vec<Arc<Verifier>>,
}

impl World {
    async fn new() -> Self {
        let server = OwnServer::start().await;
        let sql = store(&server, LONG, 0).await;
        let elsewhere = Keys::builder(sql.clone()).build();
        sql.migrate(elsewhere.now()).await.unwrap();
        sql.note_changes().await.unwrap();
        let mut verifiers = Vec::new();
        for outage in [OutagePolicy::Refuse, OutagePolicy::AcceptWithin(WITHIN)] {
            for is_watched in [false, true] {
                for readers in [0, 2] {
                    let store = store(&server, READ_TIMEOUT, readers).await;
                    let keys = Keys::builder(store).cache(CachePolicy::new().bound(BOUND).outage(outage)).build();
                    verifiers.push(Arc::new(Verifier::new(keys, outage, is_watched, readers)));
                }
            }
        }
        let world = Self { server, state: Arc::new(Mutex::new(Server::Serves)), elsewhere, verifiers };
        for verifier in &world.verifiers {
            world.prepare(verifier).await;
        }
        world
    }

    async fn issue(&self) -> Issued<Standard> {
        self.elsewhere.issue(draft()).await.unwrap()
    }

    /// Keys that are good, revoked here, revoked elsewhere, and unknown.
    async fn prepare(&self, verifier: &Verifier) {
        let good = [self.issue().await, self.issue().await];
        let revoked = [self.issue().await, self.issue().await];
        for issued in good.iter().chain(&revoked) {
            until_verified(&verifier.keys, issued).await;
        }
        until_revoked(&verifier.keys, &revoked[0]).await;
        until_revoked(&self.elsewhere, &revoked[1]).await;
        let unknown = Keys::builder(MemoryKeyStore::new(Standard::schema())).build().issue(draft()).await.unwrap();
        let mut always = verifier.always.lock().unwrap();
        always.extend(good.iter().map(|issued| Presented::new(issued, Known::Good)));
        always.extend(revoked.iter().map(|issued| Presented::new(issued, Known::Revoked)));
        always.push(Presented::new(&unknown, Known::Unknown));
    }

    /// What to present for the first time, or for the first time since it was revoked, while the server is stopped.
    async fn about_to_be_stopped(&self) -> Vec<Vec<Presented>> {
        let mut lately = Vec::new();
        for Verifier { keys, is_watched, .. } in self.verifiers.iter().map(|verifier| &**verifier) {
            let (new, here, elsewhere) = (self.issue().await, self.issue().await, self.issue().await);
            for issued in [&here, &elsewhere] {
                until_verified(keys, issued).await;
            }
            until_revoked(keys, &here).await;
            until_revoked(&self.elsewhere, &elsewhere).await;
            let mut presented = vec![Presented::new(&new, Known::New), Presented::new(&here, Known::Revoked)];
            if *is_watched {
                presented.push(Presented::new(&elsewhere, Known::Revoked));
            }
            lately.push(presented);
        }
        // Whoever is in step after that has been told of everything from before it.
        sleep(BOUND).await;
        for verifier in self.verifiers.iter().filter(|verifier| verifier.is_watched) {
            verifier.until_in_step().await;
        }
        lately
    }

    async fn until_answered(&self) {
        for verifier in &self.verifiers {
            verifier.until_answered().await;
        }
    }

    /// From now on, the server answers nobody.
    fn is_stopped(&self, lately: Vec<Vec<Presented>>) {
        for (verifier, lately) in self.verifiers.iter().zip(lately) {
            verifier.is_stopped(lately);
        }
        *self.state.lock().unwrap() = Server::StoppedAt(Instant::now());
    }

    /// The outage has shown itself, to each as it is to be.
    fn comes_back(&self) {
        *self.state.lock().unwrap() = Server::Serves;
        for verifier in &self.verifiers {
            verifier.check_what_was_answered();
        }
    }

    async fn stopped_and_started(&mut self) {
        let lately = self.about_to_be_stopped().await;
        self.server.stop(Mode::Immediate).await;
        self.is_stopped(lately);
        sleep(STOPPED).await;
        self.comes_back();
        self.server.start_again();
        self.until_answered().await;
    }

    async fn standing_still(&self) {
        let lately = self.about_to_be_stopped().await;
        let still = self.server.stand_still().await;
        self.is_stopped(lately);
        sleep(STOPPED).await;
        self.comes_back();
        drop(still);
        self.until_answered().await;
    }

    async fn restarted(&mut self) {
        self.server.stop(Mode::Fast).await;
        self.server.start_again();
        self.until_answered().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_under_load_costs_nothing_but_answers_and_comes_back() {
    let mut world = World::new().await;
    let watching: Vec<_> =
        world.verifiers.iter().filter(|one| one.is_watched).map(|one| Watching::begin(&one.keys)).collect();
    let mut lanes = JoinSet::new();
    for verifier in &world.verifiers {
        for (place, is_fresh) in Verifier::lanes() {
            let (verifier, state) = (Arc::clone(verifier), Arc::clone(&world.state));
            lanes.spawn(async move { verifier.verify_all_the_time(&state, place, is_fresh).await });
        }
    }
    let host = async {
        world.until_answered().await;
        world.stopped_and_started().await;
        world.standing_still().await;
        world.restarted().await;
    };
    tokio::select! {
        ended = lanes.join_next() => panic!("{:?}", ended.unwrap().unwrap_err()),
        () = host => {}
    }
    drop(lanes);
    for watch in watching {
        watch.stop().await;
    }
}
