//! The schema `standard`, which is the default one: keys under a prefix of the service's own.

mod changes;
mod imports;
mod lists;
mod prefixes;

use super::terminal::{Terminal, over_both_engines};

const STANDARD: &str = "standard";
const ACME: [&str; 4] = ["--owner", "acme", "--name", "nightly import"];

/// `ACME` with more options.
fn acme<'o>(more: &[&'o str]) -> Vec<&'o str> {
    [&ACME, more].concat()
}

/// Runs `script` over both engines, without `--schema`.
fn over_standard(script: impl Fn(&mut Terminal)) {
    over_both_engines(STANDARD, |terminal| {
        terminal.schema = None;
        script(terminal);
    });
}
