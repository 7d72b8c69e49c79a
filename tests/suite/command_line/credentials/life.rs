//! Credentials in use: shown, refreshed, uncertain, and trouble.

use std::time::Duration;

use serde_json::json;

use super::{CLIENT, DID, KEY, OWNER, over_both_engines};
use crate::command_line::terminal::over_new_databases;
use crate::credentials::double::Fault;

#[test]
fn a_session_is_imported_shown_used_and_refreshed() {
    over_both_engines(|desk| {
        desk.import();
        let shown = desk.document(&["show", OWNER[0], OWNER[1]]);
        assert_eq!((&shown["state"], &shown["client_id"]), (&json!("active"), &json!(CLIENT)));
        let printed = desk.run(&["show", OWNER[0], OWNER[1]]).stdout + &desk.run(&["list"]).stdout;
        let tokens = desk.double.current(DID).unwrap();
        for secret in [KEY, &tokens.access_token, &tokens.refresh_token] {
            assert!(!printed.contains(secret), "{printed}");
        }
        let output = desk.run(&["token", OWNER[0], OWNER[1]]);
        assert_eq!(output.stdout, format!("{}\n", tokens.access_token));
        assert!(output.stderr.starts_with(&format!("an access token of {DID} of the type DPoP, good until ")));
        assert_eq!(desk.double.seen().token_requests, 0, "it is good for an hour");

        assert!(
            desk.run(&["refresh", OWNER[0], OWNER[1]]).stdout.starts_with(&format!("refreshed {DID}, good until "))
        );
        assert_ne!(desk.live(), tokens.access_token);
        // Longer than it lives: it is refreshed for that.
        let document = desk.document(&["token", OWNER[0], OWNER[1], "--margin", "59m59s"]);
        let live = desk.live();
        assert_eq!((document["access_token"].as_str(), &document["token_type"]), (Some(live.as_str()), &json!("DPoP")));
        let seen = desk.double.seen();
        assert_eq!((seen.replays, seen.proofs_refused), (0, 0));
        assert_eq!(desk.document(&["list", "--due-within", "1m"])["credentials"], json!([]));
        assert_eq!(desk.document(&["list", "--due-within", "2h"])["credentials"][0]["owner"], DID);
    });
}

#[test]
fn all_that_are_due_are_refreshed_and_each_outcome_is_said() {
    over_both_engines(|desk| {
        for did in ["did:plc:a", "did:plc:b"] {
            let session = desk.session(did, CLIENT).to_string();
            assert_eq!(desk.run_on(&["import", "--owner", did], &session).status, 0);
        }
        desk.run(&["refresh", "--due-within", "1m"]).is(0, "refreshed 0, still valid 0\n", "");
        desk.run(&["refresh", "--due-within", "2h"]).is(0, "refreshed 2, still valid 0\n", "");
        desk.double.sign_in("did:plc:b", CLIENT, None);
        let output = desk.run(&["refresh", "--due-within", "2h", "--json"]);
        assert_eq!(output.status, 1, "one is over");
        let document = output.json();
        assert_eq!((&document["refreshed"], &document["failed"]), (&json!(1), &json!([])));
        assert_eq!(document["needs_authorization"], json!([{ "owner": "did:plc:b", "reason": "invalid_grant" }]));
        let output = desk.run(&["token", "--owner", "did:plc:b"]);
        output.has_failed(1, "its owner has to sign in again");
        desk.run(&["refresh"]).has_failed(2, "is required");
        let both = ["refresh", "--owner", "did:plc:a", "--due-within", "1h"];
        desk.run(&both).has_failed(2, "cannot be used with");
    });
}

