//! Timing with criterion, and the table of ratios at the end.

use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Every benchmark of a run, and how they compare.
pub(crate) struct Suite {
    criterion: Criterion,
    ratios: Vec<Ratio>,
}

/// The best time of one iteration in nanoseconds; none where a filter on the command line left it out.
type Best = Option<f64>;

struct Ratio {
    what: String,
    nanos: f64,
    floor: &'static str,
    floor_nanos: f64,
}

impl Suite {
    pub(crate) fn new() -> Self {
        // Many short samples, because the best one counts and a busy machine leaves only short ones alone.
        let criterion = Criterion::default()
            .sample_size(200)
            .nresamples(10_000)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .without_plots()
            .configure_from_args();
        Self { criterion, ratios: Vec::new() }
    }

    /// Times a step that needs no runtime.
    pub(crate) fn time<T>(&mut self, group: &str, name: &str, mut step: impl FnMut() -> T) -> Best {
        self.time_batches(group, name, |iterations| {
            let start = now();
            for _ in 0..iterations {
                black_box(step());
            }
            start.elapsed()
        })
    }

    /// Times an asynchronous step, one after the other on this thread.
    pub(crate) fn time_async<T>(
        &mut self,
        group: &str,
        name: &str,
        runtime: &Runtime,
        mut step: impl AsyncFnMut() -> T,
    ) -> Best {
        self.time_batches(group, name, |iterations| {
            runtime.block_on(async {
                let start = now();
                for _ in 0..iterations {
                    black_box(step().await);
                }
                start.elapsed()
            })
        })
    }

    /// Times steps that `tasks` tasks share; a task gets the number of steps that it has to take. The result is the
    /// time in which any one of the tasks completes a step.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only a server is asked by several tasks"))]
    pub(crate) fn time_tasks<F>(
        &mut self,
        group: &str,
        name: &str,
        runtime: &Runtime,
        tasks: u64,
        task: impl Fn(u64) -> F,
    ) -> Best
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.time_batches(group, name, |iterations| {
            runtime.block_on(async {
                let start = now();
                let running: JoinSet<()> = (0..tasks).map(|_| task(iterations.div_ceil(tasks))).collect();
                running.join_all().await;
                start.elapsed()
            })
        })
    }

    fn time_batches(&mut self, group: &str, name: &str, mut batch: impl FnMut(u64) -> Duration) -> Best {
        let mut best: Best = None;
        let mut group = self.criterion.benchmark_group(group);
        group.sampling_mode(SamplingMode::Flat);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let elapsed = batch(iterations);
                // One iteration is criterion's test mode, or the start of a warm-up.
                if iterations > 1 {
                    let nanos = per_iteration(elapsed, iterations);
                    best = Some(best.map_or(nanos, |best| best.min(nanos)));
                }
                elapsed
            });
        });
        group.finish();
        best
    }

    /// Puts a line into the table, unless one of the two was left out.
    pub(crate) fn compare(&mut self, what: impl Into<String>, best: Best, floor: &'static str, floor_best: Best) {
        if let (Some(nanos), Some(floor_nanos)) = (best, floor_best) {
            self.ratios.push(Ratio { what: what.into(), nanos, floor, floor_nanos });
        }
    }

    #[expect(clippy::print_stdout, reason = "the table is what the run is for")]
    pub(crate) fn print_ratios(self) {
        self.criterion.final_summary();
        for Ratio { what, nanos, floor, floor_nanos } in self.ratios {
            let ratio = nanos / floor_nanos;
            let (time, floor_time) = (readable(nanos), readable(floor_nanos));
            println!("{what:<60} {ratio:>7.2} x {floor} ({time:.1?} to {floor_time:.1?})");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark needs a clock that nobody injects")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 iterations")]
fn per_iteration(elapsed: Duration, iterations: u64) -> f64 {
    elapsed.as_secs_f64() * 1e9 / iterations as f64
}

fn readable(nanos: f64) -> Duration {
    Duration::from_secs_f64(nanos / 1e9)
}
