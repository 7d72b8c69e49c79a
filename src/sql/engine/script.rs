//! Steps that happen together or not at all.

use std::fmt;

use crate::sql::engine::{Query, Row, ScriptError, Sql, Statement, Value};

/// A part of a [`Script`].
#[derive(Debug)]
pub(crate) enum Step<E> {
    /// Runs a statement, and ends the script where `end` says so. The rows that it returns count under `name`.
    Statement { statement: Statement, end: End<E>, name: Option<&'static str> },
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
    /// When the statement returns no row, and what was done before it stays.
    QuietlyWithoutRow,
}

impl<E> End<E> {
    /// The error that ends the script after `returned` rows. It can be had once; until then, the step can be repeated.
    pub(super) fn after(&mut self, returned: u64) -> Result<Go, E> {
        let is_end = match self {
            Self::Never => false,
            Self::WithoutRow(_) | Self::QuietlyWithoutRow => returned == 0,
            Self::WithRow(_) => returned > 0,
        };
        if !is_end {
            return Ok(Go::On);
        }
        match std::mem::replace(self, Self::Never) {
            Self::WithoutRow(error) | Self::WithRow(error) => Err(error),
            Self::QuietlyWithoutRow => {
                *self = Self::QuietlyWithoutRow;
                Ok(Go::NoFurther)
            }
            Self::Never => Ok(Go::On),
        }
    }
}

/// Whether the next step is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    On,
    NoFurther,
}

impl<E> Step<E> {
    /// Any number of rows is fine, and counts under `name`.
    pub(crate) const fn count(name: &'static str, statement: Statement) -> Self {
        Self::Statement { statement, end: End::Never, name: Some(name) }
    }

    /// Any number of rows is fine.
    pub(crate) const fn run(statement: Statement) -> Self {
        Self::Statement { statement, end: End::Never, name: None }
    }

    /// A statement that returns no row ends the script with `error`.
    pub(crate) const fn require(statement: Statement, error: E) -> Self {
        Self::Statement { statement, end: End::WithoutRow(error), name: None }
    }

    /// A statement that returns a row ends the script with `error`.
    pub(crate) const fn refuse(statement: Statement, error: E) -> Self {
        Self::Statement { statement, end: End::WithRow(error), name: None }
    }

    /// The steps behind it are run only if the statement returns a row. What was done before it stays.
    #[cfg_attr(
        all(not(feature = "credentials"), not(test)),
        expect(dead_code, reason = "only credentials have such steps")
    )]
    pub(crate) const fn only_if(statement: Statement) -> Self {
        Self::Statement { statement, end: End::QuietlyWithoutRow, name: None }
    }

    /// Several statements without arguments.
    pub(crate) const fn batch(sql: Sql) -> Self {
        Self::Batch(sql)
    }
}

/// How many rows the steps of a script returned that [count](Step::count), by their names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    rows: Vec<(&'static str, u64)>,
    is_cut_short: bool,
}

impl Counts {
    pub(super) fn add(&mut self, name: Option<&'static str>, rows: u64) {
        self.rows.extend(name.map(|name| (name, rows)));
    }

    /// A step has ended the script, and what was done before it stays.
    pub(super) const fn cut_short(&mut self) {
        self.is_cut_short = true;
    }

    /// Whether no [`Step::only_if`] has ended the script.
    #[cfg_attr(
        all(not(feature = "credentials"), not(test)),
        expect(dead_code, reason = "only credentials have such steps")
    )]
    pub(crate) const fn is_complete(&self) -> bool {
        !self.is_cut_short
    }

    /// The rows of each step of this name, in their order.
    #[cfg_attr(not(feature = "credentials"), expect(dead_code, reason = "keys are counted together"))]
    pub(crate) fn each(&self, name: &str) -> impl Iterator<Item = u64> {
        self.rows.iter().filter(move |(known, _)| *known == name).map(|(_, rows)| *rows)
    }

    /// The rows of all steps of this name; none where there was no such step.
    pub(crate) fn of(&self, name: &str) -> u64 {
        self.rows.iter().filter(|(known, _)| *known == name).map(|(_, rows)| rows).sum()
    }
}

