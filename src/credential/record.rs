//! An upstream OAuth credential as a store holds it.

use std::time::Duration;

use crate::credential::{CredentialState, EndReason, Need};
use crate::key::{Defect, OwnerId, Scopes};
use crate::seal::StoredSecret;
use crate::time::Timestamp;

/// The longest time for which one process alone can have the right to refresh a credential.
pub const LONGEST_LEASE: Duration = Duration::from_mins(10);

/// What is known of an owner's credential, without its secrets.
///
/// Texts that came from a server or a session are kept as they are. What uses them checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CredentialHead {
    /// On whose behalf the service calls out.
    pub owner: OwnerId,
    /// The account at the authorization server, which every answer has to name again where it names one; a DID with atproto.
    pub subject: Option<String>,
    /// The client that obtained it (RFC 6749 section 2.2). A refresh token is bound to it.
    pub client_id: String,
    /// The key with which that client authenticates, where it has several (RFC 7523, header `kid`).
    pub client_key_id: Option<String>,
    /// The authorization server's issuer identifier (RFC 8414).
    pub issuer: String,
    /// Where tokens are refreshed.
    pub token_endpoint: String,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<String>,
    /// Where the access token is used; the PDS with atproto.
    pub resource_server: Option<String>,
    /// What was granted.
    pub scopes: Scopes,
    /// The session's name at the service that obtained it.
    pub session_id: Option<String>,
    /// When the account's owner signed in.
    pub session_started_at: Option<Timestamp>,
    /// When no refresh will help any more, however often the credential is refreshed until then.
    pub session_ends_at: Option<Timestamp>,
    /// When the access token expires; `None` where the server did not say.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were stored that stand there now.
    pub refreshed_at: Option<Timestamp>,
    /// The newest `DPoP-Nonce` of each server (RFC 9449 sections 8 and 9).
    pub nonces: Nonces,
    /// Whether there is a refresh token.
    pub is_refreshable: bool,
    /// How far a refresh has come, or that none will help.
    pub state: CredentialState,
    /// Until when one process alone may refresh it.
    pub lease_until: Option<Timestamp>,
    /// Counts leases and everything else that changes who may do what: a holder whose version has passed has lost.
    pub version: u64,
    /// Counts the token pairs: a new pair is stored only over the one that it was bought with.
    pub generation: u64,
    /// A stored value that cannot be understood. A credential with one is not used.
    pub defect: Option<Defect>,
}

impl CredentialHead {
    /// The head of an active credential of which nothing else is known. Set the fields that say more.
    #[must_use]
    pub fn new(
        owner: OwnerId,
        client_id: impl Into<String>,
        issuer: impl Into<String>,
        token_endpoint: impl Into<String>,
    ) -> Self {
        Self {
            owner,
            subject: None,
            client_id: client_id.into(),
            client_key_id: None,
            issuer: issuer.into(),
            token_endpoint: token_endpoint.into(),
            revocation_endpoint: None,
            resource_server: None,
            scopes: Scopes::default(),
            session_id: None,
            session_started_at: None,
            session_ends_at: None,
            expires_at: None,
            refreshed_at: None,
            nonces: Nonces::default(),
            is_refreshable: false,
            state: CredentialState::Active,
            lease_until: None,
            version: 1,
            generation: 1,
            defect: None,
        }
    }

    /// Whether one process alone may refresh it now. A lease that goes on for longer than any does comes from a clock that
    /// was wrong, and counts for nothing.
    #[must_use]
    pub fn is_leased(&self, now: Timestamp) -> bool {
        self.lease_until.is_some_and(|until| until > now && until <= now.saturating_add(LONGEST_LEASE))
    }

    /// What has to happen before its access token can be used until `deadline`.
    ///
    /// A token that expires later is used as it is, also while it is being refreshed, and when the outcome of a refresh is
    /// not known: the server says at the latest whether it is still good.
    #[must_use]
    pub fn need(&self, now: Timestamp, deadline: Timestamp) -> Need {
        if let CredentialState::Ended { reason, .. } = self.state {
            return Need::Authorization(reason);
        }
        if self.expires_at.is_some_and(|expires_at| expires_at > deadline) {
            return Need::Nothing;
        }
        let is_leased = self.is_leased(now);
        match self.state {
            CredentialState::Uncertain { since } | CredentialState::Sent { at: since } if !is_leased => {
                Need::Decision { since }
            }
            _ if is_leased => Need::Patience { until: self.lease_until.unwrap_or(now) },
            // Without a refresh token a token is used to its end, and one without an end for as long as it goes.
            _ if !self.is_refreshable => match self.expires_at {
                Some(expires_at) if expires_at <= now => Need::Authorization(EndReason::NotRefreshable),
                _ => Need::Nothing,
            },
            _ => Need::Refresh,
        }
    }
}

/// The newest `DPoP-Nonce` of each server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Nonces {
    /// Of the authorization server, for its token endpoint.
    pub authorization_server: Option<String>,
    /// Of the resource server.
    pub resource_server: Option<String>,
}

