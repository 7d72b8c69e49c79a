//! System B in SQL: its table, its statements, and the one function that reads its rows.

mod statements;

use crate::key::{DisplayPrefix, KeyHead, KeyId, KeyRecord, OwnerId, Rotation, Status};
use crate::mesh::{Capabilities, Capability, Label, MemberId, Mesh, MeshDetails, StrictMesh, TopicName, Topics};
use crate::sql::check::{Column, ForeignKey, REVOCATIONS, ROTATIONS, Table};
use crate::sql::lifecycle::{self, Revocations, digest};
use crate::sql::migrate::{Migration, SIDE_TABLES};
use crate::sql::{Otherwise, Read, Row, Schema, Script, Sql, Statement, Step, Value, revocation_status};
use crate::store::{Abilities, KeyLookup, Reference};

const API_KEY: Table = Table {
    postgres: "mesh.api_key",
    sqlite: "api_key",
    optional: false,
    shared: false,
    columns: &[
        Column::required("id", "text", "TEXT"),
        Column::required("mesh_id", "text", "TEXT"),
        Column::required("label", "text", "TEXT"),
        Column::required("secret_hash", "text", "TEXT"),
        Column::required("secret_prefix", "text", "TEXT"),
        Column::required("capabilities", "jsonb", "TEXT").defaulting("'[]'::jsonb", "'[]'"),
        Column::optional("topic_scopes", "jsonb", "TEXT"),
        Column::optional("issued_by_member_id", "text", "TEXT"),
        Column::required("created_at", "timestamp without time zone", "TIMESTAMP")
            .defaulting("now()", "CURRENT_TIMESTAMP"),
        Column::optional("last_used_at", "timestamp without time zone", "TIMESTAMP"),
        Column::optional("revoked_at", "timestamp without time zone", "TIMESTAMP"),
        Column::optional("expires_at", "timestamp without time zone", "TIMESTAMP"),
    ],
    primary_key: "id",
    unique: &[],
    indexes: &["mesh_id", "secret_prefix"],
    foreign_keys: &[
        ForeignKey { column: "issued_by_member_id", table: "member", on_update: "CASCADE", on_delete: "SET NULL" },
        ForeignKey { column: "mesh_id", table: "mesh", on_update: "CASCADE", on_delete: "CASCADE" },
    ],
};

/// What keyward reads of the mesh itself.
const MESH: Table = Table {
    postgres: "mesh.mesh",
    sqlite: "mesh",
    optional: false,
    shared: true,
    columns: &[
        Column::required("id", "text", "TEXT"),
        Column::optional("archived_at", "timestamp without time zone", "TIMESTAMP"),
    ],
    primary_key: "id",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
};

/// What keyward reads of the member who issues a key.
const MEMBER: Table = Table {
    postgres: "mesh.member",
    sqlite: "member",
    columns: &[
        Column::required("id", "text", "TEXT"),
        Column::required("mesh_id", "text", "TEXT"),
        Column::optional("revoked_at", "timestamp without time zone", "TIMESTAMP"),
    ],
    ..MESH
};

impl Schema for Mesh {
    const TABLE: &'static str = "mesh.api_key";
    const TABLES: &'static [Table] = &[API_KEY, MESH, MEMBER, REVOCATIONS, ROTATIONS];
    const MIGRATIONS: &'static [Migration] = &[
        Migration {
            name: "mesh_0001_api_key",
            table: Sql { postgres: "mesh.api_key", sqlite: "api_key" },
            sql: Sql { postgres: include_str!("api_key.postgres.sql"), sqlite: include_str!("api_key.sqlite.sql") },
        },
        SIDE_TABLES,
    ];
    const FIND: Read = statements::PLAIN.find;
    const GET: Read = statements::PLAIN.get;
    const LIST: Read = statements::PLAIN.list;
    const STARTING_WITH: Read = statements::PLAIN.starting_with;
    const OWNER: Option<Sql> = Some(statements::MESH);
    const TOUCH: Sql = statements::TOUCH;
    const INSERT: Sql = statements::INSERT;
    const REVOCATIONS: Revocations = statements::REVOCATIONS;

    fn abilities(side_tables: bool) -> Abilities {
        Abilities {
            several_keys_per_owner: true,
            expiry: true,
            rotation_memory: side_tables,
            revocation_time: true,
            revocation_reason: side_tables,
        }
    }

    fn lookup(lookup: KeyLookup<'_>) -> Value {
        lookup.prefix.into()
    }

    fn columns(key: &KeyRecord<MeshDetails>) -> Vec<Value> {
        let KeyRecord { head, details } = key;
        let capabilities: Vec<_> = details.capabilities.iter().map(Capability::as_str).collect();
        let topics = match &details.topics {
            Topics::All => None,
            Topics::Only(names) => {
                let names: Vec<_> = names.iter().map(TopicName::as_str).collect();
                Some(serde_json::json!(names).to_string())
            }
        };
        vec![
            head.id.as_str().into(),
            head.owner.as_str().into(),
            details.label.as_str().into(),
            digest(head.digest.as_ref()),
            head.prefix.as_str().into(),
            serde_json::json!(capabilities).to_string().into(),
            topics.into(),
            details.issuer.as_ref().map(ToString::to_string).into(),
            head.created_at.into(),
            head.expires_at.into(),
        ]
    }

    /// The mesh, and the member of it who issues the key.
    fn references(key: &KeyRecord<MeshDetails>) -> Vec<Step> {
        let mesh = key.head.owner.as_str();
        let mut steps =
            vec![Step::some(Statement::new(statements::MESH, [mesh.into()]), Otherwise::Missing(Reference::Owner))];
        if let Some(issuer) = &key.details.issuer {
            let member = Statement::new(statements::MEMBER, [issuer.as_str().into(), mesh.into()]);
            steps.push(Step::some(member, Otherwise::Missing(Reference::Issuer)));
        }
        steps
    }

    fn rotate(rotation: &Rotation<MeshDetails>, side_tables: bool) -> Script {
        lifecycle::rotate::<Self>(statements::RETIRE, rotation, side_tables)
    }

    fn decode(row: Row) -> KeyRecord<MeshDetails> {
        decode(row)
    }
}

