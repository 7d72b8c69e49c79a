//! What happens to keys in production, and what becomes of it.

// Always so; it tells clippy that what only helps tests may panic and print as they do.
#![cfg(test)]

mod front;
