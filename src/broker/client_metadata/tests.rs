//! What is registered, what has a default, and what is refused.

use super::*;

fn read(members: Value) -> Result<ClientMetadata, RegistrationRefusal> {
    let mut body = json!({"redirect_uris": ["https://app.example/cb"]});
    if let (Some(body), Value::Object(members)) = (body.as_object_mut(), members) {
        body.extend(members);
    }
    ClientMetadata::from_json(&body.to_string())
}

#[test]
fn what_is_left_out_has_the_defaults_of_the_standard() {
    for absent in [json!({}), json!({"grant_types": null, "scope": null, "client_name": null}), json!({"scope": ""})] {
        let metadata = read(absent).unwrap();
        assert_eq!(metadata.auth_method, ClientAuthMethod::ClientSecretBasic);
        assert_eq!((metadata.may_refresh, &metadata.scopes, &metadata.name), (false, &None, &None));
        assert_eq!(
            Value::Object(metadata.to_json()),
            json!({
                "redirect_uris": ["https://app.example/cb"],
                "token_endpoint_auth_method": "client_secret_basic",
                "grant_types": ["authorization_code"],
                "response_types": ["code"],
            })
        );
    }
}

#[test]
fn what_was_registered_is_answered_and_what_is_not_known_is_not() {
    let metadata = read(json!({
        "grant_types": ["refresh_token", "authorization_code", "implicit"],
        "response_types": ["code", "token"],
        "token_endpoint_auth_method": "none",
        "scope": "a b a",
        "client_name": "Editor",
        "client_uri": "https://app.example",
        "application_type": "native",
        "contacts": ["a@app.example"],
        "jwks": {"keys": []},
        "client_id": "chosen by the client",
    }));
    assert_eq!(
        Value::Object(metadata.unwrap().to_json()),
        json!({
            "redirect_uris": ["https://app.example/cb"],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "scope": "a b",
            "client_name": "Editor",
            "client_uri": "https://app.example",
            "application_type": "native",
            "contacts": ["a@app.example"],
        })
    );
}

#[test]
fn what_is_registered_reads_back_as_it_was() {
    let metadata = read(json!({"scope": "a b", "client_name": "Editor", "grant_types": ["authorization_code"]}));
    let metadata = metadata.unwrap();
    let stored = Value::Object(metadata.to_json()).to_string();
    assert_eq!(ClientMetadata::from_json(&stored), Ok(metadata));
}

#[test]
fn a_document_names_its_own_url_and_holds_no_secret() {
    const URL: &str = "https://app.example/client.json";

    let read = |members: Value| {
        let url = ClientMetadataUrl::of(&crate::broker::ClientId::new(URL).unwrap()).unwrap();
        let mut document = json!({"client_id": URL, "redirect_uris": ["https://app.example/cb"]});
        if let (Some(document), Value::Object(members)) = (document.as_object_mut(), members) {
            document.extend(members);
        }
        ClientMetadata::from_document(&url, &document.to_string())
    };
    let metadata = read(json!({"grant_types": ["authorization_code", "refresh_token"]})).unwrap();
    assert_eq!((metadata.auth_method, metadata.may_refresh), (ClientAuthMethod::None, true));
    assert_eq!(read(json!({"token_endpoint_auth_method": "none"})).unwrap().auth_method, ClientAuthMethod::None);
    for refused in [
        json!({"client_id": "https://app.example/client.json?"}),
        json!({"client_id": "https://app.example/Client.json"}),
        json!({"client_id": null}),
        json!({"client_id": [URL]}),
        json!({"client_secret": "known to everybody"}),
        json!({"client_secret_expires_at": 0}),
        json!({"token_endpoint_auth_method": "client_secret_post"}),
        json!({"token_endpoint_auth_method": "client_secret_basic"}),
        json!({"token_endpoint_auth_method": "private_key_jwt"}),
        json!({"redirect_uris": ["javascript:alert(1)"]}),
        json!({"client_uri": "x".repeat(9_000)}),
    ] {
        assert!(read(refused.clone()).is_err(), "{refused}");
    }
}

#[test]
fn whatever_cannot_be_honoured_is_refused_by_its_code() {
    use OAuthErrorCode::{InvalidClientMetadata, InvalidRedirectUri};

    for (members, expected) in [
        (json!({"redirect_uris": []}), InvalidRedirectUri),
        (json!({"redirect_uris": null}), InvalidRedirectUri),
        (json!({"redirect_uris": "https://app.example/cb"}), InvalidRedirectUri),
        (json!({"redirect_uris": [7]}), InvalidRedirectUri),
        (json!({"redirect_uris": ["https://app.example/cb", "data:,x"]}), InvalidRedirectUri),
        (json!({"redirect_uris": vec!["https://app.example/cb"; 17]}), InvalidRedirectUri),
        (json!({"token_endpoint_auth_method": "private_key_jwt"}), InvalidClientMetadata),
        (json!({"token_endpoint_auth_method": 7}), InvalidClientMetadata),
        (json!({"grant_types": ["implicit"]}), InvalidClientMetadata),
        (json!({"grant_types": "authorization_code"}), InvalidClientMetadata),
        (json!({"response_types": ["token"]}), InvalidClientMetadata),
        (json!({"scope": "a\u{7}"}), InvalidClientMetadata),
        (json!({"scope": ["a"]}), InvalidClientMetadata),
        (json!({"client_name": "a\nb"}), InvalidClientMetadata),
        (json!({"client_name": "a".repeat(256)}), InvalidClientMetadata),
        (json!({"client_uri": "javascript:alert(1)"}), InvalidClientMetadata),
        (json!({"software_id": "a".repeat(2000)}), InvalidClientMetadata),
        (json!({"application_type": "toaster"}), InvalidClientMetadata),
        (json!({"contacts": "a@app.example"}), InvalidClientMetadata),
    ] {
        assert_eq!(read(members.clone()).map_err(|refusal| refusal.error_code()), Err(expected), "{members}");
    }
    for body in ["", "[]", "7", "{", "null"] {
        assert_eq!(ClientMetadata::from_json(body).map_err(|refusal| refusal.error_code()), Err(InvalidClientMetadata));
    }
}
