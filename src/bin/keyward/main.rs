//! The command line: issue, verify, list, rotate and revoke keys in a database, from a shell.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod arguments;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod commands;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod database;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod failure;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod output;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod system;

use std::process::ExitCode;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn main() -> ExitCode {
    // Wrong usage is told as JSON too, before it is known which usage was meant.
    let json = std::env::args_os().any(|argument| argument == "--json");
    let document = arguments::parse().and_then(|arguments| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failure::Failure::unavailable(&error))?;
        runtime.block_on(commands::run(arguments))
    });
    document.and_then(|document| output::print(&document, json)).unwrap_or_else(|failure| failure.report(json))
}

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
#[expect(clippy::print_stderr, reason = "a command line speaks to its user")]
fn main() -> ExitCode {
    eprintln!("keyward was built without a database: build it with the feature sqlite or postgres");
    ExitCode::from(2)
}
