//! Clients and grants from their making to their end.

use keyward::broker::PresentedClient;
use keyward::service::PresentedGrant;
use serde_json::json;

use super::{REDIRECT, over_each_engine};

#[test]
fn a_public_client_has_no_secret_and_is_listed_as_it_was_registered() {
    over_each_engine(|desk| {
        let client = desk.document(&["register", "--redirect-uri", REDIRECT, "--name", "Editor"]);
        assert!(client.get("client_secret").is_none());
        assert_eq!(
            (
                &client["name"],
                &client["auth_method"],
                &client["redirect_uris"],
                &client["scopes"],
                &client["may_refresh"]
            ),
            (&json!("Editor"), &json!("none"), &json!([REDIRECT]), &json!(null), &json!(true))
        );
        assert_eq!(desk.document(&["clients"]), json!({ "clients": [client], "next": null }));
        let shown = desk.terminal.run(&["broker", "clients"], "").stdout;
        let id = client["client_id"].as_str().unwrap();
        assert!(shown.starts_with("CLIENT_ID ") && shown.contains(id) && shown.contains(REDIRECT), "{shown}");
        let printed = desk.terminal.run(&["broker", "register", "--redirect-uri", "http://127.0.0.1/cb"], "");
        assert!(printed.stdout.starts_with("client_id ") && printed.stdout.contains("auth_method "), "{printed:?}");
    });
}

#[test]
fn a_confidential_client_proves_itself_by_the_secret_that_is_printed_once() {
    over_each_engine(|desk| {
        let register = ["broker", "register", "--redirect-uri", REDIRECT, "--confidential"];
        let printed = desk.terminal.run(&register, "");
        assert_eq!((printed.status, printed.stdout.lines().count()), (0, 1), "the secret alone, to be piped");
        let secret = printed.stdout.trim_end().to_owned();
        assert_eq!(secret.len(), 43);
        let id = printed.stderr.strip_prefix("client_id ").unwrap().trim_end().to_owned();
        let document = desk.document(&register[1..]);
        assert_eq!(document["client_secret"].as_str().map(str::len), Some(43));
        assert_eq!(document["auth_method"], "client_secret_basic");
        desk.with_tokens(async |tokens| {
            assert!(tokens.authenticate_client(PresentedClient::Basic(&id, &secret)).await.is_ok());
            assert!(tokens.authenticate_client(PresentedClient::Basic(&id, "another")).await.is_err());
            assert!(tokens.authenticate_client(PresentedClient::Named(&id)).await.is_err());
        });
        for form in [&["broker", "clients"][..], &["--json", "broker", "clients"]] {
            assert!(!desk.terminal.run(form, "").stdout.contains(&secret));
        }
    });
}

/// A limit that were left out would be no limit.
#[test]
fn a_client_may_ask_for_the_scopes_alone_that_it_was_registered_with() {
    over_each_engine(|desk| {
        let register = ["register", "--redirect-uri", REDIRECT, "--scope", "read", "--scope", "other"];
        let client = desk.document(&register);
        assert_eq!(client["scopes"], json!(["read", "other"]));
        let id = client["client_id"].as_str().unwrap();
        assert_eq!(desk.document(&["clients"])["clients"][0]["scopes"], json!(["read", "other"]));
        let granted = desk.grant(id, "ada");
        desk.with_tokens(async |tokens| {
            let caller = tokens.authenticate(&granted.access_token).await.unwrap();
            let scopes: Vec<_> = caller.scopes().iter().collect();
            assert_eq!(scopes, ["read"], "what the server offers, and the client may ask for");
        });
    });
}

#[test]
fn one_grant_is_revoked_once_and_its_tokens_end_with_it() {
    over_each_engine(|desk| {
        let client = desk.client();
        let (ada, bob) = (desk.grant(&client, "ada"), desk.grant(&client, "bob"));
        let revoke = ["revoke", "--grant", &ada.grant];
        assert_eq!(desk.document(&revoke), json!({ "revoked": 1, "removed": false }));
        assert!(!desk.is_good(&ada) && desk.is_good(&bob));
        for form in [&["broker"][..], &["--json", "broker"]] {
            let again = desk.terminal.run(&[form, &revoke].concat(), "");
            again.has_failed(4, "there is no such grant, or it was revoked before");
        }
        let listed = desk.document(&["grants", "--subject", "ada"]);
        assert_eq!(
            (&listed["grants"][0]["state"], &listed["grants"][0]["reason"]),
            (&json!("revoked"), &json!("revoked"))
        );
        assert!(listed["grants"][0]["revoked_at"].is_string());
        desk.with_tokens(async |tokens| {
            let client = PresentedClient::Named(&client);
            assert!(tokens.exchange(client, PresentedGrant::refresh(&ada.refresh_token)).await.is_err());
            assert!(tokens.exchange(client, PresentedGrant::refresh(&bob.refresh_token)).await.is_ok());
        });
    });
}

