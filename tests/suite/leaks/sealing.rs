//! Sealed secrets and their keys: neither comes out of anything that is printed, whatever goes wrong.

use std::error::Error;
use std::fmt::{Debug, Display};

use keyward::Secret;
use keyward::seal::{SealKey, SealKeyId, SealKeys, SealNonce, Sealed, SealedPlace, StoredSecret};
use keyward::service::{SealKeyProvider, SealKeysError};
use rand::TryRng as _;

const PLACE: SealedPlace<'_> = SealedPlace { schema: "aggregator", owner: "did:plc:alice", column: "token" };
const PLAINTEXT: &str = "T0k3n-of-Alice/that+nobody.else~may_read";

/// Everything that was printed.
#[derive(Default)]
struct Printed(Vec<String>);

impl Printed {
    fn debug(&mut self, value: &dyn Debug) {
        self.0.push(format!("{value:?}\n{value:#?}"));
    }

    fn display(&mut self, value: &dyn Display) {
        self.0.push(value.to_string());
    }

    /// An error in all its forms, and everything behind it.
    fn error(&mut self, error: &(dyn Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.debug(&error);
            self.display(&error);
            next = error.source();
        }
    }

    /// # Panics
    /// When any ten characters of a secret are found.
    fn has_none_of(&self, secrets: &[String]) {
        assert!(self.0.len() >= 40, "{} printed", self.0.len());
        for secret in secrets {
            for piece in (0..=secret.len() - 10).map(|start| &secret[start..start + 10]) {
                let shown = self.0.iter().find(|text| text.contains(piece));
                assert!(shown.is_none(), "{piece} of {secret} is shown: {shown:?}");
            }
        }
    }
}

/// A key, and every form in which it may be shown.
fn key() -> (SealKey, Vec<String>) {
    let mut bytes = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).unwrap();
    let key = SealKey::from_bytes(&bytes).unwrap();
    let text = key.to_base64().expose_secret().to_owned();
    let standard = text.replace('-', "+").replace('_', "/");
    let numbers = bytes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    (key, vec![text, standard, numbers, hex::encode(bytes)])
}

/// Takes what is wrapped for the key itself.
#[derive(Debug)]
struct Bare;

#[async_trait::async_trait]
impl SealKeyProvider for Bare {
    async fn unwrap_key(&self, _: &SealKeyId, wrapped: &[u8]) -> Result<SealKey, Box<dyn Error + Send + Sync>> {
        Ok(SealKey::from_bytes(wrapped)?)
    }
}

#[tokio::test]
async fn nothing_that_is_printed_of_sealed_secrets_leaks_them_or_their_keys() {
    let mut printed = Printed::default();
    let ((first, mut secrets), (second, others)) = (key(), key());
    secrets.extend(others);
    secrets.push(PLAINTEXT.to_owned());

    let keys = SealKeys::new("2026-07".parse().unwrap(), first.clone());
    let keys = keys.with_retired("2026-01".parse().unwrap(), second.clone()).unwrap();
    let nonce = || SealNonce::generate(&mut rand::rngs::SysRng).unwrap();
    let sealed = keys.seal(PLACE, PLAINTEXT, nonce()).unwrap();
    printed.debug(&first);
    printed.debug(&first.to_base64());
    printed.debug(&keys);
    printed.debug(&nonce());
    printed.debug(&PLACE);
    printed.debug(&sealed);
    printed.debug(&sealed.key_id());
    printed.display(&sealed.key_id());
    printed.debug(&keys.open(PLACE, &sealed).unwrap());
    printed.debug(&StoredSecret::Plain(Secret::new(PLAINTEXT.to_owned()).into()));
    printed.debug(&StoredSecret::Sealed(sealed.clone()));
    printed.0.push(sealed.as_str().to_owned());

    // What goes wrong with envelopes.
    printed.error(&keys.seal(PLACE, &PLAINTEXT.repeat(2000), nonce()).unwrap_err());
    let elsewhere = SealedPlace { owner: "did:plc:mallory", ..PLACE };
    printed.error(&keys.open(elsewhere, &sealed).unwrap_err());
    let stranger = SealKeys::new("2025".parse().unwrap(), first.clone());
    printed.error(&stranger.open(PLACE, &sealed).unwrap_err());
    for text in ["{}", "keyward.{}", "keyward.1.{}", "keyward.1.k.{}", "keyward.1.{}.AAAA", "keyward.9.{}."] {
        printed.error(&text.replace("{}", PLAINTEXT).parse::<Sealed>().unwrap_err());
    }

    // What goes wrong with keys: typing errors, things in the wrong place, things twice.
    let text = first.to_base64();
    let key = text.expose_secret();
    for wrong in [&key[1..], &format!("{key}{key}"), &format!("{key} "), &key.replace(&key[7..8], "!")] {
        printed.error(&SealKey::from_base64(wrong).unwrap_err());
        printed.error(&format!("k:{wrong},other:{wrong}").parse::<SealKeys>().unwrap_err());
    }
    for wrong in [format!("{key}:k"), key.to_owned(), format!("k:{key},{key}"), format!("k:{key}:k")] {
        printed.error(&wrong.parse::<SealKeys>().unwrap_err());
    }
    for wrong in [format!("k:{key},k:{key}"), format!("k:{key},other:{key}")] {
        printed.error(&wrong.parse::<SealKeys>().unwrap_err());
    }
    printed.error(&key.parse::<SealKeyId>().unwrap_err());
    load(key, &mut printed).await;
    printed.has_none_of(&secrets);
}

/// What goes wrong when keys are loaded.
async fn load(key: &str, printed: &mut Printed) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seal-keys");
    for content in [format!("k:{key}"), format!("{key}:k"), format!("k:{key}k"), format!("k:{key}\n").repeat(1000)] {
        std::fs::write(&path, &content).unwrap();
        restrict(&path, 0o644);
        #[cfg(unix)]
        printed.error(&SealKeys::from_file(&path).unwrap_err());
        restrict(&path, 0o600);
        match SealKeys::from_file(&path) {
            Ok(keys) => printed.debug(&keys),
            Err(error) => printed.error(&error),
        }
    }
    std::fs::write(&path, [key.as_bytes(), b"\xff"].concat()).unwrap();
    let error = SealKeys::from_file(&path).unwrap_err();
    assert!(matches!(error, SealKeysError::NotText { .. }));
    printed.error(&error);
    printed.error(&SealKeys::from_environment("KEYWARD_NOT_SET").unwrap_err());

    let wrapped = [("k".parse().unwrap(), key.as_bytes().to_vec())];
    printed.error(&SealKeys::from_provider(&Bare, &wrapped).await.unwrap_err());
}

#[cfg(unix)]
fn restrict(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn restrict(_: &std::path::Path, _: u32) {}
