//! Beside the program that made the tables: they are taken as they are, its rows are good, and ours are good for it.

use keyward::broker::{ClientAuthMethod, GrantEnd, RefreshRefusal, decide_access, decide_refresh};
use keyward::seal::StoredSecret;
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::store::StoreError;
use keyward::store::grants::{
    GrantFilter, GrantStore as _, RedeemRequest, RevokeGrantRequest, RevokeGrantsRequest, Sealing, UpstreamRequest,
};

use super::{
    CLIENT, EPOCH, at, client, digest, exchange, grant, id, issued, migrated, new_code, on_both_engines, open, plain,
    scopes, sealed, tokens,
};
use crate::support::Database;
use crate::support::concurrency::race;

on_both_engines![
    the_tables_are_taken_as_they_are,
    a_token_of_the_other_programs_is_accepted_with_its_upstream_tokens,
    a_refresh_token_of_the_other_programs_is_adopted_with_its_first_exchange_and_by_one,
    tokens_of_the_other_programs_are_revoked_by_client_and_by_person,
    a_client_of_the_other_programs_is_public_and_a_secret_in_clear_is_no_secret,
    what_we_write_is_what_the_other_program_reads,
    in_clear_both_programs_refresh_the_upstream_tokens,
    a_secret_of_the_wrong_form_is_refused_before_anything_is_written,
];

/// A database with the tables and rows of the other program, and columns that a host has added.
pub(super) async fn seeded(database: &Database, tables: BrokerTables) -> SqlGrantStore {
    database.run(database.dialect(include_str!("seed.postgres.sql"), include_str!("seed.sqlite.sql"))).await;
    let hash = |token: &str| digest(token).to_hex().as_str().to_owned();
    let row = |name: &str, user: i64, ends: i64| {
        format!(
            "INSERT INTO access_tokens (token_hash, client_id, forgejo_user_id, forgejo_username, scopes,
                 forgejo_access_token, forgejo_refresh_token, forgejo_token_expires_at, expires_at, created_at)
             VALUES ('{access}', 'go', {user}, 'bob', 'read write', 'forgejo-access', 'forgejo-refresh', {upstream},
                     {ends}, {now});
             INSERT INTO refresh_tokens (token_hash, access_token_hash, client_id, expires_at, created_at)
             VALUES ('{refresh}', '{access}', 'go', {month}, {now});",
            access = hash(&format!("access-{name}")),
            refresh = hash(&format!("refresh-{name}")),
            upstream = EPOCH + 7_200,
            ends = EPOCH + ends,
            now = EPOCH,
            month = EPOCH + 2_592_000,
        )
    };
    database
        .run(&format!(
            "INSERT INTO clients (client_id, redirect_uris, metadata_json, created_at)
             VALUES ('go', '[\"https://app.example/callback\", \"javascript:alert(1)\"]',
                     '{{\"client_name\":\"Go client\",\"token_endpoint_auth_method\":\"none\"}}', {EPOCH});
             {} {}
             ALTER TABLE clients ADD COLUMN note text DEFAULT 'the host''s';
             ALTER TABLE access_tokens ADD COLUMN digest text;",
            row("go-1", 7, 3_600),
            row("go-2", 8, 3_600),
        ))
        .await;
    let as_it_was = shape(database).await;
    let store = open(database, tables).await;
    store.migrate(at(0)).await.unwrap();
    assert_eq!(shape(database).await, as_it_was);
    store
}

/// The host's tables as the engine's catalogue tells them.
async fn shape(database: &Database) -> String {
    let postgres = "
        SELECT (SELECT string_agg(table_name || column_name || data_type || is_nullable || coalesce(column_default, ''),
                                  ';' ORDER BY table_name, ordinal_position)
                FROM information_schema.columns WHERE table_schema = 'public')
            || (SELECT string_agg(indexdef, ';' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'public')
            || (SELECT string_agg(pg_get_constraintdef(oid), ';' ORDER BY oid) FROM pg_constraint
                WHERE connamespace = 'public'::regnamespace)";
    let sqlite = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema
                  WHERE tbl_name NOT LIKE 'keyward%' ORDER BY name)";
    database.text(database.dialect(postgres, sqlite)).await.unwrap()
}

