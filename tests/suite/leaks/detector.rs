//! The detector and the log do find what they are there for.

use keyward::key::{KeyDigest, Schema as _};
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;

use super::evidence::{Evidence, leak};
use super::log::Log;
use super::stranger;
use crate::support::TestSchema;

#[test]
fn the_detector_finds_a_key_in_every_form_and_allows_what_may_be_shown() {
    detect::<Scraper>();
    detect::<Standard>();
}

fn detect<S: TestSchema>() {
    let schema = S::schema();
    let format = schema.formats().issued();
    let secret = stranger::<S>();
    let key = secret.expose_secret();
    let digest = KeyDigest::of(key);
    let hex = digest.to_hex();
    for leaking in [
        format!("GET /?key={key} 401"),
        format!("no such key: {}", &key[format.prefix().as_str().len()..]),
        format!("…{}", &key[key.len() - 16..]),
        format!("Key (key_hash)=({}) already exists.", hex.as_str()),
        format!("hash {}…", &hex.as_str()[..9]),
        hex.as_str().to_uppercase(),
        format!("\"\\\\x{}\"", &hex.as_str()[20..40]),
        format!("KeyDigest({:?})", digest.as_bytes()),
    ] {
        assert!(leak(&leaking, key, format).is_some(), "missed in {leaking}");
    }
    let shown = &key[..format.display_len()];
    for allowed in [shown.to_owned(), format!("KeyDigest({}…)", &hex.as_str()[..8]), format!("{digest:?} {secret:?}")]
    {
        assert_eq!(leak(&allowed, key, format), None, "{allowed}");
    }
}

#[tokio::test]
async fn the_log_has_the_fields_of_events_and_spans_of_every_thread() {
    let log = Log::listen().await;
    let secrets = [(); 3].map(|()| stranger::<Scraper>());
    let [message, field, span] = [0, 1, 2].map(|planted| secrets[planted].expose_secret());
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let _span = tracing::trace_span!(target: "somebody_else", "a_span", span).entered();
            tracing::trace!(target: "somebody_else", field, "a message with {message}");
        });
    });
    for secret in &secrets {
        let mut evidence = Evidence::of(*Scraper::schema().formats().issued());
        evidence.plant(secret);
        let log = log.text();
        assert!(std::panic::catch_unwind(|| evidence.check(&log)).is_err(), "a planted key was not found in the log");
    }
}

/// What the crate has to keep back: sqlx's own error does show the digest, and its log the statements.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_itself_would_leak_the_digest_in_the_detail_of_an_error() {
    use super::keys_with_secrets;
    use crate::support::{Database, Fixture};

    let fixture = Fixture::<Scraper>::postgres().await;
    let log = Log::listen().await;
    let issued = keys_with_secrets(&fixture).issue(Scraper::draft("acme")).await.unwrap();
    assert!(log.text().contains("INSERT INTO api_keys"), "sqlx logs its statements, and they are listened to");
    let mut evidence = Evidence::of(*Scraper::schema().formats().issued());
    evidence.plant(&issued.secret);

    let again = "INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id)
                 SELECT gen_random_uuid(), key_hash, key_prefix, name, client_id FROM api_keys";
    #[cfg_attr(not(feature = "sqlite"), expect(irrefutable_let_patterns, reason = "there is one engine"))]
    let Database::Postgres(database) = fixture.database() else { panic!("it is a PostgreSQL database") };
    let error = sqlx::raw_sql(again).execute(&database.pool().await).await.unwrap_err();
    evidence.print_error("sqlx's own error", &error);
    assert!(evidence.is_found(), "the detector finds the digest in {error:?}");
}
