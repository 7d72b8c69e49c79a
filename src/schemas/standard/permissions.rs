//! What a key of the schema `standard` permits: the scopes that it holds.

use crate::key::{Authenticated, MissingScope, PermitsScope, ScopePolicy};
use crate::schemas::standard::{Standard, StandardDetails};

impl StandardDetails {
    /// Whether the key permits `scope`, compared as a whole string.
    ///
    /// # Errors
    /// [`MissingScope`], which is a matter of permission (403) and says nothing against the key.
    pub fn permits(&self, scope: &str) -> Result<(), MissingScope> {
        self.permits_under(scope, ScopePolicy::exact())
    }

    /// Whether the key permits `scope` under `policy`.
    ///
    /// # Errors
    /// As [`permits`](Self::permits).
    pub fn permits_under(&self, scope: &str, policy: ScopePolicy) -> Result<(), MissingScope> {
        self.scopes.permit(scope, policy)
    }
}

impl Authenticated<Standard> {
    /// Whether the key permits `scope`, compared as a whole string.
    ///
    /// # Errors
    /// [`MissingScope`], which is a matter of permission (403) and says nothing against the key.
    pub fn permits(&self, scope: &str) -> Result<(), MissingScope> {
        self.details().permits(scope)
    }

    /// Whether the key permits `scope` under `policy`.
    ///
    /// # Errors
    /// As [`permits`](Self::permits).
    pub fn permits_under(&self, scope: &str, policy: ScopePolicy) -> Result<(), MissingScope> {
        self.details().permits_under(scope, policy)
    }
}

impl PermitsScope for Authenticated<Standard> {
    fn permits_scope(&self, scope: &str, policy: ScopePolicy) -> Result<(), MissingScope> {
        self.permits_under(scope, policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Draft;
    use crate::schemas::standard::StandardKey;

    #[test]
    fn a_key_permits_its_scopes_and_more_only_under_a_policy() {
        let key = StandardKey::new("customer", "import").unwrap().scope("jobs:read").unwrap().scope("admin").unwrap();
        let details = Draft::from(key).details;
        assert_eq!(details.permits("jobs:read"), Ok(()));
        for missing in ["jobs:write", "jobs", "Jobs:read", "jobs:read admin", ""] {
            assert_eq!(details.permits(missing), Err(MissingScope), "{missing}");
        }
        assert_eq!(details.permits_under("jobs:write", ScopePolicy::admin_implies_all()), Ok(()));
        assert_eq!(details.permits_under("jobs:write", ScopePolicy::exact()), Err(MissingScope));
    }
}
