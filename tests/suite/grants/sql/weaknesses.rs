//! The weaknesses of the system whose tables these are, each with what becomes of it here.

use keyward::broker::{
    AccessRefusal, CodeRefusal, GrantEnd, Redemption, Refresh, RefreshRefusal, decide_access, decide_redemption,
    decide_refresh,
};
use keyward::sql::BrokerTables;
use keyward::store::grants::{
    GrantFilter, GrantListRequest, GrantStore as _, RedeemRequest, RevokeGrantRequest, SweepRequest,
};

use super::adoption::seeded;
use super::{
    CLIENT, REDIRECT, VERIFIER, at, digest, exchange, grant, id, issued, migrated, new_code, on_both_engines, open,
};
use crate::support::Database;

on_both_engines![
    d1_no_sweep_removes_a_refresh_token_that_is_good,
    d2_a_refresh_token_that_is_used_again_ends_its_family_long_after,
    d3_an_exchange_ends_the_access_tokens_before_it,
    d4_keys_that_are_null_harm_nothing,
    d5_a_deadline_that_is_no_integer_has_passed,
    d6_grants_are_found_by_client_and_by_person,
    d7_foreign_keys_are_enforced,
    d8_a_code_and_a_secret_stand_there_as_digests_and_a_used_code_keeps_no_upstream_token,
    d9_upstream_tokens_stand_there_once_and_each_token_has_the_newest,
    d10_everything_is_dead_at_the_very_second,
    d11_a_revocation_says_when_and_why_and_the_first_one_counts,
];

fn presented(client: &keyward::broker::ClientId) -> Refresh<'_> {
    Refresh { client, scopes: None, resource: None }
}

async fn count(database: &Database, of: &str) -> String {
    database.text(&format!("SELECT CAST(count(*) AS text) FROM {of}")).await.unwrap()
}

async fn d1_no_sweep_removes_a_refresh_token_that_is_good(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    store.register(&super::client(CLIENT)).await.unwrap();
    let of = issued(&store, "g", "42").await;
    // All access tokens have expired for days, those of the other program too.
    let swept = store.sweep(&SweepRequest::new(at(10 * 86_400), 100)).await.unwrap();
    assert_eq!((swept.codes, swept.access_tokens, swept.refresh_tokens, swept.grants), (1, 0, 0, 0));
    assert!(store.exchange(&exchange(&of, "g", "g-2", 10 * 86_400)).await.unwrap());
    // What was exchanged goes, with its access token; what came of it stays.
    let swept = store.sweep(&SweepRequest::new(at(11 * 86_400), 100)).await.unwrap();
    assert_eq!((swept.access_tokens, swept.refresh_tokens), (1, 1));
    assert!(store.refresh_token(&digest("refresh-g-2")).await.unwrap().unwrap().revoked_at.is_none());
    let swept = store.sweep(&SweepRequest::new(at(31 * 86_400), 1)).await.unwrap();
    assert_eq!((swept.access_tokens, swept.refresh_tokens), (1, 1), "at most so many");
    let swept = store.sweep(&SweepRequest::new(at(31 * 86_400), 100)).await.unwrap();
    assert_eq!((swept.access_tokens, swept.refresh_tokens), (1, 1), "the other program's second");
    assert_eq!(count(&database, "refresh_tokens").await, "1");
    let mut request = SweepRequest::new(at(41 * 86_400), 100);
    request.clients_unused_since = Some(at(86_400));
    let swept = store.sweep(&request).await.unwrap();
    assert_eq!((swept.grants, swept.clients, swept.refresh_tokens), (1, 2, 3));
    for table in ["grants", "grant_codes", "grant_access_tokens", "grant_refresh_tokens"] {
        assert_eq!(count(&database, &database.own_table(table)).await, "0", "{table}");
    }
    assert_eq!(count(&database, "access_tokens").await, "0");
}

