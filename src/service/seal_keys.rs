//! Where the keys of secrets at rest come from: the environment, a file, or a key management service of the host.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::{self, Debug};
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::{Zeroize as _, Zeroizing};

use crate::seal::{InvalidSealKeys, SealKey, SealKeyId, SealKeys};
use crate::visible::Visible;

/// The largest file of keys, in bytes: room for more than 200 keys.
pub const MAX_SEAL_KEYS_LEN: usize = 16 * 1024;

/// Unwraps the keys of secrets at rest, for [`SealKeys::from_provider`]. A host implements it over its key management
/// service: each key of the ring is a data key that the service has wrapped.
///
/// ```
/// use std::error::Error;
///
/// use keyward::seal::{SealKey, SealKeyId, SealKeys};
/// use keyward::service::SealKeyProvider;
///
/// #[derive(Debug)]
/// struct Kms; // the client of your service here
///
/// #[async_trait::async_trait]
/// impl SealKeyProvider for Kms {
///     async fn unwrap_key(&self, id: &SealKeyId, wrapped: &[u8]) -> Result<SealKey, Box<dyn Error + Send + Sync>> {
///         // Ask the service, with a limit of time, and wipe its answer.
///         # let unwrapped: Vec<u8> = wrapped.iter().map(|byte| byte ^ 0x55).collect();
///         Ok(SealKey::from_bytes(&unwrapped)?)
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// // What the service has wrapped is no secret, and stands in the host's configuration.
/// let wrapped = [("2026-07".parse()?, vec![0xd2; 32]), ("2026-01".parse()?, vec![0x1e; 32])];
/// let keys = SealKeys::from_provider(&Kms, &wrapped).await?;
/// assert_eq!(keys.current_id().as_str(), "2026-07");
///
/// // One key that cannot be unwrapped, and there is no ring.
/// let cut = [wrapped[0].clone(), ("2026-01".parse()?, vec![0x1e; 31])];
/// let error = SealKeys::from_provider(&Kms, &cut).await.unwrap_err();
/// assert_eq!(error.to_string(), "the provider did not unwrap the key 2026-01");
/// # Ok::<(), Box<dyn Error>>(())
/// # }).unwrap();
/// ```
#[async_trait]
pub trait SealKeyProvider: Debug + Send + Sync {
    /// The key of this name, out of what the service wrapped.
    ///
    /// Nothing here limits how long it takes: that is up to the implementation, which knows its service.
    ///
    /// # Errors
    /// Whatever the service answers. It must not show the key; what it shows goes to whoever starts the host.
    async fn unwrap_key(&self, id: &SealKeyId, wrapped: &[u8]) -> Result<SealKey, Box<dyn Error + Send + Sync>>;
}

/// Where keys come from. Each of these is called once, when the host starts.
impl SealKeys {
    /// Reads the ring from an environment variable, `KEYWARD_SEAL_KEYS` by custom: `id:base64,id:base64`, the first of
    /// which is the current key. All of it is as the [`FromStr`](Self#impl-FromStr-for-SealKeys) of the ring has it.
    ///
    /// The process keeps its environment, and whoever may inspect the process reads it there. A
    /// [file](Self::from_file) is not passed on to children.
    ///
    /// ```no_run
    /// use keyward::seal::SealKeys;
    ///
    /// let keys = SealKeys::from_environment("KEYWARD_SEAL_KEYS")?;
    /// # Ok::<(), keyward::service::SealKeysError>(())
    /// ```
    ///
    /// # Errors
    /// [`SealKeysError::NotSet`], [`SealKeysError::NotText`] and [`SealKeysError::Invalid`]. A variable that is empty is
    /// [`InvalidSealKeys::Empty`] and no ring without keys.
    pub fn from_environment(variable: &str) -> Result<Self, SealKeysError> {
        from_variable(variable, std::env::var_os(variable))
    }

