//! Welch's t of two samples of times.

/// The parts of the times that are looked at, from the fastest on. What the system does in between makes the slowest
/// ones, and hides a difference among the others.
const CROPS: [f64; 6] = [0.5, 0.75, 0.9, 0.95, 0.99, 1.0];

/// The largest |t| over all crops, each at the same time for both samples.
pub(crate) fn largest_t(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<f64> = one.iter().chain(other).copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    let largest = |largest: f64, crop: f64| {
        let limit = limit(&all, crop);
        let within = |sample: &[f64]| Moments::of(sample.iter().copied().filter(|time| *time <= limit));
        largest.max(t(&within(one), &within(other)).abs())
    };
    CROPS.into_iter().fold(0.0, largest)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a number of measurements"
)]
fn limit(sorted: &[f64], crop: f64) -> f64 {
    let place = (sorted.len() as f64 * crop) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

struct Moments {
    count: f64,
    mean: f64,
    /// The sum of squared distances from the mean.
    squares: f64,
}

impl Moments {
    /// By Welford's method, which loses no precision.
    fn of(sample: impl Iterator<Item = f64>) -> Self {
        sample.fold(Self { count: 0.0, mean: 0.0, squares: 0.0 }, |Self { count, mean, squares }, time| {
            let count = count + 1.0;
            let distance = time - mean;
            let mean = mean + distance / count;
            Self { count, mean, squares: squares + distance * (time - mean) }
        })
    }

    fn variance_of_mean(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

fn t(one: &Moments, other: &Moments) -> f64 {
    if one.count < 2.0 || other.count < 2.0 {
        return 0.0;
    }
    let spread = (one.variance_of_mean() + other.variance_of_mean()).sqrt();
    let apart = one.mean - other.mean;
    if spread > 0.0 {
        apart / spread
    } else if apart.abs() > 0.0 {
        f64::INFINITY
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_is_the_one_of_a_worked_example() {
        // Means 3 and 6, variances 2.5 and 10, five of each: -3 / sqrt(0.5 + 2).
        let [one, other] = [[1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 4.0, 6.0, 8.0, 10.0]];
        let found = t(&Moments::of(one.into_iter()), &Moments::of(other.into_iter()));
        assert!((found + 3.0 / 2.5_f64.sqrt()).abs() < 1e-12, "{found}");
    }

    #[test]
    fn equal_samples_do_not_differ_and_shifted_ones_do() {
        let times: Vec<_> = (0..10_000_u32).map(|number| f64::from(number % 97)).collect();
        let later: Vec<_> = times.iter().map(|time| time + 5.0).collect();
        assert!(largest_t(&times, &times) < 0.001);
        assert!(largest_t(&times, &later) > 4.5);
        assert!(largest_t(&[], &times) < 0.001);
    }
}
