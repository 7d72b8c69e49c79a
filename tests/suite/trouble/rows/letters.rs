//! Identities and owners are the letters that they are, whatever the host's columns take for equal.

use keyward::key::{KeyId, OwnerId};
use keyward::schemas::aggregator::Aggregator;
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::store::ListRequest;

use super::{HOUR, OWNER};
use crate::support::{Fixture, TestSchema};

/// `mesh` without letters of one kind would prove nothing.
const LOUD: &str = "DID:PLC:ACME";

/// Neither the identity nor the owner in other letters reaches the key, and the key itself is served as ever.
async fn other_letters_name_nobody<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    let keys = &fixture.keys;
    let id = issued.record.head.id.as_str();
    for other in [id.to_uppercase(), id.to_lowercase()].iter().filter(|other| *other != id) {
        let other = KeyId::new(other.as_str()).unwrap();
        assert_eq!(keys.get(&other).await.unwrap(), None, "{other}");
        let rotated = keys.rotate(&other, HOUR, None).await;
        assert!(rotated.is_err(), "{rotated:?}");
    }
    let mut filter = keyward::store::KeyFilter::new();
    filter.owner = Some(OwnerId::new(LOUD).unwrap());
    let listed = keys.store().list(&ListRequest::new(filter, 10, keys.now())).await.unwrap();
    assert_eq!(listed, [], "of an owner in other letters");
    if fixture.store().abilities().several_keys_per_owner {
        keys.rotate(&issued.record.head.id, HOUR, None).await.unwrap();
    } else {
        assert!(!keys.store().owner_exists(&OwnerId::new(LOUD).unwrap()).await.unwrap());
        keys.rotate(&issued.record.head.id, std::time::Duration::ZERO, None).await.unwrap();
    }
    let all = keys.of(&OwnerId::new(OWNER).unwrap()).list(10, None).await.unwrap().keys;
    assert!(!all.is_empty());
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;

    /// A file whose host writes its tables with a collation that does not tell letters apart.
    async fn no_case<S: TestSchema>() -> Fixture<S> {
        let fixture = Fixture::<S>::sqlite().await;
        let connection = fixture.database().as_sqlite().connection();
        let table = if S::NAME == "mesh" {
            "api_key"
        } else if S::NAME == "scraper" {
            "api_keys"
        } else {
            "aggregators"
        };
        let query = format!("SELECT sql FROM sqlite_schema WHERE name = '{table}'");
        let create: String = connection.query_one(&query, [], |row| row.get(0)).unwrap();
        let mut loud = create;
        for column in [
            "id TEXT",
            "client_id VARCHAR(255)",
            "mesh_id TEXT",
            "did TEXT",
            "key_hash VARCHAR(64)",
            "secret_hash TEXT",
        ] {
            loud = loud.replace(&format!(" {column}"), &format!(" {column} COLLATE NOCASE"));
        }
        assert!(loud.contains("COLLATE NOCASE"), "{loud}");
        connection.execute_batch(&format!("DROP TABLE {table}; {loud};")).unwrap();
        fixture.reopen().await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn identities_are_exact_in_columns_without_case() {
        other_letters_name_nobody(no_case::<Scraper>().await).await;
        other_letters_name_nobody(no_case::<Mesh>().await).await;
        other_letters_name_nobody(no_case::<Aggregator>().await).await;
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;

    /// A database whose host lets letters of either case be equal, by a collation that is not deterministic.
    async fn no_case<S: TestSchema>(alter: &str) -> Fixture<S> {
        let fixture = Fixture::<S>::postgres().await;
        let collation = "CREATE COLLATION public.no_case
                         (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
        fixture.database().run(&format!("{collation}; {alter}")).await;
        fixture.reopen().await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn identities_are_exact_in_columns_without_case() {
        let scraper = "ALTER TABLE api_keys ALTER client_id TYPE varchar(255) COLLATE public.no_case";
        other_letters_name_nobody(no_case::<Scraper>(scraper).await).await;
        let mesh = "ALTER TABLE mesh.api_key ALTER id TYPE text COLLATE public.no_case,
                                             ALTER mesh_id TYPE text COLLATE public.no_case";
        other_letters_name_nobody(no_case::<Mesh>(mesh).await).await;
        let aggregator = "ALTER TABLE aggregators ALTER did TYPE text COLLATE public.no_case";
        other_letters_name_nobody(no_case::<Aggregator>(aggregator).await).await;
    }
}