#[test]
fn everything_of_a_person_or_of_a_client_is_revoked() {
    over_each_engine(|desk| {
        let (one, other) = (desk.client(), desk.client());
        let granted = [desk.grant(&one, "ada"), desk.grant(&one, "bob"), desk.grant(&other, "ada")];
        let good = |desk: &super::Desk<'_>| granted.each_ref().map(|granted| desk.is_good(granted));
        let both = ["broker", "revoke", "--client", &one, "--subject", "ada"];
        desk.terminal.run(&both, "").is(0, "revoked 1 grant\n", "");
        assert_eq!(good(desk), [false, true, true]);
        desk.terminal.run(&["broker", "revoke", "--subject", "ada"], "").is(0, "revoked 1 grant\n", "");
        assert_eq!(good(desk), [false, true, false]);
        desk.terminal.run(&["broker", "revoke", "--subject", "nobody"], "").is(0, "revoked 0 grants\n", "");
        desk.terminal.run(&["broker", "revoke", "--client", &one], "").is(0, "revoked 1 grant\n", "");
        assert_eq!(good(desk), [false; 3]);
    });
}

#[test]
fn a_client_is_removed_with_everything_and_one_that_is_not_there_is_no_success() {
    over_each_engine(|desk| {
        let client = desk.client();
        let granted = desk.grant(&client, "ada");
        let remove = ["broker", "revoke", "--client", &client, "--remove"];
        desk.terminal.run(&remove, "").is(0, "revoked 1 grant\nremoved the client\n", "");
        assert!(!desk.is_good(&granted));
        assert_eq!(desk.document(&["clients"])["clients"], json!([]));
        desk.terminal.run(&remove, "").has_failed(4, "there is no such client");
        for form in [&[][..], &["--json"]] {
            // Nobody who has mistyped it shall believe that it is done.
            let revoke = [form, &["broker", "revoke", "--client", "mistyped"]].concat();
            desk.terminal.run(&revoke, "").has_failed(4, "there is no such client; revoked 0 grants");
        }
    });
}

#[test]
fn what_nobody_can_use_is_swept_and_a_good_refresh_token_stays() {
    over_each_engine(|desk| {
        let (client, idle) = (desk.client(), desk.client());
        let (ada, bob) = (desk.grant(&client, "ada"), desk.grant(&client, "bob"));
        let none = json!({ "codes": 0, "access_tokens": 0, "refresh_tokens": 0, "grants": 0, "clients": 0 });
        assert_eq!(desk.document(&["sweep"]), none);
        // An hour has passed for both, and a month for one of them.
        let [grants, refresh] = ["grants", "grant_refresh_tokens"].map(|name| desk.table(name));
        desk.sql("UPDATE auth_codes SET expires_at = 1; UPDATE access_tokens SET expires_at = 1");
        desk.sql(&format!(
            "UPDATE {grants} SET remembered_until = 1 WHERE id = '{0}';
             UPDATE refresh_tokens SET expires_at = 1 WHERE token_hash IN (SELECT digest FROM {refresh} WHERE grant_id = '{0}')",
            bob.grant
        ));
        desk.sql(&format!("UPDATE clients SET created_at = 1 WHERE client_id = '{idle}'"));
        let swept = desk.document(&["sweep", "--clients-unused-for", "30d"]);
        assert_eq!((&swept["grants"], &swept["clients"]), (&json!(1), &json!(1)));
        desk.with_tokens(async |tokens| {
            let client = PresentedClient::Named(&client);
            assert!(tokens.exchange(client, PresentedGrant::refresh(&ada.refresh_token)).await.is_ok());
            assert!(tokens.exchange(client, PresentedGrant::refresh(&bob.refresh_token)).await.is_err());
        });
        let printed = desk.terminal.run(&["broker", "sweep"], "").stdout;
        assert!(printed.lines().any(|line| line.starts_with("refresh_tokens  ")), "{printed}");
    });
}
