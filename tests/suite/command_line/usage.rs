//! Wrong usage: status 2, a message, nothing done, and nothing repeated that might be a key or a password.

use std::ffi::OsStr;
use std::io::Read as _;

use super::terminal::{Terminal, over_both_engines};

const SCRAPER: &str = "scraper";
const ACME: [&str; 4] = ["--owner", "acme", "--name", "nightly import"];

/// The commands are wrong, in both forms of output.
fn are_wrong(terminal: &mut Terminal, commands: &[&[&str]]) {
    for command in commands {
        let output = terminal.run(command, "");
        assert_eq!((output.status, output.stdout.as_str()), (2, ""));
        assert!(!output.stderr.is_empty());
        let output = terminal.run(&[&["--json"], *command].concat(), "");
        output.has_failed(2, "");
        assert!(output.json()["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
}

#[test]
fn commands_that_do_not_exist_or_lack_something_are_wrong() {
    over_both_engines(SCRAPER, |terminal| {
        are_wrong(
            terminal,
            &[
                &["nothing"],
                &["--nothing", "check"],
                &["check", "everything"],
                &["migrate", "--force"],
                &["issue"],
                &["issue", "--owner", "acme"],
                &["issue", "--name", "nightly import"],
                &["verify", "--scope"],
                &["list"],
                &["get"],
                &["get", "one", "two"],
                &["revoke"],
                &["revoke-all"],
                &["rotate"],
                &["rotate", "one", "--expires"],
                &["scanner-rules", "riq_"],
            ],
        );
        // Without any command there is help.
        assert_eq!(terminal.run(&[], "").status, 2);
    });
}

#[test]
fn odd_values_are_wrong_and_issue_nothing() {
    let long = "x".repeat(256);
    over_both_engines(SCRAPER, |terminal| {
        for [option, value] in [
            ["--owner", ""],
            ["--owner", &long],
            ["--owner", "a\nb"],
            ["--name", ""],
            ["--name", &long],
            ["--name", "a\u{1b}b"],
            ["--scope", ""],
            ["--scope", "jobs read"],
            ["--scope", "jöbs"],
            ["--scope", &long],
            ["--rpm", "0"],
            ["--rpm", "-1"],
            ["--rpm", "1.5"],
            ["--rpm", "many"],
            ["--rpm", "2147483648"],
            ["--rpm", "4294967296"],
            ["--expires", ""],
            ["--expires", "soon"],
            ["--expires", "90"],
            ["--expires", "-1d"],
            ["--expires", "0s"],
            ["--expires", "2020-01-01T00:00:00Z"],
            ["--expires", "2099-01-01"],
            ["--metadata", ""],
            ["--metadata", "plain text"],
            ["--metadata", "{\"team\":"],
            ["--metadata", "{} {}"],
            ["--metadata", r#"{"team":"\u0000"}"#],
        ] {
            let others = ["--owner", "acme", "--name", "n"];
            let others: Vec<_> = others.chunks(2).filter(|other| other[0] != option).flatten().copied().collect();
            let joined = format!("{option}={value}");
            are_wrong(terminal, &[&[&["issue"], &others[..], &[&joined]].concat()]);
        }
        let twice = [&["issue"], &ACME[..], &["--name", "another"]].concat();
        are_wrong(terminal, &[&twice]);
        let listed = terminal.document(&["list", "--owner", "acme"]);
        assert_eq!(listed["keys"], serde_json::json!([]));
    });
}

#[test]
fn odd_values_are_wrong_and_change_no_key() {
    let long = "x".repeat(501);
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&ACME);
        let before = terminal.document(&["get", &key.id]);
        are_wrong(
            terminal,
            &[
                &["list", "--owner", ""],
                &["list", "--owner", "acme", "--limit", "0"],
                &["list", "--owner", "acme", "--limit=-1"],
                &["list", "--owner", "acme", "--limit", "1001"],
                &["list", "--owner", "acme", "--after", ""],
                &["list", "--owner", "acme", "--after", "nothing"],
                &["get", ""],
                &["rotate", &key.id, "--grace", "soon"],
                &["rotate", &key.id, "--grace", "24"],
                &["rotate", &key.id, "--grace=-1h"],
                &["rotate", &key.id, "--expires", "0s"],
                &["rotate", &key.id, "--expires", "2020-01-01T00:00:00Z"],
                &["revoke", &key.id, "--reason", ""],
                &["revoke", &key.id, "--reason", &long],
                &["revoke-all", "--owner", ""],
                &["revoke-all", "--owner", "acme", "--reason", "a\nb"],
            ],
        );
        assert_eq!(terminal.document(&["get", &key.id]), before);
        terminal.verify(&key.secret, &[]).is_accepted();
    });
}

#[test]
fn a_key_given_as_an_argument_is_wrong_and_not_repeated() {
    over_both_engines(SCRAPER, |terminal| {
        // Every terminal checks that a secret is not printed again.
        let key = terminal.issue(&ACME);
        let secret = key.secret.as_str();
        let with_equals = format!("--key={secret}");
        let as_option = format!("--{secret}");
        for command in [
            &["verify", secret][..],
            &["verify", "--", secret],
            &["verify", "--key", secret],
            &["verify", &with_equals],
            &["verify", &as_option],
            &["verify", "--scope", "jobs:read", secret],
            &[secret],
            &["check", secret],
            &["scanner-rules", secret],
            &["get", &key.id, secret],
            &["list", "--owner", "acme", "--limit", secret],
            &["list", "--owner", "acme", "--after", secret],
            &["rotate", &key.id, "--grace", secret],
            &["rotate", &key.id, "--expires", secret],
            &[&["issue"], &ACME[..], &["--rpm", secret]].concat(),
        ] {
            are_wrong(terminal, &[command]);
        }
        for command in ["get", "revoke", "rotate"] {
            terminal.run(&[command, secret], "").has_failed(4, "no such key");
        }
    });
}

#[test]
fn the_database_and_the_schema_have_to_be_named() {
    over_both_engines(SCRAPER, |terminal| {
        let (db, schema) = (terminal.db.take(), terminal.schema);
        terminal.run(&["list", "--owner", "acme"], "").has_failed(2, "--db");
        terminal.run(&["--json", "list", "--owner", "acme"], "").has_failed(2, "--db");
        terminal.db = db;
        for unknown in [Some(""), Some("nothing"), Some("Scraper")] {
            terminal.schema = unknown;
            terminal.run(&["list", "--owner", "acme"], "").has_failed(2, "--schema");
            terminal.run(&["--json", "list", "--owner", "acme"], "").has_failed(2, "--schema");
        }
        terminal.schema = schema;
        assert_eq!(terminal.run(&["list", "--owner", "acme"], "").status, 0);
    });
}

#[test]
fn the_database_may_be_named_by_the_environment_and_the_option_comes_first() {
    over_both_engines(SCRAPER, |terminal| {
        let db = terminal.db.take().unwrap();
        let list = ["list", "--owner", "acme"];
        assert_eq!(terminal.run_with([("KEYWARD_DB", OsStr::new(&db))], &list, "").status, 0);
        terminal.db = Some(db);
        assert_eq!(terminal.run_with([("KEYWARD_DB", OsStr::new("nothing"))], &list, "").status, 0);
    });
}

#[test]
fn a_url_that_is_wrong_is_not_repeated() {
    for url in [
        "",
        "hunter2",
        "mysql://root:hunter2@localhost/keys",
        "postgres:root:hunter2@localhost/keys",
        "POSTGRES//root:hunter2@localhost/keys",
        "postgres://root:hunter2@localhost:port/keys",
        "postgres://root:hunter2@[::1/keys",
        "postgres://root:hunter2@localhost/keys?sslmode=hunter2",
        "postgres://root:hunter2@localhost:99999999/keys",
    ] {
        let mut terminal = Terminal::at(url, SCRAPER);
        for command in [&["check"][..], &["--json", "check"], &["migrate"]] {
            let output = terminal.run(command, "");
            output.has_failed(2, "--db");
            assert!(!format!("{output:?}").contains("hunter2"));
        }
    }
}

#[test]
fn a_url_in_the_place_of_a_command_is_not_repeated() {
    let mut terminal = Terminal::at("sqlite:nothing.db", SCRAPER);
    let url = "postgres://root:hunter2@localhost/keys";
    for command in [&[url][..], &["check", url], &["--json", url], &["migrate", "--url", url]] {
        let output = terminal.run(command, "");
        assert_eq!(output.status, 2);
        assert!(!format!("{output:?}").contains("hunter2"));
    }
}

#[test]
fn a_file_that_would_be_gone_at_once_is_no_database() {
    // SQLite takes these for a database that only this process sees, for as long as it lives.
    for url in ["sqlite:", "sqlite::memory:"] {
        Terminal::at(url, SCRAPER).run(&["migrate"], "").has_failed(2, "--db");
    }
}

#[test]
fn help_is_no_failure_and_shows_no_password() {
    let mut terminal = Terminal::at("postgres://root:hunter2@localhost/keys", SCRAPER);
    let variables = [("KEYWARD_DB", OsStr::new("postgres://root:hunter2@localhost/keys"))];
    for command in [&["--help"][..], &["-h"], &["help"], &["help", "issue"], &["verify", "--help"]] {
        let output = terminal.run_with(variables, command, "");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        assert!(output.stdout.contains("Usage: keyward"));
        assert!(!output.stdout.contains("hunter2"));
    }
    let version = format!("keyward {}\n", env!("CARGO_PKG_VERSION"));
    terminal.run(&["--version"], "").is(0, &version, "");
}

#[test]
fn a_reader_that_has_gone_is_no_panic() {
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&ACME);
        // As `keyward … | head -0` does, but for certain before anything is written.
        for command in [&["list", "--owner", "acme"][..], &["--json", "get", &key.id], &["scanner-rules"], &["check"]] {
            let (_, complaint) = run_into_a_closed_pipe(terminal, command);
            assert!(!complaint.contains("panicked"), "{complaint}");
        }
    });
}

#[test]
fn a_secret_that_could_not_be_printed_is_a_failure() {
    over_both_engines(SCRAPER, |terminal| {
        for command in [&[&["issue"], &ACME[..]].concat()[..], &[&["--json", "issue"], &ACME[..]].concat()] {
            let (success, complaint) = run_into_a_closed_pipe(terminal, command);
            assert!(!success);
            assert!(!complaint.contains("panicked"), "{complaint}");
            let newest = terminal.apart().document(&["list", "--owner", "acme"])["keys"][0]["id"].clone();
            let said = format!("the key {} was made, but could not be written out", newest.as_str().unwrap());
            assert!(complaint.contains(&said), "{complaint}");
        }
    });
}

/// Whether a command has succeeded without anybody to read what it prints, and what it says of that.
fn run_into_a_closed_pipe(terminal: &Terminal, arguments: &[&str]) -> (bool, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = terminal.command(arguments).stdout(writer).spawn().unwrap();
    drop(child.stdin.take());
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    (child.wait().unwrap().success(), complaint)
}
