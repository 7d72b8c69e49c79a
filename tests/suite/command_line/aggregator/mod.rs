//! The schema `aggregator`: an owner has one key.

mod life;
mod races;
mod refusals;

use keyward::Timestamp;
use serde_json::Value;

use crate::command_line::terminal::{Terminal, over_both_engines, over_new_databases};
use crate::support::schemas::aggregator::{Table, WITH_ENCRYPTED_TOKENS, WITH_PLAINTEXT_TOKENS};

const AGGREGATOR: &str = "aggregator";
const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const NOBODY: &str = "did:web:nobody.example";
const OWNER: [&str; 2] = ["--owner", DID];
/// A new key in the place of one that was revoked.
const AFTER_REVOCATION: [&str; 3] = ["--owner", DID, "--after-revocation"];

/// Runs `script` over a table that has the aggregator [`DID`], made by keyward and by the host's own migrations.
fn over_every_table(script: impl Fn(&mut Terminal)) {
    over_both_engines(AGGREGATOR, |terminal| {
        add_aggregator(terminal);
        script(terminal);
    });
    for Table { postgres, sqlite } in [WITH_PLAINTEXT_TOKENS, WITH_ENCRYPTED_TOKENS] {
        over_new_databases(AGGREGATOR, |terminal| {
            terminal.sql(if terminal.is_postgres() { postgres } else { sqlite });
            assert_eq!(terminal.run(&["migrate"], "").status, 0);
            add_aggregator(terminal);
            script(terminal);
        });
    }
}

/// As [`over_every_table`], over the one that keyward makes.
fn over_aggregators(script: impl Fn(&mut Terminal)) {
    over_both_engines(AGGREGATOR, |terminal| {
        add_aggregator(terminal);
        script(terminal);
    });
}

/// As the host's indexer does.
fn add_aggregator(terminal: &Terminal) {
    terminal.sql(&format!(
        "INSERT INTO aggregators (did, display_name, record_uri, record_cid)
         VALUES ('{DID}', 'News', 'at://{DID}/service/self', 'bafy')"
    ));
}

fn timestamp(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

fn info(terminal: &mut Terminal) -> Value {
    terminal.document(&["info", "--owner", DID])
}

/// A command in both forms of output fails alike.
#[track_caller]
fn fails(terminal: &mut Terminal, arguments: &[&str], status: i32, said: &str) {
    terminal.run(arguments, "").is(status, "", &format!("keyward: {said}\n"));
    terminal.run(&[&["--json"], arguments].concat(), "").has_failed(status, said);
}
