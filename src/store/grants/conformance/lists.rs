//! Pages of clients and of grants.

use std::fmt::Debug;

use crate::broker::{ClientId, Grant, GrantId};
use crate::store::grants::conformance::Subject;
use crate::store::grants::conformance::maker::Maker;
use crate::store::grants::{ClientListRequest, GrantFilter, GrantListRequest};

/// Endings whose order is another in most languages than it is letter for letter.
const ENDINGS: [&str; 7] = ["b", "B", "a", "-", "A", "_", "~"];

/// Clients are listed in the order of their identifiers, page by page, none twice and none left out.
///
/// # Panics
/// When the store breaks this promise.
pub async fn clients_are_listed_in_pages<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "clients_are_listed_in_pages");
    let start = make.name("client");
    let mut promised = Vec::new();
    for ending in ENDINGS {
        let mut client = make.client();
        client.id = ClientId::new(format!("{start}-{ending}")).expect("the name is sound");
        make.answer(make.store().register(&client).await, "a client is registered");
        promised.push(client);
    }
    promised.sort_by(|one, other| one.id.cmp(&other.id));
    for limit in [1, 3, 1_000] {
        let mut found = Vec::new();
        loop {
            let after = found.last().map(|client: &crate::broker::ClientRecord| client.id.clone());
            let request = ClientListRequest { after: after.clone(), limit };
            let page = make.answer(make.store().clients(&request).await, "clients are listed");
            goes_on(&make, after.as_ref(), page.iter().map(|client| &client.id), limit);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        found.retain(|client| promised.iter().any(|one| one.id == client.id));
        make.same(&found, &promised, "each of them once, in order, as it was registered");
    }
}

/// Grants are listed in the order of their identities, page by page, none twice and none left out.
///
/// # Panics
/// When the store breaks this promise.
pub async fn grants_are_listed_in_pages<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "grants_are_listed_in_pages");
    let (client, start) = (make.registered().await, make.name("grant"));
    let mut promised = Vec::new();
    for ending in ENDINGS {
        let mut grant = make.grant(&client);
        grant.id = GrantId::new(format!("{start}-{ending}")).expect("the name is sound");
        promised.push(make.added(make.code(grant)).await.grant);
    }
    make.revoked(&promised[0]).await;
    promised[0] = make.grant_record(&promised[0]).await;
    promised.sort_by(|one, other| one.id.cmp(&other.id));
    for limit in [1, 3, 1_000] {
        let mut found = pages(&make, &GrantFilter::default(), limit).await;
        found.retain(|grant| promised.iter().any(|one| one.id == grant.id));
        make.same(&found.len(), &promised.len(), "each of them once");
        for (found, promised) in found.iter().zip(&promised) {
            make.same_grant(found, promised, "in order, as it was added, one that is revoked too");
        }
    }
}

/// Only those that meet a filter are listed, page by page.
///
/// # Panics
/// When the store breaks this promise.
pub async fn grants_are_listed_by_filter<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "grants_are_listed_by_filter");
    let (one, two) = (make.registered().await, make.registered().await);
    let (ada, bob) = (make.person(), make.person());
    let mut all = Vec::new();
    for (client, person) in [(&one, &ada), (&two, &ada), (&one, &bob), (&one, &ada), (&two, &bob)] {
        let mut grant = make.grant(client);
        grant.subject = person.clone();
        all.push(make.added(make.code(grant)).await.grant);
    }
    let both = GrantFilter { client: Some(one.clone()), subject: Some(ada.id.clone()) };
    for filter in [GrantFilter::of_client(one), GrantFilter::of_subject(ada.id), both] {
        let meets = |grant: &&Grant| filter.meets(&grant.client, &grant.subject.id);
        let mut promised: Vec<_> = all.iter().filter(meets).map(|grant| grant.id.clone()).collect();
        promised.sort();
        for limit in [1, 2, 100] {
            let found = pages(&make, &filter, limit).await;
            let found: Vec<_> = found.into_iter().map(|grant| grant.id).collect();
            make.same(&found, &promised, "those that meet the filter, and no others");
        }
    }
}

/// All that meet a filter, page by page.
async fn pages<S: Subject>(make: &Maker<'_, S>, filter: &GrantFilter, limit: u32) -> Vec<Grant> {
    let mut found: Vec<Grant> = Vec::new();
    loop {
        let after = found.last().map(|grant| grant.id.clone());
        let request = GrantListRequest { after: after.clone(), ..GrantListRequest::new(filter.clone(), limit) };
        let page = make.answer(make.store().grants(&request).await, "grants are listed");
        goes_on(make, after.as_ref(), page.iter().map(|grant| &grant.id), limit);
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

/// A page starts behind the one before, is in order, and has as many as its limit allows: else it might never end.
fn goes_on<'p, S: Subject, I: Ord + Debug + 'p>(
    make: &Maker<'_, S>,
    after: Option<&'p I>,
    page: impl Iterator<Item = &'p I>,
    limit: u32,
) {
    let (mut last, mut count) = (after, 0);
    for id in page {
        make.check(last.is_none_or(|last| last < id), format_args!("{id:?} is listed behind {last:?}"));
        (last, count) = (Some(id), count + 1);
    }
    make.check(count <= limit, "a page has as many as its limit allows");
}
