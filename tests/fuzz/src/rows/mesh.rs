//! Rows of the schema `mesh`.

use keyward::schemas::mesh::{Capability, Mesh, MeshKey, Topics};

use super::{Cell, Row, Table};

const PARENTS: &str = "
    CREATE TABLE mesh (id TEXT PRIMARY KEY NOT NULL, archived_at TIMESTAMP);
    CREATE TABLE member (
        id TEXT PRIMARY KEY NOT NULL,
        mesh_id TEXT NOT NULL REFERENCES mesh (id),
        revoked_at TIMESTAMP
    );
    INSERT INTO mesh (id) VALUES ('mesh');
    INSERT INTO member (id, mesh_id) VALUES ('member', 'mesh');";

fn draft() -> MeshKey {
    let key = MeshKey::new("mesh", "bot", [Capability::Send]).and_then(|key| key.only_topics(["deploys"]));
    key.and_then(|key| key.issued_by("member")).expect("a key")
}

thread_local! {
    static KEYS: Table<Mesh> = Table::new(|| Mesh::new().strict(), draft(), PARENTS, "api_key", "mesh_id = 'mesh'");
}

/// Anything in any column.
pub(crate) fn row(data: &[u8]) {
    KEYS.with(|table| check(table, &table.edit(data)));
}

/// Any text as the list of capabilities, or of topics.
pub(crate) fn list(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    let column = if choice & 1 == 0 { "capabilities" } else { "topic_scopes" };
    KEYS.with(|table| check(table, &table.edit_one(column, Cell::Text(text.into()))));
}

fn check(table: &Table<Mesh>, row: &Row<'_, '_>) {
    let Some(accepted) = table.verify() else { return };
    let (head, details) = (accepted.head(), accepted.details());
    let digest = table.issued.record.head.digest.expect("a digest").to_hex();
    assert_eq!(row.text("secret_hash"), Some(digest.as_str()));
    assert!(row.is_null("revoked_at"));
    assert_eq!(row.text("id"), Some(head.id.as_str()));
    assert_eq!(row.text("mesh_id"), Some(head.owner.as_str()));
    row.check_expiry("expires_at", &table.connection, head.expires_at);
    let named = row.names("capabilities").expect("capabilities");
    for capability in details.capabilities.iter() {
        assert!(named.iter().any(|name| name == capability.as_str()), "{capability} of {named:?}");
    }
    match &details.topics {
        Topics::All => assert!(row.is_null("topic_scopes")),
        Topics::Only(topics) => {
            let named = row.names("topic_scopes").expect("topics");
            assert!(topics.iter().all(|topic| named.iter().any(|name| name == topic.as_str())));
        }
    }
}
