//! What only the schema `scraper` knows: scopes, the rate limit, metadata, and the rows that the schema has written itself.

use serde_json::json;

use super::terminal::over_both_engines;

const SCRAPER: &str = "scraper";
const ACME: [&str; 4] = ["--owner", "acme", "--name", "nightly import"];

/// A row as the schema itself writes it: `columns` and `values` follow those that every row needs.
fn insert(id: u8, key_hash: &str, columns: &str, values: &str) -> String {
    format!(
        "INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, created_at, {columns})
         VALUES ('00000000-0000-4000-8000-0000000000{id:02}', '{key_hash}', 'riq_exam', 'by hand', 'acme',
                 '2030-01-01 00:00:00.5', {values})"
    )
}

/// `printf %s riq_example_key_0123456789 | sha256sum`
const VECTOR: (&str, &str) =
    ("riq_example_key_0123456789", "5cc8a52dc5b5b49473939b481fb7254c572726dd73dbbe4c7a34247c83b28c8f");

#[test]
fn issue_takes_every_option_and_verify_shows_them() {
    over_both_engines(SCRAPER, |terminal| {
        let metadata = r#"{"Team":"données","list":[1,-2.5,null,{"deep":true}]}"#;
        let key = terminal.issue(&[
            "--owner=acme & søn",
            "--name",
            "nightly 'import'",
            "--scope",
            "jobs:read",
            "--scope",
            "jobs:write",
            "--scope",
            "jobs:read",
            "--rpm",
            "120",
            "--expires",
            "2099-06-30T12:00:00Z",
            "--metadata",
            metadata,
        ]);
        let mut expected = json!({
            "id": key.id, "owner": "acme & søn", "prefix": key.secret[..8], "state": "active",
            "name": "nightly 'import'", "scopes": ["jobs:read", "jobs:write"], "rate_limit_rpm": 120,
            "metadata": { "Team": "données", "list": [1, -2.5, null, { "deep": true }] },
            "created_at": key.document["created_at"], "last_used_at": null, "expires_at": "2099-06-30T12:00:00Z",
        });
        assert_eq!(terminal.document(&["get", &key.id]), expected);
        expected["accepted"] = json!(true);
        assert_eq!(terminal.verify(&key.secret, &[]).document, expected);
        expected.as_object_mut().unwrap().remove("accepted");
        expected["secret"] = json!(key.secret);
        assert_eq!(key.document, expected);
    });
}

#[test]
fn a_key_has_no_scope_and_sixty_requests_a_minute_unless_more_is_said() {
    over_both_engines(SCRAPER, |terminal| {
        let document = terminal.issue(&ACME).document;
        assert_eq!((&document["scopes"], &document["rate_limit_rpm"]), (&json!([]), &json!(60)));
        assert_eq!((&document["expires_at"], &document["metadata"]), (&json!(null), &json!(null)));
    });
}

