//! Chapters about the whole: design, threat model, tables, the authorization server, operation, scale and trouble. There is no
//! code here.

#[doc = include_str!("design.md")]
pub mod design {}

#[doc = include_str!("threat_model.md")]
pub mod threat_model {}

#[doc = include_str!("schemas.md")]
pub mod schemas {}

#[cfg(feature = "broker")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "broker")))]
#[doc = include_str!("broker.md")]
pub mod broker {}

#[doc = include_str!("operating.md")]
pub mod operating {}

#[doc = include_str!("scale.md")]
pub mod scale {}

#[doc = include_str!("trouble.md")]
pub mod trouble {}

/// Compiles the code of the README.
#[cfg(all(
    doctest,
    feature = "axum",
    feature = "sqlite",
    feature = "postgres",
    feature = "reqwest",
    feature = "testkit"
))]
#[doc = include_str!("../../README.md")]
mod readme {}
