//! Lookups that come while another one is under way wait for the next round trip, which they make together.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::key::{KeyDigest, KeyRecord};
use crate::sql::engine::postgres::GatheredReader;
use crate::sql::engine::{Positions, Postgres, Query, Row, Taken, Value};
use crate::sql::keys::KeyTables;
use crate::store::KeyLookup;

/// How many lookups are made together at most.
const MOST: usize = 64;
/// How long a reader is waited for. One that takes longer waits for the server, or for somebody who does not go on.
const PATIENCE: Duration = Duration::from_millis(100);

/// What was found for one lookup.
#[derive(Clone)]
pub(super) struct Gathered<S: KeyTables> {
    pub(super) records: Vec<Arc<KeyRecord<S>>>,
    /// On a replica: everything that was committed before this moment it had.
    pub(super) as_of: Option<Taken>,
}

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
    /// When a reader last went from hand to hand.
    moved: Instant,
}

struct Waiting<S: KeyTables> {
    digest: KeyDigest,
    arguments: Vec<Value<'static>>,
    turn: oneshot::Sender<Turn<S>>,
}

/// What somebody who waits is given.
enum Turn<S: KeyTables> {
    /// Another one has looked it up.
    Found(Gathered<S>),
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
        let line = Arc::new(Mutex::new(Line { idle, waiting: VecDeque::new(), moved: Instant::now() }));
        (readers > 0).then_some(Self { line })
    }

    /// Every row that could be the key, by the query that `query` says when the lookup begins. `None` when it is to be looked
    /// up by itself.
    pub(super) async fn find(
        &self,
        postgres: &Postgres,
        query: impl Fn() -> &'static Query + Send,
        lookup: &KeyLookup<'_>,
        positions: Option<&Positions>,
        decode: impl FnMut(&Row<'_>) -> Arc<KeyRecord<S>> + Send,
    ) -> Option<Gathered<S>> {
        let hex = lookup.digest.to_hex();
        let (arguments, used) = S::lookup(lookup, &hex);
        let arguments: Vec<_> = arguments.into_iter().take(used).map(Value::into_owned).collect();
        let lead = match self.line_up(*lookup.digest, &arguments) {
            Place::Lead(lead) => lead,
            Place::Behind(turn) => match tokio::time::timeout(PATIENCE, turn).await.ok()?.ok()? {
                Turn::Found(found) => return Some(found),
                Turn::Lead(lead) => lead,
            },
            Place::Nowhere => return None,
        };
        lead.find(postgres, query, *lookup.digest, arguments, positions, decode).await
    }

    /// A reader that nobody has, or a place in the line, unless that does not move.
    fn line_up(&self, digest: KeyDigest, arguments: &[Value<'static>]) -> Place<S> {
        let mut line = lock(&self.line);
        if let Some(reader) = line.idle.pop() {
            line.moved = Instant::now();
            return Place::Lead(Lead { line: Arc::clone(&self.line), reader: Some(reader) });
        }
        if line.moved.elapsed() >= PATIENCE {
            return Place::Nowhere;
        }
        let (turn, receiver) = oneshot::channel();
        line.waiting.push_back(Waiting { digest, arguments: arguments.to_vec(), turn });
        Place::Behind(receiver)
    }
}

/// Where somebody stands who looks a key up.
enum Place<S: KeyTables> {
    Lead(Lead<S>),
    Behind(oneshot::Receiver<Turn<S>>),
    Nowhere,
}

impl<S: KeyTables> Lead<S> {
    async fn find(
        mut self,
        postgres: &Postgres,
        query: impl Fn() -> &'static Query + Send,
        digest: KeyDigest,
        arguments: Vec<Value<'static>>,
        positions: Option<&Positions>,
        decode: impl FnMut(&Row<'_>) -> Arc<KeyRecord<S>> + Send,
    ) -> Option<Gathered<S>> {
        let mut others = self.next();
        let reader = self.reader.as_mut()?;
        if let Some(positions) = positions {
            postgres.replayed(reader, positions).await?;
        }
        let mut digests = HashSet::from([digest]);
        let mut lookups = vec![arguments];
        for other in &mut others {
            // Several may wait for the same key.
            if digests.insert(other.digest) {
                lookups.push(std::mem::take(&mut other.arguments));
            }
        }
        let found = postgres.read_gathered(reader, query(), &lookups, decode).await?;
        // Of a connection that was made anew meanwhile, nothing is known.
        let as_of = if positions.is_some() { Some(reader.as_of()?) } else { None };
        let mut by_digest = HashMap::<KeyDigest, Vec<_>>::with_capacity(found.len());
        for record in found {
            if let Some(digest) = record.head.digest {
                by_digest.entry(digest).or_default().push(record);
            }
        }
        let of = |digest: &KeyDigest| {
            let records = by_digest.get(digest).cloned().unwrap_or_default();
            Gathered { records, as_of }
        };
        for Waiting { digest, turn, .. } in others {
            // Whoever does not wait any more needs nothing.
            let _ = turn.send(Turn::Found(of(&digest)));
        }
        Some(of(&digest))
    }

    /// Those who wait, as many as are looked up together, and still wait.
    fn next(&self) -> Vec<Waiting<S>> {
        let mut line = lock(&self.line);
        line.moved = Instant::now();
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
