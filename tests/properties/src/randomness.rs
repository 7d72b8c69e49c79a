//! A generator that fails makes no key and leaves nothing behind.

use std::time::Duration;

use keyward::key::{OwnerId, PrepareError};
use keyward::schemas::scraper::{Scraper, ScraperKey};
use keyward::store::{KeyFilter, MemoryKeyStore};
use keyward::{Keys, KeysError, RandomUnavailable};
use rand::{TryCryptoRng, TryRng};

use crate::support::every_form;

/// Supplies bytes a few times and then fails, leaving some behind as a generator that fails midway does.
#[derive(Debug)]
struct Failing {
    good_draws: usize,
}

impl TryRng for Failing {
    type Error = RandomUnavailable;

    fn try_next_u32(&mut self) -> Result<u32, RandomUnavailable> {
        Err(RandomUnavailable)
    }

    fn try_next_u64(&mut self) -> Result<u64, RandomUnavailable> {
        Err(RandomUnavailable)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        bytes.fill(7);
        self.good_draws = self.good_draws.checked_sub(1).ok_or(RandomUnavailable)?;
        Ok(())
    }
}

impl TryCryptoRng for Failing {}

#[test]
fn a_generator_that_fails_makes_no_key_of_any_format() {
    for form in every_form() {
        assert_eq!(form.format.generate(&mut Failing { good_draws: 0 }).expect_err("no key"), RandomUnavailable);
    }
}

/// A key takes two draws, one for itself and one for its identity; rotating takes two more.
#[tokio::test]
async fn a_generator_that_fails_leaves_nothing_behind_in_the_store() {
    for good_draws in 0..4 {
        let store = MemoryKeyStore::new(Scraper::new());
        let keys = Keys::builder(store).random(Failing { good_draws }).build();
        let owner = OwnerId::new("acme").expect("an owner");
        let failed = match keys.issue(ScraperKey::named("acme", "nightly import").expect("a draft")).await {
            Err(error) => {
                assert!(good_draws < 2, "the key needs two draws: {error}");
                error
            }
            Ok(issued) => {
                assert!(good_draws >= 2, "a key was made of {good_draws} draws");
                let failed = keys.rotate(&issued.record.head.id, Duration::ZERO, None).await.expect_err("no successor");
                assert!(keys.verify(issued.secret.expose_secret()).await.is_ok(), "the old key died for nothing");
                failed
            }
        };
        assert!(matches!(failed, KeysError::Prepare(PrepareError::RandomUnavailable(_))), "{failed}");
        let stored = keys.list(KeyFilter::new().of(owner), 10, None).await.expect("a list").keys;
        assert_eq!(stored.len(), usize::from(good_draws >= 2));
    }
}
