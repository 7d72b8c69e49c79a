//! The life of a key: issued once, accepted, rotated, expired or revoked, with a process for each step.

use std::thread::sleep;
use std::time::Duration;

use keyward::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::terminal::{Terminal, over_both_engines};

const SCRAPER: &str = "scraper";
const ACME: [&str; 4] = ["--owner", "acme", "--name", "nightly import"];
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// `ACME` with more options.
fn acme<'o>(more: &[&'o str]) -> Vec<&'o str> {
    [&ACME, more].concat()
}

fn timestamp(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Waits for an instant that is less than two seconds away.
fn wait_until(at: Timestamp) {
    let remaining = at.as_micros() - SystemClock.now().as_micros();
    assert!(remaining < 2_000_000);
    sleep(Duration::from_micros(u64::try_from(remaining).unwrap_or(0) + 1));
}

#[test]
fn issue_prints_the_secret_alone_and_it_is_accepted() {
    over_both_engines(SCRAPER, |terminal| {
        let output = terminal.run(&[&["issue"], &ACME[..]].concat(), "");
        assert_eq!(output.status, 0);
        let secret = output.stdout.strip_suffix('\n').unwrap();
        assert_eq!((secret.len(), &secret[..4]), (47, "riq_"));
        assert!(output.stderr.contains("for acme"), "{}", output.stderr);
        // As `keyward issue … | keyward verify` does.
        let verified = terminal.run(&["verify"], &output.stdout);
        assert_eq!((verified.status, verified.stderr.as_str()), (0, ""));
        assert!(verified.stdout.contains("nightly import"));
    });
}

#[test]
fn rotate_prints_the_secret_alone_and_it_is_accepted() {
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&ACME);
        let output = terminal.run(&["rotate", &key.id], "");
        assert_eq!((output.status, output.stdout.len()), (0, 48));
        let said: Vec<_> = output.stderr.lines().collect();
        assert!(said[0].starts_with("issued ") && said[0].ends_with(" for acme"), "{said:?}");
        assert!(said[1].starts_with(&format!("{} is accepted until ", key.id)), "{said:?}");
        assert_eq!(terminal.run(&["verify"], &output.stdout).status, 0);
    });
}

#[test]
fn a_use_is_recorded_at_once() {
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&ACME);
        let before = SystemClock.now();
        terminal.verify(&key.secret, &[]).is_accepted();
        let last_used_at = timestamp(&terminal.document(&["get", &key.id])["last_used_at"]);
        assert!((before..=SystemClock.now()).contains(&last_used_at));
        terminal.verify(&key.secret, &[]).is_accepted();
        assert!(timestamp(&terminal.document(&["get", &key.id])["last_used_at"]) > last_used_at);
    });
}

#[test]
fn a_revoked_key_is_refused_by_the_next_process() {
    over_both_engines(SCRAPER, |terminal| {
        let [key, other] = [terminal.issue(&ACME), terminal.issue(&ACME)];
        terminal.verify(&key.secret, &[]).is_accepted();
        let revoked = terminal.run(&["revoke", &key.id, "--reason", "leaked in a log"], "");
        revoked.is(0, &format!("revoked {}\n", key.id), "");

        let verdict = terminal.verify(&key.secret, &[]);
        verdict.is_refused("revoked");
        assert_eq!(verdict.document["id"], key.id);
        assert_eq!(verdict.document["prefix"], key.secret[..8]);
        terminal.run(&["verify"], &key.secret).is(1, "", "refused: the key is revoked\n");

        let shown = terminal.document(&["get", &key.id]);
        assert_eq!((&shown["state"], &shown["revocation_reason"]), (&json!("revoked"), &json!("leaked in a log")));
        assert!(timestamp(&shown["revoked_at"]) <= SystemClock.now());
        terminal.verify(&other.secret, &[]).is_accepted();
    });
}

