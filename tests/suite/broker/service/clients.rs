//! Clients as other programs have registered them.

use std::time::Duration;

use keyward::broker::{ClientId, ClientRecord, OAuthErrorCode, RedirectUri, TokenDigest};
use keyward::store::grants::{GrantFilter, GrantStore as _, NewTokens, RedeemRequest};

use super::{World, code_of};
use crate::broker::client::REDIRECT_URI;

/// The broker before this one gave refresh tokens to all, whether they had asked for them or not.
#[tokio::test]
async fn a_client_that_may_have_no_refresh_token_is_told_so_unless_it_has_one() {
    let world = World::new();
    let uris = vec![RedirectUri::new(REDIRECT_URI).unwrap()];
    let mut record = ClientRecord::new(ClientId::new("old").unwrap(), uris, world.tokens.now());
    record.may_refresh = false;
    world.store.register(&record).await.unwrap();
    for token in ["unknown", &world.given(&world.client().await).await.refresh] {
        assert_eq!(code_of(&world.refresh("old", token).await), Some(OAuthErrorCode::UnauthorizedClient));
    }

    let code = world.code("old").await;
    let filter = GrantFilter::of_client(record.id.clone());
    let grant = world.tokens.grants(filter, None, 1).await.unwrap().remove(0);
    let end = grant.created_at.saturating_add(Duration::from_hours(1));
    let mut tokens = NewTokens::new(&grant, TokenDigest::of("an access token"), end, grant.created_at);
    tokens.refresh = Some((TokenDigest::of("a refresh token"), end));
    assert!(world.store.redeem(&RedeemRequest::new(TokenDigest::of(&code), tokens)).await.unwrap());
    let next = world.refresh("old", "a refresh token").await.unwrap();
    assert!(world.is_live(&next).await);
}
