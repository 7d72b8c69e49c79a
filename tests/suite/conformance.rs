//! The public conformance suite over every store and every system.

use async_trait::async_trait;
use keyward::key::{Draft, OwnerId};
use keyward::scraper::{Scraper, ScraperDetails, ScraperKey};
use keyward::store::DynKeyStore;
use keyward::store::conformance::{self, Subject};
use serde_json::json;

use crate::support::{Fixture, Store, over_every_database, over_every_store};

/// System C, whose clients are plain names.
struct Clients(Store);

#[async_trait]
impl Subject for Clients {
    type Profile = Scraper;

    fn store(&self) -> &DynKeyStore<ScraperDetails> {
        &*self.0
    }

    async fn add_owner(&self, _owner: &OwnerId) {}

    fn details(&self) -> Vec<ScraperDetails> {
        let named = |name: &str| ScraperKey::named("anyone", name).unwrap();
        let odd = json!({ "note": "ü ' \" \\ {} $1 ?1", "numbers": [1, -2.5, null], "": true });
        [
            named("plain"),
            named("ünï ✓ '; --").scope("jobs:read").unwrap().scope("{a,b}'").unwrap(),
            named("unlimited").system_rate_limit().metadata(odd).unwrap(),
            named("most").requests_per_minute(i32::MAX.unsigned_abs()).unwrap().metadata(json!("text")).unwrap(),
        ]
        .map(|key| Draft::from(key).details)
        .into()
    }
}

over_every_store![scraper_with_side_tables];
async fn scraper_with_side_tables(fixture: Fixture) {
    conformance::run(&Clients(fixture.store().clone())).await;
}

over_every_database![scraper_on_its_own_table_alone];
#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn scraper_on_its_own_table_alone(fixture: Fixture) {
    conformance::run(&Clients(fixture.store().clone())).await;
}

/// The systems whose keys stand beside other tables.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod with_parents {
    use keyward::aggregator::Aggregator;
    use keyward::mesh::{Mesh, StrictMesh};
    use keyward::store::conformance;

    use crate::support::systems::{Setting, over_every_database_of, over_every_store_of};

    over_every_store_of![Mesh: mesh];
    async fn mesh(setting: Setting<Mesh>) {
        conformance::run(&setting).await;
    }

    over_every_database_of![StrictMesh: strict_mesh];
    async fn strict_mesh(setting: Setting<StrictMesh>) {
        conformance::run(&setting).await;
    }

    over_every_store_of![Aggregator: aggregator];
    async fn aggregator(setting: Setting<Aggregator>) {
        conformance::run(&setting).await;
    }
}
