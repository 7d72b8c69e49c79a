//! The command line: issue, verify, list, change, rotate and revoke keys in a database, from a shell.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod arguments;
#[cfg(all(feature = "broker", any(feature = "sqlite", feature = "postgres")))]
mod broker;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod commands;
#[cfg(all(feature = "reqwest", any(feature = "sqlite", feature = "postgres")))]
mod credential;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod database;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod failure;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod output;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod progress;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod schema;
#[cfg(all(any(feature = "reqwest", feature = "serve"), any(feature = "sqlite", feature = "postgres")))]
mod secret_file;
#[cfg(all(feature = "serve", any(feature = "sqlite", feature = "postgres")))]
mod serve;

use std::process::ExitCode;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    // Wrong usage is reported as JSON too, before it is known which usage was meant.
    let json = words.iter().any(|word| word == "--json");
    let done = arguments::parse(&words).and_then(|(schema, matches)| {
        let runtime = runtime(&matches).map_err(|error| failure::Failure::unavailable(&error))?;
        let done = runtime.block_on((schema.run)(&matches));
        // Whatever still waits, such as for the address of a server, is not waited for.
        runtime.shutdown_background();
        done
    });
    done.unwrap_or_else(|failure| failure.report(json))
}

/// A server answers many at once; everything else is one thing after the other.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn runtime(matches: &clap::ArgMatches) -> std::io::Result<tokio::runtime::Runtime> {
    #[cfg(feature = "serve")]
    if matches.subcommand_name() == Some("serve") {
        return tokio::runtime::Builder::new_multi_thread().enable_all().build();
    }
    let _ = matches;
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
#[expect(clippy::print_stderr, reason = "a command line speaks to its user")]
fn main() -> ExitCode {
    eprintln!("keyward was built without a database: build it with the feature sqlite or postgres");
    ExitCode::from(2)
}
