//! The scopes that a route needs, as a type.

use crate::http::Rejection;
use crate::key::{PermitsScope, ScopePolicy, is_scope};

/// The scopes that a route needs: a type without values, that stands in the signatures of handlers. The macro
/// [`required_scopes!`](crate::required_scopes) declares such types.
///
/// ```
/// use keyward::http::RequiredScopes as _;
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::{Keys, store::MemoryKeyStore};
///
/// keyward::required_scopes! {
///     /// Reads jobs.
///     JobsRead = ["jobs:read"];
///     /// Runs jobs again, for which they have to be read.
///     JobsRun = ["jobs:read", "jobs:run"];
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
/// let issued = keys.issue(StandardKey::new("customer-1", "reader")?.scope("jobs:read")?).await?;
/// let caller = keys.verify(issued.secret.expose_secret()).await?;
///
/// assert!(JobsRead::check(&caller).is_ok());
/// let rejection = JobsRun::check(&caller).unwrap_err();
/// assert_eq!(rejection.status(), 403);
/// assert_eq!(rejection.scopes(), ["jobs:read", "jobs:run"]); // all that it takes, at once
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait RequiredScopes: 'static {
    /// The scopes, of which all are needed. There is at least one, and each is what RFC 6749 section 3.3 permits.
    const SCOPES: &'static [&'static str];

    /// How they are compared with those that are held.
    const POLICY: ScopePolicy = ScopePolicy::exact();

    /// Whether `principal` holds them all. A list that is empty, or has what is no scope, does not compile.
    ///
    /// # Errors
    /// [`Rejection`]: 403 `insufficient_scope`, which names all of them.
    fn check(principal: &impl PermitsScope) -> Result<(), Rejection> {
        const { assert!(are_scopes(Self::SCOPES), "SCOPES is empty, or has what is no scope") };
        if Self::SCOPES.iter().all(|scope| principal.permits_scope(scope, Self::POLICY).is_ok()) {
            Ok(())
        } else {
            Err(Rejection::insufficient_scope(Self::SCOPES.iter().copied()))
        }
    }
}

const fn are_scopes(scopes: &[&str]) -> bool {
    let mut at = 0;
    while at < scopes.len() {
        if !is_scope(scopes[at]) {
            return false;
        }
        at += 1;
    }
    !scopes.is_empty()
}

/// Declares types for the scopes that routes need, see [`RequiredScopes`](crate::http::RequiredScopes).
///
/// ```
/// keyward::required_scopes! {
///     /// Reads jobs.
///     pub JobsRead = ["jobs:read"];
///     JobsRun = ["jobs:read", "jobs:run"];
/// }
/// ```
#[macro_export]
macro_rules! required_scopes {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident = [$($scope:literal),+ $(,)?];)+) => {
        $(
            $(#[$attribute])*
            #[derive(Clone, Copy, Debug)]
            #[non_exhaustive]
            $visibility enum $name {}

            impl $crate::http::RequiredScopes for $name {
                const SCOPES: &'static [&'static str] = &[$($scope),+];
            }
        )+
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Scope;

    #[test]
    fn what_is_no_scope_is_found_before_the_program_runs() {
        let long = "s".repeat(256);
        for scope in ["a", "jobs:read", "~!", "", " ", "a b", "a\"", "a\\", "é", "\n", &long, &long[1..]] {
            assert_eq!(are_scopes(&[scope]), Scope::new(scope).is_ok(), "{scope:?}");
            assert_eq!(are_scopes(&["a", scope]), Scope::new(scope).is_ok(), "{scope:?}");
        }
        assert!(!are_scopes(&[]));
    }
}
