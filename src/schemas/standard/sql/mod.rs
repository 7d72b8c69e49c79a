//! The schema `standard` in SQL: its tables, its statements, and the one function that reads its rows.

mod changes;
mod history;
mod last_use;
mod reads;
mod revocations;
mod scripts;
mod search;
mod tables;
#[cfg(test)]
mod tests;

use crate::key::{
    Actor, Description, Disabling, DisplayPrefix, Environment, HexDigest, HistoryEntry, KeyChange, KeyHead, KeyId,
    KeyName, KeyRecord, Metadata, OwnerId, RateLimit, Reason, Revocation, Rotation, Scopes, Status,
};
use crate::schemas::standard::{FormatName, Standard, StandardDetails};
use crate::sql::engine::check::Table;
use crate::sql::engine::migrate::Migration;
use crate::sql::engine::{Cell, Query, Script, Sql, Value, Violation, ViolationKind};
use crate::sql::keys::schema::{Part, PartOfAll};
use crate::sql::keys::{Asked, KeyTables, RowReader, columns};
use crate::store::{Abilities, KeyLookup, ListRequest, PurgeRequest, RevokeAllRequest, RevokeRequest, StoreError};

columns! {
    /// What every read of keys returns.
    enum Column {
        Id = "id",
        Owner = "owner",
        Environment = "environment",
        Name = "name",
        Description = "description",
        Prefix = "prefix",
        Digest = "digest",
        Scopes = "scopes",
        Metadata = "metadata",
        RequestsPerMinute = "requests_per_minute",
        CreatedAt = "created_at",
        CreatedBy = "created_by",
        ExpiresAt = "expires_at",
        RevokedAt = "revoked_at",
        RevocationReason = "revocation_reason",
        IsDisabled = "is_disabled",
        DisabledAt = "disabled_at",
        DisablingReason = "disabling_reason",
        Lineage = "lineage",
        PredecessorId = "predecessor_id",
        SuccessorId = "successor_id",
        ImportedFrom = "imported_from",
        Version = "version",
        LastUsedAt = "last_used_at",
    }
}

columns! {
    /// What the read of a key's history returns.
    enum HistoryColumn {
        At = "at",
        Action = "action",
        Actor = "actor",
        Reason = "reason",
        FromVersion = "from_version",
        ToVersion = "to_version",
        Changes = "changes",
    }
}

/// Everything has its column here, so that the side tables make no difference.
impl KeyTables for Standard {
    const TABLE: &'static str = "keys";

    #[cfg(feature = "postgres")]
    fn change_triggers() -> Sql {
        Sql { postgres: include_str!("changes.postgres.sql"), sqlite: "" }
    }

