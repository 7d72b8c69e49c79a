//! By which method, and with which secret, a client is accepted.

use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);
const DEFECT: Defect = Defect::new("clients", "redirect_uris");

fn public() -> ClientRecord {
    ClientRecord::new(ClientId::new("app").unwrap(), Vec::new(), NOW)
}

fn confidential(auth_method: ClientAuthMethod) -> ClientRecord {
    ClientRecord { auth_method, secret: Some(TokenDigest::of("secret")), ..public() }
}

fn basic() -> ClientRecord {
    confidential(ClientAuthMethod::ClientSecretBasic)
}

fn post() -> ClientRecord {
    confidential(ClientAuthMethod::ClientSecretPost)
}

#[test]
fn a_client_is_accepted_by_the_method_that_it_has_registered_and_by_no_other() {
    let presented = [
        PresentedClient::Named("app"),
        PresentedClient::Basic("app", "secret"),
        PresentedClient::Post("app", "secret"),
    ];
    for (own, client) in [public(), basic(), post()].iter().enumerate() {
        for (used, presented) in presented.into_iter().enumerate() {
            let promised = if own == used { Ok(()) } else { Err(ClientRefusal::OtherMethod) };
            assert_eq!(authenticate_client(Some(client), presented, NOW), promised, "{presented:?}");
        }
    }
}

#[test]
fn nobody_is_accepted_for_a_client_that_is_not_there() {
    for presented in
        [PresentedClient::Named("app"), PresentedClient::Basic("app", "secret"), PresentedClient::Post("app", "secret")]
    {
        assert_eq!(authenticate_client(None, presented, NOW), Err(ClientRefusal::Unknown));
    }
}

#[test]
fn a_client_that_was_not_named_is_not_accepted_whatever_the_store_has_found() {
    for name in ["App", "app ", "", "other"] {
        let refusal = authenticate_client(Some(&public()), PresentedClient::Named(name), NOW);
        assert_eq!(refusal, Err(ClientRefusal::Unknown), "{name:?}");
        let refusal = authenticate_client(Some(&basic()), PresentedClient::Basic(name, "secret"), NOW);
        assert_eq!(refusal, Err(ClientRefusal::Unknown), "{name:?}");
    }
}

#[test]
fn a_secret_is_compared_whole_and_letter_for_letter() {
    for secret in ["", "secre", "secret ", "Secret", "secretsecret", TokenDigest::of("secret").to_hex().as_str()] {
        let refusal = authenticate_client(Some(&basic()), PresentedClient::Basic("app", secret), NOW);
        assert_eq!(refusal, Err(ClientRefusal::WrongSecret), "{secret:?}");
        let refusal = authenticate_client(Some(&post()), PresentedClient::Post("app", secret), NOW);
        assert_eq!(refusal, Err(ClientRefusal::WrongSecret), "{secret:?}");
    }
}

#[test]
fn a_row_with_a_method_and_a_secret_that_do_not_fit_each_other_accepts_nobody() {
    let without = ClientRecord { secret: None, ..basic() };
    for secret in ["", "secret"] {
        let refusal = authenticate_client(Some(&without), PresentedClient::Basic("app", secret), NOW);
        assert_eq!(refusal, Err(ClientRefusal::WrongSecret));
    }
    let with = ClientRecord { secret: Some(TokenDigest::of("")), ..public() };
    let refusal = authenticate_client(Some(&with), PresentedClient::Named("app"), NOW);
    assert_eq!(refusal, Err(ClientRefusal::WrongSecret));
}

#[test]
fn a_secret_ends_at_its_very_second_and_only_for_a_client_that_has_one() {
    let second = Duration::from_secs(1);
    for (end, promised) in [
        (NOW.saturating_add(second), Ok(())),
        (NOW, Err(ClientRefusal::SecretExpired)),
        (NOW.saturating_sub(second), Err(ClientRefusal::SecretExpired)),
    ] {
        let client = ClientRecord { secret_expires_at: Some(end), ..basic() };
        assert_eq!(authenticate_client(Some(&client), PresentedClient::Basic("app", "secret"), NOW), promised);
        let client = ClientRecord { secret_expires_at: Some(end), ..public() };
        assert_eq!(authenticate_client(Some(&client), PresentedClient::Named("app"), NOW), Ok(()));
    }
}

#[test]
fn each_refusal_comes_before_the_next_one() {
    // Everything is wrong at first, and one thing less in each step.
    let mut client = ClientRecord { defect: Some(DEFECT), secret_expires_at: Some(NOW), ..basic() };
    let refusal = |client: &ClientRecord, presented| authenticate_client(Some(client), presented, NOW);
    assert_eq!(refusal(&client, PresentedClient::Post("other", "wrong")), Err(ClientRefusal::Unknown));
    assert_eq!(refusal(&client, PresentedClient::Post("app", "wrong")), Err(ClientRefusal::Defective));
    client.defect = None;
    assert_eq!(refusal(&client, PresentedClient::Post("app", "wrong")), Err(ClientRefusal::OtherMethod));
    // Who does not know the secret does not learn that it has ended.
    assert_eq!(refusal(&client, PresentedClient::Basic("app", "wrong")), Err(ClientRefusal::WrongSecret));
    assert_eq!(refusal(&client, PresentedClient::Basic("app", "secret")), Err(ClientRefusal::SecretExpired));
    client.secret_expires_at = None;
    assert_eq!(refusal(&client, PresentedClient::Basic("app", "secret")), Ok(()));
}

#[test]
fn debug_shows_no_secret() {
    for presented in [PresentedClient::Basic("app", "hunter2"), PresentedClient::Post("app", "hunter2")] {
        assert!(!format!("{presented:?} {presented:#?}").contains("hunter2"));
    }
    assert!(!format!("{:?}", basic()).contains(TokenDigest::of("secret").to_hex().as_str()));
}

#[test]
fn the_names_of_methods_are_read_as_they_are_written() {
    for method in ClientAuthMethod::ALL {
        assert_eq!(ClientAuthMethod::from_name(method.as_str()), Some(method));
    }
    for unknown in ["", "None", "client_secret_jwt", "private_key_jwt", "client_secret_basic "] {
        assert_eq!(ClientAuthMethod::from_name(unknown), None);
    }
}
