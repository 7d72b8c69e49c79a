//! The keys that seal secrets: where they are read from, and `seal-key`, which makes one.

use std::path::Path;

use keyward::seal::{SealKey, SealKeyId, SealKeys};
use keyward::service::SealKeysError;
use keyward::{Clock as _, Secret, SystemClock};
#[expect(clippy::disallowed_types, reason = "a program has nobody who would inject a generator")]
use rand::rngs::SysRng;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Document, Lost, Text};

const VARIABLE: &str = "KEYWARD_SEAL_KEYS";

/// The ring of a file, or else of the environment.
pub(super) fn read(file: Option<&Path>) -> Result<SealKeys, Failure> {
    let (keys, from) = match file {
        Some(path) => (SealKeys::from_file(path), "--seal-keys"),
        None => (SealKeys::from_environment(VARIABLE), VARIABLE),
    };
    keys.map_err(|error| match error {
        SealKeysError::NotSet { .. } => Failure::usage(format!(
            "the keys that seal secrets are required, in {VARIABLE} or by --seal-keys: `keyward seal-key` makes one"
        )),
        error => Failure::usage(format!("{from}: {error}")),
    })
}

/// Makes a key, named by the day unless it is named.
pub(crate) fn seal_key(id: Option<SealKeyId>) -> Result<Document, Failure> {
    let today = SystemClock.now().to_string();
    let id = id.map_or_else(|| SealKeyId::new(&today[..10]), Ok).map_err(|error| Failure::usage(error.to_string()))?;
    let key = SealKey::generate(&mut SysRng).map_err(|error| Failure::unavailable(&error))?;
    let secret = Secret::new(format!("{id}:{}", key.to_base64().expose_secret()));
    let remarks = vec![
        format!(
            "add it behind the current key in {VARIABLE} or the file of --seal-keys of every process, and put it first once all of them have it"
        ),
        "once `keyward credential reseal` finds nothing more, they can go".to_owned(),
    ];
    let lost =
        Lost { what: format!("the key {id} was made"), then: "nobody has it, and nothing is sealed with it".into() };
    let json = json!({ "id": id.as_str() });
    Ok(Document::new(json, Text::Secret { name: "secret", secret, remarks, lost }))
}
