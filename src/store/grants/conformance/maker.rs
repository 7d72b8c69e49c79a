//! What a promise is tested with: clients, grants, codes, tokens and times of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::broker::{
    ClientAuthMethod, ClientId, ClientRecord, CodeChallenge, CodeRecord, Grant, GrantEnd, GrantId, Reply,
    Subject as Person, SubjectId, TokenDigest, UpstreamTokens,
};
use crate::key::Scopes;
use crate::seal::{Sealed, StoredSecret};
use crate::secret::Secret;
use crate::store::grants::conformance::Subject;
use crate::store::grants::{
    ExchangeRequest, GrantStore, NewCode, NewTokens, RedeemRequest, RevokeGrantRequest, Sealing,
};
use crate::time::Timestamp;

pub(super) const CODE_LIFE: Duration = Duration::from_mins(1);
pub(super) const ACCESS_LIFE: Duration = Duration::from_hours(1);
pub(super) const REFRESH_LIFE: Duration = Duration::from_hours(30 * 24);

/// Where every code is sent.
pub(super) const REDIRECT_URI: &str = "https://app.example/callback";
/// The verifier of every code (RFC 7636, appendix B).
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Makes what the test of one promise needs, each thing with a name and a time that no other has.
pub(super) struct Maker<'s, S> {
    subject: &'s S,
    pub(super) promise: &'static str,
    number: AtomicU64,
}

/// What somebody holds after a code was redeemed or a refresh token exchanged.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) grant: Grant,
    pub(super) code: TokenDigest,
    pub(super) access: TokenDigest,
    pub(super) refresh: TokenDigest,
    pub(super) tokens: NewTokens,
}

impl Held {
    fn new(grant: Grant, code: TokenDigest, tokens: NewTokens) -> Self {
        let (refresh, _) = tokens.refresh.expect("the suite asks for a refresh token");
        Self { grant, code, access: tokens.access, refresh, tokens }
    }
}

/// Making things that are not stored.
impl<'s, S: Subject> Maker<'s, S> {
    pub(super) const fn new(subject: &'s S, promise: &'static str) -> Self {
        Self { subject, promise, number: AtomicU64::new(0) }
    }

    pub(super) const fn subject(&self) -> &'s S {
        self.subject
    }

    pub(super) fn store(&self) -> &'s dyn GrantStore {
        self.subject.store()
    }

    fn number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// A later whole second at every call, in 2030.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_900_000_000_000_000).saturating_add(Duration::from_secs(self.number()))
    }

    /// A short name that no other promise makes.
    pub(super) fn name(&self, kind: &str) -> String {
        let promise = TokenDigest::of(self.promise).to_hex();
        format!("{kind}-{}-{}", &promise.as_str()[..8], self.number())
    }

    pub(super) fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.name("token"))
    }

    pub(super) fn client_id(&self) -> ClientId {
        ClientId::new(self.name("client")).expect("the name is sound")
    }

    pub(super) fn grant_id(&self) -> GrantId {
        GrantId::new(self.name("grant")).expect("the name is sound")
    }

    pub(super) fn person(&self) -> Person {
        Person::new(SubjectId::new(self.name("person")).expect("the name is sound")).named("Ada")
    }

    /// A secret that no other is equal to, in the form that the store takes.
    fn secret(&self) -> StoredSecret {
        let text = format!("{:A<80}", format!("{}-", self.name("secret")));
        match self.store().sealing() {
            // The suite opens none.
            Sealing::Service => envelope(&text).into(),
            Sealing::Store => StoredSecret::Plain(Secret::new(text).into()),
        }
    }

    pub(super) fn upstream(&self) -> UpstreamTokens {
        let expires_at = self.now().saturating_add(ACCESS_LIFE);
        UpstreamTokens { access_token: self.secret(), refresh_token: Some(self.secret()), expires_at }
    }

    pub(super) fn reply(&self, tokens: &NewTokens) -> Reply {
        let sealed = envelope(&format!("{:A<80}", format!("{}-", self.name("reply"))));
        let until = tokens.at.saturating_add(Duration::from_secs(30));
        Reply::new(sealed, until, tokens.access_expires_at, tokens.scopes.clone())
    }

    /// A client that says something in every field.
    pub(super) fn client(&self) -> ClientRecord {
        let uris = [REDIRECT_URI, "http://127.0.0.1:4711/callback"];
        let uris = uris.map(|uri| uri.parse().expect("a redirect URI")).into();
        let mut client = ClientRecord::new(self.client_id(), uris, self.now());
        client.secret = Some(self.digest());
        client.secret_expires_at = Some(self.now().saturating_add(REFRESH_LIFE));
        client.auth_method = ClientAuthMethod::ClientSecretPost;
        client.scopes = Some(scopes(&["read", "write"]));
        client.name = Some("An app".to_owned());
        client.metadata.insert("client_uri".to_owned(), "https://app.example".into());
        client
    }

    /// A grant that says something in every field.
    pub(super) fn grant(&self, client: &ClientId) -> Grant {
        let granted = scopes(&["read", "write", "repo:admin"]);
        let mut grant = Grant::new(self.grant_id(), client.clone(), self.person(), granted, self.now());
        grant.resource = Some("https://api.example/mcp".to_owned());
        grant.ends_at = Some(self.now().saturating_add(12 * REFRESH_LIFE));
        grant.upstream = Some(self.upstream());
        grant
    }

    pub(super) fn code(&self, grant: Grant) -> NewCode {
        let challenge = CodeChallenge::new(CHALLENGE).expect("a challenge");
        let expires_at = self.now().saturating_add(CODE_LIFE);
        NewCode::new(CodeRecord::new(self.digest(), grant, REDIRECT_URI.to_owned(), challenge, expires_at))
    }

    /// An access token and a refresh token.
    pub(super) fn tokens(&self, grant: &Grant) -> NewTokens {
        let at = self.now();
        let mut tokens = NewTokens::new(grant, self.digest(), at.saturating_add(ACCESS_LIFE), at);
        tokens.refresh = Some((self.digest(), at.saturating_add(REFRESH_LIFE)));
        tokens
    }

    pub(super) fn redemption(&self, code: &CodeRecord) -> RedeemRequest {
        RedeemRequest::new(code.digest, self.tokens(&code.grant))
    }

    pub(super) fn exchange(&self, held: &Held) -> ExchangeRequest {
        ExchangeRequest::new(held.refresh, self.tokens(&held.grant))
    }

    pub(super) fn revocation(&self, grant: &Grant) -> RevokeGrantRequest {
        RevokeGrantRequest::new(grant.id.clone(), GrantEnd::Revoked, self.now())
    }
}

