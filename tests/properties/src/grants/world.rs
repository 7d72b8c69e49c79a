//! The world: the store in memory, and what a service does with the decisions of the library.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use keyward::Timestamp;
use keyward::broker::{
    AccessRefusal, ClientId, ClientRecord, CodeChallenge, CodeRecord, CodeRefusal, Grant, GrantId,
    GrantRevocationReason, Redemption, Refresh, RefreshRefusal, RefreshVerdict, SealedResponse, Subject, SubjectId,
    TokenDigest, decide_access, decide_redemption, decide_refresh,
};
use keyward::key::Scopes;
use keyward::seal::Sealed;
use keyward::store::grants::{
    ExchangeRequest, GrantFilter, GrantStore as _, MemoryGrantStore, NewCode, NewTokens, RedeemRequest,
    RevokeGrantRequest, RevokeGrantsRequest, RevokeTokenRequest, SweepRequest, TokenKind,
};

use super::step::{ACCESS_LIFE, CLIENTS, CODE_LIFE, GRACE, GRANT_LIFE, Live, Mistake, Outcome, REFRESH_LIFE, Step};

const START: i64 = 1_900_000_000;
const URI: &str = "https://app.example/callback";
const RESOURCE: &str = "https://api.example/mcp";
const ELSEWHERE: &str = "https://other.example";
// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) struct World {
    store: MemoryGrantStore,
    now: i64,
    grants: Vec<(Grant, TokenDigest)>,
    refresh_tokens: Vec<(usize, TokenDigest)>,
    access_tokens: Vec<(usize, TokenDigest)>,
}

/// What a store in memory answers, which it does at once.
fn answer<T, E: std::fmt::Debug>(call: impl Future<Output = Result<T, E>>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.expect("the store answers"),
        Poll::Pending => panic!("a store in memory waits for nothing"),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((START + seconds) * 1_000_000)
}

fn client(number: usize) -> ClientId {
    ClientId::new(format!("client-{number}")).expect("a name")
}

fn scopes(names: &[&str]) -> Scopes {
    Scopes::from_stored(names.iter().copied())
}

impl World {
    pub(super) fn new() -> Self {
        let (grants, refresh_tokens, access_tokens) = (Vec::new(), Vec::new(), Vec::new());
        let world = Self { store: MemoryGrantStore::new(), now: 0, grants, refresh_tokens, access_tokens };
        (0..CLIENTS).for_each(|number| world.register(number));
        world
    }

    fn register(&self, number: usize) {
        let uris = vec![URI.parse().expect("a redirect URI")];
        answer(self.store.register(&ClientRecord::new(client(number), uris, at(self.now))));
    }

    pub(super) fn refresh_tokens_of(&self, grant: usize) -> impl Iterator<Item = usize> {
        (0..self.refresh_tokens.len()).filter(move |token| self.refresh_tokens[*token].0 == grant)
    }

    pub(super) fn access_tokens_of(&self, grant: usize) -> impl Iterator<Item = usize> {
        (0..self.access_tokens.len()).filter(move |token| self.access_tokens[*token].0 == grant)
    }

    pub(super) fn is_revoked(&self, grant: usize) -> bool {
        answer(self.store.grant(&self.grants[grant].0.id)).is_some_and(|grant| grant.revoked.is_some())
    }

    /// Everything that the store has, as a text.
    pub(super) fn snapshot(&self) -> String {
        format!("{:?}", self.store)
    }

    pub(super) fn live(&self) -> Live {
        let codes = self.grants.iter().map(|(grant, digest)| {
            let found = answer(self.store.code(digest));
            self.decide_code(found.as_ref(), &grant.client, None).is_ok()
        });
        let refresh_tokens = self.refresh_tokens.iter().map(|(grant, digest)| {
            let found = answer(self.store.refresh_token(digest));
            let presented = Refresh { client: &self.grants[*grant].0.client, scopes: None, resource: None };
            matches!(decide_refresh(found.as_ref(), presented, at(self.now)), Ok(RefreshVerdict::Exchange(_)))
        });
        let access_tokens = self
            .access_tokens
            .iter()
            .map(|(_, digest)| decide_access(answer(self.store.access_token(digest)), None, at(self.now)).is_ok());
        Live {
            codes: codes.collect(),
            refresh_tokens: refresh_tokens.collect(),
            access_tokens: access_tokens.collect(),
        }
    }

