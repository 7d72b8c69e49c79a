//! Wrong usage of `keyward broker`: status 2, a message that repeats nothing, and nothing done.

use serde_json::json;

use super::super::terminal::Terminal;
use super::{REDIRECT, over_each_engine};

#[test]
fn what_is_wrong_is_said_and_nothing_is_done() {
    let long = "x".repeat(256);
    over_each_engine(|desk| {
        for (command, said) in [
            (&[][..], "which command is required"),
            (&["nothing"], "there is no such command"),
            (&["clients", "--limit", "0"], "--limit"),
            (&["clients", "--limit", "1001"], "--limit"),
            (&["clients", "--after", ""], "--after"),
            (&["grants", "--client", ""], "--client"),
            (&["grants", "--subject", ""], "--subject"),
            (&["grants", "--subject", "a\nb"], "--subject: "),
            (&["grants", "--subject", &long], "--subject: "),
            (&["grants", "--after", ""], "--after"),
            (&["register"], "--redirect-uri is required"),
            (&["register", "--redirect-uri", "hunter2"], "--redirect-uri: "),
            (&["register", "--redirect-uri", "javascript:alert(1)"], "--redirect-uri: "),
            (&["register", "--redirect-uri", "http://hunter2.example/cb"], "--redirect-uri: "),
            (&["register", "--redirect-uri", "https://app.example/cb#hunter2"], "--redirect-uri: "),
            (&["register", "--redirect-uri", REDIRECT, "--name", ""], "--name: a name has at least one character"),
            (&["register", "--redirect-uri", REDIRECT, "--name", "hunter2\u{1b}[31m"], "client_name"),
            (&["register", "--redirect-uri", REDIRECT, "--name", &long], "client_name"),
            (&["register", "--redirect-uri", REDIRECT, "--scope", "hunter2 read"], "--scope: "),
            (&["register", "--redirect-uri", REDIRECT, "--scope", ""], "--scope"),
            (&["revoke"], "one of --grant, --client, --subject is required"),
            (&["revoke", "--remove"], "--client is required"),
            (&["revoke", "--grant", "hunter2", "--client", "x"], "--grant cannot be used with"),
            (&["revoke", "--grant", "hunter2", "--subject", "x"], "--grant cannot be used with"),
            (&["revoke", "--subject", "hunter2", "--remove"], "--subject cannot be used with --remove"),
            (
                &["revoke", "--client", "x", "--subject", "hunter2", "--remove"],
                "--subject cannot be used with --remove",
            ),
            (&["sweep", "--clients-unused-for", "hunter2"], "--clients-unused-for: not a duration"),
            (&["sweep", "hunter2"], "there is an argument that this command does not take"),
            (&["migrate", "--force"], "there is no option --force here"),
        ] {
            for form in [&[][..], &["--json"]] {
                let output = desk.terminal.run(&[form, &["broker"], command].concat(), "");
                output.has_failed(2, said);
                assert!(!format!("{output:?}").contains("hunter2"), "{output:?}");
            }
        }
        let many = ["--redirect-uri", REDIRECT].repeat(17);
        desk.terminal.run(&[&["broker", "register"], &many[..]].concat(), "").has_failed(2, "redirect_uri");
        assert_eq!(desk.document(&["clients"])["clients"], json!([]));
    });
}

#[test]
fn the_database_has_to_be_named_and_to_be_there() {
    let mut terminal = Terminal::at("", "standard");
    terminal.db = None;
    for command in ["migrate", "check", "clients", "grants", "sweep"] {
        terminal.run(&["broker", command], "").has_failed(2, "--db is required");
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("none.db");
    let mut terminal = Terminal::at(format!("sqlite:{}", file.display()), "standard");
    for command in ["check", "clients", "grants", "sweep"] {
        let output = terminal.run(&["broker", command], "");
        output.has_failed(if cfg!(feature = "sqlite") { 3 } else { 2 }, "");
        if cfg!(feature = "sqlite") {
            assert!(output.stderr.contains(r#""keyward broker migrate" makes it"#), "{}", output.stderr);
        }
    }
    assert!(!file.exists());
}

/// `keyward broker` is about no schema of keys.
#[test]
fn whatever_the_schema_the_commands_are_the_same() {
    over_each_engine(|desk| {
        for schema in ["standard", "scraper", "mesh", "aggregator"] {
            desk.terminal.schema = Some(schema);
            assert_eq!(desk.document(&["check"]), json!({ "differences": [] }));
        }
        desk.terminal.prefix = None;
        desk.terminal.schema = None;
        assert_eq!(desk.document(&["check"]), json!({ "differences": [] }));
    });
}

#[test]
fn help_manual_pages_and_completions_know_the_commands() {
    let mut terminal = Terminal::at("sqlite:nothing.db", "standard");
    let help = terminal.run(&["broker", "--help"], "").stdout;
    for command in ["migrate", "check", "clients", "register", "grants", "revoke", "sweep"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let page = terminal.run(&["man", "broker", command], "").stdout;
        assert!(page.contains(".TH "), "{command}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = terminal.run(&["completions", shell], "").stdout;
        assert!(script.contains("redirect-uri") && script.contains("clients-unused-for"), "{shell}");
        assert_eq!(script.contains("user-header"), cfg!(feature = "serve"), "{shell}");
    }
    if cfg!(feature = "serve") {
        let page = terminal.run(&["man", "serve"], "").stdout;
        assert!(page.contains("user\\-header"), "{page}");
        // What it is, where it is chosen: it is believed.
        for help in ["-h", "--help"] {
            let help = terminal.run(&["serve", help], "").stdout;
            let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains("It is believed, whoever sends it") && words.contains("KEYWARD_ISSUER"), "{help}");
        }
    }
}
