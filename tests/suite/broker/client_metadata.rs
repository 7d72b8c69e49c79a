//! Clients that have not registered: their identifier is the URL of what they say of themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::Clock as _;
use keyward::broker::{
    ClientAuthMethod, ClientId, ClientMetadataUrl, ClientRecord, Parameters, RedirectUri, Subject, SubjectId,
    TokenDigest,
};
use keyward::service::{Approval, ClientMetadataUnavailable, FetchClientMetadata, FetchedClientMetadata};
use keyward::store::faulty::{Fault, FaultyGrantStore, GrantCall};
use keyward::store::grants::{GrantStore, MemoryGrantStore};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::app::{App, Setup, error, json, parameter, told};
use super::client::{Client, REDIRECT_URI, pair};
use crate::http::server::Answer;

const URL: &str = "https://app.example/client.json";

/// What stands at which URL, and how often somebody has asked.
#[derive(Clone, Default)]
struct Web(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    documents: BTreeMap<String, String>,
    fresh_for: Duration,
    fetched: usize,
}

#[async_trait::async_trait]
impl FetchClientMetadata for Web {
    async fn fetch(&self, url: &ClientMetadataUrl) -> Result<FetchedClientMetadata, ClientMetadataUnavailable> {
        let mut pages = self.0.lock().unwrap();
        pages.fetched += 1;
        match pages.documents.get(url.as_str()) {
            Some(document) => Ok(FetchedClientMetadata::new(document).with_fresh_for(pages.fresh_for)),
            None => Err(ClientMetadataUnavailable::new("404 Not Found")),
        }
    }
}

impl Web {
    /// The document of a client with refresh tokens, with these changes.
    fn put(&self, changes: Value) {
        let mut document = json!({
            "client_id": URL,
            "client_name": "Editor",
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        });
        if let (Some(document), Value::Object(changes)) = (document.as_object_mut(), changes) {
            document.extend(changes);
        }
        self.put_text(&document.to_string());
    }

    fn put_text(&self, document: &str) {
        self.0.lock().unwrap().documents.insert(URL.to_owned(), document.to_owned());
    }

    fn fetched(&self) -> usize {
        self.0.lock().unwrap().fetched
    }

    async fn app(&self) -> App {
        self.app_over(Arc::new(MemoryGrantStore::new())).await
    }

    async fn app_over(&self, store: Arc<dyn GrantStore>) -> App {
        let web = self.clone();
        let tokens = Box::new(|builder: keyward::service::TokensBuilder| builder.fetch_client_metadata(web));
        App::with(Setup { store, tokens, ..Setup::default() }).await
    }
}

fn client(app: &App) -> Client<'_> {
    Client { app, id: URL.to_owned(), secret: None, method: "none".to_owned() }
}

async fn stored(app: &App) -> Option<ClientRecord> {
    app.tokens.store().client(&ClientId::new(URL).unwrap()).await.unwrap()
}

/// The person is told, and the browser goes nowhere.
fn is_shown(answer: &Answer) {
    assert_eq!((answer.status, answer.header("location")), (400, ""), "{answer:?}");
}

#[tokio::test]
async fn a_client_that_never_registered_completes_the_whole_flow() {
    let web = Web::default();
    web.put(json!({}));
    let app = web.app().await;
    let metadata = json(&app.get("/.well-known/oauth-authorization-server", &[]).await);
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
    let client = client(&app);
    let page = client.page(&client.query(&[])).await;
    for seen in ["Editor", "its address, <strong>https://app.example/client.json</strong>"] {
        assert!(page.answer.body.contains(seen), "{seen}: {}", page.answer.body);
    }
    assert_eq!(stored(&app).await, None, "nobody has said yes");

    let tokens = client.tokens().await;
    assert_eq!(app.call(&tokens.access).await.status, 200);
    let refreshed = pair(&client.refresh(&tokens.refresh).await);
    assert_eq!(app.call(&refreshed.access).await.status, 200);
    assert_eq!(app.introspect(&refreshed.access).await["client_id"], URL);
    assert_eq!(stored(&app).await.unwrap().name.as_deref(), Some("Editor"));
    assert_eq!(client.revoke(&refreshed.refresh).await.status, 200);
    assert_eq!(app.call(&refreshed.access).await.status, 401);
    // A second person, when the client is known.
    let again = client.tokens().await;
    assert_eq!(app.call(&again.access).await.status, 200);
}

