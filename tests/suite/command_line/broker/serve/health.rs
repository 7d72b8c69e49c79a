//! The database is away, and comes back: 503 with a word on when to try again, and never that a token is bad.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{Server, over_each_engine};

/// Takes the database away from the server, or gives it back.
fn set_away(host: &super::Terminal, is_away: bool) {
    if host.is_postgres() {
        // Nobody who is connected to a database can close it.
        let url = host.db.as_ref().unwrap();
        let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
        let mut server = std::env::var("KEYWARD_TEST_POSTGRES_URL").ok();
        let server = server.get_or_insert_with(|| url.replace(&format!("/{name}"), "/postgres"));
        let statements = [
            format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS {}", !is_away),
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        ];
        for statement in &statements[..if is_away { 2 } else { 1 }] {
            administer(server, statement);
        }
    } else if is_away {
        host.sql("ALTER TABLE clients RENAME TO taken_away");
    } else {
        host.sql("ALTER TABLE taken_away RENAME TO clients");
    }
}

#[cfg(feature = "postgres")]
fn administer(server: &str, statement: &str) {
    use sqlx::{Connection as _, Executor as _};

    crate::command_line::terminal::wait_for(async {
        let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    });
}

#[cfg(not(feature = "postgres"))]
fn administer(_: &str, _: &str) {}

#[test]
fn while_the_database_is_away_it_says_so_and_loses_nothing() {
    over_each_engine(|terminal, host| {
        let mut server = Server::start(terminal, &["--sweep-every", "20ms", "--timeout", "3s"]);
        let (client, issued) = server.sign_in("ada");
        let refresh_token = issued["refresh_token"].as_str().unwrap();
        assert_eq!(server.get("/healthz").status, 200);

        set_away(host, true);
        let start = Instant::now();
        assert_eq!(server.get("/healthz").status, 503);
        let refused = server.refresh(&client, refresh_token);
        assert_eq!((refused.status, &refused.json()["error"]), (503, &json!("temporarily_unavailable")), "{refused:?}");
        assert!(refused.header("retry-after").is_some());
        assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
        // What it knows by itself, it goes on saying.
        assert_eq!(server.get("/.well-known/oauth-authorization-server").status, 200);
        std::thread::sleep(Duration::from_millis(300));

        set_away(host, false);
        let start = Instant::now();
        while server.get("/healthz").status != 200 {
            assert!(start.elapsed() < super::STOPPED, "it does not come back");
        }
        let refreshed = server.refresh(&client, refresh_token);
        assert_eq!(refreshed.status, 200, "{refreshed:?}");
        // An attempt that has begun while it was away takes up to two seconds.
        std::thread::sleep(Duration::from_secs(if host.is_postgres() { 4 } else { 0 }));
        server.signal("-TERM");
        assert_eq!(server.wait().0, Some(0));
        let log = server.end();
        // Once, and not at every sweep.
        if host.is_postgres() {
            assert_eq!(log.matches("tokens.not_swept").count(), 1, "{log}");
            assert_eq!(log.matches("tokens.sweep_resumed").count(), 1, "{log}");
        }
    });
}
