//! What a key of system C permits: exact scopes, and `admin` for all only where the host says so.

use crate::scraper::{Scope, ScraperDetails};

/// How required scopes are compared with a key's.
///
/// ```
/// use keyward::scraper::{Scope, ScopePolicy};
///
/// let held = [Scope::new("admin")?];
/// assert!(ScopePolicy::exact().check(&held, "jobs:read").is_err());
/// assert!(ScopePolicy::admin_implies_all().check(&held, "jobs:read").is_ok());
/// # Ok::<(), keyward::scraper::ScraperKeyError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopePolicy {
    admin_implies_all: bool,
}

impl ScopePolicy {
    /// A key permits the scopes that it holds, compared as whole strings. This is the default.
    #[must_use]
    pub const fn exact() -> Self {
        Self { admin_implies_all: false }
    }

    /// A key that holds the scope `admin` permits every scope.
    #[must_use]
    pub const fn admin_implies_all() -> Self {
        Self { admin_implies_all: true }
    }

    /// Whether `held` permits `required`.
    ///
    /// # Errors
    /// [`MissingScope`], which is a matter of permission (403) and says nothing against the key.
    pub fn check(self, held: &[Scope], required: &str) -> Result<(), MissingScope> {
        let permits = |scope: &Scope| scope.as_str() == required || self.admin_implies_all && scope.as_str() == "admin";
        if held.iter().any(permits) { Ok(()) } else { Err(MissingScope) }
    }
}

impl ScraperDetails {
    /// Whether the key permits `required` under `policy`.
    ///
    /// # Errors
    /// [`MissingScope`].
    pub fn permits(&self, required: &str, policy: ScopePolicy) -> Result<(), MissingScope> {
        policy.check(&self.scopes, required)
    }
}

/// The key is good but does not hold the required scope (RFC 6750 section 3.1, `insufficient_scope`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key does not hold the required scope")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct MissingScope;

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(names: &[&str]) -> Vec<Scope> {
        names.iter().map(|name| Scope::new(*name).unwrap()).collect()
    }

    #[test]
    fn scopes_match_whole_and_in_their_own_case() {
        let held = scopes(&["jobs:read"]);
        let check = |required| ScopePolicy::exact().check(&held, required).is_ok();
        assert!(check("jobs:read"));
        for other in ["jobs", "jobs:read:all", "Jobs:Read", "", "jobs:write"] {
            assert!(!check(other), "{other}");
        }
    }

    #[test]
    fn admin_implies_all_only_where_the_host_says_so() {
        let held = scopes(&["admin"]);
        assert!(ScopePolicy::default().check(&held, "jobs:read").is_err());
        assert!(ScopePolicy::exact().check(&held, "admin").is_ok());
        assert!(ScopePolicy::admin_implies_all().check(&held, "jobs:read").is_ok());
        assert!(ScopePolicy::admin_implies_all().check(&scopes(&["administrator"]), "jobs:read").is_err());
        assert!(ScopePolicy::admin_implies_all().check(&[], "jobs:read").is_err());
    }
}
