//! The layers of the library: whatever a file names lies in its own layer or below, never above and never beside.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// What everything else rests on.
const BASE: &[&str] = &["time", "random", "secret", "unfit", "visible"];

/// Where a module belongs. `sql` and `schemas` themselves are doors: they name their own rooms and nothing else, and
/// what stands behind them is named by its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer<'m> {
    Base,
    Key,
    /// `seal`: secrets at rest, which know no key of ours.
    Seal,
    /// `credential`: what it says of scopes and owners, it says in the terms of `key`.
    Credential,
    Store,
    Service,
    /// `http`: adapters, which nothing below names.
    Http,
    /// `sql::engine`, which knows no table of keys.
    Engine,
    /// `sql::keys`, which joins any schema to any engine.
    Tables,
    /// `sql` itself.
    SqlDoor,
    /// One folder a schema: its `sql` is backend, the rest of it is core.
    Schema(&'m str),
    SchemaSql(&'m str),
    /// `schemas` itself.
    SchemasDoor,
}

impl<'m> Layer<'m> {
    /// The layer of `crate::<module>`; `None` for what has none, such as a name that the crate's root re-exports.
    fn of(module: &[&'m str]) -> Option<Self> {
        match module {
            [base, ..] if BASE.contains(base) => Some(Self::Base),
            ["key", ..] => Some(Self::Key),
            ["seal", ..] => Some(Self::Seal),
            ["credential", ..] => Some(Self::Credential),
            // A macro that is exported stands in the crate's root, wherever it is written.
            ["store", ..] | ["conformance_suite" | "credential_conformance_suite"] => Some(Self::Store),
            ["service", ..] => Some(Self::Service),
            ["http", ..] => Some(Self::Http),
            ["sql", "engine", ..] => Some(Self::Engine),
            ["sql", "keys" | "credentials", ..] => Some(Self::Tables),
            ["sql", ..] => Some(Self::SqlDoor),
            ["schemas", own, "sql", ..] => Some(Self::SchemaSql(own)),
            ["schemas", own, ..] => Some(Self::Schema(own)),
            ["schemas"] => Some(Self::SchemasDoor),
            _ => None,
        }
    }

    fn may_use(self, used: Self) -> bool {
        use Layer::{Base, Credential, Engine, Http, Key, Schema, SchemaSql, Seal, Service, Store, Tables};
        match (self, used) {
            (_, Base)
            | (Key | Credential | Store | Service | Http | Tables | Schema(_) | SchemaSql(_), Key)
            | (Seal | Credential | Store | Service | Http | Tables | SchemaSql(_), Seal)
            | (Credential | Store | Service | Http | Tables | SchemaSql(_), Credential)
            | (Store | Service | Http | Tables | SchemaSql(_), Store)
            | (Service | Http, Service)
            | (Http, Http)
            | (Engine | Tables | SchemaSql(_), Engine)
            | (Tables | SchemaSql(_), Tables) => true,
            // A schema's folder is closed: nothing but itself names it.
            (Schema(own) | SchemaSql(own), Schema(other)) | (SchemaSql(own), SchemaSql(other)) => own == other,
            _ => false,
        }
    }
}

/// An edge that does not run downwards.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    module: String,
    names: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} names {}", self.module, self.names)
    }
}

/// What `source`, the text of `module`, names in spite of the layers.
fn violations(module: &[&str], source: &str) -> Vec<Violation> {
    let own = Layer::of(module);
    let tokens = without_tests(tokens(source));
    let mut found: Vec<_> = paths(module, &tokens)
        .into_iter()
        .filter(|path| {
            let path: Vec<_> = path.iter().map(String::as_str).collect();
            !own.zip(Layer::of(&path)).is_some_and(|(own, used)| own.may_use(used))
        })
        .map(|path| Violation { module: module.join("::"), names: path.join("::") })
        .collect();
    found.dedup();
    found
}

/// Every path that starts at the crate's root or above the module, as seen from the root.
fn paths(module: &[&str], tokens: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let follows_path = at > 0 && tokens[at - 1] == "::";
        let leads_path = tokens.get(at + 1).is_some_and(|next| next == "::");
        if follows_path || !leads_path {
            continue;
        }
        let mut rest = at + 2;
        let root = match token.as_str() {
            "crate" => Vec::new(),
            "super" => {
                let mut above = module.len().saturating_sub(1);
                while tokens[rest..].starts_with(&["super".to_owned(), "::".to_owned()]) {
                    above = above.saturating_sub(1);
                    rest += 2;
                }
                module[..above].iter().map(|&name| name.to_owned()).collect()
            }
            _ => continue,
        };
        use_tree(root, tokens, rest, &mut found);
    }
    found
}

