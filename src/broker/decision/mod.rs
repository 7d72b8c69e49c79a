//! The decisions about codes and tokens: pure functions of what a store has found, what is presented, and the time.
//!
//! Each validates first. What is wrong in a request spends nothing and revokes nothing: only a code or refresh token that is
//! presented again by the client that holds it, with all that belongs to it, is a replay.

mod access;
mod code;
mod refresh;
#[cfg(test)]
mod tests;

pub use access::{AccessRefusal, Principal, decide_access};
pub use code::{CodeRefusal, Redemption, decide_redemption};
pub use refresh::{Refresh, RefreshRefusal, RefreshVerdict, decide_refresh};

/// Whether what was granted extends to the resource that is asked for. One that names none is for all of the server's, and
/// who asks for none asks for what was granted.
fn is_within(granted: Option<&str>, asked: Option<&str>) -> bool {
    granted.zip(asked).is_none_or(|(granted, asked)| granted == asked)
}
