//! A copy of the database gives nobody a code, a token, a secret or an upstream token.

use keyward::sql::BrokerTables;
use keyward::store::grants::GrantStore as _;

use super::{CLIENT, digest, exchange, grant, issued, migrated, new_code, on_both_engines, open};
use crate::support::Database;

on_both_engines![nothing_secret_stands_in_clear, what_is_shared_in_clear_is_the_upstream_tokens_alone];

/// Everything that stands in every table.
async fn dump(database: &Database) -> String {
    let tables = ["clients", "auth_codes", "access_tokens", "refresh_tokens"].map(str::to_owned);
    let own = ["grants", "grant_codes", "grant_access_tokens", "grant_refresh_tokens"];
    let mut dump = String::new();
    for table in tables.into_iter().chain(own.map(|name| database.own_table(name))) {
        let rows = if database.is_postgres() {
            format!("SELECT coalesce(string_agg(t::text, ';'), '') FROM {table} t")
        } else {
            let columns = format!(
                "SELECT group_concat('quote(' || name || ')', ' || '','' || ') FROM pragma_table_info('{table}')"
            );
            let columns = database.text(&columns).await.unwrap();
            format!("SELECT coalesce(group_concat({columns}, ';'), '') FROM {table}")
        };
        dump.push_str(&database.text(&rows).await.unwrap());
    }
    dump
}

const SECRET: [&str; 10] = [
    "code-g",
    "code-h",
    "access-g",
    "refresh-g",
    "access-g-2",
    "refresh-g-2",
    "client-secret",
    "upstream-access-token",
    "upstream-refresh-token",
    "an answer",
];

async fn nothing_secret_stands_in_clear(database: Database) {
    let store = migrated(&database).await;
    let mut secretive = super::client("confidential");
    secretive.secret = Some(digest("client-secret"));
    store.register(&secretive).await.unwrap();
    let of = issued(&store, "g", "42").await;
    store.add_code(&new_code(grant("h", CLIENT, "42"))).await.unwrap();
    let mut request = exchange(&of, "g", "g-2", 2);
    if let keyward::seal::StoredSecret::Sealed(sealed) = super::sealed("an answer") {
        request.response =
            Some(keyward::broker::SealedResponse::new(sealed, super::at(60), super::at(3_600), super::scopes("read")));
    }
    assert!(store.exchange(&request).await.unwrap());
    let dump = dump(&database).await;
    assert!(dump.contains(digest("access-g-2").to_hex().as_str()) && dump.contains("keyward.1."), "{dump}");
    for secret in SECRET {
        assert!(!dump.contains(secret), "{secret}: {dump}");
    }
    #[cfg(feature = "sqlite")]
    if !database.is_postgres() {
        let database = database.as_sqlite();
        for end in ["", "-wal"] {
            let file = std::fs::read(format!("{}{end}", database.path().display())).unwrap_or_default();
            let file = String::from_utf8_lossy(&file);
            assert!(SECRET.iter().all(|secret| !file.contains(secret)), "{end}");
        }
    }
    // Nor does it in what is shown of the store, its requests and records.
    let shown = format!("{store:?} {request:?} {:?}", store.refresh_token(&digest("refresh-g")).await.unwrap());
    assert!(SECRET.iter().all(|secret| !shown.contains(secret)), "{shown}");
}

async fn what_is_shared_in_clear_is_the_upstream_tokens_alone(database: Database) {
    let store = open(&database, BrokerTables::new().sharing_upstream_tokens_in_clear()).await;
    store.migrate(super::at(0)).await.unwrap();
    store.register(&super::client(CLIENT)).await.unwrap();
    let mut of = grant("g", CLIENT, "42");
    let upstream = of.upstream.as_mut().unwrap();
    (upstream.access_token, upstream.refresh_token) =
        (super::plain("upstream-access-token"), Some(super::plain("upstream-refresh-token")));
    store.add_code(&new_code(of)).await.unwrap();
    let dump = dump(&database).await;
    for secret in SECRET {
        assert_eq!(dump.contains(secret), secret.starts_with("upstream"), "{secret}: {dump}");
    }
}
