//! No plaintext and no digest gets out: not in what values and errors print, and not in any log, sqlx's own included.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use keyward::key::{KeyDigest, KeyFormat, OwnerId, Refusal, RevocationReason};
use keyward::scraper::{Scraper, ScraperDetails};
use keyward::store::{KeyLookup, KeyStore, KeyUse, PageRequest, RevokeRequest, StoreError};
use keyward::{Keys, OsRandom, Secret};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::support::{Database, Fixture, Store, draft, over_every_store};

const HOUR: Duration = Duration::from_hours(1);

over_every_store![nothing_that_is_printed_or_logged_in_the_life_of_keys_leaks_them];

/// Everything that is logged in this process at any level, while somebody listens.
#[derive(Clone, Copy)]
struct Log;

static LOGGED: Mutex<String> = Mutex::new(String::new());
static LISTENING: AtomicBool = AtomicBool::new(false);

fn logged() -> MutexGuard<'static, String> {
    LOGGED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Listens from now on, to all threads: those of the drivers log, too.
    fn listen() -> Self {
        static INSTALLED: OnceLock<()> = OnceLock::new();
        INSTALLED.get_or_init(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_span_events(FmtSpan::FULL)
                .with_ansi(false)
                .with_writer(Self)
                .finish();
            tracing::subscriber::set_global_default(subscriber)
                .expect("nobody else in these tests installs a subscriber");
        });
        LISTENING.store(true, Ordering::SeqCst);
        Self
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if LISTENING.load(Ordering::SeqCst) {
            logged().push_str(&String::from_utf8_lossy(bytes));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        *self
    }
}

/// What must not be found of one key, with a name for each form.
fn forbidden(plaintext: &str) -> Vec<(&'static str, String)> {
    let format = KeyFormat::SCRAPER;
    let digest = KeyDigest::of(plaintext);
    let hex = digest.to_hex();
    let bytes = format!("{:?}", &digest.as_bytes()[..6]);
    let mut forbidden = vec![
        ("the plaintext", plaintext.to_owned()),
        ("its body", plaintext[format.prefix().len()..].to_owned()),
        ("its digest in capitals", hex.as_str()[..9].to_uppercase()),
        ("its digest in numbers", bytes.trim_matches(['[', ']']).to_owned()),
        ("more than 8 characters of its digest", hex.as_str()[..9].to_owned()),
    ];
    let pieces = |text: &str| -> Vec<_> {
        (0..=text.len() - 12).step_by(4).map(|start| text[start..start + 12].to_owned()).collect()
    };
    forbidden.extend(pieces(&plaintext[format.display_length()..]).into_iter().map(|piece| ("a piece of it", piece)));
    forbidden.extend(pieces(hex.as_str()).into_iter().map(|piece| ("a piece of its digest", piece)));
    forbidden
}

/// In what form, if any, the text gives the key away.
fn leak(text: &str, plaintext: &str) -> Option<&'static str> {
    forbidden(plaintext).into_iter().find(|(_, piece)| text.contains(piece)).map(|(form, _)| form)
}

/// Secrets that were planted, and everything that was printed.
#[derive(Default)]
struct Evidence {
    planted: Vec<String>,
    printed: Vec<(&'static str, String)>,
}

impl Evidence {
    fn plant(&mut self, secret: &Secret) {
        self.planted.push(secret.expose_secret().to_owned());
    }

    fn print(&mut self, what: &'static str, value: &dyn Debug) {
        self.printed.push((what, format!("{value:?}\n{value:#?}")));
    }

    fn display(&mut self, what: &'static str, value: &dyn Display) {
        self.printed.push((what, value.to_string()));
    }

    /// An error in all its forms, and everything behind it.
    fn print_error(&mut self, what: &'static str, error: &(dyn Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.print(what, &error);
            self.display(what, &error);
            next = error.source();
        }
    }

    fn print_refusal(&mut self, what: &'static str, refusal: &Refusal) {
        self.print_error(what, refusal);
        self.print(what, &refusal.reason());
        self.display(what, &refusal.reason());
        self.display(what, &refusal.reason().code());
        self.print(what, &(refusal.key_id(), refusal.display_prefix()));
        if let Some(outage) = refusal.outage() {
            self.print_error(what, outage);
        }
    }

    fn check(&self, log: &str) {
        for plaintext in &self.planted {
            for (what, text) in self.printed.iter().map(|(what, text)| (*what, text.as_str())).chain([("the log", log)])
            {
                let Some(form) = leak(text, plaintext) else { continue };
                panic!(
                    "{what} shows {form}:\n{}",
                    text.lines().filter(|line| leak(line, plaintext).is_some()).collect::<String>()
                );
            }
        }
    }
}