    /// Reads the ring from a file, which has entries as an [environment variable](Self::from_environment) has, on one
    /// line or one on each.
    ///
    /// On Unix, a file to which its group or others have any access is refused; `chmod 600` is right, and 400 is, too. It
    /// is the opened file that is looked at, so that neither a link nor a file that is exchanged meanwhile passes. Who
    /// owns it, and who may replace it in its folder, is not looked at, and on other systems nothing is.
    ///
    /// ```
    /// use keyward::seal::SealKeys;
    /// use keyward::service::SealKeysError;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("seal-keys");
    /// std::fs::write(&path, "2026-07:nL1wZTVYJvWXoB4V8SGdqfB3nMH7qmCgHZQ2yJvpV5E\n")?;
    /// # #[cfg(unix)] {
    /// use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};
    ///
    /// std::fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    /// assert!(matches!(SealKeys::from_file(&path), Err(SealKeysError::Exposed { mode: 0o644, .. })));
    ///
    /// std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    /// assert_eq!(SealKeys::from_file(&path)?.current_id().as_str(), "2026-07");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// It blocks while it reads.
    ///
    /// # Errors
    /// [`SealKeysError::File`] when the file cannot be read; [`SealKeysError::NotAFile`] when it is a folder, a pipe or a
    /// device; [`SealKeysError::Exposed`]; [`SealKeysError::TooLong`] when it has more than [`MAX_SEAL_KEYS_LEN`] bytes;
    /// [`SealKeysError::NotText`] and [`SealKeysError::Invalid`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SealKeysError> {
        let path = path.as_ref();
        let text = read(path)?;
        parse(&text, || SealKeysOrigin::File(path.to_owned()))
    }

    /// Has a key management service unwrap each key of the ring, one after the other. The first is the current one.
    ///
    /// # Errors
    /// [`SealKeysError::Provider`] names the first key that was not unwrapped; the ring is whole or is not there.
    /// [`SealKeysError::Invalid`] when there is no key, two of one name (without asking the provider), or the same key
    /// twice.
    pub async fn from_provider(
        provider: &dyn SealKeyProvider,
        wrapped: &[(SealKeyId, Vec<u8>)],
    ) -> Result<Self, SealKeysError> {
        let invalid = |source| SealKeysError::Invalid { origin: SealKeysOrigin::Provider, source };
        for (at, (id, _)) in wrapped.iter().enumerate() {
            if wrapped[..at].iter().any(|(earlier, _)| earlier == id) {
                return Err(invalid(InvalidSealKeys::RepeatedId { id: *id }));
            }
        }
        let mut keys: Option<Self> = None;
        for (id, wrapped) in wrapped {
            let unwrapped = provider.unwrap_key(id, wrapped).await;
            let key = unwrapped.map_err(|source| SealKeysError::Provider { id: *id, source })?;
            keys = Some(match keys {
                Some(keys) => keys.with_retired(*id, key).map_err(invalid)?,
                None => Self::new(*id, key),
            });
        }
        keys.ok_or_else(|| invalid(InvalidSealKeys::Empty))
    }
}

fn from_variable(variable: &str, value: Option<OsString>) -> Result<SealKeys, SealKeysError> {
    let value = value.ok_or_else(|| SealKeysError::NotSet { variable: variable.to_owned() })?;
    let value = Zeroizing::new(value.into_encoded_bytes());
    parse(&value, || SealKeysOrigin::Variable(variable.to_owned()))
}

fn parse(text: &[u8], origin: impl Fn() -> SealKeysOrigin) -> Result<SealKeys, SealKeysError> {
    let text = std::str::from_utf8(text).map_err(|_| SealKeysError::NotText { origin: origin() })?;
    text.parse().map_err(|source| SealKeysError::Invalid { origin: origin(), source })
}

