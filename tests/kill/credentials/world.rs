//! A database, a strict server and a clock, and the processes over them.

use std::cell::Cell;
use std::fmt;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use keyward::Secret;
use keyward::credential::{ClientId, CoordinateForm, CredentialHead, DpopKey, Endpoint, OAuthSession};
use keyward::key::OwnerId;
use keyward::service::Credentials;
use keyward::sql::{OwnCredentials, SqlCredentialStore};
use keyward::store::credentials::Over;
use keyward::{Clock as _, Timestamp};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::child::{CLIENT, seal_keys, service};
use crate::double::{Client, Double};
use crate::place::{Engine, Place};
use crate::points::{FileClock, Hold, Point};

/// 2030-01-01T00:00:00Z.
const START: i64 = 1_893_456_000;

pub(crate) const DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";

/// How long the processes are patient that are not held, in milliseconds.
const PATIENCE: u64 = 700;

/// Longer than any lease in these worlds, in seconds.
pub(crate) const LEASE: i64 = 80;

pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) double: Double,
    pub(crate) clock: FileClock,
    pub(crate) runtime: Runtime,
    pub(crate) credentials: Credentials,
    signed_in: Cell<u64>,
    _directory: TempDir,
}

impl World {
    pub(crate) fn new(engine: Engine) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let clock = FileClock(directory.path().join("clock"));
        clock.set(START);
        let of_double = clock.clone();
        let double = Double::start(move || of_double.seconds());
        double.register(CLIENT, Client::Public);
        let (place, credentials) = runtime.block_on(async {
            let place = Place::new(engine).await;
            let store = SqlCredentialStore::open(place.address.open().await, OwnCredentials::new()).await;
            store.expect("a store").migrate(Timestamp::from_micros(START * 1_000_000)).await.expect("the tables");
            let credentials = service(&place.address, &clock, Duration::from_secs(30), Hold::default(), seal_keys(0));
            let credentials = credentials.await;
            (place, credentials)
        });
        Self { place, double, clock, runtime, credentials, signed_in: Cell::new(0), _directory: directory }
    }

    /// Stores a new session, of which the access token has expired.
    pub(crate) fn sign_in(&self) {
        let key = DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D").expect("a key");
        let tokens = self.double.sign_in(DID, CLIENT, Some(&key.thumbprint(CoordinateForm::Padded)));
        let endpoint = Endpoint::new(self.double.token_endpoint()).expect("an endpoint");
        let client = ClientId::new(CLIENT).expect("a client");
        let mut session = OAuthSession::new(client, self.double.issuer(), endpoint, Secret::new(tokens.access_token));
        session.refresh_token = Some(Secret::new(tokens.refresh_token));
        session.dpop_key = Some(key);
        session.subject = Some(DID.to_owned());
        session.expires_at = Some(self.clock.now());
        let owner = OwnerId::new(DID).expect("an owner");
        self.runtime.block_on(async {
            self.credentials.put(&owner, session, Over::Anything).await.expect("a credential");
            // From then on, the server's nonce is known, and the first request is the one that counts.
            self.credentials.refresh(&owner).await.expect("a new pair");
        });
        self.clock.pass(3_600);
        self.signed_in.set(self.double.seen().refreshes);
    }

    /// How many refresh tokens were spent since the last sign-in.
    pub(crate) fn refreshes(&self) -> u64 {
        self.double.seen().refreshes - self.signed_in.get()
    }

    pub(crate) fn head(&self) -> CredentialHead {
        let owner = OwnerId::new(DID).expect("an owner");
        self.runtime.block_on(self.credentials.get(&owner)).expect("an answer").expect("a credential")
    }

    /// A process that can be asked.
    pub(crate) fn process(&self) -> Process {
        self.process_with_patience(PATIENCE)
    }

    /// A process whose exchanges may take so many milliseconds.
    pub(crate) fn process_with_patience(&self, patience: u64) -> Process {
        Process::start(self, patience, None)
    }

    /// A process that holds at `point` when it first comes there.
    pub(crate) fn held_at(&self, point: Point) -> Process {
        Process::start(self, 60_000, Some(point))
    }

    /// Whether a process was given the token that the server takes now.
    pub(crate) fn is_live(&self, told: &Told) -> bool {
        let current = self.double.current(DID).map(|tokens| tokens.access_token);
        matches!(told, Told::Token(token) if Some(token) == current.as_ref())
    }

    /// Waits until no session is in the middle of anything: what a process that is gone had begun may still end either way.
    pub(crate) fn settle(&self) {
        const BUSY: &str = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
        while self.place.is_postgres() && self.runtime.block_on(self.place.number(BUSY)) != Some(0) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn remove(self) {
        let Self { place, runtime, credentials, .. } = self;
        drop(credentials);
        runtime.block_on(place.remove());
    }
}

/// What a process was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Token(String),
    Uncertain,
    Busy,
    Ended,
    Error(String),
}

impl Told {
    fn read(words: &str) -> Self {
        match words.split_once(' ').unwrap_or((words, "")) {
            ("token", token) => Self::Token(token.to_owned()),
            ("uncertain", _) => Self::Uncertain,
            ("busy", _) => Self::Busy,
            ("ended", _) => Self::Ended,
            (_, error) => Self::Error(error.to_owned()),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A process of ours; it is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    orders: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(world: &World, patience: u64, hold: Option<Point>) -> Self {
        let program = std::env::current_exe().expect("this program");
        let hold = hold.map_or_else(|| "nowhere".to_owned(), |point| point.to_string());
        let mut child = Command::new(program)
            .args(["--child", &world.place.address.to_string()])
            .arg(&world.clock.0)
            .args([&patience.to_string(), &hold])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let orders = child.stdin.take().expect("its input");
        let said = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut process = Self { child, orders, said };
        assert_eq!(process.line(), "ready");
        process
    }

    fn line(&mut self) -> String {
        self.said.next().expect("the process has ended").expect("a line")
    }

    pub(crate) fn order(&mut self, what: &str, tasks: u32) {
        self.say(&format!("{what} {DID} {tasks}"));
    }

    fn say(&mut self, line: &str) {
        writeln!(self.orders, "{line}").and_then(|()| self.orders.flush()).expect("the process listens");
    }

    /// Waits until it holds at its point.
    pub(crate) fn arrives(&mut self, point: Point) {
        assert_eq!(self.line(), format!("at {point}"));
    }

    /// What its tasks were told.
    pub(crate) fn told(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        loop {
            let line = self.line();
            match line.split_once(' ') {
                Some(("told", words)) => told.push(Told::read(words)),
                _ if line == "done" => return told,
                _ => panic!("{line}"),
            }
        }
    }

    /// Orders, and waits for what its tasks are told.
    pub(crate) fn ask(&mut self, what: &str, tasks: u32) -> Vec<Told> {
        self.order(what, tasks);
        self.told()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().expect("kill").success());
    }

    /// Lets a process that holds go on.
    pub(crate) fn go_on(&mut self) {
        self.say("go");
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the process lives until it is killed");
        let status = self.child.wait().expect("the process");
        assert!(status.code().is_none(), "the process gave up by itself: {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
