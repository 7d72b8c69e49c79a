//! What production does to keys, with the real thing: each test makes the trouble and says what still holds.

// Always so; clippy then lets what only helps tests panic as they do.
#![cfg(test)]

mod front;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod keys;
#[cfg(feature = "postgres")]
mod neighbours;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod rights;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod trust;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod versions;
