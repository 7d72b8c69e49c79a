//! A client with one grant: what it was handed, and what it does with it.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use keyward::broker::TokenDigest;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::process::{Process, TokenPair, Told};
use crate::world::World;

/// Two processes of one server, of which one may be gone.
pub(crate) type Processes = RwLock<[Arc<Process>; 2]>;

/// What was done in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) redeemed: u64,
    pub(crate) exchanged: u64,
    pub(crate) replayed: u64,
    /// Requests whose answer was lost.
    pub(crate) lost: u64,
    /// Exchanges whose lost answer was had again.
    pub(crate) repeated: u64,
    pub(crate) unavailable: u64,
}

/// What the client has.
enum Held {
    /// A code, and whether it was presented without an answer.
    Code {
        code: String,
        is_presented: bool,
    },
    Tokens {
        pair: TokenPair,
        is_refreshing: bool,
        spent: Option<String>,
    },
}

pub(crate) struct Family {
    client: String,
    held: Held,
    /// What was handed out for each refresh token.
    handed: HashMap<String, TokenPair>,
    pub(crate) done: Done,
}

impl Family {
    pub(crate) async fn new(world: &World, client: &str) -> Self {
        let held = Held::Code { code: world.code(client).await, is_presented: false };
        Self { client: client.to_owned(), held, handed: HashMap::new(), done: Done::default() }
    }

    async fn ask(&mut self, processes: &Processes, random: &mut StdRng, request: &str) -> Told {
        let process = processes.read().expect("no panic")[usize::from(random.random_bool(0.5))].clone();
        let told = process.ask(request).await;
        self.done.lost += u64::from(told == Told::Lost);
        self.done.unavailable += u64::from(told == Told::Unavailable);
        told
    }

    /// One request of the client, or a few.
    pub(crate) async fn step(&mut self, world: &World, processes: &Processes, random: &mut StdRng) {
        match &self.held {
            Held::Code { code, is_presented } => {
                let (code, is_presented) = (code.clone(), *is_presented);
                self.redeem(world, processes, random, code, is_presented).await;
            }
            Held::Tokens { pair, spent, is_refreshing } => {
                let (pair, spent, is_refreshing) = (pair.clone(), spent.clone(), *is_refreshing);
                match spent.filter(|_| !is_refreshing && random.random_bool(0.05)) {
                    Some(spent) => self.replay(world, processes, random, &pair, &spent).await,
                    None => self.refresh(processes, random, pair, is_refreshing).await,
                }
            }
        }
    }

    async fn redeem(
        &mut self,
        world: &World,
        processes: &Processes,
        random: &mut StdRng,
        code: String,
        is_presented: bool,
    ) {
        match self.ask(processes, random, &format!("code {} {code}", self.client)).await {
            Told::Tokens(pair) => {
                self.done.redeemed += 1;
                self.held = Held::Tokens { pair, is_refreshing: false, spent: None };
            }
            // It was redeemed when the answer was lost, and nobody can know by whom: the person is asked again.
            Told::Refused(reason) if is_presented => {
                assert!(["replayed", "revoked", "lost_race"].contains(&reason.as_str()), "a code: {reason}");
                self.held = Held::Code { code: world.code(&self.client).await, is_presented: false };
            }
            Told::Lost | Told::Unavailable => self.held = Held::Code { code, is_presented: true },
            told => panic!("a code that was never presented: {told:?}"),
        }
    }

    async fn refresh(&mut self, processes: &Processes, random: &mut StdRng, pair: TokenPair, was_refreshing: bool) {
        let request = format!("refresh {} {}", self.client, pair.refresh);
        // Some clients ask twice at the same moment.
        let twice = random.random_bool(0.2);
        let [one, other] = processes.read().expect("no panic").clone();
        let told = if twice {
            let (one, other) = tokio::join!(one.ask(&request), other.ask(&request));
            vec![one, other]
        } else {
            vec![self.ask(processes, random, &request).await]
        };
        let mut is_answered = false;
        for told in told {
            match told {
                Told::Tokens(successor) => {
                    let known = self.handed.entry(pair.refresh.clone()).or_insert_with(|| successor.clone());
                    assert_eq!(*known, successor, "one refresh token was exchanged twice");
                    is_answered = true;
                }
                Told::Lost | Told::Unavailable => {}
                // It looked three times, and somebody was first each time.
                Told::Refused(reason) if twice && reason == "lost_race" => {}
                told => panic!("a good refresh token (asked before: {was_refreshing}, twice: {twice}): {told:?}"),
            }
        }
        if !is_answered {
            self.held = Held::Tokens { pair, is_refreshing: true, spent: None };
            return;
        }
        self.done.exchanged += 1;
        self.done.repeated += u64::from(was_refreshing);
        let successor = self.handed[&pair.refresh].clone();
        // Half of the clients use what they were given; the others refresh again.
        let is_used = random.random_bool(0.5)
            && match self.ask(processes, random, &format!("introspect {}", successor.access)).await {
                Told::Active => true,
                Told::Lost | Told::Unavailable => false,
                told => panic!("an access token that was handed out: {told:?}"),
            };
        self.held = Held::Tokens { pair: successor, is_refreshing: false, spent: is_used.then_some(pair.refresh) };
    }

    /// Somebody presents a spent refresh token: everything ends.
    async fn replay(
        &mut self,
        world: &World,
        processes: &Processes,
        random: &mut StdRng,
        pair: &TokenPair,
        spent: &str,
    ) {
        for (request, refusals) in [
            (format!("refresh {} {spent}", self.client), &["replayed", "revoked"]),
            (format!("refresh {} {}", self.client, pair.refresh), &["revoked", "revoked"]),
        ] {
            loop {
                match self.ask(processes, random, &request).await {
                    Told::Refused(reason) => {
                        assert!(refusals.contains(&reason.as_str()), "a spent refresh token: {reason}");
                        break;
                    }
                    Told::Lost | Told::Unavailable => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                    told => panic!("a token is good twice: {told:?}"),
                }
            }
        }
        self.done.replayed += 1;
        self.held = Held::Code { code: world.code(&self.client).await, is_presented: false };
    }

    /// Whether it has a live grant, while nobody is at work; nothing that was handed out is lost.
    pub(crate) async fn is_live(&self, world: &World) -> bool {
        match &self.held {
            Held::Tokens { pair, is_refreshing, .. } => {
                let found = world.tokens.store().refresh_token(&TokenDigest::of(&pair.refresh)).await;
                let found = found.expect("an answer").expect("a refresh token that was handed out is there");
                assert!(found.grant.revoked.is_none(), "a grant is lost: {found:?}");
                if *is_refreshing && found.spent_at.is_some() {
                    assert!(
                        found.response.is_some() && !found.successor_is_used,
                        "the answer cannot be had again: {found:?}"
                    );
                } else {
                    assert!(found.spent_at.is_none() && found.revoked_at.is_none(), "a token is lost: {found:?}");
                    let access = world.tokens.store().access_token(&TokenDigest::of(&pair.access)).await;
                    let access = access.expect("an answer").expect("an access token that was handed out is there");
                    assert_eq!(access.revoked_at, None, "an access token is lost");
                }
                true
            }
            // It may have been redeemed without an answer.
            Held::Code { code, .. } => {
                let found = world.tokens.store().code(&TokenDigest::of(code)).await;
                let found = found.expect("an answer").expect("a code that was handed out is there");
                found.spent_at.is_some() && found.grant.revoked.is_none()
            }
        }
    }
}