/// Making things that are stored.
impl<S: Subject> Maker<'_, S> {
    pub(super) async fn registered(&self) -> ClientId {
        let client = self.client();
        self.answer(self.store().register(&client).await, "a client is registered");
        client.id
    }

    /// A code of a new client.
    pub(super) async fn coded(&self) -> CodeRecord {
        let client = self.registered().await;
        self.coded_for(&client).await
    }

    pub(super) async fn coded_for(&self, client: &ClientId) -> CodeRecord {
        self.added(self.code(self.grant(client))).await
    }

    pub(super) async fn added(&self, new: NewCode) -> CodeRecord {
        self.answer(self.store().add_code(&new).await, "a code is added");
        new.code
    }

    /// The tokens of a new client.
    pub(super) async fn redeemed(&self) -> Held {
        let client = self.registered().await;
        self.redeemed_for(&client).await
    }

    pub(super) async fn redeemed_for(&self, client: &ClientId) -> Held {
        self.redeemed_of(&self.coded_for(client).await).await
    }

    pub(super) async fn redeemed_of(&self, code: &CodeRecord) -> Held {
        let request = self.redemption(code);
        let won = self.answer(self.store().redeem(&request).await, "a code is redeemed");
        self.same(&won, &true, "a code that nobody has redeemed is redeemed");
        Held::new(code.grant.clone(), code.digest, request.tokens)
    }

    /// The tokens that come of an exchange.
    pub(super) async fn exchanged(&self, held: &Held) -> Held {
        self.exchanged_by(held, self.exchange(held)).await
    }

    pub(super) async fn exchanged_by(&self, held: &Held, request: ExchangeRequest) -> Held {
        let won = self.answer(self.store().exchange(&request).await, "a refresh token is exchanged");
        self.same(&won, &true, "a refresh token that nobody has spent is exchanged");
        Held::new(held.grant.clone(), held.code, request.tokens)
    }

    /// Revokes a grant, for a promise about something else.
    pub(super) async fn revoked(&self, grant: &Grant) {
        let revoked = self.answer(self.store().revoke_grant(&self.revocation(grant)).await, "a grant is revoked");
        self.same(&revoked, &true, "a grant that nobody has revoked is revoked");
    }
}

/// An envelope that nobody opens.
fn envelope(text: &str) -> Sealed {
    Sealed::parse(&format!("keyward.1.first.{text}")).expect("an envelope")
}

pub(super) fn scopes(names: &[&str]) -> Scopes {
    Scopes::from_stored(names.iter().copied())
}
