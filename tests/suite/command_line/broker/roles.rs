//! What `grants --broker` prints, run by the owner of the tables, and then the command line as that role.

use std::ffi::OsStr;

use super::super::terminal::{Terminal, wait_for};
use super::REDIRECT;
use crate::support::Database;
use crate::support::roles::Role;

#[test]
fn each_role_does_what_it_may() {
    let database = wait_for(Database::postgres());
    let run = |sql: &str| wait_for(database.run(sql));
    let mut terminal = Terminal::at(database.as_postgres().url(), "standard");
    assert_eq!(terminal.run(&["broker", "migrate"], "").status, 0);
    for (rank, role) in ["verifier", "issuer", "operator"].into_iter().enumerate() {
        let register = ["broker", "register", "--redirect-uri", REDIRECT];
        let client = terminal.document(&register)["client_id"].as_str().unwrap().to_owned();
        let name = wait_for(Role::new(&database, role)).name;
        let printed = terminal.run(&["grants", "--role", role, "--to", &name, "--broker"], "");
        assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
        assert!(!printed.stdout.contains("\"keys\""), "the rights to keys are others: {}", printed.stdout);
        run(&printed.stdout);
        let options = format!("-c role={name}");
        let mut may = |is_allowed: bool, arguments: &[&str]| {
            let output = terminal.run_with([("PGOPTIONS", OsStr::new(&options))], arguments, "");
            if is_allowed {
                assert_eq!(output.status, 0, "{name} may {arguments:?}: {}", output.stderr);
            } else {
                output.has_failed(3, "42501");
                assert!(output.stderr.contains("`keyward grants --broker` prints the statements"), "{}", output.stderr);
            }
        };
        may(true, &["broker", "check"]);
        may(true, &["broker", "clients"]);
        may(true, &["broker", "grants"]);
        may(rank > 0, &register);
        may(rank > 0, &["broker", "revoke", "--subject", "ada"]);
        may(rank > 1, &["broker", "sweep", "--clients-unused-for", "1d"]);
        may(rank > 1, &["broker", "revoke", "--client", &client, "--remove"]);
        run(&format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}"));
    }
}

#[test]
fn a_role_without_any_right_is_told_which_one_it_lacks() {
    let database = wait_for(Database::postgres());
    let mut terminal = Terminal::at(database.as_postgres().url(), "standard");
    assert_eq!(terminal.run(&["broker", "migrate"], "").status, 0);
    let role = wait_for(Role::new(&database, "nobody"));
    let options = format!("-c role={}", role.name);
    for command in [&["broker", "clients"][..], &["broker", "sweep"]] {
        let output = terminal.run_with([("PGOPTIONS", OsStr::new(&options))], command, "");
        assert!([1, 3].contains(&output.status), "{output:?}");
        assert!(output.stderr.contains("SELECT") || output.stderr.contains("USAGE"), "{}", output.stderr);
    }
    wait_for(role.drop());
}

#[test]
fn rights_to_an_authorization_server_are_asked_for_by_themselves() {
    let mut terminal = Terminal::at("sqlite:nothing.db", "standard");
    let grants = ["grants", "--role", "issuer", "--broker"];
    assert!(terminal.run(&grants, "").stdout.contains("TO \"keyward_issuer\""));
    let elsewhere = terminal.run(&[&grants[..], &["--postgres-schema", "of_acme"]].concat(), "").stdout;
    assert!(elsewhere.contains("\"of_acme\".\"grants\"") && elsewhere.contains("TABLE \"clients\""), "{elsewhere}");
    terminal.run(&[&grants[..], &["--postgres-schema", "Of"]].concat(), "").has_failed(2, "--postgres-schema: ");
    if cfg!(feature = "reqwest") {
        terminal.run(&[&grants[..], &["--credentials"]].concat(), "").has_failed(2, "cannot be used with");
    }
}
