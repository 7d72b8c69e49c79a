//! System A in SQL: the columns of a key in the host's table, their statements, and the one function that reads a row.

mod statements;

use crate::aggregator::{Aggregator, AggregatorDetails};
use crate::key::{DisplayPrefix, KeyHead, KeyId, KeyRecord, OwnerId, Rotation};
use crate::sql::check::{Column, REVOCATIONS, ROTATIONS, Table};
use crate::sql::lifecycle::{Revocations, digest, owner_lock};
use crate::sql::migrate::{Migration, SIDE_TABLES};
use crate::sql::{Otherwise, Read, Row, Schema, Script, Sql, Statement, Step, Value, revocation_status};
use crate::store::{Abilities, KeyLookup, Reference};

/// Only what a key needs; everything else about this table is the host's business.
const AGGREGATORS: Table = Table {
    postgres: "aggregators",
    sqlite: "aggregators",
    optional: false,
    shared: true,
    columns: &[
        Column::required("did", "text", "TEXT"),
        Column::optional("api_key_prefix", "character varying(12)", "VARCHAR(12)"),
        Column::optional("api_key_hash", "character varying(64)", "VARCHAR(64)"),
        Column::optional("api_key_created_at", "timestamp with time zone", "TIMESTAMP"),
        Column::optional("api_key_revoked_at", "timestamp with time zone", "TIMESTAMP"),
        Column::optional("api_key_last_used_at", "timestamp with time zone", "TIMESTAMP"),
    ],
    primary_key: "did",
    unique: &["api_key_hash"],
    indexes: &[],
    foreign_keys: &[],
};

impl Schema for Aggregator {
    const TABLE: &'static str = "aggregators";
    const TABLES: &'static [Table] = &[AGGREGATORS, REVOCATIONS, ROTATIONS];
    const MIGRATIONS: &'static [Migration] = &[
        Migration {
            name: "aggregator_0001_aggregators",
            table: Sql { postgres: "aggregators", sqlite: "aggregators" },
            sql: Sql {
                postgres: include_str!("aggregators.postgres.sql"),
                sqlite: include_str!("aggregators.sqlite.sql"),
            },
        },
        SIDE_TABLES,
    ];
    const FIND: Read = statements::FIND;
    const GET: Read = statements::GET;
    const LIST: Read = statements::LIST;
    const STARTING_WITH: Read = statements::STARTING_WITH;
    const OWNER: Option<Sql> = Some(statements::AGGREGATOR);
    const TOUCH: Sql = statements::TOUCH;
    const INSERT: Sql = statements::INSERT;
    const REVOCATIONS: Revocations = statements::REVOCATIONS;

    fn abilities(side_tables: bool) -> Abilities {
        Abilities {
            several_keys_per_owner: false,
            expiry: false,
            // A key that was replaced is gone, so it cannot be replaced again.
            rotation_memory: true,
            revocation_time: true,
            revocation_reason: side_tables,
        }
    }

    fn lookup(lookup: KeyLookup<'_>) -> Value {
        digest(Some(lookup.digest))
    }

    fn columns(key: &KeyRecord<AggregatorDetails>) -> Vec<Value> {
        let head = &key.head;
        vec![
            head.owner.as_str().into(),
            head.prefix.as_str().into(),
            digest(head.digest.as_ref()),
            head.created_at.into(),
        ]
    }

    /// The aggregator itself, which the host's indexer makes.
    fn references(key: &KeyRecord<AggregatorDetails>) -> Vec<Step> {
        let aggregator = Statement::new(statements::AGGREGATOR, [key.head.owner.as_str().into()]);
        vec![Step::some(aggregator, Otherwise::Missing(Reference::Owner))]
    }

    /// One statement kills the old key and brings the new one, so that there is no moment with both or neither.
    fn rotate(rotation: &Rotation<AggregatorDetails>, _side_tables: bool) -> Script {
        let Rotation { predecessor, successor, must_be_live, .. } = rotation;
        let mut arguments = Self::columns(successor);
        arguments.extend([digest(predecessor.digest.as_ref()), i64::from(*must_be_live).into()]);
        let mut steps = Self::references(successor);
        steps.push(Step::some(Statement { sql: statements::REPLACE, arguments }, Otherwise::Conflict));
        Script::locked(owner_lock::<Self>(&predecessor.owner), steps)
    }

    fn decode(mut row: Row) -> KeyRecord<AggregatorDetails> {
        let did = row.text("did");
        let prefix = DisplayPrefix::from_stored(row.text("api_key_prefix"));
        let digest = row.digest();
        let created_at = row.timestamp("api_key_created_at");
        let last_used_at = row.timestamp("api_key_last_used_at");
        let revoked_at = row.timestamp("api_key_revoked_at");
        let reason = row.optional_text("reason");
        let status = revocation_status(revoked_at, reason, true);
        let defect = row.defect();
        let head = KeyHead {
            id: KeyId::from_stored(did.clone()),
            owner: OwnerId::from_stored(did),
            prefix,
            digest,
            created_at,
            last_used_at,
            expires_at: None,
            status,
            defect,
        };
        KeyRecord { head, details: AggregatorDetails {} }
    }
}