/// Reads a path from `at` on, with all branches of its `{…}`, and returns where it ends.
fn use_tree(mut path: Vec<String>, tokens: &[String], mut at: usize, found: &mut Vec<Vec<String>>) -> usize {
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match token.as_str() {
                        "}" => return at + 1,
                        "," => at += 1,
                        _ => at = use_tree(path.clone(), tokens, at, found),
                    }
                }
                return at;
            }
            Some(name) if name.starts_with(is_word) || name == "*" => {
                // `{self}` is the path itself.
                if name != "self" {
                    path.push(name.to_owned());
                }
                at += 1;
            }
            _ => {}
        }
        if tokens.get(at).is_some_and(|next| next == "::") {
            at += 1;
        } else {
            break;
        }
    }
    found.push(path);
    // Behind `as` there is a name that is no path.
    while tokens.get(at).is_some_and(|token| !matches!(token.as_str(), "," | "}" | ";")) {
        at += 1;
    }
    at
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The words, `::` and other characters of a source; comments and literals are left out.
fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        rest = if rest.starts_with("//") {
            rest.split_once('\n').map_or("", |(_, rest)| rest)
        } else if rest.starts_with("/*") {
            rest.split_once("*/").map_or("", |(_, rest)| rest)
        } else if first == '"' {
            behind_string(&rest[1..])
        } else if matches!(&rest[..word], "r" | "br" | "cr") && rest[word..].starts_with(['"', '#']) {
            behind_raw_string(&rest[word..])
        } else if first == '\'' {
            behind_quote(&rest[1..])
        } else if word > 0 {
            tokens.push(rest[..word].to_owned());
            &rest[word..]
        } else if let Some(behind) = rest.strip_prefix("::") {
            tokens.push("::".to_owned());
            behind
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            &rest[first.len_utf8()..]
        };
    }
    tokens
}

fn behind_string(body: &str) -> &str {
    let mut escaped = false;
    for (at, character) in body.char_indices() {
        match character {
            '"' if !escaped => return &body[at + 1..],
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    ""
}

fn behind_raw_string(text: &str) -> &str {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    // `r#type` is a word, not a string.
    let Some(body) = text[hashes..].strip_prefix('"') else { return &text[hashes..] };
    body.split_once(&end).map_or("", |(_, rest)| rest)
}

/// Behind a character literal, or behind the quote of a lifetime.
fn behind_quote(body: &str) -> &str {
    if let Some(escape) = body.strip_prefix('\\') {
        let end = escape.char_indices().skip(1).find(|&(_, character)| character == '\'');
        return end.map_or("", |(at, _)| &escape[at + 1..]);
    }
    let mut characters = body.char_indices();
    characters.next();
    match characters.next() {
        Some((at, '\'')) => &body[at + 1..],
        _ => body,
    }
}

/// Leaves out every item behind `#[cfg(test)]`.
fn without_tests(mut tokens: Vec<String>) -> Vec<String> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    while let Some(start) = tokens.windows(ATTRIBUTE.len()).position(|window| window == ATTRIBUTE) {
        let mut depth = 0_usize;
        let length = tokens[start + ATTRIBUTE.len()..].iter().position(|token| {
            match token.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(token.as_str(), "}" | ";")
        });
        let end = length.map_or(tokens.len(), |length| start + ATTRIBUTE.len() + length + 1);
        tokens.drain(start..end);
    }
    tokens
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn no_module_names_one_above_or_beside_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    let mut found = Vec::new();
    for file in rust_files(&root) {
        let inside = file.strip_prefix(&root).unwrap().with_extension("");
        let mut module: Vec<_> = inside.iter().map(|name| name.to_str().unwrap()).collect();
        // The root names everything, chapters hold no code, programs are crates of their own, and tests may reach
        // wherever they like.
        if module == ["lib"] || ["docs", "bin"].contains(&module[0]) || module.contains(&"tests") {
            continue;
        }
        module.retain(|name| *name != "mod");
        found.extend(violations(&module, &fs::read_to_string(&file).unwrap()));
        assert!(Layer::of(&module).is_some(), "{} is in no layer: say in this test which one", module.join("::"));
        checked += 1;
    }
    assert!(checked > 70, "only {checked} files were found");
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "edges that do not run downwards:\n{}", found.join("\n"));
}

#[test]
fn programs_reach_the_library_through_its_public_paths_alone() {
    let programs = rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin"));
    assert!(!programs.is_empty());
    for file in programs {
        let source = fs::read_to_string(&file).unwrap();
        // The compiler sees to the rest: a program is a crate of its own.
        for way_in in ["#[path", "include!"] {
            assert!(!source.contains(way_in), "{} takes the library's source in by {way_in}", file.display());
        }
    }
}

