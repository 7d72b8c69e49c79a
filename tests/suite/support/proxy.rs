//! Stands between a pool and its server, and stands still at a moment that is chosen by what is said on the wire.

use std::sync::{Arc, Mutex};

use sqlx::postgres::{PgPool, PgPoolOptions, PgSslMode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::postgres::Database;

/// When nothing is forwarded any more, in no direction and on no connection, until it [goes on](Proxy::go_on).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// When the change of this number is about to begin.
    Begin(usize),
    /// When its statements have been carried out, and it is about to be committed. The word still arrives afterwards.
    BeforeCommit(usize),
    /// When it is committed, and nobody has heard of it yet.
    AfterCommit(usize),
}

/// The proxy. It goes with its value, and with it every connection.
#[derive(Debug)]
pub(crate) struct Proxy {
    line: Arc<Line>,
    options: sqlx::postgres::PgConnectOptions,
    accepts: JoinHandle<()>,
}

#[derive(Debug)]
struct Line {
    still: watch::Sender<bool>,
    /// The moment that is waited for, and how many of its kind there were.
    moment: Mutex<Option<(Moment, usize)>>,
}

impl Line {
    /// Whether a request is still forwarded, and whether what follows it is.
    fn passes(&self, request: &[u8]) -> (bool, bool) {
        let says = |word: &[u8]| request.windows(word.len()).any(|said| said == word);
        let mut moment = self.moment.lock().unwrap();
        let Some((at, seen)) = moment.as_mut() else { return (true, true) };
        let (word, number, is_before): (&[u8], usize, bool) = match *at {
            // Those that only read say so before the semicolon.
            Moment::Begin(number) => (b"READ COMMITTED;", number, true),
            Moment::BeforeCommit(number) => (b"COMMIT\0", number, true),
            Moment::AfterCommit(number) => (b"COMMIT\0", number, false),
        };
        *seen += usize::from(says(word));
        if *seen < number {
            return (true, true);
        }
        *moment = None;
        (!is_before, false)
    }

    async fn goes_on(&self) {
        let _ = self.still.subscribe().wait_for(|is_still| !is_still).await;
    }

    async fn requests(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut bytes = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut bytes).await {
            self.goes_on().await;
            let (is_forwarded, goes_on) = self.passes(&bytes[..length]);
            if !goes_on {
                self.still.send_replace(true);
            }
            if !is_forwarded {
                self.goes_on().await;
            }
            if to.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    }

    async fn answers(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut bytes = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut bytes).await {
            self.goes_on().await;
            if to.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    }
}

impl Proxy {
    pub(crate) async fn start(database: &Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = database.options();
        let server = (options.get_host().to_owned(), options.get_port());
        let line = Arc::new(Line { still: watch::Sender::new(false), moment: Mutex::new(None) });
        let options = options.clone().host("127.0.0.1").port(listener.local_addr().unwrap().port());
        let between = Arc::clone(&line);
        let runtime = tokio::runtime::Handle::current();
        let accepts = runtime.clone().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, line) = (TcpStream::connect(server.clone()), Arc::clone(&between));
                runtime.spawn(async move {
                    line.goes_on().await;
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.await.unwrap().into_split());
                    // A side that has gone is gone for the other one too.
                    tokio::select! {
                        () = line.requests(from_client, to_server) => {}
                        () = line.answers(from_server, to_client) => {}
                    }
                });
            }
        });
        // What is said can be read then.
        Self { line, options: options.ssl_mode(PgSslMode::Disable), accepts }
    }

    /// A new pool of at most `most` connections through it.
    pub(crate) async fn pool(&self, most: u32) -> PgPool {
        PgPoolOptions::new().max_connections(most).connect_with(self.options.clone()).await.unwrap()
    }

    /// Stands still at the moment that is counted from now on.
    pub(crate) fn stand_still_at(&self, moment: Moment) {
        *self.line.moment.lock().unwrap() = Some((moment, 0));
    }

    pub(crate) fn is_still(&self) -> bool {
        *self.line.still.borrow()
    }

    pub(crate) fn go_on(&self) {
        self.line.still.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
        self.go_on();
    }
}
