//! Scopes: opaque permissions of a key, compared as whole strings.

use std::fmt;

use crate::visible::Visible;

/// A permission, an opaque string such as `jobs:read`.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Scope(String);

impl Scope {
    /// The longest scope, in bytes.
    pub const MAX_LEN: usize = 255;

    /// Checks a scope: 1 to 255 printable ASCII characters but space, `"` and `\` (RFC 6749 section 3.3).
    ///
    /// # Errors
    /// [`InvalidScope`].
    pub fn new(scope: impl Into<String>) -> Result<Self, InvalidScope> {
        let scope = scope.into();
        if is_scope(&scope) { Ok(Self(scope)) } else { Err(InvalidScope) }
    }

    /// The string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a scope: also of constants, before the program runs.
pub(crate) const fn is_scope(scope: &str) -> bool {
    let bytes = scope.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_graphic() || matches!(bytes[at], b'"' | b'\\') {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty() && bytes.len() <= Scope::MAX_LEN
}

impl std::str::FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(scope: &str) -> Result<Self, InvalidScope> {
        Self::new(scope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?})", self.0)
    }
}

/// The text is not a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope must be 1 to 255 printable ASCII characters but space, \" and \\")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidScope;

/// The scopes of a key, each once, in the order in which they were given.
///
/// They are kept in one piece of memory, because they are read at every verification.
///
/// ```
/// use keyward::key::{Scope, ScopePolicy, Scopes};
///
/// let held: Scopes = [Scope::new("jobs:read")?, Scope::new("jobs:read")?].into_iter().collect();
/// assert_eq!(held.to_string(), "jobs:read");
/// assert!(held.permit("jobs:read", ScopePolicy::exact()).is_ok());
/// assert!(held.permit("jobs:write", ScopePolicy::exact()).is_err());
/// # Ok::<(), keyward::key::InvalidScope>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Scopes(String);

/// Stands between two scopes. No column of PostgreSQL can hold it, and no scope of ours has it.
const SEPARATOR: char = '\0';

impl Scopes {
    /// Room for a handful of scopes, so that most lists are read with one allocation.
    const TYPICAL_LEN: usize = 64;

    /// Takes what a store holds. A text that is empty or has a NUL character is no scope and grants nothing. For
    /// authors of stores.
    #[must_use]
    pub fn from_stored<'s>(scopes: impl IntoIterator<Item = &'s str>) -> Self {
        let mut joined = String::with_capacity(Self::TYPICAL_LEN);
        for scope in scopes {
            if scope.is_empty() || scope.contains(SEPARATOR) || joined.split(SEPARATOR).any(|held| held == scope) {
                continue;
            }
            if !joined.is_empty() {
                joined.push(SEPARATOR);
            }
            joined.push_str(scope);
        }
        Self(joined)
    }

    /// The scopes, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(SEPARATOR).filter(|scope| !scope.is_empty())
    }

    /// Letter for letter, with spaces between them: as tables hold them.
    pub(crate) fn joined(&self) -> String {
        self.iter().collect::<Vec<_>>().join(" ")
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `scope` is among them, letter for letter.
    #[inline]
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        // As bytes: they are too short for what looks for a character in a long text.
        let mut held = self.0.as_bytes().split(|byte| *byte == SEPARATOR as u8);
        !scope.is_empty() && held.any(|held| held == scope.as_bytes())
    }

    /// Whether they permit `required` under `policy`.
    ///
    /// # Errors
    /// [`MissingScope`], which is a matter of permission (403) and says nothing against the key.
    #[inline]
    pub fn permit(&self, required: &str, policy: ScopePolicy) -> Result<(), MissingScope> {
        let implied = policy.admin_implies_all && self.contains("admin");
        if implied || self.contains(required) { Ok(()) } else { Err(MissingScope) }
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let scopes: Vec<_> = scopes.into_iter().collect();
        Self::from_stored(scopes.iter().map(Scope::as_str))
    }
}

