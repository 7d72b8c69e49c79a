//! Stores of grants: what they promise, the proof of the suite that says so, and the store in SQL.

mod conformance;
mod faulty;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
