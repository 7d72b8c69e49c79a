//! A new plaintext that reaches nobody: the error names the key, and the command that revokes it.

use std::fs::File;
use std::process::Stdio;

use keyward::schemas::aggregator::Aggregator;
use keyward::schemas::mesh::Mesh;

use crate::command_line::terminal::{Output, Terminal, over_new_databases};
use crate::support::TestSchema as _;

const DID: &str = "did:web:news.example";

/// Where standard output leads to nobody.
pub(in crate::command_line) fn dead_ends() -> [Stdio; 2] {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    // Every write to it fails as on a full disk.
    [writer.into(), File::options().write(true).open("/dev/full").unwrap().into()]
}

/// What is typed in a shell, at the same database.
pub(in crate::command_line) fn type_in_a_shell(terminal: &Terminal, line: &str) -> Output {
    let mut shell = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_keyward");
    let line = line.replacen("keyward", &format!("'{program}' --json"), 1);
    let output = shell.args(["-c", &line]).env("KEYWARD_DB", terminal.db.as_ref().unwrap()).output().unwrap();
    Output {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `command` into each dead end and types what the error says.
fn is_named_and_can_be_revoked(terminal: &mut Terminal, command: &[&str]) {
    for form in [&[][..], &["--json"]] {
        for dead_end in dead_ends() {
            let arguments = [form, command].concat();
            let mut child = terminal.command(&arguments).stdout(dead_end).spawn().unwrap();
            drop(child.stdin.take());
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("was made, but could not be written out: "), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            let [_, revoke, _] = said.split('`').collect::<Vec<_>>()[..] else { panic!("no command: {said}") };
            let revoked = type_in_a_shell(terminal, revoke);
            assert_eq!((revoked.status, revoked.stderr.as_str()), (0, ""), "{revoke}");
            let id = revoked.json()["id"].as_str().unwrap().to_owned();
            assert!(said.starts_with(&format!("keyward: the key {id} was made")), "{said}");
            let state = terminal.apart().document(&["get", &id])["state"].clone();
            assert_eq!(state, "revoked");
        }
    }
}

fn over(schema: &'static str, owner: impl Fn(bool) -> String, script: impl Fn(&mut Terminal)) {
    over_new_databases(schema, |terminal| {
        let owner = owner(terminal.is_postgres());
        terminal.sql(&owner);
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        script(terminal);
    });
}

#[test]
fn a_key_of_our_own_is_named_when_nobody_sees_it() {
    over(
        "standard",
        |_| String::new(),
        |terminal| {
            is_named_and_can_be_revoked(terminal, &["issue", "--owner", "a'b c", "--name", "n"]);
        },
    );
}

#[test]
fn a_successor_is_named_when_nobody_sees_it_and_the_old_key_lives_on() {
    over(
        "scraper",
        |_| String::new(),
        |terminal| {
            for dead_end in dead_ends() {
                let old = terminal.issue(&["--owner", "acme", "--name", "n"]);
                let rotating = terminal.command(&["rotate", &old.id]).stdout(dead_end).spawn().unwrap();
                let output = rotating.wait_with_output().unwrap();
                let said = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(1), "{said}");
                let successor = terminal.apart().document(&["get", &old.id])["successor"].clone();
                assert!(said.contains(&format!("the key {} was made", successor.as_str().unwrap())), "{said}");
                terminal.verify(&old.secret, &[]).is_accepted();
                let [_, revoke, _] = said.split('`').collect::<Vec<_>>()[..] else { panic!("no command: {said}") };
                assert_eq!(type_in_a_shell(terminal, revoke).json()["id"], successor);
                terminal.verify(&old.secret, &[]).is_accepted();
            }
        },
    );
}

#[test]
fn a_mesh_key_is_named_with_its_owner_when_nobody_sees_it() {
    let parents = |postgres| format!("{};{}", Mesh::parents(postgres), Mesh::owner("home", postgres));
    over("mesh", parents, |terminal| {
        let issue = ["issue", "--owner", "home", "--label", "bot", "--capability", "send"];
        is_named_and_can_be_revoked(terminal, &issue);
    });
}

#[test]
fn the_only_key_of_an_aggregator_is_named_by_its_owner_when_nobody_sees_it() {
    over(
        "aggregator",
        |_| String::new(),
        |terminal| {
            terminal.sql(&Aggregator::owner(DID, terminal.is_postgres()));
            is_named_and_can_be_revoked(terminal, &["issue", "--owner", DID, "--after-revocation"]);
        },
    );
}
