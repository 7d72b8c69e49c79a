//! The schema `standard`, whose tables are all keyward's own.

use keyward::key::Draft;
use keyward::schemas::standard::{Standard, StandardDetails, StandardKey};

use super::TestSchema;

impl TestSchema for Standard {
    fn schema() -> Self {
        Self::new("acme").unwrap()
    }

    fn draft(owner: &str) -> Draft<Self> {
        StandardKey::new(owner, "nightly import").unwrap().scope("jobs:read").unwrap().into()
    }

    fn samples() -> Vec<StandardDetails> {
        let named = |name: &str| StandardKey::new("anyone", name).unwrap();
        let odd = "{ \"note\" :  \"ü ' \\\" \\\\ {} $1 ?1\", \"big\": 12345678901234567890123 } \n";
        [
            named("plain"),
            named("ünï ✓ '; --").scope("jobs:read").unwrap().scope("{a,b}'").unwrap(),
            named("odd").description("for tests").unwrap().metadata(odd).unwrap(),
            named("most").requests_per_minute(i32::MAX.unsigned_abs()).unwrap().metadata("no JSON").unwrap(),
        ]
        .map(|key| Draft::from(key).details)
        .into()
    }
}
