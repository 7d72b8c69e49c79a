//! An authorization server that decides by chance what becomes of a request, and knows what it has given to whom.

use std::collections::{BTreeMap, HashMap, HashSet};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How long access tokens live, in seconds.
pub(super) const LIFETIME: u64 = 90;

/// What becomes of a request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    /// The server takes no connection.
    NotSent,
    /// The connection breaks before the server has it.
    RequestLost,
    /// The connection breaks before the answer is back.
    AnswerLost,
}

/// What the server says.
pub(super) enum Said {
    Pair(String),
    Spent,
    Broken,
    UseNonce(String),
}

#[derive(Debug)]
struct Session {
    owner: String,
    current: String,
    is_alive: bool,
}

#[derive(Debug)]
pub(super) struct Server {
    random: StdRng,
    sessions: Vec<Session>,
    /// Which session a refresh token is, or was, good for.
    of: HashMap<String, usize>,
    spent: HashSet<String>,
    counter: u64,
    nonce: u64,
    /// From now on everything goes well.
    pub(super) is_healthy: bool,
    /// How often a token came that was spent before, of each owner.
    pub(super) replays: BTreeMap<String, u32>,
}

impl Server {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            sessions: Vec::new(),
            of: HashMap::new(),
            spent: HashSet::new(),
            counter: 0,
            nonce: 0,
            is_healthy: false,
            replays: BTreeMap::new(),
        }
    }

    fn token(&mut self, session: usize) -> String {
        self.counter += 1;
        let token = format!("refresh-{}", self.counter);
        self.of.insert(token.clone(), session);
        token
    }

    /// A new session, and its first refresh token.
    pub(super) fn sign_in(&mut self, owner: &str) -> String {
        let session = self.sessions.len();
        let current = self.token(session);
        self.sessions.push(Session { owner: owner.to_owned(), current: current.clone(), is_alive: true });
        current
    }

    pub(super) fn fate(&mut self) -> Fate {
        match self.random.random_range(0..20) {
            _ if self.is_healthy => Fate::Arrives,
            0 => Fate::NotSent,
            1 => Fate::RequestLost,
            2 | 3 => Fate::AnswerLost,
            _ => Fate::Arrives,
        }
    }

    /// How long a request or an answer is on its way, in milliseconds.
    pub(super) fn delay(&mut self) -> u64 {
        match self.random.random_range(0..20) {
            _ if self.is_healthy => 1,
            0 => self.random.random_range(10_000..60_000),
            _ => self.random.random_range(0..800),
        }
    }

    /// What a request brings about. `nonce` is the one in its proof, and empty where that has none.
    pub(super) fn receive(&mut self, token: &str, nonce: Option<&str>) -> Said {
        let session = self.of[token];
        if let Some(given) = nonce {
            if !self.is_healthy && self.random.random_bool(0.3) {
                self.nonce += 1;
            }
            let wanted = format!("nonce-{}", self.nonce);
            if given != wanted {
                return Said::UseNonce(wanted);
            }
        }
        if !self.is_healthy && self.random.random_bool(0.1) {
            return Said::Broken;
        }
        if self.spent.contains(token) {
            *self.replays.entry(self.sessions[session].owner.clone()).or_default() += 1;
            self.sessions[session].is_alive = false;
            return Said::Spent;
        }
        if !self.sessions[session].is_alive {
            return Said::Spent;
        }
        self.spent.insert(token.to_owned());
        let next = self.token(session);
        self.sessions[session].current.clone_from(&next);
        Said::Pair(next)
    }

    /// Whether this is a token that the server would take now.
    pub(super) fn takes(&self, token: &str) -> bool {
        let session = &self.sessions[self.of[token]];
        session.is_alive && session.current == token
    }

    pub(super) fn is_spent(&self, token: &str) -> bool {
        self.spent.contains(token)
    }

    /// Which of its sessions a token is of: the higher, the newer.
    pub(super) fn session_of(&self, token: &str) -> usize {
        self.of[token]
    }
}
