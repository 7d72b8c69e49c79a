//! What every benchmark here shares: timing beside a floor, the table and the plot of a run, and the keys and tables that
//! are asked for.

pub mod batch;
pub mod keys;
#[cfg(feature = "postgres")]
pub mod load;
mod plot;
mod report;
#[cfg(feature = "postgres")]
pub mod server;
pub mod suite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod tables;
pub mod threads;