    fn decide_code(
        &self,
        found: Option<&CodeRecord>,
        own: &ClientId,
        mistake: Option<Mistake>,
    ) -> Result<(), CodeRefusal> {
        let other = client(CLIENTS);
        let mut presented =
            Redemption { client: own, redirect_uri: Some(URI), verifier: Some(VERIFIER), resource: None };
        match mistake {
            Some(Mistake::Client) => presented.client = &other,
            Some(Mistake::RedirectUri) => presented.redirect_uri = None,
            Some(Mistake::Verifier) => presented.verifier = Some(CHALLENGE),
            Some(Mistake::Resource) => presented.resource = Some(ELSEWHERE),
            Some(Mistake::Scope) | None => {}
        }
        decide_redemption(found, presented, at(self.now))
    }

    pub(super) fn take(&mut self, step: &Step) -> Outcome {
        let now = at(self.now);
        match *step {
            Step::Issue { client, names_resource, ends } => self.issue(client, names_resource, ends),
            Step::Redeem { .. } | Step::RevokeGrant { .. } if self.grants.is_empty() => return Outcome::Nothing,
            Step::Redeem { code, mistake } => return self.redeem(code.index(self.grants.len()), mistake),
            Step::RevokeGrant { grant } => self.revoke(grant.index(self.grants.len()), GrantRevocationReason::Revoked),
            Step::Refresh { .. } | Step::RevokeRefresh { .. } if self.refresh_tokens.is_empty() => {
                return Outcome::Nothing;
            }
            Step::Refresh { token, is_narrow, keeps_access, mistake } => {
                return self.refresh(token.index(self.refresh_tokens.len()), is_narrow, keeps_access, mistake);
            }
            Step::RevokeRefresh { token } => {
                let (_, digest) = self.refresh_tokens[token.index(self.refresh_tokens.len())];
                answer(self.store.revoke_token(&RevokeTokenRequest::new(TokenKind::Refresh, digest, now)));
            }
            Step::Present { .. } | Step::RevokeAccess { .. } if self.access_tokens.is_empty() => {
                return Outcome::Nothing;
            }
            Step::Present { token, mistake } => return self.present(token.index(self.access_tokens.len()), mistake),
            Step::RevokeAccess { token } => {
                let (_, digest) = self.access_tokens[token.index(self.access_tokens.len())];
                answer(self.store.revoke_token(&RevokeTokenRequest::new(TokenKind::Access, digest, now)));
            }
            Step::RevokeClient { client: number } => {
                let filter = GrantFilter::of_client(client(number));
                answer(self.store.revoke_grants(&RevokeGrantsRequest::new(
                    filter,
                    GrantRevocationReason::Revoked,
                    now,
                    u32::MAX,
                )));
            }
            Step::RemoveClient { client: number } => {
                assert!(answer(self.store.remove_client(&client(number), now)), "the client is there");
                self.register(number);
            }
            Step::Wait { seconds } => self.now += seconds,
            Step::Sweep => {
                answer(self.store.sweep(&SweepRequest::new(now, 5)));
            }
        }
        if matches!(step, Step::Issue { .. }) { Outcome::Issued } else { Outcome::Done }
    }

    fn issue(&mut self, number: usize, names_resource: bool, ends: bool) {
        let name = self.grants.len();
        let id = GrantId::new(format!("grant-{name}")).expect("a name");
        let subject = Subject::new(SubjectId::new("ada").expect("a name"));
        let mut grant = Grant::new(id, client(number), subject, scopes(&["read", "write"]), at(self.now));
        grant.resource = names_resource.then(|| RESOURCE.to_owned());
        grant.expires_at = ends.then(|| at(self.now + GRANT_LIFE));
        let digest = TokenDigest::of(&format!("code-{name}"));
        let challenge = CodeChallenge::new(CHALLENGE).expect("a challenge");
        let code = CodeRecord::new(digest, grant.clone(), URI.to_owned(), challenge, at(self.now + CODE_LIFE));
        answer(self.store.add_code(&NewCode::new(code)));
        self.grants.push((grant, digest));
    }

    fn tokens(&self, grant: usize) -> NewTokens {
        let name = self.access_tokens.len();
        let [access, refresh] = ["access", "refresh"].map(|kind| TokenDigest::of(&format!("{kind}-{name}")));
        let mut tokens = NewTokens::new(&self.grants[grant].0, access, at(self.now + ACCESS_LIFE), at(self.now));
        tokens.refresh = Some((refresh, at(self.now + REFRESH_LIFE)));
        tokens
    }

    fn issued(&mut self, grant: usize, tokens: &NewTokens) -> Outcome {
        self.access_tokens.push((grant, tokens.access));
        self.refresh_tokens.extend(tokens.refresh.map(|(refresh, _)| (grant, refresh)));
        Outcome::Issued
    }