    fn tables() -> &'static [&'static Table] {
        tables::TABLES
    }

    fn migrations() -> &'static [Migration] {
        tables::MIGRATIONS
    }

    fn statements() -> Vec<(String, Sql)> {
        let named = [
            ("find", reads::FIND.sql()),
            ("get", reads::GET.sql()),
            ("list_of_owner", search::LIST_OF_OWNER.sql()),
            ("list", search::LIST.sql()),
            ("count_of_owner", search::COUNT_OF_OWNER.sql()),
            ("count", search::COUNT.sql()),
            ("history", reads::HISTORY.sql()),
            ("insert", changes::INSERT),
            ("append_history", changes::APPEND_HISTORY),
            ("retire", changes::RETIRE),
            ("succeed", changes::SUCCEED),
            ("change", changes::CHANGE),
            ("revoke", revocations::REVOKE),
            ("append_revocation", revocations::APPEND_REVOCATION),
            ("outcome_of_revocation", revocations::REVOKED.sql()),
            ("revoke_all", revocations::REVOKE_ALL),
            ("append_revocations", revocations::APPEND_REVOCATIONS),
            ("revoke_part", revocations::REVOKE_PART.sql()),
            ("remaining_keys", revocations::REMAINING.sql()),
            ("touch", last_use::TOUCH.sql()),
            ("purge", changes::PURGE),
        ];
        named.map(|(name, sql)| (name.to_owned(), sql)).into()
    }

    fn abilities(_side_tables: bool) -> Abilities {
        Abilities::all()
    }

    fn find(&self, _side_tables: bool) -> &'static Query {
        &reads::FIND
    }

    fn lookup<'v>(lookup: &KeyLookup<'v>, _hex: &'v HexDigest) -> ([Value<'v>; 2], usize) {
        ([lookup.digest.as_bytes().as_slice().into(), Value::Text(None)], 1)
    }

    fn get(&self, _side_tables: bool) -> &'static Query {
        &reads::GET
    }

    fn list(&self, request: &ListRequest, _side_tables: bool) -> Result<Asked, StoreError> {
        Ok(search::list(request))
    }

    fn count(&self, request: &ListRequest) -> Result<Asked, StoreError> {
        Ok(search::count(request))
    }

    /// Owners are plain names.
    fn owner() -> Option<&'static Query> {
        None
    }

    fn decode(&self, mut row: RowReader<'_>) -> KeyRecord<Self> {
        let id = KeyId::from_stored(row.text(Column::Id));
        let owner = OwnerId::from_stored(row.text(Column::Owner));
        let prefix = DisplayPrefix::from_stored(row.text(Column::Prefix));
        let mut head = KeyHead::new(id, owner, prefix, row.digest(Column::Digest));
        head.created_at = row.timestamp(Column::CreatedAt);
        head.created_by = row.optional_text(Column::CreatedBy).map(Actor::from_stored);
        head.last_used_at = row.timestamp(Column::LastUsedAt);
        head.expires_at = row.timestamp(Column::ExpiresAt);
        head.status = status(&mut row);
        head.successor = row.optional_text(Column::SuccessorId).map(KeyId::from_stored);
        head.version = row.unsigned(Column::Version);
        let details = StandardDetails {
            environment: environment(&mut row),
            name: KeyName::from_stored(row.text(Column::Name)),
            description: row.optional_text(Column::Description).map(Description::from_stored),
            scopes: scopes(&mut row),
            rate_limit: rate_limit(&mut row),
            metadata: row.opaque_text(Column::Metadata).map(Metadata::from_stored),
            lineage: KeyId::from_stored(row.text(Column::Lineage)),
            predecessor: row.optional_text(Column::PredecessorId).map(KeyId::from_stored),
            imported_from: row.optional_text(Column::ImportedFrom).map(FormatName::from_stored),
        };
        head.defect = row.defect();
        KeyRecord::new(head, details)
    }

    fn insert(&self, key: &KeyRecord<Self>) -> Result<Script<StoreError>, StoreError> {
        scripts::insert(key)
    }

    fn rotate(&self, rotation: &Rotation<Self>, _side_tables: bool) -> Script<StoreError> {
        scripts::rotate(rotation)
    }

    fn change(&self, change: &KeyChange<Self>) -> Result<Script<StoreError>, StoreError> {
        scripts::change(change)
    }

    fn revoke(&self, request: &RevokeRequest, _side_tables: bool) -> Script<StoreError> {
        scripts::revoke(request)
    }

    fn revoke_all(&self, request: &RevokeAllRequest, _side_tables: bool) -> Script<StoreError> {
        scripts::revoke_all(request)
    }

    fn revoked(request: &RevokeRequest, _side_tables: bool) -> Asked {
        (&revocations::REVOKED, scripts::named(request).into())
    }

    fn revoke_part(&self, request: &RevokeAllRequest, part: Part, _side_tables: bool) -> Option<PartOfAll> {
        Some(scripts::revoke_part(request, part))
    }

    fn remaining() -> &'static Query {
        &revocations::REMAINING
    }

    fn touch() -> &'static Query {
        &last_use::TOUCH
    }

    fn history(id: &KeyId) -> Result<Asked, StoreError> {
        Ok((&reads::HISTORY, vec![text(Some(id.as_str()))]))
    }

    fn decode_history(row: RowReader<'_>) -> Option<HistoryEntry> {
        history::entry(row)
    }

    fn purge(request: &PurgeRequest) -> Result<Script<StoreError>, StoreError> {
        Ok(scripts::purge(request))
    }

    /// A foreign key says that a key was purged while its use was written.
    fn interpret(violation: &Violation) -> StoreError {
        match violation.kind {
            ViolationKind::Unique | ViolationKind::ForeignKey => StoreError::Conflict,
            ViolationKind::NotNull | ViolationKind::Check => {
                StoreError::Unsupported("the tables of this schema have no place for a value of the key")
            }
        }
    }
}

/// A name that no environment can have is a defect. The key then counts as one of the environment in which mistakes
/// cost nothing, and is refused there too.
fn environment(row: &mut RowReader<'_>) -> Environment {
    let environment = row.optional_with(Column::Environment, |name| Environment::new(name).ok()).flatten();
    environment.or_else(|| row.mark_defect(Column::Environment)).unwrap_or(Environment::TEST)
}

/// NULL is a defect: no scopes are an empty text.
fn scopes(row: &mut RowReader<'_>) -> Scopes {
    let scopes = row.optional_with(Column::Scopes, |scopes| Scopes::from_stored(scopes.split(' ')));
    scopes.or_else(|| row.mark_defect(Column::Scopes)).unwrap_or_default()
}

/// A limit that permits nothing is a defect, so that its key is refused.
fn rate_limit(row: &mut RowReader<'_>) -> RateLimit {
    let limit = match row.cell(Column::RequestsPerMinute) {
        Cell::Null => RateLimit::ServiceDefault,
        Cell::Integer(limit) => RateLimit::from_stored(Some(limit)),
        _ => RateLimit::DenyAll,
    };
    if limit == RateLimit::DenyAll { row.mark_defect(Column::RequestsPerMinute).unwrap_or(limit) } else { limit }
}

/// A revocation is final, whatever else the row says.
fn status(row: &mut RowReader<'_>) -> Status {
    if !row.is_null(Column::RevokedAt) {
        let reason = row.optional_text(Column::RevocationReason).map(Reason::from_stored);
        return Status::Revoked(Revocation::new(row.timestamp(Column::RevokedAt), reason));
    }
    match row.cell(Column::IsDisabled) {
        Cell::Integer(0) => Status::Active,
        Cell::Integer(1) => {
            let reason = row.optional_text(Column::DisablingReason).map(Reason::from_stored);
            Status::Disabled(Disabling::new(row.timestamp(Column::DisabledAt), reason))
        }
        _ => row.mark_defect(Column::IsDisabled).unwrap_or_else(|| Status::Disabled(Disabling::default())),
    }
}

fn text(text: Option<&str>) -> Value<'static> {
    text.map(str::to_owned).into()
}
