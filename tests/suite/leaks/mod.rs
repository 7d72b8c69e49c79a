//! No plaintext and no digest gets out: not in what values and errors print, not in JSON, and not in any log, that of
//! sqlx included.

mod changes;
mod detector;
mod evidence;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod host;
#[cfg(feature = "axum")]
mod http;
#[cfg(all(feature = "serde", any(feature = "sqlite", feature = "postgres")))]
mod json;
mod life;
mod log;
#[cfg(feature = "seal")]
mod sealing;

use std::sync::Arc;

use keyward::{Keys, ManualClock, Secret};

use crate::support::{Fixture, TestSchema};

/// [`Keys`] with real random numbers: a key that another test makes, too, would be no evidence.
fn keys_with_secrets<S: TestSchema>(fixture: &Fixture<S>) -> Keys<S> {
    let clock = Arc::<ManualClock>::clone(&fixture.clock);
    Keys::builder_over(Arc::clone(fixture.store())).shared_clock(clock).build()
}

/// A key of the schema's form that nobody has issued, nor another test makes.
fn stranger<S: TestSchema>() -> Secret {
    S::schema().formats().issued().generate(&mut rand::rngs::SysRng).unwrap()
}
