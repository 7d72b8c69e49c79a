//! An authorization server and a resource server in one, on loopback, as strict as the atproto PDS was seen to be: a
//! refresh token is good once, a second use ends the session with all its tokens, and so does another key; nonces are
//! demanded, rotated, and kept apart for the two servers; no proof and no assertion is taken twice.
//!
//! It names nothing of keyward, so that it is a second opinion, and so that an example can take it in by its path. It
//! serves on a thread of its own until it is dropped.

mod http;
mod proof;
mod server;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use server::State;

/// What happens to the next refresh that passes all checks. Each is used once, in the order in which it was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// All nonces are forgotten, and a new one is demanded. Nothing is spent.
    DemandNonce,
    /// This answer, and nothing is spent.
    Refuse { status: u16, body: String },
    /// The connection is closed without an answer, and nothing is spent.
    LoseRequest,
    /// The token is spent, and the connection closed without an answer.
    LoseAnswer,
    /// The token is spent, and the connection closed in the middle of the answer.
    CutAnswer,
    /// The token is spent, and the answer is this one.
    Spend { status: u16, body: String },
    /// The token is spent, and the answer comes so much later.
    Delay(Duration),
    /// Nothing happens for so long, and then everything as usual.
    Stall(Duration),
}

/// How a client is known.
#[derive(Clone, Debug)]
pub(crate) enum Client {
    Public,
    /// By Basic or in the body.
    Secret(String),
    /// By assertions of the key with these coordinates, in base64url.
    Key {
        kid: String,
        x: String,
        y: String,
    },
}

/// What was asked, and how it was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Requests to the token endpoint, refused ones too.
    pub(crate) token_requests: u64,
    /// Refresh tokens that were spent.
    pub(crate) refreshes: u64,
    /// Proofs that had to come again with a nonce.
    pub(crate) nonces_demanded: u64,
    /// Proofs that were no proofs.
    pub(crate) proofs_refused: u64,
    pub(crate) clients_refused: u64,
    /// Sessions that ended because a token was used twice.
    pub(crate) replays: u64,
    /// Sessions that ended because of another key.
    pub(crate) other_keys: u64,
    pub(crate) revocations: u64,
    /// Calls of the resource server that were let in, and all others.
    pub(crate) calls: u64,
    pub(crate) calls_refused: u64,
}

/// The tokens of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// The running server.
#[derive(Debug)]
pub(crate) struct Double {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// Dropped with the server, which ends it.
    _stop: oneshot::Sender<()>,
}

impl Double {
    /// Starts a server whose clock is `now`, in seconds since 1970.
    pub(crate) fn start(now: impl Fn() -> i64 + Send + 'static) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::new(format!("http://{address}"), Box::new(now))));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = http::serve(&listener, &served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, state, _stop: stop }
    }

    /// The issuer, which is also the origin of the resource server.
    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn token_endpoint(&self) -> String {
        format!("{}/oauth/token", self.issuer())
    }

    pub(crate) fn revocation_endpoint(&self) -> String {
        format!("{}/oauth/revoke", self.issuer())
    }

    /// The URL of a method of the resource server. All answer alike.
    pub(crate) fn resource(&self, method: &str) -> String {
        format!("{}/xrpc/{method}", self.issuer())
    }

    /// Makes a client known.
    pub(crate) fn register(&self, id: &str, client: Client) {
        self.state().clients.insert(id.to_owned(), client);
    }

    /// Begins a session of `subject` with a client that is known, bound to the key with the thumbprint `jkt`, or of
    /// bearer tokens.
    pub(crate) fn sign_in(&self, subject: &str, client: &str, jkt: Option<&str>) -> Tokens {
        self.state().sign_in(subject, client, jkt)
    }

    /// How long access tokens live from now on, in seconds.
    pub(crate) fn set_lifetime(&self, seconds: i64) {
        self.state().lifetime = seconds;
    }

    /// Plans what happens to the next refreshes.
    pub(crate) fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// What is still planned.
    pub(crate) fn planned(&self) -> VecDeque<Fault> {
        self.state().faults.clone()
    }

    /// Makes new nonces. The last ones are still good, those before are not.
    pub(crate) fn rotate_nonces(&self) {
        self.state().rotate_nonces();
    }

    /// What has happened so far.
    pub(crate) fn seen(&self) -> Seen {
        self.state().seen
    }

    /// The live tokens of a subject, if it has a session.
    pub(crate) fn current(&self, subject: &str) -> Option<Tokens> {
        self.state().current(subject)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
