//! What can go wrong, and with which exit status.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use keyward::KeysError;
use keyward::key::{ChangeError, PrepareError};
use keyward::sql::MigrateError;
use keyward::store::{StoreError, Unfit};
use serde_json::json;

use crate::output::{print_json, remark};

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// The database was given up.
    pub(crate) fn too_slow(limit: Duration) -> Self {
        let limit = humantime::format_duration(limit);
        let message = format!("the database did not answer within {limit}; a change may have been made all the same");
        Self { kind: Kind::Unavailable, message }
    }

    /// A SQLite file that is missing.
    pub(crate) fn no_database(path: &Path) -> Self {
        let message = format!("there is no database {}: \"keyward migrate\" makes it", path.display());
        Self { kind: Kind::Unavailable, message }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Whether the database could not answer, so that the next question would fail too.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.kind == Kind::Unavailable
    }

    /// The same failure, with what was done before it.
    pub(crate) fn after(self, done: &str) -> Self {
        Self { message: format!("{}; {done}", self.message), ..self }
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
            StoreError::Conflict
            | StoreError::Unsupported(_)
            | StoreError::TenantDisabled(_)
            | StoreError::Unfit(_) => Kind::Refused,
            StoreError::Missing(_) => Kind::NotFound,
            StoreError::UnknownCursor => Kind::Usage,
            _ => Kind::Unavailable,
        };
        let failure = Self { kind, message: chain(&error) };
        match hint(&error, &failure.message) {
            Some(hint) => failure.after(hint),
            None => failure,
        }
    }
}

/// What to do, where the error alone does not say it.
fn hint(error: &StoreError, message: &str) -> Option<&'static str> {
    let says = |signs: &[&str]| signs.iter().any(|sign| message.contains(sign));
    match error {
        StoreError::Backend { .. } if says(&["no such table", "no such column", "does not exist"]) => {
            Some("`keyward check` names what is missing, `keyward migrate` makes it")
        }
        StoreError::Unavailable { .. } if says(&["55P03", "is locked"]) => {
            Some("somebody else holds a lock on it: nothing was changed, try again, or look for who holds it")
        }
        StoreError::Interrupted { .. } => Some("the other keys may be accepted still: run the command again"),
        StoreError::Suppressed { .. } => {
            Some("whoever reads that table goes on accepting it: remove the trigger or the rule, and try again")
        }
        StoreError::Denied { .. } => {
            Some("`keyward check` names the rights that are missing, `keyward grants` prints the statements")
        }
        _ => None,
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        let kind = match error {
            KeysError::Store(error) => return error.into(),
            KeysError::NotFound => Kind::NotFound,
            KeysError::PrefixTooShort { .. }
            | KeysError::Change(ChangeError::ExpiryPassed)
            | KeysError::Prepare(
                PrepareError::ExpiryPassed
                | PrepareError::NoExpiry
                | PrepareError::WrongOrigin
                | PrepareError::DisplayPrefix,
            ) => Kind::Usage,
            KeysError::NotUnique
            | KeysError::AlreadyRotated { .. }
            | KeysError::Changed { .. }
            | KeysError::Change(_)
            | KeysError::Prepare(PrepareError::NotLive(_)) => Kind::Refused,
            _ => Kind::Unavailable,
        };
        Self { kind, message: chain(&error) }
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Unavailable { .. } | MigrateError::Failed { .. } => Self::unavailable(&error),
            MigrateError::Unfit(Unfit::Newer { .. }) => Self::refused(format!("{error}: use the newer version")),
            other => Self::refused(other.to_string()),
        }
    }
}

#[cfg(feature = "reqwest")]
impl Failure {
    /// A failure of the kind that `made` makes, with everything behind it.
    pub(crate) fn from_chain(error: &(dyn Error + 'static), made: impl FnOnce(String) -> Self) -> Self {
        made(chain(error))
    }

    /// With the commands about the tables of credentials where it names those about the tables of keys. `layout` is typed
    /// behind them.
    pub(crate) fn about_credentials(self, layout: &str) -> Self {
        self.about("credential", "--credentials", layout)
    }

    /// An error and everything behind it, in one line.
    pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
        chain(error)
    }
}

#[cfg(any(feature = "broker", feature = "reqwest"))]
impl Failure {
    /// With the commands of `group` where it names those about the tables of keys, and with `option` of `grants`. `typed`
    /// stands behind them.
    fn about(self, group: &str, option: &str, typed: &str) -> Self {
        let message = ["check", "migrate"].iter().fold(self.message, |message, command| {
            message.replace(&format!("keyward {command}"), &format!("keyward {group} {command}{typed}"))
        });
        let message = message.replace("keyward grants", &format!("keyward grants {option}{typed}"));
        Self { message, ..self }
    }
}

#[cfg(feature = "broker")]
impl Failure {
    /// With the commands about the tables of an authorization server where it names those about the tables of keys.
    pub(crate) fn about_broker(self) -> Self {
        self.about("broker", "--broker", "")
    }
}

/// An error and everything behind it, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors repeat their cause.
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(error: StoreError) -> (Kind, String) {
        let Failure { kind, message } = error.into();
        (kind, message)
    }

    #[test]
    fn what_an_operator_can_do_follows_the_error() {
        let (backend, table) = ("PostgreSQL", "api_keys");
        let locked = StoreError::Unavailable { backend, source: "canceling (SQLSTATE 55P03)".into() };
        for (error, said) in [
            (StoreError::Suppressed { table }, "kept a row of api_keys as it was; whoever"),
            (StoreError::Denied { backend, source: "no (SQLSTATE 42501)".into() }, "42501); `keyward check` names"),
            (locked, "55P03); somebody else holds a lock on it"),
            (StoreError::Unavailable { backend: "SQLite", source: "database is locked".into() }, "locked; somebody"),
            (StoreError::Backend { backend, source: "relation does not exist".into() }, "exist; `keyward check`"),
        ] {
            let (kind, message) = failure(error);
            assert_eq!(kind, Kind::Unavailable, "{message}");
            assert!(message.contains(said), "{message}");
        }
        let (_, plain) = failure(StoreError::Unavailable { backend, source: "refused".into() });
        assert_eq!(plain, "PostgreSQL is unavailable: refused");
    }
}
