//! Reaching the database that `--db` names, and waiting for it no longer than `--timeout`.

use std::time::Duration;

use keyward::Engine;
use keyward::sql::ConnectError;

use crate::arguments::DatabaseArguments;
use crate::failure::Failure;

/// Waits for what is asked of the database, and gives it up after `limit`.
pub(crate) async fn within<T, E: Into<Failure>>(
    limit: Duration,
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, asking).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(Failure::too_slow(limit)),
    }
}

/// Opens the database. A SQLite file that is missing is made only when `create` says so; one that is there keeps its
/// journal mode, unless the URL says otherwise.
pub(crate) async fn connect(arguments: &DatabaseArguments, create: bool) -> Result<Engine, Failure> {
    let url = arguments.url.as_deref();
    let url = on_disk(url.ok_or_else(|| Failure::usage("--db is required: sqlite:PATH or postgres://…"))?)?;
    let connecting = async {
        let connected = match Engine::connect(url).await {
            Err(ConnectError::MissingFile { .. }) if create => Engine::connect(&creating(url)).await,
            connected => connected,
        };
        connected.map_err(|error| match error {
            // Unless the URL says how the file is opened, `migrate` makes it.
            ConnectError::MissingFile { path } if !create && !url.contains("mode=") => Failure::no_database(&path),
            error => error.into(),
        })
    };
    let engine = within(arguments.timeout, connecting).await?;
    own_tables_in(arguments, engine)
}

fn own_tables_in(arguments: &DatabaseArguments, engine: Engine) -> Result<Engine, Failure> {
    let DatabaseArguments { postgres_schema: schema, trusted, .. } = arguments;
    match engine {
        #[cfg(feature = "postgres")]
        Engine::Postgres(mut postgres) => {
            if let Some(schema) = schema {
                let renamed = postgres.own_tables_in(schema);
                postgres = renamed.map_err(|error| Failure::usage(format!("--postgres-schema: {error}")))?;
            }
            Ok(trusted.iter().fold(postgres, keyward::Postgres::trusting).into())
        }
        _ if schema.is_some() => Err(Failure::usage("--postgres-schema is for postgres:// databases")),
        _ if !trusted.is_empty() => Err(Failure::usage("--trust is for postgres:// databases")),
        engine => Ok(engine),
    }
}

/// The path and the parameters of a SQLite URL.
fn sqlite(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    Some(rest.split_once('?').unwrap_or((rest, "")))
}

/// Refuses what only PostgreSQL can do on a SQLite file, before that is opened or made.
#[cfg(feature = "reqwest")]
pub(crate) fn require_postgres(arguments: &DatabaseArguments, typed: &str) -> Result<(), Failure> {
    match arguments.url.as_deref().and_then(sqlite) {
        Some(_) => {
            Err(Failure::usage(format!("{typed} is for postgres:// databases: SQLite encrypts nothing by itself")))
        }
        None => Ok(()),
    }
}

/// Refuses a database in memory, which would be gone when the command ends.
fn on_disk(url: &str) -> Result<&str, Failure> {
    match sqlite(url) {
        Some((path, parameters)) if path == ":memory:" || parameters.split('&').any(|one| one == "mode=memory") => {
            Err(Failure::usage("--db must name a file: sqlite:PATH"))
        }
        _ => Ok(url),
    }
}

/// The same database, which is made when it is missing, unless the URL says otherwise.
fn creating(url: &str) -> String {
    match sqlite(url) {
        Some((path, "")) if !path.is_empty() => format!("{}?mode=rwc", url.trim_end_matches('?')),
        Some((_, parameters)) if !parameters.is_empty() && !parameters.contains("mode=") => format!("{url}&mode=rwc"),
        _ => url.to_owned(),
    }
}

impl From<ConnectError> for Failure {
    /// Nothing of the URL is repeated but the path of a file.
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Unavailable { .. } | ConnectError::MissingFile { .. } => Self::unavailable(&error),
            ConnectError::UnsupportedParameter { expected, .. } => {
                Self::usage(format!("--db: the URL has a parameter that is not supported: {expected}"))
            }
            other => Self::usage(format!("--db: {other}")),
        }
    }
}
