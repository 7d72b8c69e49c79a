//! What only system B knows: meshes and members, capabilities, topics, and keys that are named by their start.

use keyward::mesh::Mesh;
use serde_json::{Value, json};

use super::terminal::{Terminal, over_new_databases};
use crate::support::systems::System as _;

const BOT: [&str; 6] = ["--owner", "home", "--label", "deploy bot", "--capability", "send"];

/// `BOT` with more options.
fn bot<'o>(more: &[&'o str]) -> Vec<&'o str> {
    [&BOT, more].concat()
}

/// Runs `script` over both engines, each with the mesh `home` of `ada` and the mesh `work` of `eve`.
fn over_meshes(script: impl Fn(&mut Terminal)) {
    over_new_databases("mesh", |terminal| {
        let postgres = is_postgres(terminal);
        terminal.sql(Mesh::parents(postgres));
        terminal.sql(&Mesh::owner("home", postgres));
        terminal.sql(&Mesh::owner("work", postgres));
        host(
            terminal,
            "INSERT INTO mesh.member (id, mesh_id, peer_pubkey, display_name)
             VALUES ('ada', 'home', 'pub', 'Ada'), ('eve', 'work', 'pub', 'Eve')",
        );
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        script(terminal);
    });
}

fn is_postgres(terminal: &Terminal) -> bool {
    terminal.db.as_ref().is_some_and(|db| db.starts_with("postgres"))
}

/// Runs SQL as the host does. On SQLite a name with a schema is a plain one.
fn host(terminal: &Terminal, sql: &str) {
    terminal.sql(&if is_postgres(terminal) { sql.to_owned() } else { sql.replace("mesh.", "") });
}

/// `cm_` and the bytes 0 to 31 in base64url, and its `sha256sum`.
const VECTOR: (&str, &str) = (
    "cm_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    "6e87955afdd27e3ab924dd75d364bc07f0b96fc695c1dc163dc744c372f8ff9b",
);

/// A row of the mesh `home` as the system itself writes it; the columns and values behind it may be more.
fn insert(terminal: &Terminal, id: &str, prefix: &str, hash: &str, columns: &str, values: &str) {
    host(
        terminal,
        &format!(
            "INSERT INTO mesh.api_key (id, label, secret_prefix, secret_hash, created_at, mesh_id{columns})
             VALUES ('{id}', 'by hand', '{prefix}', '{hash}', '2019-01-01 00:00:00.5', {values})"
        ),
    );
}

fn keys(terminal: &mut Terminal, owner: &str) -> Vec<Value> {
    terminal.document(&["list", "--owner", owner])["keys"].as_array().unwrap().clone()
}

#[test]
fn a_key_lives_from_its_issue_to_its_revocation() {
    over_meshes(|terminal| {
        terminal.run(&["check"], "").is(0, "the tables are as expected\n", "");
        let issued = terminal.run(&[&["issue"], &bot(&["--topic", "#deploys", "--issuer", "ada"])[..]].concat(), "");
        let secret = issued.stdout.strip_suffix('\n').unwrap().to_owned();
        assert_eq!((issued.status, secret.len(), &secret[..3]), (0, 46, "cm_"));
        assert!(issued.stderr.contains("for home"), "{}", issued.stderr);

        terminal.verify(&secret, &[]).is_accepted();
        terminal.verify(&secret, &["--capability", "send", "--topic", "deploys"]).is_accepted();
        let listed = keys(terminal, "home").remove(0);
        assert_eq!((&listed["state"], listed["last_used_at"].is_string()), (&json!("active"), true));
        let id = listed["id"].as_str().unwrap();

        let successor = terminal.rotate(id, &["--grace", "1h"]);
        for inherited in ["owner", "label", "capabilities", "topics", "issuer", "expires_at"] {
            assert_eq!(successor.document[inherited], listed[inherited], "{inherited}");
        }
        terminal.verify(&secret, &[]).is_accepted();
        terminal.verify(&successor.secret, &["--capability", "send", "--topic", "deploys"]).is_accepted();

        let prefix = &secret[..11];
        let revoke = ["revoke", prefix, "--owner", "home", "--reason", "leaked"];
        terminal.run(&revoke, "").is(0, &format!("revoked {id}\n"), "");
        terminal.run(&["verify"], &secret).is(1, "", "refused: the key is revoked\n");
        terminal.verify(&successor.secret, &[]).is_accepted();
        let again = terminal.document(&revoke);
        assert_eq!((&again["already_revoked"], &again["revocation_reason"]), (&json!(true), &json!("leaked")));
        assert_eq!(again["revoked_at"], terminal.document(&["show", id])["revoked_at"]);

        assert_eq!(terminal.document(&["revoke-all", "--owner", "home"])["revoked"], 1);
        terminal.verify(&successor.secret, &[]).is_refused("revoked");
        let states: Vec<_> = keys(terminal, "home").iter().map(|key| key["state"].clone()).collect();
        assert_eq!(states, ["revoked", "revoked"]);
    });
}

