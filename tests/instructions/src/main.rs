//! How many instructions the pure path takes beyond what it cannot do without, counted by callgrind and compared with
//! the figures that are committed: `tests/instructions/run`. A count has no noise, where a time has.
//!
//! What cannot be left out is counted in the same way and taken away: of a hash the compression function, of a checksum
//! the CRC, of a new key its memory. What is left depends on neither the processor nor what callgrind knows of it. It
//! depends on the compiler, hence the tolerance.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program, and its output is what it is for")]

mod count;
mod figures;
mod steps;

use std::error::Error;
use std::process::ExitCode;

use figures::{Figures, Verdict};
use steps::{Side, Step};

/// How often a counted step is repeated, so that what happens once is lost in rounding.
const REPEATED: u64 = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [] => compare(),
        ["--record"] => record(),
        // This is what callgrind runs.
        ["--step", name, side] => steps::repeat_named(name, side, REPEATED).map(|()| true),
        _ => Err("keyward-instructions [--record]".into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("keyward-instructions: {error}");
            ExitCode::from(2)
        }
    }
}

/// Instructions of one step beyond its floor.
fn beyond_floor(step: Step) -> Result<i64, Box<dyn Error>> {
    let [ours, floor] = [Side::Ours, Side::Floor].map(|side| count::instructions(step, side));
    let (ours, floor) = (ours?.div_ceil(REPEATED), floor?.div_ceil(REPEATED));
    Ok(i64::try_from(ours)? - i64::try_from(floor)?)
}

fn compare() -> Result<bool, Box<dyn Error>> {
    let figures = Figures::read()?;
    let mut all_hold = true;
    println!("{:<48} {:>8} {:>8}", "instructions beyond the floor", "now", "figure");
    for step in Step::ALL {
        let (found, figure) = (beyond_floor(step)?, figures.of(step.name())?);
        let verdict = figures::judge(found, figure);
        let word = match verdict {
            Verdict::AsBefore => "",
            Verdict::Fewer => "fewer: record them",
            Verdict::More => "MORE",
        };
        println!("{:<48} {found:>8} {figure:>8} {word}", step.name());
        all_hold &= verdict != Verdict::More;
    }
    if !all_hold {
        println!("the pure path takes more instructions than it did; if it has to, record them and say why");
    }
    Ok(all_hold)
}

fn record() -> Result<bool, Box<dyn Error>> {
    let mut figures = Figures::default();
    for step in Step::ALL {
        figures.put(step.name(), beyond_floor(step)?);
    }
    figures.write()?;
    println!("{}", figures::path());
    Ok(true)
}
