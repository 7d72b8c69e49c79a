//! Timing one call after the other, in random order of their classes.

use std::hint::black_box;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How much of the presented key is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Right,
    /// All but the last byte of the digest.
    Nearly,
    /// Not even the first byte.
    Wrong,
}

/// The times of each class, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Times([Vec<f64>; 3]);

impl Times {
    pub(crate) fn of(&self, class: Class) -> &[f64] {
        &self.0[class as usize]
    }
}

/// Inputs are made ahead, a thousand at once and in one piece of memory, so that neither their making nor their place
/// has to do with their class; what comes out is dropped later.
const AT_ONCE: usize = 1_000;

/// Times `run` on inputs of `make`.
pub(crate) fn measure<I, O>(measurements: usize, make: impl Fn(Class) -> I, run: impl Fn(I) -> O) -> Times {
    let mut random = StdRng::seed_from_u64(20_251_125);
    let mut times = Times::default();
    // The first thousand warm up and do not count.
    let mut left = measurements + AT_ONCE;
    let mut results = Vec::with_capacity(AT_ONCE);
    while left > 0 {
        let now = left.min(AT_ONCE);
        let classes: Vec<_> =
            (0..now).map(|_| [Class::Right, Class::Nearly, Class::Wrong][random.random_range(0..3)]).collect();
        let inputs: Vec<_> = classes.iter().map(|class| make(*class)).collect();
        for (class, input) in classes.into_iter().zip(inputs) {
            let (result, nanos) = timed(|| run(black_box(input)));
            results.push(result);
            if left <= measurements {
                times.0[class as usize].push(nanos);
            }
        }
        results.clear();
        left -= now;
    }
    times
}

#[expect(clippy::disallowed_methods, reason = "the time that a call takes is what this is about")]
#[expect(clippy::cast_precision_loss, reason = "a call takes less than weeks")]
fn timed<O>(run: impl FnOnce() -> O) -> (O, f64) {
    let start = Instant::now();
    let result = black_box(run());
    let nanos = start.elapsed().as_nanos();
    (result, nanos as f64)
}