#[test]
fn issue_takes_every_option_and_verify_tells_them() {
    over_meshes(|terminal| {
        let key = terminal.issue(&[
            "--owner=home",
            "--label",
            "ünï 'bot'",
            "--capability",
            "state_write",
            "--capability",
            "send",
            "--capability",
            "send",
            "--topic",
            "#deploys",
            "--topic",
            "ünï, \"c\"",
            "--topic",
            "deploys",
            "--issuer",
            "ada",
            "--expires",
            "2099-06-30T12:00:00Z",
        ]);
        let mut expected = json!({
            "id": key.id, "owner": "home", "prefix": key.secret[..11], "state": "active",
            "label": "ünï 'bot'", "capabilities": ["send", "state_write"], "topics": ["deploys", "ünï, \"c\""],
            "issuer": "ada", "created_at": key.document["created_at"], "last_used_at": null,
            "expires_at": "2099-06-30T12:00:00Z",
        });
        assert_eq!(terminal.document(&["show", &key.id]), expected);
        assert_eq!(keys(terminal, "home"), [expected.clone()]);
        expected["accepted"] = json!(true);
        assert_eq!(terminal.verify(&key.secret, &[]).document, expected);
        expected.as_object_mut().unwrap().remove("accepted");
        expected["secret"] = json!(key.secret);
        assert_eq!(key.document, expected);
    });
}