#[test]
fn revoking_again_changes_nothing_and_reports_the_first_time() {
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&ACME);
        let first = terminal.document(&["revoke", &key.id, "--reason", "first"]);
        assert_eq!((&first["id"], &first["already_revoked"]), (&json!(key.id), &json!(false)));
        let again = terminal.document(&["revoke", &key.id, "--reason", "second"]);
        assert_eq!(again["already_revoked"], true);
        assert_eq!((&again["revoked_at"], &again["revocation_reason"]), (&first["revoked_at"], &json!("first")));
        let report = format!("{} was already revoked at {}\n", key.id, first["revoked_at"].as_str().unwrap());
        terminal.run(&["revoke", &key.id], "").is(0, &report, "");
        assert_eq!(terminal.document(&["get", &key.id])["revocation_reason"], "first");
    });
}

#[test]
fn a_revocation_is_reported_with_its_reason() {
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&ACME);
        let revoked = terminal.document(&["revoke", &key.id, "--reason", "leaked"]);
        assert_eq!(revoked["revocation_reason"], "leaked");
    });
}

#[test]
fn revoke_all_counts_and_kills_the_live_keys_of_one_owner() {
    over_both_engines(SCRAPER, |terminal| {
        let keys = [terminal.issue(&ACME), terminal.issue(&ACME), terminal.issue(&ACME)];
        let other = terminal.issue(&["--owner", "acme corporation", "--name", "other"]);
        terminal.document(&["revoke", &keys[0].id, "--reason", "earlier"]);

        let all = ["revoke-all", "--owner", "acme", "--reason", "contract ended"];
        assert_eq!(terminal.document(&all), json!({ "owner": "acme", "revoked": 2, "remaining": [] }));
        for key in &keys {
            terminal.verify(&key.secret, &[]).is_refused("revoked");
        }
        terminal.verify(&other.secret, &[]).is_accepted();
        let reason = |terminal: &mut Terminal, id| terminal.document(&["get", id])["revocation_reason"].clone();
        assert_eq!(reason(terminal, &keys[0].id), "earlier");
        assert_eq!(reason(terminal, &keys[1].id), "contract ended");

        terminal.run(&all, "").is(0, "revoked 0\n", "");
        terminal.run(&["revoke-all", "--owner", "nobody"], "").is(0, "revoked 0\n", "");
    });
}

