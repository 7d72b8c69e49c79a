//! A few kills on each engine. `cargo run --release -p keyward-kill --bin keyward-kill` makes the 500, and
//! `keyward-kill-credentials kills` and `keyward-kill-grants kills` beside it as many as they are told.

use std::process::Command;

/// 9 are 3 of each schema, on each engine.
#[test]
fn what_was_said_to_be_done_survives_a_kill_and_nothing_is_half_done() {
    let program = env!("CARGO_BIN_EXE_keyward-kill");
    let killed = Command::new(program).arg("9").output().expect("the program");
    let (output, errors) = (String::from_utf8_lossy(&killed.stdout), String::from_utf8_lossy(&killed.stderr));
    assert!(killed.status.success(), "{output}{errors}");
}

/// Runs a program, and shows what it said when it fails.
fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output().expect("the program");
    let (output, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{output}{errors}");
}

fn of_credentials(arguments: &[&str]) {
    run(env!("CARGO_BIN_EXE_keyward-kill-credentials"), arguments);
}

fn of_grants(arguments: &[&str]) {
    run(env!("CARGO_BIN_EXE_keyward-kill-grants"), arguments);
}

#[test]
fn no_token_is_lost_or_good_twice_when_the_server_is_killed_on_sqlite() {
    of_grants(&["kills", "8", "sqlite"]);
}

#[test]
fn no_token_is_lost_or_good_twice_when_the_server_is_killed_on_postgres() {
    of_grants(&["kills", "8", "postgres"]);
}

#[test]
fn no_grant_is_lost_or_doubled_under_load() {
    of_grants(&["load", "40", "6"]);
}

#[test]
fn of_many_tasks_in_two_processes_one_refreshes() {
    of_credentials(&["crowd"]);
}

#[test]
fn a_refresh_that_is_killed_or_stopped_at_any_point_spends_nothing_twice_on_sqlite() {
    of_credentials(&["points", "sqlite"]);
}

#[test]
fn a_refresh_that_is_killed_or_stopped_at_any_point_spends_nothing_twice_on_postgres() {
    of_credentials(&["points", "postgres"]);
}

#[test]
fn a_refresh_that_is_killed_or_stopped_at_any_moment_spends_nothing_twice() {
    of_credentials(&["kills", "6"]);
}

#[test]
fn sealing_anew_goes_on_where_it_was_killed_while_the_service_runs() {
    of_credentials(&["reseal", "600"]);
}
