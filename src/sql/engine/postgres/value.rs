//! Values on their way to PostgreSQL and back, in its binary form.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo};
use sqlx::query::Query;
use sqlx::{Encode, Row as _, SqlStr, Type, TypeInfo, ValueRef};

use crate::sql::engine::row::UuidText;
use crate::sql::engine::{Cell, Value};
use crate::time::Timestamp;

/// A statement with its arguments, which are copied into the message to the server here.
pub(super) fn bound(sql: SqlStr, arguments: &[Value<'_>]) -> Query<'static, sqlx::Postgres, PgArguments> {
    arguments.iter().fold(sqlx::query(sql), |query, argument| match argument {
        Value::Integer(value) => query.bind(value),
        Value::Text(value) => query.bind(value.as_deref()),
        Value::Bytes(value) => query.bind(value.as_deref()),
        Value::Timestamp(value) => query.bind(value.map(Zoneless)),
    })
}

/// A statement that takes the arguments of several lookups, each position of them as one array. Lookups have texts and bytes
/// for arguments, and nothing else.
pub(super) fn bound_together(sql: SqlStr, lookups: &[Vec<Value<'_>>]) -> Query<'static, sqlx::Postgres, PgArguments> {
    let positions = 0..lookups.first().map_or(0, Vec::len);
    positions.fold(sqlx::query(sql), |query, position| match lookups[0][position] {
        Value::Bytes(_) => query.bind(column(lookups, position, |value| match value {
            Value::Bytes(bytes) => bytes.as_deref().map(<[u8]>::to_vec),
            _ => None,
        })),
        _ => query.bind(column(lookups, position, |value| match value {
            Value::Text(text) => text.as_deref().map(str::to_owned),
            _ => None,
        })),
    })
}

fn column<T>(lookups: &[Vec<Value<'_>>], position: usize, read: impl Fn(&Value<'_>) -> Option<T>) -> Vec<Option<T>> {
    lookups.iter().map(|lookup| lookup.get(position).and_then(&read)).collect()
}

/// An instant as PostgreSQL's `timestamp`, in UTC. Never bound as `timestamptz`, which the server would shift into its
/// session's zone on the way to a column without one.
struct Zoneless(Timestamp);

const TIMESTAMP_OID: Oid = Oid(1114);
/// 2000-01-01T00:00:00Z, from which PostgreSQL counts, in microseconds after 1970.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl Type<sqlx::Postgres> for Zoneless {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMP_OID)
    }
}

impl Encode<'_, sqlx::Postgres> for Zoneless {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // The ends of time are the finite instants that they are: `infinity` is something else to other drivers, one of
        // which reads the year 2000.
        let micros = self.0.as_micros() - POSTGRES_EPOCH;
        buffer.extend_from_slice(&micros.to_be_bytes());
        Ok(IsNull::No)
    }
}

pub(in crate::sql::engine) fn cell(row: &PgRow, position: usize) -> Cell<'_> {
    read(row, position).unwrap_or(Cell::Unreadable)
}

/// `None` when it is of a type that no column of ours has.
fn read(row: &PgRow, position: usize) -> Option<Cell<'_>> {
    let value = row.try_get_raw(position).ok()?;
    if value.is_null() {
        return Some(Cell::Null);
    }
    let bytes = value.as_bytes().ok()?;
    let text = |bytes| Some(Cell::Text(std::str::from_utf8(bytes).ok()?));
    match value.type_info().name() {
        "TEXT" | "VARCHAR" | "NAME" | "JSON" | "citext" => text(bytes),
        // Padded with spaces to its length.
        "CHAR" => text(bytes.trim_ascii_end()),
        "JSONB" => text(bytes.strip_prefix(&[1])?),
        "BYTEA" => Some(Cell::Bytes(bytes)),
        "BOOL" => Some(Cell::Integer(i64::from(*bytes.first()?))),
        "INT2" => Some(Cell::Integer(i16::from_be_bytes(bytes.try_into().ok()?).into())),
        "INT4" => Some(Cell::Integer(i32::from_be_bytes(bytes.try_into().ok()?).into())),
        "INT8" => Some(Cell::Integer(i64::from_be_bytes(bytes.try_into().ok()?))),
        "TIMESTAMP" | "TIMESTAMPTZ" => {
            let micros = i64::from_be_bytes(bytes.try_into().ok()?);
            Some(Cell::Timestamp(Timestamp::from_micros(micros.saturating_add(POSTGRES_EPOCH))))
        }
        "UUID" => Some(Cell::Uuid(UuidText::new(bytes.try_into().ok()?))),
        _ => None,
    }
}
