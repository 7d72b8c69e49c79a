//! The resource servers that may ask what a token means.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use keyward::Secret;
use keyward::broker::Resource;
use zeroize::Zeroizing;

use crate::failure::Failure;

const VARIABLE: &str = "KEYWARD_RESOURCE_SERVERS";
/// The shortest secret, in characters: that of 128 random bits in hexadecimal.
const SHORTEST_SECRET: usize = 32;
/// The longest file that is read, in bytes.
const LONGEST_FILE: u64 = 64 * 1024;

pub(super) struct ResourceServer {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) resource: Option<Resource>,
}

/// Those in the file, or in the environment where there is none.
pub(super) fn read(file: Option<&Path>) -> Result<Vec<ResourceServer>, Failure> {
    if let Some(file) = file {
        let text = Zeroizing::new(contents(file)?);
        return parse(text.lines(), "--resource-servers");
    }
    let text = Zeroizing::new(std::env::var(VARIABLE).unwrap_or_default());
    parse(text.split(','), VARIABLE)
}

fn contents(path: &Path) -> Result<String, Failure> {
    let said = |error: std::io::Error| Failure::usage(format!("--resource-servers: {error}"));
    let file = File::open(path).map_err(said)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        // Looked at on the file that was opened, and not on whatever stands there a moment later.
        let mode = file.metadata().map_err(said)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Failure::usage("--resource-servers: others can read the file: chmod 600 it"));
        }
    }
    let mut text = String::new();
    file.take(LONGEST_FILE).read_to_string(&mut text).map_err(said)?;
    Ok(text)
}

fn parse<'t>(lines: impl Iterator<Item = &'t str>, said: &str) -> Result<Vec<ResourceServer>, Failure> {
    let mut servers: Vec<ResourceServer> = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let refuse = |what: &str| Failure::usage(format!("{said}: entry {number}: {what}"));
        let mut words = line.split_whitespace();
        let Some(id) = words.next().filter(|id| !id.starts_with('#')) else { continue };
        let secret = words.next().filter(|secret| secret.len() >= SHORTEST_SECRET);
        let secret = secret.ok_or_else(|| refuse("an identifier needs a secret of 32 or more characters behind it"))?;
        let resource = words.next().map(Resource::new).transpose().map_err(|error| refuse(&error.to_string()))?;
        if words.next().is_some() {
            return Err(refuse("there is more than an identifier, a secret and a resource"));
        }
        if servers.iter().any(|other| other.id == id) {
            return Err(refuse("the identifier stands there twice"));
        }
        servers.push(ResourceServer { id: id.to_owned(), secret: Secret::new(secret.to_owned()), resource });
    }
    Ok(servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_an_identifier_a_secret_and_perhaps_a_resource() {
        let secret = "s".repeat(32);
        let text = format!("# ours\n\nnotes {secret}\nfiles {secret} https://api.example/files\n");
        let servers = parse(text.lines(), "x").unwrap();
        let read: Vec<_> = servers.iter().map(|server| (server.id.as_str(), server.resource.is_some())).collect();
        assert_eq!(read, [("notes", false), ("files", true)]);
        for refused in ["notes", "notes short", &format!("a {secret} ftp://x"), &format!("a {secret} https://x y")] {
            assert!(parse(refused.lines(), "x").is_err(), "{refused}");
        }
        assert!(parse(format!("a {secret}\na {secret}").lines(), "x").is_err());
    }
}