#[test]
fn the_checker_catches_every_way_to_write_a_wrong_edge() {
    let named = |module: &[&str], source: &str| {
        violations(module, source).into_iter().map(|violation| violation.names).collect::<Vec<_>>()
    };
    let store = ["store", "memory"];
    assert_eq!(named(&store, "use crate::service::Keys;"), ["service::Keys"]);
    assert_eq!(named(&store, "use crate::{key::KeyId, service::{self, Keys as K}};"), ["service", "service::Keys"]);
    assert_eq!(named(&store, "fn f() { let x = crate::sql::keys::host::text(1); }"), ["sql::keys::host::text"]);
    assert_eq!(named(&store, "use super::super::service::*;"), ["service::*"]);
    assert_eq!(named(&store, "use crate::Keys;"), ["Keys"]);
    assert_eq!(named(&store, "pub(in crate::sql) fn f() {}"), ["sql"]);
    assert_eq!(named(&store, "macro_rules! m { () => { $crate::sql::engine::Row } }"), ["sql::engine::Row"]);
    assert_eq!(
        named(&store, r##"const A: &str = r#"""#; const B: char = '"'; use crate::sql::Row; const C: u8 = b'"';"##),
        ["sql::Row"]
    );
    assert_eq!(named(&store, "#[cfg(test)] mod tests { fn f() {} } use crate::sql::Row;"), ["sql::Row"]);
}

#[test]
fn the_checker_keeps_every_room_apart() {
    let rooms = [
        ("time::Timestamp", "time"),
        ("key::KeyId", "key"),
        ("seal::Sealed", "seal"),
        ("credential::DpopKey", "credential"),
        ("store::StoreError", "store"),
        ("service::Keys", "service"),
        ("http::SignCalls", "http"),
        ("sql::engine::Row", "sql::engine"),
        ("sql::keys::RowReader", "sql::keys"),
        ("sql::SqlKeyStore", "sql"),
        ("schemas::scraper::Scraper", "schemas::scraper"),
        ("schemas::scraper::sql::Column", "schemas::scraper::sql"),
        ("schemas::mesh::Mesh", "schemas::mesh"),
        ("schemas", "schemas"),
        ("Keys", "the root"),
    ];
    let permitted: [(&[&str], &[&str]); 13] = [
        (&["time"], &["time"]),
        (&["key", "verdict"], &["time", "key"]),
        (&["seal", "ring"], &["time", "seal"]),
        (&["credential", "answer"], &["time", "key", "seal", "credential"]),
        (&["store", "memory"], &["time", "key", "seal", "credential", "store"]),
        (&["service", "keys", "issue"], &["time", "key", "seal", "credential", "store", "service"]),
        (&["http", "layer"], &["time", "key", "seal", "credential", "store", "service", "http"]),
        (&["sql", "engine", "migrate"], &["time", "sql::engine"]),
        (&["sql", "keys", "host"], &["time", "key", "seal", "credential", "store", "sql::engine", "sql::keys"]),
        (&["sql"], &["time"]),
        (&["schemas", "scraper", "record"], &["time", "key", "schemas::scraper"]),
        (
            &["schemas", "scraper", "sql", "reads"],
            &[
                "time",
                "key",
                "seal",
                "credential",
                "store",
                "sql::engine",
                "sql::keys",
                "schemas::scraper",
                "schemas::scraper::sql",
            ],
        ),
        (&["schemas"], &["time"]),
    ];
    for (module, permitted) in permitted {
        for (path, room) in rooms {
            let found = violations(module, &format!("fn f() {{ let _ = crate::{path}::f(); }}"));
            assert_eq!(found.is_empty(), permitted.contains(&room), "{} names {path}", module.join("::"));
        }
    }
}

#[test]
fn the_checker_lets_downward_edges_comments_texts_and_tests_pass() {
    let none: &[Violation] = &[];
    let downward = "use crate::{key::{KeyId, KeyHead}, store::StoreError, sql::{engine::Row, keys::{columns, host}}};";
    assert_eq!(violations(&["schemas", "scraper", "sql", "statements"], downward), none);
    let own = "use super::{Scope, record}; use crate::schemas::scraper::sql::x;";
    assert_eq!(violations(&["schemas", "scraper", "sql"], own), none);
    assert_eq!(violations(&["service"], "use crate::{store::KeyStore, service::verify, time::Clock};"), none);
    let quiet = r#"
        /// See [`Keys`](crate::service::Keys).
        // use crate::service::Keys;
        /* use crate::service::Keys; */
        const TEXT: &str = "use crate::service::Keys; \" use crate::service::Keys;";
        fn f<'a>(x: &'a str) -> char { '\'' }
        #[cfg(test)]
        mod tests { use crate::service::Keys; fn f() { { } } }
        #[cfg(test)]
        use crate::service::{Keys, KeysError};
    "#;
    assert_eq!(violations(&["store"], quiet), none);
}