#[test]
fn after_a_rotation_with_grace_both_keys_are_accepted_and_then_only_the_new_one() {
    over_both_engines(SCRAPER, |terminal| {
        let old = terminal.issue(&acme(&["--scope", "jobs:read", "--rpm", "7", "--metadata", r#"{"team":"data"}"#]));
        let new = terminal.rotate(&old.id, &["--grace", "1500ms"]);
        terminal.verify(&old.secret, &[]).is_accepted();
        terminal.verify(&new.secret, &["--scope", "jobs:read"]).is_accepted();

        let accepted_until = timestamp(&new.document["accepted_until"]);
        assert_eq!(new.document["predecessor"], old.id);
        assert_eq!(terminal.document(&["get", &old.id])["expires_at"], new.document["accepted_until"]);
        for inherited in ["owner", "name", "scopes", "rate_limit_rpm", "metadata", "expires_at"] {
            assert_eq!(new.document[inherited], old.document[inherited], "{inherited}");
        }
        for own in ["id", "prefix", "secret", "created_at"] {
            assert_ne!(new.document[own], old.document[own], "{own}");
        }

        wait_until(accepted_until);
        terminal.verify(&old.secret, &[]).is_refused("expired");
        terminal.verify(&new.secret, &[]).is_accepted();
    });
}

#[test]
fn a_rotation_without_grace_kills_the_old_key_at_once() {
    over_both_engines(SCRAPER, |terminal| {
        let old = terminal.issue(&ACME);
        let new = terminal.rotate(&old.id, &["--grace", "0s"]);
        terminal.verify(&old.secret, &[]).is_refused("revoked");
        terminal.verify(&new.secret, &[]).is_accepted();
    });
}

#[test]
fn the_grace_is_a_day_unless_set_and_ends_with_the_key_itself() {
    over_both_engines(SCRAPER, |terminal| {
        let old = terminal.issue(&ACME);
        let new = terminal.rotate(&old.id, &[]);
        let grace =
            timestamp(&new.document["accepted_until"]).as_micros() - timestamp(&new.document["created_at"]).as_micros();
        assert_eq!(grace, 24 * 3600 * 1_000_000);

        let old = terminal.issue(&acme(&["--expires", "2h"]));
        let new = terminal.rotate(&old.id, &[]);
        assert_eq!(new.document["accepted_until"], old.document["expires_at"]);
        assert_eq!(new.document["expires_at"], old.document["expires_at"]);
    });
}

#[test]
fn a_rotation_may_set_another_expiry() {
    over_both_engines(SCRAPER, |terminal| {
        let old = terminal.issue(&acme(&["--expires", "2098-01-01T00:00:00Z"]));
        let new = terminal.rotate(&old.id, &["--expires", "2099-01-01T02:00:00+02:00"]);
        assert_eq!(new.document["expires_at"], "2099-01-01T00:00:00Z");
        let past = ["rotate", &new.id, "--expires", "2020-01-01T00:00:00Z"];
        terminal.run(&past, "").is(2, "", "keyward: the expiry must be in the future\n");
        terminal.verify(&new.secret, &[]).is_accepted();
    });
}

#[test]
fn a_key_is_rotated_once_and_only_while_it_lives() {
    over_both_engines(SCRAPER, |terminal| {
        let old = terminal.issue(&ACME);
        let new = terminal.rotate(&old.id, &["--grace", "1h"]);
        let said = format!("the key was rotated already: its successor is {}", new.id);
        terminal.run(&["rotate", &old.id], "").is(1, "", &format!("keyward: {said}\n"));
        terminal.run(&["--json", "rotate", &old.id], "").has_failed(1, &said);
        assert_eq!(terminal.document(&["get", &old.id])["successor"], new.id);
        terminal.verify(&old.secret, &[]).is_accepted();
        let newer = terminal.rotate(&new.id, &["--grace", "0s"]);
        terminal.run(&["rotate", &new.id], "").has_failed(1, "only a live key can be rotated: the key is revoked");
        terminal.document(&["revoke", &newer.id]);
        terminal.run(&["rotate", &newer.id], "").has_failed(1, "only a live key can be rotated: the key is revoked");
        assert_eq!(terminal.document(&["list", "--owner", "acme"])["keys"].as_array().unwrap().len(), 3);
    });
}

#[test]
fn a_key_dies_at_its_expiry() {
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&acme(&["--expires", "1500ms"]));
        terminal.verify(&key.secret, &[]).is_accepted();
        wait_until(timestamp(&key.document["expires_at"]));
        let verdict = terminal.verify(&key.secret, &[]);
        verdict.is_refused("expired");
        assert_eq!(verdict.document["id"], key.id);
        terminal.run(&["verify"], &key.secret).is(1, "", "refused: the key has expired\n");
        assert_eq!(terminal.document(&["get", &key.id])["state"], "expired");
    });
}

#[test]
fn an_expiry_is_a_time_from_now_or_an_instant() {
    over_both_engines(SCRAPER, |terminal| {
        let mut expiry = |expires| {
            let document = terminal.issue(&acme(&["--expires", expires])).document;
            (timestamp(&document["created_at"]).as_micros(), document["expires_at"].clone())
        };
        let (issued, ninety_days) = expiry("90d");
        let distance = timestamp(&ninety_days).as_micros() - issued;
        let day = 24 * 3600 * 1_000_000;
        // The time from now is counted from just before the key is made.
        assert!((90 * day - 1_000_000..=90 * day).contains(&distance), "{distance}");
        assert_eq!(expiry("2099-06-30T14:00:00.25+02:00").1, "2099-06-30T12:00:00.250Z");
        assert_eq!(expiry("2099-06-30T12:00:00.123456Z").1, "2099-06-30T12:00:00.123456Z");
        assert_eq!(expiry("100000years").1, "9999-12-31T23:59:59.999999Z");
    });
}

#[test]
fn what_is_about_no_key_is_not_found() {
    over_both_engines(SCRAPER, |terminal| {
        terminal.issue(&ACME);
        for id in [NOBODY, "nobody", "riq_something", "'; DROP TABLE api_keys; --"] {
            for command in ["get", "revoke", "rotate"] {
                let hint = "; with --owner the start of its identity or display prefix names it too";
                let hint = if command == "revoke" { hint } else { "" };
                terminal.run(&[command, id], "").is(4, "", &format!("keyward: no such key{hint}\n"));
                terminal.run(&["--json", command, id], "").has_failed(4, "no such key");
            }
        }
    });
}