#[test]
fn what_is_wrong_with_a_new_key_is_said_and_nothing_is_issued() {
    let long = "x".repeat(256);
    over_meshes(|terminal| {
        let topic = "a topic must be";
        for (arguments, status, said) in [
            (&["--owner", "home", "--capability", "send"][..], 2, "--label is required"),
            (&["--owner", "home", "--label", "bot"], 2, "a key needs at least one capability"),
            (&["--owner", "home", "--label", "", "--capability", "send"], 2, "the label must not be empty"),
            (&["--owner", "home", "--label", &long, "--capability", "send"], 2, "the label must not be longer"),
            (&["--owner", "home", "--label", "a\nb", "--capability", "send"], 2, "control characters"),
            (&["--owner", "", "--label", "bot", "--capability", "send"], 2, "must not be empty"),
            (&["--owner", "nowhere", "--label", "bot", "--capability", "send"], 4, "no such owner"),
            (&bot(&["--capability", "raed"]), 2, "a capability is send, read, state_write or admin"),
            (&bot(&["--capability", "read,admin"]), 2, "a capability is"),
            (&bot(&["--capability", "Admin"]), 2, "a capability is"),
            (&bot(&["--capability", ""]), 2, ""),
            (&bot(&["--topic", ""]), 2, topic),
            (&bot(&["--topic", "#"]), 2, topic),
            (&bot(&["--topic", "##deploys"]), 2, topic),
            (&bot(&["--topic", &long]), 2, topic),
            (&bot(&["--topic", "deploys", "--topic", ""]), 2, topic),
            (&bot(&["--topic", "deploys", "--no-topics"]), 2, "--no-topics"),
            (&bot(&["--expires", "2020-01-01T00:00:00Z"]), 2, "the expiry must be in the future"),
            (&bot(&["--expires", "0s"]), 2, "the expiry must be in the future"),
            (&bot(&["--expires", "tomorrow"]), 2, ""),
            (&bot(&["--issuer", ""]), 2, "the issuer must not be empty"),
            (&bot(&["--issuer", "nobody"]), 4, "no such issuer"),
            (&bot(&["--issuer", "eve"]), 4, "no such issuer"),
            (&bot(&["--name", "bot"]), 2, "--name is not for this --schema"),
            (&bot(&["--scope", "send"]), 2, "--scope is not for this --schema"),
            (&bot(&["--rpm", "60"]), 2, "--rpm is not for this --schema"),
            (&bot(&["--metadata", "{}"]), 2, "--metadata is not for this --schema"),
        ] {
            let refused = terminal.run(&[&["issue"], arguments].concat(), "");
            refused.has_failed(status, said);
            assert_eq!(refused.stdout, "");
            terminal.run(&[&["--json", "issue"], arguments].concat(), "").has_failed(status, said);
        }
        assert!(keys(terminal, "home").is_empty());
    });
}

#[test]
fn no_topic_and_every_topic_are_told_apart() {
    over_meshes(|terminal| {
        let everywhere = terminal.issue(&BOT);
        let nowhere = terminal.issue(&bot(&["--no-topics"]));
        assert_eq!((&everywhere.document["topics"], &nowhere.document["topics"]), (&json!("all"), &json!([])));
        let shown = |terminal: &mut Terminal, id| terminal.run(&["show", id], "").stdout;
        assert!(shown(terminal, &everywhere.id).contains("\ntopics        all\n"));
        assert!(shown(terminal, &nowhere.id).contains("\ntopics        none\n"));

        let send = ["--capability", "send", "--topic", "deploys"];
        terminal.verify(&everywhere.secret, &send).is_accepted();
        terminal.verify(&nowhere.secret, &send).is_refused("topic_out_of_scope");
        terminal.verify(&nowhere.secret, &["--capability", "send"]).is_accepted();
    });
}

#[test]
fn what_a_key_does_not_permit_is_refused_with_the_reason() {
    over_meshes(|terminal| {
        let reader = terminal.issue(&["--owner", "home", "--label", "r", "--capability", "read", "--topic", "deploys"]);
        let admin = terminal.issue(&["--owner", "home", "--label", "a", "--capability", "admin", "--topic", "deploys"]);
        for (key, options, reason) in [
            (&reader, &["--capability", "read", "--topic", "deploys"][..], ""),
            (&reader, &["--capability", "send"], "missing_capability"),
            (&reader, &["--capability", "admin"], "missing_capability"),
            (&reader, &["--capability", "read", "--capability", "send"], "missing_capability"),
            (&reader, &["--capability", "read", "--topic", "general"], "topic_out_of_scope"),
            (&reader, &["--capability", "read", "--topic", "deploys", "--topic", "general"], "topic_out_of_scope"),
            (&reader, &["--capability", "read", "--topic", "Deploys"], "topic_out_of_scope"),
            (&reader, &["--capability", "read", "--topic", "#deploys"], "topic_out_of_scope"),
            (&reader, &["--capability", "read", "--topic", "deploy"], "topic_out_of_scope"),
            (&reader, &["--capability", "send", "--topic", "general"], "missing_capability"),
            (&admin, &["--capability", "send", "--capability", "state_write", "--topic", "deploys"], ""),
            (&admin, &["--capability", "admin", "--topic", "general"], "topic_out_of_scope"),
        ] {
            let verdict = terminal.verify(&key.secret, options);
            assert_eq!(verdict.document["id"], key.id);
            let text = terminal.run(&[&["verify"], options].concat(), &key.secret);
            if reason.is_empty() {
                verdict.is_accepted();
                assert_eq!(text.status, 0);
            } else {
                verdict.is_refused(reason);
                let told =
                    if reason == "missing_capability" { "lacks the capability" } else { "is out of the key's scope" };
                text.has_failed(1, told);
            }
        }
        for wrong in [&["--topic", "deploys"][..], &["--capability", "raed"], &["--scope", "read"]] {
            terminal.run(&[&["verify"], wrong].concat(), &reader.secret).has_failed(2, "");
        }
    });
}