/// Steps that happen together or not at all. A script carries its caller's own error.
#[derive(Debug)]
pub(crate) struct Script<E> {
    /// Scripts with the same lock run one after the other, in all processes. SQLite has one writer anyway.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "credentials")),
        expect(dead_code, reason = "SQLite has one writer")
    )]
    pub(super) lock: Option<String>,
    pub(super) steps: Vec<Step<E>>,
    /// Whether the script is still worth running once nobody waits for its outcome.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "PostgreSQL gives up with its caller"))]
    pub(super) outlives_caller: bool,
    /// What ends the script where the row that is read at its end does not [confirm](Reading::confirmed_by) it.
    pub(super) unconfirmed: Option<E>,
}

impl<E> Script<E> {
    pub(crate) fn new(steps: impl Into<Vec<Step<E>>>) -> Self {
        Self { lock: None, steps: steps.into(), outlives_caller: true, unconfirmed: None }
    }

    /// Ends with `error`, so that nothing of it stays, where what is read at its end does not
    /// [confirm](Reading::confirmed_by) it.
    #[cfg_attr(not(feature = "credentials"), expect(dead_code, reason = "only credentials are confirmed by a read"))]
    pub(crate) fn or_unconfirmed(self, error: E) -> Self {
        Self { unconfirmed: Some(error), ..self }
    }

    /// Ends the script if `reading` does not confirm it.
    pub(super) fn confirm<T>(
        &mut self,
        reading: Option<&mut Reading<T>>,
        counts: &Counts,
        rows: &[T],
    ) -> Result<(), ScriptError<E>> {
        let confirms = reading.and_then(|reading| reading.confirms.as_mut());
        let is_confirmed = confirms.is_none_or(|confirms| confirms(counts, rows));
        match self.unconfirmed.take_if(|_| !is_confirmed) {
            Some(error) => Err(ScriptError::Refused(error)),
            None => Ok(()),
        }
    }

    pub(crate) fn locked(lock: impl Into<String>, steps: impl Into<Vec<Step<E>>>) -> Self {
        Self { lock: Some(lock.into()), ..Self::new(steps) }
    }
}

impl<E> Script<E> {
    /// How many steps there are.
    #[cfg(feature = "credentials")]
    pub(crate) const fn len(&self) -> usize {
        self.steps.len()
    }

    /// The steps of another script behind its own, in the same transaction. Locks are not joined: `other` has none.
    #[cfg(feature = "credentials")]
    pub(crate) fn then(mut self, other: Self) -> Self {
        self.lock = self.lock.or(other.lock);
        self.steps.extend(other.steps);
        self
    }

    /// Whether it makes or alters tables, which may take longer than a change of rows.
    #[cfg(feature = "postgres")]
    pub(super) fn makes_tables(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Batch(_)))
    }

    /// Scripts without a lock as one: all of them happen, or none.
    #[cfg_attr(not(feature = "credentials"), expect(dead_code, reason = "keys are changed one by one"))]
    pub(crate) fn together(scripts: impl IntoIterator<Item = Self>) -> Self {
        Self::new(scripts.into_iter().flat_map(|script| script.steps).collect::<Vec<_>>())
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
    pub(super) confirms: Option<Confirms<T>>,
}

type Confirms<T> = Box<dyn FnMut(&Counts, &[T]) -> bool + Send>;
type Decode<T> = Box<dyn FnMut(&Row<'_>) -> T + Send>;

impl<T> Reading<T> {
    pub(crate) fn new(
        query: &'static Query,
        arguments: impl Into<Vec<Value<'static>>>,
        decode: impl FnMut(&Row<'_>) -> T + Send + 'static,
    ) -> Self {
        Self { query, arguments: arguments.into(), decode: Box::new(decode), confirms: None }
    }

    /// Whether the rows show what the script has counted. Its transaction is still open then: see
    /// [`Script::or_unconfirmed`].
    #[cfg_attr(not(feature = "credentials"), expect(dead_code, reason = "only credentials are confirmed by a read"))]
    pub(crate) fn confirmed_by(self, confirms: impl FnMut(&Counts, &[T]) -> bool + Send + 'static) -> Self {
        Self { confirms: Some(Box::new(confirms)), ..self }
    }
}

impl<T> fmt::Debug for Reading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("query", self.query).field("arguments", &self.arguments).finish_non_exhaustive()
    }
}
