//! Lists across owners, with filters, and counts.

use serde_json::Value;

use super::{ACME, acme, over_standard};
use crate::command_line::terminal::Terminal;

fn names(terminal: &mut Terminal, options: &[&str]) -> Vec<String> {
    let page = terminal.document(&[&["list"], options].concat());
    let name = |key: &Value| key["name"].as_str().unwrap().to_owned();
    page["keys"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn keys_are_found_by_every_filter() {
    over_standard(|terminal| {
        let key = |terminal: &mut Terminal, owner, name, more: &[&str]| {
            terminal.issue(&[&["--owner", owner, "--name", name], more].concat())
        };
        let used = key(terminal, "acme", "used", &[]);
        terminal.verify(&used.secret, &[]).is_accepted();
        key(terminal, "acme", "expiring", &["--expires", "20d"]);
        key(terminal, "other", "test", &["--environment", "test", "--prefix", "acme"]);
        let off = key(terminal, "other", "off", &[]);
        terminal.document(&["disable", &off.id]);
        let revoked = key(terminal, "other", "revoked", &[]);
        terminal.document(&["revoke", &revoked.id]);

        for (options, expected) in [
            (&[][..], &["revoked", "off", "test", "expiring", "used"][..]),
            (&["--owner", "acme"], &["expiring", "used"]),
            (&["--state", "active"], &["test", "expiring", "used"]),
            (&["--state", "disabled"], &["off"]),
            (&["--state", "revoked"], &["revoked"]),
            (&["--state", "expired"], &[]),
            (&["--in-environment", "test"], &["test"]),
            (&["--name", "off"], &["off"]),
            (&["--expiring-before", "30d"], &["expiring"]),
            (&["--expiring-before", "10d"], &[]),
            (&["--unused-since", "1h"], &["revoked", "off", "test", "expiring"]),
            (&["--unused-since", "2099-01-01T00:00:00Z"], &["revoked", "off", "test", "expiring", "used"]),
            (&["--owner", "other", "--state", "active"], &["test"]),
        ] {
            assert_eq!(names(terminal, options), expected, "{options:?}");
            let counted = terminal.document(&[&["list", "--count"], options].concat());
            assert_eq!(counted["count"], expected.len(), "{options:?}");
        }
        terminal.run(&["list", "--count"], "").is(0, "5\n", "");
    });
}

#[test]
fn pages_across_owners_hold_every_key_once() {
    over_standard(|terminal| {
        let owners = ["a", "b", "a", "c", "b"];
        let mut issued: Vec<_> = owners.map(|owner| terminal.issue(&["--owner", owner, "--name", "n"]).id).into();
        issued.reverse();
        let mut page = terminal.document(&["list", "--limit", "2"]);
        for expected in issued.chunks(2) {
            let keys = page["keys"].as_array().unwrap().iter();
            assert_eq!(keys.map(|key| key["id"].as_str().unwrap()).collect::<Vec<_>>(), expected);
            if let Some(next) = page["next"].as_str() {
                page = terminal.document(&["list", "--limit", "2", "--after", next]);
            }
        }
        assert!(page["next"].is_null());
    });
}

#[test]
fn filters_that_are_wrong_are_refused() {
    over_standard(|terminal| {
        for (options, said) in [
            (&["--state", "dead"][..], "--state"),
            (&["--in-environment", "Live"], "--in-environment"),
            (&["--expiring-before", "soon"], "--expiring-before"),
            (&["--unused-since", ""], "--unused-since"),
            (&["--count", "--limit", "3"], "--limit"),
        ] {
            terminal.run(&[&["list"], options].concat(), "").has_failed(2, said);
        }
    });
}

#[test]
fn what_is_stored_can_neither_steer_the_terminal_nor_reverse_it() {
    over_standard(|terminal| {
        let name = "a\u{202e}b\u{2066}c\u{200f}d\u{200b}e\u{feff}f";
        let key = terminal.issue(&["--owner", "acme", "--name", name]);
        let list = terminal.run(&["list"], "").stdout;
        assert!(list.contains(r"a\u{202e}b\u{2066}c\u{200f}d\u{200b}e\u{feff}f"), "{list}");
        assert_eq!(terminal.document(&["get", &key.id])["name"], name, "a document is exact");
    });
}

#[test]
fn a_key_is_revoked_by_its_start_within_its_owner() {
    over_standard(|terminal| {
        let key = terminal.issue(&ACME);
        terminal.issue(&acme(&["--environment", "test"]));
        let start = &key.secret[..14];
        terminal.run(&["revoke", start, "--owner", "other"], "").is(4, "", "keyward: no such key\n");
        assert_eq!(terminal.document(&["revoke", start, "--owner", "acme"])["id"], key.id);
        terminal.run(&["revoke", "acme_", "--owner", "acme"], "").has_failed(2, "at least 6 characters");
    });
}
