//! What an OAuth 2.1 authorization server remembers and decides: clients, grants, codes and tokens. Pure; no I/O.
//!
//! A **grant** is what one person has allowed one client. An authorization code, and every access and refresh token that
//! comes of it, belongs to one grant: it is the family that is revoked when a code or a refresh token is presented again.
//! All of them are random texts that stand for nothing, of which a store has the digest alone.
//!
//! The decisions stand in [`decide_redemption`], [`decide_refresh`] and [`decide_access`], for every store.

mod authorization;
mod client;
mod client_metadata;
mod decision;
mod grant;
mod issuer;
mod parameters;
mod pkce;
mod record;
mod redirect_uri;
mod response;
mod token;

pub(crate) use authorization::OFFLINE_ACCESS;
pub use authorization::{AuthorizationRefusal, AuthorizationRequest, RedirectedRefusal, ServerPolicy};
pub use client::{ClientAuthMethod, ClientRecord, ClientRefusal, PresentedClient, authenticate_client};
pub(crate) use client_metadata::parse_scopes;
pub use client_metadata::{ClientMetadata, ClientMetadataUrl, RegistrationRefusal};
pub use decision::{
    AccessRefusal, CodeRefusal, Principal, Redemption, Refresh, RefreshRefusal, RefreshVerdict, decide_access,
    decide_redemption, decide_refresh,
};
pub use grant::{Grant, GrantId, GrantRevocationReason, StoredUpstreamTokens, Subject, SubjectId};
pub use issuer::{InvalidIssuer, InvalidResource, Issuer, Resource};
pub use parameters::Parameters;
pub use pkce::CodeChallenge;
pub use record::{AccessTokenRecord, CodeRecord, RefreshTokenRecord, SealedResponse};
pub use redirect_uri::{InvalidRedirectUri, RedirectUri};
pub(crate) use response::{TokenPair, open_response, seal_response};
pub use token::TokenDigest;
pub(crate) use token::{new_id, new_secret};

pub use crate::client_id::{ClientId, InvalidClientId};
pub use crate::oauth_error::OAuthErrorCode;
