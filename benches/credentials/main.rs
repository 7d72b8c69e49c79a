//! What credentials cost that are kept for calls to other servers: sealing them, proving that they are ours, and handing
//! out one that is still good, each against what cannot be left out.

mod handed_out;
mod proofs;
mod sealing;

use std::error::Error;

use keyward_benches::suite::Suite;

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new("credentials");
    sealing::seal_and_open(&mut suite)?;
    proofs::prove(&mut suite)?;
    handed_out::hand_out(&mut suite)?;
    suite.finish()
}
