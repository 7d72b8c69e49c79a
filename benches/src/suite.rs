//! One run of a benchmark: each step beside its floor, and what is reported of them at the end.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};

use crate::report::{Line, Report};

/// Into how many chunks a sample is cut, if these do not become shorter than what follows.
const CHUNKS: u64 = 50;
/// In steps, so that tasks that share them have a few each.
const LEAST_AT_ONCE: u64 = 64;

/// A step that takes longer is taken less often.
const SLOW: Duration = Duration::from_millis(5);

/// The comparisons of one benchmark.
///
/// A step and its floor are timed in turn, a fraction of a millisecond each, so that whatever else the machine does slows
/// down both; and they are compared by their medians.
pub struct Suite {
    criterion: Criterion,
    report: Report,
}

impl Suite {
    /// A benchmark by the name of its file. Words on the command line choose steps by name.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        let criterion = Criterion::default()
            .sample_size(100)
            .nresamples(2_000)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1))
            .without_plots()
            .configure_from_args();
        Self { criterion, report: Report::new(name) }
    }

    /// Times `step` beside `floor`.
    pub fn compare(
        &mut self,
        what: impl Into<String>,
        mut step: impl FnMut(u64) -> Duration,
        floor: &'static str,
        mut floor_step: impl FnMut(u64) -> Duration,
    ) {
        let what = what.into();
        let mut samples = Vec::new();
        let mut group = self.criterion.benchmark_group(self.report.name());
        group.sampling_mode(SamplingMode::Flat);
        if step(1) > SLOW {
            group.sample_size(10);
        }
        group.bench_function(&what, |bencher| {
            bencher.iter_custom(|steps| {
                let at_once = (steps / CHUNKS).max(LEAST_AT_ONCE).min(steps);
                let mut elapsed = Duration::ZERO;
                for _ in 0..steps.div_ceil(at_once) {
                    let (floor_time, time) = (floor_step(at_once), step(at_once));
                    samples.push((at_once, nanos(time, at_once), nanos(floor_time, at_once)));
                    elapsed += time;
                }
                elapsed
            });
        });
        group.finish();
        // The warm-up starts with one step and doubles.
        let most = samples.iter().map(|(steps, ..)| *steps).max().unwrap_or_default();
        samples.retain(|(steps, ..)| *steps * 2 >= most);
        if let (Some(nanos), Some(floor_nanos)) =
            (median(samples.iter().map(|(_, nanos, _)| *nanos)), median(samples.iter().map(|(.., floor)| *floor)))
        {
            self.report.lines.push(Line { what, nanos, floor, floor_nanos });
        }
    }

    /// Reports something that is no time.
    pub fn note(&mut self, note: impl Into<String>) {
        self.report.notes.push(note.into());
    }

    /// Prints the table. With `KEYWARD_BENCH_RECORD` in the environment, also puts it into `benches/README.md`, and draws
    /// `benches/plots/<name>.svg`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(self) -> Result<(), Box<dyn Error>> {
        self.criterion.final_summary();
        self.report.print();
        if std::env::var_os("KEYWARD_BENCH_RECORD").is_some() { self.report.record() } else { Ok(()) }
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("report", &self.report).finish_non_exhaustive()
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 steps")]
fn nanos(elapsed: Duration, steps: u64) -> f64 {
    elapsed.as_secs_f64() * 1e9 / steps as f64
}

fn median(times: impl Iterator<Item = f64>) -> Option<f64> {
    let mut times: Vec<f64> = times.collect();
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}
