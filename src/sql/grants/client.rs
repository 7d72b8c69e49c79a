//! Clients in the host's table: what of a client is read from the JSON of its metadata, and how that is written.

use serde_json::{Map, Value as Json};

use crate::broker::{ClientAuthMethod, ClientId, ClientRecord, RedirectUri, TokenDigest};
use crate::key::Scopes;
use crate::sql::engine::{Cell, Row, Value};
use crate::sql::grants::arguments::{optional_time, text, time};
use crate::sql::keys::{RowReader, columns};
use crate::time::Timestamp;

columns! {
    /// What every read of clients returns.
    pub(super) enum ClientColumn {
        ClientId = "client_id",
        ClientSecret = "client_secret",
        RedirectUris = "redirect_uris",
        MetadataJson = "metadata_json",
        CreatedAt = "created_at",
        LastUsed = "last_used",
    }
}

/// Stands in front of the digest of a secret. What does not have it is a secret in clear, which is never compared.
const SECRET_MARK: &str = "sha256:";

/// Members of the metadata that are columns or fields, and not kept as what else a client says.
const KNOWN: [&str; 7] = [
    "client_name",
    "client_secret_expires_at",
    "grant_types",
    "redirect_uris",
    "response_types",
    "scope",
    "token_endpoint_auth_method",
];

/// What the metadata of a client say of it (RFC 7591 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    auth_method: ClientAuthMethod,
    may_refresh: bool,
    scopes: Option<Scopes>,
    name: Option<String>,
    secret_expires_at: Option<Timestamp>,
}

impl Said {
    fn by(client: &ClientRecord) -> Self {
        Self {
            auth_method: client.auth_method,
            may_refresh: client.may_refresh,
            scopes: client.scopes.clone(),
            name: client.name.clone(),
            secret_expires_at: client.secret_expires_at,
        }
    }

    /// Of a client without metadata, as the other program registers them: all may refresh.
    const fn without_metadata(has_secret: bool) -> Self {
        let auth_method = default_method(has_secret);
        Self { auth_method, may_refresh: true, scopes: None, name: None, secret_expires_at: None }
    }

    /// `None` where a member is of another kind than it should be.
    fn read(members: &Map<String, Json>, has_secret: bool) -> Option<Self> {
        let text = |name: &str| match members.get(name) {
            None | Some(Json::Null) => Some(None),
            Some(Json::String(text)) => Some(Some(text.as_str())),
            Some(_) => None,
        };
        let auth_method = match text("token_endpoint_auth_method")? {
            None => default_method(has_secret),
            Some(name) => ClientAuthMethod::from_name(name)?,
        };
        let may_refresh = match members.get("grant_types") {
            None | Some(Json::Null) => false,
            Some(Json::Array(types)) => types.iter().any(|name| name.as_str() == Some("refresh_token")),
            Some(_) => return None,
        };
        let secret_expires_at = match members.get("client_secret_expires_at") {
            None | Some(Json::Null) => None,
            Some(number) => Some(number.as_i64()?).filter(|seconds| *seconds != 0).map(Timestamp::from_seconds),
        };
        let scopes = text("scope")?.map(|scopes| Scopes::from_stored(scopes.split(' ')));
        Some(Self {
            auth_method,
            may_refresh,
            scopes,
            name: text("client_name")?.map(str::to_owned),
            secret_expires_at,
        })
    }

