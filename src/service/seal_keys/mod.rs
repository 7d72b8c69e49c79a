//! Where the keys of secrets at rest come from: the environment, a file, or a key management service of the host.

mod error;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;

use async_trait::async_trait;
use zeroize::{Zeroize as _, Zeroizing};

use crate::seal::{InvalidSealKeys, SealKey, SealKeyId, SealKeys};

pub use error::{SealKeysError, SealKeysOrigin};

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