#[test]
fn metadata_is_a_document_unless_its_numbers_would_be_rounded() {
    over_both_engines(SCRAPER, |terminal| {
        for (metadata, is_document) in [
            (r#"{"a": ["12345678901234567890123", -0.25, 18446744073709551615, true, null]}"#, true),
            (r#"{"big": 12345678901234567890123}"#, false),
            (r#"{"\"": [0.1234567890123456789]}"#, false),
        ] {
            let key = terminal.issue(&[&ACME[..], &["--metadata", metadata]].concat());
            let shown = terminal.document(&["get", &key.id])["metadata"].clone();
            let document: serde_json::Value = serde_json::from_str(metadata).unwrap();
            let expected = if is_document { document } else { json!(metadata) };
            assert_eq!((&shown, &key.document["metadata"]), (&expected, &expected));
        }
    });
}

#[test]
fn every_required_scope_has_to_be_held_as_a_whole() {
    over_both_engines(SCRAPER, |terminal| {
        let secret = terminal.issue(&[&ACME[..], &["--scope", "jobs:read", "--scope", "jobs:write"]].concat()).secret;
        for held in [&["jobs:read"][..], &["jobs:write", "jobs:read"], &[]] {
            let scopes: Vec<_> = held.iter().flat_map(|scope| ["--scope", *scope]).collect();
            terminal.verify(&secret, &scopes).is_accepted();
        }
        for missing in [&["jobs"][..], &["jobs:read:all"], &["Jobs:read"], &["jobs:read", "admin"], &["*"]] {
            let scopes: Vec<_> = missing.iter().flat_map(|scope| ["--scope", *scope]).collect();
            let verdict = terminal.verify(&secret, &scopes);
            verdict.is_refused("insufficient_scope");
            assert_eq!(verdict.document["scopes"], json!(["jobs:read", "jobs:write"]));
        }
        terminal.run(&["verify", "--scope", "admin"], &secret).is(
            1,
            "",
            "refused: the key does not hold the required scope\n",
        );
    });
}

#[test]
fn admin_implies_all_scopes_only_where_that_is_asked_for() {
    over_both_engines(SCRAPER, |terminal| {
        let secret = terminal.issue(&[&ACME[..], &["--scope", "admin"]].concat()).secret;
        terminal.verify(&secret, &["--scope", "jobs:read"]).is_refused("insufficient_scope");
        terminal.verify(&secret, &["--scope", "jobs:read", "--admin-implies-all"]).is_accepted();
    });
}

#[test]
fn a_key_that_the_schema_wrote_itself_is_accepted() {
    over_both_engines(SCRAPER, |terminal| {
        let (secret, key_hash) = VECTOR;
        terminal.sql(&insert(1, key_hash, "rate_limit_rpm", "NULL"));
        let verdict = terminal.verify(secret, &[]);
        verdict.is_accepted();
        let report = ["prefix", "owner", "name", "scopes", "rate_limit_rpm"].map(|name| verdict.document[name].clone());
        assert_eq!(report, [json!("riq_exam"), json!("acme"), json!("by hand"), json!([]), json!(60)]);
        terminal.verify("riq_example_key_0123456788", &[]).is_refused("unknown");
    });
}

#[test]
fn a_row_that_grants_nothing_is_refused_with_the_cause() {
    over_both_engines(SCRAPER, |terminal| {
        let (secret, key_hash) = VECTOR;
        for (columns, values, reason, report) in [
            ("rate_limit_rpm", "0", "unusable", "the key's row grants nothing because of api_keys.rate_limit_rpm"),
            ("rate_limit_rpm", "-1", "unusable", "the key's row grants nothing because of api_keys.rate_limit_rpm"),
            ("is_active", "false", "disabled", "the key is disabled"),
            ("is_active", "NULL", "disabled", "the key is disabled"),
            ("expires_at", "'2020-01-01 00:00:00'", "expired", "the key has expired"),
        ] {
            terminal.sql(&insert(1, key_hash, columns, values));
            terminal.verify(secret, &[]).is_refused(reason);
            terminal.run(&["verify"], secret).is(1, "", &format!("refused: {report}\n"));
            let shown = terminal.document(&["get", "00000000-0000-4000-8000-000000000001"]);
            assert_eq!(shown["state"], reason);
            terminal.sql("DELETE FROM api_keys");
        }
    });
}

#[test]
fn a_key_whose_digest_is_no_digest_is_never_accepted() {
    over_both_engines(SCRAPER, |terminal| {
        let (secret, key_hash) = VECTOR;
        for other in [&key_hash.to_uppercase(), &key_hash[..63], secret] {
            terminal.sql(&insert(1, other, "rate_limit_rpm", "60"));
            terminal.verify(secret, &[]).is_refused("unknown");
            terminal.sql("DELETE FROM api_keys");
        }
    });
}

#[test]
fn a_list_is_a_table_and_what_is_stored_cannot_steer_the_terminal() {
    over_both_engines(SCRAPER, |terminal| {
        terminal.sql(&insert(1, VECTOR.1, "expires_at", "'2099-01-01 00:00:00'"));
        terminal.sql(&insert(2, "none", "is_active", "false"));
        terminal.sql("UPDATE api_keys SET name = 'red\u{1b}[31m\n' WHERE key_hash = 'none'");
        terminal.run(&["list", "--owner", "acme"], "").is(
            0,
            "\
ID                                    PREFIX    NAME                STATE     SCOPES  RATE_LIMIT_RPM  LAST_USED_AT  EXPIRES_AT
00000000-0000-4000-8000-000000000002  riq_exam  red\\u{1b}[31m\\u{a}  disabled  none    60              \
-             -
00000000-0000-4000-8000-000000000001  riq_exam  by hand             active    none    60              -             \
2099-01-01T00:00:00Z
",
            "",
        );
    });
}

#[test]
fn one_key_is_shown_a_field_a_line() {
    over_both_engines(SCRAPER, |terminal| {
        terminal.sql(&insert(1, VECTOR.1, "scopes, metadata", "NULL, '{\"team\": \"data\"}'"));
        terminal.run(&["get", "00000000-0000-4000-8000-000000000001"], "").is(
            0,
            "\
id              00000000-0000-4000-8000-000000000001
owner           acme
prefix          riq_exam
state           active
name            by hand
scopes          none
rate_limit_rpm  60
metadata        {\"team\":\"data\"}
created_at      2030-01-01T00:00:00.500Z
last_used_at    -
expires_at      -
",
            "",
        );
    });
}

#[test]
fn pages_follow_one_another_newest_first_and_hold_every_key_once() {
    over_both_engines(SCRAPER, |terminal| {
        let mut issued: Vec<_> = (0..5).map(|_| terminal.issue(&ACME).id).collect();
        terminal.issue(&["--owner", "other", "--name", "other"]);
        issued.reverse();

        let list = ["list", "--owner", "acme", "--limit", "2"];
        let mut page = terminal.document(&list);
        for expected in issued.chunks(2) {
            let keys = page["keys"].as_array().unwrap().iter();
            assert_eq!(keys.map(|key| key["id"].as_str().unwrap()).collect::<Vec<_>>(), expected);
            if let Some(next) = page["next"].as_str() {
                page = terminal.document(&[&list[..], &["--after", next]].concat());
            }
        }
        assert!(page["next"].is_null());

        let page = terminal.run(&list, "");
        assert_eq!((page.stdout.lines().count(), page.stderr), (3, format!("more: --after {}\n", issued[1])));
        let whole = terminal.run(&["list", "--owner", "acme", "--limit", "5"], "");
        assert_eq!((whole.stdout.lines().count(), whole.stderr.as_str()), (6, ""));
    });
}

#[test]
fn a_page_starts_behind_a_key_of_the_same_owner() {
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&ACME);
        let last = terminal.document(&["list", "--owner", "acme", "--after", &key.id]);
        assert_eq!(last, json!({ "keys": [], "next": null }));
        for unknown in ["00000000-0000-4000-8000-000000000000", "nothing"] {
            terminal.run(&["list", "--owner", "acme", "--after", unknown], "").has_failed(2, "does not exist");
        }
        terminal.run(&["list", "--owner", "other", "--after", &key.id], "").has_failed(2, "does not exist");
    });
}

#[test]
fn an_owner_without_keys_has_an_empty_list() {
    over_both_engines(SCRAPER, |terminal| {
        assert_eq!(terminal.document(&["list", "--owner", "nobody"]), json!({ "keys": [], "next": null }));
        assert_eq!(terminal.run(&["list", "--owner", "nobody"], "").status, 0);
    });
}

#[test]
fn the_scanner_rules_find_keys_that_are_issued_and_need_no_database() {
    over_both_engines(SCRAPER, |terminal| {
        let secret = terminal.issue(&ACME).secret;
        terminal.db = None;
        let rules = terminal.document(&["scanner-rules"]);
        let rule = &rules["rules"][0];
        assert_eq!((&rule["schema"], &rule["prefix"]), (&json!("scraper"), &json!("riq_")));
        let pattern = rule["regex"].as_str().unwrap();
        let regex = regex::Regex::new(pattern).unwrap();
        assert_eq!(regex.find(&format!("KEY=\"{secret}\"\n")).unwrap().as_str(), secret);
        assert!(!regex.is_match(&secret[..46]));
        terminal.run(&["scanner-rules"], "").is(0, &format!("scraper  {pattern}\n"), "");

        terminal.schema = None;
        let all = terminal.document(&["scanner-rules"]);
        assert!(all["rules"].as_array().unwrap().contains(rule));
    });
}
