//! The resource servers that may ask what a token means.

use std::env::VarError;
use std::path::Path;

use keyward::Secret;
use keyward::broker::Resource;
use keyward::service::ResourceServer;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::secret_file;

const VARIABLE: &str = "KEYWARD_RESOURCE_SERVERS";
/// The longest file that is read, in bytes.
const LONGEST_FILE: u64 = 64 * 1024;

/// Those in the file, or in the environment where there is none. One that is for a single resource is for one of `resources`.
pub(super) fn read(file: Option<&Path>, resources: &[Resource]) -> Result<Vec<ResourceServer>, Failure> {
    if let Some(file) = file {
        let text = secret_file::read(file, "--resource-servers", LONGEST_FILE)?;
        return parse(text.lines(), "--resource-servers", resources);
    }
    let text = match std::env::var(VARIABLE) {
        Ok(text) => Zeroizing::new(text),
        Err(VarError::NotPresent) => return Ok(Vec::new()),
        Err(VarError::NotUnicode(_)) => return Err(Failure::usage(format!("{VARIABLE} is not encoded in UTF-8"))),
    };
    parse(text.split(','), VARIABLE, resources)
}

fn parse<'t>(
    lines: impl Iterator<Item = &'t str>,
    said: &str,
    resources: &[Resource],
) -> Result<Vec<ResourceServer>, Failure> {
    let mut servers: Vec<ResourceServer> = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let refuse = |what: &str| Failure::usage(format!("{said}: entry {number}: {what}"));
        let mut words = line.split_whitespace();
        let Some(id) = words.next().filter(|id| !id.starts_with('#')) else { continue };
        let secret = Secret::new(words.next().unwrap_or_default().to_owned());
        let mut server = ResourceServer::new(id, &secret).map_err(|error| refuse(&error.to_string()))?;
        let resource = words.next().map(Resource::new).transpose().map_err(|error| refuse(&error.to_string()))?;
        // Nothing would ever be active to it.
        if resource.as_ref().is_some_and(|resource| !resources.contains(resource)) {
            return Err(refuse("its resource is none of those that --resource names, byte for byte"));
        }
        if words.next().is_some() {
            return Err(refuse("there is more than an identifier, a secret and a resource"));
        }
        if servers.iter().any(|other| other.id() == id) {
            return Err(refuse("the identifier stands there twice"));
        }
        if let Some(resource) = resource {
            server = server.of_resource(resource);
        }
        servers.push(server);
    }
    Ok(servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_an_identifier_a_secret_and_perhaps_a_resource() {
        let secret = "s".repeat(32);
        let resources = [Resource::new("https://api.example/files").unwrap()];
        let text = format!("# ours\n\nnotes {secret}\nfiles {secret} https://api.example/files\n");
        let servers = parse(text.lines(), "x", &resources).unwrap();
        let read: Vec<_> = servers.iter().map(|server| (server.id(), server.resource().is_some())).collect();
        assert_eq!(read, [("notes", false), ("files", true)]);
        for (refused, said) in [
            ("notes", "entry 1: the secret must have 32 or more"),
            ("\nnotes short", "entry 2: the secret must have 32 or more"),
            (&format!("a {secret} ftp://x"), "a resource must be"),
            (&format!("a {secret} https://api.example/files/"), "none of those that --resource names"),
            (&format!("a {secret} https://api.example/files y"), "more than an identifier, a secret and a resource"),
            (&format!("a {secret}\na {secret}"), "entry 2: the identifier stands there twice"),
        ] {
            let failure = parse(refused.lines(), "x", &resources).unwrap_err();
            assert!(failure.message().contains(said), "{}", failure.message());
            assert!(!failure.message().contains(&secret));
        }
    }
}