/// [`Keys`] with real random numbers: a key that another test makes, too, would be no evidence.
fn keys_with_secrets(fixture: &Fixture) -> Keys<Store> {
    let clock = Arc::<keyward::ManualClock>::clone(&fixture.clock);
    Keys::builder(Scraper, Arc::clone(fixture.store())).shared_clock(clock).build()
}

async fn nothing_that_is_printed_or_logged_in_the_life_of_keys_leaks_them(fixture: Fixture) {
    let _log = Log::listen();
    let keys = keys_with_secrets(&fixture);
    let mut evidence = Evidence::default();

    live(&fixture, &keys, &mut evidence).await;
    conflict(&keys, &mut evidence).await;
    if !matches!(fixture.database, Database::Memory(_)) {
        break_constraints(&fixture, &keys, &mut evidence).await;
        lose_the_table(&fixture, &keys, &mut evidence).await;
    }

    let log = logged().clone();
    for event in ["key.issued", "key.refused", "malformed", "unknown", "key.rotated", "key.revoked", "keys.revoked"] {
        assert!(log.contains(event), "the log has no {event}: nobody has listened");
    }
    if !matches!(fixture.database, Database::Memory(_)) {
        assert!(log.contains("key.unverified"), "the log has no outage: nobody has listened");
    }
    assert!(evidence.planted.len() >= 5 && evidence.printed.len() > 50);
    evidence.check(&log);
}

/// A key from its making to its end, printed at every step.
async fn live(fixture: &Fixture, keys: &Keys<Store>, evidence: &mut Evidence) {
    evidence.print("the builder", &Keys::builder(Scraper, Arc::clone(fixture.store())));
    let prepared = keys.prepare(draft().into()).unwrap();
    evidence.print("a prepared key", &prepared);

    let issued = keys.issue(draft().metadata(serde_json::json!({"team": "blue"})).unwrap().into()).await.unwrap();
    let plaintext = issued.secret.expose_secret();
    let (id, owner) = (&issued.record.head.id, &issued.record.head.owner);
    evidence.plant(&issued.secret);
    evidence.print("an issued key", &issued);
    evidence.print("a record", &issued.record);

    let digest = KeyDigest::of(plaintext);
    let parsed = keys.format().parse(plaintext).unwrap();
    evidence.print("a parsed key", &parsed);
    evidence.print("a digest", &digest);
    evidence.print("a digest in hexadecimal", &digest.to_hex());
    evidence.print("a lookup", &KeyLookup { digest: &digest, prefix: parsed.display_prefix() });
    evidence.print("a use", &KeyUse { id: id.clone(), digest, at: keys.now() });

    evidence.print("an accepted key", &keys.verify(plaintext).await.unwrap());
    evidence.print("keys with a use that waits", keys);
    keys.flush_last_used().await.unwrap();
    evidence.print("metrics", &keys.last_used_metrics());

    present_what_is_no_key(keys, plaintext, evidence).await;

    evidence.print("a key that is shown", &keys.show(id).await.unwrap());
    evidence.print("a page", &keys.list(owner, 1, None).await.unwrap());
    evidence.print("a request for a page", &PageRequest { owner: owner.clone(), limit: 1, after: Some(id.clone()) });
    evidence.print("keys by their start", &keys.store().starting_with(owner, &id.as_str()[..6], 2).await.unwrap());
    let foreign = keys.prepare(draft().into()).unwrap().record().head.id.clone();
    evidence.print_error("a page behind nowhere", &keys.list(owner, 1, Some(&foreign)).await.unwrap_err());

    let preparation = keys.prepare_rotation(issued.record.clone(), HOUR, None).unwrap();
    evidence.print("a prepared rotation", &preparation);
    evidence.print("a rotation", preparation.rotation());
    let rotated = keys.rotate(id, HOUR, None).await.unwrap();
    evidence.plant(&rotated.successor.secret);
    evidence.print("a rotated key", &rotated);
    keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    evidence.print_error("a stale rotation", &keys.store().rotate(preparation.rotation()).await.unwrap_err());
    fixture.clock.advance(HOUR);
    evidence.print_refusal("an expired key", &keys.verify(plaintext).await.unwrap_err());
    evidence.print_error("a late rotation", &keys.rotate(id, HOUR, None).await.unwrap_err());

    let successor = &rotated.successor;
    let reason = Some(RevocationReason::new("leaked").unwrap());
    let successor_id = successor.record.head.id.clone();
    let request = RevokeRequest { id: successor_id, digest: successor.record.head.digest, at: keys.now(), reason };
    evidence.print("a request to revoke", &request);
    evidence.print("a revocation", &keys.revoke(&request.id, request.reason.clone()).await.unwrap());
    evidence.print("a revocation again", &keys.revoke(&request.id, None).await.unwrap());
    evidence.print("an outcome", &keys.store().revoke(&request).await.unwrap());
    evidence.print_refusal("a revoked key", &keys.verify(successor.secret.expose_secret()).await.unwrap_err());
    evidence.print_error("a key that is not there", &keys.revoke(&foreign, None).await.unwrap_err());

    let last = keys.issue(draft().into()).await.unwrap();
    evidence.plant(&last.secret);
    keys.revoke_all(owner, request.reason.clone()).await.unwrap();
    evidence.print_refusal("one of all keys", &keys.verify(last.secret.expose_secret()).await.unwrap_err());
    evidence.print("the store", keys.store());
}

