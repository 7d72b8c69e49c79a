//! What `grants --credentials` prints, run by the owner of the tables, and then the command line as that role.

use std::ffi::OsStr;

use keyward::schemas::aggregator::Aggregator;

use super::{CLIENT, Columns, DID, Desk, LAYOUTS, OWNER};
use crate::command_line::terminal::{Output, Terminal, wait_for};
use crate::support::Database;
use crate::support::roles::Role;
use crate::support::schemas::TestSchema as _;

const ROLES: [&str; 3] = ["verifier", "issuer", "operator"];

/// Commands that a role types, on a desk that belongs to the owner of the tables.
struct Typing<'d> {
    desk: &'d mut Desk,
    role: String,
    /// The layout, and the client where it is read.
    at: Vec<&'static str>,
}

impl Typing<'_> {
    fn run(&mut self, arguments: &[&str], stdin: &str) -> Output {
        let role = format!("-c role={}", self.role);
        let keys = self.desk.seal_keys.clone();
        let variables = [("PGOPTIONS", OsStr::new(&role)), ("KEYWARD_SEAL_KEYS", OsStr::new(&keys))];
        self.desk.terminal.run_with(variables, &[arguments, &self.at].concat(), stdin)
    }

    #[track_caller]
    fn may(&mut self, is_allowed: bool, arguments: &[&str], stdin: &str) {
        let output = self.run(arguments, stdin);
        if is_allowed {
            assert_eq!(output.status, 0, "{} may {arguments:?}: {}", self.role, output.stderr);
        } else {
            output.has_failed(3, "42501");
        }
    }
}

/// `tables` are made in a new database, and `layout` is typed behind each command.
fn each_role_does_what_it_may(layout: Option<&'static str>, tables: &str) {
    let database = wait_for(Database::postgres());
    let run = |sql: &str| wait_for(database.run(sql));
    run(tables);
    let mut desk = Desk::bare(&Terminal::at(database.as_postgres().url(), "aggregator"));
    let layout: Vec<_> = layout.iter().flat_map(|layout| ["--layout", *layout]).collect();
    assert_eq!(desk.typed(&["migrate"], "").status, 0);
    assert_eq!(desk.run(&[&["migrate"], &layout[..]].concat()).status, 0);
    run(&Aggregator::owner(DID, true));
    let session = desk.session(DID, CLIENT).to_string();
    let import = [&["import", OWNER[0], OWNER[1], "--replace"], &layout[..]].concat();
    assert_eq!(desk.run_on(&import, &session).status, 0);

    if !layout.is_empty() {
        let issue = [&["issue", OWNER[0], OWNER[1]], &layout[..]].concat();
        assert_eq!(desk.typed(&issue, "").status, 0, "a key that is there to be revoked");
    }

    for (rank, role) in ROLES.into_iter().enumerate() {
        let (issues, operates) = (rank > 0, rank > 1);
        let name = wait_for(Role::new(&database, role)).name;
        let typed = [&["grants", "--role", role, "--to", &name, "--credentials"], &layout[..]].concat();
        let printed = desk.typed(&typed, "");
        assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
        run(&printed.stdout);
        // What is presented here differs from role to role.
        desk.terminal = desk.terminal.apart();
        let at = [&layout[..], &["--client-id", CLIENT]].concat();
        let mut typing = Typing { desk: &mut desk, role: name.clone(), at };
        typing.may(true, &["credential", "show", OWNER[0], OWNER[1]], "");
        typing.may(true, &["credential", "list"], "");
        typing.may(true, &["credential", "token", OWNER[0], OWNER[1]], "");
        typing.may(issues, &["credential", "import", OWNER[0], OWNER[1], "--replace"], &signed_in(&typing));
        typing.may(issues, &["credential", "refresh", OWNER[0], OWNER[1]], "");
        typing.may(true, &["credential", "token", OWNER[0], OWNER[1]], "");
        if !layout.is_empty() {
            typing.may(issues, &["issue", OWNER[0], OWNER[1], "--session", "-"], &signed_in(&typing));
            typing.may(operates, &["revoke", OWNER[0], OWNER[1], "--wipe-credential"], "");
            typing.may(issues, &["issue", OWNER[0], OWNER[1], "--session", "-"], &signed_in(&typing));
        }
        typing.may(operates, &["credential", "wipe", OWNER[0], OWNER[1]], "");
        run(&format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}"));
    }
}

/// A session that ends the one before.
fn signed_in(typing: &Typing<'_>) -> String {
    typing.desk.session(DID, CLIENT).to_string()
}

#[test]
fn in_keywards_own_table() {
    each_role_does_what_it_may(None, "");
}

#[test]
fn in_columns_of_text() {
    in_columns(&LAYOUTS[0], "");
}

#[test]
fn in_columns_of_bytes() {
    in_columns(&LAYOUTS[1], "");
}

/// It writes the copies that the host's service wants, and numbers them.
#[test]
fn beside_the_hosts_service() {
    in_columns(&LAYOUTS[2], LAYOUTS[2].beside);
}

/// It deletes the copies that the host's service has left.
#[test]
fn in_columns_of_text_where_there_are_copies_in_clear() {
    in_columns(&LAYOUTS[0], LAYOUTS[2].beside);
}

fn in_columns(columns: &Columns, beside: &str) {
    each_role_does_what_it_may(Some(columns.layout), &format!("{} {beside}", columns.table.postgres));
}

#[test]
fn rights_to_credentials_are_printed_where_they_are_asked_for() {
    let mut terminal = Terminal::at("", "aggregator");
    terminal.db = None;
    let printed = |terminal: &mut Terminal, more: &[&str]| {
        let output = terminal.run(&[&["grants", "--role", "issuer"], more].concat(), "");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        output.stdout
    };
    let keys = printed(&mut terminal, &[]);
    assert!(!keys.contains("credential") && !keys.contains("oauth"), "{keys}");
    let own = printed(&mut terminal, &["--credentials", "--postgres-schema", "acme", "--to", "a'b\"c"]);
    assert!(own.contains("GRANT SELECT, INSERT, UPDATE ("), "{own}");
    assert!(own.contains(r#"ON TABLE "acme"."credentials" TO "a'b""c";"#), "{own}");
    let beside = printed(&mut terminal, &["--credentials", "--layout", "beside-upstream", "--to", "a'b\"c"]);
    assert!(beside.contains(r#"GRANT SELECT ("id", "key_data") ON TABLE "encryption_keys" TO "a'b""c";"#), "{beside}");
    // The statement stands in a text of its own.
    assert!(beside.contains(r#"ON TABLE "oauth_sessions" TO "a''b""c";"#), "{beside}");
    let said = "--layout and --taking-over need --credentials";
    terminal.run(&["grants", "--role", "issuer", "--layout", "in-text"], "").has_failed(2, said);
}
