//! What stands in the tables: a digest in 32 bytes, the last use apart, and nothing that no key can have.

use keyward::schemas::standard::Standard;

use super::{Fixture, HOUR, get, named, verdict};
use crate::support::{START, over};

over![every_engine of Standard:
    a_digest_is_stored_in_32_bytes,
    the_tables_refuse_what_no_key_can_have,
    a_last_use_is_written_beside_the_key_and_never_into_it,
    the_database_alone_gives_no_key_away,
];

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};

    hex::encode(Sha256::digest(text))
}

async fn a_digest_is_stored_in_32_bytes(fixture: Fixture) {
    let issued = fixture.issue("acme").await;
    let database = fixture.database();
    let stored = database.dialect(
        "SELECT pg_typeof(digest) || ' ' || octet_length(digest) || ' ' || encode(digest, 'hex') FROM keyward.keys",
        "SELECT typeof(digest) || ' ' || length(digest) || ' ' || lower(hex(digest)) FROM keyward_keys",
    );
    let kind = database.dialect("bytea", "blob");
    let expected = format!("{kind} 32 {}", sha256(issued.secret.expose_secret()));
    assert_eq!(database.text(stored).await, Some(expected));
}

async fn the_tables_refuse_what_no_key_can_have(fixture: Fixture) {
    let issued = fixture.issue("acme").await;
    fixture.issue("acme").await;
    let database = fixture.database();
    let table = database.own_table("keys");
    let text = format!("'{}'", sha256(issued.secret.expose_secret()));
    let short = database.dialect("decode(repeat('ab', 31), 'hex')", "zeroblob(31)");
    let long = database.dialect("decode(repeat('ab', 33), 'hex')", "zeroblob(33)");
    for (column, value) in [
        ("digest", text.as_str()),
        ("digest", "NULL"),
        ("digest", "''"),
        ("digest", short),
        ("digest", long),
        ("digest", database.dialect("decode(repeat('ab', 32), 'hex')", "zeroblob(32)")),
        ("id", "'the same'"),
        ("id", "NULL"),
        ("owner", "NULL"),
        ("environment", "NULL"),
        ("environment", "''"),
        ("environment", "'LIVE'"),
        ("environment", "'live '"),
        ("environment", "'production'"),
        ("name", "NULL"),
        ("prefix", "NULL"),
        ("scopes", "NULL"),
        ("requests_per_minute", "0"),
        ("requests_per_minute", "-1"),
        ("requests_per_minute", "'many'"),
        ("created_at", "NULL"),
        ("is_disabled", "NULL"),
        ("is_disabled", database.dialect("'perhaps'", "2")),
        ("lineage", "NULL"),
        ("version", "0"),
        ("version", "-1"),
        ("version", "NULL"),
    ] {
        let update = format!("UPDATE {table} SET {column} = {value}");
        assert!(database.try_run(&update).await.is_err(), "{update}");
    }
    for (table, row) in
        [("key_uses", "'no key', '2030-01-01 00:00:00'"), ("key_history", "'no key', 0, 1, '2030-01-01', 'issued'")]
    {
        let columns =
            if table == "key_uses" { "key_id, used_at" } else { "key_id, from_version, to_version, at, action" };
        let insert = format!("INSERT INTO {} ({columns}) VALUES ({row})", database.own_table(table));
        assert!(database.try_run(&insert).await.is_err(), "{insert}");
    }
    assert_eq!(get(&fixture.keys, &issued.record.head.id).await, issued.record);
    assert_eq!(verdict(&fixture.keys, &issued).await, "accepted");
}

/// The place, the writer and the locker of the key's row, which any write to it changes; on SQLite the whole of it.
async fn wide_row(fixture: &Fixture) -> String {
    let row = fixture.database().dialect(
        "SELECT ctid || ' ' || xmin || ' ' || xmax || ' ' || k FROM keyward.keys k",
        "SELECT concat_ws('|', id, owner, name, version, hex(digest), scopes, created_at, expires_at)
         FROM keyward_keys",
    );
    fixture.database().text(row).await.unwrap()
}

async fn a_last_use_is_written_beside_the_key_and_never_into_it(fixture: Fixture) {
    let issued = fixture.issue("acme").await;
    let (id, key) = (&issued.record.head.id, issued.secret.expose_secret());
    let database = fixture.database();
    if !database.is_postgres() {
        let guard = "CREATE TRIGGER guard BEFORE UPDATE ON keyward_keys BEGIN SELECT RAISE(ABORT, 'written'); END";
        database.run(guard).await;
        database.try_run("UPDATE keyward_keys SET name = 'x'").await.expect_err("the guard stands");
    }
    // The first use is new to the narrow table, whose foreign key looks at the key's row.
    fixture.keys.verify(key).await.unwrap();
    let made = wide_row(&fixture).await;
    assert_eq!(fixture.keys.flush_last_used().await.unwrap(), 1);
    let (before, after) = (made.split(' ').take(2), wide_row(&fixture).await);
    assert!(before.eq(after.split(' ').take(2)), "{made} became {after}");
    let uses = format!("SELECT key_id || ' ' || CAST(used_at AS text) FROM {}", database.own_table("key_uses"));
    assert_eq!(database.text(&uses).await, Some(format!("{id} 2030-01-01 00:00:00.123456")));

    let before = wide_row(&fixture).await;
    fixture.clock.advance(HOUR);
    fixture.keys.verify(key).await.unwrap();
    assert_eq!(fixture.keys.flush_last_used().await.unwrap(), 1);
    assert_eq!(wide_row(&fixture).await, before);
    assert_eq!(database.text(&uses).await, Some(format!("{id} 2030-01-01 01:00:00.123456")));
    let record = get(&fixture.keys, id).await;
    assert_eq!(record.head.last_used_at, Some(START.saturating_add(HOUR)));
    assert_eq!((record.head.version, fixture.keys.history(id).await.unwrap().len()), (1, 1), "a use is no change");
}

async fn the_database_alone_gives_no_key_away(fixture: Fixture) {
    let issued = fixture.keys.issue(named("import")).await.unwrap();
    fixture.keys.rotate(&issued.record.head.id, HOUR, None).await.unwrap();
    let key = issued.secret.expose_secret();
    let database = fixture.database();
    let dump = database.dialect(
        "SELECT (SELECT string_agg(k::text, ' ') FROM keyward.keys k)
             || (SELECT string_agg(h::text, ' ') FROM keyward.key_history h)",
        "SELECT (SELECT group_concat(concat_ws(',', id, prefix, hex(digest), name, metadata), ' ') FROM keyward_keys)
             || (SELECT group_concat(concat_ws(',', key_id, reason, changes), ' ') FROM keyward_key_history)",
    );
    let dump = database.text(dump).await.unwrap();
    let shown = issued.record.head.prefix.as_str();
    assert!(dump.contains(shown) && shown.len() == 14, "{dump}");
    for start in shown.len() - 4..=key.len() - 8 {
        assert!(!dump.contains(&key[start..start + 8]), "more than the display prefix is stored: {dump}");
    }
}
