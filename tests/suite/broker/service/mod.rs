//! The service by itself, over the store in memory with faults where a test wants them.

mod approvals;
mod clients;
mod dropped;
mod faults;
mod races;
mod upstream;
mod window;

use std::sync::Arc;

use keyward::broker::{
    ClientMetadata, GrantRevocationReason, Issuer, OAuthErrorCode, Parameters, PresentedClient, RedirectUri, Resource,
    Subject, SubjectId,
};
use keyward::service::{Approval, IssuedTokens, PresentedGrant, Tokens, TokensBuilder, TokensError};
use keyward::store::faulty::FaultyGrantStore;
use keyward::store::grants::{GrantFilter, MemoryGrantStore};
use keyward::{ManualClock, Secret};

use super::app::{ISSUER, RESOURCE, encoded, parameter, scopes};
use super::client::{CHALLENGE, REDIRECT_URI, VERIFIER};
use crate::support::START;

/// Shared by all that race in it.
#[derive(Clone)]
struct World {
    tokens: Tokens,
    store: Arc<FaultyGrantStore>,
    memory: MemoryGrantStore,
    clock: Arc<ManualClock>,
}

/// What a client is given.
#[derive(Clone, Debug, PartialEq)]
struct Given {
    access: String,
    refresh: String,
    expires_in: u64,
}

impl World {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(set: impl FnOnce(TokensBuilder) -> TokensBuilder) -> Self {
        let memory = MemoryGrantStore::new();
        let store = FaultyGrantStore::new(memory.clone()).waiting(|time| Box::pin(tokio::time::sleep(time)));
        Self::over(memory, store, set)
    }

    fn over(
        memory: MemoryGrantStore,
        store: FaultyGrantStore,
        set: impl FnOnce(TokensBuilder) -> TokensBuilder,
    ) -> Self {
        let (store, clock) = (Arc::new(store), Arc::new(ManualClock::new(START)));
        let builder = Tokens::builder_over(store.clone(), Issuer::new(ISSUER).unwrap())
            .resource(Resource::new(RESOURCE).unwrap())
            .scopes(scopes("notes:read notes:write"))
            .shared_clock(clock.clone());
        Self { tokens: set(builder).build(), store, memory, clock }
    }

    /// A new public client.
    async fn client(&self) -> String {
        let metadata = ClientMetadata::public(vec![RedirectUri::new(REDIRECT_URI).unwrap()]);
        self.tokens.register(metadata).await.unwrap().record.id.as_str().to_owned()
    }

    /// A code for `approval`.
    async fn approve(&self, client: &str, approval: Approval) -> Result<String, TokensError> {
        let query = encoded(&[
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT_URI),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        let request = self.tokens.authorize(&Parameters::parse(&query)).await?;
        let location = self.tokens.approve(&request, approval).await?;
        Ok(parameter(location.expose_secret(), "code").unwrap())
    }

    async fn code(&self, client: &str) -> String {
        self.approve(client, Approval::new(person())).await.unwrap()
    }

    async fn redeem(&self, client: &str, code: &str) -> Result<Given, TokensError> {
        let request = PresentedGrant::code(code, REDIRECT_URI, VERIFIER);
        self.tokens.exchange(PresentedClient::Named(client), request).await.map(|issued| given(&issued))
    }

    async fn refresh(&self, client: &str, refresh_token: &str) -> Result<Given, TokensError> {
        self.refresh_for(client, refresh_token, None).await
    }

    async fn refresh_for(&self, client: &str, refresh_token: &str, scope: Option<&str>) -> Result<Given, TokensError> {
        let request = PresentedGrant::Refresh { refresh_token, scope, resource: None };
        self.tokens.exchange(PresentedClient::Named(client), request).await.map(|issued| given(&issued))
    }

    async fn given(&self, client: &str) -> Given {
        self.redeem(client, &self.code(client).await).await.unwrap()
    }

    async fn is_live(&self, given: &Given) -> bool {
        self.tokens.authenticate(&given.access).await.is_ok()
    }

    /// Why each grant that was revoked was revoked.
    async fn ends(&self) -> Vec<GrantRevocationReason> {
        let grants = self.tokens.grants(GrantFilter::default(), None, 1_000).await.unwrap();
        grants.iter().filter_map(|grant| grant.revoked.map(|(_, end)| end)).collect()
    }

    /// How many access and refresh tokens are stored, good or not.
    fn stored(&self) -> (usize, usize) {
        let rows = format!("{:?}", self.memory);
        (rows.matches("StoredAccess {").count(), rows.matches("StoredRefresh {").count())
    }
}

fn person() -> Subject {
    Subject::new(SubjectId::new("42").unwrap())
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn given(issued: &IssuedTokens) -> Given {
    Given {
        access: issued.access_token.expose_secret().to_owned(),
        refresh: issued.refresh_token.as_ref().unwrap().expose_secret().to_owned(),
        expires_in: issued.expires_in,
    }
}

/// The code of an answer that says no.
fn code_of<T: std::fmt::Debug>(answer: &Result<T, TokensError>) -> Option<OAuthErrorCode> {
    answer.as_ref().unwrap_err().error_code()
}

fn is_invalid_grant<T: std::fmt::Debug>(answer: &Result<T, TokensError>) {
    assert_eq!(code_of(answer), Some(OAuthErrorCode::InvalidGrant), "{answer:?}");
}