async fn d2_a_refresh_token_that_is_used_again_ends_its_family_long_after(database: Database) {
    let store = migrated(&database).await;
    let of = issued(&store, "g", "42").await;
    let mut before = "g".to_owned();
    for round in 1..10 {
        let next = format!("g-{round}");
        assert!(store.exchange(&exchange(&of, &before, &next, round * 20 * 86_400)).await.unwrap());
        store.sweep(&SweepRequest::new(at(round * 20 * 86_400 + 7_200), 100)).await.unwrap();
        before = next;
    }
    let now = 185 * 86_400;
    assert_eq!(count(&database, "refresh_tokens").await, "1", "the host's rows were swept");
    let found = store.refresh_token(&digest("refresh-g")).await.unwrap().unwrap();
    let refusal = decide_refresh(Some(&found), presented(&id(CLIENT)), at(now)).unwrap_err();
    assert_eq!(refusal, RefreshRefusal::Replayed(of.id.clone()));
    let code = store.code(&digest("code-g")).await.unwrap().unwrap();
    let redemption =
        Redemption { client: &id(CLIENT), redirect_uri: Some(REDIRECT), verifier: Some(VERIFIER), resource: None };
    let refusal = decide_redemption(Some(&code), redemption, at(now)).unwrap_err();
    assert_eq!(refusal, CodeRefusal::Replayed(of.id.clone()));
    let request = RevokeGrantRequest::new(of.id, GrantEnd::RefreshTokenReplayed, at(now));
    assert!(store.revoke_grant(&request).await.unwrap());
    let newest = store.refresh_token(&digest(&format!("refresh-{before}"))).await.unwrap();
    assert!(decide_refresh(newest.as_ref(), presented(&id(CLIENT)), at(now)).is_err());
}

async fn d3_an_exchange_ends_the_access_tokens_before_it(database: Database) {
    let store = migrated(&database).await;
    let of = issued(&store, "g", "42").await;
    let mut kept = exchange(&of, "g", "g-2", 2);
    kept.revokes_access = false;
    assert!(store.exchange(&kept).await.unwrap());
    let is_good = async |name: &str| {
        let found = store.access_token(&digest(&format!("access-{name}"))).await.unwrap();
        decide_access(found, None, at(3)).is_ok()
    };
    assert!(is_good("g").await && is_good("g-2").await);
    assert!(store.exchange(&exchange(&of, "g-2", "g-3", 3)).await.unwrap());
    assert!(!is_good("g").await && !is_good("g-2").await && is_good("g-3").await);
    // The other program reads the host's rows alone.
    assert_eq!(count(&database, "access_tokens WHERE revoked_at IS NULL").await, "1");
    assert_eq!(count(&database, "refresh_tokens WHERE revoked_at IS NULL").await, "1");
}

async fn d4_keys_that_are_null_harm_nothing(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    if !database.is_postgres() {
        for _ in 0..3 {
            database
                .run(
                    "INSERT INTO clients (redirect_uris, created_at) VALUES ('[]', 1);
                     INSERT INTO access_tokens SELECT NULL, 'go', 7, 'bob', '', '', NULL, 0, 1, 1, NULL, NULL;
                     INSERT INTO auth_codes SELECT NULL, 'go', '', '', '', '', '', NULL, 0, 7, 'bob', 1, NULL;",
                )
                .await;
        }
    }
    assert_eq!(store.clients(&keyward::store::grants::ClientListRequest::new(10)).await.unwrap().len(), 1);
    assert!(store.access_token(&digest("access-go-1")).await.unwrap().is_some());
    let mut request = SweepRequest::new(at(40 * 86_400), 2);
    request.clients_unused_since = Some(at(50 * 86_400));
    for _ in 0..4 {
        store.sweep(&request).await.unwrap();
    }
    assert_eq!(count(&database, "refresh_tokens").await, "0");
    assert_eq!(count(&database, "access_tokens WHERE token_hash IS NOT NULL").await, "0");
    assert_eq!(count(&database, "auth_codes").await, "0");
}