#[test]
fn processes_that_ask_at_once_have_it_refreshed_once() {
    over_both_engines(|desk| {
        let mut session = desk.session(DID, CLIENT);
        session["expires_in"] = json!(0);
        assert_eq!(desk.run_on(&["import", OWNER[0], OWNER[1]], &session.to_string()).status, 0);
        desk.double.plan([Fault::Delay(Duration::from_millis(500))]);
        let asking: Vec<_> = (0..6)
            .map(|_| {
                let mut typed = desk.terminal.command(&["credential", "token", OWNER[0], OWNER[1]]);
                typed.env("KEYWARD_SEAL_KEYS", &desk.seal_keys).spawn().unwrap()
            })
            .collect();
        for process in asking {
            let output = process.wait_with_output().unwrap();
            let (stdout, stderr) =
                (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
            assert_eq!((output.status.code(), stdout.trim()), (Some(0), desk.live().as_str()), "{stderr}");
        }
        assert_eq!((desk.double.seen().refreshes, desk.double.seen().replays), (1, 0));
    });
}

#[test]
fn a_refresh_that_was_killed_is_shown_as_sent_and_is_not_sent_again() {
    over_both_engines(|desk| {
        desk.import();
        desk.double.plan([Fault::Delay(Duration::from_mins(1))]);
        let mut typed = desk.terminal.command(&["credential", "refresh", OWNER[0], OWNER[1]]);
        let mut process = typed.env("KEYWARD_SEAL_KEYS", &desk.seal_keys).spawn().unwrap();
        while desk.double.seen().refreshes == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(desk.state(), "sent", "for as long as its lease goes");
        let output = desk.run(&["refresh", OWNER[0], OWNER[1], "--timeout", "1s"]);
        output.has_failed(3, "another process is refreshing the credential");
        assert_eq!((desk.double.seen().refreshes, desk.double.seen().replays), (1, 0));
    });
}

#[test]
fn what_is_uncertain_stays_so_until_somebody_decides() {
    over_both_engines(|desk| {
        desk.import();
        desk.double.plan([Fault::LoseRequest]);
        let output = desk.run(&["refresh", OWNER[0], OWNER[1]]);
        output.has_failed(1, "`keyward credential retry` sends it once more");
        assert_eq!(desk.state(), "uncertain");
        desk.run(&["export", OWNER[0], OWNER[1], "--show-secrets"]).has_failed(1, "is not known");
        // The token that is there is still used, and nothing is sent by itself.
        assert_eq!(desk.run(&["token", OWNER[0], OWNER[1]]).stdout.trim(), desk.live());
        desk.run(&["refresh", OWNER[0], OWNER[1]]).has_failed(1, "is not known");
        assert_eq!(desk.double.seen().refreshes, 0);
        assert_eq!(desk.run(&["retry", OWNER[0], OWNER[1]]).status, 0, "it had not arrived");
        assert_eq!(desk.state(), "active");

        desk.double.plan([Fault::LoseAnswer]);
        assert_eq!(desk.run(&["refresh", OWNER[0], OWNER[1]]).status, 1);
        desk.run(&["retry", OWNER[0], OWNER[1]]).has_failed(1, "its owner has to sign in again");
        assert_eq!((desk.state(), desk.double.seen().replays), (json!("ended"), 1));
    });
}

#[test]
fn an_answer_that_comes_late_is_stored_before_the_program_ends() {
    over_both_engines(|desk| {
        desk.import();
        desk.double.plan([Fault::Delay(Duration::from_secs(3))]);
        let output = desk.run(&["refresh", OWNER[0], OWNER[1], "--timeout", "1s"]);
        assert_eq!(output.status, 3, "{}", output.stderr);
        assert!(output.stderr.contains("a refresh is still under way"), "{}", output.stderr);
        let live = desk.live();
        assert_eq!(desk.run(&["token", OWNER[0], OWNER[1]]).stdout.trim(), live);
        assert_eq!(desk.double.seen().refreshes, 1);
    });
}

#[test]
fn a_server_that_cannot_be_reached_spends_nothing() {
    over_both_engines(|desk| {
        let mut session = desk.session(DID, CLIENT);
        // Nobody listens at port 9.
        session["authserver_token_endpoint"] = json!("http://127.0.0.1:9/oauth/token");
        assert_eq!(desk.run_on(&["import", OWNER[0], OWNER[1]], &session.to_string()).status, 0);
        desk.run(&["refresh", OWNER[0], OWNER[1]]).has_failed(3, "could not be reached");
        assert_eq!(desk.state(), "active");
    });
}

#[test]
fn a_table_that_is_not_there_is_named() {
    over_new_databases("standard", |terminal| {
        assert_eq!(terminal.run(&["migrate"], "").status, 0, "another table");
        let mut apart = terminal.apart();
        assert_eq!(apart.run(&["credential", "check"], "").status, 1);
        apart.run(&["credential", "list"], "").has_failed(3, "`keyward credential check` names what is missing");
    });
}
