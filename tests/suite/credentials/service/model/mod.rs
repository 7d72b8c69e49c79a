//! Thousands of random interleavings of processes that stop, go on and die, over a store that fails and a server that
//! loses answers. Every round is repeated by its seed: `KEYWARD_MODEL=SEED[,ROUNDS]`.

mod process;
mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::credential::{ClientId, CredentialState, DpopKey, Endpoint, OAuthClient, OAuthSession};
use keyward::key::OwnerId;
use keyward::seal::{SealedPlace, StoredSecret};
use keyward::service::{Credentials, CredentialsError};
use keyward::store::credentials::{CredentialStore as _, MemoryCredentialStore, Over};
use keyward::{Clock as _, Secret};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{owner, seal_keys};
use crate::credentials::exchange::{CLIENT, key};
use process::{Process, lock};
use server::{LIFETIME, Server};

/// What one run of the suite tries.
const ROUNDS: u64 = 1_500;
const OWNERS: [&str; 2] = ["did:plc:one", "did:plc:two"];
const PROCESSES: u64 = 3;
/// How long everything happens, in milliseconds, before peace returns.
const UNREST: u64 = 300_000;
const EXCHANGE: Duration = Duration::from_secs(20);
/// How long a process is stopped at most.
const LONGEST_STOP: Duration = Duration::from_secs(150);

struct Round {
    server: Arc<Mutex<Server>>,
    store: MemoryCredentialStore,
    processes: Vec<(Process, Credentials)>,
    /// The host that signs accounts in; it neither stops nor fails.
    host: (Process, Credentials),
    key: Option<DpopKey>,
}

fn service(process: &Process, seed: u64) -> Credentials {
    Credentials::builder_over(Arc::new(process.clone()), Arc::new(process.clone()), Handle::current())
        .seal_keys(seal_keys())
        .client(OAuthClient::public(ClientId::new(CLIENT).unwrap()))
        .clock(process.clone())
        .random(StdRng::seed_from_u64(seed))
        .margin(Duration::from_secs(10))
        .exchange_timeout(EXCHANGE)
        .build()
}

impl Round {
    fn new(random: &mut StdRng) -> Self {
        let server = Arc::new(Mutex::new(Server::new(random.random())));
        let store = MemoryCredentialStore::new();
        let mut process = |skew| {
            let process = Process::new(&store, &server, random.random(), skew);
            let credentials = service(&process, random.random());
            (process, credentials)
        };
        let host = process(0);
        host.0.heal();
        let mut processes: Vec<_> = (0..PROCESSES).map(|_| process(0)).collect();
        // Clocks are off by some seconds, and now and then by more than any lease goes.
        let skews = [0, 0, random.random_range(-40..40), random.random_range(-900..900)];
        let skew = skews[random.random_range(0..skews.len())];
        processes[0] = {
            let process = Process::new(&store, &server, random.random(), skew);
            let credentials = service(&process, random.random());
            (process, credentials)
        };
        // Signatures take most of the time of those rounds that have any.
        let key = random.random_bool(0.05).then(key);
        Self { server, store, processes, host, key }
    }

    /// Signs an account in, in place of the session that it has, or after that one was wiped.
    async fn sign_in(&self, owner: &OwnerId, wipes: bool) {
        let refresh_token = lock(&self.server).sign_in(owner.as_str());
        let endpoint = Endpoint::new("https://issuer.example/token").unwrap();
        let access_token = Secret::new(format!("access-of-{refresh_token}"));
        let client = ClientId::new(CLIENT).unwrap();
        let mut session = OAuthSession::new(client, "https://issuer.example", endpoint, access_token);
        session.refresh_token = Some(Secret::new(refresh_token));
        session.dpop_key.clone_from(&self.key);
        session.expires_at = Some(self.host.0.now().saturating_add(Duration::from_secs(LIFETIME)));
        if wipes {
            self.host.1.wipe(owner).await.unwrap();
        }
        self.host.1.put(owner, session, Over::Anything).await.unwrap();
    }

    /// The refresh token that is stored, and its state.
    async fn stored(&self, owner: &OwnerId) -> (String, CredentialState) {
        let record = self.store.get(owner).await.unwrap().unwrap();
        let Some(StoredSecret::Sealed(sealed)) = record.secrets.refresh_token else { panic!("an envelope") };
        let place = SealedPlace { schema: self.store.schema(), owner: owner.as_str(), column: "refresh_token" };
        (seal_keys().open(place, &sealed).unwrap().expose_secret().to_owned(), record.head.state)
    }