async fn the_tables_are_taken_as_they_are(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    let as_it_was = shape(&database).await;
    assert!(as_it_was.contains("forgejo_user_id"), "{as_it_was}");
    assert_eq!(store.migrate(at(1)).await.unwrap(), []);
    assert_eq!(shape(&database).await, as_it_was);
    let breaking: Vec<_> = store.check().await.unwrap().into_iter().filter(|one| one.breaking).collect();
    assert_eq!(breaking, []);
    // It is told which indexes the removal of rows would be quicker with.
    let told = store.check().await.unwrap();
    assert!(told.iter().any(|one| one.expected == "index (access_token_hash)"), "{told:?}");
    store.register(&client(CLIENT)).await.unwrap();
    issued(&store, "g", "42").await;
    store.note_client_use(&id("go"), at(5)).await.unwrap();
    assert_eq!(database.text("SELECT note FROM clients WHERE client_id = 'go'").await.as_deref(), Some("the host's"));
    assert!(store.remove_client(&id(CLIENT), at(6)).await.unwrap());
}

async fn a_token_of_the_other_programs_is_accepted_with_its_upstream_tokens(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    let of = digest("access-go-1");
    let found = store.access_token(&of).await.unwrap();
    let principal = decide_access(found.clone(), Some("https://mcp.example"), at(1)).unwrap();
    assert_eq!((principal.client().as_str(), principal.subject().id.as_str()), ("go", "7"));
    assert_eq!(principal.subject().name.as_deref(), Some("bob"));
    assert!(principal.scopes().contains("write") && principal.record().grant.is_none());
    let upstream = principal.upstream().unwrap();
    assert!(
        matches!(&upstream.access_token, StoredSecret::Plain(secret) if secret.expose_secret() == "forgejo-access")
    );
    assert!(decide_access(found, None, at(3_600)).is_err(), "dead at its expiry");
    // Nothing is remembered of it, so that there is nothing to note.
    store.note_first_use(&of, at(1)).await.unwrap();
    database.run("UPDATE access_tokens SET revoked_at = 0").await;
    assert!(decide_access(store.access_token(&of).await.unwrap(), None, at(1)).is_err());
}

async fn a_refresh_token_of_the_other_programs_is_adopted_with_its_first_exchange_and_by_one(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    let of = digest("refresh-go-1");
    let found = store.refresh_token(&of).await.unwrap().unwrap();
    assert!(!found.grant_is_stored && found.defect.is_none() && found.client_exists);
    assert_eq!(found.grant.id, store.refresh_token(&of).await.unwrap().unwrap().grant.id);
    assert_ne!(found.grant.id, store.refresh_token(&digest("refresh-go-2")).await.unwrap().unwrap().grant.id);
    assert_eq!((found.grant.subject.id.as_str(), found.grant.scopes.clone()), ("7", scopes("read write")));
    // The service seals what stood there in clear.
    let mut adopted = found.grant.clone();
    assert!(matches!(adopted.upstream.as_ref().unwrap().access_token, StoredSecret::Plain(_)));
    let mut as_it_was = exchange(&adopted, "go-1", "new", 2);
    as_it_was.adopt = Some(adopted.clone());
    assert!(matches!(store.exchange(&as_it_was).await, Err(StoreError::Unsupported(_))));
    let upstream = adopted.upstream.as_mut().unwrap();
    upstream.access_token = sealed("forgejo-access");
    upstream.refresh_token = None;

    let racers = (0..16).map(|racer| {
        let (store, adopted) = (store.clone(), adopted.clone());
        move || async move {
            let mut request = exchange(&adopted, "go-1", &format!("new-{racer}"), 2);
            request.adopt = Some(adopted);
            store.exchange(&request).await.unwrap()
        }
    });
    let won = race(racers).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    let winner = won.iter().position(|won| *won).unwrap();

    // What it came with is dead, what came of it is good, and a second use is a replay.
    assert!(decide_access(store.access_token(&digest("access-go-1")).await.unwrap(), None, at(3)).is_err());
    let new = store.access_token(&digest(&format!("access-new-{winner}"))).await.unwrap();
    assert_eq!(decide_access(new, None, at(3)).unwrap().record().grant.as_ref().unwrap().id, adopted.id);
    let again = store.refresh_token(&of).await.unwrap().unwrap();
    let presented = keyward::broker::Refresh { client: &id("go"), scopes: None, resource: None };
    let refusal = decide_refresh(Some(&again), presented, at(3)).unwrap_err();
    assert_eq!(refusal, RefreshRefusal::Replayed(adopted.id.clone()));
    let request = RevokeGrantRequest::new(adopted.id, GrantEnd::RefreshTokenReplayed, at(3));
    assert!(store.revoke_grant(&request).await.unwrap());
    // The other program sees it too.
    let live = "SELECT CAST(count(*) AS text) FROM access_tokens WHERE revoked_at IS NULL AND forgejo_user_id = 7";
    assert_eq!(database.text(live).await.as_deref(), Some("0"));
}

