//! Rows that the service has written, and what happens to meshes and members.

use serde_json::{Value, json};

use super::{BOT, VECTOR, bot, host, insert, keys, over_meshes};
use crate::command_line::terminal::{Terminal, over_new_databases};

#[test]
fn a_strict_verdict_also_asks_for_the_mesh_and_the_issuer() {
    over_meshes(|terminal| {
        let secret = terminal.issue(&bot(&["--issuer", "ada"])).secret;
        terminal.verify(&secret, &["--strict"]).is_accepted();
        for (table, column) in [("member", "revoked_at"), ("mesh", "archived_at")] {
            host(terminal, &format!("UPDATE mesh.{table} SET {column} = '2020-01-01 00:00:00'"));
            terminal.verify(&secret, &[]).is_accepted();
            terminal.verify(&secret, &["--strict"]).is_refused("tenant_disabled");
            let report = "refused: what the key belongs to is shut down\n";
            terminal.run(&["verify", "--strict"], &secret).is(1, "", report);
            host(terminal, &format!("UPDATE mesh.{table} SET {column} = NULL"));
        }
    });
}

#[test]
fn one_key_is_revoked_by_its_identity_or_by_its_start_and_never_another() {
    over_meshes(|terminal| {
        for (id, prefix, mesh) in [
            ("abcdef", "cm_11111111", "'home'"),
            ("abcdefgh", "cm_2222222A", "'home'"),
            ("a_c%e\\gh", "cm_2222222B", "'home'"),
            ("elsewhere", "cm_33333333", "'work'"),
        ] {
            insert(terminal, id, prefix, &format!("hash of {id}"), "", mesh);
        }
        let refuses = |terminal: &mut Terminal, start, status, said| {
            terminal.run(&["revoke", "--owner", "home", "--", start], "").has_failed(status, said);
            terminal.run(&["--json", "revoke", "--owner", "home", "--", start], "").has_failed(status, said);
        };
        terminal.run(&["revoke", "abcdef"], "").is(2, "", "keyward: --owner is required\n");
        for short in ["", "a", "abcde", "cm_11", "%", "_____"] {
            refuses(terminal, short, 2, "the start of a key must have at least 6 characters");
        }
        for nobody in ["%%%%%%", "______", "cm_1%1", "cm_1_1", "abcde_", "abcdef%", "\\abcdef", "ABCDEF", "nothing"] {
            refuses(terminal, nobody, 4, "no such key");
        }
        for stranger in ["elsewhere", "elsewh", "cm_33333333", "cm_333"] {
            refuses(terminal, stranger, 4, "no such key");
        }
        for several in ["cm_222", "cm_2222222"] {
            refuses(terminal, several, 1, "several keys start like this");
        }
        let live = |key: &Value| key["revoked_at"].is_null();
        assert!(keys(terminal, "home").iter().all(live) && keys(terminal, "work").iter().all(live));

        for (start, id) in [("abcdef", "abcdef"), ("a_c%e\\", "a_c%e\\gh"), ("cm_2222222A", "abcdefgh")] {
            let revoke = ["revoke", "--owner", "home", start];
            terminal.run(&revoke, "").is(0, &format!("revoked {id}\n"), "");
            assert_eq!(terminal.document(&revoke)["already_revoked"], true);
            assert_eq!(terminal.document(&["get", id])["state"], "revoked");
        }
        assert!(keys(terminal, "work").iter().all(live));
    });
}

#[test]
fn a_key_that_the_service_wrote_itself_is_accepted() {
    over_meshes(|terminal| {
        let (secret, hash) = VECTOR;
        // Another key with the same display prefix, which is revoked.
        insert(terminal, "twin", &secret[..11], &hash.replace('6', "7"), ", revoked_at", "'work', '2019-01-02'");
        let grants = "'home', '[\"read\"]', '[\"deploys\"]', 'ada'";
        insert(terminal, "own", &secret[..11], hash, ", capabilities, topic_scopes, issued_by_member_id", grants);
        let verdict = terminal.verify(secret, &["--capability", "read", "--topic", "deploys"]);
        verdict.is_accepted();
        let report = ["id", "owner", "label", "capabilities", "topics", "issuer", "created_at"];
        let report = report.map(|name| verdict.document[name].clone());
        let created_at = json!("2019-01-01T00:00:00.500Z");
        let expected =
            [json!("own"), json!("home"), json!("by hand"), json!(["read"]), json!(["deploys"]), json!("ada")];
        assert_eq!(report[..6], expected);
        assert_eq!(report[6], created_at);
        terminal.verify(&format!("{}0", &secret[..45]), &[]).is_refused("unknown");
    });
}

