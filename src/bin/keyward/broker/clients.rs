//! `clients` and `register`.

use keyward::broker::{ClientMetadata, ClientRecord, RedirectUri};
use keyward::key::Scope;
use keyward::service::Tokens;
use serde_json::{Value, json};

use super::arguments::{ClientListArguments, RegisterArguments};
use crate::failure::Failure;
use crate::output::{Document, Fields, Lost, Text, cut, object, page};

const COLUMNS: &[&str] = &["client_id", "name", "auth_method", "redirect_uris", "created_at", "last_used_at"];

pub(super) async fn list(tokens: &Tokens, arguments: ClientListArguments) -> Result<Document, Failure> {
    let ClientListArguments { limit, after } = arguments;
    // One more than is shown says whether there are more.
    let mut clients = tokens.clients(after, limit + 1).await?;
    let next = cut(&mut clients, limit, |client| client.id.as_str());
    Ok(page("clients", clients.iter().map(describe).collect(), COLUMNS, next.as_deref(), Vec::new()))
}

/// Everything about a client that may be shown: no secret.
fn describe(client: &ClientRecord) -> Fields {
    let uris: Vec<_> = client.redirect_uris.iter().map(RedirectUri::as_str).collect();
    let scopes = client.scopes.as_ref().map(|scopes| scopes.iter().collect::<Vec<_>>());
    let mut fields = vec![
        ("client_id", json!(client.id.as_str())),
        ("name", json!(client.name)),
        ("auth_method", json!(client.auth_method.as_str())),
        ("redirect_uris", json!(uris)),
        ("may_refresh", json!(client.may_refresh)),
        ("scopes", json!(scopes)),
        ("created_at", json!(client.created_at.to_string())),
        ("last_used_at", json!(client.last_used_at.map(|at| at.to_string()))),
    ];
    if let Some(defect) = &client.defect {
        fields.push(("defect", json!(defect.to_string())));
    }
    fields
}

pub(super) async fn register(tokens: &Tokens, arguments: RegisterArguments) -> Result<Document, Failure> {
    let RegisterArguments { redirect_uris, name, scopes, confidential } = arguments;
    let uris: Vec<_> = redirect_uris.iter().map(RedirectUri::as_str).collect();
    let mut metadata = json!({
        "redirect_uris": uris,
        "client_name": name,
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": if confidential { "client_secret_basic" } else { "none" },
    });
    if !scopes.is_empty() {
        let scopes: Vec<_> = scopes.iter().map(Scope::as_str).collect();
        metadata["scope"] = Value::String(scopes.join(" "));
    }
    // It is read as a request over HTTP is, so that nothing is registered here that could not be there.
    let metadata = ClientMetadata::from_json(&metadata.to_string());
    let metadata = metadata.map_err(|refusal| Failure::usage(refusal.to_string()))?;
    let client = tokens.register(metadata).await?;
    let fields = describe(&client.record);
    let Some(secret) = client.secret else { return Ok(Document::fields(fields)) };
    let id = client.record.id.as_str();
    let lost = Lost {
        what: format!("the client {id} was registered"),
        then: format!("its secret is lost: remove it with `keyward broker revoke --client={id} --remove`"),
    };
    let remarks = vec![format!("client_id {id}")];
    Ok(Document::new(object(&fields), Text::Secret { name: "client_secret", secret, remarks, lost }))
}
