//! Of several callers who race for one step, exactly one learns that it made it.

use std::future::Future;
use std::time::Duration;

use crate::store::credentials::conformance::Subject;
use crate::store::credentials::conformance::maker::Maker;
use crate::store::credentials::{Claim, ClaimRequest, Over, PutRequest};
use crate::store::{StoreError, race};

const RACERS: usize = 16;

/// Of many claims of one credential, one gets the lease.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_claims_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_claims_wins");
    for round in 0..4 {
        let sent = make.sent().await.head;
        let after = Duration::from_secs(3_600 * (round + 1));
        let claims = (0..RACERS).map(|_| {
            let claim = make.claim(&sent.owner).decided(sent.version);
            let (at, until) = (claim.at.saturating_add(after), claim.until.saturating_add(after));
            ClaimRequest { at, until, ..claim }
        });
        let claims: Vec<_> = claims.collect();
        let outcomes = run(&make, claims.iter().map(|claim| make.store().claim(claim))).await;
        let mut winners = Vec::new();
        for outcome in outcomes {
            match make.answer(outcome, "a claim that comes late is no error") {
                Claim::Won(record) => winners.push(record.head.version),
                Claim::Lost(_) => {}
                Claim::Gone => make.check(false, "the credential is there"),
            }
        }
        make.same(&winners.len(), &1, "exactly one gets the lease");
    }
}

/// Of many marks of one lease, one may send.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_marks_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_marks_wins");
    let leased = make.leased().await.head;
    let marks: Vec<_> = (0..RACERS).map(|_| make.mark(&leased)).collect();
    let answers = run(&make, marks.iter().map(|mark| make.store().mark(mark))).await;
    one_of(&make, answers, "exactly one may send");
}

/// Of many pairs that were bought with one, one is stored.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_pairs_is_stored<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_pairs_is_stored");
    let sent = make.sent().await.head;
    let saves: Vec<_> = (0..RACERS).map(|_| make.save(&sent)).collect();
    let answers = run(&make, saves.iter().map(|save| make.store().save(save))).await;
    let winner = one_of(&make, answers, "exactly one is stored");
    let found = make.stands(&sent.owner).await;
    let mut promised = saves[winner].secrets.clone();
    promised.dpop_key.clone_from(&found.secrets.dpop_key);
    make.same_secrets(&found.secrets, &promised, "it is the one that was reported as stored, and whole");
}

/// Of many first authorizations of one owner, one is stored.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_authorizations_is_stored<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_authorizations_is_stored");
    let owner = make.owner().await;
    let puts: Vec<_> = (0..RACERS).map(|_| PutRequest::new(make.credential(&owner), make.now())).collect();
    let answers = run(&make, puts.iter().map(|put| stored(&make, put))).await;
    let winner = one_of(&make, answers, "exactly one is stored");
    let found = make.stands(&owner).await;
    make.same_secrets(&found.secrets, &puts[winner].record.secrets, "it is the one that was reported as stored");

    let over = Over::Generation(found.head.generation);
    let puts: Vec<_> = puts.into_iter().map(|put| put.over(over)).collect();
    let answers = run(&make, puts.iter().map(|put| stored(&make, put))).await;
    one_of(&make, answers, "exactly one takes the place of a generation");
}

async fn stored<S: Subject>(make: &Maker<'_, S>, put: &PutRequest) -> Result<bool, StoreError> {
    match make.store().put(put).await {
        Err(StoreError::Conflict) => Ok(false),
        other => other.map(|()| true),
    }
}

/// The position of the one that says yes.
fn one_of<S: Subject>(make: &Maker<'_, S>, answers: Vec<Result<bool, StoreError>>, what: &str) -> usize {
    let answers = answers.into_iter().map(|answer| make.answer(answer, "a step that comes late is no error"));
    let winners: Vec<_> = answers.enumerate().filter_map(|(number, won)| won.then_some(number)).collect();
    make.same(&winners.len(), &1, what);
    winners[0]
}

async fn run<'f, S: Subject, T: Send + 'f>(
    make: &Maker<'_, S>,
    racers: impl Iterator<Item = impl Future<Output = T> + Send + 'f>,
) -> Vec<T> {
    let subject = make.subject();
    race::race(|work| subject.enter(work), racers).await
}
