//! The schemas: each a table layout, a key format, and what only its keys record.

pub mod aggregator;
pub mod mesh;
pub mod scraper;
pub mod standard;
