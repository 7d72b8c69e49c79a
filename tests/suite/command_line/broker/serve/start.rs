//! Starting: what is wrong is said before anything is opened, the environment says the same as options, and tables that will not
//! do are refused.

use std::ffi::OsStr;
use std::net::TcpListener;

use super::{ISSUER, REQUIRED, RESOURCE, Server, over_each_engine};
use crate::command_line::terminal::{Terminal, over_new_databases};

/// What has to be said, with another value in the place of one.
fn with<'a>(option: &'a str, value: &'a str) -> Vec<&'a str> {
    let others = REQUIRED.chunks(2).filter(|other| other[0] != option).flatten().copied();
    ["serve"].into_iter().chain(others).chain([option, value]).collect()
}

#[test]
fn what_is_wrong_is_named_and_not_repeated() {
    let mut terminal = Terminal::at("sqlite:nothing.db", "standard");
    let (issuer, resource) =
        ("--issuer: an issuer must be an https URL", "--resource: a resource must be an https URL");
    for (option, value, said) in [
        ("--issuer", "", "--issuer"),
        ("--issuer", "hunter2", issuer),
        ("--issuer", "http://as.example", issuer),
        ("--issuer", "https://as.example?hunter2", issuer),
        ("--issuer", "https://ada:hunter2@as.example", issuer),
        ("--resource", "hunter2", resource),
        ("--resource", "https://api.example/#hunter2", resource),
        ("--resource", "https://api.example,hunter2", resource),
        ("--scope", "hunter2 read", "--scope: "),
        ("--listen", "hunter2", "--listen: "),
        ("--listen", "localhost:8080", "--listen: "),
        ("--user-header", "hunter2 x", "--user-header: this is no name of a header"),
        ("--user-header", "authorization", "--user-header: a proxy that signs people in sets a header of its own"),
        ("--user-header", "Cookie", "--user-header: a proxy that signs people in sets a header of its own"),
        ("--registrations-per-minute", "hunter2", "--registrations-per-minute: "),
        ("--code-lifetime", "11m", "--code-lifetime: 10m is the most"),
        ("--code-lifetime", "0s", "--code-lifetime: 1s is the least"),
        ("--access-token-lifetime", "500ms", "--access-token-lifetime: a number of whole seconds is needed"),
        ("--refresh-token-lifetime", "hunter2", "--refresh-token-lifetime: not a duration, such as 24h"),
        ("--grant-lifetime", "0s", "--grant-lifetime: 1s is the least"),
        ("--refresh-grace", "1500ms", "--refresh-grace: a number of whole seconds is needed"),
        ("--clients-unused-for", "0s", "--clients-unused-for: 1s is the least"),
    ] {
        for form in [&[][..], &["--json"]] {
            let output = terminal.run(&[form, &with(option, value)].concat(), "");
            output.has_failed(2, said);
            assert!(!format!("{output:?}").contains("hunter2"), "{output:?}");
        }
    }
    for missing in ["--issuer", "--resource", "--user-header"] {
        let others: Vec<_> = REQUIRED.chunks(2).filter(|other| other[0] != missing).flatten().copied().collect();
        terminal.run(&[&["serve"], &others[..]].concat(), "").has_failed(2, &format!("{missing} is required"));
    }
    terminal.db = None;
    terminal.run(&[&["serve"], &REQUIRED[..]].concat(), "").has_failed(2, "--db is required");
}