/// What people present by mistake is a key all too often, only cut, mistyped, or of another system.
async fn present_what_is_no_key(keys: &Keys<Store>, plaintext: &str, evidence: &mut Evidence) {
    let stranger = KeyFormat::SCRAPER.generate(&OsRandom).unwrap();
    evidence.plant(&stranger);
    let unknown = stranger.expose_secret();
    evidence.print_refusal("an unknown key", &keys.verify(unknown).await.unwrap_err());
    evidence.print_refusal("a key that is cut", &keys.verify(&unknown[..40]).await.unwrap_err());

    let body = &plaintext[keys.format().prefix().len()..];
    for malformed in [
        body.to_owned(),
        format!("ckapi_{body}"),
        format!("Bearer {plaintext}"),
        format!("{plaintext} {plaintext}"),
        format!("{plaintext}\n"),
        format!("{plaintext}\0"),
        format!("{plaintext}é"),
        plaintext.repeat(20),
    ] {
        evidence.print_refusal("a malformed key", &keys.verify(&malformed).await.unwrap_err());
        for format in [KeyFormat::AGGREGATOR, KeyFormat::MESH, KeyFormat::SCRAPER] {
            evidence.print_error("an error of form", &format.parse(&malformed).unwrap_err());
        }
    }
}

/// The same record twice, the same identity twice, and the same digest twice.
async fn conflict(keys: &Keys<Store>, evidence: &mut Evidence) {
    let issued = keys.issue(draft().into()).await.unwrap();
    evidence.plant(&issued.secret);
    let other = keys.prepare(draft().into()).unwrap();
    let (mut same_id, mut same_digest) = (other.record().clone(), other.record().clone());
    same_id.head.id = issued.record.head.id.clone();
    same_digest.head.digest = issued.record.head.digest;
    for record in [&issued.record, &same_id, &same_digest] {
        let error = keys.store().insert(record).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict));
        evidence.print_error("a conflict", &error);
    }
}

/// PostgreSQL shows the whole row that violates a constraint in the error's detail.
async fn break_constraints(fixture: &Fixture, keys: &Keys<Store>, evidence: &mut Evidence) {
    let constrain = fixture.database.dialect(
        "ALTER TABLE api_keys ADD CONSTRAINT odd CHECK (name <> 'odd')",
        "CREATE TRIGGER odd BEFORE INSERT ON api_keys WHEN NEW.name = 'odd' BEGIN SELECT RAISE(ABORT, 'odd'); END",
    );
    fixture.database.run(constrain).await;
    let mut prepared = keys.prepare(draft().into()).unwrap().record().clone();
    // Its digest is as secret as that of a key that is stored.
    let secret = KeyFormat::SCRAPER.generate(&OsRandom).unwrap();
    evidence.plant(&secret);
    prepared.head.digest = Some(KeyDigest::of(secret.expose_secret()));
    prepared.details = odd(prepared.details);
    let error = keys.store().insert(&prepared).await.unwrap_err();
    assert!(matches!(error, StoreError::Backend { .. }), "{error:?}");
    evidence.print_error("a violated constraint", &error);
}

fn odd(mut details: ScraperDetails) -> ScraperDetails {
    details.name = "odd".parse().unwrap();
    details
}

