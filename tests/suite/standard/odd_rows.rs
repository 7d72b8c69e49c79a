//! Rows that no key of keyward's could have, in tables that somebody has made loose: they grant nothing, and harm only
//! themselves.

use keyward::key::{Defect, Issued, RefusalReason, Status};
use keyward::schemas::standard::Standard;
use keyward::store::KeyFilter;

use super::{Fixture, HOUR, acme, named};
use crate::support::{Database, over};

over![every_engine of Standard:
    every_odd_value_is_refused_under_the_name_of_its_column,
    an_odd_scope_grants_no_other,
    an_odd_row_harms_only_itself,
    an_odd_history_is_shown_as_far_as_it_is_understood,
];

/// Drops every rule that keeps odd values out of the table of keys.
async fn loosen(database: &Database) {
    if !database.is_postgres() {
        // Without types, so that each value keeps its own.
        let columns = "SELECT group_concat(name || coalesce(' DEFAULT ' || dflt_value, ''), ', ')
                       FROM pragma_table_info('keyward_keys')";
        let columns = database.text(columns).await.unwrap();
        let loose = format!(
            "PRAGMA foreign_keys = OFF;
             CREATE TABLE loose ({columns}, UNIQUE (id), UNIQUE (digest));
             INSERT INTO loose SELECT * FROM keyward_keys;
             DROP TABLE keyward_keys;
             ALTER TABLE loose RENAME TO keyward_keys"
        );
        return database.run(&loose).await;
    }
    let drop_checks = "
        DO $$ DECLARE made text; BEGIN
            FOR made IN SELECT conname FROM pg_constraint
                        WHERE conrelid = 'keyward.keys'::regclass AND contype = 'c' LOOP
                EXECUTE format('ALTER TABLE keyward.keys DROP CONSTRAINT %I', made);
            END LOOP;
            FOR made IN SELECT attname FROM pg_attribute WHERE attrelid = 'keyward.keys'::regclass AND attnum > 0
                            AND attnotnull AND attname <> 'id' LOOP
                EXECUTE format('ALTER TABLE keyward.keys ALTER COLUMN %I DROP NOT NULL', made);
            END LOOP;
        END $$";
    database.run(drop_checks).await;
}

const fn unusable(column: &'static str) -> RefusalReason {
    RefusalReason::Unusable(Defect::new("keys", column))
}

/// Every odd value that both engines can hold, the column that holds it, and why its key is refused.
const ODD: &[(&str, &str, RefusalReason)] = &[
    ("owner", "NULL", unusable("owner")),
    ("environment", "NULL", unusable("environment")),
    ("environment", "''", unusable("environment")),
    ("environment", "'LIVE'", unusable("environment")),
    ("environment", "'live '", unusable("environment")),
    ("environment", "'production'", unusable("environment")),
    ("environment", "'test'", RefusalReason::OtherEnvironment),
    ("environment", "'unknown'", RefusalReason::OtherEnvironment),
    ("name", "NULL", unusable("name")),
    ("prefix", "NULL", unusable("prefix")),
    ("digest", "NULL", RefusalReason::Unknown),
    ("scopes", "NULL", unusable("scopes")),
    ("requests_per_minute", "0", unusable("requests_per_minute")),
    ("requests_per_minute", "-5", unusable("requests_per_minute")),
    ("requests_per_minute", "-2147483648", unusable("requests_per_minute")),
    ("is_disabled", "NULL", unusable("is_disabled")),
    ("lineage", "NULL", unusable("lineage")),
    ("version", "NULL", unusable("version")),
    ("version", "-1", unusable("version")),
];

const ODD_ON_SQLITE: &[(&str, &str, RefusalReason)] = &[
    ("digest", "lower(hex(digest))", RefusalReason::Unknown),
    ("digest", "substr(digest, 1, 31)", RefusalReason::Unknown),
    ("digest", "CAST(digest AS TEXT)", RefusalReason::Unknown),
    ("owner", "7", unusable("owner")),
    ("owner", "CAST(owner AS BLOB)", unusable("owner")),
    ("environment", "1", unusable("environment")),
    ("scopes", "1", unusable("scopes")),
    ("scopes", "x'61'", unusable("scopes")),
    ("requests_per_minute", "'60'", unusable("requests_per_minute")),
    ("requests_per_minute", "60.5", unusable("requests_per_minute")),
    ("is_disabled", "2", unusable("is_disabled")),
    ("is_disabled", "'0'", unusable("is_disabled")),
    ("is_disabled", "0.0", unusable("is_disabled")),
    ("expires_at", "'soon'", unusable("expires_at")),
    ("expires_at", "''", unusable("expires_at")),
    ("expires_at", "4102444800", unusable("expires_at")),
    ("created_at", "'once'", unusable("created_at")),
    ("revoked_at", "'soon'", RefusalReason::Revoked),
    ("revoked_at", "0", RefusalReason::Revoked),
    ("revoked_at", "''", RefusalReason::Revoked),
    ("version", "'1'", unusable("version")),
    ("successor_id", "1", unusable("successor_id")),
];

const ODD_ON_POSTGRES: &[(&str, &str, RefusalReason)] = &[
    ("digest", "substr(digest, 1, 31)", RefusalReason::Unknown),
    ("digest", "convert_to(encode(digest, 'hex'), 'UTF8')", RefusalReason::Unknown),
    ("expires_at", "'-infinity'", RefusalReason::Expired),
    ("expires_at", "'4000-01-01 BC'", RefusalReason::Expired),
    ("revoked_at", "'-infinity'", RefusalReason::Revoked),
    ("revoked_at", "'infinity'", RefusalReason::Revoked),
];

