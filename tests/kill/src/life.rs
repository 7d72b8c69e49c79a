//! One database, and the processes that are killed over it.

use std::io::{BufRead as _, BufReader};
use std::marker::PhantomData;
use std::process::{Command, Stdio};
use std::time::Duration;

use keyward::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _};
use tokio::runtime::{Builder, Runtime};

use crate::inspection::inspect;
use crate::journal::Line;
use crate::model::{Model, Tally};
use crate::place::{Engine, Place};
use crate::subject::Subject;

/// 2030-01-01T00:00:00Z, when the first process starts; each later one starts a day after the one before.
const START: i64 = 1_893_456_000_000_000;
const DAY: i64 = 86_400_000_000;

pub(crate) struct Life<S> {
    place: Place,
    runtime: Runtime,
    schema: PhantomData<S>,
}

impl<S: Subject> Life<S> {
    pub(crate) fn new(engine: Engine) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let place = runtime.block_on(async {
            let place = Place::new(engine).await;
            place.run(S::parents(place.is_postgres())).await;
            place
        });
        Self { place, runtime, schema: PhantomData }
    }

    /// So many processes, one after the other.
    pub(crate) fn kill(self, times: u32, random: &mut StdRng) -> Tally {
        let mut model = Model::default();
        let mut tally = Tally::default();
        for number in 0..times {
            let start = START + i64::from(number) * DAY;
            let seed = random.next_u64();
            // A third is killed at its very start, when the first of them migrates.
            let lines = if random.random_bool(0.3) { random.random_range(0..3) } else { random.random_range(3..60) };
            let pause = Duration::from_micros(random.random_range(0..4_000));
            tally.changes += self.live_and_die(&mut model, seed, start, lines, pause);
            self.runtime.block_on(inspect::<S>(&self.place, &mut model, &mut tally, start));
        }
        tally.keys += u64::try_from(model.keys.len()).unwrap_or_default();
        self.runtime.block_on(self.place.remove());
        tally
    }

    /// Starts a process and kills it a moment after so many lines; says how many changes it said to be done.
    fn live_and_die(&self, model: &mut Model, seed: u64, start: i64, lines: usize, pause: Duration) -> u64 {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["--child", S::NAME, &self.place.address.to_string(), &seed.to_string(), &start.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let output = child.stdout.take().expect("its output");
        let mut said = BufReader::new(output).lines().map_while(Result::ok);
        let mut read: Vec<_> = said.by_ref().take(lines).collect();
        std::thread::sleep(pause);
        child.kill().expect("the process lives until it is killed");
        let status = child.wait().expect("the process");
        assert!(status.code().is_none(), "the process gave up by itself: {status}, after {read:?}");
        read.extend(said);

        model.under_way = None;
        let mut done = 0;
        for line in &read {
            // The last one may have been cut off.
            let Some(line) = Line::read(line) else { continue };
            model.learn(line);
            done += u64::from(model.under_way.is_none());
        }
        done
    }
}

/// The end of the day on which a process lived: nothing that it did lies later.
pub(crate) const fn evening(start: i64) -> Timestamp {
    Timestamp::from_micros(start + DAY - 1)
}
