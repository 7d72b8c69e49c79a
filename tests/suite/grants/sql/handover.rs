//! From one program to the other: what is revoked while it is adopted, swept by a clock that is ahead, or lost on the way.

use keyward::ManualClock;
use keyward::broker::{
    AccessRefusal, GrantRevocationReason, Issuer, PresentedClient, Refresh, RefreshRefusal, Resource, decide_access,
    decide_refresh,
};
use keyward::seal::StoredSecret;
use keyward::service::Tokens;
use keyward::sql::BrokerTables;
use keyward::store::grants::{
    GrantFilter, GrantStore as _, RedeemRequest, RevokeGrantsRequest, RevokeTokenRequest, SweepRequest, TokenKind,
};

use super::adoption::seeded;
use super::{
    CLIENT, EPOCH, at, digest, exchange, grant, id, issued, migrated, new_code, on_both_engines, open, plain, tokens,
};
use crate::support::Database;

on_both_engines![
    what_is_adopted_while_everything_is_revoked_is_revoked,
    what_is_adopted_while_its_client_revokes_it_is_revoked,
    a_clock_that_is_ahead_takes_no_code_that_can_be_redeemed,
    a_code_that_is_gone_from_the_hosts_table_is_lost_and_no_trouble,
    with_a_refresh_token_of_the_other_programs_goes_its_access_token,
    a_token_of_ours_whose_own_row_is_lost_is_refused,
    tokens_stay_good_when_the_host_begins_or_ceases_to_share_upstream_tokens,
    an_exchange_writes_the_upstream_tokens_of_that_moment,
];

fn hash(token: &str) -> String {
    digest(token).to_hex().as_str().to_owned()
}

/// A transaction of another process, under way.
enum Underway {
    #[cfg(feature = "sqlite")]
    Sqlite(rusqlite::Connection),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgConnection),
}

impl Underway {
    async fn begin(database: &Database, sql: &str) -> Self {
        let mut begun = match database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(database) => Self::Sqlite(database.connection()),
            #[cfg(feature = "postgres")]
            Database::Postgres(database) => {
                use sqlx::Connection as _;
                Self::Postgres(sqlx::PgConnection::connect(&database.url()).await.unwrap())
            }
        };
        begun.run(&format!("{}; {sql}", database.dialect("BEGIN", "BEGIN IMMEDIATE"))).await;
        begun
    }

    async fn run(&mut self, sql: &str) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => connection.execute_batch(sql).unwrap(),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
            }
        }
    }

    /// Commits after the others have come to where they wait.
    async fn commit_later(mut self) {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        self.run("COMMIT").await;
    }
}

/// The adoption of `refresh-go-1`, which gives `access-new` and `refresh-new`.
async fn adopting(database: &Database) -> Underway {
    let own = |name| database.own_table(name);
    let (old, new) = ((hash("access-go-1"), hash("refresh-go-1")), (hash("access-new"), hash("refresh-new")));
    let sql = format!(
        "INSERT INTO {grants} (id, client_id, subject, scopes, created_at, remembered_until)
         VALUES ('adopted', 'go', '7', 'read write', {EPOCH}, {month});
         INSERT INTO {refresh} (digest, grant_id, spent_at, successor, successor_access)
         VALUES ('{old_refresh}', 'adopted', {EPOCH}, '{new_refresh}', '{new_access}');
         UPDATE refresh_tokens SET revoked_at = {EPOCH} WHERE token_hash = '{old_refresh}';
         INSERT INTO {access} (digest, grant_id) VALUES ('{old_access}', 'adopted'), ('{new_access}', 'adopted');
         UPDATE access_tokens SET revoked_at = {EPOCH} WHERE token_hash = '{old_access}';
         INSERT INTO {refresh} (digest, grant_id) VALUES ('{new_refresh}', 'adopted');
         INSERT INTO access_tokens (token_hash, client_id, forgejo_user_id, forgejo_username, scopes,
                                    forgejo_access_token, forgejo_token_expires_at, expires_at, created_at)
         VALUES ('{new_access}', 'go', 7, 'bob', 'read write', '', 0, {month}, {EPOCH});
         INSERT INTO refresh_tokens (token_hash, access_token_hash, client_id, expires_at, created_at)
         VALUES ('{new_refresh}', '{new_access}', 'go', {month}, {EPOCH})",
        grants = own("grants"),
        refresh = own("grant_refresh_tokens"),
        access = own("grant_access_tokens"),
        old_access = old.0,
        old_refresh = old.1,
        new_access = new.0,
        new_refresh = new.1,
        month = EPOCH + 2_592_000,
    );
    Underway::begin(database, &sql).await
}