async fn set(fixture: &Fixture, key: &Issued<Standard>, column: &str, value: &str) {
    let table = fixture.database().own_table("keys");
    let id = &key.record.head.id;
    fixture.database().run(&format!("UPDATE {table} SET {column} = {value} WHERE id = '{id}'")).await;
}

fn odd(fixture: &Fixture) -> impl Iterator<Item = &'static (&'static str, &'static str, RefusalReason)> {
    let more = if fixture.database().is_postgres() { ODD_ON_POSTGRES } else { ODD_ON_SQLITE };
    ODD.iter().chain(more)
}

async fn every_odd_value_is_refused_under_the_name_of_its_column(fixture: Fixture) {
    loosen(fixture.database()).await;
    let keys = fixture.another_process().await;
    for (column, value, reason) in odd(&fixture) {
        let issued = keys.issue(named("odd").scope("admin").unwrap()).await.unwrap();
        keys.verify(issued.secret.expose_secret()).await.unwrap();
        set(&fixture, &issued, column, value).await;
        let refusal = keys.verify(issued.secret.expose_secret()).await.err().map(|refusal| refusal.reason());
        if *column == "successor_id" {
            // A verification does not read it; whoever looks at the key does.
            assert_eq!(refusal, None);
            let key = keys.get(&issued.record.head.id).await.unwrap().unwrap();
            assert_eq!(key.head.defect, Some(Defect::new("keys", "successor_id")));
            keys.rotate(&issued.record.head.id, HOUR, None).await.unwrap_err();
            continue;
        }
        assert_eq!(refusal, Some(*reason), "{column} = {value}");
    }
}

/// Scopes are separated by single spaces, and each is compared as a whole.
async fn an_odd_scope_grants_no_other(fixture: Fixture) {
    loosen(fixture.database()).await;
    let keys = fixture.another_process().await;
    let issued = keys.issue(named("odd")).await.unwrap();
    for (text, holds) in [
        ("'admin'", true),
        ("'  jobs:read   admin '", true),
        ("''", false),
        ("' '", false),
        ("'ADMIN'", false),
        ("'admin,jobs:read'", false),
        ("'[\"admin\"]'", false),
        ("'{admin}'", false),
        ("'\"admin\"'", false),
        ("'adm in'", false),
        ("'*'", false),
        ("'jobs:read' || chr(10) || 'admin'", false),
        ("'jobs:read' || chr(9) || 'admin'", false),
    ] {
        let text = if fixture.database().is_postgres() { text.to_owned() } else { text.replace("chr(", "char(") };
        set(&fixture, &issued, "scopes", &text).await;
        let accepted = keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert_eq!(accepted.permits("admin").is_ok(), holds, "{text}");
        assert!(accepted.permits("").is_err(), "{text}");
    }
}

async fn an_odd_row_harms_only_itself(fixture: Fixture) {
    loosen(fixture.database()).await;
    let keys = fixture.another_process().await;
    let good = keys.issue(named("good")).await.unwrap();
    let mut rows = 1;
    for (column, value, _) in odd(&fixture) {
        // A row without its owner is in no list of that owner.
        if *column != "owner" {
            let issued = keys.issue(named("odd")).await.unwrap();
            set(&fixture, &issued, column, value).await;
            rows += 1;
        }
    }
    let all = keys.of(&acme()).list(1_000, None).await.unwrap().keys;
    assert_eq!(all.len(), rows);
    assert_eq!(keys.count(KeyFilter::new().of(acme())).await.unwrap(), rows as u64);
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = keys.of(&acme()).list(3, after.as_ref()).await.unwrap();
        paged.extend(page.keys);
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(paged, all);

    keys.verify(good.secret.expose_secret()).await.unwrap();
    let issued = keys.issue(named("another")).await.unwrap();
    let rotated = keys.rotate(&issued.record.head.id, HOUR, None).await.unwrap();
    keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    keys.disable(&good.record.head.id, None).await.unwrap();
    keys.enable(&good.record.head.id, None).await.unwrap();
    keys.flush_last_used().await.unwrap();
    keys.revoke(&good.record.head.id, None).await.unwrap();
    keys.verify(good.secret.expose_secret()).await.unwrap_err();
}

async fn an_odd_history_is_shown_as_far_as_it_is_understood(fixture: Fixture) {
    let issued = fixture.issue("acme").await;
    let id = &issued.record.head.id;
    let table = fixture.database().own_table("key_history");
    let rows = format!(
        "INSERT INTO {table} (key_id, from_version, to_version, at, action, changes) VALUES
             ('{id}', 1, 2, '2030-01-02 00:00:00', 'blessed', '[]'),
             ('{id}', 2, 3, '2030-01-03 00:00:00', 'updated', 'no JSON'),
             ('{id}', 3, 4, '2030-01-04 00:00:00', 'disabled', '[]')"
    );
    fixture.database().run(&rows).await;
    let history = fixture.keys.history(id).await.unwrap();
    let shown: Vec<_> = history.iter().map(|entry| (entry.action.as_str(), entry.to_version)).collect();
    assert_eq!(shown, [("issued", 1), ("unknown", 2), ("updated", 3), ("disabled", 4)]);
    assert_eq!(history[2].changes, []);
    assert_eq!(fixture.keys.get(id).await.unwrap().unwrap().head.status, Status::Active);
}