#[tokio::test]
async fn a_document_that_is_not_there_or_not_in_order_leads_nowhere_and_stores_nothing() {
    let web = Web::default();
    let app = web.app().await;
    let client = client(&app);
    is_shown(&client.authorize(&client.query(&[])).await);
    for document in [
        json!({"client_id": "https://app.example/other.json"}),
        json!({"client_id": null}),
        json!({"client_secret": "everybody knows"}),
        json!({"token_endpoint_auth_method": "client_secret_basic"}),
        json!({"token_endpoint_auth_method": "private_key_jwt"}),
        json!({"redirect_uris": []}),
        json!({"redirect_uris": ["https://other.example/cb"]}),
        json!({"redirect_uris": [REDIRECT_URI, "javascript:alert(1)"]}),
        json!({"grant_types": ["implicit"]}),
        json!({"client_uri": "x".repeat(9_000)}),
    ] {
        web.put(document.clone());
        let answer = client.authorize(&client.query(&[])).await;
        is_shown(&answer);
        assert!(!answer.body.contains("form"), "{document}: {}", answer.body);
    }
    for text in ["", "[]", "<html>", "{\"client_id\": \"\u{0}\"}"] {
        web.put_text(text);
        is_shown(&client.authorize(&client.query(&[])).await);
    }
    assert_eq!(stored(&app).await, None);
    let log = app.log();
    assert!(log.contains("client.metadata_unavailable") && log.contains("404 Not Found"), "{log}");
    assert!(log.contains("client.metadata_refused"), "{log}");
    // It is nobody at the token endpoint.
    assert_eq!(error(&client.redeem("a-code").await), told(400, "invalid_client"));
}

#[tokio::test]
async fn nothing_is_fetched_that_is_no_public_url_nor_where_nobody_fetches() {
    let web = Web::default();
    let app = web.app().await;
    for id in ["http://app.example/c", "https://127.0.0.1/c", "https://localhost/c", "https://app.example/", "0a1b2c"] {
        is_shown(&app.get(&format!("/authorize?{}", client(&app).query(&[("client_id", id)])), &[]).await);
    }
    assert_eq!(web.fetched(), 0);

    let app = App::start().await;
    let metadata = json(&app.get("/.well-known/oauth-authorization-server", &[]).await);
    assert_eq!(metadata.get("client_id_metadata_document_supported"), None);
    let client = client(&app);
    is_shown(&client.authorize(&client.query(&[])).await);
}

#[tokio::test]
async fn the_document_counts_as_it_is_when_a_person_is_asked() {
    let web = Web::default();
    web.put(json!({"scope": "notes:read"}));
    let app = web.app().await;
    let client = client(&app);
    let page = client.page(&client.query(&[])).await;
    assert!(page.answer.body.contains("notes:read") && !page.answer.body.contains("notes:write"));
    let before = client.tokens().await;

    // What it says no longer counts, also between the page and the answer.
    let page = client.page(&client.query(&[])).await;
    web.put(json!({"redirect_uris": ["https://app.example/new"], "client_name": "Editor 2"}));
    is_shown(&page.submit(&app, &[]).await);
    let query = client.query(&[("redirect_uri", "https://app.example/new")]);
    let code = client.code_for(&query).await;
    let answer = client.redeem_with(&code, &[("redirect_uri", "https://app.example/new")]).await;
    assert_eq!(app.call(&pair(&answer).access).await.status, 200);
    let record = stored(&app).await.unwrap();
    assert_eq!((record.name.as_deref(), record.scopes), (Some("Editor 2"), None));
    assert_eq!(record.redirect_uris, [RedirectUri::new("https://app.example/new").unwrap()]);
    // What was granted before stays.
    assert_eq!(client.refresh(&before.refresh).await.status, 200);

    // A client that wants no more refresh tokens gets none.
    web.put(json!({"grant_types": ["authorization_code"]}));
    let answer = json(&client.redeem(&client.code().await).await);
    assert_eq!((answer["access_token"].is_string(), answer.get("refresh_token")), (true, None), "{answer}");
}

#[tokio::test]
async fn a_document_is_kept_for_as_long_as_its_answer_says_and_a_day_at_most() {
    let web = Web::default();
    web.put(json!({}));
    let app = web.app().await;
    let client = client(&app);
    let asked = async || assert_eq!(client.authorize(&client.query(&[])).await.status, 200);
    for (fresh_for, later, fetched) in [(0, 0, 2), (60, 59, 1), (60, 60, 2), (1 << 40, 86_399, 1), (1 << 40, 86_400, 2)]
    {
        // What was kept before has ended, and a clock that goes back keeps nothing.
        app.clock.set(app.clock.now().saturating_sub(Duration::from_hours(48)));
        let before = web.fetched();
        web.0.lock().unwrap().fresh_for = Duration::from_secs(fresh_for);
        asked().await;
        app.clock.advance(Duration::from_secs(later));
        asked().await;
        assert_eq!(web.fetched() - before, fetched, "{fresh_for} {later}");
    }
    // An error is never kept.
    app.clock.advance(Duration::from_hours(48));
    web.0.lock().unwrap().documents.clear();
    is_shown(&client.authorize(&client.query(&[])).await);
    web.put(json!({}));
    asked().await;
}