/// The bytes of a file that is small and nobody else's.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SealKeysError> {
    let failed = |source| SealKeysError::File { path: path.to_owned(), source };
    let is_file = |metadata: &Metadata| {
        metadata.is_file().then_some(()).ok_or_else(|| SealKeysError::NotAFile { path: path.to_owned() })
    };
    // Opening a pipe would wait for somebody to write to it.
    is_file(&fs::metadata(path).map_err(failed)?)?;
    let mut file = File::open(path).map_err(failed)?;
    let opened = file.metadata().map_err(failed)?;
    is_file(&opened)?;
    refuse_exposed(path, &opened)?;

    // One byte more than there may be, and all of it reserved beforehand, so that no copy is left behind.
    let mut text = Zeroizing::new(vec![0; MAX_SEAL_KEYS_LEN + 1]);
    let mut length = 0;
    while length < text.len() {
        match file.read(&mut text[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if length > MAX_SEAL_KEYS_LEN {
        return Err(SealKeysError::TooLong { path: path.to_owned(), limit: MAX_SEAL_KEYS_LEN });
    }
    text[length..].zeroize();
    text.truncate(length);
    Ok(text)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, opened: &Metadata) -> Result<(), SealKeysError> {
    use std::os::unix::fs::PermissionsExt as _;

    // Without the kind of the file.
    let mode = opened.permissions().mode() & 0o7777;
    let others = mode & 0o077;
    if others == 0 { Ok(()) } else { Err(SealKeysError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "there are permissions to look at on Unix")]
fn refuse_exposed(_: &Path, _: &Metadata) -> Result<(), SealKeysError> {
    Ok(())
}

/// Where a key ring was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealKeysOrigin {
    /// An environment variable.
    Variable(String),
    /// A file.
    File(PathBuf),
    /// A key management service of the host.
    Provider,
}

impl fmt::Display for SealKeysOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(variable) => write!(f, "the environment variable {}", Visible(variable)),
            Self::File(path) => write!(f, "the file {}", Visible(&path.to_string_lossy())),
            Self::Provider => f.write_str("the provider"),
        }
    }
}

/// Why there is no key ring. It shows names and places, and nothing of any key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealKeysError {
    /// There is no such environment variable.
    #[error("the environment variable {} is not set", Visible(variable))]
    NotSet {
        /// Its name.
        variable: String,
    },
    /// The file could not be read.
    #[error("the file {} cannot be read", Visible(&path.to_string_lossy()))]
    File {
        /// Where it was looked for.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The path leads to something else than a file.
    #[error("{} is no file", Visible(&path.to_string_lossy()))]
    NotAFile {
        /// Where it leads.
        path: PathBuf,
    },
    /// Others than the owner of the file have access to it.
    #[error("others than its owner have access to the file {} (mode {mode:04o}): chmod 600", Visible(&path.to_string_lossy()))]
    Exposed {
        /// Which file it is.
        path: PathBuf,
        /// Its permissions, such as `0o644`.
        mode: u32,
    },
    /// The file is larger than any file of keys.
    #[error("the file {} has more than {limit} bytes", Visible(&path.to_string_lossy()))]
    TooLong {
        /// Which file it is.
        path: PathBuf,
        /// The most bytes that are read.
        limit: usize,
    },
    /// There are bytes that are not UTF-8.
    #[error("{origin} holds something else than text")]
    NotText {
        /// Where they are.
        origin: SealKeysOrigin,
    },
    /// What is there makes no key ring.
    #[error("{origin} holds no keys: {source}")]
    Invalid {
        /// Where it is.
        origin: SealKeysOrigin,
        /// What is wrong with it.
        source: InvalidSealKeys,
    },
    /// The provider did not unwrap a key.
    #[error("the provider did not unwrap the key {id}")]
    Provider {
        /// The name of the key.
        id: SealKeyId,
        /// What the provider says.
        source: Box<dyn Error + Send + Sync>,
    },
}

#[cfg(test)]
mod tests {
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
        for content in
            [KEYS.to_owned(), format!("{KEYS}\n"), KEYS.replace(',', "\n"), KEYS.replace(',', "\r\n") + "\r\n"]
        {
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
}
