//! The program itself: which schema is meant, options of other schemas, completions, manual pages, and a terminal.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::terminal::{Terminal, over_both_engines};

#[test]
fn the_schema_is_standard_unless_an_option_or_the_environment_says_otherwise() {
    let mut terminal = Terminal::at("sqlite:nothing.db", "mesh");
    let rules = |terminal: &mut Terminal, variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = terminal.command(&[&["scanner-rules"], arguments].concat());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(rules(&mut terminal, &[], &[]).starts_with("mesh  "));
    terminal.schema = None;
    assert!(rules(&mut terminal, &[("KEYWARD_SCHEMA", "scraper")], &[]).starts_with("scraper  "));
    let both = [("KEYWARD_SCHEMA", "scraper")];
    assert!(rules(&mut terminal, &both, &["--schema=aggregator"]).starts_with("aggregator  "));
    let all = rules(&mut terminal, &[], &[]);
    let schemas: Vec<_> = all.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(schemas, ["standard", "scraper", "mesh", "aggregator"]);
    let own = rules(&mut terminal, &[], &["--schema=standard", "--accept-prefix=old", "--accept-prefix=older"]);
    assert_eq!(own.lines().count(), 3, "{own}");
    assert!(own.lines().zip(["acme", "old", "older"]).all(|(rule, prefix)| rule.contains(prefix)), "{own}");
    terminal.prefix = None;
    assert!(rules(&mut terminal, &[], &[]).starts_with("scraper  "), "without a prefix there is no rule for standard");
    let said = terminal.run(&["scanner-rules"], "").stderr;
    assert!(said.starts_with("there is no rule for standard: --prefix is required"), "{said}");
    terminal.run(&["scanner-rules", "--schema", "standard"], "").has_failed(2, "--prefix is required");
    let variables = [("KEYWARD_SCHEMA", OsStr::new("nothing"))];
    terminal
        .run_with(variables, &["check"], "")
        .has_failed(2, "--schema is one of standard, scraper, mesh, aggregator");
}

#[test]
fn an_option_or_a_command_of_another_schema_is_named() {
    for (schema, arguments, said) in [
        ("mesh", &["issue", "--scope", "x"][..], "--scope is not for --schema mesh"),
        ("mesh", &["issue", "--prefix", "acme"], "--prefix is not for --schema mesh"),
        ("mesh", &["list", "--count"], "--count is not for --schema mesh"),
        ("scraper", &["--by", "ada", "check"], "--by is not for --schema scraper"),
        ("scraper", &["list", "--name", "x"], "--name is not for --schema scraper"),
        ("aggregator", &["verify", "--strict"], "--strict is not for --schema aggregator"),
        ("standard", &["verify", "--strict"], "--strict is not for --schema standard"),
        ("standard", &["issue", "--label", "x"], "--label is not for --schema standard"),
        ("standard", &["info", "--owner", "x"], "info is not for --schema standard"),
        ("scraper", &["history", "x"], "history is not for --schema scraper"),
        ("mesh", &["disable", "x"], "disable is not for --schema mesh"),
        ("mesh", &["purge", "--older-than", "1d"], "purge is not for --schema mesh"),
        ("aggregator", &["import"], "import is not for --schema aggregator"),
        ("scraper", &["list"], "--owner is required"),
        ("mesh", &["revoke", "x"], "--owner is required"),
    ] {
        let mut terminal = Terminal::at("sqlite:nothing.db", schema);
        terminal.run(arguments, "").is(2, "", &format!("keyward: {said}\n"));
    }
}

#[test]
fn an_unknown_option_is_named_unless_it_may_be_a_key() {
    let mut terminal = Terminal::at("sqlite:nothing.db", "standard");
    for (arguments, said) in [
        (&["list", "--nothing"][..], "there is no option --nothing here"),
        (&["list", "--nothing=hunter2"], "there is no option --nothing here"),
        (&["list", "--limt", "3"], "there is no option --limt here; there is --limit"),
        (&["verify", "--acme_live_4eC39HqLyjWDarjtT1zdp7dc"], "there is an option that this command does not take"),
        (&["verify", "acme_live_4eC39HqLyjWDarjtT1zdp7dc"], "there is an argument that this command does not take"),
        (&["--schema", "acme_live_4eC39HqLyjWDarjtT1zdp7dc"], "--schema is one of"),
    ] {
        terminal.schema = None;
        let output = terminal.run(arguments, "");
        output.has_failed(2, said);
        assert!(!output.stderr.contains("4eC39") && !output.stderr.contains("hunter2"), "{}", output.stderr);
    }
}

