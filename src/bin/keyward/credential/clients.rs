//! The OAuth clients that obtained the credentials.

use std::path::Path;
use std::sync::Arc;

use keyward::Secret;
use keyward::credential::{ClientAuthentication, ClientId, ClientKey, DpopKey, OAuthClient};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::secret_file;

/// The largest file, in bytes.
const MAX_FILE_LEN: u64 = 64 * 1024;

/// Those that a file names.
pub(super) struct Clients(Vec<OAuthClient>);

#[derive(Deserialize)]
struct Entry<'j> {
    client_id: String,
    token_endpoint_auth_method: Option<String>,
    client_secret: Option<String>,
    kid: Option<String>,
    private_key_multibase: Option<String>,
    #[serde(borrow)]
    jwk: Option<&'j RawValue>,
}

impl Clients {
    pub(super) fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file else { return Ok(Self(Vec::new())) };
        let text = secret_file::read(path, "--clients", MAX_FILE_LEN)?;
        let wrong = |said: &str| Failure::usage(format!("--clients: {said}"));
        let entries: Vec<Entry<'_>> = if text.trim_start().starts_with('[') {
            serde_json::from_str(&text).map_err(|_| wrong("no array of JSON objects with a client_id each"))?
        } else {
            vec![serde_json::from_str(&text).map_err(|_| wrong("no JSON object with a client_id"))?]
        };
        entries.into_iter().map(|entry| client(entry).map_err(|said| wrong(&said))).collect::<Result<_, _>>().map(Self)
    }

    /// These, and a public client of this identifier if none of them has it.
    pub(super) fn with(&self, id: &str, key_id: Option<&str>) -> Result<Vec<OAuthClient>, Failure> {
        let mut clients = self.0.clone();
        let has_key = |client: &OAuthClient| match (&client.authentication, key_id) {
            (ClientAuthentication::PrivateKeyJwt(key), Some(id)) => key.kid() == id,
            (_, None) => true,
            _ => false,
        };
        let is_meant = |client: &OAuthClient| client.id.as_str() == id;
        if clients.iter().any(|client| is_meant(client) && has_key(client)) {
            return Ok(clients);
        }
        if key_id.is_some() {
            // Refused here, where nothing was sent: it would not be the client that it says it is.
            let said =
                "the client that obtained it has a key, and --clients names no client with its client_id and kid";
            return Err(Failure::usage(said));
        }
        let id = ClientId::new(id).map_err(|error| Failure::refused(error.to_string()))?;
        clients.push(OAuthClient::public(id));
        Ok(clients)
    }
}

fn client(entry: Entry<'_>) -> Result<OAuthClient, String> {
    let Entry { client_id, token_endpoint_auth_method: method, client_secret, kid, private_key_multibase, jwk } = entry;
    let id = ClientId::new(client_id).map_err(|error| error.to_string())?;
    let secret = client_secret.map(|secret| Arc::new(Secret::new(secret)));
    let has_key = private_key_multibase.is_some() || jwk.is_some();
    let method = method.as_deref().unwrap_or_else(|| match (has_key, secret.is_some()) {
        (true, _) => "private_key_jwt",
        (false, true) => "client_secret_basic",
        (false, false) => "none",
    });
    let authentication = match (method, secret) {
        ("none", None) if !has_key => ClientAuthentication::Public,
        ("client_secret_basic", Some(secret)) => ClientAuthentication::SecretBasic(secret),
        ("client_secret_post", Some(secret)) => ClientAuthentication::SecretPost(secret),
        ("private_key_jwt", None) => ClientAuthentication::PrivateKeyJwt(key(kid, private_key_multibase, jwk)?),
        ("none" | "client_secret_basic" | "client_secret_post" | "private_key_jwt", _) => {
            return Err("token_endpoint_auth_method does not fit the secret or key beside it".to_owned());
        }
        _ => return Err("token_endpoint_auth_method is one that keyward does not know".to_owned()),
    };
    Ok(OAuthClient::new(id, authentication))
}

fn key(kid: Option<String>, multibase: Option<String>, jwk: Option<&RawValue>) -> Result<ClientKey, String> {
    #[derive(Deserialize)]
    struct Named {
        kid: Option<String>,
    }
    let named = jwk.and_then(|jwk| serde_json::from_str::<Named>(jwk.get()).ok()).and_then(|named| named.kid);
    let key = match (multibase.map(Secret::new), jwk) {
        (Some(text), None) => DpopKey::from_multibase(text.expose_secret()),
        (None, Some(jwk)) => DpopKey::from_jwk(jwk.get()),
        _ => return Err("a key is given as private_key_multibase or as jwk".to_owned()),
    };
    let kid = kid.or(named).ok_or("a key needs its kid")?;
    ClientKey::new(key.map_err(|error| error.to_string())?, kid).map_err(|error| error.to_string())
}
