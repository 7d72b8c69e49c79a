//! What a database's URL says. PostgreSQL's is left to sqlx; SQLite's means what it means to sqlx.

use std::path::PathBuf;

use crate::sql::engine::ConnectError;

/// What a URL leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Postgres,
    SqliteFile {
        path: PathBuf,
        /// Whether a file that is missing is made.
        create: bool,
    },
    SqliteMemory,
}

const FILES: &str = "a SQLite file is sqlite:PATH, or sqlite:PATH?mode=rwc to create it";
const MODES: &str = "`mode` is rw, rwc to create the file, or memory; it stands once";
const READ_ONLY: &str = "keyward writes to its database: leave `mode` out, or say mode=rw";
const ONLY_MODE: &str = "the one parameter is `mode`, as in sqlite:PATH?mode=rwc";

pub(super) fn parse(url: &str) -> Result<Target, ConnectError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Target::Postgres);
    }
    let rest = url.strip_prefix("sqlite:").ok_or(ConnectError::UnknownScheme)?;
    // `sqlite://a/b` is the relative path `a/b`: no part of it names a host.
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let mode = mode(parameters)?;
    if path == ":memory:" || mode == Some(Mode::Memory) {
        return Ok(Target::SqliteMemory);
    }
    let path = decoded(path).ok_or(ConnectError::InvalidUrl { expected: "its path has to be UTF-8" })?;
    if path.is_empty() {
        // SQLite would take it for a file that is gone when the program ends.
        return Err(ConnectError::InvalidUrl { expected: FILES });
    }
    if path.contains('\0') {
        return Err(ConnectError::InvalidUrl { expected: "its path cannot hold a NUL" });
    }
    Ok(Target::SqliteFile { path: path.into(), create: mode == Some(Mode::Create) })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Existing,
    Create,
    Memory,
}

fn mode(parameters: &str) -> Result<Option<Mode>, ConnectError> {
    let refused = |parameter: String, expected| Err(ConnectError::UnsupportedParameter { parameter, expected });
    let mut mode = None;
    for pair in parameters.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name).unwrap_or_default();
        if name != "mode" {
            return refused(name, ONLY_MODE);
        }
        let found = match decoded(value).as_deref() {
            Some("rw") => Mode::Existing,
            Some("rwc") => Mode::Create,
            Some("memory") => Mode::Memory,
            Some("ro") => return refused(name, READ_ONLY),
            _ => return refused(name, MODES),
        };
        if mode.replace(found).is_some() {
            return refused(name, MODES);
        }
    }
    Ok(mode)
}

/// Percent-decoding; a `%` without two hexadecimal digits behind it stands for itself. `None` if that is no UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.first_chunk::<2>().filter(|_| first == b'%').and_then(|digits| hex::decode(digits).ok());
        if let Some(&[byte]) = digits.as_deref() {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            bytes.push(first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, create: bool) -> Target {
        Target::SqliteFile { path: path.into(), create }
    }

    #[test]
    fn a_url_means_what_it_means_to_sqlx() {
        let table = [
            ("postgres://user:secret@host/db", Target::Postgres),
            ("postgresql:///db?host=/var/run", Target::Postgres),
            ("sqlite:keys.db", file("keys.db", false)),
            ("sqlite://keys.db", file("keys.db", false)),
            ("sqlite://data/keys.db", file("data/keys.db", false)),
            ("sqlite:///var/keys.db", file("/var/keys.db", false)),
            ("sqlite:/var/keys.db", file("/var/keys.db", false)),
            ("sqlite:../keys.db", file("../keys.db", false)),
            ("sqlite:keys.db?", file("keys.db", false)),
            ("sqlite:keys.db?mode=rw", file("keys.db", false)),
            ("sqlite:keys.db?mode=rwc", file("keys.db", true)),
            ("sqlite://keys.db?mode=rwc&", file("keys.db", true)),
            ("sqlite:keys.db?mod%65=%72wc", file("keys.db", true)),
            ("sqlite:my%20keys.db", file("my keys.db", false)),
            ("sqlite:what%3F%23%25.db", file("what?#%.db", false)),
            ("sqlite:50%.db", file("50%.db", false)),
            ("sqlite:50%zz.db", file("50%zz.db", false)),
            ("sqlite:a#b+c", file("a#b+c", false)),
            ("sqlite::memory:", Target::SqliteMemory),
            ("sqlite://:memory:", Target::SqliteMemory),
            ("sqlite:?mode=memory", Target::SqliteMemory),
            ("sqlite://any?mode=memory", Target::SqliteMemory),
        ];
        for (url, expected) in table {
            assert_eq!(parse(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_form_that_is_right() {
        let parameters = [
            ("sqlite:k?mode=ro", "mode", "mode=rw"),
            ("sqlite:k?mode=RWC", "mode", "rwc"),
            ("sqlite:k?mode=", "mode", "rwc"),
            ("sqlite:k?mode", "mode", "rwc"),
            ("sqlite:k?mode=rw&mode=rwc", "mode", "once"),
            ("sqlite:k?immutable=1", "immutable", "?mode=rwc"),
            ("sqlite:k?mode=rwc&cache=shared", "cache", "?mode=rwc"),
            ("sqlite:k?vfs=unix", "vfs", "?mode=rwc"),
            ("sqlite::memory:?cache=private", "cache", "?mode=rwc"),
            ("sqlite:k?key=secret", "key", "?mode=rwc"),
        ];
        for (url, name, right) in parameters {
            let error = parse(url).unwrap_err();
            let message = error.to_string();
            assert!(
                matches!(error, ConnectError::UnsupportedParameter { ref parameter, .. } if parameter == name),
                "{url}"
            );
            assert!(message.contains(right) && !message.contains("secret"), "{url}: {message}");
        }
        for url in ["sqlite:", "sqlite://", "sqlite:?mode=rwc", "sqlite:%ff", "sqlite:a%00b"] {
            assert!(matches!(parse(url), Err(ConnectError::InvalidUrl { .. })), "{url}");
        }
        for url in ["", "keys.db", "mysql://host/db", "postgres:", "SQLITE:keys.db", "/sqlite:keys.db"] {
            assert!(matches!(parse(url), Err(ConnectError::UnknownScheme)), "{url}");
        }
    }
}
