//! Steps that happen together or not at all.

use std::fmt;

use crate::sql::engine::{Query, Row, Sql, Statement, Value};

/// A part of a [`Script`].
#[derive(Debug)]
pub(crate) enum Step<E> {
    /// Runs a statement, and ends the script where `end` says so.
    Statement { statement: Statement, end: End<E> },
    /// Runs several statements without arguments, such as a schema.
    Batch(Sql),
}

/// When a step ends its script, so that nothing of it stays.
#[derive(Debug)]
pub(crate) enum End<E> {
    Never,
    /// When the statement returns no row.
    WithoutRow(E),
    /// When the statement returns a row.
    WithRow(E),
}

impl<E> End<E> {
    /// The error that ends the script after `returned` rows. It can be had once; until then, the step can be repeated.
    pub(super) fn after(&mut self, returned: u64) -> Result<(), E> {
        let is_end = match self {
            Self::Never => false,
            Self::WithoutRow(_) => returned == 0,
            Self::WithRow(_) => returned > 0,
        };
        if !is_end {
            return Ok(());
        }
        match std::mem::replace(self, Self::Never) {
            Self::WithoutRow(error) | Self::WithRow(error) => Err(error),
            Self::Never => Ok(()),
        }
    }
}

impl<E> Step<E> {
    /// Any number of rows is fine.
    pub(crate) const fn run(statement: Statement) -> Self {
        Self::Statement { statement, end: End::Never }
    }

    /// A statement that returns no row ends the script with `error`.
    pub(crate) const fn require(statement: Statement, error: E) -> Self {
        Self::Statement { statement, end: End::WithoutRow(error) }
    }

    /// A statement that returns a row ends the script with `error`.
    pub(crate) const fn refuse(statement: Statement, error: E) -> Self {
        Self::Statement { statement, end: End::WithRow(error) }
    }

    /// Several statements without arguments.
    pub(crate) const fn batch(sql: Sql) -> Self {
        Self::Batch(sql)
    }
}

/// Steps that happen together or not at all. A script carries its caller's own error.
#[derive(Debug)]
pub(crate) struct Script<E> {
    /// Scripts with the same lock run one after the other, in all processes. SQLite has one writer anyway.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite has one writer"))]
    pub(super) lock: Option<String>,
    pub(super) steps: Vec<Step<E>>,
    /// Whether the script is still worth running once nobody waits for its outcome.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "PostgreSQL gives up with its caller"))]
    pub(super) outlives_caller: bool,
}

impl<E> Script<E> {
    pub(crate) fn new(steps: impl Into<Vec<Step<E>>>) -> Self {
        Self { lock: None, steps: steps.into(), outlives_caller: true }
    }

    pub(crate) fn locked(lock: impl Into<String>, steps: impl Into<Vec<Step<E>>>) -> Self {
        Self { lock: Some(lock.into()), steps: steps.into(), outlives_caller: true }
    }
}

impl<E> Script<E> {
    /// Scripts without a lock as one: all of them happen, or none. Beside it, which count of the outcome belongs to the first
    /// step of each.
    pub(crate) fn together(scripts: impl IntoIterator<Item = Self>) -> (Self, Vec<usize>) {
        let (mut steps, mut firsts, mut counts) = (Vec::new(), Vec::new(), 0);
        for script in scripts {
            firsts.push(counts);
            counts += script.steps.iter().filter(|step| matches!(step, Step::Statement { .. })).count();
            steps.extend(script.steps);
        }
        (Self::new(steps), firsts)
    }

    /// Is not begun once its caller has gone: what it makes, such as a key whose plaintext only the caller has, would be
    /// of no use to anybody.
    pub(crate) fn only_while_awaited(self) -> Self {
        Self { outlives_caller: false, ..self }
    }
}

/// A read that ends a script, inside its transaction.
pub(crate) struct Reading<T> {
    pub(super) query: &'static Query,
    pub(super) arguments: Vec<Value<'static>>,
    pub(super) decode: Decode<T>,
}

type Decode<T> = Box<dyn FnMut(&Row<'_>) -> T + Send>;

impl<T> Reading<T> {
    pub(crate) fn new(
        query: &'static Query,
        arguments: impl Into<Vec<Value<'static>>>,
        decode: impl FnMut(&Row<'_>) -> T + Send + 'static,
    ) -> Self {
        Self { query, arguments: arguments.into(), decode: Box::new(decode) }
    }
}

impl<T> fmt::Debug for Reading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("query", self.query).field("arguments", &self.arguments).finish_non_exhaustive()
    }
}
