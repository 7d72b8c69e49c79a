//! PostgreSQL locks rows one by one: whoever writes several does so in one order, and waits for no last use.

#![cfg(feature = "postgres")]

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use keyward::key::{Issued, OwnerId};
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::store::{KeyUse, StoreError};
use keyward::{Clock as _, Timestamp};

use super::last_used;
use crate::support::concurrency::{processes, race};
use crate::support::{Fixture, Store, TestSchema};

const OWNER: &str = "acme";

/// So many keys of one owner.
async fn issue_to_one<S: TestSchema>(fixture: &Fixture<S>, count: usize) -> Vec<Issued<S>> {
    let mut issued = Vec::with_capacity(count);
    for _ in 0..count {
        issued.push(fixture.issue(OWNER).await);
    }
    issued
}

/// The uses of all keys at `at`, in the order of their identities or against it.
fn uses<S: TestSchema>(issued: &[Issued<S>], at: Timestamp, backwards: bool) -> Vec<KeyUse> {
    let heads = issued.iter().map(|issued| &issued.record.head);
    let mut uses: Vec<_> = heads.map(|head| KeyUse::new(head.id.clone(), head.digest.unwrap(), at)).collect();
    uses.sort_by(|one, other| one.id.cmp(&other.id));
    if backwards {
        uses.reverse();
    }
    uses
}

/// Writes all of these uses: what is busy is tried again, as the next flush does.
async fn write<S: TestSchema>(store: &Store<S>, mut uses: Vec<KeyUse>) -> Result<u64, StoreError> {
    let mut written = 0;
    while !uses.is_empty() {
        let touched = store.touch(&uses).await?;
        written += touched.written;
        uses = touched.busy;
    }
    Ok(written)
}

/// Runs the test for each schema in which an owner can have several keys.
macro_rules! over_postgres {
    ($test:ident: $($name:ident = $schema:ident :: $place:ident),+ $(,)?) => {
        mod $test {
            use super::{Fixture, Mesh, Scraper, Standard};

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$test(Fixture::<$schema>::$place().await).await;
            })+
        }
    };
}

over_postgres![
    processes_that_write_the_same_keys_in_opposite_order_do_not_deadlock:
    standard = Standard::postgres, scraper = Scraper::postgres, mesh = Mesh::postgres,
];
over_postgres![
    writing_last_use_while_all_keys_are_revoked_does_not_deadlock:
    standard = Standard::postgres, scraper = Scraper::postgres, bare_scraper = Scraper::bare_postgres,
    mesh = Mesh::postgres, bare_mesh = Mesh::bare_postgres,
];

async fn processes_that_write_the_same_keys_in_opposite_order_do_not_deadlock<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let issued = issue_to_one(&fixture, 200).await;
    let processes = processes(&fixture).await;
    for _ in 0..40 {
        let racers = processes.iter().enumerate().map(|(process, keys)| {
            fixture.clock.advance(Duration::from_micros(1));
            let store = Arc::clone(keys.store());
            let uses = uses(&issued, fixture.clock.now(), process % 2 == 1);
            move || async move { write(&store, uses).await }
        });
        for written in race(racers).await {
            written.expect("no deadlock");
        }
        for key in issued.iter().step_by(50) {
            assert_eq!(last_used(&fixture, key).await, Some(fixture.clock.now()), "the latest use stands");
        }
    }
}

async fn writing_last_use_while_all_keys_are_revoked_does_not_deadlock<S: TestSchema>(fixture: Fixture<S>) {
    type Call = Pin<Box<dyn Future<Output = Result<u64, StoreError>>>>;

    fixture.add_owner(OWNER).await;
    let [writer, revoker] = [fixture.another_process().await, fixture.another_process().await];
    let owner = OwnerId::new(OWNER).unwrap();
    for _ in 0..10 {
        let issued = issue_to_one(&fixture, 200).await;
        let racers = [false, true].map(|revokes| {
            let (writer, revoker, owner) = (writer.clone(), revoker.clone(), owner.clone());
            let uses = uses(&issued, fixture.clock.now(), false);
            move || -> Call {
                if revokes {
                    Box::pin(async move { Ok(revoker.revoke_all(&owner, None).await?.count) })
                } else {
                    Box::pin(async move { write(writer.store(), uses).await })
                }
            }
        });
        for outcome in race(racers).await {
            assert_eq!(outcome.expect("no deadlock"), 200);
        }
    }
}
