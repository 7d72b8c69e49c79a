//! Whatever is done with codes and tokens in whatever order, what is accepted is what a simple model says.
//!
//! A script issues, redeems, refreshes, presents, revokes, waits and sweeps, and makes mistakes. The world is the store in
//! memory with the decisions of the library; the model is a list of marks. After every step both are asked about every
//! code and token that there ever was.

mod model;
mod step;
mod world;

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use model::Model;
use step::{Outcome, Step, any_step};
use world::World;

/// Runs a script, and says what came of each step.
fn run(script: &[Step]) -> Result<Vec<Outcome>, TestCaseError> {
    let (mut world, mut model) = (World::new(), Model::default());
    let mut outcomes = Vec::new();
    for (number, step) in script.iter().enumerate() {
        let before = world.snapshot();
        let (found, promised) = (world.take(step), model.take(step));
        prop_assert_eq!(found, promised, "what comes of step {}, {:?}", number, step);
        if found == Outcome::Mistaken {
            prop_assert_eq!(world.snapshot(), before, "a mistake changes nothing: step {}, {:?}", number, step);
        }
        let live = world.live();
        prop_assert_eq!(&live, &model.live(), "what is good after step {}, {:?}", number, step);
        for grant in 0..live.codes.len() {
            let own = world.refresh_tokens_of(grant).filter(|token| live.refresh_tokens[*token]).count();
            prop_assert!(own <= 1, "grant {} has {} refresh tokens after step {}, {:?}", grant, own, number, step);
            let is_good =
                own > 0 || live.codes[grant] || world.access_tokens_of(grant).any(|token| live.access_tokens[token]);
            prop_assert!(!is_good || !world.is_revoked(grant), "grant {} outlives its revocation at {:?}", grant, step);
        }
        outcomes.push(found);
    }
    Ok(outcomes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_accepted_is_what_a_simple_model_says(script in vec(any_step(), 1..60)) {
        run(&script)?;
    }
}

/// Scripts that never get anywhere would prove nothing.
#[test]
fn scripts_come_to_everything_that_can_happen() {
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRunner::deterministic().new_rng());
    let counts: [Cell<u32>; Outcome::ALL.len()] = Default::default();
    runner
        .run(&vec(any_step(), 1..60), |script| {
            for outcome in run(&script)? {
                let count = &counts[outcome as usize];
                count.set(count.get() + 1);
            }
            Ok(())
        })
        .expect("the model is right");
    for outcome in Outcome::ALL {
        assert!(
            counts[outcome as usize].get() >= 10,
            "{outcome:?} came about {} times",
            counts[outcome as usize].get()
        );
    }
}
