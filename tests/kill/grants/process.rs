//! A process of the server, as its clients see it.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::place::Address;

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Tokens(TokenPair),
    Active,
    Inactive,
    Refused(String),
    /// The store could not answer: 503.
    Unavailable,
    /// There was no answer, because the process is gone.
    Lost,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TokenPair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Told {
    fn read(text: &str) -> Self {
        match text.split(' ').collect::<Vec<_>>()[..] {
            ["tokens", access, refresh] => {
                Self::Tokens(TokenPair { access: access.to_owned(), refresh: refresh.to_owned() })
            }
            ["active"] => Self::Active,
            ["inactive"] => Self::Inactive,
            ["unavailable"] => Self::Unavailable,
            ["refused", reason] => Self::Refused(reason.to_owned()),
            // The last line may have been cut off.
            _ => Self::Lost,
        }
    }
}

type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Told>>>>>;

pub(crate) struct Process {
    child: Mutex<Child>,
    input: Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
}

impl Process {
    pub(crate) fn start(address: &Address, lifetime: u64, sweep_every: u64) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["--child", &address.to_string(), &lifetime.to_string(), &sweep_every.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let input = child.stdin.take().expect("its input");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let ready = lines.next().and_then(Result::ok);
        assert_eq!(ready.as_deref(), Some("ready"), "the process did not start");
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let told = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Some((number, text)) = line.split_once(' ') else { continue };
                let Ok(number) = number.parse() else { continue };
                let asker =
                    told.lock().unwrap_or_else(PoisonError::into_inner).as_mut().and_then(|all| all.remove(&number));
                if let Some(asker) = asker {
                    drop(asker.send(Told::read(text)));
                }
            }
            // Whoever waits still, waits in vain.
            told.lock().unwrap_or_else(PoisonError::into_inner).take();
        });
        Self { child: Mutex::new(child), input: Mutex::new(input), waiting, next: AtomicU64::new(0) }
    }

    pub(crate) async fn ask(&self, request: &str) -> Told {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (asker, answer) = oneshot::channel();
        match self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(all) => all.insert(number, asker),
            None => return Told::Lost,
        };
        let line = format!("{number} {request}\n");
        let written = self.input.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
        if written.is_err() {
            return Told::Lost;
        }
        answer.await.unwrap_or(Told::Lost)
    }

    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.kill().expect("the process lives until it is killed");
        let status = child.wait().expect("the process");
        assert!(status.code().is_none(), "the process gave up by itself: {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        drop(child.kill());
        drop(child.wait());
    }
}
