//! Revocations that did not reach every key: said, and never reported as done.

use keyward::schemas::mesh::Mesh;

use crate::command_line::terminal::{Terminal, over_both_engines, over_new_databases};
use crate::support::TestSchema as _;

const ACME: [&str; 4] = ["--owner", "acme", "--name", "n"];

/// From now on the database keeps the row of this key as it is, without an error.
fn keep(terminal: &Terminal, id: &str) {
    terminal.sql(&if terminal.is_postgres() {
        format!(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
             CREATE TRIGGER keep BEFORE UPDATE ON api_keys FOR EACH ROW WHEN (OLD.id = '{id}') EXECUTE FUNCTION keep()"
        )
    } else {
        format!("CREATE TRIGGER keep BEFORE UPDATE ON api_keys WHEN OLD.id = '{id}' BEGIN SELECT RAISE(IGNORE); END")
    });
}

#[test]
fn a_row_that_a_trigger_keeps_is_an_error_and_no_revocation() {
    over_both_engines("scraper", |terminal| {
        let key = terminal.issue(&ACME);
        keep(terminal, &key.id);
        let refused = terminal.run(&["--json", "revoke", &key.id], "");
        refused.has_failed(3, "kept a row of api_keys as it was; whoever reads that table");
        terminal.sql(if terminal.is_postgres() { "DROP TRIGGER keep ON api_keys" } else { "DROP TRIGGER keep" });
        assert_eq!(terminal.run(&["revoke", &key.id], "").status, 0);
        terminal.verify(&key.secret, &[]).is_refused("revoked");
    });
}

#[test]
fn all_keys_but_one_are_a_failure_that_names_the_one() {
    over_both_engines("scraper", |terminal| {
        let (kept, other) = (terminal.issue(&ACME), terminal.issue(&ACME));
        keep(terminal, &kept.id);
        let output = terminal.run(&["--json", "revoke-all", "--owner", "acme"], "");
        assert_eq!(output.status, 1);
        assert!(output.stderr.starts_with(&format!("warning: {} is NOT revoked", kept.id)), "{}", output.stderr);
        assert_eq!(output.json()["remaining"], serde_json::json!([kept.id]));
        terminal.verify(&other.secret, &[]).is_refused("revoked");
    });
}

#[test]
fn a_twin_that_is_still_accepted_is_named() {
    over_new_databases("mesh", |terminal| {
        let postgres = terminal.is_postgres();
        terminal.sql(&format!("{};{}", Mesh::parents(postgres), Mesh::owner("home", postgres)));
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        let key = terminal.issue(&["--owner", "home", "--label", "bot", "--capability", "send"]);
        let table = if postgres { "mesh.api_key" } else { "api_key" };
        terminal.sql(&format!(
            "INSERT INTO {table} (id, mesh_id, label, secret_prefix, secret_hash, capabilities, created_at)
             SELECT 'twin', mesh_id, label, secret_prefix, secret_hash, capabilities, created_at FROM {table}"
        ));
        let output = terminal.run(&["--json", "revoke", &key.id, "--owner", "home"], "");
        assert_eq!((output.status, &output.json()["twins"]), (0, &serde_json::json!(["twin"])));
        assert!(output.stderr.starts_with("warning: twin has the same plaintext"), "{}", output.stderr);
        // Which of the two rows is named is not said.
        terminal.apart().verify(&key.secret, &[]).is_accepted();
        let output = terminal.run(&["--json", "revoke", "twin", "--owner", "home"], "");
        assert_eq!((output.status, &output.json()["twins"]), (0, &serde_json::json!([])));
        terminal.apart().verify(&key.secret, &[]).is_refused("revoked");
    });
}