async fn d5_a_deadline_that_is_no_integer_has_passed(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    if database.is_postgres() {
        let refused = database.try_run("UPDATE access_tokens SET expires_at = 'never'::text").await;
        assert!(refused.is_err());
        return;
    }
    for odd in ["'never'", "x'00'", "9e9 + 0.5", "'2099-01-01'"] {
        database.run(&format!("UPDATE access_tokens SET expires_at = {odd}")).await;
        let found = store.access_token(&digest("access-go-1")).await.unwrap();
        let column = found.as_ref().unwrap().defect.map(|defect| (defect.table, defect.column));
        assert_eq!(column, Some(("access_tokens", "expires_at")), "{odd}");
        assert_eq!(decide_access(found, None, at(1)).unwrap_err(), AccessRefusal::Defective, "{odd}");
        database.run(&format!("UPDATE refresh_tokens SET expires_at = {odd}")).await;
        let found = store.refresh_token(&digest("refresh-go-1")).await.unwrap();
        assert!(decide_refresh(found.as_ref(), presented(&id("go")), at(1)).is_err(), "{odd}");
    }
    // It pins nothing and is swept.
    let swept = store.sweep(&SweepRequest::new(at(1), 100)).await.unwrap();
    assert_eq!((swept.access_tokens, swept.refresh_tokens), (2, 2));
}

