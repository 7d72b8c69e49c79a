//! Taking over the digests of keys that another service made.

use keyward::key::KeyDigest;
use serde_json::{Value, json};

use super::over_standard;

const FOREIGN: [&str; 4] = ["--foreign-prefix", "sk_", "--foreign-lengths", "20..40"];
const SECRET: &str = "sk_4eC39HqLyjWDarjtT1zdp7dc";

/// `command` with the foreign format.
fn foreign<'o>(command: &[&'o str]) -> Vec<&'o str> {
    [command, &FOREIGN].concat()
}

/// A line about the key `secret`, with other values for some fields.
fn line(secret: &str, others: Value) -> String {
    let digest = KeyDigest::of(secret).to_hex();
    let mut line = json!({ "owner": "acme", "name": "old key", "digest": digest.as_str(), "prefix": "sk_4eC3" });
    let Value::Object(others) = others else { panic!("not an object") };
    line.as_object_mut().unwrap().extend(others);
    format!("{line}\n")
}

#[test]
fn an_imported_key_is_accepted_where_its_format_is_declared_and_can_be_rotated() {
    over_standard(|terminal| {
        let described = json!({
            "format": "the old service", "scopes": ["jobs:read"], "description": "why", "metadata": "{ }",
            "requests_per_minute": 7, "expires_at": "2099-01-01T00:00:00Z",
        });
        let upper = KeyDigest::of("sk_another_key_of_the_service").to_hex().as_str().to_uppercase();
        let lines = line(SECRET, described) + "\n" + &line("", json!({ "digest": upper }));
        let output = terminal.run(&foreign(&["import", "--by", "ada"]), &lines);
        output.is(0, "imported 2\n", "");

        terminal.verify("sk_another_key_of_the_service", &FOREIGN).is_accepted();
        let verdict = terminal.verify(SECRET, &foreign(&["--scope", "jobs:read"]));
        verdict.is_accepted();
        let fields = ["owner", "name", "prefix", "imported_from", "description", "metadata", "requests_per_minute"];
        let expected = json!(["acme", "old key", "sk_4eC3", "the old service", "why", "{ }", 7]);
        assert_eq!(json!(fields.map(|field| verdict.document[field].clone())), expected);
        terminal.verify(SECRET, &[]).is_refused("malformed");

        let id = verdict.document["id"].as_str().unwrap();
        let history = terminal.document(&["history", id]);
        assert_eq!(
            (&history["history"][0]["action"], &history["history"][0]["by"]),
            (&json!("imported"), &json!("ada"))
        );
        terminal.run(&["rotate", id], "").has_failed(1, "may refuse");
        let successor = terminal.rotate(id, &FOREIGN);
        assert!(successor.secret.starts_with("acme_live_"));
        assert_eq!(terminal.document(&["get", &successor.id]).get("imported_from"), None);
    });
}

#[test]
fn a_line_that_cannot_be_imported_is_named_and_the_others_are_imported() {
    over_standard(|terminal| {
        let wrong = [
            ("hunter2\n".to_owned(), "not a JSON object"),
            ("[\"hunter2\"]\n".to_owned(), "not a JSON object"),
            (line(SECRET, json!({ "owner": null })), "owner is required"),
            (line(SECRET, json!({ "owner": 7 })), "owner must be a text"),
            (line(SECRET, json!({ "name": "" })), "the name must not be empty"),
            (line(SECRET, json!({ "digest": "hunter2" })), "digest must be 64 hexadecimal digits"),
            (line(SECRET, json!({ "prefix": "pk_live" })), "prefix does not start with --foreign-prefix"),
            (line(SECRET, json!({ "prefix": SECRET })), "prefix must leave at least 8 characters"),
            (line(SECRET, json!({ "scopes": "hunter2" })), "scopes must be a list of texts"),
            (line(SECRET, json!({ "scopes": ["a b"] })), "a scope must be"),
            (line(SECRET, json!({ "requests_per_minute": 0 })), "the rate limit must be"),
            (line(SECRET, json!({ "expires_at": "hunter2" })), "expires_at is not an RFC 3339 date and time"),
            (line(SECRET, json!({ "colour": "hunter2" })), "there is no field colour"),
            (line(SECRET, json!({ "Hunter2": 1 })), "there is an unknown field"),
        ];
        let lines: String = wrong.iter().map(|(line, _)| line.as_str()).collect();
        let lines = lines + &line(SECRET, json!({})) + &line(SECRET, json!({}));
        let output = terminal.run(&foreign(&["--json", "import"]), &lines);
        assert_eq!((output.status, &output.json()["imported"]), (1, &json!(1)));
        let failures = output.json()["failures"].as_array().unwrap().clone();
        assert_eq!(failures.len(), wrong.len() + 1);
        for ((position, (_, said)), failure) in wrong.iter().enumerate().zip(&failures) {
            assert_eq!(failure["line"], position + 1);
            assert!(failure["message"].as_str().unwrap().starts_with(said), "{failure} for {said}");
            assert!(output.stderr.contains(&format!("line {}: {said}", position + 1)), "{}", output.stderr);
        }
        assert_eq!(failures.last().unwrap()["message"], "the key is there already");
        assert!(!format!("{output:?}").to_lowercase().contains("hunter2"));
        terminal.verify(SECRET, &FOREIGN).is_accepted();
    });
}

#[test]
fn nothing_is_imported_unless_the_format_is_declared() {
    over_standard(|terminal| {
        for (options, said) in [
            (&[][..], "--foreign-prefix and --foreign-lengths are required"),
            (&FOREIGN[..2], "are given together"),
            (&FOREIGN[2..], "are given together"),
            (&["--foreign-prefix", "sk_", "--foreign-lengths", "4..9"], "--foreign-lengths"),
            (&["--foreign-prefix", "sk_", "--foreign-lengths", "many"], "--foreign-lengths"),
            (&["--foreign-prefix", "s k", "--foreign-lengths", "20..40"], "--foreign-prefix"),
        ] {
            terminal.run(&[&["import"], options].concat(), line(SECRET, json!({}))).has_failed(2, said);
        }
        assert_eq!(terminal.document(&["list", "--count"])["count"], 0);
    });
}
