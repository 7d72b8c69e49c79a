//! Trouble: odd text in the tables, secrets that reach nobody, locks that others hold, servers that say nothing.

use serde_json::json;

#[cfg(all(feature = "sqlite", feature = "postgres"))]
use super::super::trouble::locked::{BOUND, while_held};
use super::super::trouble::lost::{dead_ends, type_in_a_shell};
use super::super::trouble::odd_text::{ODD, SHOWN};
use super::{REDIRECT, over_each_engine};

#[test]
fn every_text_of_a_client_is_shown_without_effect() {
    over_each_engine(|desk| {
        let client = desk.client();
        let metadata = json!({ "client_name": ODD, "scope": ODD }).to_string();
        let uris = json!([ODD]).to_string();
        desk.sql(&format!("UPDATE clients SET metadata_json = '{metadata}', redirect_uris = '{uris}'"));
        let shown = desk.terminal.run(&["broker", "clients"], "");
        assert_eq!(shown.status, 0);
        assert!(shown.stdout.contains(SHOWN), "{}", shown.stdout);
        let listed = desk.document(&["clients"])["clients"][0].clone();
        assert_eq!((&listed["name"], &listed["client_id"]), (&json!(ODD), &json!(client)));
        desk.sql(&format!("UPDATE clients SET client_id = '{ODD}'"));
        assert!(desk.terminal.run(&["broker", "clients"], "").stdout.contains(SHOWN));
        assert_eq!(desk.document(&["clients"])["clients"][0]["client_id"], ODD);
    });
}

#[test]
fn every_text_of_a_grant_is_shown_without_effect() {
    over_each_engine(|desk| {
        let client = desk.client();
        desk.grant(&client, "ada");
        let grants = desk.table("grants");
        desk.sql(&format!(
            "UPDATE {grants} SET subject = '{ODD}', subject_name = '{ODD}', resource = '{ODD}', scopes = '{ODD}',
             revoked_at = 1, revoked_reason = '{ODD}'"
        ));
        let shown = desk.terminal.run(&["broker", "grants"], "");
        assert_eq!(shown.status, 0);
        assert!(shown.stdout.matches(SHOWN).count() >= 2, "{}", shown.stdout);
        let listed = desk.document(&["grants"])["grants"][0].clone();
        assert_eq!(
            (&listed["subject"], &listed["resource"], &listed["subject_name"]),
            (&json!(ODD), &json!(ODD), &json!(ODD))
        );
        desk.sql(&format!("UPDATE {grants} SET client_id = '{ODD}'"));
        assert!(desk.terminal.run(&["broker", "grants"], "").stdout.matches(SHOWN).count() >= 3);
    });
}

#[test]
fn a_secret_that_could_not_be_written_out_is_named_and_its_client_can_be_removed() {
    over_each_engine(|desk| {
        for form in [&[][..], &["--json"]] {
            for dead_end in dead_ends() {
                let register = [form, &["broker", "register", "--redirect-uri", REDIRECT, "--confidential"]].concat();
                let child = desk.terminal.command(&register).stdout(dead_end).spawn().unwrap();
                let output = child.wait_with_output().unwrap();
                let said = String::from_utf8(output.stderr).unwrap();
                assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
                let id = desk.document(&["clients"])["clients"][0]["client_id"].as_str().unwrap().to_owned();
                let named = format!("keyward: the client {id} was registered, but could not be written out: ");
                assert!(said.starts_with(&named), "{said}");
                let [_, remove, _] = said.split('`').collect::<Vec<_>>()[..] else { panic!("no command: {said}") };
                assert_eq!(type_in_a_shell(&desk.terminal, remove).json()["removed"], true);
                assert_eq!(desk.document(&["clients"])["clients"], json!([]));
            }
        }
    });
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[test]
fn a_change_behind_a_lock_ends_as_an_outage_and_leaves_everything_as_it_was() {
    over_each_engine(|desk| {
        let client = desk.client();
        let granted = desk.grant(&client, "ada");
        let before = desk.document(&["grants"]);
        let lock = "SELECT client_id FROM clients FOR UPDATE; SELECT id FROM keyward.grants FOR UPDATE";
        while_held(&mut desk.terminal, lock, |terminal| {
            for command in [
                &["revoke", "--grant", &granted.grant][..],
                &["revoke", "--subject", "ada"],
                &["revoke", "--client", &client],
                &["revoke", "--client", &client, "--remove"],
            ] {
                let start = tokio::time::Instant::now();
                terminal.run(&[&["broker"], command].concat(), "").has_failed(3, "somebody else holds a lock");
                assert!(start.elapsed() < BOUND, "{command:?} took {:?}", start.elapsed());
            }
            assert_eq!(terminal.document(&["broker", "grants"]), before, "reading does not wait");
        });
        while_held(&mut desk.terminal, "LOCK TABLE clients IN SHARE MODE", |terminal| {
            let register = ["broker", "register", "--redirect-uri", REDIRECT, "--confidential"];
            terminal.run(&register, "").has_failed(3, "somebody else holds a lock");
        });
        assert_eq!(desk.document(&["clients"])["clients"].as_array().unwrap().len(), 1);
        assert!(desk.is_good(&granted));
        assert_eq!(desk.document(&["revoke", "--subject", "ada"])["revoked"], 1);
    });
}

/// A revocation is reported when the row says so, and not when a statement was sent.
#[test]
fn a_row_that_the_database_keeps_as_it_was_is_no_revocation() {
    over_each_engine(|desk| {
        let client = desk.client();
        let granted = desk.grant(&client, "ada");
        let grants = desk.table("grants");
        desk.sql(&if desk.host.is_postgres() {
            format!(
                "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
                 CREATE TRIGGER keep BEFORE UPDATE ON {grants} FOR EACH ROW EXECUTE FUNCTION keep()"
            )
        } else {
            format!("CREATE TRIGGER keep BEFORE UPDATE ON {grants} BEGIN SELECT RAISE(IGNORE); END")
        });
        let said = "kept a row of grants as it was";
        desk.terminal.run(&["broker", "revoke", "--grant", &granted.grant], "").has_failed(3, said);
        let output = desk.terminal.run(&["broker", "revoke", "--subject", "ada"], "");
        assert_ne!(output.status, 0, "{output:?}");
        assert!(desk.terminal.run(&["broker", "check"], "").stdout.contains("keep"));
    });
}

#[cfg(feature = "postgres")]
#[test]
fn a_server_that_never_answers_is_given_up() {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::super::terminal::Terminal;

    // Connections are accepted by the system; nobody reads from them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let db = format!("postgres://root:hunter2@127.0.0.1:{}/broker", listener.local_addr().unwrap().port());
    let mut terminal = Terminal::at(db, "standard");
    for command in [
        &["broker", "migrate"][..],
        &["broker", "check"],
        &["broker", "clients"],
        &["broker", "register", "--redirect-uri", REDIRECT],
        &["broker", "grants"],
        &["broker", "revoke", "--subject", "ada"],
        &["broker", "sweep"],
        #[cfg(feature = "serve")]
        &["serve", "--issuer", "https://as.example", "--resource", "https://api.example", "--user-header", "x-user"],
    ] {
        let start = tokio::time::Instant::now();
        let output = terminal.run(&[&["--timeout", "1s"], command].concat(), "");
        output.has_failed(3, "the database did not answer within 1s");
        assert!(start.elapsed() < Duration::from_secs(15), "{command:?} took {:?}", start.elapsed());
    }
}
