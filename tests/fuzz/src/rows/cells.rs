//! From bytes to cells: a place, a type and a value, several times.

use keyward::rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

/// What SQLite can hold in one place. A text need not be UTF-8.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'d> {
    Null,
    Integer(i64),
    Real(f64),
    Text(std::borrow::Cow<'d, [u8]>),
    Blob(std::borrow::Cow<'d, [u8]>),
}

impl Cell<'_> {
    pub(super) fn owned(cell: ValueRef<'_>) -> Cell<'static> {
        match cell {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Integer(number),
            ValueRef::Real(number) => Cell::Real(number),
            ValueRef::Text(text) => Cell::Text(text.to_owned().into()),
            ValueRef::Blob(bytes) => Cell::Blob(bytes.to_owned().into()),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> keyward::rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Up to four cells with the places that they go to: a byte for the place, one for the type, and the value.
pub(super) fn edits(mut data: &[u8]) -> Vec<(u8, Cell<'_>)> {
    let mut edits = Vec::new();
    while let [place, kind, rest @ ..] = data
        && edits.len() < 4
    {
        let (cell, behind) = cell(*kind, rest);
        edits.push((*place, cell));
        data = behind;
    }
    edits
}

fn cell(kind: u8, data: &[u8]) -> (Cell<'_>, &[u8]) {
    let (first, behind) = data.split_first().map_or((0, data), |(first, behind)| (*first, behind));
    let eight = |read: fn([u8; 8]) -> Cell<'static>| {
        data.split_first_chunk::<8>().map_or((Cell::Null, &[][..]), |(number, behind)| (read(*number), behind))
    };
    let counted = || behind.split_at_checked(first.into()).unwrap_or((behind, &[]));
    match kind % 7 {
        0 => (Cell::Null, data),
        1 => (Cell::Integer(i64::from(first.cast_signed())), behind),
        2 => eight(|number| Cell::Integer(i64::from_le_bytes(number))),
        3 => eight(|number| real(f64::from_le_bytes(number))),
        4 => counted_cell(counted(), Cell::Text),
        5 => counted_cell(counted(), Cell::Blob),
        _ => (Cell::Text(data.into()), &[]),
    }
}

/// SQLite stores what is not a number as NULL.
const fn real(number: f64) -> Cell<'static> {
    if number.is_nan() { Cell::Null } else { Cell::Real(number) }
}

fn counted_cell<'d>(
    (bytes, behind): (&'d [u8], &'d [u8]),
    cell: fn(std::borrow::Cow<'d, [u8]>) -> Cell<'d>,
) -> (Cell<'d>, &'d [u8]) {
    (cell(bytes.into()), behind)
}