async fn tokens_of_the_other_programs_are_revoked_by_client_and_by_person(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    let live = "SELECT CAST((SELECT count(*) FROM access_tokens WHERE revoked_at IS NULL)
                          + (SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NULL) AS text)";
    let revoke = async |filter| {
        let request = RevokeGrantsRequest::new(filter, GrantEnd::Revoked, at(2), 10);
        assert_eq!(store.revoke_grants(&request).await.unwrap(), 0);
        database.text(live).await.unwrap()
    };
    let subject = |id: &str| GrantFilter::of_subject(keyward::broker::SubjectId::new(id).unwrap());
    assert_eq!(revoke(subject("bob")).await, "4", "no number");
    assert_eq!(revoke(subject("07")).await, "4", "another way to write a number");
    assert_eq!(revoke(subject("7")).await, "2");
    assert_eq!(revoke(GrantFilter::of_client(id("other"))).await, "2");
    assert_eq!(revoke(GrantFilter::of_client(id("go"))).await, "0");
}

async fn a_client_of_the_other_programs_is_public_and_a_secret_in_clear_is_no_secret(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    let found = store.client(&id("go")).await.unwrap().unwrap();
    assert_eq!((found.auth_method, found.name.as_deref()), (ClientAuthMethod::None, Some("Go client")));
    assert_eq!(found.redirect_uris.len(), 1, "the other one may not be registered here");
    assert_eq!(found.defect, None);
    for (secret, metadata, column) in [
        ("'a secret in clear'", "NULL", "client_secret"),
        ("''", "NULL", "client_secret"),
        ("'sha256:abc'", "NULL", "client_secret"),
        ("NULL", "'not JSON'", "metadata_json"),
        ("NULL", "'[]'", "metadata_json"),
        ("NULL", "'{\"token_endpoint_auth_method\":\"private_key_jwt\"}'", "metadata_json"),
    ] {
        database.run(&format!("UPDATE clients SET client_secret = {secret}, metadata_json = {metadata}")).await;
        let found = store.client(&id("go")).await.unwrap().unwrap();
        assert_eq!(found.defect.map(|defect| defect.column), Some(column), "{secret} {metadata}");
        let presented = keyward::broker::PresentedClient::Basic("go", "a secret in clear");
        assert!(keyward::broker::authenticate_client(Some(&found), presented, at(1)).is_err());
    }
}

