//! Engines that several stores share, and the way from a URL to one that is chosen at run time.

#[cfg(feature = "sqlite")]
mod shared;
mod urls;
