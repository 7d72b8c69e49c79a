//! From discovery to revocation, with the person whom the proxy names.

use serde_json::json;

use super::super::REDIRECT;
use super::{ISSUER, RESOURCE, Server, over_each_engine};

#[test]
fn a_client_finds_the_server_registers_and_has_tokens_that_end_when_they_are_revoked() {
    over_each_engine(|terminal, _| {
        let server = Server::start(terminal, &[]);
        let metadata = server.get("/.well-known/oauth-authorization-server").json();
        assert_eq!(
            (&metadata["issuer"], &metadata["token_endpoint"]),
            (&json!(ISSUER), &json!("https://as.example/token"))
        );
        assert_eq!(metadata["registration_endpoint"], "https://as.example/register");
        assert_eq!(metadata["scopes_supported"], json!(["read", "write"]));
        let resource = server.get("/.well-known/oauth-protected-resource/notes").json();
        assert_eq!((&resource["resource"], &resource["authorization_servers"]), (&json!(RESOURCE), &json!([ISSUER])));

        let (client, issued) = server.sign_in("ada");
        assert_eq!(
            (&issued["token_type"], &issued["scope"], &issued["expires_in"]),
            (&json!("Bearer"), &json!("read"), &json!(900))
        );
        let refresh_token = issued["refresh_token"].as_str().unwrap();
        let refreshed = server.refresh(&client, refresh_token);
        assert_eq!(refreshed.status, 200);
        // Its answer is lost on the way.
        let again = server.refresh(&client, refresh_token).json();
        for token in ["access_token", "refresh_token"] {
            assert_eq!(again[token], refreshed.json()[token]);
        }
        let listed = terminal.document(&["broker", "grants"])["grants"].clone();
        assert_eq!((&listed[0]["subject"], &listed[0]["state"]), (&json!("ada"), &json!("granted")));

        let live = refreshed.json()["refresh_token"].as_str().unwrap().to_owned();
        let revoked = server.form("/revoke", &[], &[("token", &live), ("client_id", &client)]);
        assert_eq!(revoked.status, 200);
        let refused = server.refresh(&client, &live);
        assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")));
        assert_eq!(terminal.document(&["broker", "grants"])["grants"][0]["reason"], "revoked_by_client");
    });
}

#[test]
fn a_revocation_at_the_command_line_ends_the_tokens_of_a_server_that_runs() {
    over_each_engine(|terminal, _| {
        let server = Server::start(terminal, &[]);
        let (client, issued) = server.sign_in("ada");
        assert_eq!(terminal.document(&["broker", "revoke", "--subject", "ada"])["revoked"], 1);
        assert_eq!(server.refresh(&client, issued["refresh_token"].as_str().unwrap()).status, 400);
    });
}

/// Nobody is asked for a password that nothing would be compared with.
#[test]
fn without_the_header_of_the_proxy_nobody_is_signed_in() {
    over_each_engine(|terminal, _| {
        let server = Server::start(terminal, &[]);
        let client = server.register();
        let target = Server::authorization(&client, RESOURCE);
        for headers in [&[][..], &[("x-user", "")], &[("x-user", "ada"), ("x-user", "bob")], &[("x_user", "ada")]] {
            for (method, form) in [("GET", ""), ("POST", "decision=approve&username=ada&password=x")] {
                let form_type = [("content-type", "application/x-www-form-urlencoded")];
                let shown = server.send(method, &target, &[headers, &form_type].concat(), form);
                assert_eq!((shown.status, shown.header("location")), (401, None), "{shown:?}");
                assert!(shown.body.contains("nobody is signed in") && !shown.body.contains("<form"), "{shown:?}");
            }
        }
        // Signed in, but with a form that no page of ours was the origin of.
        let forged = [("x-user", "ada")];
        let refused = server.form(&target, &forged, &[("decision", "approve"), ("consent", "x")]);
        assert_eq!((refused.status, refused.header("location")), (403, None));
        assert_eq!(terminal.document(&["broker", "grants"])["grants"], json!([]));
    });
}

#[test]
fn where_registration_is_closed_an_operator_registers() {
    over_each_engine(|terminal, _| {
        let server = Server::start(terminal, &["--registrations-per-minute", "0"]);
        let metadata = server.get("/.well-known/oauth-authorization-server").json();
        assert!(metadata.get("registration_endpoint").is_none(), "{metadata}");
        let answer = server.send("POST", "/register", &[("content-type", "application/json")], "{}");
        assert_eq!(answer.status, 404);
        let register = ["broker", "register", "--redirect-uri", REDIRECT, "--name", "Editor"];
        let client = terminal.document(&register)["client_id"].as_str().unwrap().to_owned();
        let code = server.allow(&client, "ada", RESOURCE);
        assert_eq!(server.redeem(&client, &code).status, 200);
    });
}

#[test]
fn as_many_clients_register_in_a_minute_as_was_said() {
    over_each_engine(|terminal, _| {
        let server = Server::start(terminal, &["--registrations-per-minute", "2"]);
        for _ in 0..2 {
            server.register();
        }
        let metadata = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none" }).to_string();
        let answer = server.send("POST", "/register", &[("content-type", "application/json")], &metadata);
        assert_eq!(answer.status, 429, "{answer:?}");
        assert!(answer.header("retry-after").is_some());
    });
}

#[test]
fn what_nobody_can_use_is_swept_while_it_runs() {
    over_each_engine(|terminal, host| {
        let more = ["--sweep-every", "50ms", "--clients-unused-for", "30d"];
        let server = Server::start(terminal, &more);
        let (_, _) = server.sign_in("ada");
        let idle = server.register();
        host.sql(&format!("UPDATE clients SET created_at = 1 WHERE client_id = '{idle}'"));
        let gone = |terminal: &mut super::Terminal| {
            let clients = terminal.document(&["broker", "clients"]);
            clients["clients"].as_array().unwrap().len() == 1
        };
        let start = tokio::time::Instant::now();
        while !gone(terminal) {
            assert!(start.elapsed() < super::STOPPED, "nothing is swept");
        }
        assert_eq!(terminal.document(&["broker", "grants"])["grants"][0]["state"], "granted");
    });
}
