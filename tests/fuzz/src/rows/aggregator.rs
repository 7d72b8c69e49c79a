//! Rows of the schema `aggregator`.

use keyward::schemas::aggregator::{Aggregator, AggregatorKey};

use super::Table;

/// The table has to be there before a key can be, with the aggregator in it.
const PARENTS: &str = "
    CREATE TABLE aggregators (did TEXT PRIMARY KEY NOT NULL);
    INSERT INTO aggregators (did) VALUES ('did:plc:news');";

thread_local! {
    static KEYS: Table<Aggregator> = {
        let draft = AggregatorKey::of("did:plc:news").expect("a key");
        Table::new(Aggregator::new, draft, PARENTS, "aggregators", "did = 'did:plc:news'")
    };
}

/// Anything in any column.
pub(crate) fn row(data: &[u8]) {
    KEYS.with(|table| {
        let row = table.edit(data);
        let Some(accepted) = table.verify() else { return };
        let digest = table.issued.record.head.digest.expect("a digest").to_hex();
        assert_eq!(row.text("api_key_hash"), Some(digest.as_str()));
        assert!(row.is_null("api_key_revoked_at"));
        assert_eq!(row.text("did"), Some(accepted.owner().as_str()));
    });
}
