//! What happens to a key library in production, produced with the real thing.

mod postgres;
