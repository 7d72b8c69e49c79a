//! The schema `mesh` in SQL: its table, its statements, and the one function that reads its rows.

mod last_use;
mod reads;
mod revocations;
mod statements;
mod table;

use crate::key::{DisplayPrefix, HexDigest, KeyHead, KeyId, KeyRecord, OwnerId, Rotation, Status};
use crate::schemas::mesh::{Capabilities, Capability, Label, MemberId, Mesh, MeshDetails, TopicName, Topics};
use crate::sql::engine::check::Table;
use crate::sql::engine::migrate::{Change, Migration};
use crate::sql::engine::{Cell, Query, Script, Sql, Statement, Step, Value};
use crate::sql::keys::host::{self, Changes, HostTable, REVOCATIONS, ROTATIONS, Reads, SIDE_TABLES, digest};
use crate::sql::keys::json::{entries, texts};
use crate::sql::keys::rotation::{self, Succession};
use crate::sql::keys::{RowReader, columns};
use crate::store::{Abilities, KeyLookup, Reference, StoreError};

columns! {
    /// What every read of this schema returns.
    enum Column {
        Id = "id",
        MeshId = "mesh_id",
        SecretPrefix = "secret_prefix",
        SecretHash = "secret_hash",
        CreatedAt = "created_at",
        LastUsedAt = "last_used_at",
        ExpiresAt = "expires_at",
        RevokedAt = "revoked_at",
        Reason = "reason",
        SuccessorId = "successor_id",
        TenantDisabled = "tenant_disabled",
        Label = "label",
        Capabilities = "capabilities",
        TopicScopes = "topic_scopes",
        IssuedByMemberId = "issued_by_member_id",
    }
}

impl HostTable for Mesh {
    const TABLE: &'static str = "mesh.api_key";
    const TABLES: &'static [&'static Table] =
        &[&table::API_KEY, &table::MESH, &table::MEMBER, &REVOCATIONS, &ROTATIONS];
    const MIGRATIONS: &'static [Migration] =
        &[Migration::new(1, "api_key", Change::Adopt(&table::API_KEY)), SIDE_TABLES];
    const CHANGES: &'static Changes = &statements::CHANGES;
    #[cfg(feature = "postgres")]
    const CHANGE_TRIGGERS: Sql = Sql { postgres: include_str!("changes.postgres.sql"), sqlite: "" };
    const OWNER: Option<&'static Query> = Some(&statements::MESH);

    fn reads(&self) -> &'static Reads {
        if self.is_strict() { &reads::strict::READS } else { &reads::plain::READS }
    }

    fn abilities(side_tables: bool) -> Abilities {
        let mut abilities = Abilities::all();
        abilities.rotation_memory = side_tables;
        abilities.revocation_reason = side_tables;
        abilities.changes = false;
        abilities.search = false;
        abilities.purge = false;
        abilities
    }

    fn lookup<'v>(lookup: &KeyLookup<'v>, hex: &'v HexDigest) -> ([Value<'v>; 2], usize) {
        ([lookup.prefix.into(), hex.as_str().into()], 2)
    }

    fn columns(key: &KeyRecord<Self>) -> Vec<Value<'static>> {
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
            head.id.as_str().to_owned().into(),
            head.owner.as_str().to_owned().into(),
            details.label.as_str().to_owned().into(),
            digest(head.digest.as_ref()),
            head.prefix.as_str().to_owned().into(),
            serde_json::json!(capabilities).to_string().into(),
            topics.into(),
            details.issuer.as_ref().map(|issuer| issuer.as_str().to_owned()).into(),
            head.created_at.into(),
            head.expires_at.into(),
        ]
    }

    fn accept(_key: &KeyRecord<Self>) -> Result<(), StoreError> {
        Ok(())
    }

    /// The mesh, and the member of it who issues the key. A strict schema also demands that neither is shut down; what
    /// is shut down at the same moment is seen by each verification.
    fn references(&self, key: &KeyRecord<Self>) -> Vec<Step<StoreError>> {
        let mut steps = self.mesh(&key.head.owner);
        if let Some(issuer) = &key.details.issuer {
            let member = |strict: i64| {
                let mesh = key.head.owner.as_str().to_owned().into();
                Statement::new(statements::MEMBER, [issuer.as_str().to_owned().into(), mesh, strict.into()])
            };
            steps.extend(self.issuer(member));
        }
        steps
    }

    fn reference(foreign_key: &str) -> Reference {
        if foreign_key.contains("issued_by") { Reference::Issuer } else { Reference::Owner }
    }

    /// The issuer is the one whom the row names now.
    fn rotate(&self, rotation: &Rotation<Self>, side_tables: bool) -> Script<StoreError> {
        let id = &rotation.predecessor.id;
        let issuer = |strict: i64| Statement::new(statements::ISSUER, [host::text(id), strict.into()]);
        let mut references = self.mesh(&rotation.predecessor.owner);
        references.extend(self.issuer(issuer));
        rotation::rotate(&statements::SUCCESSION, rotation, references, side_tables)
    }

    fn decode(&self, mut row: RowReader<'_>) -> KeyRecord<Self> {
        let id = KeyId::from_stored(row.text(Column::Id));
        let owner = OwnerId::from_stored(row.text(Column::MeshId));
        let prefix = DisplayPrefix::from_stored(row.text(Column::SecretPrefix));
        let mut head = KeyHead::new(id, owner, prefix, row.digest(Column::SecretHash));
        head.created_at = row.timestamp(Column::CreatedAt);
        head.last_used_at = row.timestamp(Column::LastUsedAt);
        head.expires_at = row.timestamp(Column::ExpiresAt);
        head.successor = row.optional_text(Column::SuccessorId).map(KeyId::from_stored);
        let revoked_at = row.timestamp(Column::RevokedAt);
        let reason = row.optional_text(Column::Reason);
        let is_tenant_disabled = row.cell(Column::TenantDisabled) != Cell::Integer(0);
        head.status = match host::revocation_status(revoked_at, reason, true) {
            Status::Active if is_tenant_disabled => Status::TenantDisabled,
            status => status,
        };
        let details = MeshDetails {
            label: Label::from_stored(row.text(Column::Label)),
            capabilities: capabilities(&mut row),
            topics: topics(&mut row),
            issuer: row.optional_text(Column::IssuedByMemberId).map(MemberId::from_stored),
        };
        head.defect = row.defect();
        KeyRecord::new(head, details)
    }

    fn further_statements() -> Vec<(&'static str, Sql)> {
        let Succession { retire, succeed } = statements::SUCCESSION;
        vec![
            ("retire", retire),
            ("succeed", succeed),
            ("owner, strict", statements::MESH_IN_USE),
            ("issuer", statements::MEMBER),
            ("issuer of a key", statements::ISSUER),
        ]
    }

    fn all_reads() -> Vec<(&'static str, &'static Reads)> {
        vec![("", &reads::plain::READS), ("strict ", &reads::strict::READS)]
    }
}

