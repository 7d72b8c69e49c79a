//! Resource servers that ask what a token means: named by a file or by the environment, and by nothing that others can read.

use serde_json::json;

use super::{Folder, OTHER_RESOURCE, RESOURCE, Server, over_each_engine};
use crate::command_line::terminal::Terminal;

const SECRET: &str = "b4e3f0f1c6a94a2d8a54f3b0c7b1d9e2";
const OTHER_SECRET: &str = "00112233445566778899aabbccddeeff";

/// What is asked of a server that knows `notes` for everything and `files` for the other resource.
fn answers_whom_it_should(server: &Server) {
    let (_, issued) = server.sign_in("ada");
    let token = issued["access_token"].as_str().unwrap();
    let seen = server.introspect("notes", SECRET, token);
    assert_eq!((seen.status, &seen.json()["active"], &seen.json()["sub"]), (200, &json!(true), &json!("ada")));
    assert_eq!((&seen.json()["aud"], &seen.json()["scope"]), (&json!(RESOURCE), &json!("read")));
    assert_eq!(server.introspect("files", OTHER_SECRET, token).json(), json!({ "active": false }));
    assert_eq!(server.introspect("notes", SECRET, "unknown").json(), json!({ "active": false }));
    for (id, secret) in [("notes", OTHER_SECRET), ("notes", ""), ("nobody", SECRET), ("", "")] {
        let refused = server.introspect(id, secret, token);
        assert_eq!((refused.status, &refused.json()["error"]), (401, &json!("invalid_client")), "{id}");
    }
    assert_eq!(server.form("/introspect", &[], &[("token", token)]).status, 401);
}

#[test]
fn a_file_names_them() {
    let folder = Folder::new();
    let content = format!("# who may ask\n\nnotes {SECRET}\n  files\t{OTHER_SECRET} {OTHER_RESOURCE}\n");
    let file = folder.file("servers", &content, 0o600);
    over_each_engine(|terminal, _| {
        let more = ["--resource", OTHER_RESOURCE, "--resource-servers", file.to_str().unwrap()];
        let server = Server::start(terminal, &more);
        answers_whom_it_should(&server);
    });
}

#[test]
fn the_environment_names_them_where_there_is_no_file() {
    over_each_engine(|terminal, _| {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--resource", OTHER_RESOURCE];
        let mut command = terminal.command(&[&arguments[..], &super::REQUIRED, &super::SCOPES].concat());
        command.env("KEYWARD_RESOURCE_SERVERS", format!("notes {SECRET}, files {OTHER_SECRET} {OTHER_RESOURCE}"));
        // The first of the resources is the one where a client names none; this one names it.
        answers_whom_it_should(&Server::spawn(command));
    });
}

#[test]
fn a_file_that_will_not_do_is_named_and_no_secret_is_repeated() {
    let folder = Folder::new();
    let line = format!("notes {SECRET}");
    let long = format!("{line}\n{}", "#".repeat(64 * 1024));
    let elsewhere = format!("files {SECRET} https://api.example/notes/");
    let mut terminal = Terminal::at("sqlite:nothing.db", "standard");
    for (content, mode, said) in [
        (line.as_str(), 0o644, "`chmod 600` closes it"),
        (&line, 0o640, "`chmod 600` closes it"),
        (&line, 0o602, "`chmod 600` closes it"),
        ("notes\n", 0o600, "entry 1: the secret must have 32 or more characters"),
        ("notes b4e3f0f1c6a94a2d8a54f3b0c7b1d9e\n", 0o600, "entry 1: the secret must have 32 or more characters"),
        (&format!("{line}\n\n{line}\n"), 0o600, "entry 3: the identifier stands there twice"),
        (&format!("{line} ftp://api.example"), 0o600, "a resource must be an https URL"),
        (&elsewhere, 0o600, "none of those that --resource names"),
        (&format!("{line} {RESOURCE} more"), 0o600, "there is more than an identifier, a secret and a resource"),
        // A file that is cut off would be one with fewer of them.
        (&long, 0o600, "longer than 65536 bytes"),
    ] {
        let file = folder.file("servers", content, mode);
        let arguments = [&["serve", "--resource-servers", file.to_str().unwrap()], &super::REQUIRED[..]].concat();
        for form in [&[][..], &["--json"]] {
            let output = terminal.run(&[form, &arguments].concat(), "");
            output.has_failed(2, said);
            assert!(output.stderr.contains("--resource-servers: "), "{}", output.stderr);
            assert!(!format!("{output:?}").contains("b4e3f0f1"), "{output:?}");
        }
    }
    let missing = folder.0.path().join("missing");
    for path in [missing.to_str().unwrap(), folder.0.path().to_str().unwrap()] {
        let arguments = [&["serve", "--resource-servers", path], &super::REQUIRED[..]].concat();
        terminal.run(&arguments, "").has_failed(2, "--resource-servers: ");
    }
}

#[test]
fn an_environment_that_will_not_do_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let mut terminal = Terminal::at("sqlite:nothing.db", "standard");
    let serve = [&["serve"], &super::REQUIRED[..]].concat();
    for (value, said) in [
        (&b"notes"[..], "KEYWARD_RESOURCE_SERVERS: entry 1: "),
        (b"a b4e3f0f1c6a94a2d8a54f3b0c7b1d9e2,notes short", "KEYWARD_RESOURCE_SERVERS: entry 2: "),
        (b"notes \xff", "KEYWARD_RESOURCE_SERVERS is not encoded in UTF-8"),
    ] {
        let variables = [("KEYWARD_RESOURCE_SERVERS", OsStr::from_bytes(value))];
        let output = terminal.run_with(variables, &serve, "");
        output.has_failed(2, said);
        assert!(!output.stderr.contains("b4e3f0f1"), "{}", output.stderr);
    }
}
