//! A terminal at which the real binary is run, and what has to hold whatever is typed there.

use std::ffi::OsStr;
use std::future::Future;
use std::io::{ErrorKind, Write as _};
use std::process::{Child, Command, Stdio};

use keyward::Visible;
use serde_json::Value;

use super::transcript::{self, Transcript};
use crate::support::Database;

/// Runs `script` over a fresh database of each engine, where the schema's tables are not made yet, and compares what
/// was printed.
pub(super) fn over_new_databases(schema: &'static str, script: impl Fn(&mut Terminal)) {
    let mut transcripts = Vec::new();
    let mut run = |database: Database| {
        let mut terminal = Terminal::over(database, schema);
        script(&mut terminal);
        transcripts.push(terminal.transcript.into_text());
    };
    #[cfg(feature = "sqlite")]
    run(Database::sqlite());
    #[cfg(feature = "postgres")]
    run(wait_for(Database::postgres()));
    for other in &transcripts[1..] {
        assert_eq!(&transcripts[0], other, "the engines' output differs");
    }
}

/// As [`over_new_databases`], after `keyward migrate`.
pub(super) fn over_both_engines(schema: &'static str, script: impl Fn(&mut Terminal)) {
    over_new_databases(schema, |terminal| {
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        script(terminal);
    });
}

/// Where `keyward` is typed: which database and which schema the commands are about.
#[derive(Debug)]
pub(super) struct Terminal {
    pub(super) db: Option<String>,
    pub(super) schema: Option<&'static str>,
    /// What the keys of the schema `standard` start with, as the environment says.
    pub(super) prefix: Option<&'static str>,
    database: Option<Database>,
    /// What must not be printed again: plaintexts that were issued here, and whatever was presented.
    secrets: Vec<String>,
    transcript: Transcript,
}

/// What a command has left behind.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) status: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// A key that was issued.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: String,
    /// The whole document.
    pub(super) document: Value,
}

impl Terminal {
    /// About the database that `db` names, which may not be there.
    pub(super) fn at(db: impl Into<String>, schema: &'static str) -> Self {
        Self {
            db: Some(db.into()),
            schema: Some(schema),
            prefix: Some("acme"),
            database: None,
            secrets: Vec::new(),
            transcript: Transcript::default(),
        }
    }

    /// Another terminal about the same database, whose output is not compared.
    pub(super) fn apart(&self) -> Self {
        Self::at(self.db.as_ref().unwrap(), self.schema.unwrap())
    }

