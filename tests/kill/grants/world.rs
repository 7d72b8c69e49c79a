//! A database with the tables of an authorization server, and what a person does there.

use std::time::Duration;

use keyward::broker::{ClientMetadata, Parameters, RedirectUri, Subject, SubjectId};
use keyward::key::Scopes;
use keyward::service::{Approval, Tokens};
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::{Clock as _, SystemClock};

use crate::child::server;
use crate::place::{Engine, Place};

pub(crate) const REDIRECT: &str = "https://app.example/callback";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) fn scopes() -> Scopes {
    Scopes::from_stored(["read"])
}

pub(crate) struct World {
    pub(crate) place: Place,
    /// The server, in this very process, which nobody kills.
    pub(crate) tokens: Tokens,
}

impl World {
    pub(crate) async fn new(engine: Engine, lifetime: u64) -> Self {
        let place = Place::new(engine).await;
        let store = SqlGrantStore::open(place.address.open().await, BrokerTables::new()).await.expect("a store");
        store.migrate(SystemClock.now()).await.expect("the tables");
        let tokens = server(&place.address, lifetime).await;
        Self { place, tokens }
    }

    /// Registers a public client.
    pub(crate) async fn client(&self) -> String {
        let metadata = ClientMetadata::public(vec![RedirectUri::new(REDIRECT).expect("a URI")]);
        self.tokens.register(metadata).await.expect("a client").record.id.as_str().to_owned()
    }

    /// A person allows this client what it asks for: the code.
    pub(crate) async fn code(&self, client: &str) -> String {
        let query = format!(
            "response_type=code&client_id={client}&redirect_uri={REDIRECT}&code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        let request = self.tokens.authorize(&Parameters::parse(&query)).await.expect("a request in order");
        let subject = Subject::new(SubjectId::new("ada").expect("a person"));
        loop {
            // Processes that are at work may keep it waiting.
            if let Ok(location) = self.tokens.approve(&request, Approval::new(subject.clone())).await {
                let query =
                    location.expose_secret().split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
                return Parameters::parse(&query).get("code").expect("a code").to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many rows there are; `keyward_` stands in front of tables of our own.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let sql = if self.place.is_postgres() { sql.replace("keyward_", "keyward.") } else { sql.to_owned() };
        self.place.number(&sql).await.unwrap_or_else(|| panic!("{sql}"))
    }

    /// Waits until no session is in the middle of anything: what a process that is gone had begun may still end either way.
    pub(crate) async fn settle(&self) {
        const BUSY: &str = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
        if self.place.is_postgres() {
            while self.place.number(BUSY).await != Some(0) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        } else {
            self.place.settle().await;
        }
    }
}
