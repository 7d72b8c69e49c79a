//! All integration tests in one binary, which links faster than many: a module a subject.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is all there is to say")]

#[cfg(all(feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod aggregator;
#[cfg(all(feature = "axum", feature = "broker", feature = "testkit"))]
mod broker;
#[cfg(feature = "testkit")]
mod cache;
#[cfg(all(feature = "cli", feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod command_line;
#[cfg(feature = "testkit")]
mod conformance;
#[cfg(feature = "credentials")]
mod credentials;
mod downstream;
#[cfg(all(feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod engines;
#[cfg(feature = "testkit")]
mod faulty_stores;
#[cfg(all(feature = "broker", feature = "testkit"))]
mod grants;
#[cfg(all(feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod guest;
#[cfg(all(feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod host_transactions;
#[cfg(all(feature = "axum", feature = "testkit"))]
mod http;
#[cfg(feature = "testkit")]
mod last_used;
mod layering;
#[cfg(feature = "testkit")]
mod leaks;
#[cfg(all(feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod mesh;
#[cfg(all(feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod migrations;
#[cfg(feature = "testkit")]
mod races;
#[cfg(all(feature = "redis", feature = "testkit"))]
mod redis;
#[cfg(all(feature = "postgres", feature = "testkit"))]
mod replicas;
#[cfg(all(feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod scraper;
#[cfg(feature = "testkit")]
mod service_under_faults;
#[cfg(all(feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod standard;
#[cfg(all(feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod statements;
#[cfg(feature = "testkit")]
mod support;
#[cfg(all(feature = "broker", feature = "testkit", any(feature = "sqlite", feature = "postgres")))]
mod sweeping;
#[cfg(feature = "testkit")]
mod tasks;
#[cfg(feature = "testkit")]
mod trouble;
#[cfg(feature = "testkit")]
mod values;
