//! Rows whose texts steer a terminal, turn the line around or hide: shown with such characters written out, and exact
//! in documents. That nothing printed has them unescaped holds for every command, see
//! [`Terminal::finish`](crate::command_line::terminal::Terminal::finish).

use keyward::schemas::aggregator::Aggregator;
use keyward::schemas::mesh::Mesh;

use crate::command_line::terminal::{Terminal, over_both_engines, over_new_databases};
use crate::support::TestSchema as _;

/// A colour, a line break, writing from right to left, an isolate, no width at all, a joiner, a tag, a separator.
pub(in crate::command_line) const ODD: &str = "a\u{1b}[31m\nb\u{202e}c\u{2066}d\u{200b}e\u{200d}f\u{e0041}g\u{2028}";
/// The same as people see it.
pub(in crate::command_line) const SHOWN: &str =
    r"a\u{1b}[31m\u{a}b\u{202e}c\u{2066}d\u{200b}e\u{200d}f\u{e0041}g\u{2028}";
const OWNER_SHOWN: &str = r"b\u{202e}c\u{2066}d\u{200b}e\u{200d}f\u{e0041}g\u{2028}";

/// An owner, which can be typed: without the control characters.
const OWNER: &str = "b\u{202e}c\u{2066}d\u{200b}e\u{200d}f\u{e0041}g\u{2028}";

/// Says in both forms of output what was put into `columns`: people see them written out, programs get them exactly.
#[track_caller]
fn shows(terminal: &mut Terminal, command: &[&str], columns: &[&str]) {
    let shown = terminal.run(command, "");
    assert_eq!(shown.status, 0);
    let seen = if columns == ["owner"] { OWNER_SHOWN } else { SHOWN };
    assert!(shown.stdout.contains(seen), "{}", shown.stdout);
    let output = terminal.run(&[&["--json"], command].concat(), "");
    let document = output.json();
    let key = document["keys"].get(0).unwrap_or(&document);
    for column in columns {
        let value = &key[column];
        let expected = if ["owner", "predecessor"].contains(column) { OWNER } else { ODD };
        assert_eq!(value.get(0).unwrap_or(value), expected, "{column}");
    }
    assert!(output.stdout.contains(r"\udb40\udc41"), "{}", output.stdout);
}

#[test]
fn every_text_of_a_key_of_our_own_is_shown_without_effect() {
    over_both_engines("standard", |terminal| {
        let key = terminal.issue(&["--owner", "acme", "--name", "n"]);
        terminal.run(&["disable", &key.id], "");
        let columns = ["name", "description", "metadata", "created_by", "prefix", "imported_from", "scopes"];
        let set: Vec<_> = columns.iter().map(|column| format!("{column} = '{ODD}'")).collect();
        let keys = terminal.own_table("keys");
        let neighbours =
            format!("disabling_reason = name, predecessor_id = '{OWNER}', successor_id = name, owner = '{OWNER}'");
        terminal.sql(&format!("UPDATE {keys} SET {}", set.join(", ")));
        terminal.sql(&format!("UPDATE {keys} SET {neighbours}"));
        let shown = [&columns[..], &["disabling_reason", "predecessor", "successor", "owner"]].concat();
        shows(terminal, &["get", &key.id], &shown);
        shows(terminal, &["list"], &shown);
        shows(terminal, &["list", "--owner", OWNER], &["owner"]);

        let history = terminal.own_table("key_history");
        terminal.sql(&format!("UPDATE {history} SET actor = '{ODD}', reason = '{ODD}'"));
        assert!(terminal.run(&["history", &key.id], "").stdout.contains(SHOWN));
        let entries = terminal.document(&["history", &key.id])["history"].clone();
        assert_eq!((&entries[0]["by"], &entries[0]["reason"]), (&ODD.into(), &ODD.into()));

        terminal.sql(&format!("UPDATE {keys} SET is_disabled = false, successor_id = NULL"));
        let verified = terminal.run(&["verify"], &key.secret);
        assert!(verified.status == 0 && verified.stdout.contains(SHOWN), "{}", verified.stdout);
        terminal.run(&["revoke-all", "--owner", OWNER], "").is(0, "revoked 1\n", "");
        terminal.sql(&format!("UPDATE {keys} SET revocation_reason = '{ODD}'"));
        shows(terminal, &["get", &key.id], &["revocation_reason"]);
        let uses = terminal.own_table("key_uses");
        terminal.sql(&format!("DELETE FROM {history}; DELETE FROM {uses}; UPDATE {keys} SET id = '{ODD}'"));
        terminal.run(&["get", ODD], "").has_failed(2, "control characters");
        shows(terminal, &["list"], &["id"]);
        terminal.sql(&format!("UPDATE {keys} SET revoked_at = NULL, revocation_reason = NULL"));
        terminal.run(&["verify"], &key.secret);
    });
}