async fn d6_grants_are_found_by_client_and_by_person(database: Database) {
    let store = migrated(&database).await;
    for name in ["a", "b", "c"] {
        issued(&store, name, if name == "c" { "7" } else { "42" }).await;
    }
    let found = async |filter: GrantFilter| {
        let found = store.grants(&GrantListRequest::new(filter, 10)).await.unwrap();
        found.iter().map(|grant| grant.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    let person = |id: &str| GrantFilter::of_subject(keyward::broker::SubjectId::new(id).unwrap());
    assert_eq!(found(person("42")).await, ["a", "b"]);
    assert_eq!(found(person("7")).await, ["c"]);
    assert_eq!(found(GrantFilter::of_client(id(CLIENT))).await, ["a", "b", "c"]);
    // Tables that keyward makes have an index for each cascade.
    let indexes = database.dialect(
        "SELECT count(*)::text FROM pg_indexes WHERE indexname LIKE '%client_id' OR indexdef LIKE '%(access_token_hash)'",
        "SELECT CAST(count(*) AS text) FROM sqlite_schema WHERE sql LIKE '%(client_id)' OR sql LIKE '%(access_token_hash)'",
    );
    assert_eq!(database.text(indexes).await.as_deref(), Some("5"));
}

async fn d7_foreign_keys_are_enforced(database: Database) {
    let store = migrated(&database).await;
    issued(&store, "g", "42").await;
    assert!(store.remove_client(&id(CLIENT), at(5)).await.unwrap());
    for table in ["auth_codes", "access_tokens", "refresh_tokens"] {
        assert_eq!(count(&database, table).await, "0", "{table}");
    }
    let of = store.grant(&keyward::broker::GrantId::new("g").unwrap()).await.unwrap().unwrap();
    assert_eq!(of.revoked, Some((at(5), GrantEnd::ClientRemoved)));
    let refresh = store.refresh_token(&digest("refresh-g")).await.unwrap().unwrap();
    let refusal = decide_refresh(Some(&refresh), presented(&id(CLIENT)), at(6)).unwrap_err();
    assert_eq!(refusal, RefreshRefusal::Revoked);
    let code = new_code(grant("h", CLIENT, "42"));
    assert!(matches!(
        store.add_code(&code).await,
        Err(keyward::store::StoreError::Missing(keyward::store::Reference::Client))
    ));
    // A client that somebody else removes takes its tokens along as well.
    store.register(&super::client("client-2")).await.unwrap();
    store.add_code(&new_code(grant("i", "client-2", "42"))).await.unwrap();
    database.run("DELETE FROM auth_codes; DELETE FROM clients").await;
    let request = RedeemRequest::new(digest("code-i"), super::tokens(&grant("i", "client-2", "42"), "i", 1));
    let missing = store.redeem(&request).await;
    assert!(matches!(missing, Err(keyward::store::StoreError::Missing(_))), "{missing:?}");
}

async fn d8_a_code_and_a_secret_stand_there_as_digests_and_a_used_code_keeps_no_upstream_token(database: Database) {
    let store = migrated(&database).await;
    let mut secretive = super::client("confidential");
    secretive.secret = Some(digest("client-secret"));
    secretive.auth_method = keyward::broker::ClientAuthMethod::ClientSecretPost;
    store.register(&secretive).await.unwrap();
    let stored = database.text("SELECT client_secret FROM clients WHERE client_id = 'confidential'").await.unwrap();
    assert_eq!(stored, format!("sha256:{}", digest("client-secret").to_hex().as_str()));
    assert_eq!(store.client(&secretive.id).await.unwrap().unwrap(), secretive);
    issued(&store, "g", "42").await;
    let stored = "SELECT code || ' ' || forgejo_access_token || coalesce(forgejo_refresh_token, '-') FROM auth_codes";
    let expected = format!("{} -", digest("code-g").to_hex().as_str());
    assert_eq!(database.text(stored).await, Some(expected));
}

async fn d9_upstream_tokens_stand_there_once_and_each_token_has_the_newest(database: Database) {
    let store = migrated(&database).await;
    let of = issued(&store, "g", "42").await;
    assert!(store.exchange(&exchange(&of, "g", "g-2", 2)).await.unwrap());
    assert_eq!(count(&database, "access_tokens WHERE forgejo_access_token <> ''").await, "0");
    let new = keyward::broker::UpstreamTokens::new(super::sealed("newer"), at(9_000));
    let request = keyward::store::grants::UpstreamRequest::new(of.id.clone(), 0, new);
    assert!(store.replace_upstream(&request).await.unwrap());
    assert!(!store.replace_upstream(&request).await.unwrap(), "by one");
    for name in ["g", "g-2"] {
        let found = store.access_token(&digest(&format!("access-{name}"))).await.unwrap().unwrap();
        assert_eq!(found.upstream.unwrap().expires_at, at(9_000));
    }
}

async fn d10_everything_is_dead_at_the_very_second(database: Database) {
    let store = migrated(&database).await;
    issued(&store, "g", "42").await;
    let access = store.access_token(&digest("access-g")).await.unwrap();
    assert!(decide_access(access.clone(), None, at(3_600)).is_ok());
    assert_eq!(decide_access(access, None, at(3_601)).unwrap_err(), AccessRefusal::Expired);
    let refresh = store.refresh_token(&digest("refresh-g")).await.unwrap();
    let end = 30 * 86_400 + 1;
    assert!(decide_refresh(refresh.as_ref(), presented(&id(CLIENT)), at(end - 1)).is_ok());
    assert!(decide_refresh(refresh.as_ref(), presented(&id(CLIENT)), at(end)).is_err());
    assert_eq!(store.sweep(&SweepRequest::new(at(end - 1), 10)).await.unwrap().grants, 0);
    assert_eq!(store.sweep(&SweepRequest::new(at(end), 10)).await.unwrap().grants, 1);
}

async fn d11_a_revocation_says_when_and_why_and_the_first_one_counts(database: Database) {
    let store = migrated(&database).await;
    let of = issued(&store, "g", "42").await;
    let revoke =
        async |reason, now| store.revoke_grant(&RevokeGrantRequest::new(of.id.clone(), reason, at(now))).await.unwrap();
    assert!(revoke(GrantEnd::RevokedByClient, 5).await);
    assert!(!revoke(GrantEnd::Revoked, 6).await);
    let other = open(&database, BrokerTables::new()).await;
    let found = other.grant(&of.id).await.unwrap().unwrap();
    assert_eq!(found.revoked, Some((at(5), GrantEnd::RevokedByClient)));
}