#[test]
fn the_environment_says_what_options_say() {
    over_new_databases("standard", |terminal| {
        let mut apart = terminal.apart();
        let db = apart.db.take().unwrap();
        apart.schema = None;
        let mut command = apart.command(&["serve"]);
        command.envs([
            ("KEYWARD_DB", db.as_str()),
            ("KEYWARD_LISTEN", "127.0.0.1:0"),
            ("KEYWARD_ISSUER", "https://as.example/tenant"),
            ("KEYWARD_RESOURCES", "https://api.example/notes,https://api.example/files"),
            ("KEYWARD_SCOPES", "read,write"),
            ("KEYWARD_USER_HEADER", "X-User"),
            ("KEYWARD_REGISTRATIONS_PER_MINUTE", "0"),
            ("KEYWARD_CODE_LIFETIME", "30s"),
            ("KEYWARD_ACCESS_TOKEN_LIFETIME", "1m"),
            ("KEYWARD_REFRESH_TOKEN_LIFETIME", "1d"),
            ("KEYWARD_GRANT_LIFETIME", "30d"),
            ("KEYWARD_REFRESH_GRACE", "0s"),
            ("KEYWARD_SWEEP_EVERY", "1h"),
            ("KEYWARD_CLIENTS_UNUSED_FOR", "30d"),
            ("KEYWARD_RESOURCE_SERVERS", "notes 00112233445566778899aabbccddeeff"),
        ]);
        let server = Server::spawn(command);
        let metadata = server.get("/.well-known/oauth-authorization-server/tenant").json();
        assert_eq!(metadata["issuer"], "https://as.example/tenant");
        assert_eq!(metadata["scopes_supported"], serde_json::json!(["read", "write"]));
        assert!(metadata.get("registration_endpoint").is_none());
        for resource in ["notes", "files"] {
            let document = server.get(&format!("/.well-known/oauth-protected-resource/{resource}")).json();
            assert_eq!(document["resource"], format!("https://api.example/{resource}"));
        }
        assert_eq!(server.form("/tenant/introspect", &[], &[("token", "x")]).status, 401);
    });
}

#[test]
fn a_port_that_is_taken_is_named() {
    over_each_engine(|terminal, _| {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let output = terminal.run(&[&["serve", "--listen", &address], &REQUIRED[..]].concat(), "");
        output.has_failed(1, &format!("--listen: {address}: "));
    });
}

#[test]
fn it_says_in_a_document_where_it_listens_and_warns_where_others_can_reach_it() {
    over_each_engine(|terminal, _| {
        for (address, is_open) in [("127.0.0.1:0", false), ("0.0.0.0:0", true)] {
            let arguments = [&["--json", "serve", "--listen", address], &REQUIRED[..]].concat();
            let mut child = terminal.command(&arguments).spawn().unwrap();
            let mut said = String::new();
            let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
            std::io::BufRead::read_line(&mut output, &mut said).unwrap();
            let said: serde_json::Value = serde_json::from_str(&said).unwrap();
            assert!(said["listening"].as_str().unwrap().starts_with("http://"), "{said}");
            child.kill().unwrap();
            let log = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
            assert_eq!(log.contains("can say in this header that they are anybody"), is_open, "{log}");
        }
    });
}

#[test]
fn without_its_tables_it_does_not_start_unless_it_may_make_them() {
    over_each_engine(|terminal, host| {
        host.sql("CREATE TABLE of_the_host (id integer)");
        let serve = ["serve", "--listen", "127.0.0.1:0", "--no-migrate"];
        let output = terminal.run(&[&serve[..], &REQUIRED].concat(), "");
        output.has_failed(1, "`keyward broker migrate` makes what is missing");
        assert!(output.stderr.contains("expected a table, found none"), "{}", output.stderr);
        drop(Server::start(terminal, &[]));
        drop(Server::start(terminal, &["--no-migrate"]));
        let migrations = host.own_table("migrations");
        host.sql(&format!("UPDATE {migrations} SET version = 99 WHERE version = 5"));
        let newer = "the tables of broker are at version 99, and this version of keyward knows 5";
        terminal.run(&[&["serve"], &REQUIRED[..]].concat(), "").has_failed(1, newer);
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("none.db");
    let mut terminal = Terminal::at(format!("sqlite:{}", file.display()), "standard");
    let output = terminal.run(&[&["serve", "--no-migrate"], &REQUIRED[..]].concat(), "");
    output.has_failed(if cfg!(feature = "sqlite") { 3 } else { 2 }, "");
    assert!(!file.exists());
    let variables = [("KEYWARD_ISSUER", OsStr::new(ISSUER)), ("KEYWARD_RESOURCES", OsStr::new(RESOURCE))];
    terminal.run_with(variables, &["serve"], "").has_failed(2, "--user-header is required");
}
