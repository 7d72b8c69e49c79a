//! Upstream credentials against servers that others have written, which `tests/peers/run` starts: the atproto PDS, and
//! oidc-provider. Prints what was tried and ends with an error at the first thing that is not as it has to be.

#![expect(clippy::print_stdout, reason = "this is a program, and its output is how it is watched")]

mod oidc;
mod pds;
mod world;

use std::error::Error;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Fails with what was expected.
fn expect(is_met: bool, what: impl Into<String>) -> Outcome {
    if is_met { Ok(()) } else { Err(what.into().into()) }
}

#[tokio::main]
async fn main() -> Outcome {
    let rounds: u32 = std::env::args().nth(1).map_or(Ok(100), |rounds| rounds.parse())?;
    world::wait_for("http://localhost:2590/client-key").await?;
    pds::run(rounds, Duration::from_millis(500)).await?;
    world::wait_for("http://localhost:2601/?client=public").await?;
    oidc::run(rounds).await?;
    println!("everything was as it has to be");
    Ok(())
}
