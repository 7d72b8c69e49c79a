//! A client over plain TCP: what stands between a request that was built and an answer that is understood.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use keyward::credential::{
    AnswerHeaders, Attempt, ClientId, CoordinateForm, DpopKey, DpopNonce, Endpoint, Expected, OAuthClient,
    RefreshRequest, ServerAnswer, TokenAnswer, TokenOutcome, TokenType,
};
use keyward::{Secret, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::double::{Client, Double, Tokens};

pub(super) const DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";
pub(crate) const CLIENT: &str = "https://app.example/client-metadata.json";
const START: i64 = 1_893_456_000;

/// An answer as bytes; `None` where there was none, or half of one.
pub(super) struct Raw {
    pub(super) status: u16,
    pub(super) headers: AnswerHeaders,
    pub(super) body: Vec<u8>,
}

pub(super) async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Option<Raw> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(host).await.ok()?;
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (headers, length) = (headers.concat(), body.len());
    let text = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(text.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..end].to_vec()).ok()?;
    let body = answer[end + 4..].to_vec();
    let lines = || head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
    let length = lines().find(|(name, _)| *name == "Content-Length").and_then(|(_, value)| value.parse().ok());
    if length != Some(body.len()) {
        return None;
    }
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Raw { status, headers: lines().collect(), body })
}

/// A session on a double, with everything that its owner has to remember.
pub(super) struct Session {
    pub(super) double: Double,
    pub(super) clock: Arc<AtomicI64>,
    pub(super) client: OAuthClient,
    pub(super) key: Option<DpopKey>,
    pub(super) form: CoordinateForm,
    pub(super) nonce: Option<DpopNonce>,
    pub(super) access_token: Secret,
    pub(super) refresh_token: Secret,
    /// How far its owner's clock is ahead of the server's, in seconds.
    pub(super) skew: i64,
    attempts: u8,
}

impl Session {
    /// A session of a public client, bound to `key` as it is sent in `form`; without a key, one of bearer tokens.
    pub(super) fn begin(key: Option<DpopKey>, form: CoordinateForm) -> Self {
        Self::begin_by(OAuthClient::public(ClientId::new(CLIENT).unwrap()), Client::Public, key, form)
    }

    pub(super) fn begin_by(client: OAuthClient, known: Client, key: Option<DpopKey>, form: CoordinateForm) -> Self {
        let clock = Arc::new(AtomicI64::new(START));
        let seconds = Arc::clone(&clock);
        let double = Double::start(move || seconds.load(Ordering::SeqCst));
        double.register(client.id.as_str(), known);
        let jkt = key.as_ref().map(|key| key.thumbprint(form));
        let Tokens { access_token, refresh_token } = double.sign_in(DID, client.id.as_str(), jkt.as_deref());
        // What a new owner has to find out by itself.
        let form = key.as_ref().map_or(CoordinateForm::Padded, |key| key.form_of(&access_token));
        Self {
            double,
            clock,
            client,
            key,
            form,
            nonce: None,
            access_token: Secret::new(access_token),
            refresh_token: Secret::new(refresh_token),
            skew: 0,
            attempts: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_micros((self.clock.load(Ordering::SeqCst) + self.skew) * 1_000_000)
    }

    /// An identifier that no proof of this session had before.
    pub(super) fn next_id(&mut self) -> [u8; 16] {
        self.attempts += 1;
        [self.attempts; 16]
    }

    /// One request, and what its answer means; `None` where there is no answer.
    pub(super) async fn attempt(&mut self) -> Option<TokenOutcome> {
        let endpoint = Endpoint::new(self.double.token_endpoint()).unwrap();
        let issuer = self.double.issuer();
        let (at, id) = (self.now(), self.next_id());
        let mut refresh = RefreshRequest::new(&self.client, &endpoint, &issuer, &self.refresh_token);
        if let Some(key) = &self.key {
            refresh = refresh.dpop(key, self.form, self.nonce.as_ref());
        }
        let request = refresh.build(Attempt::new(at, id, id));
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
        let raw = send("POST", request.url.as_str(), &headers, request.body.expose_secret()).await?;
        let token_type = if self.key.is_some() { TokenType::Dpop } else { TokenType::Bearer };
        let expected = Expected::new(token_type, &self.refresh_token).subject(DID).scope("atproto");
        let answer = TokenAnswer::understand(ServerAnswer::new(raw.status, &raw.headers, &raw.body), &expected);
        self.nonce = answer.nonce.or_else(|| self.nonce.take());
        Some(answer.outcome)
    }

    /// A refresh as it has to be: once, and once more for a nonce. A new pair replaces the old one.
    pub(super) async fn refresh(&mut self) -> Option<TokenOutcome> {
        let mut outcome = self.attempt().await?;
        if matches!(outcome, TokenOutcome::UseNonce) {
            outcome = self.attempt().await?;
        }
        if let TokenOutcome::Refreshed(pair) = &outcome {
            self.access_token = Secret::new(pair.access_token.expose_secret().to_owned());
            if let Some(next) = &pair.refresh_token {
                self.refresh_token = Secret::new(next.expose_secret().to_owned());
            }
        }
        Some(outcome)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.double.current(DID).is_some()
    }
}

/// The key of indigo's tests.
pub(crate) fn key() -> DpopKey {
    DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D").unwrap()
}
