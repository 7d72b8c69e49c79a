//! `keyward credential` against the strict server, over both engines: imported, used, refreshed, moved and ended.

#[cfg(feature = "postgres")]
mod grants;
mod keyed;
mod layouts;
mod life;
mod moving;
mod refused;
mod shown;

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use keyward::credential::{CoordinateForm, DpopKey};
use keyward::schemas::aggregator::Aggregator;
use keyward::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::terminal::{Output, Terminal, over_new_databases};
use crate::credentials::double::{Client, Double};
use crate::support::schemas::TestSchema as _;
use crate::support::schemas::aggregator::{BESIDE_THE_TABLE, Table, WITH_ENCRYPTED_TOKENS, WITH_PLAINTEXT_TOKENS};

const DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";
const CLIENT: &str = "https://app.example/client-metadata.json";
const KEY: &str = "z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D";
const OWNER: [&str; 2] = ["--owner", DID];

/// A server, a database whose table is made, and keys in the environment.
struct Desk {
    terminal: Terminal,
    double: Double,
    seal_keys: String,
    folder: TempDir,
}

impl Desk {
    fn new(terminal: &Terminal) -> Self {
        let mut desk = Self::bare(terminal);
        let migrated = desk.run(&["migrate"]);
        assert!(migrated.stdout.ends_with("the tables are as expected\n"), "{}", migrated.stderr);
        desk
    }

    /// As [`new`](Self::new), with no table of credentials.
    fn bare(terminal: &Terminal) -> Self {
        let double = Double::start(|| SystemClock.now().as_micros() / 1_000_000);
        double.register(CLIENT, Client::Public);
        let mut terminal = terminal.apart();
        let seal_keys = terminal.run(&["seal-key", "--id", "first"], "").stdout.trim().to_owned();
        Self { terminal, double, seal_keys, folder: tempfile::tempdir().unwrap() }
    }

    fn run(&mut self, arguments: &[&str]) -> Output {
        self.run_on(arguments, "")
    }

    fn run_on(&mut self, arguments: &[&str], stdin: &str) -> Output {
        self.typed(&[&["credential"], arguments].concat(), stdin)
    }

    /// Any command, with the keys that seal.
    fn typed(&mut self, arguments: &[&str], stdin: &str) -> Output {
        let keys = self.seal_keys.clone();
        // Which is nobody's, and must not be asked.
        let proxy = OsStr::new("http://127.0.0.1:9");
        let proxies = [("HTTP_PROXY", proxy), ("http_proxy", proxy)];
        if keys.is_empty() {
            return self.terminal.run_with(proxies, arguments, stdin);
        }
        let [upper, lower] = proxies;
        self.terminal.run_with([("KEYWARD_SEAL_KEYS", OsStr::new(&keys)), upper, lower], arguments, stdin)
    }

    fn document(&mut self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(output.status, 0, "{}", output.stderr);
        output.json()
    }

    fn state(&mut self) -> Value {
        self.document(&["show", OWNER[0], OWNER[1]])["state"].clone()
    }

    /// A new session, as indigo writes it.
    fn session(&self, did: &str, client: &str) -> Value {
        let key = DpopKey::from_multibase(KEY).unwrap();
        let tokens = self.double.sign_in(did, client, Some(&key.thumbprint(CoordinateForm::Padded)));
        json!({
            "account_did": did, "session_id": "s-1", "host_url": self.double.issuer(),
            "authserver_url": self.double.issuer(), "authserver_token_endpoint": self.double.token_endpoint(),
            "authserver_revocation_endpoint": self.double.revocation_endpoint(), "scopes": ["atproto"],
            "access_token": tokens.access_token, "refresh_token": tokens.refresh_token,
            "dpop_authserver_nonce": "", "dpop_host_nonce": "", "dpop_privatekey_multibase": KEY,
            "expires_in": 3600, "oauth_client": client,
        })
    }

    fn import(&mut self) {
        let session = self.session(DID, CLIENT).to_string();
        let output = self.run_on(&["import", OWNER[0], OWNER[1]], &session);
        assert_eq!((output.status, output.stdout), (0, format!("stored the credential of {DID}\n")));
    }

    fn live(&self) -> String {
        self.double.current(DID).unwrap().access_token
    }

    fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        path
    }
}

fn over_both_engines(script: impl Fn(&mut Desk)) {
    over_new_databases("standard", |terminal| script(&mut Desk::new(terminal)));
}

/// A layout on the host's table: how it is typed, and the table on each engine.
struct Columns {
    layout: &'static str,
    table: Table,
    /// What the host's service has beside it.
    beside: &'static str,
}

const LAYOUTS: [Columns; 3] = [
    Columns { layout: "in-text", table: WITH_PLAINTEXT_TOKENS, beside: "" },
    Columns { layout: "in-bytes", table: WITH_ENCRYPTED_TOKENS, beside: "" },
    Columns { layout: "beside-upstream", table: WITH_ENCRYPTED_TOKENS, beside: BESIDE_THE_TABLE },
];

/// Runs `script` over the host's table with the aggregator [`DID`], in each layout that each engine has.
fn over_every_layout(script: impl Fn(&Terminal, &mut Desk, &str)) {
    for Columns { layout, table, beside } in LAYOUTS {
        over_new_databases("aggregator", |terminal| {
            if !terminal.is_postgres() && layout == "beside-upstream" {
                return;
            }
            let mut desk = over_host(terminal, table, beside);
            let migrated = desk.run(&["migrate", "--layout", layout]);
            let said = "applied aggregator_credentials 2 credential_states\nthe tables are as expected\n";
            migrated.is(0, said, "");
            script(terminal, &mut desk, layout);
        });
    }
}

/// A desk over the host's table with the aggregator [`DID`], where the tables of credentials are not made yet.
fn over_host(terminal: &Terminal, table: Table, beside: &str) -> Desk {
    terminal.sql(&if terminal.is_postgres() {
        format!("{} {beside}", table.postgres)
    } else {
        table.sqlite.to_owned()
    });
    terminal.sql(&Aggregator::owner(DID, terminal.is_postgres()));
    let mut desk = Desk::bare(terminal);
    assert_eq!(desk.typed(&["migrate"], "").status, 0);
    desk
}
