//! A server that takes a connection and says nothing: every command ends, and says that there was no answer.

use std::net::TcpListener;
use std::time::Duration;

use crate::command_line::terminal::Terminal;

#[test]
fn a_server_that_never_answers_is_given_up() {
    // Connections are accepted by the system; nobody reads from them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let db = format!("postgres://root:hunter2@127.0.0.1:{}/keys", listener.local_addr().unwrap().port());
    let mut terminal = Terminal::at(db, "standard");
    for command in [
        &["issue", "--owner", "acme", "--name", "n"][..],
        &["verify"],
        &["list"],
        &["revoke", "x"],
        &["revoke-all", "--owner", "acme"],
        &["rotate", "x"],
        &["purge", "--older-than", "1d"],
        &["migrate"],
        &["check"],
    ] {
        let start = tokio::time::Instant::now();
        let output = terminal.run(&[&["--timeout", "1s"], command].concat(), "acme_live_x");
        let elapsed = start.elapsed();
        output.has_failed(3, "the database did not answer within 1s");
        assert!(elapsed < Duration::from_secs(15), "{command:?} took {elapsed:?}");
    }
}
