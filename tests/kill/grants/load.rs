//! Many clients refresh and introspect, what nobody can use is swept, and the process is killed twice.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::inspection::{inspect, live};
use crate::place::Engine;
use crate::process::{Process, TokenPair, Told};
use crate::world::World;

/// For how many seconds access tokens are good: so few that there is always something to sweep.
const LIFETIME: u64 = 5;
/// How often it is swept, in milliseconds.
const SWEEP_EVERY: u64 = 3_000;
/// How long a client does nothing after each answer, at the most, in milliseconds.
const PAUSE: u64 = 1_000;
/// How many clients sign in at once before it begins.
const AT_ONCE: u64 = 8;

#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    refreshed: u64,
    introspected: u64,
    /// Access tokens that were older than they are good for.
    expired: u64,
    lost: u64,
    repeated: u64,
    unavailable: u64,
    lasted: Duration,
    /// How long each answer took.
    took: Vec<Duration>,
    clients: u64,
    swept: i64,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refreshed, introspected, expired, lost, repeated, unavailable, lasted, took, clients, swept } = self;
        let answers = refreshed + introspected;
        #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^53")]
        let per_second = answers as f64 / lasted.as_secs_f64();
        let of = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or_default();
        write!(
            f,
            "{clients} clients, {lasted:.0?}: {answers} answers, {per_second:.0} a second ({refreshed} refreshes, {introspected} \
             introspections, of which {expired} of expired tokens); median {:.1?}, 99 of 100 within {:.1?}; errors: {unavailable} \
             unavailable, {lost} lost with a process, after which {repeated} exchanges were answered again; {swept} rows of \
             expired access tokens left; no grant lost, none doubled",
            of(50),
            of(99)
        )
    }
}

type Server = Arc<RwLock<Arc<Process>>>;

pub(crate) fn load(engine: Engine, clients: u64, length: Duration) -> Load {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let world = Arc::new(World::new(engine, LIFETIME).await);
        let start = || Arc::new(Process::start(&world.place.address, LIFETIME, SWEEP_EVERY));
        let server: Server = Arc::new(RwLock::new(start()));
        let signed_in = sign_in(&world, &server, clients).await;
        let (began, end) = (Instant::now(), Instant::now() + length);
        let mut running = JoinSet::new();
        for (number, (client, pair)) in (0..).zip(signed_in) {
            let server = Arc::clone(&server);
            running.spawn(async move { live_until(end, number, client, pair, &server).await });
        }
        for _ in 0..2 {
            sleep(length / 3).await;
            let killed = server.read().unwrap_or_else(PoisonError::into_inner).clone();
            killed.kill();
            let again = start();
            *server.write().unwrap_or_else(PoisonError::into_inner) = again;
        }
        let mut load = Load { clients, ..Load::default() };
        let mut last = Vec::new();
        for (client, pair, own) in running.join_all().await {
            load.refreshed += own.refreshed;
            load.introspected += own.introspected;
            load.expired += own.expired;
            load.lost += own.lost;
            load.repeated += own.repeated;
            load.unavailable += own.unavailable;
            load.took.extend(own.took);
            last.push((client, pair));
        }
        load.lasted = began.elapsed();
        load.took.sort_unstable();
        nobody_has_lost_anything(&world, &server, last).await;
        load.swept = world.count("SELECT count(*) FROM access_tokens WHERE revoked_at IS NOT NULL").await;
        drop(server);
        if let Some(World { place, tokens }) = Arc::into_inner(world) {
            drop(tokens);
            place.remove().await;
        }
        load
    })
}

async fn ask(server: &Server, request: &str) -> Told {
    let process = server.read().unwrap_or_else(PoisonError::into_inner).clone();
    process.ask(request).await
}

/// Registers so many clients, each with a grant.
async fn sign_in(world: &Arc<World>, server: &Server, clients: u64) -> Vec<(String, TokenPair)> {
    let mut running = JoinSet::new();
    for number in 0..AT_ONCE {
        let (world, server) = (Arc::clone(world), Arc::clone(server));
        running.spawn(async move {
            let mut signed_in = Vec::new();
            for _ in (number..clients).step_by(8) {
                let client = world.client().await;
                let code = world.code(&client).await;
                match ask(&server, &format!("code {client} {code}")).await {
                    Told::Tokens(pair) => signed_in.push((client, pair)),
                    told => panic!("a code: {told:?}"),
                }
            }
            signed_in
        });
    }
    running.join_all().await.into_iter().flatten().collect()
}

/// A client, until the end: three times it has its token looked at, then it refreshes.
async fn live_until(
    end: Instant,
    number: u64,
    client: String,
    mut pair: TokenPair,
    server: &Server,
) -> (String, TokenPair, Load) {
    let mut random = StdRng::seed_from_u64(number);
    let mut own = Load::default();
    let mut issued = Instant::now();
    while Instant::now() < end {
        for _ in 0..3 {
            sleep(Duration::from_millis(random.random_range(0..PAUSE))).await;
            let asked = Instant::now();
            // Refreshed tokens alone: those of the sign-in may be old by now.
            let told = ask(server, &format!("introspect {}", pair.access)).await;
            let is_fresh =
                own.refreshed > 0 && issued.elapsed() + Duration::from_secs(1) < Duration::from_secs(LIFETIME);
            match told {
                Told::Active => own.introspected += 1,
                Told::Inactive if !is_fresh => {
                    own.introspected += 1;
                    own.expired += 1;
                }
                Told::Unavailable => own.unavailable += 1,
                Told::Lost => own.lost += 1,
                told => panic!("an access token that was handed out {:?} ago: {told:?}", issued.elapsed()),
            }
            own.took.push(asked.elapsed());
        }
        let mut is_lost = false;
        loop {
            sleep(Duration::from_millis(random.random_range(0..PAUSE))).await;
            let asked = Instant::now();
            let told = ask(server, &format!("refresh {client} {}", pair.refresh)).await;
            own.took.push(asked.elapsed());
            match told {
                Told::Tokens(successor) => {
                    // An answer that is had again is as old as it was when it was lost.
                    issued =
                        if is_lost { asked.checked_sub(Duration::from_secs(LIFETIME)).unwrap_or(asked) } else { asked };
                    pair = successor;
                    own.refreshed += 1;
                    own.repeated += u64::from(is_lost);
                    break;
                }
                Told::Unavailable => own.unavailable += 1,
                Told::Lost => own.lost += 1,
                told => panic!("a good refresh token: {told:?}"),
            }
            is_lost = true;
        }
    }
    (client, pair, own)
}

/// Each client has its grant, and refreshes once more.
async fn nobody_has_lost_anything(world: &World, server: &Server, last: Vec<(String, TokenPair)>) {
    inspect(world).await;
    let clients = last.len();
    assert_eq!(usize::try_from(live(world).await), Ok(clients), "grants that are live");
    assert_eq!(world.count("SELECT count(*) FROM keyward_grants WHERE revoked_at IS NOT NULL").await, 0);
    let mut tokens = HashSet::new();
    for (client, pair) in last {
        loop {
            match ask(server, &format!("refresh {client} {}", pair.refresh)).await {
                Told::Tokens(successor) => {
                    assert!(tokens.insert(successor.refresh) && tokens.insert(successor.access), "a token is doubled");
                    break;
                }
                Told::Unavailable => {}
                told => panic!("the last refresh token of a client: {told:?}"),
            }
        }
    }
    inspect(world).await;
    assert_eq!(tokens.len(), 2 * clients);
}