#[test]
fn a_schema_of_own_tables_can_be_chosen_on_postgresql_alone() {
    over_both_engines("standard", |terminal| {
        let migrate = ["migrate", "--postgres-schema", "keys_of_acme"];
        let mut apart = terminal.apart();
        if terminal.is_postgres() {
            assert_eq!(apart.run(&migrate, "").status, 0);
            terminal.sql("SELECT id FROM keys_of_acme.keys");
            let issue = ["issue", "--owner", "a", "--name", "n", "--postgres-schema", "keys_of_acme"];
            assert_eq!(apart.run(&issue, "").status, 0);
            assert_eq!(apart.document(&["list", "--count"])["count"], 0);
            assert_eq!(apart.document(&["list", "--count", "--postgres-schema", "keys_of_acme"])["count"], 1);
            apart.run(&["list", "--postgres-schema", "Keys"], "").has_failed(2, "--postgres-schema: ");
        } else {
            apart.run(&migrate, "").has_failed(2, "--postgres-schema is for postgres:// databases");
        }
    });
}

#[test]
fn completions_and_manual_pages_know_the_options_of_every_schema() {
    let mut terminal = Terminal::at("sqlite:nothing.db", "standard");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = terminal.run(&["completions", shell], "");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        for option in ["older-than", "capability", "no-topics", "foreign-lengths"] {
            assert!(output.stdout.contains(option), "{shell} does not know --{option}");
        }
    }
    let page = terminal.run(&["man"], "");
    assert!(page.stdout.contains(".TH keyward 1") && page.stdout.contains("keyward\\-issue"), "{}", page.stdout);
    let page = terminal.run(&["man", "verify"], "");
    assert!(page.stdout.contains("strict") && page.stdout.contains("admin\\-implies\\-all"), "{}", page.stdout);
    if cfg!(feature = "reqwest") {
        let page = terminal.run(&["man", "credential", "token"], "");
        assert!(page.stdout.contains("margin") && page.stdout.contains("seal\\-keys"), "{}", page.stdout);
    }
    terminal.run(&["man", "nothing"], "").has_failed(2, "there is no such command");
    terminal.run(&["completions", "nothing"], "").has_failed(2, "bash");
    assert!(terminal.document(&["man"])["page"].as_str().unwrap().starts_with(".ie"));
}

/// `script`, of util-linux, gives the command a terminal. What is typed there ends at Enter, and is not shown.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_the_key_is_asked_for_and_not_shown() {
    over_both_engines("standard", |terminal| {
        let key = terminal.issue(&["--owner", "acme", "--name", "nightly import"]);
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command"]).arg(format!("{} verify", env!("CARGO_BIN_EXE_keyward")));
        script.arg("/dev/null").env("KEYWARD_DB", terminal.db.as_ref().unwrap()).env("KEYWARD_PREFIX", "acme");
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut typed = script.stdin.take().unwrap();
        let mut prompt = [0; 5];
        let mut screen = script.stdout.take().unwrap();
        screen.read_exact(&mut prompt).unwrap();
        assert_eq!(&prompt, b"key: ");
        // The terminal itself shows what is typed before the echo is off, which is right after the prompt.
        std::thread::sleep(Duration::from_millis(300));
        writeln!(typed, "{}", key.secret).unwrap();
        let mut shown = String::new();
        screen.read_to_string(&mut shown).unwrap();
        assert!(script.wait().unwrap().success(), "{shown}");
        assert!(shown.contains("nightly import"), "{shown}");
        assert!(!shown.contains(&key.secret), "the key was shown");
        drop(typed);
    });
}
