//! Where credentials are: every command over every layout, and what a database cannot have.

use std::path::Path;

use serde_json::json;

use super::{CLIENT, DID, KEY, OWNER, over_every_layout, over_host};
use crate::command_line::terminal::{Terminal, over_new_databases};
use crate::support::schemas::aggregator::{WITH_ENCRYPTED_TOKENS, WITH_PLAINTEXT_TOKENS};

#[test]
fn a_session_is_imported_used_moved_and_ended_in_every_layout() {
    over_every_layout(|_, desk, layout| {
        let at = ["--layout", layout, "--client-id", CLIENT];
        let with = |words: &[&'static str]| [words, &at].concat();
        let session = desk.session(DID, CLIENT).to_string();
        // The session says which client obtained it.
        let import = ["import", OWNER[0], OWNER[1], "--layout", layout];
        assert_eq!(desk.run_on(&import, &session).stdout, format!("stored the credential of {DID}\n"));
        assert_eq!(desk.run(&with(&["token", OWNER[0], OWNER[1]])).stdout.trim(), desk.live());
        desk.run(&with(&["refresh", "--due-within", "2h"])).is(0, "refreshed 1, still valid 0\n", "");
        match (layout, desk.run(&with(&["reseal"]))) {
            ("beside-upstream", refused) => refused.has_failed(2, "nothing to reseal where the database encrypts"),
            (_, resealed) => resealed.is(0, "resealed 0, skipped 0\n", ""),
        }
        desk.terminal = desk.terminal.apart();
        let exported = desk.run(&with(&["export", OWNER[0], OWNER[1], "--show-secrets"])).stdout;
        // Wiping reads no credential, so that nobody has to know whose it is.
        desk.run(&["wipe", OWNER[0], OWNER[1], "--layout", layout]).is(
            0,
            &format!("wiped the credential of {DID}\n"),
            "",
        );
        assert_eq!(desk.run_on(&import, &exported).status, 0);
        let revoked = desk.document(&with(&["revoke", OWNER[0], OWNER[1]]));
        assert_eq!(revoked, json!({ "owner": DID, "wiped": true, "revoked": true }));
        desk.run(&["list", "--layout", layout]).has_failed(2, "--client-id is required with --layout");
        desk.run(&["check", "--layout", layout]).is(0, "the tables are as expected\n", "");
    });
}

#[test]
fn an_aggregator_has_no_credential_without_a_row() {
    over_every_layout(|_, desk, layout| {
        let session = desk.session("did:plc:nobody", CLIENT).to_string();
        let import = ["import", "--owner", "did:plc:nobody", "--layout", layout];
        desk.run_on(&import, &session).has_failed(4, "no such owner");
    });
}

#[test]
fn what_the_service_of_the_host_has_stored_in_clear_is_taken_over() {
    over_new_databases("aggregator", |terminal| {
        let mut desk = over_host(terminal, WITH_PLAINTEXT_TOKENS, "");
        let taking = ["--layout", "in-text", "--taking-over", "--client-id", CLIENT];
        let with = |words: &[&'static str], at: &[&'static str]| [words, at].concat();
        assert_eq!(desk.run(&with(&["migrate"], &taking)).status, 0);
        let session = desk.session(DID, CLIENT);
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        terminal.sql(&format!(
            "UPDATE aggregators SET oauth_access_token = '{}', oauth_refresh_token = '{}',
                oauth_dpop_private_key_multibase = '{KEY}', oauth_token_expires_at = '2030-01-01 00:00:00',
                oauth_pds_url = '{}', oauth_auth_server_iss = '{}', oauth_auth_server_token_endpoint = '{}'
             WHERE did = '{DID}'",
            text("access_token"),
            text("refresh_token"),
            text("host_url"),
            text("authserver_url"),
            text("authserver_token_endpoint"),
        ));
        let token = ["token", OWNER[0], OWNER[1]];
        assert_eq!(desk.run(&with(&token, &["--layout", "in-text", "--client-id", CLIENT])).status, 3, "in clear");
        desk.run(&with(&["reseal"], &taking)).is(0, "resealed 1, skipped 0\n", "");
        let sealed = desk.run(&with(&token, &["--layout", "in-text", "--client-id", CLIENT]));
        assert_eq!((sealed.status, sealed.stdout.trim()), (0, desk.live().as_str()), "{}", sealed.stderr);
    });
}

#[test]
fn what_postgresql_alone_can_do_is_refused_on_sqlite_and_no_file_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    let mut terminal = Terminal::at(format!("sqlite:{}", file.display()), "aggregator");
    let beside = ["--layout", "beside-upstream"];
    let both = ["--layout", "in-bytes", "--taking-over"];
    for command in [
        &["credential", "migrate"][..],
        &["credential", "check"],
        &["credential", "list", "--client-id", CLIENT],
        &["issue", OWNER[0], OWNER[1]],
        &["revoke", OWNER[0], OWNER[1], "--wipe-credential"],
    ] {
        for layout in [&beside[..], &both] {
            let said = format!("{} is for postgres:// databases: SQLite encrypts nothing by itself", layout.join(" "));
            terminal.run(&[command, layout].concat(), "").is(2, "", &format!("keyward: {said}\n"));
        }
    }
    assert!(!Path::new(&file).exists());
}

#[test]
fn words_that_do_not_go_together_are_named() {
    let mut terminal = Terminal::at("sqlite:nothing.db", "aggregator");
    for (words, said) in [
        (&["--taking-over"][..], "--taking-over needs --layout in-text or in-bytes"),
        (&["--layout", "own"], "--layout is one of in-text, in-bytes, beside-upstream"),
    ] {
        let typed = [&["credential", "check"], words].concat();
        terminal.run(&typed, "").is(2, "", &format!("keyward: {said}\n"));
    }
    terminal.db = Some("postgres://nobody@127.0.0.1:9/nothing".to_owned());
    let both = ["credential", "check", "--layout", "beside-upstream", "--taking-over"];
    terminal.run(&both, "").is(2, "", "keyward: --taking-over is not for --layout beside-upstream\n");
}

#[test]
fn migrate_names_the_columns_that_it_does_not_add() {
    for (layout, table, column) in [
        ("in-text", WITH_ENCRYPTED_TOKENS, "oauth_access_token"),
        ("in-bytes", WITH_PLAINTEXT_TOKENS, "oauth_access_token_encrypted"),
    ] {
        over_new_databases("aggregator", |terminal| {
            let mut desk = over_host(terminal, table, "");
            desk.run(&["migrate", "--layout", layout]).has_failed(1, column);
        });
    }
    over_new_databases("aggregator", |terminal| {
        if terminal.is_postgres() {
            let mut desk = over_host(terminal, WITH_ENCRYPTED_TOKENS, "");
            let migrate = ["migrate", "--layout", "beside-upstream"];
            desk.run(&migrate).has_failed(1, "the extension pgcrypto is not installed");
        }
    });
}