    fn over(database: Database, schema: &'static str) -> Self {
        let db = match &database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(file) => format!("sqlite:{}", file.path().display()),
            #[cfg(feature = "postgres")]
            Database::Postgres(database) => database.url(),
        };
        Self { database: Some(database), ..Self::at(db, schema) }
    }

    /// Runs a command with `stdin` on its standard input.
    pub(super) fn run(&mut self, arguments: &[&str], stdin: impl AsRef<[u8]>) -> Output {
        self.run_with([], arguments, stdin)
    }

    /// As [`run`](Self::run), with environment variables.
    pub(super) fn run_with<const N: usize>(
        &mut self,
        variables: [(&str, &OsStr); N],
        arguments: &[&str],
        stdin: impl AsRef<[u8]>,
    ) -> Output {
        let running = self.start(variables, arguments, stdin.as_ref());
        self.finish(running, arguments, stdin.as_ref())
    }

    /// The command as it is typed here, with pipes for everything that goes in and comes out.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        for variable in ["KEYWARD_DB", "KEYWARD_SCHEMA", "KEYWARD_PREFIX", "KEYWARD_ENVIRONMENT"] {
            command.env_remove(variable);
        }
        command.envs(self.prefix.map(|prefix| ("KEYWARD_PREFIX", prefix)));
        command.args(self.db.iter().flat_map(|db| ["--db", db]));
        command.args(self.schema.iter().flat_map(|schema| ["--schema", *schema]));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start<const N: usize>(&self, variables: [(&str, &OsStr); N], arguments: &[&str], stdin: &[u8]) -> Child {
        let mut child = self.command(arguments).envs(variables).spawn().unwrap();
        match child.stdin.take().unwrap().write_all(stdin) {
            // A command that has seen enough does not read on.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            written => written.unwrap(),
        }
        child
    }

    /// Waits for the end of a command that was started, and checks what has to hold for all of them.
    pub(super) fn finish(&mut self, running: Child, arguments: &[&str], stdin: impl AsRef<[u8]>) -> Output {
        let output = running.wait_with_output().unwrap();
        let output = Output {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        // The test harness shows this for a test that fails.
        println!("$ keyward {}\n{}{}status: {}\n", arguments.join(" "), output.stdout, output.stderr, output.status);
        self.check_secrecy(arguments, stdin.as_ref(), &output);
        // Scripts for shells and manual pages are files of other programs.
        if !arguments.iter().any(|word| ["completions", "man"].contains(word)) {
            let hidden =
                output.stdout.lines().chain(output.stderr.lines()).find(|line| line.contains(Visible::writes_out));
            assert_eq!(hidden, None, "something is printed that nobody sees");
        }
        assert!((0..=4).contains(&output.status), "{} is no status of keyward", output.status);
        if arguments.contains(&"--json") {
            check_document(&output.json());
        }
        self.transcript.record(arguments, &output);
        output
    }

    /// A plaintext is printed once, by the command that makes the key, on standard output; what was presented as a
    /// key never is.
    fn check_secrecy(&mut self, arguments: &[&str], stdin: &[u8], output: &Output) {
        let presented = String::from_utf8_lossy(stdin).trim().to_owned();
        // What is as short as a prefix occurs in messages.
        self.secrets.extend((presented.len() > 16).then_some(presented));
        for secret in &self.secrets {
            assert!(!output.stdout.contains(secret), "a plaintext is on standard output");
            assert!(!output.stderr.contains(secret), "a plaintext is on standard error");
        }
        let new = transcript::secrets(&output.stdout);
        let makes_a_key = arguments.iter().any(|word| ["issue", "rotate"].contains(word));
        assert!(new.len() <= usize::from(makes_a_key && output.status == 0), "a plaintext is on standard output");
        assert!(transcript::secrets(&output.stderr).is_empty(), "a plaintext is on standard error");
        self.secrets.extend(new);
    }

    /// The document of a command that succeeds.
    pub(super) fn document(&mut self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat(), "");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        output.json()
    }

    /// Issues a key.
    pub(super) fn issue(&mut self, options: &[&str]) -> Key {
        self.make(&[&["issue"], options].concat())
    }

    /// Rotates a key.
    pub(super) fn rotate(&mut self, id: &str, options: &[&str]) -> Key {
        self.make(&[&["rotate", id], options].concat())
    }

    fn make(&mut self, arguments: &[&str]) -> Key {
        let document = self.document(arguments);
        let text = |name: &str| document[name].as_str().unwrap().to_owned();
        Key { id: text("id"), secret: text("secret"), document }
    }

    /// Presents a key, as `keyward verify < FILE` does, and reads the verdict.
    pub(super) fn verify(&mut self, secret: &str, options: &[&str]) -> Verdict {
        let output = self.run(&[&["--json", "verify"], options].concat(), format!("{secret}\n"));
        let document = output.json();
        assert_eq!(document["accepted"], output.status == 0);
        Verdict { status: output.status, document }
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.database.as_ref().is_some_and(Database::is_postgres)
    }

    /// A table of keyward's own, as the engine calls it.
    pub(super) fn own_table(&self, name: &str) -> String {
        self.database.as_ref().unwrap().own_table(name)
    }

    /// Runs plain SQL as another program would.
    pub(super) fn sql(&self, sql: &str) {
        wait_for(self.database.as_ref().unwrap().run(sql));
    }
}

/// What `verify` says of a key.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) status: i32,
    pub(super) document: Value,
}

impl Verdict {
    #[track_caller]
    pub(super) fn is_accepted(&self) {
        assert_eq!((self.status, &self.document["reason"]), (0, &Value::Null));
    }

    #[track_caller]
    pub(super) fn is_refused(&self, reason: &str) {
        assert_eq!((self.status, &self.document["reason"]), (1, &Value::from(reason)));
    }
}

impl Output {
    /// The one document on standard output.
    pub(super) fn json(&self) -> Value {
        let line = self.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("no line: {:?}", self.stdout));
        assert!(!line.contains('\n'), "more than one line: {line}");
        serde_json::from_str(line).unwrap_or_else(|error| panic!("no single document ({error}): {line}"))
    }

    #[track_caller]
    pub(super) fn is(&self, status: i32, stdout: &str, stderr: &str) {
        assert_eq!((self.status, self.stdout.as_str(), self.stderr.as_str()), (status, stdout, stderr));
    }

    /// The command has failed, and says why, as text or as a document: where `said` is part of it.
    #[track_caller]
    pub(super) fn has_failed(&self, status: i32, said: &str) {
        assert_eq!(self.status, status);
        assert!(self.stderr.contains(said), "{:?} does not say {said:?}", self.stderr);
        if !self.stdout.is_empty() {
            let code = ["refused", "usage", "unavailable", "not_found"][usize::try_from(status).unwrap() - 1];
            assert_eq!(self.json()["error"], code);
        }
    }
}

/// Every document is an object with names in `snake_case`, but for what users have put into it.
#[track_caller]
fn check_document(document: &Value) {
    fn check_names(value: &Value) {
        match value {
            Value::Object(fields) => fields.iter().filter(|(name, _)| *name != "metadata").for_each(|(name, value)| {
                let is_snake_case = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                assert!(is_snake_case, "{name}");
                check_names(value);
            }),
            Value::Array(items) => items.iter().for_each(check_names),
            _ => {}
        }
    }
    assert!(document.is_object(), "not an object: {document}");
    check_names(document);
}

/// Waits for a future of the test's own.
pub(super) fn wait_for<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
