//! A few kills on each engine. `cargo run --release -p keyward-kill` makes the 500.

use std::process::Command;

/// 9 are 3 of each schema, on each engine.
#[test]
fn what_was_said_to_be_done_survives_a_kill_and_nothing_is_half_done() {
    let program = env!("CARGO_BIN_EXE_keyward-kill");
    let killed = Command::new(program).arg("9").output().expect("the program");
    let (output, errors) = (String::from_utf8_lossy(&killed.stdout), String::from_utf8_lossy(&killed.stderr));
    assert!(killed.status.success(), "{output}{errors}");
}