async fn live(database: &Database, of: &str) -> String {
    let live = format!(
        "SELECT CAST((SELECT count(*) FROM access_tokens WHERE revoked_at IS NULL AND {of})
                   + (SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NULL AND {of}) AS text)"
    );
    database.text(&live).await.unwrap()
}

async fn what_is_adopted_while_everything_is_revoked_is_revoked(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    let adoption = adopting(&database).await;
    let request = RevokeGrantsRequest::new(GrantFilter::of_client(id("go")), GrantRevocationReason::Revoked, at(2), 10);
    let (revoked, ()) = tokio::join!(store.revoke_grants(&request), adoption.commit_later());
    assert_eq!(revoked.unwrap(), 1);
    assert_eq!(live(&database, "client_id = 'go'").await, "0");
}

async fn what_is_adopted_while_its_client_revokes_it_is_revoked(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    let tokens = Tokens::builder_over(std::sync::Arc::new(store), Issuer::new("https://auth.example").unwrap())
        .resource(Resource::new("https://mcp.example/").unwrap())
        .shared_clock(std::sync::Arc::new(ManualClock::new(at(2))))
        .build();
    let adoption = adopting(&database).await;
    let revocation = tokens.revoke(PresentedClient::Named("go"), "refresh-go-1");
    let (revoked, ()) = tokio::join!(revocation, adoption.commit_later());
    revoked.unwrap();
    let reason = format!("SELECT revoked_reason FROM {} WHERE id = 'adopted'", database.own_table("grants"));
    assert_eq!(database.text(&reason).await.as_deref(), Some(GrantRevocationReason::RevokedByClient.code()));
    assert_eq!(live(&database, "client_id = 'go'").await, "2", "those of the other person");
}

async fn a_clock_that_is_ahead_takes_no_code_that_can_be_redeemed(database: Database) {
    let store = migrated(&database).await;
    let of = grant("g", CLIENT, "42");
    store.add_code(&new_code(of.clone())).await.unwrap();
    let swept = store.sweep(&SweepRequest::new(at(599 + 600), 100)).await.unwrap();
    assert_eq!((swept.codes, swept.grants), (0, 0));
    assert!(store.redeem(&RedeemRequest::new(digest("code-g"), tokens(&of, "g", 599))).await.unwrap());
    let swept = store.sweep(&SweepRequest::new(at(600 + 600), 100)).await.unwrap();
    assert_eq!(swept.codes, 1);
}

async fn a_code_that_is_gone_from_the_hosts_table_is_lost_and_no_trouble(database: Database) {
    let store = migrated(&database).await;
    let of = grant("g", CLIENT, "42");
    store.add_code(&new_code(of.clone())).await.unwrap();
    database.run("DELETE FROM auth_codes").await;
    assert!(!store.redeem(&RedeemRequest::new(digest("code-g"), tokens(&of, "g", 1))).await.unwrap());
    assert!(store.access_token(&digest("access-g")).await.unwrap().is_none());
}

async fn with_a_refresh_token_of_the_other_programs_goes_its_access_token(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    let request = RevokeTokenRequest::new(TokenKind::Refresh, digest("refresh-go-1"), at(2));
    assert!(store.revoke_token(&request).await.unwrap());
    let found = store.access_token(&digest("access-go-1")).await.unwrap();
    assert_eq!(decide_access(found, None, at(3)).unwrap_err(), AccessRefusal::Revoked);
    assert!(decide_access(store.access_token(&digest("access-go-2")).await.unwrap(), None, at(3)).is_ok());
    assert!(!store.revoke_token(&request).await.unwrap());
    // The rest of a grant of ours stays, as it has a way of its own to be revoked.
    store.register(&super::client(CLIENT)).await.unwrap();
    issued(&store, "g", "42").await;
    assert!(
        store.revoke_token(&RevokeTokenRequest::new(TokenKind::Refresh, digest("refresh-g"), at(2))).await.unwrap()
    );
    assert!(decide_access(store.access_token(&digest("access-g")).await.unwrap(), None, at(3)).is_ok());
}