    fn revoke(&self, grant: usize, reason: GrantRevocationReason) {
        let id = self.grants[grant].0.id.clone();
        answer(self.store.revoke_grant(&RevokeGrantRequest::new(id, reason, at(self.now))));
    }

    fn redeem(&mut self, code: usize, mistake: Option<Mistake>) -> Outcome {
        let (grant, digest) = &self.grants[code];
        let found = answer(self.store.code(digest));
        match self.decide_code(found.as_ref(), &grant.client, mistake) {
            Ok(()) => {
                let tokens = self.tokens(code);
                assert!(answer(self.store.redeem(&RedeemRequest::new(*digest, tokens.clone()))), "nobody was first");
                self.issued(code, &tokens)
            }
            Err(CodeRefusal::Replayed(_)) => {
                self.revoke(code, GrantRevocationReason::CodeReplayed);
                Outcome::Refused
            }
            // A code that was swept away is not known to anybody, whatever is wrong besides.
            Err(CodeRefusal::Unknown) if is_mistaken(mistake, grant, &[Mistake::RedirectUri, Mistake::Verifier]) => {
                Outcome::Mistaken
            }
            Err(CodeRefusal::Unknown | CodeRefusal::Revoked | CodeRefusal::Expired) => Outcome::Refused,
            Err(_) => Outcome::Mistaken,
        }
    }

    fn refresh(&mut self, token: usize, is_narrow: bool, keeps_access: bool, mistake: Option<Mistake>) -> Outcome {
        let (number, digest) = self.refresh_tokens[token];
        let grant = &self.grants[number].0;
        let (other, narrow, excess) = (client(CLIENTS), scopes(&["read"]), scopes(&["read", "admin"]));
        let mut presented = Refresh { client: &grant.client, scopes: is_narrow.then_some(&narrow), resource: None };
        match mistake {
            Some(Mistake::Client) => presented.client = &other,
            Some(Mistake::Scope) => presented.scopes = Some(&excess),
            Some(Mistake::Resource) => presented.resource = Some(ELSEWHERE),
            Some(Mistake::RedirectUri | Mistake::Verifier) | None => {}
        }
        let found = answer(self.store.refresh_token(&digest));
        match decide_refresh(found.as_ref(), presented, at(self.now)) {
            Ok(RefreshVerdict::Exchange(scopes)) => {
                let mut tokens = self.tokens(number);
                tokens.scopes = scopes.clone();
                let sealed = Sealed::parse(&format!("keyward.1.first.{}", "A".repeat(60))).expect("an envelope");
                let response = SealedResponse::new(sealed, at(self.now + GRACE), tokens.access_expires_at, scopes);
                let mut request = ExchangeRequest::new(digest, tokens.clone());
                (request.response, request.revokes_access) = (Some(response), !keeps_access);
                assert!(answer(self.store.exchange(&request)), "nobody was first");
                self.issued(number, &tokens)
            }
            Ok(_) => Outcome::Repeated,
            Err(RefreshRefusal::Replayed(_)) => {
                self.revoke(number, GrantRevocationReason::RefreshTokenReplayed);
                Outcome::Refused
            }
            // Who presents what has ended learns that, whatever is wrong besides.
            Err(RefreshRefusal::Unknown) if mistake == Some(Mistake::Client) => Outcome::Mistaken,
            Err(RefreshRefusal::Unknown | RefreshRefusal::Revoked | RefreshRefusal::Expired) => Outcome::Refused,
            Err(_) => Outcome::Mistaken,
        }
    }

    fn present(&self, token: usize, mistake: Option<Mistake>) -> Outcome {
        let (_, digest) = self.access_tokens[token];
        let resource = if mistake == Some(Mistake::Resource) { ELSEWHERE } else { RESOURCE };
        match decide_access(answer(self.store.access_token(&digest)), Some(resource), at(self.now)) {
            Ok(_) => {
                answer(self.store.note_first_use(&digest, at(self.now)));
                Outcome::Done
            }
            Err(AccessRefusal::OtherResource) => Outcome::Mistaken,
            Err(_) => Outcome::Refused,
        }
    }
}

/// Whether a step was a mistake although it was refused for another reason first.
fn is_mistaken(mistake: Option<Mistake>, grant: &Grant, others: &[Mistake]) -> bool {
    match mistake {
        Some(Mistake::Client) => true,
        Some(Mistake::Resource) => grant.resource.is_some(),
        Some(mistake) => others.contains(&mistake),
        None => false,
    }
}
