//! Lookups that come while another one is under way wait for the next round trip, which they make together.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::key::{KeyDigest, KeyRecord};
use crate::sql::engine::postgres::GatheredReader;
use crate::sql::engine::{EngineError, Postgres, Query, Row, Value};
use crate::sql::keys::KeyTables;
use crate::store::KeyLookup;

/// How many lookups are made together at most.
const MOST: usize = 64;

type Found<S> = Vec<Arc<KeyRecord<S>>>;

/// The readers of one store, and whoever waits for one.
///
/// Nobody works for them: of those who wait, one has a reader and looks up what all the others have asked for by then; they
/// are given what was found for them, and whoever came since is given the reader.
pub(super) struct Gather<S: KeyTables> {
    line: Arc<Mutex<Line<S>>>,
}

struct Line<S: KeyTables> {
    idle: Vec<GatheredReader>,
    waiting: VecDeque<Waiting<S>>,
}

struct Waiting<S: KeyTables> {
    digest: KeyDigest,
    arguments: Vec<Value<'static>>,
    turn: oneshot::Sender<Turn<S>>,
}

/// What somebody who waits is given.
enum Turn<S: KeyTables> {
    /// Another one has looked it up.
    Found(Found<S>),
    /// It is to look it up, with whatever the others wait for.
    Lead(Lead<S>),
}

/// A reader in somebody's hands. Whoever lets go of it, in whichever way, hands it to the next.
struct Lead<S: KeyTables> {
    line: Arc<Mutex<Line<S>>>,
    reader: Option<GatheredReader>,
}

impl<S: KeyTables> Gather<S> {
    /// `None` where the host wants no readers.
    pub(super) fn new(postgres: &Postgres) -> Option<Self> {
        let readers = postgres.how_many_gathered_readers();
        let idle: Vec<_> = (0..readers).map(|_| GatheredReader::default()).collect();
        let line = Arc::new(Mutex::new(Line { idle, waiting: VecDeque::new() }));
        (readers > 0).then_some(Self { line })
    }

    /// Every row that could be the key. `None` when it is to be looked up by itself.
    pub(super) async fn find(
        &self,
        postgres: &Postgres,
        query: &'static Query,
        lookup: &KeyLookup<'_>,
        decode: impl FnMut(&Row<'_>) -> Arc<KeyRecord<S>> + Send,
    ) -> Result<Option<Found<S>>, EngineError> {
        let hex = lookup.digest.to_hex();
        let (arguments, used) = S::lookup(lookup, &hex);
        let arguments: Vec<_> = arguments.into_iter().take(used).map(Value::into_owned).collect();
        let lead = match self.line_up(*lookup.digest, &arguments) {
            Ok(lead) => lead,
            Err(turn) => match turn.await {
                Ok(Turn::Found(found)) => return Ok(Some(found)),
                Ok(Turn::Lead(lead)) => lead,
                // Whoever was to look it up has failed, or was dropped.
                Err(_) => return Ok(None),
            },
        };
        lead.find(postgres, query, *lookup.digest, arguments, decode).await
    }

    /// A reader that nobody has, or a place in the line.
    fn line_up(&self, digest: KeyDigest, arguments: &[Value<'static>]) -> Result<Lead<S>, oneshot::Receiver<Turn<S>>> {
        let mut line = lock(&self.line);
        if let Some(reader) = line.idle.pop() {
            return Ok(Lead { line: Arc::clone(&self.line), reader: Some(reader) });
        }
        let (turn, receiver) = oneshot::channel();
        line.waiting.push_back(Waiting { digest, arguments: arguments.to_vec(), turn });
        Err(receiver)
    }
}

impl<S: KeyTables> Lead<S> {
    async fn find(
        mut self,
        postgres: &Postgres,
        query: &'static Query,
        digest: KeyDigest,
        arguments: Vec<Value<'static>>,
        decode: impl FnMut(&Row<'_>) -> Arc<KeyRecord<S>> + Send,
    ) -> Result<Option<Found<S>>, EngineError> {
        let mut others = self.next();
        let mut lookups = vec![arguments];
        lookups.extend(others.iter_mut().map(|other| std::mem::take(&mut other.arguments)));
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let Some(found) = postgres.read_gathered(reader, query, &lookups, decode).await? else { return Ok(None) };
        let mut by_digest = HashMap::<KeyDigest, Found<S>>::with_capacity(found.len());
        for record in found {
            if let Some(digest) = record.head.digest {
                by_digest.entry(digest).or_default().push(record);
            }
        }
        // Several may wait for the same key.
        let of = |digest: &KeyDigest| by_digest.get(digest).cloned().unwrap_or_default();
        for Waiting { digest, turn, .. } in others {
            // Whoever does not wait any more needs nothing.
            let _ = turn.send(Turn::Found(of(&digest)));
        }
        Ok(Some(of(&digest)))
    }

    /// Those who wait, as many as are looked up together, and still wait.
    fn next(&self) -> Vec<Waiting<S>> {
        let mut line = lock(&self.line);
        let count = line.waiting.len().min(MOST - 1);
        line.waiting.drain(..count).filter(|waiting| !waiting.turn.is_closed()).collect()
    }
}

impl<S: KeyTables> Drop for Lead<S> {
    fn drop(&mut self) {
        let Some(mut reader) = self.reader.take() else { return };
        loop {
            let mut line = lock(&self.line);
            let Some(Waiting { turn, .. }) = line.waiting.pop_front() else {
                line.idle.push(reader);
                return;
            };
            drop(line);
            let lead = Self { line: Arc::clone(&self.line), reader: Some(reader) };
            // One that was dropped meanwhile gives it back.
            let Err(Turn::Lead(mut lead)) = turn.send(Turn::Lead(lead)) else { return };
            let Some(returned) = lead.reader.take() else { return };
            reader = returned;
        }
    }
}

fn lock<S: KeyTables>(line: &Mutex<Line<S>>) -> MutexGuard<'_, Line<S>> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: KeyTables> fmt::Debug for Gather<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").finish_non_exhaustive()
    }
}