/// Every call fails now, and the errors come from the engine.
async fn lose_the_table(fixture: &Fixture, keys: &Keys<Store>, evidence: &mut Evidence) {
    let issued = keys.issue(draft().into()).await.unwrap();
    evidence.plant(&issued.secret);
    let plaintext = issued.secret.expose_secret();
    let (id, owner) = (&issued.record.head.id, OwnerId::new("acme").unwrap());
    keys.verify(plaintext).await.unwrap();
    let rotation = keys.prepare_rotation(issued.record.clone(), HOUR, None).unwrap();
    fixture.database.run("ALTER TABLE api_keys RENAME TO elsewhere").await;

    let refusal = keys.verify(plaintext).await.unwrap_err();
    assert!(refusal.is_outage());
    evidence.print_refusal("an outage", &refusal);
    let lost = keys.prepare(draft().into()).unwrap();
    for error in [
        keys.store().insert(lost.record()).await.err(),
        keys.store().rotate(rotation.rotation()).await.err(),
        keys.show(id).await.err(),
        keys.list(&owner, 1, None).await.err(),
        keys.revoke_all(&owner, None).await.err(),
        keys.flush_last_used().await.err(),
    ] {
        evidence.print_error("a failed call", &error.expect("there is no table"));
    }
    evidence.print_error("a failed issue", &keys.issue(draft().into()).await.unwrap_err());
    evidence.print_error("a failed rotation", &keys.rotate(id, HOUR, None).await.unwrap_err());
    evidence.print_error("a failed revocation", &keys.revoke(id, None).await.unwrap_err());
    evidence.print("keys in an outage", keys);
}

#[test]
fn the_detector_finds_a_key_in_every_form_and_allows_what_may_be_shown() {
    let secret = KeyFormat::SCRAPER.generate(&OsRandom).unwrap();
    let key = secret.expose_secret();
    let digest = KeyDigest::of(key);
    let hex = digest.to_hex();
    for leaking in [
        format!("GET /?key={key} 401"),
        format!("no such key: {}", &key[4..]),
        format!("…{}", &key[key.len() - 16..]),
        format!("Key (key_hash)=({}) already exists.", hex.as_str()),
        format!("hash {}…", &hex.as_str()[..9]),
        hex.as_str().to_uppercase(),
        format!("\"\\\\x{}\"", &hex.as_str()[20..40]),
        format!("KeyDigest({:?})", digest.as_bytes()),
    ] {
        assert!(leak(&leaking, key).is_some(), "missed in {leaking}");
    }
    for allowed in
        [key[..8].to_owned(), format!("KeyDigest({}…)", &hex.as_str()[..8]), format!("{digest:?} {secret:?}")]
    {
        assert_eq!(leak(&allowed, key), None, "{allowed}");
    }
}

#[test]
fn the_log_has_the_fields_of_events_and_spans_of_every_thread() {
    let _log = Log::listen();
    let secrets: Vec<_> = (0..3).map(|_| KeyFormat::SCRAPER.generate(&OsRandom).unwrap()).collect();
    let [message, field, span] = [0, 1, 2].map(|planted| secrets[planted].expose_secret());
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let _span = tracing::trace_span!(target: "somebody_else", "a_span", span).entered();
            tracing::trace!(target: "somebody_else", field, "a message with {message}");
        });
    });
    for planted in [message, field, span] {
        let evidence = Evidence { planted: vec![planted.to_owned()], printed: Vec::new() };
        let log = logged().clone();
        assert!(std::panic::catch_unwind(|| evidence.check(&log)).is_err(), "a planted key was not found in the log");
    }
}

/// What the crate has to keep back: sqlx's own error does show the digest, and its log the statements.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_itself_would_leak_the_digest_in_the_detail_of_an_error() {
    let fixture = Fixture::postgres().await;
    let _log = Log::listen();
    let issued = keys_with_secrets(&fixture).issue(draft().into()).await.unwrap();
    assert!(logged().contains("INSERT INTO api_keys"), "sqlx logs its statements, and they are listened to");

    let Database::Postgres(database) = &fixture.database else { unreachable!("it is a PostgreSQL database") };
    let again = "INSERT INTO api_keys (key_hash, key_prefix, name, client_id)
                 SELECT key_hash, key_prefix, name, client_id FROM api_keys";
    let error = sqlx::raw_sql(again).execute(&database.pool().await).await.unwrap_err();
    let mut evidence = Evidence::default();
    evidence.print_error("sqlx's own error", &error);
    let found = evidence.printed.iter().any(|(_, text)| leak(text, issued.secret.expose_secret()).is_some());
    assert!(found, "the detector finds the digest in {error:?}");
}
