//! Another role's operators on the `search_path` are never the ones that compare a presented key.

use std::sync::Arc;

use keyward::key::{KeyId, OwnerId, RefusalReason};
use keyward::schemas::aggregator::Aggregator;
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::store::MemoryKeyStore;

use super::{HOUR, OWNER};
use crate::support::{Fixture, TestSchema};

/// An operator for every pair of the types of texts that the host's columns and our arguments have, each of which finds
/// that everything is equal to and matches everything.
fn operators() -> String {
    let pairs = [
        ["varchar", "varchar"],
        ["varchar", "text"],
        ["text", "varchar"],
        ["varchar", "bpchar"],
        ["text", "text"],
        ["uuid", "text"],
        ["text", "uuid"],
    ];
    let function = |[left, right]: [&str; 2]| {
        format!(
            "CREATE FUNCTION public.yes_{left}_{right} ({left}, {right}) RETURNS boolean LANGUAGE sql IMMUTABLE
             AS 'SELECT true';"
        )
    };
    let operator = |name: &str, [left, right]: [&str; 2]| {
        format!(
            "CREATE OPERATOR public.{name} (FUNCTION = public.yes_{left}_{right}, LEFTARG = {left}, RIGHTARG = {right});"
        )
    };
    let operators = ["=", "<", "<=", ">", "~", "!~", "~~"];
    let of_a_pair = |pair| operators.map(|name| operator(name, pair)).concat();
    pairs.map(|pair| function(pair) + &of_a_pair(pair)).concat()
}

/// Columns as hosts have them that did not write `text`.
const VARCHARS: &str = "
    DO $$ DECLARE c record; BEGIN
        FOR c IN SELECT table_schema, table_name, column_name FROM information_schema.columns
                 WHERE table_name IN ('api_key', 'aggregators', 'mesh', 'member') AND data_type = 'text'
                   AND column_name IN ('id', 'mesh_id', 'secret_hash', 'secret_prefix', 'issued_by_member_id', 'did')
        LOOP EXECUTE format('ALTER TABLE %I.%I ALTER %I TYPE varchar', c.table_schema, c.table_name, c.column_name);
        END LOOP;
    END $$";

async fn a_neighbours_operators_let_nobody_in<S: TestSchema>() {
    let fixture = Fixture::<S>::postgres().await;
    fixture.database().run(VARCHARS).await;
    fixture.database().run(&operators()).await;
    // That they are picked where a column is compared as it is.
    let captured = "SELECT CAST(('a'::varchar = 'b'::text) AND ('a'::varchar !~ 'a'::varchar) AS text)";
    assert_eq!(fixture.database().text(captured).await.as_deref(), Some("true"));

    let fixture = fixture.reopen().await;
    for owner in [OWNER, "did:plc:other"] {
        fixture.add_owner(owner).await;
    }
    let keys = &fixture.keys;
    let (mine, _) = (fixture.issue(OWNER).await, fixture.issue("did:plc:other").await);
    let stranger = crate::support::keys(Arc::new(MemoryKeyStore::new(S::schema())), &fixture.clock, 99);
    for owner in ["did:plc:one", "did:plc:two", "did:plc:three"] {
        let guess = stranger.issue(S::draft(owner)).await.unwrap();
        let refusal = keys.verify(guess.secret.expose_secret()).await.unwrap_err();
        assert_eq!(refusal.reason(), RefusalReason::Unknown);
    }
    keys.verify(mine.secret.expose_secret()).await.unwrap();
    assert_eq!(keys.get(&KeyId::new("nobody").unwrap()).await.unwrap(), None);
    for (owner, count) in [(OWNER, 1), ("did:plc:other", 1), ("did:plc:nobody", 0)] {
        let listed = keys.of(&OwnerId::new(owner).unwrap()).list(10, None).await.unwrap().keys;
        assert_eq!(listed.len(), count, "{owner}");
        assert!(listed.iter().all(|key| key.head.owner.as_str() == owner), "{listed:?}");
    }
    let grace = if fixture.store().abilities().expiry { HOUR } else { std::time::Duration::ZERO };
    let rotated = keys.rotate(&mine.record.head.id, grace, None).await.unwrap();
    assert_eq!(rotated.successor.record.head.owner.as_str(), OWNER);
    keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_scraper() {
    a_neighbours_operators_let_nobody_in::<Scraper>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_mesh() {
    a_neighbours_operators_let_nobody_in::<Mesh>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_aggregator() {
    a_neighbours_operators_let_nobody_in::<Aggregator>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_standard_schema() {
    a_neighbours_operators_let_nobody_in::<Standard>().await;
}