#[test]
fn every_text_of_a_scraper_key_is_shown_without_effect() {
    over_both_engines("scraper", |terminal| {
        let key = terminal.issue(&["--owner", "acme", "--name", "n"]);
        let scopes = if terminal.is_postgres() { "ARRAY[name]" } else { "json_array(name)" };
        terminal.sql(&format!("UPDATE api_keys SET name = '{ODD}', client_id = '{OWNER}', key_prefix = 'a\u{202e}b'"));
        let metadata = if terminal.is_postgres() { "to_jsonb(name)" } else { "json_quote(name)" };
        terminal.sql(&format!("UPDATE api_keys SET scopes = {scopes}, metadata = {metadata}"));
        shows(terminal, &["get", &key.id], &["owner", "name", "scopes", "metadata"]);
        shows(terminal, &["list", "--owner", OWNER], &["owner", "name", "scopes", "metadata"]);
        assert_eq!(terminal.document(&["get", &key.id])["prefix"], "a\u{202e}b");
    });
}

#[test]
fn every_text_of_a_mesh_key_is_shown_without_effect() {
    over_new_databases("mesh", |terminal| {
        let postgres = terminal.is_postgres();
        terminal.sql(&format!("{};{}", Mesh::parents(postgres), Mesh::owner(OWNER, postgres)));
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        let host = |sql: String| terminal.sql(&if postgres { sql } else { sql.replace("mesh.", "") });
        let topics = if postgres { "jsonb_build_array('{}')" } else { "json_array('{}')" }.replace("{}", ODD);
        host(format!(
            "INSERT INTO mesh.member (id, mesh_id, peer_pubkey, display_name) VALUES ('{ODD}', '{OWNER}', 'p', 'Ada')"
        ));
        host(format!(
            "INSERT INTO mesh.api_key
             (id, mesh_id, label, secret_prefix, secret_hash, created_at, capabilities, topic_scopes, issued_by_member_id)
             VALUES ('{ODD}', '{OWNER}', '{ODD}', '{ODD}', 'none', '2030-01-01 00:00:00', '[\"send\"]', {topics}, '{ODD}')"
        ));
        let columns = ["id", "owner", "label", "prefix", "topics", "issuer"];
        shows(terminal, &["list", "--owner", OWNER], &columns);
    });
}

#[test]
fn every_text_of_an_aggregator_is_shown_without_effect() {
    over_both_engines("aggregator", |terminal| {
        terminal.sql(&Aggregator::owner(OWNER, terminal.is_postgres()));
        terminal.sql(&format!(
            "UPDATE aggregators SET api_key_hash = '{}', api_key_prefix = 'a\u{202e}\u{1b}b'",
            "0".repeat(64)
        ));
        shows(terminal, &["info", "--owner", OWNER], &["owner"]);
    });
}

#[test]
fn an_error_of_the_database_is_shown_without_effect() {
    over_both_engines("scraper", |terminal| {
        let key = terminal.issue(&["--owner", "acme", "--name", "n"]);
        terminal.sql(if terminal.is_postgres() {
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN RAISE EXCEPTION 'no \u{202e}\u{1b}[2J %', OLD.name; END$$;
             CREATE TRIGGER refuse BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION refuse()"
        } else {
            "CREATE TRIGGER refuse BEFORE UPDATE ON api_keys BEGIN SELECT RAISE(ABORT, 'no \u{202e}\u{1b}[2J n'); END"
        });
        let refused = terminal.apart().run(&["revoke", &key.id], "");
        refused.has_failed(3, r"no \u{202e}\u{1b}[2J n");
        let refused = terminal.apart().run(&["--json", "revoke", &key.id], "");
        assert!(refused.json()["message"].as_str().unwrap().contains("no "), "{}", refused.stdout);
    });
}
