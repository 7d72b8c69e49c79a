//! Texts and times at the edge of what is legal.

use serde_json::json;

use crate::broker::{
    ClientId, ClientRecord, Grant, GrantId, RedirectUri, StoredUpstreamTokens, Subject as Person, SubjectId,
};
use crate::key::{Scope, Scopes};
use crate::store::grants::conformance::Subject;
use crate::store::grants::conformance::codes::access_is_as_issued;
use crate::store::grants::conformance::maker::Maker;
use crate::store::grants::{GrantFilter, GrantListRequest, RevokeGrantsRequest};
use crate::time::Timestamp;

/// Identities that differ in the case of a letter, in a space, or where a pattern would match, are two.
///
/// # Panics
/// When the store breaks this promise.
pub async fn letters_are_compared_exactly<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "letters_are_compared_exactly");
    let name = make.name("one");
    let others = [name.to_uppercase(), format!("{name} "), format!("{name}%"), name.replace('-', "_")];
    let client_named = |name: &str| ClientRecord { id: ClientId::new(name).expect("a name"), ..make.client() };
    let person_named = |name: &str| Person::new(SubjectId::new(name).expect("a name"));
    let client = client_named(&name);
    make.answer(make.store().register(&client).await, "a client is registered");
    let grant = Grant {
        id: GrantId::new(name.clone()).expect("a name"),
        subject: person_named(&name),
        ..make.grant(&client.id)
    };
    let held = make.redeemed_of(&make.added(make.code(grant)).await).await;
    for other in &others {
        let other_client = client_named(other);
        let found = make.answer(make.store().client(&other_client.id).await, "a client is looked up");
        make.same(&found, &None, "another client is not there");
        make.answer(make.store().note_client_use(&other_client.id, make.now()).await, "it is skipped");
        let updated = make.answer(make.store().update_client(&other_client).await, "it answers");
        make.same(&updated, &false, "another client is not updated");
        let removed = make.answer(make.store().remove_client(&other_client.id, make.now()).await, "it answers");
        make.same(&removed, &false, "another client is not removed");
        let other_grant = Grant { id: GrantId::new(other).expect("a name"), ..make.grant(&client.id) };
        make.check(!make.has_grant(&other_grant).await, "another grant is not there");
        let revoked = make.answer(make.store().revoke_grant(&make.revocation(&other_grant)).await, "it answers");
        make.same(&revoked, &false, "another grant is not revoked");
        let filters =
            [GrantFilter::of_client(other_client.id.clone()), GrantFilter::of_subject(person_named(other).id)];
        for filter in filters {
            let listed = make.store().grants(&GrantListRequest::new(filter.clone(), 9)).await;
            make.check(make.answer(listed, "grants are listed").is_empty(), "another's grants are none");
            let request =
                RevokeGrantsRequest::new(filter, crate::broker::GrantRevocationReason::Revoked, make.now(), 9);
            let revoked = make.answer(make.store().revoke_grants(&request).await, "it answers");
            make.same(&revoked, &0, "another's grants are not revoked");
        }
        make.answer(make.store().register(&other_client).await, "another client is another");
    }
    make.same(&make.client_record(&client.id).await, &client, "it stays as it was");
    make.same_grant(&make.grant_record(&held.grant).await, &held.grant, "it stays as it was");
    make.are_good(&held, true, "they stay as they were").await;
}

