//! Whether the time that a comparison or a decision takes tells how much of a key was right, in the manner of dudect:
//! `keyward-timing [MEASUREMENTS]`, a million for each subject unless said. Run the release build, on a quiet machine.
//!
//! Each subject is given the digest of the stored key, one that differs in its last byte, and one that differs in its
//! first byte, in random order. Welch's t says whether the times of two of them come from different distributions: they
//! do not as long as |t| stays below 4.5. Two subjects that leak on purpose show that a leak would be found.
//!
//! After a decision, the right key and all others differ in the verdict itself, and in time too, since a good key's
//! standing is looked at. That says nothing about a guess that is not accepted, and so is shown without a bound.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program, and its output is what it is for")]

mod measure;
mod subjects;
mod welch;

use std::process::ExitCode;

use measure::{Class, Times};
use welch::largest_t;

use Expected::{Different, Either, Same};

/// The bound of dudect, beyond which two distributions of times differ.
const BOUND: f64 = 4.5;

/// What is asked of two classes of a subject.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// Their times do not differ.
    Same,
    /// Their times differ, or the test could not find a leak.
    Different,
    /// They may.
    Either,
}

fn main() -> ExitCode {
    let measurements = std::env::args().nth(1).map_or(Ok(1_000_000), |number| number.parse());
    let Ok(measurements) = measurements else {
        eprintln!("keyward-timing [MEASUREMENTS]");
        return ExitCode::from(2);
    };
    let mut is_right = true;
    println!("{:<44} {:>16} {:>16} {:>16}", "|t|", "nearly/wrong", "right/nearly", "right/wrong");
    for (name, times, expected) in [
        ("the comparison of two digests", subjects::comparison(measurements), [Same, Same, Same]),
        ("the decision", subjects::decision(measurements), [Same, Either, Either]),
        (
            "a leak: 32 bytes, one after the other",
            subjects::leaking_digest(measurements),
            [Different, Either, Different],
        ),
        ("a leak: `==` on 4096 bytes", subjects::leaking_buffer(measurements), [Different, Either, Different]),
    ] {
        is_right &= report(name, &times, expected);
    }
    if is_right {
        ExitCode::SUCCESS
    } else {
        println!("times differ that must not, or a leak was not found");
        ExitCode::FAILURE
    }
}

fn report(name: &str, times: &Times, expected: [Expected; 3]) -> bool {
    let pairs = [(Class::Nearly, Class::Wrong), (Class::Right, Class::Nearly), (Class::Right, Class::Wrong)];
    let found = pairs.map(|(one, other)| largest_t(times.of(one), times.of(other)));
    let holds = |(t, expected): (f64, Expected)| match expected {
        Same => t < BOUND,
        Different => t > BOUND,
        Either => true,
    };
    let shown = |at: usize| {
        let bound = match expected[at] {
            Same => "< 4.5",
            Different => "> 4.5",
            Either => "",
        };
        format!("{:.2} {bound:>5}", found[at])
    };
    println!("{name:<44} {:>16} {:>16} {:>16}", shown(0), shown(1), shown(2));
    found.into_iter().zip(expected).all(holds)
}