impl Nonces {
    /// Those of `newer`, and for a server that gave none, or an empty one, what was known before.
    #[must_use]
    pub fn updated(self, newer: Self) -> Self {
        let newest = |newer: Option<String>, known| newer.filter(|nonce| !nonce.is_empty()).or(known);
        Self {
            authorization_server: newest(newer.authorization_server, self.authorization_server),
            resource_server: newest(newer.resource_server, self.resource_server),
        }
    }
}

/// The secrets of a credential as a store holds them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredSecrets {
    /// The access token; `None` when the store holds something else, which is a [defect](CredentialHead::defect).
    pub access_token: Option<StoredSecret>,
    /// The refresh token, where there is one.
    pub refresh_token: Option<StoredSecret>,
    /// The private key to which the tokens are bound (RFC 9449), in multibase; `None` for bearer tokens.
    pub dpop_key: Option<StoredSecret>,
}

impl StoredSecrets {
    /// An access token alone.
    #[must_use]
    pub const fn new(access_token: StoredSecret) -> Self {
        Self { access_token: Some(access_token), refresh_token: None, dpop_key: None }
    }
}

/// A credential as a store holds it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CredentialRecord {
    /// What may be shown.
    pub head: CredentialHead,
    /// What may not.
    pub secrets: StoredSecrets,
}

impl CredentialRecord {
    /// A credential. Whether it is refreshable is taken from the secrets.
    #[must_use]
    pub fn new(mut head: CredentialHead, secrets: StoredSecrets) -> Self {
        head.is_refreshable = secrets.refresh_token.is_some();
        Self { head, secrets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> CredentialHead {
        let owner = OwnerId::new("did:plc:abc").expect("an owner");
        let mut head = CredentialHead::new(owner, "client", "https://issuer.example", "https://issuer.example/token");
        head.is_refreshable = true;
        head.expires_at = Some(at(100));
        head
    }

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_token_is_used_while_it_lives_beyond_the_deadline_and_no_longer() {
        assert_eq!(head().need(at(0), at(99)), Need::Nothing);
        assert_eq!(head().need(at(0), at(100)), Need::Refresh);
        assert_eq!(CredentialHead { expires_at: None, ..head() }.need(at(0), at(0)), Need::Refresh);
    }

    #[test]
    fn one_lease_at_a_time() {
        let leased = CredentialHead { lease_until: Some(at(130)), ..head() };
        assert_eq!(leased.need(at(120), at(120)), Need::Patience { until: at(130) });
        assert_eq!(leased.need(at(130), at(130)), Need::Refresh, "a lease that is over keeps nobody away");
        let odd = CredentialHead { lease_until: Some(at(4_000_000_000)), ..head() };
        assert_eq!(odd.need(at(120), at(120)), Need::Refresh, "nor does one from a clock that was wrong");
    }

    #[test]
    fn what_was_sent_and_not_answered_is_never_sent_again_by_itself() {
        let sent =
            CredentialHead { state: CredentialState::Sent { at: at(110) }, lease_until: Some(at(130)), ..head() };
        assert_eq!(sent.need(at(120), at(120)), Need::Patience { until: at(130) });
        assert_eq!(sent.need(at(131), at(131)), Need::Decision { since: at(110) });
        let uncertain = CredentialHead { state: CredentialState::Uncertain { since: at(9) }, ..head() };
        assert_eq!(uncertain.need(at(131), at(131)), Need::Decision { since: at(9) });
        assert_eq!(uncertain.need(at(10), at(20)), Need::Nothing, "the token that is there may still be good");
    }

    #[test]
    fn an_ended_session_needs_its_owner_even_while_the_token_has_not_expired() {
        let ended = CredentialState::Ended { reason: EndReason::InvalidGrant, at: at(1) };
        assert_eq!(
            CredentialHead { state: ended, ..head() }.need(at(2), at(2)),
            Need::Authorization(EndReason::InvalidGrant)
        );
    }

    #[test]
    fn a_token_without_a_refresh_token_is_used_to_its_end() {
        let fixed = CredentialHead { is_refreshable: false, ..head() };
        assert_eq!(fixed.need(at(99), at(500)), Need::Nothing);
        assert_eq!(fixed.need(at(100), at(500)), Need::Authorization(EndReason::NotRefreshable));
        assert_eq!(CredentialHead { expires_at: None, ..fixed }.need(at(900), at(900)), Need::Nothing);
    }

    #[test]
    fn a_missing_or_empty_nonce_leaves_the_one_that_is_known() {
        let nonces = |authorization: Option<&str>, resource: Option<&str>| Nonces {
            authorization_server: authorization.map(str::to_owned),
            resource_server: resource.map(str::to_owned),
        };
        let known = nonces(Some("a1"), Some("r1"));
        assert_eq!(known.clone().updated(nonces(Some("a2"), None)), nonces(Some("a2"), Some("r1")));
        assert_eq!(known.clone().updated(nonces(Some(""), Some("r2"))), nonces(Some("a1"), Some("r2")));
    }
}
