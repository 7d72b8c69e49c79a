//! A client of HTTP/1.1 that says exactly what it is told, and an OAuth client over it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::{CHALLENGE, REDIRECT, VERIFIER};
use super::{RESOURCE, Server};

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Server {
    /// Sends a request on a connection of its own.
    pub(super) fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        let length = body.len();
        // Whatever a client says that the server is called: nothing is taken from it.
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(super) fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], "")
    }

    pub(super) fn form(&self, target: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = ("content-type", "application/x-www-form-urlencoded");
        self.send("POST", target, &[&[form], headers].concat(), &body)
    }

    /// Registers a public client.
    pub(super) fn register(&self) -> String {
        let metadata = json!({
            "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none", "client_name": "Editor",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let answer = self.send("POST", "/register", &[("content-type", "application/json")], &metadata.to_string());
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["client_id"].as_str().unwrap().to_owned()
    }

    pub(super) fn authorization(client: &str, resource: &str) -> String {
        let pairs = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT),
            ("state", "state-1"),
            ("scope", "read"),
            ("resource", resource),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        format!("/authorize?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    }

    /// Signs `user` in by the header, as a proxy does, and lets them allow it: the code.
    pub(super) fn allow(&self, client: &str, user: &str, resource: &str) -> String {
        let target = Self::authorization(client, resource);
        let page = self.send("GET", &target, &[("x-user", user)], "");
        assert_eq!(page.status, 200, "{page:?}");
        assert!(
            page.body.contains(user) && page.body.contains("Editor") && !page.body.contains("password"),
            "{page:?}"
        );
        let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let consent = page.body.split(r#"name="consent" value=""#).nth(1).unwrap().split('"').next().unwrap();
        let headers = [("x-user", user), ("cookie", cookie.as_str())];
        let answer = self.form(&target, &headers, &[("consent", consent), ("decision", "approve")]);
        assert_eq!(answer.status, 303, "{answer:?}");
        let location = url::Url::parse(answer.header("location").unwrap()).unwrap();
        assert!(location.as_str().starts_with(REDIRECT), "{location}");
        let parameter =
            |name: &str| location.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
        assert_eq!(parameter("state").as_deref(), Some("state-1"));
        parameter("code").unwrap()
    }

    /// The tokens for a code.
    pub(super) fn redeem(&self, client: &str, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.form("/token", &[], &fields)
    }

    pub(super) fn refresh(&self, client: &str, refresh_token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", refresh_token)];
        self.form("/token", &[], &fields)
    }

    /// A whole flow: the client, and what it has in the end.
    pub(super) fn sign_in(&self, user: &str) -> (String, Value) {
        let client = self.register();
        let code = self.allow(&client, user, RESOURCE);
        let answer = self.redeem(&client, &code);
        assert_eq!(answer.status, 200, "{answer:?}");
        (client, answer.json())
    }

    /// What a token means to a resource server.
    pub(super) fn introspect(&self, id: &str, secret: &str, token: &str) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        self.form("/introspect", &[("authorization", &basic)], &[("token", token)])
    }
}
