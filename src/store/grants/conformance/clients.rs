//! What is kept of clients, and what ends with one.

use std::time::Duration;

use crate::broker::{ClientAuthMethod, ClientRecord, GrantRevocationReason};
use crate::store::StoreError;
use crate::store::grants::RevokeGrantRequest;
use crate::store::grants::conformance::Subject;
use crate::store::grants::conformance::maker::{Maker, scopes};

/// A client is read as it was registered, every field of it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_was_registered_is_there<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_was_registered_is_there");
    let full = make.client();
    let used = ClientRecord { last_used_at: Some(make.now()), ..make.client() };
    let basic = ClientRecord { auth_method: ClientAuthMethod::ClientSecretBasic, ..make.client() };
    let bare = ClientRecord::new(make.client_id(), full.redirect_uris.clone(), make.now());
    // One that may ask for nothing is another than one that may ask for everything.
    let narrow = ClientRecord { scopes: Some(scopes(&[])), may_refresh: false, ..bare.clone() };
    let narrow = ClientRecord { id: make.client_id(), ..narrow };
    for client in [full, used, basic, bare, narrow] {
        make.answer(make.store().register(&client).await, "a client is registered");
        make.same(&make.client_record(&client.id).await, &client, "a client is read as it was registered");
    }
}

/// A client never takes the place of another.
///
/// # Panics
/// When the store breaks this promise.
pub async fn register_overwrites_nothing<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "register_overwrites_nothing");
    let first = make.client();
    make.answer(make.store().register(&first).await, "a client is registered");
    let second = ClientRecord { id: first.id.clone(), name: Some("Another".to_owned()), ..make.client() };
    make.conflict(&make.store().register(&second).await, "the identifier is taken");
    make.same(&make.client_record(&first.id).await, &first, "the first one stays as it was");
}

/// A client that says something else of itself is read as it says now; its last use stays, and so do others. One that was
/// registered at another time or with another secret is another client.
///
/// # Panics
/// When the store breaks this promise.
pub async fn an_update_changes_what_a_client_says<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "an_update_changes_what_a_client_says");
    let with_secret = ClientRecord { last_used_at: Some(make.now()), ..make.client() };
    let public = ClientRecord { secret: None, auth_method: ClientAuthMethod::None, ..make.client() };
    let (bystander, absent) = (make.client(), make.client());
    for client in [&with_secret, &public, &bystander] {
        make.answer(make.store().register(client).await, "a client is registered");
    }
    for first in [&with_secret, &public] {
        let ClientRecord { id, secret, created_at, last_used_at, .. } = first.clone();
        let uris = vec!["https://new.example/cb".parse().expect("a URI")];
        let bare = ClientRecord { secret, ..ClientRecord::new(id.clone(), uris, created_at) };
        let narrow = ClientRecord { scopes: Some(scopes(&[])), may_refresh: false, ..bare.clone() };
        let full = ClientRecord { id, secret, created_at, name: Some("Another".to_owned()), ..make.client() };
        for said in [bare, narrow, full] {
            make.same(&make.answer(make.store().update_client(&said).await, "it answers"), &true, "it is updated");
            let promised = ClientRecord { last_used_at, ..said };
            make.same(&make.client_record(&first.id).await, &promised, "it says the new, and was used when it was");
        }
        let now = make.client_record(&first.id).await;
        let later = ClientRecord { created_at: make.now(), name: None, ..now.clone() };
        let other_secret = ClientRecord { secret: Some(make.digest()), name: None, ..now.clone() };
        let no_secret = ClientRecord { secret: None, name: None, ..later.clone() };
        for other in [later, other_secret, no_secret] {
            let updated = make.answer(make.store().update_client(&other).await, "it answers");
            make.same(&updated, &false, "another registration is not updated");
            make.same(&make.client_record(&first.id).await, &now, "it stays as it was");
        }
    }
    make.same(&make.client_record(&bystander.id).await, &bystander, "another client stays as it was");
    make.same(&make.answer(make.store().update_client(&absent).await, "it answers"), &false, "there is none");
    let found = make.answer(make.store().client(&absent.id).await, "a client is looked up");
    make.same(&found, &None, "an update registers nobody");
}

/// The last use of a client never becomes an earlier one; a client that is gone is skipped.
///
/// # Panics
/// When the store breaks this promise.
pub async fn the_use_of_a_client_moves_forward_only<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "the_use_of_a_client_moves_forward_only");
    let (client, other) = (make.client(), make.registered().await);
    make.answer(make.store().register(&client).await, "a client is registered");
    let (early, late, later) = (make.now(), make.now(), make.now());
    for (at, promised) in [(late, late), (early, late), (later, later)] {
        make.answer(make.store().note_client_use(&client.id, at).await, "a use is noted");
        let promised = ClientRecord { last_used_at: Some(promised), ..client.clone() };
        make.same(&make.client_record(&client.id).await, &promised, "the latest use is kept, and nothing else changes");
    }
    make.same(&make.client_record(&other).await.last_used_at, &None, "another client was not used");
    let skipped = make.store().note_client_use(&make.client_id(), late).await;
    make.answer(skipped, "a client that is gone is skipped");
}

/// With a client end its codes and its tokens, and they stay so if another is registered under its identifier.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_removed_client_takes_its_codes_and_tokens_with_it<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_removed_client_takes_its_codes_and_tokens_with_it");
    let client = make.client();
    make.answer(make.store().register(&client).await, "a client is registered");
    let code = make.coded_for(&client.id).await;
    let (held, revoked) = (make.redeemed_for(&client.id).await, make.redeemed_for(&client.id).await);
    let replayed =
        RevokeGrantRequest { reason: GrantRevocationReason::CodeReplayed, ..make.revocation(&revoked.grant) };
    make.answer(make.store().revoke_grant(&replayed).await, "a grant is revoked");
    let other = make.redeemed().await;

    let at = make.now();
    make.same(&make.answer(make.store().remove_client(&client.id, at).await, "it answers"), &true, "it is removed");
    let found = make.answer(make.store().client(&client.id).await, "a client is looked up");
    make.same(&found, &None, "it is gone");
    make.same(
        &make.answer(make.store().remove_client(&client.id, at).await, "it answers"),
        &false,
        "it is removed once",
    );
    let late = make.store().redeem(&make.redemption(&code)).await;
    let is_refused = matches!(late, Ok(false) | Err(StoreError::Missing(_)));
    make.check(is_refused, format_args!("its code is not redeemed; it says {late:?}"));
    let late = make.store().exchange(&make.exchange(&held)).await;
    let is_refused = matches!(late, Ok(false) | Err(StoreError::Missing(_)));
    make.check(is_refused, format_args!("its refresh token is not exchanged; it says {late:?}"));

    let again = ClientRecord { created_at: at.saturating_add(Duration::from_secs(1)), ..client.clone() };
    make.answer(make.store().register(&again).await, "the identifier is free");
    make.check(!make.is_redeemable(&code, at).await, "its code has ended");
    make.are_good(&held, false, "it has ended with its client").await;
    for (grant, promised) in
        [(&held.grant, (at, GrantRevocationReason::ClientRemoved)), (&revoked.grant, (replayed.at, replayed.reason))]
    {
        // A store may forget the grant with its client, but not believe that it goes on.
        if let Some(found) = make.answer(make.store().grant(&grant.id).await, "a grant is looked up") {
            make.same(&found.revoked, &Some(promised), "the grant says when and why it ended");
        }
    }
    make.are_good(&other, true, "another client's stay").await;
}
