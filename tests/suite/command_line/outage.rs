//! A store that is out of reach or not fit: status 3, whatever the command, and the cause in words.

use super::terminal::Terminal;

const SCRAPER: &str = "scraper";
const ID: &str = "00000000-0000-4000-8000-000000000000";
const SECRET: &str = "riq_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Every command that asks for keys.
const ASKING: [&[&str]; 7] = [
    &["issue", "--owner", "acme", "--name", "nightly import"],
    &["verify"],
    &["list", "--owner", "acme"],
    &["get", ID],
    &["revoke", ID],
    &["revoke-all", "--owner", "acme"],
    &["rotate", ID],
];

/// The command fails with status 3 in both forms of output, says `said`, and does not take it for a verdict.
fn is_unavailable(terminal: &mut Terminal, command: &[&str], said: &str) {
    let output = terminal.run(command, SECRET);
    output.has_failed(3, said);
    assert_eq!(output.stdout, "");
    assert!(!output.stderr.contains("refused: "), "{}", output.stderr);
    let output = terminal.run(&[&["--json"], command].concat(), SECRET);
    output.has_failed(3, said);
    let document = output.json();
    assert_eq!((&document["error"], &document["accepted"]), (&"unavailable".into(), &serde_json::Value::Null));
    assert!(document["message"].as_str().unwrap().contains(said));
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::io::{BufRead as _, BufReader, Write as _};

    use super::{ASKING, SCRAPER, Terminal, is_unavailable};
    use crate::support::sqlite::Database;

    fn at(database: &Database) -> Terminal {
        Terminal::at(format!("sqlite:{}", database.path().display()), SCRAPER)
    }

    #[test]
    fn a_file_that_is_missing_is_named_and_not_made() {
        let database = Database::new();
        let path = database.path().display().to_string();
        for command in ASKING.into_iter().chain([&["check"][..]]) {
            let said = format!("there is no database {path}: \"keyward migrate\" makes it");
            is_unavailable(&mut at(&database), command, &said);
        }
        assert!(!database.path().exists());
        assert_eq!(at(&database).run(&["migrate"], "").status, 0);
        assert_eq!(at(&database).run(&["check"], "").status, 0);
    }

    #[test]
    fn a_verdict_is_printed_before_its_use_is_written() {
        let database = Database::new();
        let mut terminal = at(&database);
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        let key = terminal.issue(&["--owner", "acme", "--name", "nightly import"]);
        // Somebody else is writing, so that the use has to wait.
        let other = database.connection();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut verifying = terminal.command(&["verify"]).spawn().unwrap();
        verifying.stdin.take().unwrap().write_all(key.secret.as_bytes()).unwrap();
        let mut verdict = String::new();
        BufReader::new(verifying.stdout.as_mut().unwrap()).read_line(&mut verdict).unwrap();
        assert!(verdict.starts_with("accepted "), "{verdict}");
        assert!(verifying.try_wait().unwrap().is_none(), "the use cannot be written yet");
        other.execute_batch("COMMIT").unwrap();
        assert!(verifying.wait().unwrap().success());
        assert!(terminal.document(&["get", &key.id])["last_used_at"].is_string());
    }

    #[test]
    fn a_directory_that_is_missing_is_named() {
        let database = Database::new();
        let path = database.path().join("keys.db").display().to_string();
        is_unavailable(&mut Terminal::at(format!("sqlite:{path}"), SCRAPER), &["migrate"], &path);
    }

    #[test]
    fn a_directory_is_no_database() {
        let database = Database::new();
        std::fs::create_dir(database.path()).unwrap();
        for command in ASKING.into_iter().chain([&["check"][..], &["migrate"]]) {
            is_unavailable(&mut at(&database), command, "unable to open database file");
        }
    }

    #[test]
    fn a_file_of_something_else_is_no_database_and_stays_as_it_is() {
        let database = Database::new();
        let text = "something else, and longer than the head of a database file is: ".repeat(4);
        std::fs::write(database.path(), &text).unwrap();
        for command in ASKING.into_iter().chain([&["check"][..], &["migrate"]]) {
            is_unavailable(&mut at(&database), command, "not a database");
        }
        assert_eq!(std::fs::read_to_string(database.path()).unwrap(), text);
    }

    #[test]
    fn a_database_without_the_tables_is_reported_by_the_one_that_is_missing() {
        let database = Database::new();
        database.connection().execute_batch("CREATE TABLE unrelated (id INTEGER)").unwrap();
        for command in ASKING {
            is_unavailable(&mut at(&database), command, "no such table: api_keys");
        }
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::process::{Child, Command, Stdio};

    use sqlx::postgres::PgConnection;
    use sqlx::{Connection as _, Executor as _};

    use super::super::terminal::wait_for;
    use super::{ASKING, SCRAPER, SECRET, Terminal, is_unavailable};
    use crate::support::postgres::Database;

    #[test]
    fn a_server_that_is_not_there_is_unavailable_and_the_password_is_not_repeated() {
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut terminal = Terminal::at(format!("postgres://root:hunter2@127.0.0.1:{port}/keys"), SCRAPER);
        for command in ASKING.into_iter().chain([&["check"][..], &["migrate"]]) {
            is_unavailable(&mut terminal, command, "onnection refused");
            assert!(!format!("{:?}", terminal.run(command, SECRET)).contains("hunter2"));
        }
    }

    #[test]
    fn a_database_that_does_not_exist_is_named() {
        let database = wait_for(Database::new());
        let url = database.url().replace("/keyward_", "/nowhere_");
        for command in ASKING.into_iter().chain([&["check"][..], &["migrate"]]) {
            is_unavailable(&mut Terminal::at(&url, SCRAPER), command, "database \"nowhere_");
        }
    }

    #[test]
    fn a_database_without_the_tables_is_reported_by_the_one_that_is_missing() {
        let database = wait_for(Database::new());
        for command in ASKING {
            is_unavailable(&mut Terminal::at(database.url(), SCRAPER), command, "\"api_keys\" does not exist");
        }
    }

    /// A server of a test's own, which it may stop.
    struct Server {
        script: Child,
        url: String,
    }

    impl Server {
        fn start() -> Self {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres");
            let mut script = Command::new(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut url = String::new();
            BufReader::new(script.stdout.take().unwrap()).read_line(&mut url).unwrap();
            assert!(!url.is_empty(), "no server: the script has said why on standard error");
            Self { script, url: url.trim().to_owned() }
        }

        /// Closes the server's life line and waits until it is gone.
        fn stop(mut self) {
            drop(self.script.stdin.take());
            self.script.wait().unwrap();
        }
    }

    #[test]
    fn a_server_that_stops_makes_every_command_say_so_even_one_that_is_running() {
        let server = Server::start();
        let mut terminal = Terminal::at(&server.url, SCRAPER);
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        let key = terminal.issue(&["--owner", "acme", "--name", "nightly import"]);
        terminal.verify(&key.secret, &[]).is_accepted();

        // Somebody else holds the table, so that a revocation is under way when the server goes.
        let revoke = ["--json", "revoke", &key.id];
        let revoking = wait_for(async {
            let mut holder = PgConnection::connect(&server.url).await.unwrap();
            holder.execute("BEGIN; LOCK TABLE api_keys").await.unwrap();
            let revoking = terminal.command(&revoke).spawn().unwrap();
            let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'api_keys'::regclass";
            while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut holder).await.unwrap() == 0 {}
            server.stop();
            revoking
        });
        let output = terminal.finish(revoking, &revoke, "");
        output.has_failed(3, "");
        assert_eq!(output.json()["error"], "unavailable");

        for command in ASKING.into_iter().chain([&["check"][..], &["migrate"]]) {
            is_unavailable(&mut terminal, command, "onnection refused");
        }
        terminal.run(&["--json", "verify"], &key.secret).has_failed(3, "onnection refused");
    }
}
