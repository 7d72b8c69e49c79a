//! Seal keys read from a variable and from a file.

use std::path::PathBuf;
use std::sync::Mutex;

use super::*;
use crate::seal::{InvalidSealKey, InvalidSealKeyId};

const KEYS: &str = "a:AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8,b:Af8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8";

fn id(id: &str) -> SealKeyId {
    id.parse().unwrap()
}

fn ids(keys: &SealKeys) -> Vec<&str> {
    keys.ids().map(SealKeyId::as_str).collect()
}

fn variable(value: &str) -> Result<SealKeys, SealKeysError> {
    from_variable("KEYS", Some(value.into()))
}

#[test]
fn a_variable_has_the_ring_and_its_absence_is_no_empty_ring() {
    assert_eq!(ids(&variable(KEYS).unwrap()), ["a", "b"]);
    let missing = from_variable("KEYS\u{1b}", None).unwrap_err();
    assert!(matches!(&missing, SealKeysError::NotSet { variable } if variable == "KEYS\u{1b}"));
    assert_eq!(missing.to_string(), r"the environment variable KEYS\u{1b} is not set");
    let empty = variable("").unwrap_err();
    assert_eq!(empty.to_string(), "the environment variable KEYS holds no keys: there is no key");
    let origin = SealKeysOrigin::Variable("KEYS".to_owned());
    assert!(matches!(empty, SealKeysError::Invalid { origin: of, source: InvalidSealKeys::Empty } if of == origin));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_called_so() {
    use std::os::unix::ffi::OsStringExt as _;

    let value = OsString::from_vec(b"a:\xff".to_vec());
    let error = from_variable("KEYS", Some(value)).unwrap_err();
    assert_eq!(error.to_string(), "the environment variable KEYS holds something else than text");
}

#[test]
fn the_environment_of_the_process_is_read() {
    const VARIABLE: &str = "KEYWARD_TEST_SEAL_KEYS";
    const TEST: &str = "service::seal_keys::tests::the_environment_of_the_process_is_read";

    if std::env::var_os(VARIABLE).is_some() {
        assert_eq!(ids(&SealKeys::from_environment(VARIABLE).unwrap()), ["a", "b"]);
        return;
    }
    assert!(matches!(SealKeys::from_environment(VARIABLE), Err(SealKeysError::NotSet { .. })));
    // A process may set a variable of its own in an unsafe way only, and of its children in a safe one.
    let itself = std::env::current_exe().unwrap();
    let child = std::process::Command::new(itself).args(["--exact", TEST]).env(VARIABLE, KEYS).output().unwrap();
    assert!(child.status.success() && String::from_utf8_lossy(&child.stdout).contains("1 passed"), "{child:?}");
}

/// A file with this content that nobody else may read.
fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seal-keys");
    fs::write(&path, content).unwrap();
    #[cfg(unix)]
    permit(&path, 0o600);
    (directory, path)
}

#[cfg(unix)]
fn permit(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_has_entries_on_one_line_or_one_on_each() {
    for content in [KEYS.to_owned(), format!("{KEYS}\n"), KEYS.replace(',', "\n"), KEYS.replace(',', "\r\n") + "\r\n"] {
        let (_directory, path) = file(content.as_bytes());
        assert_eq!(ids(&SealKeys::from_file(&path).unwrap()), ["a", "b"], "{content:?}");
    }
}

#[test]
fn a_file_that_is_no_ring_is_refused_by_its_name() {
    let refused = |content: &[u8]| {
        let (_directory, path) = file(content);
        (SealKeys::from_file(&path).unwrap_err(), path)
    };
    for (content, expected) in [
        (&b""[..], InvalidSealKeys::Empty),
        (b"\n", InvalidSealKeys::Empty),
        (b"a:AAAA\n", InvalidSealKeys::Key { entry: 1, source: InvalidSealKey::Length { bytes: 3 } }),
        (b"\xef\xbb\xbfa:AAAA", InvalidSealKeys::Id { entry: 1, source: InvalidSealKeyId::Character }),
    ] {
        let (error, path) = refused(content);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(matches!(error, SealKeysError::Invalid { source, .. } if source == expected), "{content:?}");
    }
    assert!(matches!(refused(b"a:\xff").0, SealKeysError::NotText { origin: SealKeysOrigin::File(_) }));
}

#[test]
fn a_file_is_read_up_to_its_limit() {
    let padded = |length: usize| format!("{KEYS}{}", "\n".repeat(length - KEYS.len()));
    let (_directory, path) = file(padded(MAX_SEAL_KEYS_LEN).as_bytes());
    assert_eq!(ids(&SealKeys::from_file(&path).unwrap()), ["a", "b"]);
    let (_directory, path) = file(padded(MAX_SEAL_KEYS_LEN + 1).as_bytes());
    let error = SealKeys::from_file(&path).unwrap_err();
    assert!(matches!(error, SealKeysError::TooLong { limit: 16_384, .. }), "{error}");
}

#[test]
fn what_is_missing_or_no_file_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let missing = SealKeys::from_file(directory.path().join("no\u{202e}where")).unwrap_err();
    assert!(matches!(&missing, SealKeysError::File { source, .. } if source.kind() == io::ErrorKind::NotFound));
    assert!(missing.to_string().ends_with(r"no\u{202e}where cannot be read"), "{missing}");
    let folder = SealKeys::from_file(directory.path()).unwrap_err();
    assert!(matches!(folder, SealKeysError::NotAFile { .. }), "{folder}");
}

