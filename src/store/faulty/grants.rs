//! A store of grants that fails on purpose.

use std::sync::Arc;

use async_trait::async_trait;

use super::Faulty;
use crate::broker::{
    AccessTokenRecord, ClientId, ClientRecord, CodeRecord, Grant, GrantId, RefreshTokenRecord, TokenDigest,
};
use crate::store::StoreError;
use crate::store::grants::{
    ClientListRequest, ExchangeRequest, GrantListRequest, GrantStore, NewCode, RedeemRequest, RevokeGrantRequest,
    RevokeGrantsRequest, RevokeTokenRequest, Sealing, SweepRequest, Swept, UpstreamRequest,
};
use crate::time::Timestamp;

/// A kind of call: a method of [`GrantStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrantCall {
    /// [`client`](GrantStore::client).
    Client,
    /// [`clients`](GrantStore::clients).
    Clients,
    /// [`register`](GrantStore::register).
    Register,
    /// [`update_client`](GrantStore::update_client).
    UpdateClient,
    /// [`note_client_use`](GrantStore::note_client_use).
    NoteClientUse,
    /// [`remove_client`](GrantStore::remove_client).
    RemoveClient,
    /// [`add_code`](GrantStore::add_code).
    AddCode,
    /// [`code`](GrantStore::code).
    Code,
    /// [`redeem`](GrantStore::redeem).
    Redeem,
    /// [`refresh_token`](GrantStore::refresh_token).
    RefreshToken,
    /// [`exchange`](GrantStore::exchange).
    Exchange,
    /// [`access_token`](GrantStore::access_token), which every request makes.
    AccessToken,
    /// [`note_first_use`](GrantStore::note_first_use).
    NoteFirstUse,
    /// [`revoke_token`](GrantStore::revoke_token).
    RevokeToken,
    /// [`revoke_grant`](GrantStore::revoke_grant).
    RevokeGrant,
    /// [`revoke_grants`](GrantStore::revoke_grants).
    RevokeGrants,
    /// [`grant`](GrantStore::grant).
    Grant,
    /// [`grants`](GrantStore::grants).
    Grants,
    /// [`replace_upstream`](GrantStore::replace_upstream).
    ReplaceUpstream,
    /// [`sweep`](GrantStore::sweep).
    Sweep,
}

/// A store of grants that fails on purpose.
///
/// ```
/// use keyward::broker::{ClientId, ClientRecord};
/// use keyward::store::faulty::{Fault, FaultyGrantStore, GrantCall};
/// use keyward::store::grants::{GrantStore as _, MemoryGrantStore};
/// use keyward::Timestamp;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = FaultyGrantStore::new(MemoryGrantStore::new());
/// let client = ClientRecord::new(ClientId::new("app")?, Vec::new(), Timestamp::from_micros(0));
///
/// // The client is registered, and nobody learns it.
/// store.fail_next(GrantCall::Register, Fault::AnswerLost);
/// assert!(store.register(&client).await.is_err_and(|error| error.is_outage()));
/// assert_eq!(store.client(&client.id).await?, Some(client));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub type FaultyGrantStore = Faulty<dyn GrantStore, GrantCall>;

impl FaultyGrantStore {
    /// A store in front of `store`, without a fault yet.
    #[must_use]
    pub fn new(store: impl GrantStore) -> Self {
        Self::over(Arc::new(store))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl GrantStore for FaultyGrantStore {
    fn sealing(&self) -> Sealing {
        self.store.sealing()
    }

    async fn client(&self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError> {
        self.call(GrantCall::Client, || self.store.client(id)).await
    }

    async fn clients(&self, request: &ClientListRequest) -> Result<Vec<ClientRecord>, StoreError> {
        self.call(GrantCall::Clients, || self.store.clients(request)).await
    }

    async fn register(&self, client: &ClientRecord) -> Result<(), StoreError> {
        self.call(GrantCall::Register, || self.store.register(client)).await
    }

    async fn update_client(&self, client: &ClientRecord) -> Result<bool, StoreError> {
        self.call(GrantCall::UpdateClient, || self.store.update_client(client)).await
    }

    async fn note_client_use(&self, id: &ClientId, at: Timestamp) -> Result<(), StoreError> {
        self.call(GrantCall::NoteClientUse, || self.store.note_client_use(id, at)).await
    }

    async fn remove_client(&self, id: &ClientId, at: Timestamp) -> Result<bool, StoreError> {
        self.call(GrantCall::RemoveClient, || self.store.remove_client(id, at)).await
    }

    async fn add_code(&self, code: &NewCode) -> Result<(), StoreError> {
        self.call(GrantCall::AddCode, || self.store.add_code(code)).await
    }

    async fn code(&self, digest: &TokenDigest) -> Result<Option<CodeRecord>, StoreError> {
        self.call(GrantCall::Code, || self.store.code(digest)).await
    }

    async fn redeem(&self, request: &RedeemRequest) -> Result<bool, StoreError> {
        self.call(GrantCall::Redeem, || self.store.redeem(request)).await
    }

    async fn refresh_token(&self, digest: &TokenDigest) -> Result<Option<RefreshTokenRecord>, StoreError> {
        self.call(GrantCall::RefreshToken, || self.store.refresh_token(digest)).await
    }

    async fn exchange(&self, request: &ExchangeRequest) -> Result<bool, StoreError> {
        self.call(GrantCall::Exchange, || self.store.exchange(request)).await
    }

    async fn access_token(&self, digest: &TokenDigest) -> Result<Option<AccessTokenRecord>, StoreError> {
        self.call(GrantCall::AccessToken, || self.store.access_token(digest)).await
    }

    async fn note_first_use(&self, digest: &TokenDigest, at: Timestamp) -> Result<(), StoreError> {
        self.call(GrantCall::NoteFirstUse, || self.store.note_first_use(digest, at)).await
    }

    async fn revoke_token(&self, request: &RevokeTokenRequest) -> Result<bool, StoreError> {
        self.call(GrantCall::RevokeToken, || self.store.revoke_token(request)).await
    }

    async fn revoke_grant(&self, request: &RevokeGrantRequest) -> Result<bool, StoreError> {
        self.call(GrantCall::RevokeGrant, || self.store.revoke_grant(request)).await
    }

    async fn revoke_grants(&self, request: &RevokeGrantsRequest) -> Result<u64, StoreError> {
        self.call(GrantCall::RevokeGrants, || self.store.revoke_grants(request)).await
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        self.call(GrantCall::Grant, || self.store.grant(id)).await
    }

    async fn grants(&self, request: &GrantListRequest) -> Result<Vec<Grant>, StoreError> {
        self.call(GrantCall::Grants, || self.store.grants(request)).await
    }

    async fn replace_upstream(&self, request: &UpstreamRequest) -> Result<bool, StoreError> {
        self.call(GrantCall::ReplaceUpstream, || self.store.replace_upstream(request)).await
    }

    async fn sweep(&self, request: &SweepRequest) -> Result<Swept, StoreError> {
        self.call(GrantCall::Sweep, || self.store.sweep(request)).await
    }
}
