//! Texts of a server or a row that steer a terminal, turn the line around or hide: shown with such characters written
//! out, and exact in documents. That nothing printed has them unescaped holds for every command, see
//! [`Terminal::finish`](crate::command_line::terminal::Terminal::finish).

use serde_json::json;

use super::{CLIENT, Desk, over_both_engines};
use crate::command_line::terminal::over_new_databases;
use crate::credentials::double::Fault;

/// A colour, a line break, writing from right to left, an isolate, no width at all, a tag, a separator.
const ODD: &str = "a\u{1b}[31m\nb\u{202e}c\u{2066}d\u{200b}e\u{e0041}f\u{2028}";
const SHOWN: &str = r"a\u{1b}[31m\u{a}b\u{202e}c\u{2066}d\u{200b}e\u{e0041}f\u{2028}";

/// An account, whose name can be typed: without the control characters.
const DID: &str = "did:plc:b\u{202e}c\u{2066}d\u{200b}e\u{e0041}f\u{2028}";
const DID_SHOWN: &str = r"did:plc:b\u{202e}c\u{2066}d\u{200b}e\u{e0041}f\u{2028}";
const OWNER: [&str; 2] = ["--owner", DID];

#[test]
fn every_text_of_a_credential_is_shown_without_effect() {
    over_new_databases("standard", |terminal| {
        let desk = &mut Desk::new(terminal);
        let session = desk.session(DID, CLIENT).to_string();
        let stored = format!("stored the credential of {DID_SHOWN}\n");
        assert_eq!(desk.run_on(&["import", OWNER[0], OWNER[1]], &session).stdout, stored);
        let token = desk.run(&["token", OWNER[0], OWNER[1]]);
        assert!(token.stderr.starts_with(&format!("an access token of {DID_SHOWN} of the type DPoP")));
        let refreshed = desk.run(&["refresh", OWNER[0], OWNER[1]]);
        assert!(refreshed.stdout.starts_with(&format!("refreshed {DID_SHOWN}, good until ")), "{}", refreshed.stdout);
        assert_eq!(desk.document(&["token", OWNER[0], OWNER[1]])["owner"], DID);

        let texts = ["subject", "client_id", "client_key_id", "issuer", "token_endpoint", "revocation_endpoint"];
        let texts = [&texts[..], &["resource_server", "scopes", "session_id"]].concat();
        let set: Vec<_> = texts.iter().map(|column| format!("{column} = '{ODD}'")).collect();
        let table = terminal.own_table("credentials");
        terminal.sql(&format!("UPDATE {table} SET {}", set.join(", ")));
        let shown = desk.run(&["show", OWNER[0], OWNER[1]]).stdout;
        for column in &texts {
            let said = shown.lines().find(|line| line.split_whitespace().next() == Some(*column)).unwrap();
            assert!(said.ends_with(&format!("  {SHOWN}")), "{said}");
        }
        let listed = desk.run(&["list"]).stdout;
        assert!(listed.contains(DID_SHOWN) && listed.contains(SHOWN), "{listed}");
        let document = desk.document(&["show", OWNER[0], OWNER[1]]);
        assert_eq!(document["owner"], DID);
        for column in &texts {
            let value = &document[*column];
            assert_eq!(value.get(0).unwrap_or(value), ODD, "{column}");
        }
        for command in ["token", "refresh", "retry", "revoke"] {
            desk.run(&[command, OWNER[0], OWNER[1]]);
            desk.run(&[command, OWNER[0], OWNER[1], "--json"]);
        }
    });
}

#[test]
fn every_word_of_a_server_is_shown_without_effect() {
    over_both_engines(|desk| {
        let session = desk.session(DID, CLIENT).to_string();
        assert_eq!(desk.run_on(&["import", OWNER[0], OWNER[1]], &session).status, 0);
        for (status, code) in [(401, "invalid_client"), (400, ODD), (503, ODD), (400, "invalid_grant")] {
            let body = json!({ "error": code, "error_description": ODD }).to_string();
            let refused = || Fault::Refuse { status, body: body.clone() };
            desk.double.plan([refused(), refused()]);
            let said = desk.run(&["refresh", OWNER[0], OWNER[1]]);
            assert!(said.status != 0 && !said.stderr.is_empty(), "{code}: {}", said.stderr);
            assert!(said.stderr.contains(SHOWN) || [503, 400].contains(&status), "{code}: {}", said.stderr);
            // What is over is not due.
            let document = desk.run(&["refresh", "--due-within", "2h", "--json"]);
            assert_eq!(document.status, i32::from(code != "invalid_grant"), "{code}: {}", document.stdout);
        }
    });
}