#[cfg(unix)]
#[test]
fn a_file_to_which_others_have_any_access_is_refused() {
    let (_directory, path) = file(KEYS.as_bytes());
    for mode in [0o400, 0o600, 0o700] {
        permit(&path, mode);
        assert!(SealKeys::from_file(&path).is_ok(), "{mode:o}");
    }
    for mode in [0o604, 0o602, 0o601, 0o640, 0o620, 0o610, 0o644, 0o666, 0o777] {
        permit(&path, mode);
        let error = SealKeys::from_file(&path).unwrap_err();
        assert!(matches!(error, SealKeysError::Exposed { mode: seen, .. } if seen == mode), "{mode:o}: {error}");
    }
    permit(&path, 0o644);
    let error = SealKeys::from_file(&path).unwrap_err().to_string();
    assert!(error.ends_with("seal-keys (mode 0644): chmod 600"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_link_is_as_open_as_the_file_that_it_leads_to() {
    let (directory, path) = file(KEYS.as_bytes());
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(SealKeys::from_file(&link).is_ok());
    permit(&path, 0o640);
    assert!(matches!(SealKeys::from_file(&link), Err(SealKeysError::Exposed { mode: 0o640, .. })));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_without_waiting_for_a_writer() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(matches!(SealKeys::from_file(&pipe), Err(SealKeysError::NotAFile { .. })));
}

/// Unwraps by turning bits around, and fails for one key.
#[derive(Debug, Default)]
struct Provider {
    fails_for: Option<SealKeyId>,
    asked: Mutex<Vec<SealKeyId>>,
}

#[async_trait]
impl SealKeyProvider for Provider {
    async fn unwrap_key(&self, id: &SealKeyId, wrapped: &[u8]) -> Result<SealKey, Box<dyn Error + Send + Sync>> {
        self.asked.lock().unwrap().push(*id);
        if self.fails_for == Some(*id) {
            return Err("the service is away".into());
        }
        let unwrapped: Vec<_> = wrapped.iter().map(|byte| !byte).collect();
        Ok(SealKey::from_bytes(&unwrapped)?)
    }
}

#[tokio::test]
async fn a_provider_unwraps_each_key_and_the_first_is_current() {
    let provider = Provider::default();
    let wrapped = [(id("a"), vec![1; 32]), (id("b"), vec![2; 32]), (id("c"), vec![3; 32])];
    let keys = SealKeys::from_provider(&provider, &wrapped).await.unwrap();
    assert_eq!((ids(&keys), keys.current_id()), (vec!["a", "b", "c"], &id("a")));
    assert_eq!(*provider.asked.lock().unwrap(), ["a", "b", "c"].map(id));
}

#[tokio::test]
async fn one_key_that_is_not_unwrapped_leaves_no_ring() {
    let wrapped = [(id("a"), vec![1; 32]), (id("b"), vec![2; 32]), (id("c"), vec![3; 32])];
    for (id, name) in ["a", "b", "c"].map(|name| (id(name), name)) {
        let provider = Provider { fails_for: Some(id), ..Provider::default() };
        let error = SealKeys::from_provider(&provider, &wrapped).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the provider did not unwrap the key {name}"));
        assert_eq!(error.source().unwrap().to_string(), "the service is away");
        assert!(matches!(error, SealKeysError::Provider { id: of, .. } if of == id));
    }
    let no_key = [(id("a"), vec![1; 32]), (id("b"), vec![0xff; 32])];
    let error = SealKeys::from_provider(&Provider::default(), &no_key).await.unwrap_err();
    assert_eq!(error.source().unwrap().downcast_ref(), Some(&InvalidSealKey::AllZero));
}

#[tokio::test]
async fn a_ring_of_a_provider_has_one_key_at_least_and_none_twice() {
    let refused = async |wrapped: &[(SealKeyId, Vec<u8>)]| {
        let provider = Provider::default();
        let error = SealKeys::from_provider(&provider, wrapped).await.unwrap_err();
        let SealKeysError::Invalid { origin: SealKeysOrigin::Provider, source } = error else { panic!("{error}") };
        (source, provider.asked.into_inner().unwrap().len())
    };
    assert_eq!(refused(&[]).await, (InvalidSealKeys::Empty, 0));
    let repeated = [(id("a"), vec![1; 32]), (id("a"), vec![2; 32])];
    assert_eq!(refused(&repeated).await, (InvalidSealKeys::RepeatedId { id: id("a") }, 0));
    let same = [(id("a"), vec![1; 32]), (id("b"), vec![1; 32])];
    assert_eq!(refused(&same).await, (InvalidSealKeys::RepeatedKey { id: id("a"), other: id("b") }, 2));
}