    /// The members in which this is said, each with its value, or without one where it is not said.
    fn members(&self) -> [(&'static str, Option<Json>); 5] {
        let mut types = vec![Json::from("authorization_code")];
        types.extend(self.may_refresh.then(|| Json::from("refresh_token")));
        [
            ("token_endpoint_auth_method", Some(self.auth_method.as_str().into())),
            ("grant_types", Some(types.into())),
            ("scope", self.scopes.as_ref().map(|scopes| scopes.joined().into())),
            ("client_name", self.name.as_deref().map(Json::from)),
            ("client_secret_expires_at", self.secret_expires_at.map(|at| at.as_seconds().into())),
        ]
    }
}

/// A client with a secret has to show it, unless it says otherwise; one without has none to show.
const fn default_method(has_secret: bool) -> ClientAuthMethod {
    if has_secret { ClientAuthMethod::ClientSecretBasic } else { ClientAuthMethod::None }
}

/// The metadata as they are stored: what the record says, and what else the client has said.
fn metadata(client: &ClientRecord) -> String {
    let mut members = others(client.metadata.clone());
    let said = Said::by(client).members();
    members.extend(said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Json::Object(members).to_string()
}

/// Whether a row without metadata says the same.
fn goes_without_metadata(client: &ClientRecord) -> bool {
    client.metadata.is_empty() && Said::by(client) == Said::without_metadata(client.secret.is_some())
}

fn redirect_uris_of(client: &ClientRecord) -> String {
    let uris: Vec<_> = client.redirect_uris.iter().map(RedirectUri::as_str).collect();
    serde_json::json!(uris).to_string()
}

fn others(mut members: Map<String, Json>) -> Map<String, Json> {
    members.retain(|name, _| !KNOWN.contains(&name.as_str()));
    members
}

/// The columns of a client.
pub(super) fn values(client: &ClientRecord) -> [Value<'static>; 6] {
    [
        text(client.id.as_str()),
        marked_secret(client),
        redirect_uris_of(client).into(),
        (!goes_without_metadata(client)).then(|| metadata(client)).into(),
        time(client.created_at),
        optional_time(client.last_used_at),
    ]
}

fn marked_secret(client: &ClientRecord) -> Value<'static> {
    client.secret.as_ref().map(|digest| format!("{SECRET_MARK}{}", digest.to_hex().as_str())).into()
}

/// The columns by which one registration is told from another one under the same identifier.
pub(super) fn registration_values(client: &ClientRecord) -> [Value<'static>; 3] {
    [text(client.id.as_str()), marked_secret(client), time(client.created_at)]
}

/// The identifier, and the columns in which a client speaks of itself. The metadata is never left out: what its absence means
/// depends on the secret in the row, which is not the one in the record.
pub(super) fn updated_values(client: &ClientRecord) -> [Value<'static>; 3] {
    [text(client.id.as_str()), redirect_uris_of(client).into(), metadata(client).into()]
}

/// Reads a client.
pub(super) fn client(row: &Row<'_>) -> ClientRecord {
    let mut row = RowReader::new("clients", row);
    let id = ClientId::from_stored(row.text(ClientColumn::ClientId));
    let created_at = seconds_in(&mut row, ClientColumn::CreatedAt).unwrap_or(Timestamp::MIN);
    let mut client = ClientRecord::new(id, redirect_uris(&mut row), created_at);
    client.last_used_at = seconds_in(&mut row, ClientColumn::LastUsed);
    let has_secret = !row.is_null(ClientColumn::ClientSecret);
    client.secret = secret(&mut row);
    let read = |json: &str| serde_json::from_str::<Map<String, Json>>(json);
    let said = match row.optional_with(ClientColumn::MetadataJson, read) {
        None => Some(Said::without_metadata(has_secret)),
        Some(members) => members.ok().and_then(|members| {
            let said = Said::read(&members, has_secret)?;
            client.metadata = others(members);
            Some(said)
        }),
    };
    let said = said.or_else(|| row.mark_defect(ClientColumn::MetadataJson));
    if let Some(Said { auth_method, may_refresh, scopes, name, secret_expires_at }) = said {
        client.auth_method = auth_method;
        client.may_refresh = may_refresh;
        client.scopes = scopes;
        client.name = name;
        client.secret_expires_at = secret_expires_at;
    }
    client.defect = row.defect();
    client
}

fn seconds_in(row: &mut RowReader<'_>, column: ClientColumn) -> Option<Timestamp> {
    match row.cell(column) {
        Cell::Null => None,
        Cell::Integer(seconds) => Some(Timestamp::from_seconds(seconds)),
        _ => row.mark_defect(column),
    }
}

/// One that could not be registered here admits nothing, and spoils none beside it.
fn redirect_uris(row: &mut RowReader<'_>) -> Vec<RedirectUri> {
    let uris = row.text(ClientColumn::RedirectUris);
    match serde_json::from_str::<Vec<String>>(&uris) {
        Ok(uris) => uris.into_iter().filter_map(|uri| RedirectUri::new(uri).ok()).collect(),
        Err(_) => row.mark_defect(ClientColumn::RedirectUris).unwrap_or_default(),
    }
}

fn secret(row: &mut RowReader<'_>) -> Option<TokenDigest> {
    let secret = row.optional_text(ClientColumn::ClientSecret)?;
    let digest = secret.strip_prefix(SECRET_MARK).and_then(TokenDigest::from_hex);
    digest.or_else(|| row.mark_defect(ClientColumn::ClientSecret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ClientRecord {
        ClientRecord::new(ClientId::from_stored("client"), Vec::new(), Timestamp::from_seconds(1))
    }

    #[test]
    fn what_is_stored_says_what_the_record_says() {
        let mut odd = record();
        odd.metadata.insert("logo_uri".to_owned(), "x".into());
        odd.metadata.insert("client_name".to_owned(), "Other".into());
        odd.name = Some("Mine".to_owned());
        let stored: Map<String, Json> = serde_json::from_str(&metadata(&odd)).unwrap();
        assert_eq!(Said::read(&stored, false), Some(Said::by(&odd)));
        assert_eq!(Json::Object(others(stored)), serde_json::json!({"logo_uri": "x"}));
        assert!(goes_without_metadata(&record()) && !goes_without_metadata(&odd));
    }

    #[test]
    fn the_defaults_are_those_of_rfc_7591() {
        let read = |json: &str, has_secret| Said::read(&serde_json::from_str(json).unwrap(), has_secret);
        let said = read("{}", true).unwrap();
        assert_eq!((said.auth_method, said.may_refresh), (ClientAuthMethod::ClientSecretBasic, false));
        assert_eq!(read("{}", false).unwrap().auth_method, ClientAuthMethod::None);
        for odd in [r#"{"grant_types":"refresh_token"}"#, r#"{"token_endpoint_auth_method":"none "}"#] {
            assert_eq!(read(odd, false), None, "{odd}");
        }
    }
}
