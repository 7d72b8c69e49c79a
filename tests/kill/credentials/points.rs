//! The points of a refresh at which a process can be held, stopped or killed: by wrapping the store and the transport, as
//! a host could, so that the library knows nothing of it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use keyward::credential::{AnswerHeaders, CredentialHead, CredentialRecord, TokenRequest};
use keyward::key::OwnerId;
use keyward::service::{Transport, TransportAnswer, TransportError};
use keyward::store::StoreError;
use keyward::store::credentials::{
    Claim, ClaimRequest, CredentialListRequest, CredentialStore, MarkRequest, NonceRequest, PutRequest, ReleaseRequest,
    ResealRequest, SaveRequest, Sealing,
};
use keyward::{Clock, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Where a refresh has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// The lease is had, and nothing is written down.
    Claimed,
    /// It is written down that the refresh token is on its way.
    Marked,
    /// The request is about to leave.
    Sending,
    /// The server has the request, and the process no answer.
    Sent,
    /// The process has the answer, and nothing is stored.
    Answered,
    /// The new pair is stored, and nobody was told.
    Saved,
}

impl Point {
    pub(crate) const ALL: [Self; 6] =
        [Self::Claimed, Self::Marked, Self::Sending, Self::Sent, Self::Answered, Self::Saved];
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Point {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|point| point.to_string() == text).ok_or(())
    }
}

/// Holds a process at one point until it is told to go on, and says that it is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hold(Option<Arc<Held>>);

#[derive(Debug)]
struct Held {
    point: Point,
    was_there: AtomicBool,
    go: Notify,
}

impl Hold {
    pub(crate) fn at(point: Option<Point>) -> Self {
        Self(point.map(|point| Arc::new(Held { point, was_there: AtomicBool::new(false), go: Notify::new() })))
    }

    pub(crate) fn go_on(&self) {
        if let Some(held) = &self.0 {
            held.go.notify_one();
        }
    }

    async fn pass(&self, point: Point) {
        let Some(held) = self.0.as_ref().filter(|held| held.point == point) else { return };
        if !held.was_there.swap(true, Ordering::SeqCst) {
            println!("at {point}");
            held.go.notified().await;
        }
    }
}

/// The time as a file says it, which is the same for all processes, also for one that was stopped meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct FileClock(pub(crate) PathBuf);

impl FileClock {
    pub(crate) fn seconds(&self) -> i64 {
        let bytes = std::fs::read(&self.0).expect("the clock");
        i64::from_be_bytes(bytes.try_into().expect("eight bytes"))
    }

    pub(crate) fn set(&self, seconds: i64) {
        // By renaming, so that nobody reads half of it.
        let next = self.0.with_extension("next");
        std::fs::write(&next, seconds.to_be_bytes()).expect("the clock");
        std::fs::rename(next, &self.0).expect("the clock");
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.set(self.seconds() + seconds);
    }
}

impl Clock for FileClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.seconds() * 1_000_000)
    }
}

/// Sends each request once, over a connection of its own.
#[derive(Debug)]
pub(crate) struct Tcp(pub(crate) Hold);

#[async_trait]
impl Transport for Tcp {
    async fn send(&self, request: &TokenRequest) -> Result<TransportAnswer, TransportError> {
        let broken = |error: std::io::Error| TransportError::Broken(error.into());
        let cut = || TransportError::Broken("the connection was closed".into());
        self.0.pass(Point::Sending).await;
        let (host, path) = request.url.as_str().trim_start_matches("http://").split_once('/').unwrap_or_default();
        let mut stream = TcpStream::connect(host).await.map_err(|error| TransportError::NotSent(error.into()))?;
        let body = request.body.expose_secret();
        let headers = request.headers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.expose_secret()));
        let (headers, length) = (headers.collect::<String>(), body.len());
        let text = format!("POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
        stream.write_all(text.as_bytes()).await.map_err(broken)?;
        self.0.pass(Point::Sent).await;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.map_err(broken)?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(cut)?;
        let body = answer.split_off(end + 4);
        let head = String::from_utf8(answer).map_err(|_| cut())?;
        let lines = || head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        let length = lines().find(|(name, _)| *name == "Content-Length").and_then(|(_, length)| length.parse().ok());
        if length != Some(body.len()) {
            return Err(cut());
        }
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
        if status == 200 {
            self.0.pass(Point::Answered).await;
        }
        let headers: AnswerHeaders = lines().collect();
        Ok(TransportAnswer::new(status, headers, body))
    }
}

/// A store that holds its process where it was told.
#[derive(Debug)]
pub(crate) struct HeldStore {
    pub(crate) inner: Arc<dyn CredentialStore>,
    pub(crate) hold: Hold,
}

#[async_trait]
impl CredentialStore for HeldStore {
    fn schema(&self) -> &'static str {
        self.inner.schema()
    }

    fn sealing(&self) -> Sealing {
        self.inner.sealing()
    }

    async fn get(&self, owner: &OwnerId) -> Result<Option<CredentialRecord>, StoreError> {
        self.inner.get(owner).await
    }

    async fn list(&self, request: &CredentialListRequest) -> Result<Vec<CredentialHead>, StoreError> {
        self.inner.list(request).await
    }

    async fn put(&self, request: &PutRequest) -> Result<(), StoreError> {
        self.inner.put(request).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        let claim = self.inner.claim(request).await;
        if matches!(claim, Ok(Claim::Won(_))) {
            self.hold.pass(Point::Claimed).await;
        }
        claim
    }

    async fn mark(&self, request: &MarkRequest) -> Result<bool, StoreError> {
        let marked = self.inner.mark(request).await;
        self.hold.pass(Point::Marked).await;
        marked
    }

    async fn save(&self, request: &SaveRequest) -> Result<bool, StoreError> {
        let saved = self.inner.save(request).await;
        self.hold.pass(Point::Saved).await;
        saved
    }

    async fn release(&self, request: &ReleaseRequest) -> Result<bool, StoreError> {
        self.inner.release(request).await
    }

    async fn note_nonces(&self, request: &NonceRequest) -> Result<bool, StoreError> {
        self.inner.note_nonces(request).await
    }

    async fn reseal(&self, request: &ResealRequest) -> Result<bool, StoreError> {
        self.inner.reseal(request).await
    }

    async fn wipe(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        self.inner.wipe(owner).await
    }
}
