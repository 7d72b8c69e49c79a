//! A key permits exactly the scopes that it holds.

use keyward::key::{Scope, ScopePolicy, Scopes};
use proptest::collection::vec;
use proptest::prelude::*;

/// Few letters, so that one scope is often the start, the end or the same of another.
fn any_scope() -> impl Strategy<Value = String> {
    prop_oneof!["[ab:]{1,3}", "[!#-\\[\\]-~]{1,255}", Just("admin".to_owned())]
}

proptest! {
    #[test]
    fn a_scope_is_permitted_exactly_when_it_is_held(held in vec(any_scope(), 0..6), required in any_scope()) {
        let scopes: Scopes = held.iter().map(|scope| Scope::new(scope).expect("a scope")).collect();
        let is_held = held.contains(&required);
        prop_assert_eq!(scopes.contains(&required), is_held);
        prop_assert_eq!(scopes.permit(&required, ScopePolicy::exact()).is_ok(), is_held);
        let implied = held.iter().any(|scope| scope == "admin");
        prop_assert_eq!(scopes.permit(&required, ScopePolicy::admin_implies_all()).is_ok(), is_held || implied);
    }

    #[test]
    fn scopes_are_kept_once_and_in_their_order(held in vec(any_scope(), 0..6)) {
        let scopes: Scopes = held.iter().map(|scope| Scope::new(scope).expect("a scope")).collect();
        let mut once: Vec<&str> = Vec::new();
        for scope in &held {
            if !once.contains(&scope.as_str()) {
                once.push(scope);
            }
        }
        prop_assert_eq!(scopes.iter().collect::<Vec<_>>(), once);
        prop_assert_eq!(scopes.is_empty(), held.is_empty());
    }

    #[test]
    fn what_a_store_holds_grants_nothing_but_itself(stored in vec(any::<String>(), 0..6), required in any::<String>()) {
        let scopes = Scopes::from_stored(stored.iter().map(String::as_str));
        let is_held = stored.contains(&required) && !required.is_empty() && !required.contains('\0');
        prop_assert_eq!(scopes.contains(&required), is_held);
    }
}
