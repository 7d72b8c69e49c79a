//! The layers of the library: whatever a file names lies in its own layer or below, never above and never beside.

mod paths;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use paths::{paths, tokens, without_tests};

/// What everything else rests on.
const BASE: &[&str] = &["client_id", "oauth_error", "time", "random", "secret", "unfit", "visible"];

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
    /// `broker`: clients, grants, codes and tokens of an authorization server.
    Broker,
    Store,
    Service,
    /// `redis_store`: the other backend, which keeps no key.
    RedisStore,
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
            ["broker", ..] => Some(Self::Broker),
            // A macro that is exported stands in the crate's root, wherever it is written.
            ["store", ..] | ["conformance_suite" | "credential_conformance_suite" | "grant_conformance_suite"] => {
                Some(Self::Store)
            }
            ["service", ..] => Some(Self::Service),
            ["redis_store", ..] => Some(Self::RedisStore),
            ["http", ..] => Some(Self::Http),
            ["sql", "engine", ..] => Some(Self::Engine),
            ["sql", "keys" | "credentials" | "grants", ..] => Some(Self::Tables),
            ["sql", ..] => Some(Self::SqlDoor),
            ["schemas", own, "sql", ..] => Some(Self::SchemaSql(own)),
            ["schemas", own, ..] => Some(Self::Schema(own)),
            ["schemas"] => Some(Self::SchemasDoor),
            _ => None,
        }
    }

    fn may_use(self, used: Self) -> bool {
        use Layer::{
            Base, Broker, Credential, Engine, Http, Key, RedisStore, Schema, SchemaSql, Seal, Service, Store, Tables,
        };
        match (self, used) {
            (_, Base)
            | (
                Key | Credential | Broker | Store | Service | Http | RedisStore | Tables | Schema(_) | SchemaSql(_),
                Key,
            )
            | (Seal | Credential | Broker | Store | Service | Http | Tables | SchemaSql(_), Seal)
            | (Credential | Store | Service | Http | Tables | SchemaSql(_), Credential)
            | (Broker | Store | Service | Http | Tables, Broker)
            | (Store | Service | Http | RedisStore | Tables | SchemaSql(_), Store)
            | (Service | Http, Service)
            | (Http, Http)
            | (RedisStore, RedisStore)
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
        ("redis_store::Script", "redis_store"),
        ("sql::engine::Row", "sql::engine"),
        ("sql::keys::RowReader", "sql::keys"),
        ("sql::SqlKeyStore", "sql"),
        ("schemas::scraper::Scraper", "schemas::scraper"),
        ("schemas::scraper::sql::Column", "schemas::scraper::sql"),
        ("schemas::mesh::Mesh", "schemas::mesh"),
        ("schemas", "schemas"),
        ("Keys", "the root"),
    ];
    let permitted: [(&[&str], &[&str]); 14] = [
        (&["time"], &["time"]),
        (&["key", "verdict"], &["time", "key"]),
        (&["seal", "ring"], &["time", "seal"]),
        (&["credential", "answer"], &["time", "key", "seal", "credential"]),
        (&["store", "memory"], &["time", "key", "seal", "credential", "store"]),
        (&["service", "keys", "issue"], &["time", "key", "seal", "credential", "store", "service"]),
        (&["http", "calls", "layer"], &["time", "key", "seal", "credential", "store", "service", "http"]),
        (&["redis_store", "limits"], &["time", "key", "store", "redis_store"]),
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
