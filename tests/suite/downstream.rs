//! What depending on keyward adds to somebody else's build, and that the build resolves at all.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const KEYWARD: &str = env!("CARGO_MANIFEST_DIR");

fn cargo(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO")).current_dir(directory).args(arguments).output().unwrap()
}

/// The packages that keyward pulls in with `features`, without its development dependencies.
fn packages(features: &str) -> Vec<String> {
    let tree = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let chosen = ["--no-default-features", "--features", features];
    let output = cargo(Path::new(KEYWARD), &[&tree[..], &chosen].concat());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree failed: {complaint}");
    let listed = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<_> = listed.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    names.sort();
    names.dedup();
    assert!(names.contains(&"keyward".to_owned()), "cargo tree names no keyward: {listed}");
    names
}

fn drivers(packages: &[String]) -> Vec<&str> {
    let is_driver = |name: &&str| name.starts_with("sqlx") || name.contains("sqlite");
    packages.iter().map(String::as_str).filter(is_driver).collect()
}

#[test]
fn without_a_feature_no_driver_comes_along() {
    assert_eq!(drivers(&packages("")), [""; 0]);
    assert_eq!(drivers(&packages("testkit")), [""; 0]);
    assert_eq!(drivers(&packages("credentials")), [""; 0]);
}

/// The bare crate verifies keys, for which there is nothing to encrypt.
#[test]
fn ciphers_come_with_the_feature_that_needs_them_alone() {
    let ciphers = |features: &str| -> Vec<String> {
        let is_cipher = |name: &String| ["base64", "chacha20", "chacha20poly1305"].contains(&name.as_str());
        packages(features).into_iter().filter(is_cipher).collect()
    };
    assert_eq!(ciphers(""), [""; 0]);
    assert_eq!(ciphers("sqlite"), [""; 0]);
    assert_eq!(ciphers("seal"), ["base64", "chacha20", "chacha20poly1305"]);
    assert_eq!(drivers(&packages("seal")), [""; 0]);
}

/// One provider of cryptography for TLS, the one that sqlx has, and no client where only calls are signed.
#[test]
fn clients_and_tls_come_with_the_feature_that_needs_them_alone() {
    let found = |features: &str| -> Vec<String> {
        let is_client =
            |name: &String| ["aws-lc-rs", "hyper", "native-tls", "reqwest", "ring", "rustls"].contains(&name.as_str());
        packages(features).into_iter().filter(is_client).collect()
    };
    assert_eq!(found("credentials"), [""; 0]);
    assert_eq!(found("credentials,tower"), [""; 0]);
    assert_eq!(found("axum"), [""; 0]);
    assert_eq!(found("reqwest"), ["hyper", "reqwest", "ring", "rustls"]);
    assert_eq!(drivers(&packages("reqwest")), [""; 0]);
}

/// Who only takes requests needs neither a cipher, nor a runtime, nor a framework that it does not use.
#[test]
fn requests_that_come_in_bring_no_more_than_their_feature_says() {
    let found = |features: &str| -> Vec<String> {
        let is_more = |name: &String| ["axum", "chacha20poly1305", "tokio", "tower-layer"].contains(&name.as_str());
        packages(features).into_iter().filter(is_more).collect()
    };
    assert_eq!(found("http"), [""; 0]);
    assert_eq!(found("tower"), ["tower-layer"]);
    assert_eq!(found("axum"), ["axum", "tower-layer"]);
}

#[test]
fn either_engine_comes_without_the_other() {
    assert_eq!(drivers(&packages("sqlite")), ["libsqlite3-sys", "rusqlite"]);
    assert_eq!(drivers(&packages("postgres")), ["sqlx", "sqlx-core", "sqlx-postgres"]);
}

/// sqlx's `chrono` puts `sqlx-sqlite` into the lock file, and two packages that link one `sqlite3` do not resolve.
#[test]
fn a_service_that_uses_sqlx_with_chrono_resolves_beside_both_engines() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = format!(
        r#"
        [package]
        name = "downstream"
        version = "0.0.0"
        edition = "2024"

        [lib]
        path = "lib.rs"

        [dependencies]
        keyward = {{ path = '{KEYWARD}', features = ["sqlite", "postgres"] }}
        sqlx = {{ version = "0.9", default-features = false, features = ["chrono", "postgres", "runtime-tokio"] }}

        [workspace]
        "#
    );
    fs::write(directory.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(directory.path().join("lib.rs"), "").unwrap();

    // Offline it works only where the older rusqlite has been downloaded before; the index alone is enough otherwise.
    let offline = cargo(directory.path(), &["generate-lockfile", "--offline"]);
    if !offline.status.success() {
        let online = cargo(directory.path(), &["generate-lockfile"]);
        let complaint = String::from_utf8_lossy(&online.stderr);
        assert!(online.status.success(), "the service's dependencies do not resolve: {complaint}");
    }

    let lock = fs::read_to_string(directory.path().join("Cargo.lock")).unwrap();
    let versions = |package: &str| -> Vec<String> {
        let name = format!("name = \"{package}\"");
        let behind = lock.split(&name).skip(1);
        behind.filter_map(|text| Some(text.split('"').nth(1)?.to_owned())).collect()
    };
    assert_eq!(versions("sqlx-sqlite").len(), 1, "sqlx no longer pulls SQLite in: the range of rusqlite can go");
    assert_eq!(versions("libsqlite3-sys").len(), 1);
    let rusqlite = versions("rusqlite");
    assert!(matches!(&rusqlite[..], [version] if version.starts_with("0.39.")), "rusqlite {rusqlite:?}");
}