async fn what_we_write_is_what_the_other_program_reads(database: Database) {
    let store = migrated(&database).await;
    issued(&store, "g", "42").await;
    let hash = digest("access-g");
    let select = |what: &str| {
        format!(
            "SELECT {what} FROM access_tokens WHERE token_hash = '{}' AND client_id = '{CLIENT}'",
            hash.to_hex().as_str()
        )
    };
    let row = "CAST(forgejo_user_id AS text) || ' ' || forgejo_username || ' ' || scopes || ' '
               || CAST(expires_at AS text) || ' ' || coalesce(CAST(revoked_at AS text), '-')";
    let expected = format!("42 alice read write {} -", EPOCH + 3_601);
    assert_eq!(database.text(&select(row)).await, Some(expected));
    let revoked = "SELECT CAST(used_at AS text) FROM auth_codes";
    assert_eq!(database.text(revoked).await, Some((EPOCH + 1).to_string()));
    // A name that is no number stands in our own table alone.
    issued(&store, "h", "a-person").await;
    let number = "SELECT CAST(min(forgejo_user_id) AS text) FROM access_tokens";
    assert_eq!(database.text(number).await.as_deref(), Some("0"));
    let found = store.access_token(&digest("access-h")).await.unwrap().unwrap();
    assert_eq!(found.subject.id.as_str(), "a-person");
}

async fn in_clear_both_programs_refresh_the_upstream_tokens(database: Database) {
    let store = seeded(&database, BrokerTables::new().sharing_upstream_tokens_in_clear()).await;
    assert_eq!(store.sealing(), Sealing::Store);
    let mut of = grant("g", "go", "9");
    let upstream = of.upstream.as_mut().unwrap();
    (upstream.access_token, upstream.refresh_token) = (plain("first"), Some(plain("first-refresh")));
    store.add_code(&new_code(of.clone())).await.unwrap();
    let stored = "SELECT forgejo_access_token || ' ' || coalesce(forgejo_refresh_token, '-') FROM auth_codes";
    assert_eq!(database.text(stored).await.as_deref(), Some("first first-refresh"));
    assert!(store.redeem(&RedeemRequest::new(digest("code-g"), tokens(&of, "g", 1))).await.unwrap());
    assert_eq!(database.text(stored).await.as_deref(), Some(" -"), "blank once it was used");
    let access = async || {
        let found = store.access_token(&digest("access-g")).await.unwrap().unwrap();
        match found.upstream.unwrap().access_token {
            StoredSecret::Plain(secret) => secret.expose_secret().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(access().await, "first");
    let mut new = keyward::broker::UpstreamTokens::new(plain("ours"), at(9_000));
    new.refresh_token = Some(plain("ours-refresh"));
    assert!(store.replace_upstream(&UpstreamRequest::new(of.id.clone(), 0, new.clone())).await.unwrap());
    assert!(!store.replace_upstream(&UpstreamRequest::new(of.id.clone(), 0, new)).await.unwrap());
    assert_eq!(access().await, "ours");
    database.run("UPDATE access_tokens SET forgejo_access_token = 'theirs' WHERE forgejo_user_id = 9").await;
    assert_eq!(access().await, "theirs");
    let found = store.refresh_token(&digest("refresh-g")).await.unwrap().unwrap();
    let theirs = found.grant.upstream.unwrap().access_token;
    assert!(matches!(theirs, StoredSecret::Plain(secret) if secret.expose_secret() == "theirs"));
}

async fn a_secret_of_the_wrong_form_is_refused_before_anything_is_written(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    let shared = open(&database, BrokerTables::new().sharing_upstream_tokens_in_clear()).await;
    let mut in_clear = grant("g", "go", "9");
    in_clear.upstream.as_mut().unwrap().refresh_token = Some(plain("clear"));
    let refused = store.add_code(&new_code(in_clear.clone())).await;
    assert!(matches!(refused, Err(StoreError::Unsupported(_))), "{refused:?}");
    let refused = shared.add_code(&new_code(grant("g", "go", "9"))).await;
    assert!(matches!(refused, Err(StoreError::Unsupported(_))), "{refused:?}");
    let count = "SELECT CAST(count(*) AS text) FROM auth_codes";
    assert_eq!(database.text(count).await.as_deref(), Some("0"));
    let request = UpstreamRequest::new(in_clear.id.clone(), 0, in_clear.upstream.clone().unwrap());
    assert!(matches!(store.replace_upstream(&request).await, Err(StoreError::Unsupported(_))));
}