async fn a_token_of_ours_whose_own_row_is_lost_is_refused(database: Database) {
    let store = seeded(&database, BrokerTables::new()).await;
    store.register(&super::client(CLIENT)).await.unwrap();
    issued(&store, "number", "42").await;
    issued(&store, "name", "a-person").await;
    let shared = open(&database, BrokerTables::new().sharing_upstream_tokens_in_clear()).await;
    for table in ["grant_access_tokens", "grant_refresh_tokens"] {
        database.run(&format!("DELETE FROM {}", database.own_table(table))).await;
    }
    let client = id(CLIENT);
    let presented = || Refresh { client: &client, scopes: None, resource: None };
    for (store, name) in [(&store, "number"), (&store, "name"), (&shared, "name")] {
        let found = store.access_token(&digest(&format!("access-{name}"))).await.unwrap();
        assert_eq!(decide_access(found, None, at(2)).unwrap_err(), AccessRefusal::Defective, "{name}");
        let found = store.refresh_token(&digest(&format!("refresh-{name}"))).await.unwrap();
        let refusal = decide_refresh(found.as_ref(), presented(), at(2)).unwrap_err();
        assert_eq!(refusal, RefreshRefusal::Defective, "{name}");
    }
    // Those of the other program are what they were.
    for store in [&store, &shared] {
        assert!(decide_access(store.access_token(&digest("access-go-1")).await.unwrap(), None, at(2)).is_ok());
    }
}

async fn tokens_stay_good_when_the_host_begins_or_ceases_to_share_upstream_tokens(database: Database) {
    let sealing = migrated(&database).await;
    let shared = open(&database, BrokerTables::new().sharing_upstream_tokens_in_clear()).await;
    let mut in_clear = grant("clear", CLIENT, "7");
    let upstream = in_clear.upstream.as_mut().unwrap();
    (upstream.access_token, upstream.refresh_token) = (plain("first"), Some(plain("first-refresh")));
    shared.add_code(&new_code(in_clear.clone())).await.unwrap();
    let request = RedeemRequest::new(digest("code-clear"), tokens(&in_clear, "clear", 1));
    assert!(shared.redeem(&request).await.unwrap());
    let in_envelopes = issued(&sealing, "sealed", "42").await;

    for (store, name, of) in [(&sealing, "clear", in_clear), (&shared, "sealed", in_envelopes)] {
        let found = store.access_token(&digest(&format!("access-{name}"))).await.unwrap();
        let principal = decide_access(found, None, at(2)).unwrap();
        let is_plain = matches!(principal.upstream().unwrap().access_token, StoredSecret::Plain(_));
        assert_eq!(is_plain, name == "clear");
        // What was read is what an exchange is asked with.
        let found = store.refresh_token(&digest(&format!("refresh-{name}"))).await.unwrap().unwrap();
        assert_eq!((found.defect, found.grant.defect), (None, None));
        let next = format!("{name}-2");
        assert!(store.exchange(&exchange(&found.grant, name, &next, 2)).await.unwrap());
        let found = store.access_token(&digest(&format!("access-{next}"))).await.unwrap();
        let principal = decide_access(found, None, at(3)).unwrap();
        assert!(principal.upstream().is_some());
        assert_eq!(store.grant(&of.id).await.unwrap().unwrap().defect, None);
    }
    // No envelope stands where the other program reads, and nothing in clear where it reads no longer.
    let blank = "SELECT CAST(count(*) AS text) FROM access_tokens WHERE forgejo_access_token = ''";
    assert_eq!(database.text(blank).await.as_deref(), Some("3"));
}

async fn an_exchange_writes_the_upstream_tokens_of_that_moment(database: Database) {
    let store = seeded(&database, BrokerTables::new().sharing_upstream_tokens_in_clear()).await;
    let mut of = grant("g", "go", "9");
    of.upstream.as_mut().unwrap().access_token = plain("first");
    of.upstream.as_mut().unwrap().refresh_token = None;
    store.add_code(&new_code(of.clone())).await.unwrap();
    assert!(store.redeem(&RedeemRequest::new(digest("code-g"), tokens(&of, "g", 1))).await.unwrap());
    let written = async |name: &str| {
        let row = format!(
            "SELECT forgejo_access_token FROM access_tokens WHERE token_hash = '{}'",
            hash(&format!("access-{name}"))
        );
        database.text(&row).await.unwrap()
    };
    // Each exchange is asked with what was read long before.
    database.run("UPDATE access_tokens SET forgejo_access_token = 'theirs' WHERE forgejo_user_id = 9").await;
    assert!(store.exchange(&exchange(&of, "g", "g-2", 2)).await.unwrap());
    assert_eq!(written("g-2").await, "theirs");
    let new = keyward::broker::StoredUpstreamTokens::new(plain("ours"), at(9_000));
    let request = keyward::store::grants::UpstreamRequest::new(of.id.clone(), 0, new);
    assert!(store.replace_upstream(&request).await.unwrap());
    // What came with the refresh token has no upstream token any more: that of the grant is the newest.
    database.run("UPDATE access_tokens SET forgejo_access_token = '' WHERE forgejo_user_id = 9").await;
    assert!(store.exchange(&exchange(&of, "g-2", "g-3", 3)).await.unwrap());
    assert_eq!(written("g-3").await, "ours");
}