/// The same table and the same changes; only what is read differs.
impl Schema for StrictMesh {
    const TABLE: &'static str = Mesh::TABLE;
    const TABLES: &'static [Table] = Mesh::TABLES;
    const MIGRATIONS: &'static [Migration] = Mesh::MIGRATIONS;
    const FIND: Read = statements::STRICT.find;
    const GET: Read = statements::STRICT.get;
    const LIST: Read = statements::STRICT.list;
    const STARTING_WITH: Read = statements::STRICT.starting_with;
    const OWNER: Option<Sql> = Mesh::OWNER;
    const TOUCH: Sql = Mesh::TOUCH;
    const INSERT: Sql = Mesh::INSERT;
    const REVOCATIONS: Revocations = <Mesh as Schema>::REVOCATIONS;

    fn abilities(side_tables: bool) -> Abilities {
        Mesh::abilities(side_tables)
    }

    fn lookup(lookup: KeyLookup<'_>) -> Value {
        Mesh::lookup(lookup)
    }

    fn columns(key: &KeyRecord<MeshDetails>) -> Vec<Value> {
        Mesh::columns(key)
    }

    fn references(key: &KeyRecord<MeshDetails>) -> Vec<Step> {
        Mesh::references(key)
    }

    fn rotate(rotation: &Rotation<MeshDetails>, side_tables: bool) -> Script {
        Mesh::rotate(rotation, side_tables)
    }

    fn decode(row: Row) -> KeyRecord<MeshDetails> {
        decode(row)
    }
}

fn decode(mut row: Row) -> KeyRecord<MeshDetails> {
    let id = KeyId::from_stored(row.text("id"));
    let owner = OwnerId::from_stored(row.text("mesh_id"));
    let prefix = DisplayPrefix::from_stored(row.text("secret_prefix"));
    let digest = row.digest();
    let created_at = row.timestamp("created_at");
    let last_used_at = row.timestamp("last_used_at");
    let expires_at = row.timestamp("expires_at");
    let revoked_at = row.timestamp("revoked_at");
    let reason = row.optional_text("reason");
    let is_tenant_disabled = !row.is_null() | !row.is_null();
    let details = MeshDetails {
        label: Label::from_stored(row.text("label")),
        capabilities: capabilities(&mut row),
        topics: topics(&mut row),
        issuer: row.optional_text("issued_by_member_id").map(MemberId::from_stored),
    };
    let status = match revocation_status(revoked_at, reason, true) {
        Status::Active if is_tenant_disabled => Status::TenantDisabled,
        status => status,
    };
    let defect = row.defect();
    let head = KeyHead { id, owner, prefix, digest, created_at, last_used_at, expires_at, status, defect };
    KeyRecord { head, details }
}

/// Anything but an array of known names spoils the row: a string that happens to contain `admin` is no capability.
fn capabilities(row: &mut Row) -> Capabilities {
    let names = row.text("capabilities");
    let names: Option<Vec<String>> = serde_json::from_str(&names).ok();
    let known = names.and_then(|names| names.iter().map(|name| name.parse().ok()).collect());
    known.or_else(|| row.spoiled("capabilities")).unwrap_or_default()
}

/// NULL is every topic; anything else but an array of texts spoils the row and is none.
fn topics(row: &mut Row) -> Topics {
    let Some(names) = row.optional_text("topic_scopes") else {
        return if row.defect().is_some() { Topics::Only(Vec::new()) } else { Topics::All };
    };
    let names: Option<Vec<String>> = serde_json::from_str(&names).ok();
    let names = names.or_else(|| row.spoiled("topic_scopes")).unwrap_or_default();
    Topics::Only(names.into_iter().map(TopicName::from_stored).collect())
}
