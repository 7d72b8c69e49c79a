//! Races of whole processes.

use super::{AFTER_REVOCATION, DID, info, over_aggregators};
use crate::command_line::terminal::{Output, Terminal};

const RACERS: usize = 8;

/// Runs a command in eight processes at once. Their order is nobody's business, so it is not compared.
fn race(terminal: &Terminal, arguments: &[&str]) -> Vec<Output> {
    let running: Vec<_> = (0..RACERS).map(|_| terminal.command(arguments).spawn().unwrap()).collect();
    running.into_iter().map(|process| terminal.apart().finish(process, arguments, "")).collect()
}

#[test]
fn eight_processes_that_create_a_key_at_once_leave_one_and_its_maker_knows() {
    over_aggregators(|terminal| {
        // The first time there is no key yet.
        for _ in 0..3 {
            let outputs = race(terminal, &["--json", "issue", "--owner", DID]);
            let (won, lost): (Vec<_>, Vec<_>) = outputs.into_iter().partition(|output| output.status == 0);
            for output in lost {
                output.has_failed(1, "conflict");
            }
            let mut apart = terminal.apart();
            let mut accepted = Vec::new();
            for secret in won.iter().map(|output| output.json()["secret"].as_str().unwrap().to_owned()) {
                let verdict = apart.verify(&secret, &["--dry-run"]);
                if verdict.status == 0 {
                    accepted.push(secret);
                } else {
                    verdict.is_refused("unknown");
                }
            }
            let [key] = &accepted[..] else { panic!("{} keys are accepted", accepted.len()) };
            assert_eq!(apart.document(&["info", "--owner", DID])["prefix"], key[..12]);
        }
    });
}

#[test]
fn eight_processes_that_revoke_a_key_at_once_report_one_revocation_and_its_time() {
    over_aggregators(|terminal| {
        for arguments in [&["--json", "revoke", "--owner", DID][..], &["--json", "revoke", DID]] {
            let key = terminal.issue(&AFTER_REVOCATION);
            let outputs = race(terminal, arguments);
            let documents: Vec<_> = outputs.iter().map(Output::json).collect();
            assert!(outputs.iter().all(|output| output.status == 0), "{documents:?}");
            let first: Vec<_> = documents.iter().filter(|document| document["already_revoked"] == false).collect();
            let [first] = first[..] else { panic!("one must have revoked it: {documents:?}") };
            assert!(documents.iter().all(|document| document["revoked_at"] == first["revoked_at"]), "{documents:?}");
            assert_eq!(info(terminal)["revoked_at"], first["revoked_at"]);
            terminal.verify(&key.secret, &[]).is_refused("revoked");
        }
    });
}