#[test]
fn a_strict_verdict_also_asks_for_the_mesh_and_the_issuer() {
    over_meshes(|terminal| {
        let secret = terminal.issue(&bot(&["--issuer", "ada"])).secret;
        terminal.verify(&secret, &["--strict"]).is_accepted();
        for (table, column) in [("member", "revoked_at"), ("mesh", "archived_at")] {
            host(terminal, &format!("UPDATE mesh.{table} SET {column} = '2020-01-01 00:00:00'"));
            terminal.verify(&secret, &[]).is_accepted();
            terminal.verify(&secret, &["--strict"]).is_refused("tenant_disabled");
            let told = "refused: the key's mesh is archived or its issuer is revoked\n";
            terminal.run(&["verify", "--strict"], &secret).is(1, "", told);
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
            assert_eq!(terminal.document(&["show", id])["state"], "revoked");
        }
        assert!(keys(terminal, "work").iter().all(live));
    });
}

#[test]
fn a_key_that_the_system_wrote_itself_is_accepted() {
    over_meshes(|terminal| {
        let (secret, hash) = VECTOR;
        // Another key with the same display prefix, which is revoked.
        insert(terminal, "twin", &secret[..11], &hash.replace('6', "7"), ", revoked_at", "'work', '2019-01-02'");
        let grants = "'home', '[\"read\"]', '[\"deploys\"]', 'ada'";
        insert(terminal, "own", &secret[..11], hash, ", capabilities, topic_scopes, issued_by_member_id", grants);
        let verdict = terminal.verify(secret, &["--capability", "read", "--topic", "deploys"]);
        verdict.is_accepted();
        let told = ["id", "owner", "label", "capabilities", "topics", "issuer", "created_at"];
        let told = told.map(|name| verdict.document[name].clone());
        let created_at = json!("2019-01-01T00:00:00.500Z");
        let expected =
            [json!("own"), json!("home"), json!("by hand"), json!(["read"]), json!(["deploys"]), json!("ada")];
        assert_eq!(told[..6], expected);
        assert_eq!(told[6], created_at);
        terminal.verify(&format!("{}0", &secret[..45]), &[]).is_refused("unknown");
    });
}

#[test]
fn a_row_that_grants_nothing_is_refused_with_the_cause_and_listed_beside_the_others() {
    over_meshes(|terminal| {
        let (secret, hash) = VECTOR;
        let good = terminal.issue(&BOT);
        for (column, value, reason, told) in [
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
            terminal.run(&["verify"], secret).is(1, "", &format!("refused: {told}\n"));
            let listed = keys(terminal, "home");
            assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&json!(good.id), &json!("active")));
            assert_eq!((&listed[1]["id"], &listed[1]["state"]), (&json!("odd"), &json!(reason)));
            let defect = (reason == "unusable").then(|| format!("mesh.api_key.{column}"));
            assert_eq!(terminal.document(&["show", "odd"]).get("defect"), defect.map(Value::from).as_ref());
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
        terminal.run(&["info", "--owner", "home"], "").has_failed(2, "use list");
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
        terminal.run(&["show", &key.id], "").is(4, "", "keyward: no such key\n");
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
