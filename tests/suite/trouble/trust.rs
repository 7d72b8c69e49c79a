//! Tables that somebody else made: with the names of ours, or in front of the host's own.

#[cfg(feature = "sqlite")]
mod sqlite {
    use keyward::schemas::scraper::Scraper;

    use crate::support::Fixture;

    /// SQLite knows no owners, but a trigger can keep a row as it was there too.
    #[tokio::test]
    async fn triggers_that_keep_rows_as_they_were_are_named() {
        let fixture = Fixture::<Scraper>::sqlite().await;
        let triggers = "
            CREATE TRIGGER on_ours BEFORE INSERT ON keyward_revocations BEGIN SELECT 1; END;
            CREATE TRIGGER harmless AFTER INSERT ON api_keys BEGIN SELECT 1; END;
            CREATE TRIGGER keeps BEFORE UPDATE ON api_keys BEGIN SELECT RAISE(IGNORE); END;";
        fixture.database().run(triggers).await;
        let found = fixture.sql().check().await.unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.object.as_str(), one.found.as_str(), one.breaking)).collect();
        let [keeps, on_ours] =
            ["keeps", "on_ours"].map(|name| format!("trigger ({name}), which can keep a row as it was"));
        assert_eq!(found, [("api_keys", &*keeps, false), ("keyward_revocations", &*on_ours, true)]);
    }

    /// Without `NOT NULL` a primary key takes NULL on SQLite, and such a key cannot be named, nor revoked.
    #[tokio::test]
    async fn an_identity_or_a_digest_that_may_be_null_is_breaking() {
        let fixture = Fixture::<Scraper>::sqlite().await;
        let create = fixture.database().text("SELECT sql FROM sqlite_schema WHERE name = 'api_keys'").await.unwrap();
        let relaxed = create.replace("TEXT PRIMARY KEY NOT NULL", "TEXT PRIMARY KEY");
        let relaxed = relaxed.replace("key_hash VARCHAR(64) NOT NULL", "key_hash VARCHAR(64)");
        assert_ne!(create, relaxed);
        fixture.database().run(&format!("DROP TABLE api_keys; {relaxed}")).await;
        let found = fixture.sql().check().await.unwrap();
        let breaking = found.iter().filter(|one| one.breaking && one.found == "NULL allowed");
        let objects: Vec<_> = breaking.map(|one| one.object.as_str()).collect();
        assert_eq!(objects, ["api_keys.id", "api_keys.key_hash"], "{found:?}");
    }

    #[tokio::test]
    async fn a_default_in_other_letters_is_the_same_default() {
        let fixture = Fixture::<Scraper>::sqlite().await;
        let create = fixture.database().text("SELECT sql FROM sqlite_schema WHERE name = 'api_keys'").await.unwrap();
        let lower = create.replace("DEFAULT TRUE", "DEFAULT true");
        assert_ne!(create, lower);
        let indexes = "
            CREATE INDEX a ON api_keys (client_id); CREATE INDEX b ON api_keys (is_active);
            CREATE INDEX c ON api_keys (key_hash);";
        fixture.database().run(&format!("DROP TABLE api_keys; {lower}; {indexes}")).await;
        assert_eq!(fixture.sql().check().await.unwrap(), []);
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use keyward::schemas::aggregator::Aggregator;
    use keyward::schemas::mesh::Mesh;
    use keyward::schemas::scraper::Scraper;
    use keyward::schemas::standard::Standard;
    use keyward::sql::{MigrateError, SqlSchema as _};
    use keyward::store::{StoreError, Unfit};
    use keyward::{Postgres, SqlKeyStore};

    use crate::support::roles::Role;
    use crate::support::{Database, Fixture, START, TestSchema};

    /// Runs a test for each schema.
    macro_rules! for_each_schema {
        ($($test:ident),+ $(,)?) => {$(
            mod $test {
                use super::*;
                for_each_schema!(@$test standard Standard, scraper Scraper, mesh Mesh, aggregator Aggregator);
            }
        )+};
        (@$test:ident $($name:ident $schema:ident),+) => {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$test::<$schema>().await;
            }
        )+};
    }

    for_each_schema![
        own_tables_that_another_role_made_are_refused,
        a_table_that_another_role_makes_in_our_schema_is_refused,
        a_view_with_the_name_of_an_own_table_is_refused,
        what_the_database_does_to_rows_is_named,
    ];

    /// The host's tables, and a role that may create objects, as every role may on a careless host.
    async fn with_mallory<S: TestSchema>(database: &Database) -> Role<'_> {
        database.run(S::parents(true)).await;
        let mallory = Role::new(database, "mallory").await;
        let name = database.text("SELECT current_database()::text").await.unwrap();
        database.run(&format!("GRANT CREATE ON DATABASE {name} TO {}", mallory.name)).await;
        mallory
    }

    /// The text that makes our own tables.
    fn own_tables<S: TestSchema>() -> &'static str {
        S::migrations().last().unwrap().postgres()
    }

    async fn engine(database: &Database) -> Postgres {
        Postgres::new(database.as_postgres().pool().await)
    }

    async fn assert_refused<S: TestSchema>(engine: Postgres, object: &str, by: &str) {
        let migrated = keyward::Engine::from(&engine).migrate::<S>(START).await.unwrap_err();
        assert!(
            matches!(&migrated, MigrateError::Unfit(Unfit::Untrusted { object: named, owner }) if named == object && owner == by),
            "{migrated:?}"
        );
        let opened = SqlKeyStore::open(&engine, S::schema()).await.unwrap_err();
        assert!(
            matches!(&opened, StoreError::Unfit(Unfit::Untrusted { object: named, owner }) if named == object && owner == by),
            "{opened:?}"
        );
        assert!(opened.to_string().contains(object) && opened.to_string().contains(by), "{opened}");
        let found = keyward::Engine::from(engine).check::<S>().await.unwrap();
        assert!(found.iter().any(|one| one.object == object && one.breaking && one.found.contains(by)), "{found:?}");
    }

    /// They have the right form, so that nothing but their owner tells them from ours.
    async fn own_tables_that_another_role_made_are_refused<S: TestSchema>() {
        let database = Database::postgres().await;
        let mallory = with_mallory::<S>(&database).await;
        mallory.run("CREATE SCHEMA keyward; GRANT ALL ON SCHEMA keyward TO PUBLIC").await;
        mallory.run(own_tables::<S>()).await;
        // Also to a superuser, who has the rights of every role.
        assert_refused::<S>(engine(&database).await, "keyward", &mallory.name).await;
        let service = Role::new(&database, "service").await;
        database.run(&format!("GRANT USAGE ON SCHEMA public TO {}", service.name)).await;
        let opened = SqlKeyStore::open(service.postgres().await, S::schema()).await.unwrap_err();
        assert!(matches!(&opened, StoreError::Unfit(Unfit::Untrusted { .. })), "{opened:?}");

        // Unless the host says that this is who makes its tables.
        let named = engine(&database).await.trusting(&mallory.name);
        keyward::Engine::from(&named).migrate::<S>(START).await.unwrap();
        SqlKeyStore::open(named, S::schema()).await.unwrap();
        // Or the service has the role's rights.
        database
            .run(&format!(
                "GRANT {} TO {}; GRANT ALL ON ALL TABLES IN SCHEMA keyward TO {1}",
                mallory.name, service.name
            ))
            .await;
        database.run(&grants_to_host_tables::<S>(&service.name)).await;
        SqlKeyStore::open(service.postgres().await, S::schema()).await.unwrap();
        service.drop().await;
        mallory.drop().await;
    }

    /// What a service reads beside our own tables.
    fn grants_to_host_tables<S: TestSchema>(role: &str) -> String {
        match S::NAME {
            "standard" => String::new(),
            "mesh" => format!("GRANT USAGE ON SCHEMA mesh TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA mesh TO {role}"),
            _ => format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"),
        }
    }

    /// The gap that a dropped table leaves is filled by whoever comes first.
    async fn a_table_that_another_role_makes_in_our_schema_is_refused<S: TestSchema>() {
        let database = Database::postgres().await;
        let mallory = with_mallory::<S>(&database).await;
        keyward::Engine::from(engine(&database).await).migrate::<S>(START).await.unwrap();
        let table = if S::NAME == "standard" { "key_uses" } else { "revocations" };
        let references = if S::NAME == "standard" { "GRANT REFERENCES, SELECT ON keyward.keys TO" } else { "" };
        database.run(&format!("DROP TABLE keyward.{table}; GRANT ALL ON SCHEMA keyward TO {}", mallory.name)).await;
        if !references.is_empty() {
            database.run(&format!("{references} {}", mallory.name)).await;
        }
        let text = own_tables::<S>();
        let start = text.find(&format!("CREATE TABLE IF NOT EXISTS keyward.{table}")).unwrap();
        let text = &text[start..];
        mallory.run(&text[..=text.find(';').unwrap()]).await;
        assert_refused::<S>(engine(&database).await, &format!("keyward.{table}"), &mallory.name).await;
        mallory.drop().await;
    }

    async fn a_view_with_the_name_of_an_own_table_is_refused<S: TestSchema>() {
        let fixture = Fixture::<S>::postgres().await;
        let table = if S::NAME == "standard" { "key_history" } else { "rotations" };
        let view = format!(
            "ALTER TABLE keyward.{table} RENAME TO behind; CREATE VIEW keyward.{table} AS TABLE keyward.behind"
        );
        fixture.database().run(&view).await;
        let owner = fixture.database().text("SELECT current_user::text").await.unwrap();
        assert_refused::<S>(engine(fixture.database()).await, &format!("keyward.{table}"), &owner).await;
    }

    async fn what_the_database_does_to_rows_is_named<S: TestSchema>() {
        let fixture = Fixture::<S>::postgres().await;
        let database = fixture.database();
        let own = if S::NAME == "standard" { "keyward.keys" } else { "keyward.revocations" };
        let hosts = match S::NAME {
            "standard" => own,
            "mesh" => "mesh.api_key",
            "scraper" => "api_keys",
            _ => "aggregators",
        };
        let role = Role::new(database, "service").await;
        database.run(&S::grants(keyward::sql::DatabaseRole::Operator, &role.name, "keyward").unwrap()).await;
        database
            .run(&format!(
                "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                 CREATE TRIGGER keeps BEFORE UPDATE ON {hosts} FOR EACH ROW EXECUTE FUNCTION keep();
                 CREATE TRIGGER tells AFTER INSERT ON {own} FOR EACH ROW EXECUTE FUNCTION keep();
                 CREATE RULE rewrites AS ON UPDATE TO {hosts} DO ALSO NOTHING;
                 ALTER TABLE {hosts} ENABLE ROW LEVEL SECURITY;
                 CREATE POLICY tenants ON {hosts} USING (false)"
            ))
            .await;
        let found = keyward::Engine::from(role.postgres().await).check::<S>().await.unwrap();
        let is_named = |object: &str, what: &str, breaking: bool| {
            let is_it = |one: &keyward::sql::Difference| {
                one.object == object && one.found.starts_with(what) && one.breaking == breaking
            };
            assert!(found.iter().any(is_it), "{object} {what}: {found:?}");
        };
        is_named(hosts, "row-level security (tenants)", true);
        is_named(hosts, "trigger (keeps)", S::NAME == "standard");
        is_named(hosts, "rule (rewrites)", S::NAME == "standard");
        is_named(own, "trigger (tells)", true);
        // The owner sees all rows.
        let owners = fixture.sql().check().await.unwrap();
        assert!(owners.iter().all(|one| !one.found.starts_with("row-level")), "{owners:?}");
        role.drop().await;
    }

    /// Where the search path names a schema in which others may create before the host's own.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_that_hides_the_hosts_own_is_refused() {
        let database = Database::postgres().await;
        let mallory = with_mallory::<Scraper>(&database).await;
        let name = database.text("SELECT current_database()::text").await.unwrap();
        keyward::Engine::from(engine(&database).await).migrate::<Scraper>(START).await.unwrap();
        database.run(&format!("GRANT SELECT ON api_keys TO {}", mallory.name)).await;
        mallory.run("CREATE SCHEMA front; CREATE TABLE front.api_keys (LIKE public.api_keys)").await;
        database.run(&format!("ALTER DATABASE {name} SET search_path = front, public")).await;
        let opened = SqlKeyStore::open(engine(&database).await, Scraper::new()).await.unwrap_err();
        assert!(
            matches!(&opened, StoreError::Unfit(Unfit::Untrusted { object, owner })
                     if object == "front.api_keys" && *owner == mallory.name),
            "{opened:?}"
        );
        let found = keyward::Engine::from(engine(&database).await).check::<Scraper>().await.unwrap();
        let both = |one: &keyward::sql::Difference| {
            one.breaking && one.found.contains("front.api_keys") && one.found.contains("public.api_keys")
        };
        assert!(found.iter().any(both), "{found:?}");
        // A table of a trusted role in front is the host's own affair, and named.
        let owner = database.text("SELECT current_user::text").await.unwrap();
        database.run(&format!("ALTER TABLE front.api_keys OWNER TO {owner}")).await;
        SqlKeyStore::open(engine(&database).await, Scraper::new()).await.unwrap();
        let found = keyward::Engine::from(engine(&database).await).check::<Scraper>().await.unwrap();
        assert!(found.iter().any(|one| one.object == "api_keys" && one.found.contains("public.api_keys")), "{found:?}");
        mallory.drop().await;
    }

    /// The host's own belongs to a role of the application, which the service has no rights of, and nobody has named.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_behind_the_hosts_own_keeps_no_store_from_opening() {
        let database = Database::postgres().await;
        let mallory = with_mallory::<Scraper>(&database).await;
        let [app, service] = [Role::new(&database, "app").await, Role::new(&database, "service").await];
        let name = database.text("SELECT current_database()::text").await.unwrap();
        keyward::Engine::from(engine(&database).await).migrate::<Scraper>(START).await.unwrap();
        let grants = Scraper::grants(keyward::sql::DatabaseRole::Operator, &service.name, "keyward").unwrap();
        database.run(&format!("{grants}; ALTER TABLE api_keys OWNER TO {}", app.name)).await;
        database.run(&format!("GRANT SELECT ON api_keys TO {}", mallory.name)).await;
        let shadow =
            "CREATE SCHEMA other; CREATE TABLE other.api_keys (LIKE public.api_keys); GRANT USAGE ON SCHEMA other";
        mallory.run(&format!("{shadow} TO PUBLIC; GRANT ALL ON other.api_keys TO PUBLIC")).await;

        database.run(&format!("ALTER DATABASE {name} SET search_path = public, other")).await;
        SqlKeyStore::open(service.postgres().await, Scraper::new()).await.unwrap();
        let found = keyward::Engine::from(service.postgres().await).check::<Scraper>().await.unwrap();
        let both = |one: &&keyward::sql::Difference| one.object == "api_keys" && one.found.contains("other.api_keys");
        assert!(!found.iter().find(both).expect("it is named").breaking, "{found:?}");

        // In front of it, the schema tells whose it is.
        database.run(&format!("ALTER DATABASE {name} SET search_path = other, public")).await;
        let opened = SqlKeyStore::open(service.postgres().await, Scraper::new()).await.unwrap_err();
        assert!(
            matches!(&opened, StoreError::Unfit(Unfit::Untrusted { object, .. }) if object == "other.api_keys"),
            "{opened:?}"
        );
        // And so is one in a schema in which everybody may make tables.
        database
            .run(&format!(
                "GRANT CREATE ON SCHEMA public TO PUBLIC; ALTER DATABASE {name} SET search_path = public, other"
            ))
            .await;
        SqlKeyStore::open(service.postgres().await, Scraper::new()).await.unwrap_err();
        let named = service.postgres().await.trusting(&app.name);
        SqlKeyStore::open(named, Scraper::new()).await.unwrap();
        for role in [service, app, mallory] {
            role.drop().await;
        }
    }
}