impl Extend<Scope> for Scopes {
    fn extend<I: IntoIterator<Item = Scope>>(&mut self, scopes: I) {
        let more: Vec<_> = scopes.into_iter().collect();
        *self = Self::from_stored(self.iter().chain(more.iter().map(Scope::as_str)));
    }
}

/// With spaces between them, as RFC 6749 section 3.3 writes them. Stored scopes may be of any characters: they are
/// shown as [`Visible`].
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, scope) in self.iter().enumerate() {
            write!(f, "{}{}", if position == 0 { "" } else { " " }, Visible(scope))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Visible)).finish()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Scopes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// How required scopes are compared with a key's.
///
/// ```
/// use keyward::key::{Scope, ScopePolicy, Scopes};
///
/// let held: Scopes = [Scope::new("admin")?].into_iter().collect();
/// assert!(held.permit("jobs:read", ScopePolicy::exact()).is_err());
/// assert!(held.permit("jobs:read", ScopePolicy::admin_implies_all()).is_ok());
/// # Ok::<(), keyward::key::InvalidScope>(())
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
}

/// Whoever may hold scopes: a key that was accepted, or a token. What requires a scope asks it through this trait, and
/// knows neither.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no scopes that could be required",
    note = "keys of the schemas `standard` and `scraper` have; ask others what they permit inside of the handler"
)]
pub trait PermitsScope {
    /// Whether it permits `scope` under `policy`.
    ///
    /// # Errors
    /// [`MissingScope`], which is a matter of permission (403) and says nothing against the key.
    fn permits_scope(&self, scope: &str, policy: ScopePolicy) -> Result<(), MissingScope>;
}

/// The key is good but does not hold the required scope (RFC 6750 section 3.1, `insufficient_scope`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key does not hold the required scope")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct MissingScope;

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(names: &[&str]) -> Scopes {
        names.iter().map(|name| Scope::new(*name).unwrap()).collect()
    }

    #[test]
    fn scopes_match_whole_and_in_their_own_case() {
        let held = scopes(&["jobs:read"]);
        let check = |required| held.permit(required, ScopePolicy::exact()).is_ok();
        assert!(check("jobs:read"));
        for other in ["jobs", "jobs:read:all", "Jobs:Read", "", "jobs:write"] {
            assert!(!check(other), "{other}");
        }
        assert!(!scopes(&[]).contains(""));
    }

    #[test]
    fn scopes_print_as_they_are_written() {
        assert_eq!(scopes(&["b", "a"]).to_string(), "b a");
        assert_eq!(format!("{:?}", scopes(&["b", "a"])), r#"{"b", "a"}"#);
        assert_eq!(Scope::new("a").unwrap().to_string(), "a");
        assert_eq!(format!("{:?}", Scope::new("a").unwrap()), r#"Scope("a")"#);
        assert!(scopes(&[]).is_empty() && !scopes(&["a"]).is_empty());
    }

    #[test]
    fn admin_implies_all_only_where_the_host_says_so() {
        let held = scopes(&["admin"]);
        assert!(held.permit("jobs:read", ScopePolicy::default()).is_err());
        assert!(held.permit("admin", ScopePolicy::exact()).is_ok());
        assert!(held.permit("jobs:read", ScopePolicy::admin_implies_all()).is_ok());
        assert!(scopes(&["administrator"]).permit("jobs:read", ScopePolicy::admin_implies_all()).is_err());
        assert!(scopes(&[]).permit("jobs:read", ScopePolicy::admin_implies_all()).is_err());
    }

    #[test]
    fn a_stored_scope_with_spaces_stays_one_scope_and_one_with_nul_is_none() {
        let held = Scopes::from_stored(["jobs read", "", "a\0admin", "jobs read", "x"]);
        assert_eq!(held.iter().collect::<Vec<_>>(), ["jobs read", "x"]);
        assert!(!held.contains("jobs") && !held.contains("admin") && !held.contains("a"));
    }
}