/// What is legal is kept letter for letter, as odd and as long as it may be.
///
/// # Panics
/// When the store breaks this promise.
pub async fn odd_letters_are_kept<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "odd_letters_are_kept");
    let printable: String = (b' '..=b'~').map(char::from).collect();
    let odd = r#" '";--\%_{}[],:?$1 ÄÖ é 中文 🦀 \u{202e} \x00 "#;
    let all: Scopes = (b'!'..=b'~').filter_map(|byte| Scope::new(char::from(byte).to_string()).ok()).collect();
    let long = |start: &str, limit: usize| start.chars().chain(std::iter::repeat('🦀')).take(limit).collect::<String>();
    for id in [printable.clone(), format!("{}{}", make.name("long"), "x".repeat(2_000))] {
        let mut client = ClientRecord { id: ClientId::new(id).expect("an identifier"), ..make.client() };
        client.redirect_uris = ["https://app.example/cb?a='b'&c=%22d%22,[e]", "com.example.app:/callback"]
            .map(|uri| RedirectUri::new(uri).expect("a redirect URI"))
            .into();
        client.scopes = Some(all.clone());
        client.name = Some(odd.to_owned());
        let other = format!("\"\\ \0 {} 中文 🦀'", '\u{2028}');
        client.metadata =
            json!({"client_uri": other, "b": [1, 2.50, null], "a": {}}).as_object().cloned().unwrap_or_default();
        make.answer(make.store().register(&client).await, "a client is registered");
        make.same(&make.client_record(&client.id).await, &client, "a client is read letter for letter");

        let person = SubjectId::new(long(odd, 255)).expect("an identity");
        let mut grant = make.grant(&client.id);
        grant.id = GrantId::new(long(&make.name(r#"g'"%\ "#), 64)).expect("an identity");
        grant.subject = Person::new(person).with_name(odd);
        grant.scopes = all.clone();
        grant.resource = Some("https://api.example/%22?a='b'&c[]=\"d\"\\".to_owned());
        let mut new = make.code(grant);
        "http://127.0.0.1:52000/cb?a='b'&c=%22d%22,[e]".clone_into(&mut new.code.redirect_uri);
        let code = make.added(new).await;
        make.same_code(&make.code_record(&code.digest).await, &code, "a code is read letter for letter");
        let held = make.redeemed_of(&code).await;
        access_is_as_issued(&make, &held.tokens, &code.grant).await;
        let filter = GrantFilter { client: Some(client.id), subject: Some(code.grant.subject.id.clone()) };
        let found = make.answer(make.store().grants(&GrantListRequest::new(filter, 9)).await, "grants are listed");
        make.same(&found.len(), &1, "it is found by client and person");
        make.revoked(&code.grant).await;
    }
}

/// Times are kept to the second, from the first of all to the end of the calendar.
///
/// # Panics
/// When the store breaks this promise.
pub async fn whole_seconds_are_kept<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "whole_seconds_are_kept");
    for seconds in [1, 1_234_567_890, 2_147_483_648, 4_294_967_296, 253_402_300_799] {
        let time = Timestamp::from_micros(seconds * 1_000_000);
        let mut client = make.client();
        (client.created_at, client.secret_expires_at, client.last_used_at) = (time, Some(time), Some(time));
        make.answer(make.store().register(&client).await, "a client is registered");
        make.same(&make.client_record(&client.id).await, &client, "the times of a client are kept");

        let mut grant = make.grant(&client.id);
        (grant.created_at, grant.expires_at) = (time, Some(time));
        let upstream = grant.upstream.take().map(|tokens| StoredUpstreamTokens { expires_at: time, ..tokens });
        grant.upstream = upstream;
        let mut new = make.code(grant);
        (new.code.expires_at, new.remembered_until) = (time, time);
        let code = make.added(new).await;
        make.same_code(&make.code_record(&code.digest).await, &code, "the times of a code and its grant are kept");

        let mut request = make.redemption(&code);
        (request.tokens.at, request.tokens.access_expires_at) = (time, time);
        request.tokens.refresh = Some((make.digest(), time));
        make.answer(make.store().redeem(&request).await, "a code is redeemed");
        access_is_as_issued(&make, &request.tokens, &code.grant).await;
        super::codes::refresh_is_as_issued(&make, &request.tokens, &code.grant).await;
        make.same(&make.code_record(&code.digest).await.spent_at, &Some(time), "the time of a redemption is kept");
        make.answer(make.store().note_first_use(&request.tokens.access, time).await, "a use is noted");
        make.same(&make.access_record(&request.tokens.access).await.used_at, &Some(time), "the time of a use is kept");
    }
}
