//! What only the schema `mesh` knows: meshes and members, capabilities, topics, and keys that are named by their start.

mod keys;
mod rows;

use keyward::schemas::mesh::Mesh;
use serde_json::Value;

use crate::command_line::terminal::{Terminal, over_new_databases};
use crate::support::schemas::TestSchema as _;

const BOT: [&str; 6] = ["--owner", "home", "--label", "deploy bot", "--capability", "send"];

/// `BOT` with more options.
fn bot<'o>(more: &[&'o str]) -> Vec<&'o str> {
    [&BOT, more].concat()
}

/// Runs `script` over both engines, each with the mesh `home` of `ada` and the mesh `work` of `eve`.
fn over_meshes(script: impl Fn(&mut Terminal)) {
    over_new_databases("mesh", |terminal| {
        let postgres = terminal.is_postgres();
        terminal.sql(Mesh::parents(postgres));
        terminal.sql(&Mesh::owner("home", postgres));
        terminal.sql(&Mesh::owner("work", postgres));
        host(
            terminal,
            "INSERT INTO mesh.member (id, mesh_id, peer_pubkey, display_name)
             VALUES ('ada', 'home', 'pub', 'Ada'), ('eve', 'work', 'pub', 'Eve')",
        );
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        script(terminal);
    });
}

/// Runs SQL as the host does. On SQLite a name with a schema is a plain one.
fn host(terminal: &Terminal, sql: &str) {
    terminal.sql(&if terminal.is_postgres() { sql.to_owned() } else { sql.replace("mesh.", "") });
}

/// `cm_` and the bytes 0 to 31 in base64url, and its `sha256sum`.
const VECTOR: (&str, &str) = (
    "cm_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    "6e87955afdd27e3ab924dd75d364bc07f0b96fc695c1dc163dc744c372f8ff9b",
);

/// A row of the mesh `home` as the service itself writes it; the columns and values behind it may be more.
fn insert(terminal: &Terminal, id: &str, prefix: &str, hash: &str, columns: &str, values: &str) {
    host(
        terminal,
        &format!(
            "INSERT INTO mesh.api_key (id, label, secret_prefix, secret_hash, created_at, mesh_id{columns})
             VALUES ('{id}', 'by hand', '{prefix}', '{hash}', '2019-01-01 00:00:00.5', {values})"
        ),
    );
}

fn keys(terminal: &mut Terminal, owner: &str) -> Vec<Value> {
    terminal.document(&["list", "--owner", owner])["keys"].as_array().unwrap().clone()
}