#[test]
fn a_row_that_grants_nothing_is_refused_with_the_cause_and_listed_beside_the_others() {
    over_meshes(|terminal| {
        let (secret, hash) = VECTOR;
        let good = terminal.issue(&BOT);
        for (column, value, reason, report) in [
            (
                "capabilities",
                "'\"admin\"'",
                "unusable",
                "the key's row grants nothing because of mesh.api_key.capabilities",
            ),
            (
                "topic_scopes",
                "'\"deploys\"'",
                "unusable",
                "the key's row grants nothing because of mesh.api_key.topic_scopes",
            ),
            ("topic_scopes", "'null'", "unusable", "the key's row grants nothing because of mesh.api_key.topic_scopes"),
            ("expires_at", "'2020-01-01 00:00:00'", "expired", "the key has expired"),
            ("revoked_at", "'2020-01-01 00:00:00'", "revoked", "the key is revoked"),
        ] {
            insert(terminal, "odd", &secret[..11], hash, &format!(", {column}"), &format!("'home', {value}"));
            terminal.verify(secret, &["--capability", "admin"]).is_refused(reason);
            terminal.run(&["verify"], secret).is(1, "", &format!("refused: {report}\n"));
            let listed = keys(terminal, "home");
            assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&json!(good.id), &json!("active")));
            assert_eq!((&listed[1]["id"], &listed[1]["state"]), (&json!("odd"), &json!(reason)));
            let defect = (reason == "unusable").then(|| format!("mesh.api_key.{column}"));
            assert_eq!(terminal.document(&["get", "odd"]).get("defect"), defect.map(Value::from).as_ref());
            host(terminal, "DELETE FROM mesh.api_key WHERE id = 'odd'");
        }
    });
}

#[test]
fn a_list_is_a_table_newest_first_and_has_the_dead_ones_too() {
    over_meshes(|terminal| {
        insert(terminal, "one", "cm_11111111", "1", ", topic_scopes", "'home', '[]'");
        insert(
            terminal,
            "two",
            "cm_22222222",
            "2",
            ", capabilities, revoked_at",
            "'home', '[\"send\",\"read\"]', '2019-01-02'",
        );
        insert(
            terminal,
            "three",
            "cm_33333333",
            "3",
            ", topic_scopes, expires_at",
            "'home', '[\"a\", \"b\"]', '2099-01-03'",
        );
        host(terminal, "UPDATE mesh.api_key SET created_at = '2019-02-01 00:00:00' WHERE id = 'one'");
        terminal.run(&["list", "--owner", "home"], "").is(
            0,
            "\
ID     PREFIX       LABEL    STATE    CAPABILITIES  TOPICS  LAST_USED_AT  EXPIRES_AT
one    cm_11111111  by hand  active   none          none    -             -
two    cm_22222222  by hand  revoked  send read     all     -             -
three  cm_33333333  by hand  active   none          a b     -             2099-01-03T00:00:00Z
",
            "",
        );
        terminal.run(&["list", "--owner", "nowhere"], "").has_failed(4, "no such owner");
        terminal.run(&["revoke-all", "--owner", "nowhere"], "").has_failed(4, "no such owner");
        terminal.run(&["info", "--owner", "home"], "").has_failed(2, "info is not for --schema mesh");
    });
}

#[test]
fn what_happens_to_meshes_and_members_happens_to_keys() {
    over_meshes(|terminal| {
        let key = terminal.issue(&bot(&["--issuer", "ada"]));
        host(terminal, "DELETE FROM mesh.member WHERE id = 'ada'");
        let verdict = terminal.verify(&key.secret, &["--strict"]);
        verdict.is_accepted();
        assert_eq!(verdict.document["issuer"], json!(null));
        host(terminal, "DELETE FROM mesh.mesh WHERE id = 'home'");
        terminal.verify(&key.secret, &[]).is_refused("unknown");
        terminal.run(&["get", &key.id], "").is(4, "", "keyward: no such key\n");
        terminal.run(&[&["issue"], &BOT[..]].concat(), "").is(4, "", "keyward: no such owner\n");
    });
}

#[test]
fn without_its_parents_a_table_is_of_no_use() {
    over_new_databases("mesh", |terminal| {
        // In words of the engine's own, so on a terminal of its own. SQLite makes the table all the same.
        let mut apart = terminal.apart();
        apart.run(&["migrate"], "");
        apart.run(&[&["issue"], &BOT[..]].concat(), "").has_failed(3, "mesh");
    });
}