    /// A caller, who is told something in time whatever happens.
    async fn call(credentials: Credentials, owner: OwnerId, kind: u32, stops: bool) {
        let began = Instant::now();
        let outcome = match kind {
            0..=5 => credentials.access_token(&owner).await,
            6 => credentials.access_token_for(&owner, Duration::from_mins(1)).await,
            7 => credentials.retry_uncertain(&owner).await,
            _ => credentials.refresh(&owner).await,
        };
        // Beside what the store takes, which answers in its own time.
        let most = EXCHANGE + Duration::from_secs(2) + if stops { 2 * LONGEST_STOP } else { Duration::ZERO };
        assert!(began.elapsed() <= most, "a caller waited for {:?} and was told {outcome:?}", began.elapsed());
        if let Err(error) = outcome {
            let is_expected = matches!(
                error,
                CredentialsError::Uncertain { .. }
                    | CredentialsError::NeedsAuthorization(_)
                    | CredentialsError::NotFound
                    | CredentialsError::Busy { .. }
                    | CredentialsError::Later { .. }
                    | CredentialsError::Unsaved
                    | CredentialsError::Replaced
                    | CredentialsError::Store(_)
            );
            assert!(is_expected, "{error}");
        }
    }
}

async fn round(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let round = Arc::new(Round::new(&mut random));
    for name in OWNERS {
        round.sign_in(&owner(name), false).await;
    }
    // In half of the rounds nobody ever decides anything, in a third nothing stops or dies.
    let (decides, stops) = (random.random_bool(0.5), random.random_bool(0.7));
    let mut decisions = [0_u32; 2];
    let mut tasks = JoinSet::new();
    for _ in 0..random.random_range(5..40) {
        let at = Duration::from_millis(random.random_range(0..UNREST));
        let which = random.random_range(0..OWNERS.len());
        let (owner, round) = (owner(OWNERS[which]), Arc::clone(&round));
        let by = random.random_range(0..round.processes.len());
        let kind = random.random_range(0..20);
        let (length, wipes) = (LONGEST_STOP.mul_f64(random.random()), random.random_bool(0.5));
        decisions[which] += u32::from(decides && kind == 7);
        tasks.spawn(async move {
            sleep(at).await;
            let (process, credentials) = &round.processes[by];
            match kind {
                7 if !decides => {}
                0..=11 => {
                    // Callers come in crowds.
                    let crowd = (0..3).map(|_| Round::call(credentials.clone(), owner.clone(), kind, stops));
                    let crowd: Vec<_> = crowd.map(|call| Handle::current().spawn(call)).collect();
                    for call in crowd.into_iter().take(if kind == 7 { 1 } else { 3 }) {
                        // One that dies with its process says nothing.
                        if !stops {
                            call.await.unwrap();
                        } else if let Ok(told) = tokio::time::timeout(3 * LONGEST_STOP, call).await {
                            told.unwrap();
                        }
                    }
                }
                12 | 13 if stops => process.stop(length),
                14 if stops && by != 0 => process.kill(),
                15 => round.sign_in(&owner, wipes).await,
                16 => drop(credentials.reseal(|_| ()).await),
                _ => drop(credentials.refresh_expiring(credentials.now().saturating_add(length)).await),
            }
        });
    }
    let end = Instant::now() + Duration::from_millis(UNREST) + 3 * LONGEST_STOP;
    while let Ok(Some(done)) = tokio::time::timeout_at(end, tasks.join_next()).await {
        done.unwrap();
    }
    // Peace: whatever is still under way comes to its end.
    lock(&round.server).is_healthy = true;
    for (process, credentials) in &round.processes {
        process.heal();
        if process.given().is_some() {
            assert_eq!(credentials.settle(Duration::from_mins(30)).await, 0, "an exchange has no end");
        }
    }
    for (which, name) in OWNERS.iter().enumerate() {
        // A crowd of three decides three times.
        let replays = lock(&round.server).replays.get(*name).copied().unwrap_or_default();
        assert!(replays <= 3 * decisions[which], "{name}: {replays} replays, {} decisions", decisions[which]);
        let (stored, state) = round.stored(&owner(name)).await;
        let server = lock(&round.server);
        if state == CredentialState::Active {
            // Where somebody decided wrongly, the session is over, as the next refresh will say.
            let is_good = if replays == 0 { server.takes(&stored) } else { !server.is_spent(&stored) };
            assert!(is_good, "{name}: {stored} is spent, and nothing says so");
        }
        // Of what living processes were given, the newest of the session that is stored is what stands there.
        let of_session = |token: &String| server.session_of(token) == server.session_of(&stored);
        for given in round.processes.iter().filter_map(|(process, _)| process.given()).flatten().filter(of_session) {
            assert!(!server.takes(&given) || given == stored, "{name}: {given} was dropped, {stored} stands there");
        }
    }
}

#[test]
fn no_interleaving_sends_a_token_twice_or_drops_a_pair() {
    let given = std::env::var("KEYWARD_MODEL").ok();
    let mut numbers = given.iter().flat_map(|given| given.split(',')).map(|number| number.parse::<u64>().unwrap());
    let (first, rounds) = match (numbers.next(), numbers.next()) {
        (None, _) => (0, ROUNDS),
        (Some(seed), rounds) => (seed, rounds.unwrap_or(1)),
    };
    for seed in first..first + rounds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(round(seed))));
        assert!(done.is_ok(), "KEYWARD_MODEL={seed}");
    }
}
