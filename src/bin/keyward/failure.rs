//! What can go wrong, and with which exit status.

use std::error::Error;
use std::process::ExitCode;

use keyward::KeysError;
use keyward::key::PrepareError;
use keyward::sql::migrate::MigrateError;
use keyward::store::StoreError;
use serde_json::json;

use crate::output::{print_json, remark};

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Refused = 1,
    Usage = 2,
    Unavailable = 3,
    NotFound = 4,
}

impl Failure {
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, message: message.into() }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { kind: Kind::NotFound, message: message.into() }
    }

    pub(crate) fn unavailable(error: &(dyn Error + 'static)) -> Self {
        Self { kind: Kind::Unavailable, message: chain(error) }
    }

    /// The same failure, with what it means in front of its cause.
    #[cfg(feature = "postgres")]
    pub(crate) fn in_front(self, meaning: &str) -> Self {
        Self { message: format!("{meaning}: {}", self.message), ..self }
    }

    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let code = match self.kind {
            Kind::Refused => "refused",
            Kind::Usage => "usage",
            Kind::Unavailable => "unavailable",
            Kind::NotFound => "not_found",
        };
        if json {
            // Whoever closed standard output still sees the exit status.
            let _ = print_json(&json!({ "error": code, "message": self.message }));
        }
        remark(&format!("keyward: {}", self.message));
        ExitCode::from(self.kind as u8)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Conflict | StoreError::Unsupported(_) => Kind::Refused,
            StoreError::Missing(_) => Kind::NotFound,
            StoreError::UnknownCursor => Kind::Usage,
            _ => Kind::Unavailable,
        };
        let failure = Self { kind, message: chain(&error) };
        if !matches!(error, StoreError::Backend { .. }) {
            return failure;
        }
        let lacks_a_table = ["no such table", "no such column", "does not exist"];
        if lacks_a_table.iter().any(|sign| failure.message.contains(sign)) {
            let message =
                format!("{}; `keyward check` tells what is missing, `keyward migrate` makes it", failure.message);
            return Self { message, ..failure };
        }
        failure
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::NotFound => Self::not_found(error.to_string()),
            KeysError::StartTooShort { .. }
            | KeysError::Prepare(PrepareError::ExpiryPassed | PrepareError::NoExpiry) => Self::usage(error.to_string()),
            KeysError::NotUnique | KeysError::Prepare(PrepareError::NotLive(_)) => Self::refused(error.to_string()),
            KeysError::Store(error) => error.into(),
            other => Self::unavailable(&other),
        }
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Store(error) => error.into(),
            other => Self::refused(other.to_string()),
        }
    }
}

/// An error and everything behind it, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors repeat their cause.
        if !told.contains(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        cause = error.source();
    }
    told
}
