//! Files that hold secrets: nobody else may be able to read them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::Failure;

/// The text of a file that nobody else can read, of so many bytes at most.
pub(crate) fn read(path: &Path, option: &str, at_most: u64) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("{option}: {}: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Looked at on the file that was opened, and not on whatever stands there a moment later.
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            let path = path.display();
            let said = format!("{option}: others can read {path}, which holds secrets: `chmod 600` closes it");
            return Err(Failure::usage(said));
        }
    }
    let mut text = Zeroizing::new(String::with_capacity(4096));
    file.take(at_most + 1).read_to_string(&mut text).map_err(failed)?;
    // What is cut off would be a part of it, and may look like the whole.
    if u64::try_from(text.len()).is_ok_and(|length| length > at_most) {
        let path = path.display();
        return Err(Failure::usage(format!("{option}: {path} is longer than {at_most} bytes")));
    }
    Ok(text)
}
