//! Reading a row of keys: every cell becomes a value or the row's defect, never an error.

use crate::key::{Defect, KeyDigest};
use crate::sql::engine::{Cell, Row};
use crate::time::Timestamp;

/// A column of the rows that a read returns, by its place among the names that the read asks for.
pub(crate) trait Column: Copy {
    fn place(self) -> usize;

    fn name(self) -> &'static str;

    /// What is said of a value that cannot be understood, in a read of `table`.
    fn defect(self, table: &'static str) -> Defect {
        Defect::new(table, self.name())
    }
}

/// Declares the columns of a schema's rows, each once. Reads select them by these names, in whatever order.
macro_rules! columns {
    ($(#[$doc:meta])* $visibility:vis enum $columns:ident { $($column:ident = $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        $visibility enum $columns { $($column),+ }

        impl $columns {
            /// The names, in the order of the places.
            $visibility const NAMES: &'static [&'static str] = &[$($name),+];
        }

        impl $crate::sql::keys::Column for $columns {
            fn place(self) -> usize {
                self as usize
            }

            fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }
        }
    };
}
pub(crate) use columns;

/// The cells of a row, read in place. What cannot be understood reads as absent and is remembered as the row's defect,
/// which keeps its key from being accepted.
pub(crate) struct RowReader<'r> {
    table: &'static str,
    row: &'r Row<'r>,
    defect: Option<Defect>,
}

impl<'r> RowReader<'r> {
    pub(crate) const fn new(table: &'static str, row: &'r Row<'r>) -> Self {
        Self { table, row, defect: None }
    }

    /// A cell as it is.
    pub(crate) fn cell(&self, column: impl Column) -> Cell<'r> {
        self.row.cell(column.place())
    }

    /// Whether a flag is set; NULL is neither true nor false, and only true is set.
    pub(crate) fn is_true(&self, column: impl Column) -> bool {
        self.cell(column) == Cell::Integer(1)
    }

    pub(crate) fn is_null(&self, column: impl Column) -> bool {
        self.cell(column) == Cell::Null
    }

    pub(crate) fn optional_text(&mut self, column: impl Column) -> Option<String> {
        self.optional_with(column, str::to_owned)
    }

    /// A text on which no decision depends: what is no text reads as absent, and is no defect.
    pub(crate) fn opaque_text(&self, column: impl Column) -> Option<&'r str> {
        match self.cell(column) {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What `read` makes of a text, without a copy of it in between.
    pub(crate) fn optional_with<T>(&mut self, column: impl Column, read: impl FnOnce(&str) -> T) -> Option<T> {
        match self.cell(column) {
            Cell::Null => None,
            cell => match cell.as_text() {
                Some(text) => Some(read(text)),
                None => self.mark_defect(column),
            },
        }
    }

    /// A text that must be there; empty where it is not.
    pub(crate) fn text(&mut self, column: impl Column) -> String {
        match self.cell(column).as_text() {
            Some(text) => text.to_owned(),
            None => self.mark_defect(column).unwrap_or_default(),
        }
    }

    /// A digest in either of its stored forms. Anything else is `None`, which matches no key.
    pub(crate) fn digest(&self, column: impl Column) -> Option<KeyDigest> {
        match self.cell(column) {
            Cell::Text(hex) => KeyDigest::from_hex(hex),
            Cell::Bytes(bytes) => bytes.try_into().ok().map(KeyDigest::from_bytes),
            _ => None,
        }
    }

    /// An integer that must be there.
    pub(crate) fn integer(&mut self, column: impl Column) -> Option<i64> {
        match self.cell(column) {
            Cell::Integer(number) => Some(number),
            _ => self.mark_defect(column),
        }
    }

    /// An integer that must be there and must not be negative; 0 where it is not.
    pub(crate) fn unsigned(&mut self, column: impl Column) -> u64 {
        match self.cell(column) {
            Cell::Integer(number) if number >= 0 => number.unsigned_abs(),
            _ => self.mark_defect(column).unwrap_or_default(),
        }
    }

    pub(crate) fn timestamp(&mut self, column: impl Column) -> Option<Timestamp> {
        match self.cell(column).timestamp() {
            Ok(at) => at,
            Err(_) => self.mark_defect(column),
        }
    }

    /// Remembers that `column` holds something that cannot be understood or grants nothing; the first one is kept.
    pub(crate) fn mark_defect<T>(&mut self, column: impl Column) -> Option<T> {
        let table = self.table;
        self.defect.get_or_insert_with(|| column.defect(table));
        None
    }

    pub(crate) const fn defect(&self) -> Option<Defect> {
        self.defect
    }
}
