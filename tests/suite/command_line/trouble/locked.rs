//! A lock that another session holds: no command waits for ever, and a verdict does not wait at all.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::time::Duration;

use crate::command_line::terminal::{Key, Terminal, over_new_databases};

const ACME: [&str; 4] = ["--owner", "acme", "--name", "n"];

/// Much longer than any command may wait, and much shorter than for ever.
pub(in crate::command_line) const BOUND: Duration = Duration::from_secs(20);

/// Runs `script` while another session holds what a change of `key` takes: its row on PostgreSQL, and the one place for
/// a writer on SQLite.
fn while_locked(terminal: &mut Terminal, key: &Key, script: impl FnOnce(&mut Terminal)) {
    while_held(terminal, &format!("SELECT id FROM api_keys WHERE id = '{}' FOR UPDATE", key.id), script);
}

/// As [`while_locked`], with `lock` on PostgreSQL.
pub(in crate::command_line) fn while_held(terminal: &mut Terminal, lock: &str, script: impl FnOnce(&mut Terminal)) {
    let db = terminal.db.clone().unwrap();
    #[cfg(feature = "sqlite")]
    if let Some(path) = db.strip_prefix("sqlite:") {
        let other = rusqlite::Connection::open(path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        script(terminal);
        other.execute_batch("ROLLBACK").unwrap();
        return;
    }
    #[cfg(feature = "postgres")]
    {
        use sqlx::{Connection as _, Executor as _};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut other = runtime.block_on(async {
            let mut other = sqlx::PgConnection::connect(&db).await.unwrap();
            other.execute(sqlx::AssertSqlSafe(format!("BEGIN; {lock}"))).await.unwrap();
            other
        });
        script(terminal);
        runtime.block_on(async { other.execute("ROLLBACK").await.unwrap() });
    }
}

/// The engines' words for it differ, so that what is printed is not compared.
fn over_each_engine(script: impl Fn(&mut Terminal, &Key)) {
    over_new_databases("scraper", |terminal| {
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        let key = terminal.issue(&["--owner", "acme", "--name", "n"]);
        script(&mut terminal.apart(), &key);
    });
}

#[test]
fn a_verdict_is_out_before_its_use_waits_and_the_wait_changes_nothing() {
    over_each_engine(|terminal, key| {
        while_locked(terminal, key, |terminal| {
            let start = tokio::time::Instant::now();
            let mut verifying = terminal.command(&["verify"]).spawn().unwrap();
            verifying.stdin.take().unwrap().write_all(key.secret.as_bytes()).unwrap();
            let mut verdict = String::new();
            BufReader::new(verifying.stdout.as_mut().unwrap()).read_line(&mut verdict).unwrap();
            assert!(verdict.starts_with("accepted "), "{verdict}");
            let mut said = String::new();
            verifying.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            assert!(verifying.wait().unwrap().success(), "{said}");
            assert!(said.starts_with("keyward: the use was not recorded: "), "{said}");
            assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
        });
        terminal.verify(&key.secret, &[]).is_accepted();
        assert!(terminal.document(&["get", &key.id])["last_used_at"].is_string());
    });
}

#[test]
fn a_refusal_does_not_wait() {
    over_each_engine(|terminal, key| {
        terminal.document(&["revoke", &key.id]);
        while_locked(terminal, key, |terminal| terminal.verify(&key.secret, &[]).is_refused("revoked"));
    });
}

#[test]
fn a_change_behind_a_lock_ends_as_an_outage_and_leaves_everything_as_it_was() {
    over_each_engine(|terminal, key| {
        let before = terminal.document(&["list", "--owner", "acme"]);
        let changes = [&["revoke", &key.id][..], &["revoke-all", "--owner", "acme"], &["rotate", &key.id]];
        while_locked(terminal, key, |terminal| {
            for command in changes {
                let start = tokio::time::Instant::now();
                terminal.run(command, "").has_failed(3, "somebody else holds a lock");
                assert!(start.elapsed() < BOUND, "{command:?} took {:?}", start.elapsed());
            }
            assert_eq!(terminal.document(&["list", "--owner", "acme"]), before, "reading does not wait");
        });
        assert_eq!(terminal.document(&["list", "--owner", "acme"]), before);
        assert_eq!(terminal.document(&["revoke", &key.id])["already_revoked"], false);
    });
}

#[test]
fn issuing_behind_a_lock_on_the_table_ends_as_an_outage_and_makes_nothing() {
    over_each_engine(|terminal, _| {
        while_held(terminal, "LOCK TABLE api_keys IN SHARE MODE", |terminal| {
            let start = tokio::time::Instant::now();
            terminal.run(&[&["issue"], &ACME[..]].concat(), "").has_failed(3, "somebody else holds a lock");
            assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
        });
        assert_eq!(terminal.document(&["list", "--owner", "acme"])["keys"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_command_gives_up_when_the_operator_says_so() {
    over_each_engine(|terminal, key| {
        while_locked(terminal, key, |terminal| {
            let revoke = ["--timeout", "500ms", "revoke", &key.id];
            terminal.run(&revoke, "").has_failed(3, "did not answer within 500ms");
        });
        terminal.verify(&key.secret, &[]).is_accepted();
    });
}

/// What reads the table waits only for who rebuilds it.
#[cfg(feature = "postgres")]
#[test]
fn reading_behind_a_lock_on_the_whole_table_ends_as_an_outage() {
    over_each_engine(|terminal, key| {
        if !terminal.db.as_ref().unwrap().starts_with("postgres") {
            return;
        }
        while_held(terminal, "LOCK TABLE api_keys", |terminal| {
            for command in [&["list", "--owner", "acme"][..], &["get", &key.id], &["verify"]] {
                let start = tokio::time::Instant::now();
                let output = terminal.run(&[&["--timeout", "5s"], command].concat(), &key.secret);
                output.has_failed(3, "");
                assert!(start.elapsed() < BOUND, "{command:?} took {:?}", start.elapsed());
            }
        });
    });
}
