//! Keys whose rows are locked, odd, shared, or kept as they were by the database itself.

mod alike;
mod first_revocation;
mod held;
mod kept;
mod letters;
mod locks;
mod many;
mod odd_rows;
mod raising;

use keyward::key::{Issued, OwnerId, RefusalReason};
use keyward::store::KeyUse;
use keyward::{Clock as _, Keys};

use crate::support::{Database, Fixture, TestSchema};

/// A schema's table of keys, as a person at a prompt knows it.
struct Table {
    name: String,
    id: &'static str,
    owner: &'static str,
    prefix: &'static str,
    digest: &'static str,
    /// The condition on which the table itself says that a key is not revoked.
    live: &'static str,
    /// What makes a key live again.
    revive: &'static str,
}

fn table<S: TestSchema>(fixture: &Fixture<S>) -> Table {
    let database = fixture.database();
    let (live, revive) = ("revoked_at IS NULL", "revoked_at = NULL");
    match S::NAME {
        "scraper" => Table {
            name: "api_keys".to_owned(),
            id: "id",
            owner: "client_id",
            prefix: "key_prefix",
            digest: "key_hash",
            live: "is_active",
            revive: "is_active = true",
        },
        "mesh" => Table {
            name: database.dialect("mesh.api_key", "api_key").to_owned(),
            id: "id",
            owner: "mesh_id",
            prefix: "secret_prefix",
            digest: "secret_hash",
            live,
            revive,
        },
        "aggregator" => Table {
            name: "aggregators".to_owned(),
            id: "did",
            owner: "did",
            prefix: "api_key_prefix",
            digest: "api_key_hash",
            live: "api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL",
            revive: "api_key_revoked_at = NULL",
        },
        _ => Table {
            name: database.own_table("keys"),
            id: "id",
            owner: "owner",
            prefix: "prefix",
            digest: "digest",
            live,
            revive,
        },
    }
}

/// Where last use is written: the table, and which of its columns names the key.
fn uses<S: TestSchema>(fixture: &Fixture<S>) -> (String, &'static str) {
    if S::NAME == "standard" {
        return (fixture.database().own_table("key_uses"), "key_id");
    }
    let Table { name, id, .. } = table(fixture);
    (name, id)
}

impl Table {
    /// Rebuilds the table without any rule about what stands in it, as hosts have it.
    async fn loosen(&self, database: &Database) {
        let name = &self.name;
        let sqlite = format!(
            "PRAGMA foreign_keys = OFF;
             CREATE TABLE loose AS SELECT * FROM {name};
             DROP TABLE {name};
             ALTER TABLE loose RENAME TO {name}"
        );
        let postgres = format!(
            "DO $$ DECLARE made text; BEGIN
                 FOR made IN SELECT conname FROM pg_constraint WHERE conrelid = '{name}'::regclass LOOP
                     EXECUTE format('ALTER TABLE {name} DROP CONSTRAINT %I CASCADE', made);
                 END LOOP;
                 FOR made IN SELECT attname FROM pg_attribute
                             WHERE attrelid = '{name}'::regclass AND attnum > 0 AND attnotnull LOOP
                     EXECUTE format('ALTER TABLE {name} ALTER COLUMN %I DROP NOT NULL', made);
                 END LOOP;
                 FOR made IN SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '{name}'::regclass LOOP
                     EXECUTE 'DROP INDEX ' || made;
                 END LOOP;
                 ALTER TABLE {name} ALTER COLUMN {digest} TYPE text;
             END $$",
            digest = self.digest,
        );
        database.run(database.dialect(&postgres, &sqlite)).await;
    }

    /// How many live keys the table itself has of `owner`.
    async fn live(&self, database: &Database, owner: &str) -> String {
        let Self { name, owner: column, live, .. } = self;
        let count = format!("SELECT CAST(count(*) AS varchar(9)) FROM {name} WHERE {column} = '{owner}' AND {live}");
        database.text(&count).await.unwrap()
    }

    /// A trigger before each update of a row that meets `condition`: on PostgreSQL it runs `postgres`, on SQLite
    /// `sqlite`.
    async fn before_update(&self, database: &Database, condition: &str, postgres: &str, sqlite: &str) {
        let name = &self.name;
        let on_postgres = format!(
            "CREATE FUNCTION intervene() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {postgres} END $$;
             CREATE TRIGGER intervene BEFORE UPDATE ON {name} FOR EACH ROW WHEN (OLD.{condition})
                 EXECUTE FUNCTION intervene();"
        );
        let on_sqlite =
            format!("CREATE TRIGGER intervene BEFORE UPDATE ON {name} WHEN OLD.{condition} BEGIN {sqlite}; END;");
        database.run(database.dialect(&on_postgres, &on_sqlite)).await;
    }
}

/// One key for each of these owners, whom it makes.
async fn issue<S: TestSchema>(fixture: &Fixture<S>, owners: &[&str]) -> Vec<Issued<S>> {
    let mut known: Vec<&str> = Vec::new();
    let mut issued = Vec::with_capacity(owners.len());
    for owner in owners {
        if !known.contains(owner) {
            fixture.add_owner(owner).await;
            known.push(owner);
        }
        issued.push(fixture.issue(owner).await);
    }
    issued
}

fn owner(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

/// The use of a key now.
fn used<S: TestSchema>(fixture: &Fixture<S>, issued: &Issued<S>) -> KeyUse {
    let head = &issued.record.head;
    KeyUse::new(head.id.clone(), head.digest.unwrap(), fixture.clock.now())
}

/// Why the key is refused; `None` when it is accepted.
async fn refusal<S: TestSchema>(keys: &Keys<S>, issued: &Issued<S>) -> Option<RefusalReason> {
    keys.verify(issued.secret.expose_secret()).await.err().map(|refusal| refusal.reason())
}
