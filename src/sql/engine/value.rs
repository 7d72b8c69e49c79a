//! The arguments of statements.

use std::borrow::Cow;
use std::fmt;

use crate::sql::engine::Sql;
use crate::time::Timestamp;

/// An argument of a statement. Absent values keep their type, which PostgreSQL wants to know.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value<'v> {
    Integer(Option<i64>),
    Text(Option<Cow<'v, str>>),
    Bytes(Option<Cow<'v, [u8]>>),
    /// Bound as `timestamp` on PostgreSQL and as `YYYY-MM-DD HH:MM:SS[.ffffff]` on SQLite, both in UTC.
    Timestamp(Option<Timestamp>),
}

impl Value<'_> {
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Integer(value) => Value::Integer(value),
            Self::Text(value) => Value::Text(value.map(|text| Cow::Owned(text.into_owned()))),
            Self::Bytes(value) => Value::Bytes(value.map(|bytes| Cow::Owned(bytes.into_owned()))),
            Self::Timestamp(value) => Value::Timestamp(value),
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Texts and bytes may be digests of keys.
        let (kind, length) = match self {
            Self::Integer(value) => return f.debug_tuple("Integer").field(value).finish(),
            Self::Timestamp(value) => return f.debug_tuple("Timestamp").field(value).finish(),
            Self::Text(value) => ("Text", value.as_ref().map(|text| text.len())),
            Self::Bytes(value) => ("Bytes", value.as_ref().map(|bytes| bytes.len())),
        };
        match length {
            Some(length) => write!(f, "{kind}({length} bytes)"),
            None => write!(f, "{kind}(None)"),
        }
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(Some(Cow::Borrowed(value)))
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(value: Option<&'v str>) -> Self {
        Self::Text(value.map(Cow::Borrowed))
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Some(Cow::Owned(value)))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(Cow::Owned))
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(value: &'v [u8]) -> Self {
        Self::Bytes(Some(Cow::Borrowed(value)))
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(Cow::Owned(value)))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Timestamp(Some(value))
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Timestamp(value)
    }
}

/// A statement with its arguments, `$1` or `?1` first.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: Sql,
    pub(crate) arguments: Vec<Value<'static>>,
}

impl Statement {
    pub(crate) fn new(sql: Sql, arguments: impl Into<Vec<Value<'static>>>) -> Self {
        Self { sql, arguments: arguments.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_kind_and_the_length_and_never_what_a_text_or_bytes_say() {
        let digest = "5f4dcc3b5aa765d61d8327deb882cf99";
        let statement = Statement::new(
            Sql { postgres: "SELECT $1", sqlite: "SELECT ?1" },
            [digest.into(), digest.as_bytes().to_vec().into(), Value::Text(None), 7.into()],
        );
        let shown = format!("{statement:?}");
        assert!(shown.contains("[Text(32 bytes), Bytes(32 bytes), Text(None), Integer(Some(7))]"), "{shown}");
    }

    #[test]
    fn an_owned_value_is_the_same_value() {
        for value in [Value::from("a"), Value::from(&b"b"[..]), 1.into(), Timestamp::MAX.into(), Value::Bytes(None)] {
            assert_eq!(value.clone().into_owned(), value);
        }
    }
}
