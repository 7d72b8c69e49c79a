//! The life of a mesh's key, what it may do, and what is wrong with a new one.

use serde_json::json;

use super::{BOT, bot, keys, over_meshes};
use crate::command_line::terminal::Terminal;

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
        assert_eq!(again["revoked_at"], terminal.document(&["get", id])["revoked_at"]);

        assert_eq!(terminal.document(&["revoke-all", "--owner", "home"])["revoked"], 1);
        terminal.verify(&successor.secret, &[]).is_refused("revoked");
        let states: Vec<_> = keys(terminal, "home").iter().map(|key| key["state"].clone()).collect();
        assert_eq!(states, ["revoked", "revoked"]);
    });
}

#[test]
fn issue_takes_every_option_and_verify_shows_them() {
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
        assert_eq!(terminal.document(&["get", &key.id]), expected);
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
            (&bot(&["--name", "bot"]), 2, "--name is not for --schema mesh"),
            (&bot(&["--scope", "send"]), 2, "--scope is not for --schema mesh"),
            (&bot(&["--rpm", "60"]), 2, "--rpm is not for --schema mesh"),
            (&bot(&["--metadata", "{}"]), 2, "--metadata is not for --schema mesh"),
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
fn no_topic_and_every_topic_are_two_things() {
    over_meshes(|terminal| {
        let everywhere = terminal.issue(&BOT);
        let nowhere = terminal.issue(&bot(&["--no-topics"]));
        assert_eq!((&everywhere.document["topics"], &nowhere.document["topics"]), (&json!("all"), &json!([])));
        let shown = |terminal: &mut Terminal, id| terminal.run(&["get", id], "").stdout;
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
                let report =
                    if reason == "missing_capability" { "lacks the capability" } else { "is out of the key's scope" };
                text.has_failed(1, report);
            }
        }
        for wrong in [&["--topic", "deploys"][..], &["--capability", "raed"], &["--scope", "read"]] {
            terminal.run(&[&["verify"], wrong].concat(), &reader.secret).has_failed(2, "");
        }
    });
}
