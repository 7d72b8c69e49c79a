//! All credentials are sealed under a new key while they are read and refreshed, by a process that is killed in the middle.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use keyward::key::OwnerId;
use keyward::seal::{SealNonce, SealedPlace};
use keyward::service::Credentials;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;

use crate::child::{CLIENT, seal_keys, service};
use crate::place::{Address, Engine};
use crate::points::{FileClock, Hold};
use crate::world::World;

/// How many of them are refreshed all the time, and by how many tasks others are read.
const REFRESHED: u64 = 20;
const READERS: u64 = 2;

/// How often the process says how far it is, in credentials.
const SAID: u64 = 100;

const PATIENCE: Duration = Duration::from_secs(30);

fn name(number: u64) -> String {
    format!("did:plc:{number:08}")
}

/// Seals everything under the new key, and says how far it is.
pub(crate) fn child(order: &[String]) -> ExitCode {
    let [address, clock] = order else { return ExitCode::from(2) };
    let (address, clock) = (Address::read(address), FileClock(clock.into()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let credentials = service(&address, &clock, PATIENCE, Hold::default(), seal_keys(1)).await;
        let resealed = credentials.reseal(|progress| {
            if progress.done % SAID == 0 {
                println!("{}", progress.done);
            }
        });
        let resealed = resealed.await.expect("an answer");
        assert!(resealed.failed.is_empty(), "{:?}", resealed.failed);
        println!("done {} {}", resealed.resealed, resealed.skipped);
    });
    ExitCode::SUCCESS
}

/// Fills the table as fast as it goes; sealed with the old key, as everything else.
fn fill(world: &World, rows: u64) {
    let (keys, mut random) = (seal_keys(0), StdRng::seed_from_u64(rows));
    let table = if world.place.is_postgres() { "keyward.credentials" } else { "keyward_credentials" };
    let (issuer, endpoint) = (world.double.issuer(), world.double.token_endpoint());
    for chunk in (0..rows).collect::<Vec<_>>().chunks(500) {
        let mut sql = format!(
            "BEGIN; INSERT INTO {table}
             (owner, access_token, refresh_token, expires_at, client_id, issuer, token_endpoint) VALUES "
        );
        for number in chunk {
            let owner = name(*number);
            let tokens = if *number < REFRESHED {
                let tokens = world.double.sign_in(&owner, CLIENT, None);
                [tokens.access_token, tokens.refresh_token]
            } else {
                [format!("access-{}", "a".repeat(900)), format!("refresh-{}", "r".repeat(60))]
            };
            let mut sealed = ["access_token", "refresh_token"].into_iter().zip(tokens).map(|(column, token)| {
                let place = SealedPlace { schema: "credentials", owner: &owner, column };
                let nonce = SealNonce::generate(&mut random).expect("a nonce");
                keys.seal(place, &token, nonce).expect("an envelope").as_str().to_owned()
            });
            let (access, refresh) = (sealed.next().expect("one"), sealed.next().expect("another"));
            let comma = if number == &chunk[0] { "" } else { "," };
            write!(
                sql,
                "{comma} ('{owner}', '{access}', '{refresh}', '2040-01-01 00:00:00', '{CLIENT}', '{issuer}', '{endpoint}')"
            )
            .expect("a string");
        }
        sql.push_str("; COMMIT");
        world.runtime.block_on(world.place.run(&sql));
    }
}

struct Resealing(Child);

impl Resealing {
    fn start(world: &World) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.args(["--reseal", &world.place.address.to_string()]).arg(&world.clock.0).stdout(Stdio::piped());
        Self(command.spawn().expect("a process"))
    }

    /// What it says, until it has dealt with `enough`, when it is killed, or is done.
    fn watch(mut self, enough: u64) -> Vec<u64> {
        let said = BufReader::new(self.0.stdout.take().expect("its output")).lines();
        for line in said.map_while(Result::ok) {
            if let Some(done) = line.strip_prefix("done ") {
                assert!(self.0.wait().expect("the process").success());
                return done.split(' ').map(|number| number.parse().expect("a number")).collect();
            }
            if line.parse::<u64>().is_ok_and(|done| done >= enough) {
                self.0.kill().expect("the process lives until it is killed");
                break;
            }
        }
        let status = self.0.wait().expect("the process");
        assert!(status.code().is_none(), "it gave up by itself: {status}");
        Vec::new()
    }
}

/// Until it is told to stop, and says how often.
async fn read(credentials: Credentials, rows: u64, seed: u64, stop: Arc<AtomicBool>, reads: Arc<AtomicU64>) {
    let mut random = StdRng::seed_from_u64(seed);
    while !stop.load(Ordering::Relaxed) {
        let owner = OwnerId::new(name(random.random_range(0..rows))).expect("an owner");
        credentials.forget(&owner);
        credentials.access_token(&owner).await.expect("a token");
        reads.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn refresh(credentials: Credentials, stop: Arc<AtomicBool>, refreshed: Arc<AtomicU64>) {
    for number in (0..REFRESHED).cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let owner = OwnerId::new(name(number)).expect("an owner");
        credentials.refresh(&owner).await.expect("a token");
        refreshed.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn while_it_runs(engine: Engine, rows: u64) {
    let world = World::new(engine);
    fill(&world, rows);
    let (stop, reads, refreshes) =
        (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let running = {
        let new_keys = service(&world.place.address, &world.clock, PATIENCE, Hold::default(), seal_keys(1));
        let credentials = world.runtime.block_on(new_keys);
        let mut running: Vec<_> = (0..READERS)
            .map(|seed| {
                let (stop, reads) = (Arc::clone(&stop), Arc::clone(&reads));
                world.runtime.spawn(read(credentials.clone(), rows, seed, stop, reads))
            })
            .collect();
        running.push(world.runtime.spawn(refresh(credentials, Arc::clone(&stop), Arc::clone(&refreshes))));
        running
    };
    let began = Instant::now();
    assert!(Resealing::start(&world).watch(rows * 2 / 5).is_empty(), "it was not killed in the middle");
    let after_kill = left(&world);
    assert!(after_kill > 0 && after_kill <= rows * 13 / 20, "{after_kill} of {rows} are left when it is killed");
    let mut passes = 0;
    while left(&world) > 0 {
        passes += 1;
        let dealt_with: u64 = Resealing::start(&world).watch(u64::MAX).iter().sum();
        assert!(dealt_with <= after_kill, "it began anew");
        assert!(passes < 10, "{} are left", left(&world));
    }
    let took = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    for task in running {
        world.runtime.block_on(task).expect("nobody fails");
    }
    assert_eq!(world.double.seen().replays, 0);
    println!(
        "{engine:?}: {rows} credentials sealed anew in {:.1} s, killed after 2/5 and gone on with {passes} times; meanwhile {} \
         were read and {} refreshed, and none failed",
        took.as_secs_f64(),
        reads.load(Ordering::Relaxed),
        refreshes.load(Ordering::Relaxed),
    );
    world.remove();
}

/// How many have an envelope of the old key.
fn left(world: &World) -> u64 {
    let table = if world.place.is_postgres() { "keyward.credentials" } else { "keyward_credentials" };
    let old = "access_token LIKE 'keyward.1.key-0.%' OR refresh_token LIKE 'keyward.1.key-0.%'";
    let counted = format!("SELECT count(*) FROM {table} WHERE {old}");
    world.runtime.block_on(world.place.number(&counted)).and_then(|count| u64::try_from(count).ok()).expect("a number")
}