/// With a secret or without, before its document was fetched and while a person is asked.
#[tokio::test]
async fn a_client_that_the_host_has_registered_is_what_the_host_says() {
    for secret in [None, Some(TokenDigest::of("the-secret-of-a-client-of-the-host"))] {
        let web = Web::default();
        web.put(json!({"redirect_uris": ["https://evil.example/cb"]}));
        let app = web.app().await;
        let client = client(&app);
        let evil = client.query(&[("redirect_uri", "https://evil.example/cb")]);
        let page = client.page(&evil).await;
        let request = app.tokens.authorize(&Parameters::parse(&evil)).await.unwrap();

        let uris = vec![RedirectUri::new(REDIRECT_URI).unwrap()];
        let mut record = ClientRecord::new(ClientId::new(URL).unwrap(), uris, app.tokens.now());
        record.secret = secret;
        if secret.is_some() {
            record.auth_method = ClientAuthMethod::ClientSecretBasic;
        }
        app.tokens.store().register(&record).await.unwrap();
        let fetched = web.fetched();
        is_shown(&page.submit(&app, &[]).await);
        is_shown(&client.authorize(&evil).await);
        let subject = || Approval::new(Subject::new(SubjectId::new("42").unwrap()));
        assert!(app.tokens.approve(&request, subject()).await.is_err(), "what was asked before is no longer true");
        let own = app.tokens.authorize(&Parameters::parse(&client.query(&[]))).await.unwrap();
        app.tokens.approve(&own, subject()).await.unwrap();
        record.last_used_at = stored(&app).await.unwrap().last_used_at;
        assert_eq!(stored(&app).await, Some(record));
        assert_eq!(web.fetched(), fetched);

        // One that the host removes while a person is asked does not come back.
        app.tokens.remove_client(&ClientId::new(URL).unwrap()).await.unwrap();
        assert!(app.tokens.approve(&own, subject()).await.is_err());
        assert_eq!(stored(&app).await, None);
    }
}

#[tokio::test]
async fn no_more_than_thirty_two_documents_are_fetched_at_once() {
    /// One that answers when it is dropped alone.
    struct Hanging;

    #[async_trait::async_trait]
    impl FetchClientMetadata for Hanging {
        async fn fetch(&self, _url: &ClientMetadataUrl) -> Result<FetchedClientMetadata, ClientMetadataUnavailable> {
            std::future::pending().await
        }
    }

    let tokens = Box::new(|builder: keyward::service::TokensBuilder| builder.fetch_client_metadata(Hanging));
    let app = App::with(Setup { tokens, ..Setup::default() }).await;
    let client = client(&app);
    for _ in 0..2 {
        let mut waiting = JoinSet::new();
        for _ in 0..32 {
            let (tokens, query) = (app.tokens.clone(), client.query(&[]));
            waiting.spawn(async move { tokens.authorize(&Parameters::parse(&query)).await.map(|_| ()) });
        }
        assert!(tokio::time::timeout(Duration::from_millis(200), waiting.join_next()).await.is_err());
        is_shown(&client.authorize(&client.query(&[])).await);
        // Whoever gives up makes room.
        waiting.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_say_yes_to_a_new_client_at_once_each_has_a_code() {
    let web = Web::default();
    web.put(json!({}));
    // All of them look before the first one writes.
    let store = FaultyGrantStore::new(MemoryGrantStore::new()).waiting(|time| Box::pin(tokio::time::sleep(time)));
    for _ in 0..16 {
        store.fail_next(GrantCall::Register, Fault::Delayed(Duration::from_millis(50)));
    }
    let app = web.app_over(Arc::new(store)).await;
    let client = client(&app);
    let mut people = JoinSet::new();
    for person in 0..16 {
        let (tokens, query) = (app.tokens.clone(), client.query(&[]));
        people.spawn(async move {
            let request = tokens.authorize(&Parameters::parse(&query)).await.unwrap();
            let subject = Subject::new(SubjectId::new(person.to_string()).unwrap());
            tokens.approve(&request, Approval::new(subject)).await.unwrap()
        });
    }
    for location in people.join_all().await {
        let code = parameter(location.expose_secret(), "code").unwrap();
        assert_eq!(client.redeem(&code).await.status, 200);
    }
}
