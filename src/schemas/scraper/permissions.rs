//! What a key of the schema `scraper` permits: exact scopes, and `admin` for all only where the host says so.

use crate::key::{Authenticated, MissingScope, PermitsScope, ScopePolicy};
use crate::schemas::scraper::{Scraper, ScraperDetails};

impl ScraperDetails {
    /// Whether the key permits `required` under `policy`.
    ///
    /// # Errors
    /// [`MissingScope`], which is a matter of permission (403) and says nothing against the key.
    pub fn permits(&self, required: &str, policy: ScopePolicy) -> Result<(), MissingScope> {
        self.scopes.permit(required, policy)
    }
}

impl Authenticated<Scraper> {
    /// Whether the key permits `required`, see [`ScraperDetails::permits`].
    ///
    /// # Errors
    /// [`MissingScope`].
    pub fn permits(&self, required: &str, policy: ScopePolicy) -> Result<(), MissingScope> {
        self.details().permits(required, policy)
    }
}

impl PermitsScope for Authenticated<Scraper> {
    fn permits_scope(&self, scope: &str, policy: ScopePolicy) -> Result<(), MissingScope> {
        self.permits(scope, policy)
    }
}
