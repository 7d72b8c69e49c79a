//! Counting with callgrind.

use std::error::Error;
use std::process::Command;

use crate::steps::{Side, Step};

/// What the counted function is called, see [`crate::steps::counted`].
const COUNTED: &str = "keyward_instructions::steps::counted*";

/// How many instructions all repetitions of a step take.
pub(crate) fn instructions(step: Step, side: Side) -> Result<u64, Box<dyn Error>> {
    let mut callgrind = Command::new("valgrind");
    callgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", &format!("--toggle-collect={COUNTED}")])
        .arg(std::env::current_exe()?)
        .args(["--step", step.name(), side.name()]);
    let output = callgrind.output().map_err(|error| format!("valgrind cannot be run: {error}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let collected = report.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count.trim());
    match collected.and_then(|count| count.parse().ok()).filter(|count| *count > 0) {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("callgrind has counted nothing of {}:\n{report}", step.name()).into()),
    }
}