impl Mesh {
    fn mesh(&self, mesh: &OwnerId) -> Vec<Step<StoreError>> {
        let of = |sql| Statement::new(sql, [mesh.as_str().to_owned().into()]);
        let mut steps = vec![Step::require(of(statements::MESH.sql()), StoreError::Missing(Reference::Owner))];
        if self.is_strict() {
            let disabled = StoreError::TenantDisabled(Reference::Owner);
            steps.push(Step::require(of(statements::MESH_IN_USE), disabled));
        }
        steps
    }

    /// `looked_for` returns a row when there is an issuer; with 1, only when that one was not revoked.
    fn issuer(&self, looked_for: impl Fn(i64) -> Statement) -> Vec<Step<StoreError>> {
        let mut steps = vec![Step::require(looked_for(0), StoreError::Missing(Reference::Issuer))];
        if self.is_strict() {
            steps.push(Step::require(looked_for(1), StoreError::TenantDisabled(Reference::Issuer)));
        }
        steps
    }
}

/// A name that is not known grants nothing and spoils nothing, as the service itself reads it, and so does whatever else
/// stands among them. Anything but an array is a defect: a string that happens to contain `admin` is no capability.
fn capabilities(row: &mut RowReader<'_>) -> Capabilities {
    let known = row.optional_with(Column::Capabilities, |json| {
        entries(json, |entries| texts(entries).filter_map(|name| name.parse().ok()).collect::<Capabilities>())
    });
    known.flatten().or_else(|| row.mark_defect(Column::Capabilities)).unwrap_or_default()
}

/// NULL is every topic; anything else but an array is a defect and no topic. What is no text in it matches no topic.
fn topics(row: &mut RowReader<'_>) -> Topics {
    if row.is_null(Column::TopicScopes) {
        return Topics::All;
    }
    let names = row.optional_with(Column::TopicScopes, |json| {
        entries(json, |entries| texts(entries).map(TopicName::from_stored).collect::<Vec<_>>())
    });
    Topics::Only(names.flatten().or_else(|| row.mark_defect(Column::TopicScopes)).unwrap_or_default())
}
